# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Who may join a federation that nobody operates, and under which name. What is refused is named by one word.

The words tell a stranger no more than that he is none of us; why, stands in the journal. Order: form, time, signature,
proof, and only then what Flower knows.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Node as Registered
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.keys import pem_fingerprint, ssh_to_pem

from . import wire
from .glance import Gate, Glance
from .offer import strict_json
from .onegate import OneGateError, Service
from .trouble import Trouble
from .trust import write

# SuperNodes at most that Flower lists, those that were unregistered too, as it keeps them: a token that became known,
# or a SuperNode that was taken over, must not fill the disk.
MOST = 1000
# Nonces at most that are remembered; each is of a request that was proven.
MOST_NONCES = 4096
# Seconds between two replacements of a key by one VM: each leaves a row that Flower keeps.
REPLACEMENT_PAUSE = 3600.0


class Refusal(Exception):
    """A request that is not granted.

    Attributes:
        word: what the answer says.
        status: of HTTP.
        why: for the journal.
    """

    def __init__(self, word: str, status: int, why: str) -> None:
        super().__init__(f"{word}: {why}")
        self.word = word
        self.status = status
        self.why = why


class Flower(Protocol):
    """The part of the Control API's client that is needed here."""

    def nodes(self) -> list[Registered]:
        """All SuperNodes, unregistered ones included."""

    def register(self, name: str, public_key: bytes, location: str | None) -> str:
        """Register a key and return the node's id."""

    def unregister(self, node: Registered) -> None:
        """Unregister a key for good."""


class Nonces:
    """What was used within the time in which it could be used again; bounded, and full rather than forgetful."""

    def __init__(self, most: int = MOST_NONCES) -> None:
        self._until: dict[str, float] = {}
        self._most = most

    def use(self, nonce: str, until: float, now: float) -> None:
        """Use a nonce once.

        Raises:
            Refusal: replay, or busy when no more can be remembered.
        """
        if nonce in self._until:
            raise Refusal("replay", 403, "its nonce was used before")
        if len(self._until) >= self._most:
            self._until = {each: end for each, end in self._until.items() if end >= now}
        if len(self._until) >= self._most:
            raise Refusal("busy", 503, f"{self._most} nonces within {2 * wire.WINDOW} s")
        self._until[nonce] = until


