# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Background processes without a service manager: own session, log file, and a pid file that cannot name a stranger.

The pid file is JSON with the pid, its start time and the boot it belongs to, so that a pid used again after a crash or
a reboot is never taken for ours.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from ._system import LabError, read_json, run, wait_until, write_file

KILL_SECONDS = 10


def _identity(pid: int) -> dict[str, int | str] | None:
    """Return what tells this process from any other of the same pid; None when it is gone or a zombie."""
    try:
        # The command's name may hold spaces and brackets; the fields after the last bracket are fixed (man 5 proc).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return {"pid": pid, "start": int(fields[19]), "boot": boot}


def running(pid_file: Path) -> int | None:
    """Return the pid that the file names, or None when that very process does not run."""
    try:
        known = read_json(pid_file)
    except LabError:
        return None
    if not isinstance(known, dict) or not isinstance(known.get("pid"), int):
        return None
    return known["pid"] if _identity(known["pid"]) == known else None


def record(pid_file: Path, pid: int) -> None:
    """Write the pid file of a live process."""
    write_file(pid_file, json.dumps(_identity(pid)) + "\n")


def start(
    pid_file: Path, log_file: Path, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> tuple[int, bool]:
    """Start a command detached from this process unless it runs; returns (pid, whether it was started)."""
    pid = running(pid_file)
    if pid is not None:
        return pid, False
    log_file.parent.mkdir(parents=True, exist_ok=True)
    # Forked by setsid and thus a child of PID 1: nobody here has to wait for it. The shell becomes the command.
    script = 'log=$1; shift; echo $$; exec "$@" >>"$log" 2>&1 </dev/null'
    variables = [f"{key}={value}" for key, value in (environment or {}).items()]
    prefix = ["env", "--chdir=/", *variables, "setsid", "--fork", "sh", "-c", script, "sh", str(log_file)]
    pid = int(run([*prefix, *command]).stdout)
    record(pid_file, pid)
    return pid, True


def stop(pid_file: Path, timeout: float = 10) -> bool:
    """Stop the process that the file names, at first politely; removes the file, returns whether it ran.

    Raises LabError when it outlives SIGKILL.
    """
    pid = running(pid_file)
    if pid is not None:
        _signal(pid, signal.SIGTERM)
        if not wait_until(lambda: running(pid_file) is None, timeout):
            _signal(pid, signal.SIGKILL)
            if not wait_until(lambda: running(pid_file) is None, KILL_SECONDS):
                raise LabError(f"process {pid} of {pid_file} outlived SIGKILL")
    pid_file.unlink(missing_ok=True)
    return pid is not None


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def tail(path: Path, lines: int = 20) -> str:
    """Return the last lines of a log, or a note that there is none."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return f"(no {path})"
