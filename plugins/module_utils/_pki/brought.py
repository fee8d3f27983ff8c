# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The SuperLink's certificate from another PKI, with or without its key. Private; it may change without notice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import certificates, keys, validation
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.declaration import Brought
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.errors import PkiError
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.files import (
    CA_KEY,
    SUPERLINK_CERTIFICATE,
    SUPERLINK_KEY,
    SUPERLINK_REQUEST,
    TRUST,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.state import Change, Work, present, present_key

if TYPE_CHECKING:
    from cryptography import x509


@dataclass(frozen=True)
class Awaited:
    """Whether a certificate is awaited, why, and whether the one in place may serve until it comes."""

    reason: str
    usable: bool


class BroughtSuperlink:
    """Plans the SuperLink's certificate from what the operator brings.

    Attributes:
        refusal: What is wrong with a signed certificate that was brought. The request for a right one is written
            before it is raised.
        chain: The certificates that will be in place, None where there are none.
        awaited: Set once `changes` was called for a certificate to be signed elsewhere.
    """

    def __init__(self, work: Work, declared: Brought) -> None:
        self.work = work
        self.declared = declared
        self.refusal: str | None = None
        self.awaited: Awaited | None = None
        self.anchors = certificates.load_all(_content("superlink.trust", declared.trust), declared.trust)
        self.chain: list[x509.Certificate] | None = None
        self._key: keys.PrivateKey | None = None

    @property
    def signs_elsewhere(self) -> bool:
        """Whether the key is made here and its certificate signed elsewhere."""
        return self.declared.key is None

    def changes(self) -> list[Change]:
        """What has to change.

        Raises:
            PkiError: What was brought is wrong; for a certificate signed elsewhere see `refusal`.
        """
        wrong = validation.anchor_problems(self.anchors)
        if wrong:
            raise PkiError(f"superlink.trust ({self.declared.trust}): {'; '.join(wrong)}")
        wanted = self._requested() if self.signs_elsewhere else self._provided()
        if self.chain is not None and self.awaited is None and self.work.store.read(CA_KEY) is not None:
            self.work.warnings.append(
                f"{self.work.store.path(CA_KEY)} is not used any more, since the SuperLink's certificate comes from"
                " elsewhere; remove it once no node trusts it"
            )
        return wanted

    # With a key of the operator's

    def _provided(self) -> list[Change]:
        path, key_path = present(self.declared.certificate), present(self.declared.key)
        self.chain = certificates.load_all(_content("superlink.certificate", path), path)
        self._key = keys.from_foreign(_content("superlink.key", key_path), key_path, self.declared.key_passphrase)
        wrong = self._problems(self.chain, self._key, self.anchors)
        if wrong:
            raise PkiError(f"superlink.certificate ({path}) {'; it '.join(wrong)}")
        wanted = self._trust_changes() + self._certificate_changes()
        if self.work.state.request is not None:
            wanted.append(Change("request", "is not needed for a certificate that is provided", self._forget_request))
        self._warn_of_its_end(self.chain[0])
        return wanted

    # With a key made here

    def _requested(self) -> list[Change]:
        wanted = self._request_changes()
        there, path = self._in_place(), self.declared.certificate
        given = None
        if path is not None and path.exists():
            given = certificates.load_all(_content("superlink.certificate", path), path)
        wrong = self._wrong(there)
        if given is not None and (there is None or given[0] != there[0]):
            refused = self._wrong(given)
            if not refused:
                self.chain = given
                self._warn_of_its_end(given[0])
                return wanted + self._trust_changes() + self._certificate_changes()
            request = self.work.store.path(SUPERLINK_REQUEST)
            self.refusal = (
                f"superlink.certificate ({path}) {'; it '.join(refused)}. Have {request} signed, and put the"
                " certificate there"
            )
        self.chain = there
        if not wrong:
            wanted += self._trust_changes()
            self._warn_of_its_end(present(there)[0])
        elif there is None:
            self.awaited = Awaited("there is none yet", usable=False)
        else:
            self.awaited = Awaited(f"the one in place {'; it '.join(wrong)}", usable=self._usable(there))
        if self.awaited is not None and self.refusal is None:
            request = self.work.store.path(SUPERLINK_REQUEST)
            self.work.warnings.append(f"a certificate is awaited for {request} ({self.awaited.reason})")
        return wanted

    def _request_changes(self) -> list[Change]:
        state, sans = self.work.state, self.work.declared.superlink.sans
        self._key = state.superlink_key
        if self._key is None:
            return [
                Change("superlink key", "missing", self._make_key),
                Change("request", "missing", self._write_request),
            ]
        found = None if state.request is None else certificates.load_request(state.request)
        if found is None:
            return [Change("request", "missing", self._write_request)]
        if not keys.same_public_key(self._key, found.public_key()):
            return [Change("request", "is for another key", self._write_request)]
        if set(certificates.sans_of(found)) != set(sans):
            return [Change("request", "names or addresses changed", self._write_request)]
        return []

    def _wrong(self, chain: list[x509.Certificate] | None) -> list[str]:
        if chain is None:
            return ["is missing"]
        if self._key is None:
            return ["belongs to a key that is not there any more"]
        return self._problems(chain, self._key, self.anchors)

    def _usable(self, chain: list[x509.Certificate]) -> bool:
        trust = self.work.state.trust
        if trust is None or self._key is None:
            return False
        trusted = certificates.load_all(trust, self.work.store.path(TRUST))
        return not self._problems(chain, self._key, trusted)

    # Both

    def _problems(
        self, chain: list[x509.Certificate], key: keys.PrivateKey, anchors: list[x509.Certificate]
    ) -> list[str]:
        return validation.problems(chain, key, anchors, self.work.declared.superlink.sans, self.work.now)

    def _in_place(self) -> list[x509.Certificate] | None:
        content = self.work.state.superlink_chain
        return None if content is None else certificates.load_all(content, self.work.store.path(SUPERLINK_CERTIFICATE))

    def _trust_changes(self) -> list[Change]:
        if self.work.state.trust == certificates.to_pem(self.anchors):
            return []
        reason = "missing" if self.work.state.trust is None else "does not hold the certificates of superlink.trust"
        return [Change("trust", reason, self._write_trust)]

    def _certificate_changes(self) -> list[Change]:
        state, chain = self.work.state, present(self.chain)
        key = present_key(self._key)
        if state.superlink_chain is None or state.superlink_key is None:
            return [Change("superlink", "missing", self._take_over)]
        if not keys.same_public_key(state.superlink_key, key.public_key()):
            return [Change("superlink", "another certificate and key were brought", self._take_over)]
        if state.superlink_chain != certificates.to_pem(chain):
            return [Change("superlink", "another certificate was brought", self._take_over)]
        return []

    def _warn_of_its_end(self, leaf: x509.Certificate) -> None:
        end = leaf.not_valid_after_utc
        if end - self.work.now < timedelta(days=self.work.declared.renew_before_days):
            self.work.warnings.append(
                f"the SuperLink's certificate expires on {certificates.written_time(end)}, and cannot be issued anew"
                " here; bring a new one"
            )

    # The deeds

    def _make_key(self) -> None:
        self._key = self.work.state.superlink_key = keys.generate(keys.P384)
        self.work.store.write(SUPERLINK_KEY, keys.to_pkcs8(self._key))

    def _write_request(self) -> None:
        key = present_key(self._key)
        request = certificates.server_request(key, self.work.declared.superlink.sans)
        self.work.state.request = certificates.request_to_pem(request)
        self.work.store.write(SUPERLINK_REQUEST, self.work.state.request)

    def _write_trust(self) -> None:
        self.work.state.trust = certificates.to_pem(self.anchors)
        self.work.store.write(TRUST, self.work.state.trust)

    def _take_over(self) -> None:
        state, chain = self.work.state, present(self.chain)
        key = present_key(self._key)
        if state.superlink_key is None or not keys.same_public_key(state.superlink_key, key.public_key()):
            # The key goes first: cut here, the next run finds a pair that does not match and takes both over again.
            self.work.store.write(SUPERLINK_KEY, keys.to_pkcs8(key))
            state.superlink_key = key
        state.superlink_chain = certificates.to_pem(chain)
        state.superlink_certificate = chain[0]
        self.work.store.write(SUPERLINK_CERTIFICATE, state.superlink_chain)

    def _forget_request(self) -> None:
        self.work.store.remove(SUPERLINK_REQUEST)
        self.work.state.request = None


def _content(option: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PkiError(f"{option} ({path}) cannot be read: {error.strerror}; give a file that is there") from error
