# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""X.509 certificates as RFC 5280 wants them. Private to this collection; it may change without notice."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    # The module reports it, by library.IMPORT_ERROR.
    pass

from ansible_collections.fact8ra.flower.plugins.module_utils._pki.errors import PkiError
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.keys import PrivateKey

#: Certificates begin this much in the past, because the clocks of fresh VMs are not set yet.
BACKDATED = timedelta(hours=1)

# ub-common-name of RFC 5280, appendix A.1.
_LONGEST_COMMON_NAME = 64

# RFC 5280 writes "no bit" for all but these; every KeyUsage takes all nine by name.
_NO_USAGE = dict.fromkeys(
    [
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ],
    False,
)


def self_signed_authority(
    key: PrivateKey, common_name: str, not_before: datetime, not_after: datetime
) -> x509.Certificate:
    """Certificate of a CA that issues leaves only (path length 0); times are aware."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        _builder(name, name, key, not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**(_NO_USAGE | {"key_cert_sign": True, "crl_sign": True})), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, hashes.SHA384())
    )


def server_certificate(
    key: PrivateKey,
    sans: Iterable[str],
    issuer: x509.Certificate,
    issuer_key: PrivateKey,
    not_before: datetime,
    not_after: datetime,
) -> x509.Certificate:
    """Certificate of a TLS server.

    Args:
        key: The server's key.
        sans: Names and addresses, written as `sans_of` writes them; the first name that fits becomes the common name.
        issuer: Certificate of the CA.
        issuer_key: Key of the CA.
        not_before: Aware time, not before the issuer's.
        not_after: Aware time, not after the issuer's.
    """
    written = list(sans)
    names = [san.removeprefix("DNS:") for san in written if san.startswith("DNS:")]
    common_name = next((name for name in names if len(name) <= _LONGEST_COMMON_NAME), "superlink")
    of_issuer = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]),
            issuer.subject,
            key,
            not_before,
            not_after,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**(_NO_USAGE | {"digital_signature": True})), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_issuer), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(san) for san in written]), critical=False)
        .sign(issuer_key, hashes.SHA384())
    )


def load(content: bytes, path: object) -> x509.Certificate:
    """First certificate of a PEM file.

    Raises:
        PkiError: There is none.
    """
    try:
        return x509.load_pem_x509_certificate(content)
    except ValueError as error:
        raise PkiError(f"{path} is not a certificate in PEM; move it away or restore it from a backup") from error


def to_pem(certificates: Iterable[x509.Certificate]) -> bytes:
    """PEM of certificates, one after the other."""
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether a certificate may issue others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether name and signature say that `issuer` issued `certificate`."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def sans_of(certificate: x509.Certificate) -> list[str]:
    """Subject alternative names in the order of the certificate, written DNS:name or IP:address."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [f"DNS:{name}" for name in found.get_values_for_type(x509.DNSName)] + [
        f"IP:{address}" for address in found.get_values_for_type(x509.IPAddress)
    ]


def common_name_of(certificate: x509.Certificate) -> str:
    """Common name of the subject, empty when there is none."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def facts(certificate: x509.Certificate) -> dict[str, Any]:
    """What may be told of a certificate; serial and fingerprint are hexadecimal, times ISO 8601 in UTC."""
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "serial": f"{certificate.serial_number:x}",
        "fingerprint_sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        "not_before": written_time(certificate.not_valid_before_utc),
        "not_after": written_time(certificate.not_valid_after_utc),
        "sans": sans_of(certificate),
    }


def written_time(time: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PrivateKey, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _general_name(san: str) -> x509.GeneralName:
    kind, value = san.split(":", 1)
    return x509.DNSName(value) if kind == "DNS" else x509.IPAddress(ipaddress.ip_address(value))
