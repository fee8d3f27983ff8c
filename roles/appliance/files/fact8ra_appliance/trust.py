# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Which authority a SuperNode believes: the one of the fingerprint, the one that a token proves, or the first.

Trust is always one certificate of an authority. What was accepted once is pinned on disk and never replaced by itself;
a fingerprint that somebody writes into the context is the one thing that replaces it. decision 0022 tells why.
"""

from __future__ import annotations

import enum
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from .dial import Unanswered, ask
from .discovery import Found
from .offer import Unreadable, authority, fingerprint, fingerprint_of, shown
from .trouble import Trouble
from .wire import JOIN, TOKEN

FINGERPRINT = "ONEAPP_FLOWER_SUPERLINK_FINGERPRINT"
JOIN_TOKEN = "ONEAPP_FLOWER_JOIN_TOKEN"
CHOICE = "ONEAPP_FLOWER_TRUST"
PIN = Path("/var/lib/fact8ra/pin.json")


class Mode(enum.StrEnum):
    """What decides whether an authority is the right one."""

    FINGERPRINT = "fingerprint"
    TOKEN = "token"
    FIRST = "first"


def mode(choice: str, given: str, token: str, address: str) -> Mode:
    """The mode that a context asks for. It is the context's alone: nothing that is read elsewhere weakens it.

    Args:
        choice: ONEAPP_FLOWER_TRUST, empty for auto.
        given: the fingerprint of the context, empty for none.
        token: the join token of the context, empty for none.
        address: the SuperLink's address of the context, empty for OneGate.

    Raises:
        Trouble: CONTEXT_INVALID or TOKEN_MISSING, naming the variable.
    """
    if given:
        try:
            fingerprint_of(given)
        except Unreadable as error:
            raise Trouble(
                "CONTEXT_INVALID", f"{FINGERPRINT} is {ascii(given)[:80]}; {error}", variable=FINGERPRINT
            ) from None
    if token and not TOKEN.fullmatch(token):
        raise Trouble(
            "CONTEXT_INVALID",
            f"{JOIN_TOKEN} is refused, and not shown; it must be 24 to 128 letters, digits and any of . _ ~ and -",
            variable=JOIN_TOKEN,
        )
    if choice in ("", "auto"):
        if given or token:
            return Mode.FINGERPRINT if given else Mode.TOKEN
        if address:
            raise Trouble(
                "CONTEXT_INVALID",
                f"{FINGERPRINT} and {JOIN_TOKEN} are empty, so nothing tells the SuperLink at {ascii(address)[1:80]}"
                f" from another; give one of them, or set {CHOICE} to first, which believes whoever answers first",
                variable=FINGERPRINT,
            )
        return Mode.FIRST
    if choice not in list(Mode):
        raise Trouble(
            "CONTEXT_INVALID",
            f"{CHOICE} is {ascii(choice)[:80]}; it must be auto, fingerprint, token or first",
            variable=CHOICE,
        )
    if choice == Mode.FINGERPRINT and not given:
        raise Trouble("CONTEXT_INVALID", f"{FINGERPRINT} is empty, and {CHOICE} asks for it", variable=FINGERPRINT)
    if choice == Mode.TOKEN and not token:
        raise Trouble("TOKEN_MISSING", f"{JOIN_TOKEN} is empty, and {CHOICE} asks for it", variable=JOIN_TOKEN)
    return Mode(choice)


@dataclass(frozen=True)
class Pin:
    """What was accepted.

    Attributes:
        fingerprint: of the certificate in C(ca).
        ca: PEM of the one authority.
        how: a Mode.
        accepted_at: seconds of the epoch.
    """

    fingerprint: str
    ca: str
    how: str
    accepted_at: int


class Pins:
    """The file with the pin; it is written whole or not at all, and for root alone."""

    def __init__(self, path: Path = PIN) -> None:
        self.path = path

    def read(self) -> Pin | None:
        """The pin, None when nothing was accepted yet.

        Raises:
            Trouble: TRUST_REFUSED; it cannot be read. It is not taken for missing, or damage would open the door.
        """
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            pin = Pin(**data)
            if pin.fingerprint != fingerprint(authority(pin.ca)):
                raise ValueError("its fingerprint is not that of its certificate")
            return Pin(pin.fingerprint, authority(pin.ca), str(Mode(pin.how)), int(pin.accepted_at))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise Trouble(
                "TRUST_REFUSED",
                f"{self.path}, which says whom this SuperNode believes, cannot be read ({error}); restore it, or remove"
                " it to have the SuperLink judged anew",
            ) from error

    def write(self, pin: Pin) -> None:
        """Replace the pin.

        Raises:
            Trouble: DISK_FULL, DISK_READ_ONLY or CONFIGURE_FAILED.
        """
        write(self.path, json.dumps(asdict(pin), indent=1) + "\n", 0o600)


def write(path: Path, text: str, mode_: int) -> None:
    """Write a file whole or not at all.

    Raises:
        Trouble: DISK_FULL, DISK_READ_ONLY or CONFIGURE_FAILED.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode_)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            os.fchmod(stream.fileno(), mode_)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(path)
    except OSError as error:
        state = {30: "DISK_READ_ONLY", 28: "DISK_FULL"}.get(error.errno or 0, "CONFIGURE_FAILED")
        raise Trouble(state, f"{path} cannot be written: {error.strerror}") from error


