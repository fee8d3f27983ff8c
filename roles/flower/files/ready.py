# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Waits, on the node, until services do their work, and says why when they do not.

Called as ``python3 - REQUEST`` with this file on standard input. REQUEST is JSON::

    {"units": {name: port or null}, "urls": {url: [CA file, status]}, "timeout": seconds}

A unit with a port is ready when its main process holds a connection to that port: a Flower process that was refused,
for whatever reason, exits within a second of its first request, often with exit status 0, and systemd starts it
again. Prints JSON: ``ready``, ``seconds``, ``problems`` (lines for people), ``journal`` (last lines by unit that is
not ready).
"""

from __future__ import annotations

import json
import math
import os
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any

_INTERVAL = 0.3
# A process this old that still holds its connection has been accepted.
_SETTLED = 15.0
# A younger one must be seen with it twice, this far apart.
_APART = 1.5
_JOURNAL_LINES = 25
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# Text of Flower 1.41 in a unit's journal, what it means, and whether waiting cannot help.
CAUSES: list[tuple[str, str, bool]] = [
    ("CERTIFICATE_VERIFY_FAILED", "the SuperLink's certificate is not accepted: {detail}", True),
    ("Exit Code: 302", "the SuperNode's private key is not an OpenSSH EC key without passphrase", True),
    ("Exit Code: 303", "a SuperNode key is given without TLS", True),
    ("Exit Code: 104", "flower-superlink does not accept its arguments", True),
    ("Exit Code: 105", "the state database has another schema; it was written by a newer Flower", True),
    ("Can't locate revision", "the state database was written by a newer Flower", True),
    ("Exit Code: 606", "SuperExec and its SuperLink or SuperNode are of different Flower minors", True),
    ("KEY_VALUES_MISMATCH", "certificate and key do not belong together", True),
    ("does not point to a file", "a file that is given on the command line is missing", True),
    ("[Errno 98]", "the port is in use by another process", True),
    ("unable to open database file", "the state database cannot be opened", True),
    (
        "[code: 2004]",
        "the SuperLink refuses this key: it is not registered, was unregistered, or is in use by a node that is online"
        " or was until a minute ago",
        False,
    ),
    ("[code: 2001]", "the SuperLink wants a registered key, and this SuperNode gives none", True),
    ("Connection attempt failed", "nothing answers at the address and port that it dials", False),
    ("Exit Code: 305", "the connection to the SuperLink failed", False),
]
# Unaccepted signatures are the one refusal that Flower does not name: it ends "gracefully", with status 0.
_GRACEFUL = "terminated gracefully"


def systemd(name: str) -> dict[str, str]:
    """Properties of a unit."""
    wanted = "ActiveState,SubState,Result,MainPID,NRestarts,InvocationID,ExecMainStatus,ExecMainStartTimestampMonotonic"
    printed = subprocess.run(
        ["systemctl", "show", f"--property={wanted}", name], stdout=subprocess.PIPE, check=False
    ).stdout.decode()
    return dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)


def journal(name: str, since: float = 0) -> list[str]:
    """Last lines of a unit's journal, not older than a time (seconds of the epoch), without colours."""
    command = ["journalctl", "--no-pager", "--quiet", "--output=cat", f"--unit={name}"]
    # Together journalctl would print the first lines since then, not the last ones.
    command.append(f"--since=@{math.ceil(since)}" if since else f"--lines={_JOURNAL_LINES}")
    printed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    lines = _COLOUR.sub("", printed.decode(errors="replace")).splitlines()
    return [line for line in lines if line.strip()][-_JOURNAL_LINES:]


def main_process(pid: int) -> int:
    """The process that systemd's main process stands for: that of the container, when it is podman's conmon."""
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as stream:
            if stream.read().strip() != "conmon":
                return pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as stream:
            return int((stream.read().split() or ["0"])[0])
    except OSError:
        return pid


