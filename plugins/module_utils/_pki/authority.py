# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The PKI as it is, what has to change, and the change. Private to this collection; it may change without notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import certificates, keys
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.declaration import Declaration
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.errors import PkiError
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.files import (
    CA_CERTIFICATE,
    CA_KEY,
    SUPERLINK_CERTIFICATE,
    SUPERLINK_KEY,
    TRUST,
    Store,
    private_key_of,
    public_key_of,
)

if TYPE_CHECKING:
    from cryptography import x509

_T = TypeVar("_T")

#: Stands in a diff for what is known only once it is issued.
TO_BE_ISSUED = "(to be issued)"

# A certificate that would end no later than the one in place, give or take this, is not worth a restart.
_WORTH_RENEWING = timedelta(days=1)


@dataclass
class State:
    """What the directory holds: nothing, or certificates with their keys, and SuperNode keys by name."""

    ca_certificate: x509.Certificate | None = None
    ca_key: keys.PrivateKey | None = None
    trust: bytes | None = None
    superlink_certificate: x509.Certificate | None = None
    superlink_chain: bytes | None = None
    superlink_key: keys.PrivateKey | None = None
    supernodes: dict[str, keys.PrivateKey] = field(default_factory=dict)
    public_lines: dict[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """One thing to change: the object (as the operator names it), why, and the deed."""

    object: str
    reason: str
    perform: Callable[[], None]


class FederationPki:
    """One federation's PKI in one directory.

    `changes` says what has to change and does not touch anything; performing every change in order brings the directory
    to the declaration, and after a cut the next call goes on from there.
    """

    def __init__(self, declared: Declaration, store: Store, now: datetime | None = None) -> None:
        self.declared = declared
        self.store = store
        self.now = (now or datetime.now(UTC)).replace(microsecond=0)
        self.warnings: list[str] = []
        self.state = self._read()

    def changes(self) -> list[Change]:
        """What has to change, in the order in which it must be done."""
        wanted = self._ca_changes()
        wanted += self._trust_changes(bool(wanted))
        wanted += self._superlink_changes(any(change.object == "ca" for change in wanted))
        wanted += self._supernode_changes()
        wrong = self.store.wrong_modes()
        if wrong:
            found = ", ".join(f"{name} {mode:04o}" for name, mode in sorted(wrong.items()))
            wanted.append(Change("modes", f"must be closed to other users: {found}", self.store.correct_modes))
        return wanted

    def described(self) -> dict[str, Any]:
        """The directory without any secret, for the diff and the result."""
        state = self.state
        return {
            "ca": _facts(state.ca_certificate, self.store, CA_CERTIFICATE),
            "superlink": _facts(state.superlink_certificate, self.store, SUPERLINK_CERTIFICATE),
            "supernodes": {
                name: keys.public_fingerprint(keys.public_line(key, name))
                for name, key in sorted(state.supernodes.items())
            },
            "modes": {name: f"{mode:04o}" for name, mode in sorted(self.store.wrong_modes().items())},
        }

    def expected(self, changes: list[Change]) -> dict[str, Any]:
        """What `described` will say after the changes, as far as that is known before."""
        after = self.described()
        objects = {change.object for change in changes}
        if "ca" in objects:
            after["ca"] = self._pending(CA_CERTIFICATE, f"CN={self.declared.authority.common_name}", [])
        if "superlink" in objects:
            after["superlink"] = self._pending(SUPERLINK_CERTIFICATE, TO_BE_ISSUED, list(self.declared.superlink.sans))
        for name in self.declared.supernodes:
            after["supernodes"].setdefault(name, TO_BE_ISSUED)
        if self.declared.purge_supernodes:
            after["supernodes"] = {name: after["supernodes"][name] for name in sorted(self.declared.supernodes)}
        after["supernodes"] = dict(sorted(after["supernodes"].items()))
        after["modes"] = {}
        return after

    def public_keys(self) -> dict[str, str]:
        """Public key of every declared SuperNode that has a key, as a line of OpenSSH."""
        return {
            name: keys.public_line(self.state.supernodes[name], name)
            for name in self.declared.supernodes
            if name in self.state.supernodes
        }

    def _read(self) -> State:
        store = self.store
        if not store.exists():
            return State()
        state = State(trust=store.read(TRUST), superlink_chain=store.read(SUPERLINK_CERTIFICATE))
        certificate, key = store.read(CA_CERTIFICATE), store.read(CA_KEY)
        if certificate is None and key is None and store.foreign():
            raise PkiError(
                f"{store.directory} holds no PKI, but {', '.join(store.foreign()[:5])}; give the PKI a directory of its"
                " own"
            )
        if key is None and certificate is not None:
            raise PkiError(
                f"{store.path(CA_CERTIFICATE)} is there without {CA_KEY}; restore the key from a backup, or move the"
                " certificate away to begin with a new CA, which every node must then be given"
            )
        if key is not None:
            state.ca_key = keys.from_pkcs8(key, store.path(CA_KEY), self.declared.authority.passphrase)
        if certificate is not None:
            state.ca_certificate = certificates.load(certificate, store.path(CA_CERTIFICATE))
        if state.superlink_chain is not None:
            state.superlink_certificate = certificates.load(state.superlink_chain, store.path(SUPERLINK_CERTIFICATE))
        leaf_key = store.read(SUPERLINK_KEY)
        if leaf_key is not None:
            state.superlink_key = keys.from_pkcs8(leaf_key, store.path(SUPERLINK_KEY))
        for name in store.supernodes():
            content = store.read(private_key_of(name))
            if content is not None:
                state.supernodes[name] = keys.from_openssh(content, store.path(private_key_of(name)))
            public = store.read(public_key_of(name))
            state.public_lines[name] = None if public is None else public.decode(errors="replace")
        return state

    # The CA

    def _ca_changes(self) -> list[Change]:
        state, path = self.state, self.store.path(CA_CERTIFICATE)
        if state.ca_key is None:
            return [Change("ca", "missing", self._make_ca)]
        self._check_ca_key(state.ca_key)
        if state.ca_certificate is None:
            return [Change("ca", f"{CA_CERTIFICATE} missing", self._make_ca)]
        certificate = state.ca_certificate
        if not certificates.is_authority(certificate):
            raise PkiError(f"{path} is not the certificate of a CA; move it away or restore it from a backup")
        if not keys.same_public_key(state.ca_key, certificate.public_key()):
            raise PkiError(f"{path} and {CA_KEY} do not belong together; restore both from one backup")
        found = certificates.common_name_of(certificate)
        if found != self.declared.authority.common_name:
            raise PkiError(
                f"ca.common_name is {self.declared.authority.common_name!r}, but the CA at {path} is {found!r}; a CA is"
                " not renamed in place: declare the old name, or another directory for a new federation"
            )
        left = certificate.not_valid_after_utc - self.now
        if left <= timedelta(0):
            raise PkiError(
                f"the CA at {path} expired on {certificates.written_time(certificate.not_valid_after_utc)}, so no node"
                f" accepts anything that it issued; move {CA_CERTIFICATE} and {CA_KEY} away to begin with a new CA"
            )
        if left < timedelta(days=max(self.declared.renew_before_days, self.declared.superlink.validity_days)):
            self.warnings.append(
                f"the CA at {path} expires on {certificates.written_time(certificate.not_valid_after_utc)}, and no"
                " certificate outlives it; plan its replacement"
            )
        return []

    def _check_ca_key(self, key: keys.PrivateKey) -> None:
        found, wanted = keys.kind_of(key), self.declared.authority.key
        if str(found) != str(wanted):
            raise PkiError(
                f"the CA at {self.store.directory} has a key {found}, but ca asks for {wanted}; a CA does not change"
                " its key in place: declare what is there, or another directory for a new federation"
            )

    def _make_ca(self) -> None:
        authority = self.declared.authority
        key = self.state.ca_key
        if key is None:
            key = keys.generate(authority.key)
            self.store.write(CA_KEY, keys.to_pkcs8(key, authority.passphrase))
        certificate = certificates.self_signed_authority(
            key,
            authority.common_name,
            self.now - certificates.BACKDATED,
            self.now + timedelta(days=authority.validity_days),
        )
        self.store.write(CA_CERTIFICATE, certificates.to_pem([certificate]))
        self.state.ca_key, self.state.ca_certificate = key, certificate

    # The trust bundle: what a node needs to accept the SuperLink

    def _trusted(self) -> list[x509.Certificate]:
        return [_present(self.state.ca_certificate)]

    def _trust_changes(self, new_ca: bool) -> list[Change]:
        if self.state.trust is None:
            return [Change("trust", "missing", self._make_trust)]
        if new_ca or self.state.trust != certificates.to_pem(self._trusted()):
            return [Change("trust", "is not the CA's certificate", self._make_trust)]
        return []

    def _make_trust(self) -> None:
        self.state.trust = certificates.to_pem(self._trusted())
        self.store.write(TRUST, self.state.trust)

    # The SuperLink

    def _superlink_changes(self, new_ca: bool) -> list[Change]:
        reason = self._superlink_reason(new_ca)
        return [] if reason is None else [Change("superlink", reason, self._make_superlink)]

    def _superlink_reason(self, new_ca: bool) -> str | None:
        certificate, key = self.state.superlink_certificate, self.state.superlink_key
        if certificate is None or key is None:
            return f"{SUPERLINK_CERTIFICATE if certificate is None else SUPERLINK_KEY} missing"
        if keys.kind_of(key) != keys.P384:
            return f"has a key {keys.kind_of(key)} in place of {keys.P384}"
        if not keys.same_public_key(key, certificate.public_key()):
            return "certificate and key do not belong together"
        if new_ca or not certificates.issued_by(certificate, _present(self.state.ca_certificate)):
            return "was issued by another CA"
        wanted, found = set(self.declared.superlink.sans), set(certificates.sans_of(certificate))
        if wanted != found:
            signed = [f"+{san}" for san in sorted(wanted - found)] + [f"-{san}" for san in sorted(found - wanted)]
            return f"names or addresses changed: {', '.join(signed)}"
        if self.state.superlink_chain != certificates.to_pem([certificate]):
            return f"{SUPERLINK_CERTIFICATE} holds more than the certificate"
        if certificate.not_valid_before_utc > self.now:
            return f"is not valid before {certificates.written_time(certificate.not_valid_before_utc)}"
        left = certificate.not_valid_after_utc - self.now
        worth_it = left <= timedelta(0) or self._superlink_end() - certificate.not_valid_after_utc > _WORTH_RENEWING
        if worth_it and left < timedelta(days=self.declared.renew_before_days):
            return f"expires on {certificates.written_time(certificate.not_valid_after_utc)}"
        return None

    def _superlink_end(self) -> datetime:
        wanted = self.now + timedelta(days=self.declared.superlink.validity_days)
        return min(wanted, _present(self.state.ca_certificate).not_valid_after_utc)

    def _make_superlink(self) -> None:
        ca, ca_key = _present(self.state.ca_certificate), self.state.ca_key
        if ca_key is None:
            raise PkiError(f"{self.store.path(CA_KEY)} was not read")
        key = self.state.superlink_key
        if key is None or keys.kind_of(key) != keys.P384:
            key = keys.generate(keys.P384)
            # The key goes first: cut here, the next run finds a pair that does not match and issues again.
            self.store.write(SUPERLINK_KEY, keys.to_pkcs8(key))
        certificate = certificates.server_certificate(
            key,
            self.declared.superlink.sans,
            ca,
            ca_key,
            max(self.now - certificates.BACKDATED, ca.not_valid_before_utc),
            self._superlink_end(),
        )
        self.store.write(SUPERLINK_CERTIFICATE, certificates.to_pem([certificate]))
        self.state.superlink_key, self.state.superlink_certificate = key, certificate

    # The SuperNodes

    def _supernode_changes(self) -> list[Change]:
        wanted = []
        for name in self.declared.supernodes:
            key = self.state.supernodes.get(name)
            if key is None:
                wanted.append(Change(f"supernode {name}", "missing", self._maker(name)))
            elif keys.kind_of(key).type != "ec":
                raise PkiError(
                    f"{self.store.path(private_key_of(name))} is a key {keys.kind_of(key)}, which Flower refuses; move"
                    " it away to get a new one"
                )
            elif self.state.public_lines.get(name) != f"{keys.public_line(key, name)}\n":
                wanted.append(Change(f"supernode {name}", "public key is not the private key's", self._publisher(name)))
        if self.declared.purge_supernodes:
            for name in sorted(self.state.supernodes.keys() - set(self.declared.supernodes)):
                wanted.append(Change(f"supernode {name}", "is not declared", self._remover(name)))
        return wanted

    def _maker(self, name: str) -> Callable[[], None]:
        def perform() -> None:
            key = keys.generate(keys.P384)
            self.store.write(private_key_of(name), keys.to_openssh(key))
            self.state.supernodes[name] = key
            self._publisher(name)()

        return perform

    def _publisher(self, name: str) -> Callable[[], None]:
        def perform() -> None:
            line = f"{keys.public_line(self.state.supernodes[name], name)}\n"
            self.store.write(public_key_of(name), line.encode())
            self.state.public_lines[name] = line

        return perform

    def _remover(self, name: str) -> Callable[[], None]:
        def perform() -> None:
            self.store.remove(public_key_of(name))
            self.store.remove(private_key_of(name))
            del self.state.supernodes[name]

        return perform

    def _pending(self, name: str, subject: str, sans: list[str]) -> dict[str, Any]:
        return {
            "path": str(self.store.path(name)),
            "subject": subject,
            "fingerprint_sha256": TO_BE_ISSUED,
            "not_after": TO_BE_ISSUED,
            "sans": sans,
        }


def _present(value: _T | None) -> _T:
    """Narrow what an earlier change in the order has made sure of."""
    if value is None:
        raise PkiError("the PKI changed while it was being worked on; run again")
    return value


def _facts(certificate: x509.Certificate | None, store: Store, name: str) -> dict[str, Any] | None:
    if certificate is None:
        return None
    return {"path": str(store.path(name)), **certificates.facts(certificate)}
