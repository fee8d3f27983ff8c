# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Public keys of SuperNodes. Private to this collection; it may change without notice.

cryptography is there wherever flwr is; it is imported inside the functions so that the module can say what is missing.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure


def ssh_to_pem(name: str, line: str) -> bytes:
    """Return the PEM SubjectPublicKeyInfo that Flower stores for an OpenSSH public key line.

    Args:
        name: SuperNode, for the error.
        line: `ecdsa-sha2-nistp384 AAAA... comment`.

    Raises:
        FlowerFailure: the line is no public key, or none of an EC key on a NIST curve (Flower refuses others).
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    kind = line.split(maxsplit=1)[0] if line.split() else "nothing"
    wanted = "it must be an OpenSSH public key line of type ecdsa-sha2-nistp384 (256 and 521 also work)"
    if "PRIVATE KEY" in line:
        raise FlowerFailure("key", f"supernodes: public_key of {name} is a private key; {wanted}.")
    try:
        key: Any = serialization.load_ssh_public_key(line.strip().encode())
    except (ValueError, UnsupportedAlgorithm):
        raise FlowerFailure("key", f"supernodes: public_key of {name} is no public key; {wanted}.") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise FlowerFailure("key", f"supernodes: public_key of {name} is of type {kind}; {wanted}.")
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def pem_fingerprint(pem: bytes) -> str:
    """Return the fingerprint of a PEM public key as `ssh-keygen -l` prints it, empty when it is no key."""
    from cryptography.hazmat.primitives import serialization

    try:
        key: Any = serialization.load_pem_public_key(pem)
        line = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    except ValueError:
        return ""
    digest = hashlib.sha256(base64.b64decode(line.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
