# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Time for the tests of waits."""

from __future__ import annotations


class Clock:
    """Time that passes only while somebody sleeps.

    Attributes:
        now: seconds.
        naps: the seconds of each sleep, in order.
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.naps: list[float] = []

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move the time; a sleep that does not is a loop without end."""
        assert seconds > 0
        self.naps.append(seconds)
        self.now += seconds
