# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Faults on request, and the list of calls that were made; both for tests of clients.

Faults (each may have ``times``: how often it happens, default without end):
``{"refuse": "one.vn.allocate", "code": 8192, "text": ".."}`` an XML-RPC method, or "VERB /path" of OneFlow or OneGate
with ``code`` as the HTTP status; ``{"silence": "xmlrpc"}`` an API accepts the connection and never answers;
``{"drop": "oneflow"}`` closes the connection without an answer; ``{"garbage": "oneflow"}`` answers no valid document;
``{"delay": {"api": "oneflow", "seconds": 3}}``; ``{"skew": {"api": "onegate", "seconds": 3}}`` its clock is ahead, as
the header Date says;
``{"lie": "one.vn.update"}`` or ``{"lie": "POST /service/3/scale"}`` answers a client that it is done, and does nothing;
``{"boot_failure": "supernode", "text": ".."}`` VMs of a role or name;
``{"no_ready": "superlink"}`` VMs of a role never report READY; ``{"no_shutdown": "supernode"}`` they never stop;
``{"net_error": "name"}`` a network goes to ERROR; ``{"image_error": "name", "text": ".."}`` an image does;
``{"secgroup_error": "name"}`` VMs do not take the new rules of a group;
``{"stuck": "name"}`` a network stays in LOCK_CREATE, an image LOCKED or in DELETE.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any, Final

KINDS: Final = (
    "refuse", "lie", "silence", "drop", "garbage", "delay", "skew", "boot_failure", "no_ready", "no_shutdown",
    "net_error", "image_error", "secgroup_error", "stuck",
)  # fmt: skip

_READ: Final = re.compile(r"one\..*(info|monitoring|version|config|showback|list)|GET /.*")
_CHANGE: Final = re.compile(r"one\.\w+\.\w+|(POST|PUT|DELETE) /\S+")


@dataclass
class Fault:
    """One fault; ``left`` is None where it happens without end."""

    kind: str
    target: str
    left: int | None = None
    options: dict[str, Any] = field(default_factory=dict)


class Faults:
    """The active faults and the calls since the last reset. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        #: (api, "one.method" or "VERB /path"), in order.
        self.calls: list[tuple[str, str]] = []
        self._released = threading.Event()

    def add(self, description: dict[str, Any]) -> None:
        """Adds a fault. Raises ValueError that names what is wrong."""
        kinds = [kind for kind in KINDS if kind in description]
        if len(kinds) != 1:
            raise ValueError(f"fault {description!r} must have exactly one of the keys {', '.join(KINDS)}")
        value = description[kinds[0]]
        options = {key: item for key, item in description.items() if key not in (kinds[0], "times")}
        if kinds[0] in ("delay", "skew"):
            if not isinstance(value, dict) or "api" not in value or "seconds" not in value:
                raise ValueError(f"fault {kinds[0]} is {value!r}; it must give api and seconds")
            options |= value
            value = value["api"]
        if kinds[0] == "lie":
            target = str(value)
            if _READ.fullmatch(target) or not _CHANGE.fullmatch(target):
                raise ValueError(
                    f"fault lie is {target!r}; it must be a change, like one.vn.update or POST /service/3/scale"
                )
        times = description.get("times")
        if times is not None and not isinstance(times, int):
            raise ValueError(f"times of a fault is {times!r}; it must be a number")
        with self._lock:
            self._faults.append(Fault(kinds[0], str(value), times, options))
            self._released = threading.Event()

    def clear(self) -> None:
        """Removes every fault; silent connections are closed."""
        with self._lock:
            self._faults.clear()
            self._released.set()

    def active(self, kind: str, *targets: str) -> Fault | None:
        """The first active fault of a kind on one of the targets; counts it."""
        with self._lock:
            for fault in self._faults:
                if fault.kind == kind and fault.target in targets and fault.left != 0:
                    if fault.left is not None:
                        fault.left -= 1
                    return fault
        return None

    def wait_released(self, seconds: float) -> None:
        """Waits until the faults are cleared, at most so long."""
        self._released.wait(seconds)

    def count(self, api: str, what: str) -> None:
        """Remembers a call."""
        with self._lock:
            self.calls.append((api, what))

    def reset(self) -> None:
        """Forgets the calls."""
        with self._lock:
            self.calls.clear()
