# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the appliance says of itself: on the console, in the journal, in /run and in OneGate.

``/run/fact8ra/status`` is a page for people, ``/run/fact8ra/state.json`` the same for programs: state, message, since
(UTC, ISO 8601), problems (variable and message), onegate (why OneGate could not be told, or an empty string).
"""

from __future__ import annotations

import contextlib
import datetime
import enum
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from .onegate import OneGate, OneGateError

DIRECTORY: Final = "run/fact8ra"
_JOURNAL: Final = "run/systemd/journal/socket"
#: Letters of an attribute in OneGate; the page and the journal have all of it.
_MOST_LETTERS: Final = 2000
#: Seconds after which a OneGate that failed is told again, unless the state changes for good.
_BACKOFF: Final = 20


class State(enum.StrEnum):
    """FLOWER_STATE in OneGate."""

    BOOTING = "BOOTING"
    CONTEXT_MISSING = "CONTEXT_MISSING"
    CONTEXT_INVALID = "CONTEXT_INVALID"
    CONFIGURING = "CONFIGURING"
    CONFIGURE_FAILED = "CONFIGURE_FAILED"
    WAITING_FOR_SUPERLINK = "WAITING_FOR_SUPERLINK"
    JOINING = "JOINING"
    READY = "READY"
    ONLINE = "ONLINE"
    OFFLINE = "OFFLINE"
    ONEGATE_UNREACHABLE = "ONEGATE_UNREACHABLE"
    ONEGATE_REFUSED = "ONEGATE_REFUSED"
    ONEGATE_FOREIGN = "ONEGATE_FOREIGN"
    TRUST_REFUSED = "TRUST_REFUSED"
    SUPERLINK_REPLACED = "SUPERLINK_REPLACED"
    JOIN_REFUSED = "JOIN_REFUSED"
    NAME_TAKEN = "NAME_TAKEN"
    TOKEN_MISSING = "TOKEN_MISSING"
    CLOCK_WRONG = "CLOCK_WRONG"
    DISK_FULL = "DISK_FULL"
    DISK_READ_ONLY = "DISK_READ_ONLY"


#: States in which the appliance goes on by itself.
GOING_ON: Final = frozenset(
    {State.BOOTING, State.CONFIGURING, State.WAITING_FOR_SUPERLINK, State.JOINING, State.READY, State.ONLINE}
)


class Problem(Protocol):
    """What is wrong with a variable of the context."""

    @property
    def variable(self) -> str:
        """Its name."""

    @property
    def message(self) -> str:
        """What is wrong and what would be right, without secrets."""


class Reporter:
    """Says states; nothing that fails in it stops a boot.

    Args:
        gate: OneGate, or None where the context has none; may be set later.
        root: where the system's root is.
        console: where people look who have no other way in.
        clock: seconds of the epoch.
    """

    def __init__(
        self,
        gate: OneGate | None = None,
        root: Path = Path("/"),
        console: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.gate = gate
        self._root = root
        self._directory = root / DIRECTORY
        self._console = root / "dev/console" if console is None else console
        self._clock = clock
        self._quiet_until = 0.0
        self._told: dict[str, str] = {}
        self._since = ""
        self._said: tuple[State, str, tuple[tuple[str, str], ...]] | None = None
        self._withdrawn = False
        self.onegate_problem = ""

    def say(self, state: State, message: str, problems: Sequence[Problem] = ()) -> None:
        """Say a state everywhere; saying the same again only tells OneGate what it does not know yet."""
        pairs = tuple((problem.variable, problem.message) for problem in problems)
        now = (state, message, pairs)
        fresh = now != self._said
        if fresh:
            known = self._said[0] if self._said else None
            self._since = self._since if known == state else _utc(self._clock())
            self._said = now
            self._write()
            self._to_journal()
            self._to_console()
        self._to_onegate(urgent=fresh and state not in GOING_ON)

    def failed(self, state: State, message: str, problems: Sequence[Problem] = ()) -> None:
        """Say the state in which a boot ended; READY=YES, which an earlier boot may have said, is withdrawn with it."""
        self._withdrawn = True
        self.say(state, message, problems)

    def ready(self) -> bool:
        """Tell OneGate the state and READY=YES, by which OneFlow goes on; returns whether nothing is left to tell."""
        if self.gate is None:
            return True
        return self._tell({**self._attributes(), "READY": "YES"}, self.gate)

    def _attributes(self) -> dict[str, str]:
        """What OneGate is told of the state."""
        if self._said is None:
            return {}
        state, message, pairs = self._said
        return {
            "FLOWER_STATE": str(state),
            "FLOWER_MESSAGE": _shortened(message),
            "FLOWER_PROBLEMS": _shortened("; ".join(f"{name}: {text}" for name, text in pairs)),
            "FLOWER_SINCE": self._since,
            **({"READY": "NO"} if self._withdrawn else {}),
        }

    def _to_onegate(self, urgent: bool) -> None:
        if self.gate is None or (not urgent and time.monotonic() < self._quiet_until):
            return
        # What is said in passing waits for nobody.
        self._tell(self._attributes(), self.gate if urgent else self.gate.patient())

    def _tell(self, attributes: dict[str, str], gate: OneGate) -> bool:
        """Publish what OneGate does not hold yet; a failure is told where it can be."""
        if all(self._told.get(name) == value for name, value in attributes.items()):
            return True
        try:
            gate.publish(attributes)
        except OneGateError as error:
            self._quiet_until = time.monotonic() + _BACKOFF
            problem = str(error)
        else:
            self._told |= attributes
            problem = ""
        if problem != self.onegate_problem:
            self.onegate_problem = problem
            self._write()
            if problem:
                self._journal(f"OneGate could not be told: {problem}", 4)
        return not problem

    def _write(self) -> None:
        if self._said is None:
            return
        state, message, pairs = self._said
        page = [f"Flower appliance: {state}", f"Since:            {self._since}", "", message]
        if pairs:
            page += ["", "What is wrong:"] + [f"  {name}: {text}" for name, text in pairs]
        if self.onegate_problem:
            page += ["", f"OneGate could not be told: {self.onegate_problem}"]
        page += ["", "More: journalctl -u fact8ra-appliance"]
        record = {
            "state": str(state),
            "message": message,
            "since": self._since,
            "problems": [{"variable": name, "message": text} for name, text in pairs],
            "onegate": self.onegate_problem,
        }
        with contextlib.suppress(OSError):
            self._directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            _replace(self._directory / "status", "\n".join(page) + "\n")
            _replace(self._directory / "state.json", json.dumps(record) + "\n")

    def _to_console(self) -> None:
        if self._said is None:
            return
        state, message, pairs = self._said
        lines = [f"fact8ra: {state}: {message}"] + [f"fact8ra:   {name}: {text}" for name, text in pairs]
        with contextlib.suppress(OSError), os.fdopen(os.open(self._console, os.O_WRONLY | os.O_NOCTTY), "wb") as stream:
            # One line each: what a context says must not move a terminal's cursor.
            text = "".join(
                "".join(letter if letter.isprintable() else " " for letter in line) + "\r\n" for line in lines
            )
            stream.write(text.encode(errors="replace"))

    def _to_journal(self) -> None:
        if self._said is None:
            return
        state, message, pairs = self._said
        # Notices, as the watch's unit keeps what is less out of the journal (LogLevelMax).
        priority = 5 if state in GOING_ON else 3
        text = "\n".join([f"{state}: {message}"] + [f"{name}: {text}" for name, text in pairs])
        self._journal(
            text, priority, FACT8RA_STATE=str(state), FACT8RA_VARIABLES=" ".join(name for name, _text in pairs)
        )

    def _journal(self, text: str, priority: int, **fields: str) -> None:
        """Send an entry to journald by its native protocol (systemd, JOURNAL_NATIVE_PROTOCOL)."""
        entry: dict[str, Any] = {
            "MESSAGE": text,
            "PRIORITY": str(priority),
            "SYSLOG_IDENTIFIER": "fact8ra-appliance",
            **fields,
        }
        datagram = b""
        for name, value in entry.items():
            content = value.encode(errors="replace")
            datagram += name.encode() + b"\n" + struct.pack("<Q", len(content)) + content + b"\n"
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
                journal.sendto(datagram, str(self._root / _JOURNAL))
        except OSError:
            print(text, file=sys.stderr, flush=True)


def _utc(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else text[: _MOST_LETTERS - 4] + " ..."


def _replace(path: Path, text: str) -> None:
    """Write a file that everybody may read, whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text, encoding="utf-8", errors="replace")
    draft.chmod(0o644)
    draft.replace(path)
