# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Restarts the SuperNode of this host when a run misses it least.

Flower reads key and trust once, at its start. Read in flwr 1.41 (supernode/start_client_internal.py, superlink's
linkstate): a SuperNode works on one message at a time and forgets it with its process, and then the ServerApp waits for
hours; it tells of each message in its log, and sleeps 3 s after it asked for one and got none. A ServerApp asks every
3 s for its answers, and for a SuperNode that is not online at that moment it gets an error, even when the answer is
there or the message was not fetched yet. So the moment is right after a question that brought nothing, when the last
answer is old enough to have been taken.

Called as ``python3 - REQUEST`` with this file on standard input. REQUEST is JSON::

    {"unit": name, "apps": name of the unit that runs ClientApps, "patience": seconds, "busy": "restart" or "fail"}

Prints JSON: ``restarted``, ``waited`` (seconds) and ``busy`` (what it worked on until the end, or empty).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

# What Flower 1.41 logs of a message: it has one now, or has no more.
_HAS = ("Receiving: ", "Received successfully", "Sending: ")
_HAS_NOT = (
    "Sent successfully",
    "Failed to send message",
    "Failed to receive message",
    "Ignoring message",
    "Ignoring reply message",
    "Ignoring the message",
)
# What it logs of a SuperLink that does not answer, with pauses that grow (flwr 1.41, http_retry.py).
_LOST = "Connection attempt failed, retrying"
# Seconds after which a ServerApp has taken an answer, unless its host is very busy.
_TAKEN = 3.0
# clock_nanosleep(2) on x86_64 and aarch64.
_SLEEPS = {"230", "115"}
_INTERVAL = 0.2
# A question to the SuperLink takes longer than this, and comes more often than every so many seconds.
_GLANCE, _QUESTION = 0.005, 4.0


def show(unit: str, *properties: str) -> dict[str, str]:
    """Properties of a unit."""
    asked = subprocess.run(
        ["systemctl", "show", f"--property={','.join(properties)}", unit], stdout=subprocess.PIPE, check=False
    )
    return dict(line.split("=", 1) for line in asked.stdout.decode().splitlines() if "=" in line)


def last_word(lines: list[str]) -> tuple[str, float]:
    """The last line that tells of a message, and when it was written (seconds of the epoch); empty and 0 for none."""
    for line in reversed(lines):
        if any(text in line for text in _HAS + _HAS_NOT):
            found = re.match(r"(\d+\.\d+)", line)
            return line, float(found.group(1)) if found else 0.0
    return "", 0.0


def journal(invocation: str) -> list[str]:
    """Last lines that a service wrote since its start, each with its time."""
    command = ["journalctl", "--all", "--quiet", "--no-pager", "--output=short-unix", "--lines=400"]
    asked = subprocess.run([*command, f"_SYSTEMD_INVOCATION_ID={invocation}"], stdout=subprocess.PIPE, check=False)
    return asked.stdout.decode(errors="replace").splitlines()


def no_connection(lines: list[str]) -> bool:
    """Whether the last thing that was said is that the SuperLink does not answer: then it asks no question for long."""
    return bool(lines) and _LOST in lines[-1]


def main_process(pid: int) -> int:
    """The process that systemd's main process stands for: that of the container, when it is podman's conmon."""
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as stream:
            if stream.read().strip() != "conmon":
                return pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as stream:
            return int((stream.read().split() or ["0"])[0])
    return pid


def apps(unit: str) -> list[str]:
    """Names of the processes below a SuperExec, which runs each app as a child."""
    main = main_process(int(show(unit, "MainPID").get("MainPID") or 0))
    found: list[str] = []
    with contextlib.suppress(OSError), open(f"/proc/{main}/task/{main}/children", encoding="ascii") as stream:
        for child in stream.read().split():
            with contextlib.suppress(OSError), open(f"/proc/{child}/cmdline", "rb") as line:
                found += [part.decode(errors="replace") for part in line.read().split(b"\0") if b"flwr-" in part][:1]
    return found


def sleeps(pid: int) -> bool | None:
    """Whether the main thread of a process sleeps; None where the kernel does not tell."""
    try:
        with open(f"/proc/{pid}/task/{pid}/syscall", encoding="ascii") as stream:
            return stream.read().split()[0] in _SLEEPS
    except OSError:
        return None


def falls_asleep(pid: int) -> bool:
    """Wait until the main thread has asked the SuperLink and sleeps again; false when it does not within a while."""
    deadline, awake = time.monotonic() + _QUESTION, False
    while time.monotonic() < deadline:
        asleep = sleeps(pid)
        if asleep is None or (asleep and awake):
            return True
        awake = not asleep
        time.sleep(_GLANCE)
    return False


def works_on(invocation: str, apps_unit: str) -> str:
    """What keeps the SuperNode from a restart now, or an empty string."""
    line, at = last_word(journal(invocation))
    if any(text in line for text in _HAS):
        return f"a message ({line.split(': ', 2)[-1].strip()})"
    running = apps(apps_unit)
    if running:
        return f"an app ({os.path.basename(running[0])})"
    return "an answer that was sent just now" if time.time() - at < _TAKEN else ""


def restart(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a request, see the module's docstring."""
    unit, begin = request["unit"], time.monotonic()
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    busy = ""
    while True:
        state = show(unit, "ActiveState", "MainPID", "InvocationID")
        pid = main_process(int(state.get("MainPID") or 0))
        if state.get("ActiveState") != "active" or pid == 0:
            busy = ""
            break
        busy = works_on(state["InvocationID"], request["apps"])
        if not busy:
            lost = no_connection(journal(state["InvocationID"]))
            busy = "" if lost or falls_asleep(pid) else "a question to the SuperLink"
            busy = busy or works_on(state["InvocationID"], request["apps"])
        if not busy:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            break
        if time.monotonic() - begin >= request["patience"]:
            break
        time.sleep(_INTERVAL)
    waited = round(time.monotonic() - begin, 1)
    if busy and request["busy"] == "fail":
        return {"restarted": False, "waited": waited, "busy": busy}
    subprocess.run(["systemctl", "restart", unit], check=True)
    return {"restarted": True, "waited": waited, "busy": busy}


if __name__ == "__main__":
    print(json.dumps(restart(json.loads(sys.argv[1]))))
