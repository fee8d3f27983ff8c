# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes the certificate under which ServerApps find the Runtime API on their own host.

A ServerApp reads its root certificates once, when its run begins, so with the federation's CA it would lose its
SuperLink when that CA is replaced. This certificate is its own authority, names one loopback address, and stays.

Called as ``python - CERTIFICATE KEY ADDRESS`` by the Python of Flower's environment, which has cryptography.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

# It is trusted on one address of one host, by the services that the role starts, and its key is root's.
_DAYS = 25 * 365


def certificate(key: ec.EllipticCurvePrivateKey, address: str) -> x509.Certificate:
    """A certificate of its own authority for one address (RFC 5280, 4.2.1), valid since a day ago."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Flower Runtime API of this host")])
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + datetime.timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=True, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA384())
    )


def write(path: str, content: bytes, mode: int) -> None:
    """Write a file whole or not at all."""
    descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
    os.rename(f"{path}.new", path)


def main(certificate_path: str, key_path: str, address: str) -> None:
    """Make both files."""
    key = ec.generate_private_key(ec.SECP384R1())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write(key_path, secret, 0o600)
    write(certificate_path, certificate(key, address).public_bytes(pem), 0o644)


if __name__ == "__main__":
    main(*sys.argv[1:])
