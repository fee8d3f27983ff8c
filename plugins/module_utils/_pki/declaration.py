# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the operator declares, checked as a whole before anything is touched. Private; it may change without notice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import names
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.errors import PkiError
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.keys import KeyKind
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.names import Constraints

# OpenSSL's own limit for the passphrase of a PEM file is 1024 bytes.
_LONGEST_PASSPHRASE = 1023
_SHORTEST_PASSPHRASE = 8

# A hundred years; far from the year 9999, where Python's calendar and GeneralizedTime end.
_LONGEST_VALIDITY_DAYS = 36500

# The name becomes the name of a file and the comment of a key.
_SUPERNODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True)
class Authority:
    """The newest CA: subject, key, validity in days, passphrase of the key, what it may issue for (None: anything)."""

    common_name: str
    key: KeyKind
    validity_days: int
    passphrase: str
    constraints: Constraints | None


@dataclass(frozen=True)
class Brought:
    """What the operator brings from another PKI, as paths; `key` is None where the key is made here."""

    certificate: Path | None
    key: Path | None
    key_passphrase: str | None
    trust: Path


@dataclass(frozen=True)
class Superlink:
    """The SuperLink's certificate: subject alternative names, validity in days, whether to issue it in any case."""

    sans: tuple[str, ...]
    validity_days: int
    reissue: bool


@dataclass(frozen=True)
class Supernodes:
    """The SuperNodes: names, whether keys are made here, who gets a new one, whether others' keys are removed."""

    names: tuple[str, ...]
    made_here: bool
    renew: frozenset[str]
    purge: bool


@dataclass(frozen=True)
class Declaration:
    """The whole PKI that is wanted.

    Either `authority` issues, or `brought` says where the certificate comes from. `renew_before_days` is how early a
    certificate counts as expiring.
    """

    directory: Path
    authority: Authority | None
    rollover: str
    superlink: Superlink
    brought: Brought | None
    supernodes: Supernodes
    renew_before_days: int


def parse(parameters: Mapping[str, Any]) -> Declaration:
    """Check the options of the module against each other and turn them into a declaration.

    Raises:
        PkiError: With the option, the value and what would be right.
    """
    superlink = parameters["superlink"]
    sans = names.sans(superlink["names"], superlink["addresses"])
    issued = superlink["source"] == "issued"
    authority = _authority(parameters, sans) if issued else None
    if not issued:
        _only_for_issued(parameters)
    return Declaration(
        directory=Path(parameters["directory"]),
        authority=authority,
        rollover=parameters["rollover"],
        superlink=Superlink(sans, superlink["validity_days"], parameters["reissue_superlink"]),
        brought=None if issued else _brought(superlink),
        supernodes=_supernodes(parameters),
        renew_before_days=parameters["renew_before_days"],
    )


def _authority(parameters: Mapping[str, Any], sans: Iterable[str]) -> Authority:
    ca, validity = parameters["ca"], parameters["superlink"]["validity_days"]
    renew_before = parameters["renew_before_days"]
    if ca is None:
        raise PkiError("ca is missing; it says who issues the certificate, so superlink.source: issued needs it")
    for option, days in (("ca.validity_days", ca["validity_days"]), ("superlink.validity_days", validity)):
        if not 1 <= days <= _LONGEST_VALIDITY_DAYS:
            raise PkiError(f"{option} is {days}; a certificate is valid for 1 to {_LONGEST_VALIDITY_DAYS} days")
    if not 0 <= renew_before < validity:
        raise PkiError(
            f"renew_before_days is {renew_before}, but must lie between 0 and superlink.validity_days ({validity}) less"
            " one, or the certificate would be issued anew at every run"
        )
    constraints = names.constraints(ca["permitted_names"], ca["permitted_addresses"])
    outside = [] if constraints is None else [san for san in sans if not constraints.permit(san)]
    if outside:
        raise PkiError(
            f"superlink has {', '.join(outside)}, outside of what ca.permitted_names and ca.permitted_addresses permit"
            f" ({constraints}), and no node would accept the certificate; permit them, or leave them out"
        )
    return Authority(
        common_name=_common_name(ca["common_name"]),
        key=KeyKind(ca["key_type"], ca["curve"], ca["key_size"]),
        validity_days=ca["validity_days"],
        passphrase=_passphrase(ca["passphrase"]),
        constraints=constraints,
    )


def _only_for_issued(parameters: Mapping[str, Any]) -> None:
    source = parameters["superlink"]["source"]
    if parameters["rollover"] != "none":
        raise PkiError(
            f"rollover is {parameters['rollover']}, but superlink.source is {source}, so no CA is kept here; to change"
            " the CA, put both into superlink.trust, then bring the new certificate, then leave the old CA out"
        )
    if parameters["reissue_superlink"]:
        raise PkiError(f"reissue_superlink is true, but superlink.source is {source}; bring a new certificate instead")


def _brought(superlink: Mapping[str, Any]) -> Brought:
    provided = superlink["source"] == "provided"
    certificate = superlink["certificate"]
    return Brought(
        certificate=None if certificate is None else Path(certificate),
        key=Path(superlink["key"]) if provided else None,
        key_passphrase=superlink["key_passphrase"],
        trust=Path(superlink["trust"]),
    )


def _common_name(value: str) -> str:
    # ub-common-name of RFC 5280, appendix A.1.
    if not 1 <= len(value) <= 64:
        raise PkiError(f"ca.common_name {value!r} has {len(value)} characters; X.509 allows 1 to 64")
    if not value.isprintable():
        raise PkiError(f"ca.common_name has characters that cannot be printed ({value!r}); give a line of text")
    return value


def _passphrase(value: str) -> str:
    if not _SHORTEST_PASSPHRASE <= len(value.encode()) <= _LONGEST_PASSPHRASE:
        raise PkiError(
            f"ca.passphrase must have {_SHORTEST_PASSPHRASE} to {_LONGEST_PASSPHRASE} bytes; it protects the key that"
            " every node of the federation trusts"
        )
    return value


def _supernodes(parameters: Mapping[str, Any]) -> Supernodes:
    wanted, renew = tuple(parameters["supernodes"]), frozenset(parameters["renew_supernodes"])
    for name in wanted:
        if not _SUPERNODE_NAME.fullmatch(name):
            raise PkiError(
                f"supernodes has {name!r}; a name becomes a file name, so it begins with a letter or digit and goes on"
                " with letters, digits, dots, hyphens and underscores"
            )
    twice = sorted(name for name, count in Counter(wanted).items() if count > 1)
    if twice:
        raise PkiError(f"supernodes has {', '.join(twice)} more than once; each SuperNode has a key of its own")
    unknown = sorted(renew - set(wanted))
    if unknown:
        raise PkiError(f"renew_supernodes has {', '.join(map(repr, unknown))}, which supernodes has not")
    made_here = parameters["supernode_keys"] == "controller"
    if renew and not made_here:
        raise PkiError(
            f"renew_supernodes has {', '.join(sorted(renew))}, but supernode_keys is node; make the new key there, and"
            " bring its public half here"
        )
    return Supernodes(wanted, made_here, renew, parameters["purge_supernodes"])
