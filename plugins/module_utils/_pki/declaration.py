# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the operator declares, checked as a whole before anything is touched. Private; it may change without notice."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._pki.errors import PkiError
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.keys import KeyKind

#: Flower's own processes dial these on the SuperLink; a certificate without them leaves every run pending.
LOCAL_NAMES = ("localhost",)
LOCAL_ADDRESSES = ("127.0.0.1", "127.0.0.2", "::1")

# OpenSSL's own limit for the passphrase of a PEM file is 1024 bytes.
_LONGEST_PASSPHRASE = 1023
_SHORTEST_PASSPHRASE = 8

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_DNS_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")
# The name becomes the name of a file and the comment of a key.
_SUPERNODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True)
class Authority:
    """The CA: subject, key, validity in days, passphrase of the key."""

    common_name: str
    key: KeyKind
    validity_days: int
    passphrase: str


@dataclass(frozen=True)
class Superlink:
    """The SuperLink's certificate: subject alternative names (DNS:name, IP:address) and validity in days."""

    sans: tuple[str, ...]
    validity_days: int


@dataclass(frozen=True)
class Declaration:
    """The whole PKI that is wanted; `renew_before_days` is how early a certificate counts as expiring."""

    directory: Path
    authority: Authority
    superlink: Superlink
    supernodes: tuple[str, ...]
    renew_before_days: int
    purge_supernodes: bool


def parse(parameters: Mapping[str, Any]) -> Declaration:
    """Check the options of the module against each other and turn them into a declaration.

    Raises:
        PkiError: With the option, the value and what would be right.
    """
    ca = parameters["ca"]
    superlink = parameters["superlink"]
    if ca is None:
        raise PkiError("ca is missing; it says who issues the certificate, so superlink.source: issued needs it")
    renew_before = parameters["renew_before_days"]
    for option, days in (
        ("ca.validity_days", ca["validity_days"]),
        ("superlink.validity_days", superlink["validity_days"]),
    ):
        if days < 1:
            raise PkiError(f"{option} is {days}; a certificate is valid for at least one day")
    if not 0 <= renew_before < superlink["validity_days"]:
        raise PkiError(
            f"renew_before_days is {renew_before}, but must lie between 0 and superlink.validity_days"
            f" ({superlink['validity_days']}) less one, or the certificate would be issued anew at every run"
        )
    return Declaration(
        directory=Path(parameters["directory"]),
        authority=Authority(
            common_name=_common_name(ca["common_name"]),
            key=KeyKind(ca["key_type"], ca["curve"], ca["key_size"]),
            validity_days=ca["validity_days"],
            passphrase=_passphrase(ca["passphrase"]),
        ),
        superlink=Superlink(
            sans=_sans(superlink["names"], superlink["addresses"]), validity_days=superlink["validity_days"]
        ),
        supernodes=_supernodes(parameters["supernodes"]),
        renew_before_days=renew_before,
        purge_supernodes=parameters["purge_supernodes"],
    )


def _common_name(value: str) -> str:
    # ub-common-name of RFC 5280, appendix A.1.
    if not 1 <= len(value) <= 64:
        raise PkiError(f"ca.common_name {value!r} has {len(value)} characters; X.509 allows 1 to 64")
    return value


def _passphrase(value: str) -> str:
    if not _SHORTEST_PASSPHRASE <= len(value.encode()) <= _LONGEST_PASSPHRASE:
        raise PkiError(
            f"ca.passphrase must have {_SHORTEST_PASSPHRASE} to {_LONGEST_PASSPHRASE} bytes; it protects the key that"
            " every node of the federation trusts"
        )
    return value


def _sans(names: Iterable[str], addresses: Iterable[str]) -> tuple[str, ...]:
    checked = [_dns_name(name) for name in names]
    numbers = [_address(address) for address in addresses]
    # Only the order of what the operator wrote is kept; what is always there comes last.
    wanted = [f"DNS:{name}" for name in (*checked, *LOCAL_NAMES)] + [
        f"IP:{address}" for address in (*numbers, *LOCAL_ADDRESSES)
    ]
    return tuple(dict.fromkeys(wanted))


def _dns_name(value: str) -> str:
    name = value.strip().lower().removesuffix(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        raise PkiError(f"superlink.names has the address {value!r}; addresses belong into superlink.addresses")
    if len(name) > 253 or not _DNS_NAME.fullmatch(name):
        raise PkiError(
            f"superlink.names has {value!r}, which is not a DNS name; give letters, digits, hyphens and dots, other"
            " scripts in their xn-- form"
        )
    return name


def _address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value.strip())
        if getattr(address, "scope_id", None) is not None:
            raise ValueError("an address in a certificate has no zone")
        return str(address)
    except ValueError as error:
        raise PkiError(
            f"superlink.addresses has {value!r}, which is not an IPv4 or IPv6 address; give it without prefix length or"
            " zone, names belong into superlink.names"
        ) from error


def _supernodes(names: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(names)
    for name in wanted:
        if not _SUPERNODE_NAME.fullmatch(name):
            raise PkiError(
                f"supernodes has {name!r}; a name becomes a file name, so it begins with a letter or digit and goes on"
                " with letters, digits, dots, hyphens and underscores"
            )
    twice = sorted(name for name, count in Counter(wanted).items() if count > 1)
    if twice:
        raise PkiError(f"supernodes has {', '.join(twice)} more than once; each SuperNode has a key of its own")
    return wanted
