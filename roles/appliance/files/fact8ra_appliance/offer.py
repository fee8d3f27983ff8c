# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a SuperLink says of itself in OneGate: one attribute, so that a reader sees all of it or nothing.

Whoever reads it takes it for what a stranger wrote: any VM of a service may write the attributes of the others.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ipaddress
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

ATTRIBUTE = "FLOWER_SUPERLINK"
VERSION = 1
JOINS = ("onegate", "token")
# A certificate of an RSA key of 4096 bits has some 2 kB.
LARGEST = 16384

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----", re.ASCII)
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Unreadable(ValueError):
    """What stands there is no offer; the message says why, and shows nothing of it."""


def certificates(pem: str) -> list[str]:
    """The certificates of a bundle, each as PEM in the one form that the standard library writes.

    Raises:
        Unreadable: one is none.
    """
    try:
        return [
            ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(block))
            for block in _PEM.findall(pem.replace("\r\n", "\n"))
        ]
    except ValueError as error:
        raise Unreadable("a certificate is not in PEM") from error


def authority(pem: str) -> str:
    """The one certificate of an authority in a text, in PEM.

    Raises:
        Unreadable: there is none, more than one, or it is not an authority's.
    """
    found = certificates(pem)
    if len(found) != 1:
        raise Unreadable(f"there are {len(found)} certificates in place of one")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=found[0])
    except ssl.SSLError as error:
        raise Unreadable("the certificate cannot be read") from error
    # One that is not an authority is loaded and not listed.
    if not context.get_ca_certs():
        raise Unreadable("the certificate is not an authority's")
    return found[0]


def fingerprint(pem: str) -> str:
    """SHA-256 of one certificate's DER, 64 hexadecimal digits."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def fingerprint_of(text: str) -> str:
    """A fingerprint as people write it, with or without colons, in the one form that is compared.

    Raises:
        Unreadable: it has not 64 hexadecimal digits.
    """
    digits = text.strip().lower().replace(":", "")
    if not _HEX.fullmatch(digits):
        raise Unreadable("it must have 64 hexadecimal digits, with colons or without")
    return digits


def shown(digits: str) -> str:
    """A fingerprint as openssl prints it: AA:BB:..."""
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2)).upper()


def is_host(text: str) -> bool:
    """Whether a text is a DNS name or an address without brackets and zone."""
    if re.fullmatch(r"[0-9.]+", text, re.ASCII) or ":" in text:
        try:
            return "%" not in text and bool(ipaddress.ip_address(text))
        except ValueError:
            return False
    return len(text) <= 253 and _NAME.fullmatch(text) is not None


def strict_json(text: str | bytes) -> dict[str, Any]:
    """A JSON object of a stranger's, in which every key stands once.

    Raises:
        ValueError: it is none, or it is too deep.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ValueError("a key stands twice")
        return made

    def never(word: str) -> Any:
        raise ValueError(f"{word} is no number")

    try:
        found = json.loads(text, object_pairs_hook=once, parse_constant=never)
    except RecursionError:
        raise ValueError("it is too deep") from None
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return found


@dataclass(frozen=True)
class Offer:
    """Where a SuperLink is reached, by which authority it is known, and how SuperNodes join.

    Attributes:
        address: name or address, IPv6 without brackets.
        fingerprint: of the certificate in C(ca), 64 hexadecimal digits.
        ca: PEM of the one authority.
        join: one of JOINS.
    """

    address: str
    port: int
    fingerprint: str
    ca: str
    join: str

    def encode(self) -> str:
        """The value of the attribute."""
        return base64.b64encode(json.dumps({"version": VERSION, **asdict(self)}).encode()).decode()

    @classmethod
    def decode(cls, text: str) -> Offer:
        """Read the value of the attribute.

        Raises:
            Unreadable: it is not what C(encode) makes, or its parts contradict each other.
        """
        if len(text) > LARGEST:
            raise Unreadable(f"it has more than {LARGEST} characters")
        try:
            data = strict_json(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError) as error:
            raise Unreadable("it is no JSON in base64") from error
        return cls.checked(data)

    @classmethod
    def checked(cls, data: Mapping[str, Any]) -> Offer:
        """An offer of what a stranger wrote.

        Raises:
            Unreadable: naming what is wrong.
        """
        version, port, ca = data.get("version"), data.get("port"), data.get("ca")
        if version != VERSION or isinstance(version, bool):
            raise Unreadable("it is of another version of the appliance")
        if not isinstance(data.get("address"), str) or not is_host(data["address"]):
            raise Unreadable("its address is neither a name nor an IP address")
        if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
            raise Unreadable("its port is none")
        if data.get("join") not in JOINS:
            raise Unreadable(f"its way to join is none of {', '.join(JOINS)}")
        if not isinstance(ca, str):
            raise Unreadable("it has no certificate")
        pem = authority(ca)
        if data.get("fingerprint") != fingerprint(pem):
            raise Unreadable("its fingerprint is not that of its certificate")
        return cls(data["address"], port, data["fingerprint"], pem, data["join"])
