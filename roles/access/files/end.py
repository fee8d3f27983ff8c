# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Ends every process of the uids that are given as arguments, and with them their SSH sessions. Prints how many
there were.

Raises:
    SystemExit: processes were there after 10 seconds still.
"""

from __future__ import annotations

import os
import signal
import sys
import time

_SECONDS = 10.0


def processes(uids: set[int]) -> list[int]:
    """The processes whose real or effective uid is one of these, without those that have ended and are not reaped."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/status", encoding="utf-8", errors="replace") as stream:
                status = dict(line.split(":", 1) for line in stream if ":" in line)
        except OSError:
            continue
        if uids & {int(uid) for uid in status["Uid"].split()[:2]} and status["State"].split()[0] not in "ZX":
            found.append(int(name))
    return found


def end(uids: set[int], seconds: float = _SECONDS) -> int:
    """Kill until nothing is left; return how many processes there were."""
    ended: set[int] = set()
    deadline = time.monotonic() + seconds
    while left := processes(uids):
        if time.monotonic() > deadline:
            sys.exit(f"processes {left} of the uids {sorted(uids)} do not end")
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        ended.update(left)
        time.sleep(0.05)
    return len(ended)


if __name__ == "__main__":
    print(end({int(uid) for uid in sys.argv[1:] if int(uid) > 0}))
