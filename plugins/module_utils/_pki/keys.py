# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Private keys: making, storing, loading. Private to this collection; it may change without notice."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TypeAlias

try:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
except ImportError:
    # The module reports it, by library.IMPORT_ERROR.
    pass

from ansible_collections.fact8ra.flower.plugins.module_utils._pki.errors import PkiError

PrivateKey: TypeAlias = "ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey"

#: Names of FIPS 186-5 to those of SEC 2, which cryptography uses.
CURVES = {"P-256": "secp256r1", "P-384": "secp384r1", "P-521": "secp521r1"}

_FLOWER_KEY = re.compile(r"ecdsa-sha2-nistp(256|384|521) [A-Za-z0-9+/=]+( |\Z)")


@dataclass(frozen=True)
class KeyKind:
    """What a key is: type `ec` with a curve of CURVES, or `rsa` with a size in bits."""

    type: str
    curve: str = "P-384"
    size: int = 4096

    def __str__(self) -> str:
        return f"EC {self.curve}" if self.type == "ec" else f"RSA {self.size}"


#: The SuperLink's key, and the only curve that every part of Flower has been run with for SuperNodes.
P384 = KeyKind("ec", "P-384")


def generate(kind: KeyKind) -> PrivateKey:
    """A new private key."""
    if kind.type == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=kind.size)
    return ec.generate_private_key(
        {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}[kind.curve]
    )


def kind_of(key: object) -> KeyKind:
    """What a private or public key is; what has no name here keeps the library's."""
    if isinstance(key, (rsa.RSAPrivateKey, rsa.RSAPublicKey)):
        return KeyKind("rsa", size=key.key_size)
    if isinstance(key, (ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey)):
        names = {theirs: ours for ours, theirs in CURVES.items()}
        return KeyKind("ec", curve=names.get(key.curve.name, key.curve.name))
    return KeyKind("ec", curve=type(key).__name__)


def to_pkcs8(key: PrivateKey, passphrase: str | None = None) -> bytes:
    """PEM of PKCS#8, encrypted (PBES2) when a passphrase is given."""
    encryption = (
        serialization.NoEncryption()
        if passphrase is None
        else serialization.BestAvailableEncryption(passphrase.encode())
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def from_pkcs8(content: bytes, path: object, passphrase: str | None = None) -> PrivateKey:
    """Load what `to_pkcs8` wrote.

    Raises:
        PkiError: The passphrase is wrong, the key is encrypted or not against expectation, or this is no key of ours.
    """
    try:
        key = serialization.load_pem_private_key(content, None if passphrase is None else passphrase.encode())
    except TypeError as error:
        # The library raises TypeError exactly where encryption is not as the caller expects.
        found = "is not encrypted" if passphrase is not None else "is encrypted"
        raise PkiError(f"{path} {found}, so this module did not write it; move it away or restore it") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if passphrase is not None and b"ENCRYPTED PRIVATE KEY" in content:
            raise PkiError(f"the passphrase does not open {path}; give the one the key was made with") from error
        raise PkiError(f"{path} is not a private key in PEM; move it away or restore it from a backup") from error
    return _ours(key, path)


def to_openssh(key: PrivateKey) -> bytes:
    """Private key in OpenSSH's format without a passphrase: the only format that Flower reads."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def from_openssh(content: bytes, path: object) -> PrivateKey:
    """Load what `to_openssh` wrote.

    Raises:
        PkiError: This is no private key in OpenSSH's format, or one with a passphrase.
    """
    try:
        return _ours(serialization.load_ssh_private_key(content, None), path)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PkiError(
            f"{path} is not a private key in OpenSSH's format without a passphrase; move it away to get a new one, or"
            " restore it from a backup"
        ) from error


def from_foreign(content: bytes, path: object, passphrase: str | None) -> PrivateKey:
    """Load the private key in PEM, PKCS#8 or traditional, that an operator brings.

    Raises:
        PkiError: It is none, the passphrase does not open it or is missing, or it is neither EC nor RSA.
    """
    try:
        key = serialization.load_pem_private_key(content, None if passphrase is None else passphrase.encode())
    except TypeError as error:
        if passphrase is None:
            raise PkiError(f"{path} is encrypted; give superlink.key_passphrase") from error
        raise PkiError(f"{path} is not encrypted; leave superlink.key_passphrase out") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        opened = "" if passphrase is None else ", or superlink.key_passphrase does not open it"
        raise PkiError(f"{path} is not a private key in PEM{opened}") from error
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise PkiError(f"{path} is a key that is neither EC nor RSA; bring one that every TLS client can use")
    return key


def public_part(line: str) -> str | None:
    """Type and base64 of a file with one public key of OpenSSH that Flower takes (EC on a NIST curve), else None."""
    lines = line.splitlines()
    if len(lines) != 1 or not _FLOWER_KEY.match(lines[0]):
        return None
    try:
        serialization.load_ssh_public_key(lines[0].encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return " ".join(lines[0].split()[:2])


def public_line(key: PrivateKey, comment: str) -> str:
    """Public key as one line of OpenSSH: type, base64, comment."""
    encoded = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return f"{encoded.decode()} {comment}"


def public_fingerprint(line: str) -> str:
    """Fingerprint of a line of `public_line`, as ssh-keygen -l prints it (SHA256:base64)."""
    digest = hashlib.sha256(b64decode(line.split()[1])).digest()
    return f"SHA256:{b64encode(digest).decode().rstrip('=')}"


def same_public_key(key: PrivateKey, other: object) -> bool:
    """Whether a private key belongs to a public key of cryptography."""
    return bool(key.public_key() == other)


def _ours(key: object, path: object) -> PrivateKey:
    if isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        return key
    raise PkiError(f"{path} holds a key that is neither EC nor RSA; move it away or restore it from a backup")
