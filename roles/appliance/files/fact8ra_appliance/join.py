# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""How a SuperNode has its key registered with a SuperLink that nobody operates: see wire.py for what is said."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import trust, wire
from .dial import Unanswered, Unverified, ask
from .discovery import Found, Gate
from .identity import Identity
from .offer import Unreadable, fingerprint
from .trouble import Trouble
from .trust import CHOICE, FINGERPRINT, JOIN_TOKEN, Judged, Mode, Pin, Pins

_LATER = (429, 502, 503, 504)
# Word of a joiner that takes no SuperNode just now -> why.
_LATER_WORDS = {
    "busy": "it takes no more SuperNodes in so short a time",
    "onegate": "its OneGate does not tell it of the VMs of its service",
    "flower": "its Flower does not answer it",
}

# Word of a refusal -> state, variable, and what it means. What a server says beside it is never shown.
_REFUSALS = {
    "name_taken": (
        "NAME_TAKEN",
        "ONEAPP_FLOWER_NODE_NAME",
        "another SuperNode has the name {name}; give this one another, or none, which makes a name of its own",
    ),
    "key_named": (
        "JOIN_REFUSED",
        "ONEAPP_FLOWER_NODE_NAME",
        "the key of this SuperNode is registered under another name than {name}, which Flower cannot change; was its"
        " disk copied, or the name changed? Give the earlier name, or remove {key} for a new key and reboot",
    ),
    "key_burned": (
        "JOIN_REFUSED",
        "",
        "the key of this SuperNode was unregistered, and Flower never admits it again; remove {key} for a new key and"
        " reboot",
    ),
    "proof": (
        "JOIN_REFUSED",
        JOIN_TOKEN,
        "the SuperLink does not accept what this SuperNode proves: {proof}",
    ),
    "replay": ("JOIN_REFUSED", "", "the SuperLink has heard this very request before; somebody may have recorded it"),
    "full": (
        "JOIN_REFUSED",
        "",
        "the SuperLink takes no more SuperNodes by itself, as Flower keeps those that are gone; its operator still can",
    ),
}
_PROOFS = {
    "token": "the join token is not the SuperLink's, or it has none",
    "onegate": "without a join token it takes SuperNodes of its own service alone, and with one it asks for the token",
}


@dataclass(frozen=True)
class Joined:
    """A SuperLink that took this SuperNode, and whom to believe from here on.

    Attributes:
        ca: PEM of the one authority, for trust.crt.
        how: what settled that it is believed.
        first: whether it is believed since this very join, by nothing but having been the first.
    """

    name: str
    node_id: str
    ca: str
    fingerprint: str
    how: Mode
    first: bool


class Busy(Trouble):
    """A SuperLink whose certificate is the right one, but which has no answer just now."""


def join(
    found: Found,
    identity: Identity,
    how: Mode,
    *,
    given: str = "",
    token: str = "",
    vm_id: int,
    gate: Gate | None = None,
    pins: Pins | None = None,
    seconds: float = 10.0,
    clock: Callable[[], float] = time.time,
) -> Joined:
    """Judge the SuperLink, register this SuperNode, and pin what was believed. The same again changes nothing.

    Args:
        found: where it is, of discovery.find.
        how: of trust.mode.
        given: the fingerprint of the context, empty for none.
        token: the join token of the context, empty for none; then OneGate tells the SuperLink of this VM.
        vm_id: id of this VM.
        gate: OneGate, None where the VM has none.
        pins: where the pin is.

    Raises:
        Trouble: TRUST_REFUSED, SUPERLINK_REPLACED, JOIN_REFUSED, NAME_TAKEN, TOKEN_MISSING, CLOCK_WRONG,
            WAITING_FOR_SUPERLINK, or a disk that cannot be written.
        OneGateError: OneGate could not be told the key.
    """
    pins = pins or Pins()
    pin = pins.read()
    judged = trust.judge(found, how, given, pin, seconds)
    kind = "token" if token else "onegate"
    if kind == "onegate":
        _tell(found, gate, identity)
    # What is not settled is settled by nothing but the answer to a token's proof.
    if not judged.settled and not token:
        raise Trouble("TOKEN_MISSING", f"{JOIN_TOKEN} is empty, and {CHOICE} asks for it", variable=JOIN_TOKEN)
    statement = wire.Statement(kind, identity.name, identity.public_key, vm_id, int(clock()), secrets.token_hex(16))
    status, answer = _ask(found, judged, pin, wire.JOIN, _body(statement, identity, token, judged.fingerprint), seconds)
    if status != 200 or answer.get("registered") is not True:
        raise _refused(status, answer, found, identity, kind, statement.time)
    if token and not _proven(answer, token, judged.fingerprint, statement):
        raise Trouble(
            "TRUST_REFUSED",
            f"the SuperLink at {found.address} does not prove that it has the join token; it is not the right one",
            variable=JOIN_TOKEN,
        )
    settled_by = Mode.TOKEN if not judged.settled else judged.how
    if judged.news:
        pins.write(Pin(judged.fingerprint, judged.ca, str(settled_by), int(clock())))
    node_id = answer.get("node_id")
    return Joined(
        identity.name,
        node_id if isinstance(node_id, str) and node_id.isascii() and node_id.isdigit() else "",
        judged.ca,
        judged.fingerprint,
        settled_by,
        first=judged.news and settled_by is Mode.FIRST and not token,
    )


