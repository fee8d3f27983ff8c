# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneGate as it may be asked on behalf of strangers: seldom, one at a time, and not again at once after a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from .onegate import OneGateError, Service

# Seconds between two questions to OneGate, which any stranger could otherwise have us ask.
PAUSE = 1.0
# Seconds for which an answer of OneGate's is good.
FRESH = 5.0


class Gate(Protocol):
    """The part of onegate.OneGate that is needed here."""

    def service(self) -> Service:
        """The service of this VM."""


@dataclass
class Glance:
    """What OneGate said last."""

    gate: Gate
    clock: Callable[[], float]
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _said: tuple[float, Service] | None = None
    _asked_at: float | None = None

    def look(self, *, fresh: bool) -> tuple[Service, bool]:
        """The service, and whether OneGate was asked for it now.

        Raises:
            OneGateError: it failed, or was asked a moment ago.
        """
        with self._lock:
            now = self.clock()
            if self._said and not fresh and abs(now - self._said[0]) < FRESH:
                return self._said[1], False
            if self._asked_at is not None and abs(now - self._asked_at) < PAUSE:
                raise OneGateError(f"OneGate was asked less than {PAUSE:g} s ago")
            self._asked_at = now
            try:
                self._said = (now, self.gate.service())
            finally:
                # Who waited for a question that took long does not ask it once more.
                self._asked_at = self.clock()
            return self._said[1], True
