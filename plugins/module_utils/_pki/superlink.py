# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The SuperLink's certificate as the CA of the directory issues it. Private; it may change without notice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import certificates, keys
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.authorities import Authorities
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.files import (
    SUPERLINK_CERTIFICATE,
    SUPERLINK_KEY,
    SUPERLINK_REQUEST,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.state import Change, Work, present, present_key

if TYPE_CHECKING:
    from cryptography import x509

# A certificate that would end no later than the one in place, give or take this, is not worth a restart.
_WORTH_RENEWING = timedelta(days=1)


class IssuedSuperlink:
    """Plans the SuperLink's certificate after the CA's plan is made."""

    def __init__(self, work: Work, authorities: Authorities) -> None:
        self.work = work
        self.authorities = authorities

    def changes(self) -> list[Change]:
        """What has to change; nothing, with a warning, while a CA that cannot issue is being replaced."""
        wanted = []
        reason = self._reason(self.authorities.issuer)
        if reason is not None and self.authorities.unable is not None:
            self.work.warnings.append(
                f"the SuperLink's certificate is not issued ({reason}), because {self.authorities.unable}; give every"
                " node the new trust, and go on with rollover: switch"
            )
        elif reason is not None:
            wanted.append(Change("superlink", reason, self._issue))
        if self.work.state.request is not None:
            wanted.append(Change("request", "is not needed for a certificate of the own CA", self._forget_request))
        return wanted

    def _reason(self, issuer: x509.Certificate | None) -> str | None:
        state, declared, now = self.work.state, self.work.declared, self.work.now
        certificate, key = state.superlink_certificate, state.superlink_key
        if certificate is None or key is None:
            return f"{SUPERLINK_CERTIFICATE if certificate is None else SUPERLINK_KEY} missing"
        if keys.kind_of(key) != keys.P384:
            return f"has a key {keys.kind_of(key)} in place of {keys.P384}"
        if not keys.same_public_key(key, certificate.public_key()):
            return "certificate and key do not belong together"
        if issuer is None or not certificates.issued_by(certificate, issuer):
            return "was issued by another CA"
        wanted, found = set(declared.superlink.sans), set(certificates.sans_of(certificate))
        if wanted != found:
            signed = [f"+{san}" for san in sorted(wanted - found)] + [f"-{san}" for san in sorted(found - wanted)]
            return f"names or addresses changed: {', '.join(signed)}"
        if state.superlink_chain != certificates.to_pem([certificate]):
            return f"{SUPERLINK_CERTIFICATE} holds more than the certificate"
        if certificate.not_valid_before_utc > now:
            return f"is not valid before {certificates.written_time(certificate.not_valid_before_utc)}"
        left = certificate.not_valid_after_utc - now
        worth_it = left <= timedelta(0) or self._end(issuer) - certificate.not_valid_after_utc > _WORTH_RENEWING
        if worth_it and left < timedelta(days=declared.renew_before_days):
            return f"expires on {certificates.written_time(certificate.not_valid_after_utc)}"
        return "asked for by reissue_superlink" if declared.superlink.reissue else None

    def _end(self, issuer: x509.Certificate) -> datetime:
        wanted = self.work.now + timedelta(days=self.work.declared.superlink.validity_days)
        return min(wanted, issuer.not_valid_after_utc)

    def _issue(self) -> None:
        state, store = self.work.state, self.work.store
        issuer = present(self.authorities.issuer)
        issuer_key = present_key(state.ca_key)
        key = state.superlink_key
        if key is None or keys.kind_of(key) != keys.P384:
            key = keys.generate(keys.P384)
            # The key goes first: cut here, the next run finds a pair that does not match and issues again.
            store.write(SUPERLINK_KEY, keys.to_pkcs8(key))
        certificate = certificates.server_certificate(
            key,
            self.work.declared.superlink.sans,
            issuer,
            issuer_key,
            max(self.work.now - certificates.BACKDATED, issuer.not_valid_before_utc),
            self._end(issuer),
        )
        state.superlink_chain = certificates.to_pem([certificate])
        store.write(SUPERLINK_CERTIFICATE, state.superlink_chain)
        state.superlink_key, state.superlink_certificate = key, certificate

    def _forget_request(self) -> None:
        self.work.store.remove(SUPERLINK_REQUEST)
        self.work.state.request = None