def status(found: Found, ca: str, public_key: str, seconds: float = 10.0) -> str:
    """What Flower says of a key: online, offline, unregistered, or unknown, and then it has to join again.

    Raises:
        Busy: it cannot say just now; 429, 502, 503 or 504.
        Trouble: WAITING_FOR_SUPERLINK, TRUST_REFUSED, CLOCK_WRONG or SUPERLINK_REPLACED.
    """
    judged = Judged(ca, fingerprint(ca), Mode.FIRST, settled=True, news=False)
    body = json.dumps({"version": wire.VERSION, "public_key": public_key}).encode()
    code, answer = _ask(found, judged, judged.pin(0), wire.STATUS, body, seconds)
    state = answer.get("state")
    if code != 200 or state not in ("online", "offline", "unknown", "unregistered"):
        raise Trouble(
            "WAITING_FOR_SUPERLINK", f"{found.address} does not say whether the SuperNode is online", again=True
        )
    return str(state)


def install(directory: Path, ca: str) -> None:
    """Write the authority to trust.crt of a PKI directory, where the role supernode finds it.

    Raises:
        Trouble: the disk cannot be written.
    """
    path = directory / "trust.crt"
    if not (path.is_file() and path.read_bytes() == ca.encode()):
        trust.write(path, ca, 0o644)


def _tell(found: Found, gate: Gate | None, identity: Identity) -> None:
    """Show the key in OneGate, where the SuperLink of the same service looks for it."""
    if found.offer and found.offer.join == "token":
        raise Trouble("TOKEN_MISSING", f"{JOIN_TOKEN} is empty, and the SuperLink asks for it", variable=JOIN_TOKEN)
    if gate is None:
        raise Trouble(
            "TOKEN_MISSING",
            f"{JOIN_TOKEN} is empty and this VM has no OneGate, so that nothing proves that it may join",
            variable=JOIN_TOKEN,
        )
    gate.publish({wire.PUBLIC_KEY: identity.public_key})


def _body(statement: wire.Statement, identity: Identity, token: str, digest: str) -> bytes:
    proof: dict[str, Any] = {"kind": statement.kind}
    if token:
        proof["mac"] = wire.request_mac(token, digest, statement)
    return json.dumps(
        {
            "version": wire.VERSION,
            "name": statement.name,
            "public_key": statement.public_key,
            "vm_id": statement.vm_id,
            "time": statement.time,
            "nonce": statement.nonce,
            "signature": identity.sign(statement.content(digest)),
            "proof": proof,
        }
    ).encode()


def _proven(answer: dict[str, Any], token: str, digest: str, statement: wire.Statement) -> bool:
    proof = answer.get("proof")
    # What has that form can be compared; not every text can.
    if not isinstance(proof, str) or not wire.MAC.fullmatch(proof):
        return False
    return wire.same(proof, wire.answer_mac(token, digest, statement))


def _ask(
    found: Found, judged: Judged, pin: Pin | None, path: str, body: bytes, seconds: float
) -> tuple[int, dict[str, Any]]:
    try:
        code, answer = ask(found.host, found.port, judged.ca, "POST", path, body, seconds=seconds)
    except Unanswered as error:
        raise Trouble("WAITING_FOR_SUPERLINK", f"the SuperLink does not answer: {error}", again=True) from error
    except Unverified as error:
        raise _unverified(found, judged, pin, error, seconds) from error
    if code in _LATER:
        word = answer.get("refused")
        why = _LATER_WORDS.get(word, "") if isinstance(word, str) else ""
        text = f"{found.address} answers {code}: {why or 'it takes no SuperNodes yet'}"
        raise Busy("WAITING_FOR_SUPERLINK", text, again=True)
    return code, answer


def _unverified(found: Found, judged: Judged, pin: Pin | None, error: Unverified, seconds: float) -> Trouble:
    if error.reason == "early":
        return Trouble(
            "CLOCK_WRONG", f"the SuperLink's certificate is not valid yet, so this VM's clock is behind: {error}"
        )
    if error.reason == "late":
        return Trouble("CLOCK_WRONG", f"the SuperLink's certificate is over, or the clock of this VM is ahead: {error}")
    if error.reason == "name":
        return Trouble(
            "TRUST_REFUSED",
            f"the SuperLink's certificate does not name {found.host}: {error}; give that name as"
            " ONEAPP_FLOWER_SUPERLINK_NAMES of the SuperLink, or dial one that it names",
        )
    if pin and pin.fingerprint == judged.fingerprint:
        try:
            seen = fingerprint(trust.offered(Found(found.host, found.port), seconds))
        except (Trouble, Unreadable):
            seen = ""
        if seen and seen != pin.fingerprint:
            return trust.replaced(pin, seen)
    return Trouble(
        "TRUST_REFUSED",
        f"the SuperLink at {found.address} has no certificate of the authority that is believed: {error}; somebody is"
        " in between, or something else is there",
        variable=FINGERPRINT,
    )


def _refused(code: int, answer: dict[str, Any], found: Found, identity: Identity, kind: str, sent: int) -> Trouble:
    word = answer.get("refused")
    now = answer.get("now")
    if word == "clock" and isinstance(now, int):
        return Trouble("CLOCK_WRONG", f"the clock of this VM differs from the SuperLink's by {abs(sent - now)} s")
    if isinstance(word, str) and word in _REFUSALS:
        state, variable, text = _REFUSALS[word]
        return Trouble(state, text.format(name=identity.name, key=identity.key, proof=_PROOFS[kind]), variable=variable)
    if code == 404:
        return Trouble(
            "JOIN_REFUSED",
            f"the SuperLink at {found.address} takes no SuperNodes by itself; its operator does",
        )
    return Trouble("JOIN_REFUSED", f"the SuperLink at {found.address} refuses the request ({code})")