@dataclass(frozen=True)
class Judged:
    """An authority to dial with.

    Attributes:
        how: what decided.
        settled: whether it is believed; otherwise it has still to answer with the token's proof.
        news: whether it is to be pinned.
    """

    ca: str
    fingerprint: str
    how: Mode
    settled: bool
    news: bool

    def pin(self, now: float | None = None) -> Pin:
        """What is to be pinned once it is settled."""
        return Pin(self.fingerprint, self.ca, str(self.how), int(time.time() if now is None else now))


def offered(found: Found, seconds: float = 10.0) -> str:
    """The authority that a SuperLink names as its own: in OneGate, or in its answer to GET /join. Nobody's word yet.

    Raises:
        Trouble: WAITING_FOR_SUPERLINK or TRUST_REFUSED.
    """
    if found.offer:
        return found.offer.ca
    try:
        status, answer = ask(found.host, found.port, None, "GET", JOIN, seconds=seconds)
    except Unanswered as error:
        raise Trouble("WAITING_FOR_SUPERLINK", f"the SuperLink does not answer: {error}", again=True) from error
    if status in (429, 502, 503, 504):
        raise Trouble("WAITING_FOR_SUPERLINK", f"{found.address} answers {status}: it is not ready yet", again=True)
    try:
        if status != 200 or not isinstance(answer.get("ca"), str):
            raise Unreadable(f"it answers GET {JOIN} with {status}")
        return authority(answer["ca"])
    except Unreadable as error:
        raise Trouble(
            "TRUST_REFUSED", f"{found.address} names no authority of its own ({error}); is a SuperLink appliance there?"
        ) from error


def judge(found: Found, how: Mode, given: str, pin: Pin | None, seconds: float = 10.0) -> Judged:
    """Which authority to dial a SuperLink with, before anything of this node is told to it.

    Args:
        given: the fingerprint of the context, empty for none; it counts in every mode.
        pin: what was accepted before.

    Raises:
        Trouble: TRUST_REFUSED, SUPERLINK_REPLACED, WAITING_FOR_SUPERLINK.
    """
    wanted = fingerprint_of(given) if given else ""
    if pin and (not wanted or wanted == pin.fingerprint):
        if found.offer and found.offer.fingerprint != pin.fingerprint:
            raise replaced(pin, found.offer.fingerprint)
        return Judged(pin.ca, pin.fingerprint, Mode(pin.how), settled=True, news=False)
    ca = offered(found, seconds)
    seen = fingerprint(ca)
    if wanted and seen != wanted:
        raise Trouble(
            "TRUST_REFUSED",
            f"the SuperLink at {found.address} has the authority {shown(seen)}, and {FINGERPRINT} is {shown(wanted)};"
            " somebody is in between, or the fingerprint is of another SuperLink (see FLOWER_FINGERPRINT of its VM)",
            variable=FINGERPRINT,
        )
    # A fingerprint in the context settles it, whatever else decides.
    return Judged(ca, seen, Mode.FINGERPRINT if wanted else how, settled=bool(wanted) or how is Mode.FIRST, news=True)


def replaced(pin: Pin, seen: str) -> Trouble:
    """What is said of another authority than the pinned one."""
    return Trouble(
        "SUPERLINK_REPLACED",
        f"the SuperLink has the authority {shown(seen)}, and this SuperNode pinned {shown(pin.fingerprint)} (by"
        f" {pin.how}); if it was replaced on purpose, give the new one's fingerprint as {FINGERPRINT}, else somebody is"
        " in between",
        variable=FINGERPRINT,
    )
