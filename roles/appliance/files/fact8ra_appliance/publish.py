# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a SuperLink tells its service, once it is true and not before: one attribute, so that nobody sees half of it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from .dial import Unanswered, Unverified, ask
from .offer import ATTRIBUTE, Offer, Unreadable, authority, certificates, fingerprint, shown
from .trouble import Trouble
from .wire import JOIN

ADDRESS, FINGERPRINT = "FLOWER_ADDRESS", "FLOWER_FINGERPRINT"


class Publisher(Protocol):
    """The part of onegate.OneGate that is needed here."""

    def publish(self, attributes: Mapping[str, str]) -> None:
        """Write attributes of this VM."""


def anchor(trust: Path, certificate: Path) -> str:
    """The one authority of a bundle that the SuperLink's certificate leads to, in PEM.

    A bundle may hold several, and a fingerprint is of one: whoever believes it must not get the others with it.

    Raises:
        Trouble: CONFIGURE_FAILED; the files cannot be read, or the certificate leads to none.
    """
    try:
        served = [x509.load_pem_x509_certificate(pem.encode()) for pem in certificates(certificate.read_text("ascii"))]
        trusted = certificates(trust.read_text("ascii"))
        for pem in trusted:
            root: Any = x509.load_pem_x509_certificate(pem.encode())
            if root.issuer == root.subject and _leads(served, root):
                return authority(pem)
    except (OSError, ValueError) as error:
        raise Trouble("CONFIGURE_FAILED", f"{trust} or {certificate} cannot be read: {error}") from error
    raise Trouble(
        "CONFIGURE_FAILED",
        f"{certificate} leads to no certificate of {trust} that is its own issuer; SuperNodes believe one root alone",
    )


def _leads(chain: list[x509.Certificate], root: x509.Certificate) -> bool:
    """Whether each certificate of a chain is issued by the next, and the last by the root."""
    if not chain:
        return False
    links = [*chain, root] if chain[-1] != root else chain
    try:
        for issued, issuer in itertools.pairwise(links):
            issued.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def offer(address: str, port: int, trust: Path, certificate: Path, join: str) -> Offer:
    """What this SuperLink says of itself.

    Args:
        address: name or address that SuperNodes dial; the certificate has it.
        join: `token` where the SuperLink has a join token, otherwise `onegate`.

    Raises:
        Trouble: CONFIGURE_FAILED.
    """
    ca = anchor(trust, certificate)
    try:
        return Offer.checked(
            {"version": 1, "address": address, "port": port, "fingerprint": fingerprint(ca), "ca": ca, "join": join}
        )
    except Unreadable as error:
        raise Trouble("CONFIGURE_FAILED", f"what the SuperLink would publish cannot be read: {error}") from error


def answers(made: Offer, seconds: float = 10.0) -> None:
    """Ask the SuperLink on this host what a SuperNode would ask, with nothing but the offer to judge by.

    Raises:
        Trouble: CONFIGURE_FAILED; it does not answer, with another certificate, or names another authority.
    """
    try:
        # By the way in of the host itself: what lies before it may not lead back here.
        status, answer = ask(made.address, made.port, made.ca, "GET", JOIN, seconds=seconds, through="127.0.0.1")
        same = status == 200 and fingerprint(authority(str(answer.get("ca")))) == made.fingerprint
    except (Unanswered, Unverified) as error:
        raise Trouble("CONFIGURE_FAILED", f"the SuperLink does not answer a SuperNode: {error}", again=True) from error
    except Unreadable:
        same = False
    if not same:
        raise Trouble(
            "CONFIGURE_FAILED",
            f"GET {JOIN} at port {made.port} answers {status} and not with the SuperLink's authority; see the unit"
            " fact8ra-join.service",
            again=True,
        )


def publish(gate: Publisher, made: Offer, seconds: float = 10.0) -> None:
    """Check that the SuperLink answers as it says, and only then say it.

    Raises:
        Trouble: it does not.
        OneGateError: it could not be said.
    """
    answers(made, seconds)
    # For people, and first: what SuperNodes read comes last and says all.
    where = f"[{made.address}]:{made.port}" if ":" in made.address else f"{made.address}:{made.port}"
    gate.publish({ADDRESS: where, FINGERPRINT: shown(made.fingerprint), ATTRIBUTE: made.encode()})
