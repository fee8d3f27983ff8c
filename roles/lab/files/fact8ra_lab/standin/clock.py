# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Things to do later: one thread, a heap of due times. What it runs must be short; blocking work goes to workers."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

_LOG = logging.getLogger(__name__)


class Clock:
    """Runs functions when they are due."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._condition = threading.Condition()
        self._stopped = False
        self._named: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def after(self, delay: float, work: Callable[[], None]) -> None:
        """Runs ``work`` in ``delay`` seconds."""
        with self._condition:
            heapq.heappush(self._due, (time.monotonic() + delay, next(self._count), work))
            self._condition.notify()

    def once(self, name: str, delay: float, work: Callable[[], None]) -> None:
        """Like ``after``, but one waiting call of a name is enough."""
        with self._condition:
            if name in self._named:
                return
            self._named.add(name)

        def run() -> None:
            with self._condition:
                self._named.discard(name)
            work()

        self.after(delay, run)

    def stop(self) -> None:
        """Stops; what was not due yet is dropped."""
        with self._condition:
            self._stopped = True
            self._condition.notify()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout=2)

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._stopped and (not self._due or self._due[0][0] > time.monotonic()):
                    self._condition.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._stopped:
                    return
                work = heapq.heappop(self._due)[2]
            try:
                work()
            except Exception:  # noqa: BLE001 - one failing step must not end the life of all VMs
                _LOG.exception("a step of the life cycle failed")