class Owners:
    """Fingerprint of a key -> VM of the service that it was registered for; kept on disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> dict[str, int]:
        """What is known; damage frees no name, so it counts as nothing."""
        try:
            data = strict_json(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {key: value for key, value in data.items() if isinstance(value, int)}

    def note(self, fingerprint: str, vm_id: int, alive: set[str]) -> None:
        """Remember one, and forget those whose key is not alive.

        Raises:
            Refusal: the disk.
        """
        known = self.read()
        kept = {key: value for key, value in known.items() if key in alive} | {fingerprint: vm_id}
        if kept != known:
            try:
                write(self._path, json.dumps(kept, indent=1) + "\n", 0o600)
            except Trouble as trouble:
                raise Refusal("busy", 503, str(trouble)) from trouble


@dataclass
class Admission:
    """The judge of one SuperLink.

    Attributes:
        ca: PEM of the one authority that SuperNodes are to believe.
        fingerprint: of it.
        token: the join token, empty where SuperNodes prove themselves by OneGate; never both.
        vm_id: this SuperLink's VM.
    """

    ca: str
    fingerprint: str
    token: str = field(repr=False)
    vm_id: int
    flower: Flower
    gate: Gate | None
    owners: Owners
    clock: Callable[[], float] = time.time
    nonces: Nonces = field(default_factory=Nonces)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    # VM -> when it last replaced a key; none but VMs of the service are in it.
    _replaced: dict[int, float] = field(default_factory=dict)
    _glance: Glance | None = field(init=False)

    def __post_init__(self) -> None:
        self._glance = Glance(self.gate, self.clock) if self.gate else None

    def hello(self) -> dict[str, Any]:
        """The authority, for whoever asks; it stands in every handshake's proof anyway."""
        return {"version": wire.VERSION, "ca": self.ca}

    def status(self, body: bytes) -> dict[str, Any]:
        """What Flower says of a key.

        Raises:
            Refusal: body, key or flower.
        """
        data = _object(body)
        pem = _pem(data.get("public_key"))
        wanted = pem_fingerprint(pem)
        # Nothing is changed, so nobody who joins has to wait for it.
        with _flower():
            states = [node.status for node in self.flower.nodes() if node.fingerprint == wanted]
        # One that was registered and never came is offline; one that Flower does not know has to join.
        state = states[-1] if states else "unknown"
        return {"state": state if state in ("online", "unregistered", "unknown") else "offline"}

    def join(self, body: bytes) -> dict[str, Any]:
        """Register a SuperNode, or say that it is.

        Raises:
            Refusal: whatever is wrong.
        """
        data = _object(body)
        statement = _statement(data)
        pem = _pem(statement.public_key)
        now = self.clock()
        if abs(statement.time - now) > wire.WINDOW:
            raise Refusal("clock", 403, f"its clock differs by {statement.time - now:.0f} s")
        _check_signature(data.get("signature"), pem, statement.content(self.fingerprint))
        present = self._prove(data["proof"], statement)
        with self._lock:
            self.nonces.use(statement.nonce, statement.time + wire.WINDOW, now)
            with _flower():
                node_id = self._register(statement, pem, present)
        answer: dict[str, Any] = {"registered": True, "node_id": node_id}
        if self.token:
            answer["proof"] = wire.answer_mac(self.token, self.fingerprint, statement)
        return answer

    def _prove(self, proof: Mapping[str, Any], statement: wire.Statement) -> set[int] | None:
        """The VMs of the service where OneGate proves, None where the token does.

        Raises:
            Refusal: proof. Which of them is missing is the journal's alone.
        """
        # The SuperLink decides which proof counts: leaving the token out of a request makes it no weaker.
        if self.token:
            mac = proof.get("mac")
            if statement.kind != "token" or not isinstance(mac, str) or not wire.MAC.fullmatch(mac):
                raise Refusal("proof", 403, "it gives no proof of the join token")
            if not wire.same(mac, wire.request_mac(self.token, self.fingerprint, statement)):
                raise Refusal("proof", 403, "its join token, or the authority that it saw, is another")
            return None
        if statement.kind != "onegate" or self._glance is None:
            raise Refusal("proof", 403, "it has a join token, and this SuperLink has none")
        try:
            service, asked = self._glance.look(fresh=False)
            if not asked and not self._shown(statement, service):
                # A key that was published a moment ago must not be taken for none.
                service, asked = self._glance.look(fresh=True)
        except OneGateError as error:
            raise Refusal("onegate", 503, str(error)) from error
        if not self._shown(statement, service):
            raise Refusal("proof", 403, f"no VM {statement.vm_id} of another role of this service shows this key")
        return {node.vm_id for nodes in service.roles.values() for node in nodes}

    def _shown(self, statement: wire.Statement, service: Service) -> bool:
        own = {name for name, nodes in service.roles.items() if any(node.vm_id == self.vm_id for node in nodes)}
        for role, nodes in service.roles.items():
            for node in nodes:
                if role not in own and node.vm_id == statement.vm_id:
                    shown = node.attributes.get(wire.PUBLIC_KEY)
                    return (
                        isinstance(shown, str)
                        and bool(wire.KEY.fullmatch(shown))
                        and wire.same(shown, statement.public_key)
                    )
        return False

    def _register(self, statement: wire.Statement, pem: bytes, present: set[int] | None) -> str:
        nodes = self.flower.nodes()
        wanted = pem_fingerprint(pem)
        alive = [node for node in nodes if node.status != "unregistered"]
        for node in nodes:
            if node.fingerprint == wanted:
                if node.status == "unregistered":
                    raise Refusal("key_burned", 409, f"its key was unregistered at {node.unregistered_at}")
                if node.name != statement.name:
                    raise Refusal("key_named", 409, f"its key is registered as {node.name!a}")
                return node.node_id
        rivals = [node for node in alive if node.name == statement.name]
        for rival in rivals:
            if not self._gone(rival, statement, present):
                raise Refusal("name_taken", 409, f"node {rival.node_id} has the name {statement.name}")
        if len(nodes) >= MOST:
            raise Refusal("full", 409, f"Flower lists {len(nodes)} SuperNodes, {len(alive)} of them registered")
        now = self.clock()
        last = self._replaced.get(statement.vm_id)
        if rivals and last is not None and abs(now - last) < REPLACEMENT_PAUSE:
            raise Refusal("busy", 503, f"VM {statement.vm_id} replaced a key less than {REPLACEMENT_PAUSE:g} s ago")
        if present is not None:
            self.owners.note(wanted, statement.vm_id, {node.fingerprint for node in alive})
        for rival in rivals:
            self.flower.unregister(rival)
            self._replaced[statement.vm_id] = now
        node_id = self.flower.register(statement.name, pem, None)
        if not any(node.fingerprint == wanted and node.name == statement.name for node in self.flower.nodes()):
            raise Refusal("flower", 503, "Flower registered the key and does not list it")
        return node_id

    def _gone(self, rival: Registered, statement: wire.Statement, present: set[int] | None) -> bool:
        """Whether the VM of another key left the service, or is the very one that asks, with a new disk.

        What a key was registered by, OneGate or token, is in the record: only the former can be looked up.
        """
        owner = self.owners.read().get(rival.fingerprint)
        if present is None or owner is None or rival.status == "online":
            return False
        return owner not in present or owner == statement.vm_id