def connected(pid: int, port: int) -> bool:
    """Whether a process holds an established TCP connection to a port."""
    sockets = set()
    try:
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{descriptor}")
            except OSError:
                continue
            if target.startswith("socket:["):
                sockets.add(target[len("socket:[") : -1])
        rows = []
        for table in ("tcp", "tcp6"):
            with open(f"/proc/{pid}/net/{table}", encoding="ascii") as stream:
                rows += [line.split() for line in stream.readlines()[1:]]
    except OSError:
        return False
    # Columns of proc(5): remote address, state (01 is established), inode.
    return any(row[2].endswith(f":{port:04X}") and row[3] == "01" and row[9] in sockets for row in rows)


def url_problem(url: str, ca_file: str, status: int) -> str:
    """Why an address does not answer as it must, or an empty string; its certificate is verified."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
        with urllib.request.urlopen(url, timeout=5, context=context) as answer:
            found = answer.status
    except urllib.error.HTTPError as error:
        found = error.code
    except OSError as error:
        return f"{url} does not answer: {getattr(error, 'reason', error)}"
    return "" if found == status else f"{url} answers {found} in place of {status}"


class Unit:
    """One unit under watch."""

    def __init__(self, name: str, port: int | None) -> None:
        self.name = name
        self.port = port
        self.seen: tuple[str, float] | None = None

    def problem(self) -> str:
        """Why the unit is not ready, or an empty string."""
        state = systemd(self.name)
        if state.get("ActiveState") != "active":
            return f"{self.name} is {state.get('ActiveState')} ({state.get('SubState')}, {state.get('Result')})"
        if self.port is None:
            return ""
        if not connected(main_process(int(state["MainPID"])), self.port):
            self.seen = None
            return f"{self.name} holds no connection to port {self.port}, restarted {state.get('NRestarts')} times"
        now = time.clock_gettime(time.CLOCK_MONOTONIC)
        if now - int(state["ExecMainStartTimestampMonotonic"]) / 1e6 > _SETTLED:
            return ""
        if self.seen is None or self.seen[0] != state["InvocationID"]:
            self.seen = (state["InvocationID"], now)
        return "" if now - self.seen[1] >= _APART else f"{self.name} has only just connected to port {self.port}"


def cause(lines: list[str]) -> tuple[str, bool]:
    """What the journal of a unit that does not come up tells (empty when nothing), and whether waiting cannot help."""
    for text, meaning, final in CAUSES:
        for line in reversed(lines):
            if text in line:
                detail = line.split("CERTIFICATE_VERIFY_FAILED]", 1)[-1].split("(_ssl", 1)[0].strip()
                return meaning.format(detail=detail), final
    if any(_GRACEFUL in line for line in lines):
        return (
            "the SuperLink refuses this node's signature: the node's clock is more than 5 seconds ahead of the"
            " SuperLink's or 5 minutes behind it, or the node was unregistered",
            False,
        )
    return "", False


def wait(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a request, see the module's docstring."""
    begin, since = time.monotonic(), time.time()
    units = [Unit(name, port) for name, port in request["units"].items()]
    while True:
        faults = {unit.name: unit.problem() for unit in units}
        faults.update({url: url_problem(url, *expected) for url, expected in request.get("urls", {}).items()})
        waiting = [name for name, fault in faults.items() if fault]
        seconds = round(time.monotonic() - begin, 1)
        if not waiting:
            return {"ready": True, "seconds": seconds, "problems": [], "journal": {}}
        late = seconds > request["timeout"]
        # What stood in the journal before may have been mended since, so it is told only at the end.
        oldest = 0 if late else since
        causes = {unit.name: cause(journal(unit.name, oldest)) for unit in units if faults[unit.name]}
        if late or any(final for _meaning, final in causes.values()):
            problems = []
            for name in waiting:
                meaning = causes.get(name, ("", False))[0]
                problems.append(f"{faults[name]}{f': {meaning}' if meaning else ''}")
            return {
                "ready": False,
                "seconds": seconds,
                "problems": problems,
                # Units come in the order in which they need each other: the first one that fails tells the most.
                "journal": {name: journal(name) for name in [unit.name for unit in units if faults[unit.name]][:1]},
            }
        time.sleep(_INTERVAL)


if __name__ == "__main__":
    print(json.dumps(wait(json.loads(sys.argv[1]))))
