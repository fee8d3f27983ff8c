# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The CA, its replacement in three steps, and the trust bundle. Private; it may change without notice.

The files say the phase, so that a run that was cut short is finished by the next one, and every moment in between is a
state in which `superlink.crt` verifies against `trust.crt`:

- `ca.next.crt` begins phase trust: written after its key, before the bundle of both.
- `ca.previous.crt` begins phase switch: written before the next CA takes the place of the current one, whose key is
  overwritten with that; `ca.next.crt` goes last.
- Removing `ca.previous.crt` ends the replacement: it goes before the bundle is written without it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import certificates, keys
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.declaration import Authority
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.errors import PkiError
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.files import (
    CA_CERTIFICATE,
    CA_KEY,
    CA_NEXT_CERTIFICATE,
    CA_NEXT_KEY,
    CA_PREVIOUS_CERTIFICATE,
    SUPERLINK_CERTIFICATE,
    TRUST,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.state import Change, State, Work, present

if TYPE_CHECKING:
    from cryptography import x509

_REPLACE = "replace it by rollover: trust, then switch, then drop, with a deployment after each"


def phase_of(state: State) -> str:
    """Phase of the CA's replacement: none, trust or switch."""
    if state.previous_certificate is not None:
        return "switch"
    return "none" if state.next_certificate is None else "trust"


class Authorities:
    """Plans what happens to the CA; `issuer` and `trusted` are what the plan leads to.

    Attributes:
        issuer: The CA that issues after the plan, None where it is still to be made.
        unable: Why `issuer` cannot issue for what is declared; only set while a new CA is asked for, an error else.
        trusted: The bundle after the plan, with None for a certificate that is still to be made.
    """

    def __init__(self, work: Work, declared: Authority) -> None:
        self.work = work
        self.declared = declared
        self.issuer: x509.Certificate | None = None
        self.unable: str | None = None
        self.trusted: list[x509.Certificate | None] = [None]

    def changes(self) -> list[Change]:
        """What has to change of the CA and the bundle, in order.

        Raises:
            PkiError: The step is not the next one, the files do not belong together, or the newest CA is not as
                declared.
        """
        wanted = self._steps()
        state = self.work.state
        if state.trust is None:
            wanted.append(Change("trust", "missing", self._write_trust))
        elif state.trust != self._bundle():
            alone = "the CA's certificate alone" if len(self.trusted) == 1 else "the certificates of both CAs"
            wanted.append(Change("trust", f"does not hold {alone}", self._write_trust))
        return wanted

    def _steps(self) -> list[Change]:
        state, step = self.work.state, self.work.declared.rollover
        if state.ca_key is None or state.ca_certificate is None:
            return self._first(step)
        self._check_pairs()
        current, following, previous = state.ca_certificate, state.next_certificate, state.previous_certificate
        if following is not None and (previous is not None or step == "switch"):
            return self._switch(current, following, previous, step)
        if following is not None:
            return self._stay_in_trust(current, following, step)
        if step == "trust" and previous is None:
            self.issuer, self.trusted = current, [current, None]
            self._judge_issuer(CA_CERTIFICATE, may_wait=True)
            return [Change("ca_next", "asked for by rollover: trust", self._make_next)]
        if step == "switch" and previous is None:
            raise PkiError(
                f"rollover is switch, but {self.work.store.directory} has no next CA; begin with rollover: trust, and"
                f" give every node the new {TRUST}"
            )
        self.issuer, self.trusted = current, [current]
        self._check_newest(current, CA_CERTIFICATE, f"declare what is there, or {_REPLACE}")
        self._judge_issuer(CA_CERTIFICATE, may_wait=False)
        if previous is None:
            return []
        if step != "drop":
            self.trusted = [previous, current]
            return []
        leaf = state.superlink_certificate
        if leaf is not None and not certificates.issued_by(leaf, current):
            raise PkiError(
                f"rollover is drop, but {SUPERLINK_CERTIFICATE} is still of the previous CA; run with rollover: switch,"
                " and give the SuperLink its new certificate"
            )
        return [Change("ca_previous", "asked for by rollover: drop", self._drop)]

    def _first(self, step: str) -> list[Change]:
        key = self.work.state.ca_key
        if step in ("trust", "switch"):
            raise PkiError(
                f"rollover is {step}, but {self.work.store.directory} has no CA to replace; begin with rollover: none"
            )
        if key is None:
            return [Change("ca", "missing", self._make)]
        self._check_kind(key, CA_KEY, "remove it, since nothing was issued with it")
        return [Change("ca", f"{CA_CERTIFICATE} missing", self._make)]

    def _stay_in_trust(self, current: x509.Certificate, following: x509.Certificate, step: str) -> list[Change]:
        self.issuer, self.trusted = current, [current, following]
        if step == "drop":
            raise PkiError(
                "rollover is drop, but the next CA does not issue yet, and dropping the current one would cut every"
                f" node off; go on with rollover: switch, or remove {CA_NEXT_CERTIFICATE} and {CA_NEXT_KEY} to keep"
                " the current CA"
            )
        self._check_next(following)
        self._judge_issuer(CA_CERTIFICATE, may_wait=step == "trust")
        return []

    def _switch(
        self, current: x509.Certificate, following: x509.Certificate, previous: x509.Certificate | None, step: str
    ) -> list[Change]:
        cut = previous is not None
        if step == "drop":
            raise PkiError(
                "rollover is drop, but the switch to the next CA was cut short; run with rollover: switch, and give the"
                " SuperLink its new certificate"
            )
        self.issuer, self.trusted = following, [previous or current, following]
        if not cut and self.work.state.trust != self._bundle():
            raise PkiError(
                f"rollover is switch, but {TRUST} does not hold both CAs, so no node can have been given them; run with"
                " rollover: trust, and give every node the file"
            )
        self._check_next(following)
        self._judge_issuer(CA_NEXT_CERTIFICATE, may_wait=False)
        return [Change("ca", "the switch was cut short" if cut else "asked for by rollover: switch", self._promote)]

    # What is there

    def _check_pairs(self) -> None:
        state, store = self.work.state, self.work.store
        pairs = [(CA_CERTIFICATE, state.ca_certificate, CA_KEY, state.ca_key)]
        if phase_of(state) == "trust":
            pairs.append((CA_NEXT_CERTIFICATE, state.next_certificate, CA_NEXT_KEY, state.next_key))
        elif state.next_certificate is not None:
            # In the middle of the switch: the new key is in one of the two places, and the old one is not needed.
            pairs = [(CA_NEXT_CERTIFICATE, state.next_certificate, CA_KEY, state.next_key or state.ca_key)]
        for certificate_file, certificate, key_file, key in pairs:
            path = store.path(certificate_file)
            if not certificates.is_authority(present(certificate)):
                raise PkiError(f"{path} is not the certificate of a CA; move it away or restore it from a backup")
            if key is None or not keys.same_public_key(key, present(certificate).public_key()):
                raise PkiError(f"{path} and {key_file} do not belong together; restore both from one backup")

    def _check_next(self, certificate: x509.Certificate) -> None:
        remedy = f"declare what it was made with, or remove {CA_NEXT_CERTIFICATE} and {CA_NEXT_KEY} and begin anew"
        self._check_newest(certificate, CA_NEXT_CERTIFICATE, remedy)
        if certificate.not_valid_after_utc <= self.work.now:
            raise PkiError(
                f"the CA at {self.work.store.path(CA_NEXT_CERTIFICATE)} expired on"
                f" {certificates.written_time(certificate.not_valid_after_utc)}; remove it and {CA_NEXT_KEY}, and begin"
                " anew with rollover: trust"
            )

    def _check_newest(self, certificate: x509.Certificate, name: str, remedy: str) -> None:
        path = self.work.store.path(name)
        found = certificates.common_name_of(certificate)
        if found != self.declared.common_name:
            raise PkiError(
                f"ca.common_name is {self.declared.common_name!r}, but the CA at {path} is {found!r}; a CA is not"
                f" renamed in place: {remedy}"
            )
        self._check_kind(certificate.public_key(), name, remedy)
        permitted = certificates.constraints_of(certificate)
        if permitted != self.declared.constraints:
            raise PkiError(
                f"the CA at {path} may issue for {permitted or 'any name and address'}, but ca.permitted_names and"
                f" ca.permitted_addresses ask for {self.declared.constraints or 'any'}; a CA does not change its"
                f" constraints in place: {remedy}"
            )

    def _check_kind(self, key: object, name: str, remedy: str) -> None:
        found, wanted = keys.kind_of(key), self.declared.key
        if str(found) != str(wanted):
            raise PkiError(
                f"the CA at {self.work.store.path(name)} has a key {found}, but ca asks for {wanted}; a CA does not"
                f" change its key in place: {remedy}"
            )

    def _judge_issuer(self, name: str, *, may_wait: bool) -> None:
        issuer, declared = present(self.issuer), self.work.declared
        end, path = issuer.not_valid_after_utc, self.work.store.path(name)
        waiting = name == CA_CERTIFICATE and phase_of(self.work.state) == "trust"
        remedy = "go on with rollover: switch" if waiting else _REPLACE
        permitted = certificates.constraints_of(issuer)
        outside = [san for san in declared.superlink.sans if permitted is not None and not permitted.permit(san)]
        if end <= self.work.now:
            self.unable = f"the CA at {path} expired on {certificates.written_time(end)}, so no node accepts anything"
            self.unable += " that it issued"
        elif outside:
            self.unable = f"the CA at {path} may issue for {permitted} alone, not for {', '.join(outside)}"
        elif end - self.work.now < timedelta(days=max(declared.renew_before_days, declared.superlink.validity_days)):
            self.work.warnings.append(
                f"the CA at {path} expires on {certificates.written_time(end)}, and no certificate outlives it; plan"
                f" its replacement: {remedy}"
            )
        if self.unable is not None and not may_wait:
            raise PkiError(f"{self.unable}; {remedy}")

    # The deeds

    def _make(self) -> None:
        state, store = self.work.state, self.work.store
        if state.ca_key is None:
            state.ca_key = keys.generate(self.declared.key)
            store.write(CA_KEY, keys.to_pkcs8(state.ca_key, self.declared.passphrase))
        state.ca_certificate = self._certified(state.ca_key)
        store.write(CA_CERTIFICATE, certificates.to_pem([state.ca_certificate]))
        self.issuer = state.ca_certificate

    def _make_next(self) -> None:
        state, store = self.work.state, self.work.store
        # A key without a certificate was left by a run that was cut short; what it was to be is not known.
        state.next_key = keys.generate(self.declared.key)
        store.write(CA_NEXT_KEY, keys.to_pkcs8(state.next_key, self.declared.passphrase))
        state.next_certificate = self._certified(state.next_key)
        store.write(CA_NEXT_CERTIFICATE, certificates.to_pem([state.next_certificate]))

    def _promote(self) -> None:
        state, store = self.work.state, self.work.store
        following = present(state.next_certificate)
        if state.previous_certificate is None:
            state.previous_certificate = state.ca_certificate
            store.write(CA_PREVIOUS_CERTIFICATE, certificates.to_pem([present(state.previous_certificate)]))
        if state.next_key is not None:
            state.ca_key, state.next_key = state.next_key, None
            store.write(CA_KEY, keys.to_pkcs8(state.ca_key, self.declared.passphrase))
        state.ca_certificate, state.next_certificate = following, None
        store.write(CA_CERTIFICATE, certificates.to_pem([following]))
        store.remove(CA_NEXT_KEY)
        store.remove(CA_NEXT_CERTIFICATE)

    def _drop(self) -> None:
        self.work.store.remove(CA_PREVIOUS_CERTIFICATE)
        self.work.state.previous_certificate = None

    def _write_trust(self) -> None:
        state = self.work.state
        both = [state.previous_certificate, state.ca_certificate, state.next_certificate]
        state.trust = certificates.to_pem([certificate for certificate in both if certificate is not None])
        self.work.store.write(TRUST, state.trust)

    def _certified(self, key: keys.PrivateKey) -> x509.Certificate:
        now, declared = self.work.now, self.declared
        return certificates.self_signed_authority(
            key,
            declared.common_name,
            declared.constraints,
            now - certificates.BACKDATED,
            now + timedelta(days=declared.validity_days),
        )

    def _bundle(self) -> bytes | None:
        there = [certificate for certificate in self.trusted if certificate is not None]
        return certificates.to_pem(there) if len(there) == len(self.trusted) else None
