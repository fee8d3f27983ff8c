# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The PKI as one object: what has to change, and what it is like. Private; it may change without notice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import certificates
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.authorities import Authorities, phase_of
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.brought import BroughtSuperlink
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.declaration import Declaration
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.files import (
    CA_CERTIFICATE,
    CA_NEXT_CERTIFICATE,
    CA_PREVIOUS_CERTIFICATE,
    SUPERLINK_CERTIFICATE,
    SUPERLINK_KEY,
    SUPERLINK_REQUEST,
    TRUST,
    Store,
    private_key_of,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.state import TO_BE_ISSUED, Change, Work, read
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.superlink import IssuedSuperlink
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.supernodes import SupernodeKeys

if TYPE_CHECKING:
    from cryptography import x509

_SECONDS_A_DAY = 86400


class FederationPki:
    """One federation's PKI in one directory.

    `changes` says what has to change and does not touch anything; performing every change in order brings the directory
    to the declaration, and after a cut the next call goes on from there.
    """

    def __init__(self, declared: Declaration, store: Store, check_mode: bool = False) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        self.declared = declared
        self.store = store
        self.work = Work(declared, store, now, read(declared, store))
        self._authorities = None if declared.authority is None else Authorities(self.work, declared.authority)
        self._brought = None if declared.brought is None else BroughtSuperlink(self.work, declared.brought)
        self._supernodes = SupernodeKeys(self.work, check_mode)

    @property
    def warnings(self) -> list[str]:
        """What the operator should know, complete once `changes` was called."""
        return self.work.warnings

    @property
    def refusal(self) -> str | None:
        """What makes the run fail after its changes, known once `changes` was called."""
        return None if self._brought is None else self._brought.refusal

    def changes(self) -> list[Change]:
        """What has to change, in the order in which it must be done."""
        wanted: list[Change] = []
        if self._authorities is not None:
            wanted += self._authorities.changes()
            wanted += IssuedSuperlink(self.work, self._authorities).changes()
        if self._brought is not None:
            wanted += self._brought.changes()
        wanted += self._supernodes.changes()
        wrong = self.store.wrong_modes()
        if wrong:
            found = ", ".join(f"{name} {mode:04o}" for name, mode in sorted(wrong.items()))
            wanted.append(Change("modes", f"must be closed to other users: {found}", self.store.correct_modes))
        return wanted

    def described(self) -> dict[str, Any]:
        """The directory without any secret, for the diff."""
        state = self.work.state
        request = None if state.request is None else certificates.load_request(state.request)
        return {
            "rollover": phase_of(state),
            "ca": self._facts(state.ca_certificate, CA_CERTIFICATE),
            "ca_next": self._facts(state.next_certificate, CA_NEXT_CERTIFICATE),
            "ca_previous": self._facts(state.previous_certificate, CA_PREVIOUS_CERTIFICATE),
            "trust": [self._facts(certificate, TRUST) for certificate in self._trusted()],
            "superlink": self._facts(state.superlink_certificate, SUPERLINK_CERTIFICATE),
            "request": None if request is None else sorted(certificates.sans_of(request)),
            "supernodes": self._supernodes.fingerprints(),
            "modes": {name: f"{mode:04o}" for name, mode in sorted(self.store.wrong_modes().items())},
        }

    def expected(self, changes: list[Change]) -> dict[str, Any]:
        """What `described` will say after the changes, as far as that is known before."""
        after, state = self.described(), self.work.state
        objects = {change.object for change in changes}
        sans = list(self.declared.superlink.sans)
        if self._authorities is not None and self.declared.authority is not None:
            issuer, subject = self._authorities.issuer, f"CN={self.declared.authority.common_name}"
            after["ca"] = self._facts(issuer, CA_CERTIFICATE) or self._pending(CA_CERTIFICATE, subject, [])
            if "ca_next" in objects:
                after |= {"rollover": "trust", "ca_next": self._pending(CA_NEXT_CERTIFICATE, subject, [])}
            if "ca" in objects and issuer is not None:
                previous = state.previous_certificate or state.ca_certificate
                after |= {"rollover": "switch", "ca_next": None}
                after["ca_previous"] = self._facts(previous, CA_PREVIOUS_CERTIFICATE)
            if "ca_previous" in objects:
                after |= {"rollover": "none", "ca_previous": None}
            after["trust"] = [
                self._facts(certificate, TRUST) or self._pending(TRUST, subject, [])
                for certificate in self._authorities.trusted
            ]
            if "superlink" in objects:
                after["superlink"] = self._pending(SUPERLINK_CERTIFICATE, TO_BE_ISSUED, sans)
        if self._brought is not None:
            if "trust" in objects:
                after["trust"] = [self._facts(certificate, TRUST) for certificate in self._brought.anchors]
            if self._brought.chain is not None:
                after["superlink"] = self._facts(self._brought.chain[0], SUPERLINK_CERTIFICATE)
        if "request" in objects:
            after["request"] = sorted(sans) if self._brought is not None and self._brought.signs_elsewhere else None
        after["supernodes"] = self._supernodes.expected()
        after["modes"] = {}
        return after

    def result(self) -> dict[str, Any]:
        """What the module returns of the directory as it is, with how many days each certificate has left."""
        found, store = self.described(), self.store
        keys_here = self.declared.supernodes.names if self.declared.supernodes.made_here else ()
        result: dict[str, Any] = {
            "rollover": {"phase": found["rollover"]},
            "trust": [self._with_days(facts) for facts in found["trust"]],
            "supernode_public_keys": self._supernodes.public_keys(),
            "files": {
                "trust": str(store.path(TRUST)),
                "superlink_certificate": str(store.path(SUPERLINK_CERTIFICATE)),
                "superlink_key": str(store.path(SUPERLINK_KEY)),
                "supernode_keys": {name: str(store.path(private_key_of(name))) for name in keys_here},
            },
        }
        for name in ("ca", "ca_next", "ca_previous", "superlink"):
            if found[name] is not None:
                result[name] = self._with_days(found[name])
        if self._brought is not None and self._brought.signs_elsewhere:
            awaited = self._brought.awaited
            result["request"] = {
                "path": str(store.path(SUPERLINK_REQUEST)),
                "awaited": awaited is not None,
                "reason": "" if awaited is None else awaited.reason,
                "usable": awaited is None or awaited.usable,
            }
        return result

    def _trusted(self) -> list[x509.Certificate]:
        trust = self.work.state.trust
        return [] if trust is None else certificates.read_all(trust)

    def _facts(self, certificate: x509.Certificate | None, name: str) -> dict[str, Any] | None:
        if certificate is None:
            return None
        return {"path": str(self.store.path(name)), **certificates.facts(certificate)}

    def _with_days(self, facts: dict[str, Any]) -> dict[str, Any]:
        left = facts["not_after_timestamp"] - int(self.work.now.timestamp())
        return {**facts, "days_left": left // _SECONDS_A_DAY}

    def _pending(self, name: str, subject: str, sans: list[str]) -> dict[str, Any]:
        return {
            "path": str(self.store.path(name)),
            "subject": subject,
            "fingerprint_sha256": TO_BE_ISSUED,
            "not_after": TO_BE_ISSUED,
            "sans": sans,
        }
