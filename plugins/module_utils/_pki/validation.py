# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What is wrong with a certificate of another PKI. Private to this collection; it may change without notice."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime

try:
    from cryptography import x509
    from cryptography.x509 import verification
except ImportError:
    # The module reports it, by library.IMPORT_ERROR.
    pass

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import certificates, keys, names


def anchor_problems(anchors: Sequence[x509.Certificate]) -> list[str]:
    """Why certificates are no trust anchors; OpenSSL ends a chain only at one that signed itself."""
    found = []
    for anchor in anchors:
        subject = anchor.subject.rfc4514_string()
        if not certificates.is_authority(anchor):
            found.append(f"{subject} is not the certificate of a CA")
        elif not certificates.issued_by(anchor, anchor):
            found.append(f"{subject} is not self-signed; an intermediate CA belongs into superlink.certificate")
    return found


def problems(
    chain: Sequence[x509.Certificate],
    key: keys.PrivateKey,
    anchors: Sequence[x509.Certificate],
    sans: Sequence[str],
    now: datetime,
) -> list[str]:
    """Everything that is wrong with a leaf, first of its chain, one phrase each.

    Args:
        chain: The leaf and intermediate certificates, at least the leaf.
        key: The key that the SuperLink would serve the leaf with.
        anchors: What nodes would trust.
        sans: Names and addresses that must be accepted, written DNS:name or IP:address.
        now: Aware time.
    """
    leaf = chain[0]
    if certificates.is_authority(leaf):
        return ["begins with the certificate of a CA; the SuperLink's comes first, then the intermediate ones"]
    found = []
    if not keys.same_public_key(key, leaf.public_key()):
        found.append("does not belong to the key")
    if leaf.not_valid_before_utc > now:
        found.append(f"is not valid before {certificates.written_time(leaf.not_valid_before_utc)}")
    if leaf.not_valid_after_utc <= now:
        found.append(f"expired on {certificates.written_time(leaf.not_valid_after_utc)}")
    if not certificates.serves_tls(leaf):
        found.append("is not for TLS servers (serverAuth is not in its extended key usage)")
    missing = names.missing(sans, certificates.sans_of(leaf))
    if missing:
        found.append(f"does not name {', '.join(missing)} (it names {', '.join(certificates.sans_of(leaf)) or 'none'})")
    if leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc:
        broken = _broken_chain(chain, anchors, [san for san in sans if san not in missing], now)
        found += [] if broken is None else [broken]
    return found


def _broken_chain(
    chain: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate], sans: Sequence[str], now: datetime
) -> str | None:
    issuer = chain[0].issuer
    if issuer not in {certificate.subject for certificate in (*chain[1:], *anchors)}:
        return (
            f"was issued by {issuer.rfc4514_string()}, which is neither among the intermediate CAs after it nor in"
            " superlink.trust"
        )
    # The library is given the moment without a zone, which every version of it takes as UTC.
    moment = now.astimezone(UTC).replace(tzinfo=None)
    builder = verification.PolicyBuilder().store(verification.Store(list(anchors))).time(moment)
    for san in sans:
        kind, value = san.split(":", 1)
        if value.startswith("*."):
            # A wildcard is no name that is dialled; any name below it stands for it.
            value = f"any{value[1:]}"
        subject = x509.DNSName(value) if kind == "DNS" else x509.IPAddress(ipaddress.ip_address(value))
        try:
            builder.build_server_verifier(subject).verify(chain[0], list(chain[1:]))
        except (verification.VerificationError, ValueError) as error:
            return f"does not verify for {value} against superlink.trust: {error}"
    return None