@contextmanager
def _flower() -> Iterator[None]:
    try:
        yield
    except FlowerFailure as failure:
        raise Refusal("flower", 503, str(failure)) from failure


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = strict_json(body.decode("ascii"))
    except ValueError as error:
        raise Refusal("body", 400, f"its body is refused: {error!s:.100}") from error
    if data.get("version") != wire.VERSION or isinstance(data.get("version"), bool):
        raise Refusal("version", 400, "it is of another version of the appliance")
    return data


def _statement(data: Mapping[str, Any]) -> wire.Statement:
    """The statement of a request, every part by an allow-list.

    Raises:
        Refusal: naming the part.
    """
    proof = data.get("proof")
    if not isinstance(proof, dict):
        raise Refusal("body", 400, "it has no proof")
    parts = {
        "kind": (proof.get("kind"), lambda text: text in ("token", "onegate")),
        "name": (data.get("name"), lambda text: bool(wire.NAME.fullmatch(text))),
        "public_key": (data.get("public_key"), lambda text: bool(wire.KEY.fullmatch(text))),
        "nonce": (data.get("nonce"), lambda text: bool(wire.NONCE.fullmatch(text))),
    }
    for part, (value, right) in parts.items():
        if not isinstance(value, str) or not right(value):
            raise Refusal("body", 400, f"its {part} is refused")
    for part in ("vm_id", "time"):
        number = data.get(part)
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 1 << 53:
            raise Refusal("body", 400, f"its {part} is refused")
    return wire.Statement(proof["kind"], data["name"], data["public_key"], data["vm_id"], data["time"], data["nonce"])


def _pem(line: object) -> bytes:
    """The key of a line in the one form that it has; Flower takes no other.

    Raises:
        Refusal: key.
    """
    if not isinstance(line, str) or not wire.KEY.fullmatch(line):
        raise Refusal("key", 400, "its public key is refused")
    try:
        pem = ssh_to_pem("it", line)
    except FlowerFailure as failure:
        raise Refusal("key", 400, "its public key is none of an EC key on a NIST curve") from failure
    from cryptography.hazmat.primitives import serialization

    key: Any = serialization.load_pem_public_key(pem)
    if key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode() != line:
        raise Refusal("key", 400, "its public key is not in the form that ssh-keygen writes")
    return pem


def _check_signature(signature: object, pem: bytes, content: bytes) -> None:
    """Whether who asks has the private key.

    Raises:
        Refusal: proof.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key: Any = serialization.load_pem_public_key(pem)
    try:
        given = base64.b64decode(signature if isinstance(signature, str) else "", validate=True)
        key.verify(given, content, ec.ECDSA(hashes.SHA384()))
    except (binascii.Error, ValueError, InvalidSignature) as error:
        raise Refusal("proof", 403, "it does not sign with its key, or saw another authority") from error
