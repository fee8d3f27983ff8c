# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The SuperNodes' keys, made here or on the nodes. Private to this collection; it may change without notice."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import keys
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.errors import PkiError
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.files import private_key_of, public_key_of
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.state import (
    TO_BE_ISSUED,
    Change,
    SupernodeKey,
    Work,
    present_key,
)


class SupernodeKeys:
    """Plans the SuperNodes' keys."""

    def __init__(self, work: Work, check_mode: bool) -> None:
        self.work = work
        self.check_mode = check_mode
        self.declared = work.declared.supernodes

    def changes(self) -> list[Change]:
        """What has to change.

        Raises:
            PkiError: A key is one that Flower refuses, two SuperNodes have the same, or a node's public key is not
                there (but for check mode, where the node cannot have made it).
        """
        wanted = []
        for name in self.declared.names:
            wanted += self._made_here(name) if self.declared.made_here else self._made_on_the_node(name)
        self._refuse_shared_keys()
        if self.declared.purge:
            for name in sorted(self.work.state.supernodes.keys() - set(self.declared.names)):
                wanted.append(Change(f"supernode {name}", "is not declared", self._remover(name)))
        return wanted

    def public_keys(self) -> dict[str, str]:
        """Public key of every declared SuperNode that has one, as a line of OpenSSH with its name as the comment."""
        parts = {name: self._public_part(name) for name in self.declared.names}
        pending = {name for name in parts if self.check_mode and self._gets_a_key(name)}
        return {name: f"{part} {name}" for name, part in parts.items() if part is not None and name not in pending}

    def fingerprints(self) -> dict[str, str]:
        """Fingerprint of every SuperNode's public key in the directory."""
        parts = {name: self._public_part(name) for name in sorted(self.work.state.supernodes)}
        return {
            name: keys.public_fingerprint(part) if part is not None else "(not a public key)"
            for name, part in parts.items()
        }

    def expected(self) -> dict[str, str]:
        """What `fingerprints` will say after the changes."""
        there = self.fingerprints()
        kept = {name: found for name, found in there.items() if name in self.declared.names or not self.declared.purge}
        for name in self.declared.names:
            if self._gets_a_key(name) or name not in kept:
                kept[name] = TO_BE_ISSUED
        return dict(sorted(kept.items()))

    def _made_here(self, name: str) -> list[Change]:
        path = self.work.store.path(private_key_of(name))
        if self._gets_a_key(name):
            asked = name in self.declared.renew
            return [
                Change(f"supernode {name}", "asked for by renew_supernodes" if asked else "missing", self._maker(name))
            ]
        found = self.work.state.supernodes[name]
        key = present_key(found.private)
        if keys.public_part(keys.public_line(key, name)) is None:
            raise PkiError(f"{path} is a key {keys.kind_of(key)}, which Flower refuses; move it away to get a new one")
        if found.public != f"{keys.public_line(key, name)}\n":
            return [Change(f"supernode {name}", "public key is not the private key's", self._publisher(name))]
        return []

    def _made_on_the_node(self, name: str) -> list[Change]:
        path = self.work.store.path(public_key_of(name))
        found = self.work.state.supernodes.get(name)
        if found is None or found.public is None:
            if self.check_mode:
                return []
            raise PkiError(
                f"{path} is missing; supernode_keys is node, so the node makes the key, and its public half is brought"
                " here before"
            )
        if keys.public_part(found.public) is None:
            raise PkiError(
                f"{path} is not one line with a public key that Flower takes (ecdsa-sha2-nistp256, -nistp384 or"
                " -nistp521); make one on the node with ssh-keygen -t ecdsa -b 384, and bring its public half here"
            )
        if found.private is None:
            return []
        return [Change(f"supernode {name}", "private key is not kept here", self._forgetter(name))]

    def _refuse_shared_keys(self) -> None:
        owners: dict[str, str] = {}
        for name in self.declared.names:
            part = None if self._gets_a_key(name) else self._public_part(name)
            if part is None:
                continue
            other = owners.setdefault(part, name)
            if other != name:
                remedy = f"name one in renew_supernodes, or move {private_key_of(name)} away"
                if not self.declared.made_here:
                    remedy = f"make a new one on one of the nodes, and bring its public half as {public_key_of(name)}"
                raise PkiError(
                    f"SuperNodes {other} and {name} have the same key, and the SuperLink takes one of them for the"
                    f" other; {remedy}"
                )

    def _gets_a_key(self, name: str) -> bool:
        found = self.work.state.supernodes.get(name)
        return self.declared.made_here and (name in self.declared.renew or found is None or found.private is None)

    def _public_part(self, name: str) -> str | None:
        found = self.work.state.supernodes.get(name)
        if found is None:
            return None
        if found.private is not None and self.declared.made_here:
            return " ".join(keys.public_line(found.private, name).split()[:2])
        return None if found.public is None else keys.public_part(found.public)

    def _maker(self, name: str) -> Callable[[], None]:
        def perform() -> None:
            key = keys.generate(keys.P384)
            self.work.store.write(private_key_of(name), keys.to_openssh(key))
            self.work.state.supernodes[name] = SupernodeKey(private=key)
            self._publisher(name)()

        return perform

    def _publisher(self, name: str) -> Callable[[], None]:
        def perform() -> None:
            found = self.work.state.supernodes[name]
            key = present_key(found.private)
            found.public = f"{keys.public_line(key, name)}\n"
            self.work.store.write(public_key_of(name), found.public.encode())

        return perform

    def _forgetter(self, name: str) -> Callable[[], None]:
        def perform() -> None:
            self.work.store.remove(private_key_of(name))
            self.work.state.supernodes[name].private = None

        return perform

    def _remover(self, name: str) -> Callable[[], None]:
        def perform() -> None:
            self.work.store.remove(public_key_of(name))
            self.work.store.remove(private_key_of(name))
            del self.work.state.supernodes[name]

        return perform
