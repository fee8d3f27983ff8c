# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The PKI as it is in its directory. Private to this collection; it may change without notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import certificates, keys
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.declaration import Declaration
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.errors import PkiError
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.files import (
    CA_CERTIFICATE,
    CA_KEY,
    CA_NEXT_CERTIFICATE,
    CA_NEXT_KEY,
    CA_PREVIOUS_CERTIFICATE,
    SUPERLINK_CERTIFICATE,
    SUPERLINK_KEY,
    SUPERLINK_REQUEST,
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


@dataclass
class SupernodeKey:
    """A SuperNode's key: the private half where it is kept here, and the content of the public file."""

    private: keys.PrivateKey | None = None
    public: str | None = None


@dataclass
class State:
    """What the directory holds. The CA that issues, the next and the previous one are there only where CAs are."""

    ca_certificate: x509.Certificate | None = None
    ca_key: keys.PrivateKey | None = None
    next_certificate: x509.Certificate | None = None
    next_key: keys.PrivateKey | None = None
    previous_certificate: x509.Certificate | None = None
    trust: bytes | None = None
    superlink_certificate: x509.Certificate | None = None
    superlink_chain: bytes | None = None
    superlink_key: keys.PrivateKey | None = None
    request: bytes | None = None
    supernodes: dict[str, SupernodeKey] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """One thing to change: the object (as the operator names it), why, and the deed."""

    object: str
    reason: str
    perform: Callable[[], None]


@dataclass
class Work:
    """What the parts of the PKI share: what is wanted, what is there, the time of this run, what is to be told."""

    declared: Declaration
    store: Store
    now: datetime
    state: State
    warnings: list[str] = field(default_factory=list)


def read(declared: Declaration, store: Store) -> State:
    """Read the directory; nothing in it is believed to be what its name says.

    Raises:
        PkiError: A file is not what this module writes, or cannot be read.
    """
    if not store.exists():
        return State()
    if store.foreign() and not store.known():
        raise PkiError(
            f"{store.directory} holds no PKI, but {', '.join(store.foreign()[:5])}; give the PKI a directory of its own"
        )
    state = State(
        trust=store.read(TRUST),
        superlink_chain=store.read(SUPERLINK_CERTIFICATE),
        request=store.read(SUPERLINK_REQUEST),
    )
    if declared.authority is not None:
        _read_authorities(state, store, declared.authority.passphrase)
    if state.superlink_chain is not None:
        state.superlink_certificate = certificates.load(state.superlink_chain, store.path(SUPERLINK_CERTIFICATE))
    leaf_key = store.read(SUPERLINK_KEY)
    if leaf_key is not None:
        state.superlink_key = keys.from_pkcs8(leaf_key, store.path(SUPERLINK_KEY))
    for name in store.supernodes():
        private, public = store.read(private_key_of(name)), store.read(public_key_of(name))
        state.supernodes[name] = SupernodeKey(
            None if private is None else keys.from_openssh(private, store.path(private_key_of(name))),
            None if public is None else public.decode(errors="replace"),
        )
    return state


def present(value: _T | None) -> _T:
    """Narrow what an earlier change in the order has made sure of."""
    if value is None:
        raise PkiError("the PKI changed while it was being worked on; run again")
    return value


def present_key(key: keys.PrivateKey | None) -> keys.PrivateKey:
    """`present` for keys, of which there are two types."""
    if key is None:
        raise PkiError("the PKI changed while it was being worked on; run again")
    return key


def _read_authorities(state: State, store: Store, passphrase: str) -> None:
    state.ca_certificate = _certificate(store, CA_CERTIFICATE)
    state.ca_key = _key(store, CA_KEY, passphrase)
    state.next_certificate = _certificate(store, CA_NEXT_CERTIFICATE)
    state.next_key = _key(store, CA_NEXT_KEY, passphrase)
    state.previous_certificate = _certificate(store, CA_PREVIOUS_CERTIFICATE)
    if state.ca_key is None and state.ca_certificate is not None:
        raise PkiError(
            f"{store.path(CA_CERTIFICATE)} is there without {CA_KEY}; restore the key from a backup, or move the"
            " certificate away to begin with a new CA, which every node must then be given"
        )


def _certificate(store: Store, name: str) -> x509.Certificate | None:
    content = store.read(name)
    return None if content is None else certificates.load(content, store.path(name))


def _key(store: Store, name: str, passphrase: str) -> keys.PrivateKey | None:
    content = store.read(name)
    return None if content is None else keys.from_pkcs8(content, store.path(name), passphrase)
