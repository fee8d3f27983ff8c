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
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.names import Constraints, ordered_constraints

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
    key: PrivateKey, common_name: str, constraints: Constraints | None, not_before: datetime, not_after: datetime
) -> x509.Certificate:
    """Certificate of a CA that issues leaves only (path length 0); times are aware.

    Two CAs of one name are told apart by the key identifiers, which clients follow from the leaf (RFC 5280, 4.2.1.1).
    """
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _builder(name, name, key, not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**(_NO_USAGE | {"key_cert_sign": True, "crl_sign": True})), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    if constraints is not None:
        permitted: list[x509.GeneralName] = [x509.DNSName(domain) for domain in constraints.domains]
        permitted += [x509.IPAddress(ipaddress.ip_network(network)) for network in constraints.networks]
        builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
    return builder.sign(key, hashes.SHA384())


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
    of_issuer = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(_server_subject(written), issuer.subject, key, not_before, not_after)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**(_NO_USAGE | {"digital_signature": True})), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_issuer), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(san) for san in written]), critical=False)
        .sign(issuer_key, hashes.SHA384())
    )


def server_request(key: PrivateKey, sans: Iterable[str]) -> x509.CertificateSigningRequest:
    """Request (PKCS#10) for what `server_certificate` would issue."""
    written = list(sans)
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_server_subject(written))
        .add_extension(x509.SubjectAlternativeName([_general_name(san) for san in written]), critical=False)
        .add_extension(x509.KeyUsage(**(_NO_USAGE | {"digital_signature": True})), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA384())
    )


def load_request(content: bytes) -> x509.CertificateSigningRequest | None:
    """A request in PEM whose signature is right, or None."""
    try:
        request = x509.load_pem_x509_csr(content)
    except ValueError:
        return None
    return request if request.is_signature_valid else None


def load_all(content: bytes, path: object) -> list[x509.Certificate]:
    """Every certificate of a PEM file, in its order.

    Raises:
        PkiError: There is none.
    """
    found = read_all(content)
    if not found:
        raise PkiError(f"{path} holds no certificate in PEM, or one that is damaged")
    return found


def read_all(content: bytes) -> list[x509.Certificate]:
    """Every certificate of a PEM file, in its order; none where the file is damaged."""
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        return []


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


def request_to_pem(request: x509.CertificateSigningRequest) -> bytes:
    """PEM of a request."""
    return request.public_bytes(serialization.Encoding.PEM)


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


def constraints_of(certificate: x509.Certificate) -> Constraints | None:
    """What a CA may issue for, or None without name constraints."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    except (x509.ExtensionNotFound, ValueError):
        return None
    return ordered_constraints(
        [name.value for name in found if isinstance(name, x509.DNSName)],
        [str(name.value) for name in found if isinstance(name, x509.IPAddress)],
    )


def serves_tls(certificate: x509.Certificate) -> bool:
    """Whether the extended key usage says TLS server."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return ExtendedKeyUsageOID.SERVER_AUTH in usage


def sans_of(certificate: x509.Certificate | x509.CertificateSigningRequest) -> list[str]:
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
        "not_after_timestamp": int(certificate.not_valid_after_utc.timestamp()),
        "sans": sans_of(certificate),
    }


def written_time(time: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _server_subject(sans: Iterable[str]) -> x509.Name:
    names = [san.removeprefix("DNS:") for san in sans if san.startswith("DNS:")]
    common_name = next((name for name in names if len(name) <= _LONGEST_COMMON_NAME), "superlink")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


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
