# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the app tries. Each attempt is answered `got ...`, or `refused ...` with the reason that the system gave."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The kernel's number for unshare(2)'s new user namespace.
CLONE_NEWUSER = 0x10000000


def tried(attempt: Callable[[], str]) -> str:
    """What came of an attempt."""
    try:
        return f"got {attempt()}"
    except (OSError, subprocess.SubprocessError) as error:
        return f"refused {type(error).__name__}: {getattr(error, 'strerror', None) or error}"


def read(path: str) -> str:
    """Read a file, or list a directory."""
    there = Path(path)
    if there.is_dir():
        return ", ".join(sorted(os.listdir(there))) or "an empty directory"
    return f"{len(there.read_bytes())} bytes"


def write(path: str) -> str:
    """Make a file and leave it there."""
    Path(path).write_text("hostile\n")
    return path


def connect(address: str, port: int) -> str:
    """Open a TCP connection."""
    with socket.create_connection((address, port), 5):
        return f"{address} port {port}"


def ask(address: str, port: int) -> str:
    """Send a question over UDP and wait for any answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as question:
        question.settimeout(5)
        question.connect((address, port))
        # RFC 1035: a question for the root.
        question.send(b"\x00\x01\x01\x00\x00\x01" + bytes(6) + b"\x00\x00\x02\x00\x01")
        return f"{len(question.recv(512))} bytes"


def others() -> str:
    """Read the command line of a process of another user, where Flower hands over tokens."""
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.stat(f"/proc/{number}").st_uid != os.getuid():
                found.append(number)
    if not found:
        raise PermissionError("no process of another user is seen")
    return f"{len(found)} processes of other users"


def stop_init() -> str:
    """Send a signal to a process of root."""
    os.kill(1, signal.SIGCONT)
    return "a signal through"


def run(*words: str) -> str:
    """Run a command that must not succeed."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        raise PermissionError(f"status {done.returncode}")
    return "status 0"


def new_root() -> str:
    """Become root in a user namespace of one's own."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(CLONE_NEWUSER):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return "a user namespace"


def raw_socket() -> str:
    """See other processes' packets."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW):
        return "every packet"


def report(targets: dict[str, Any]) -> dict[str, str]:
    """Try everything."""
    found = {"user": f"{os.getuid()}"}
    for path in targets.get("read", []):
        found[f"read {path}"] = tried(lambda path=path: read(path))
    for path in targets.get("write", []):
        found[f"write {path}"] = tried(lambda path=path: write(path))
    for address, port in targets.get("connect", []):
        found[f"connect {address} {port}"] = tried(lambda address=address, port=port: connect(address, port))
    for address, port in targets.get("ask", []):
        found[f"ask {address} {port}"] = tried(lambda address=address, port=port: ask(address, port))
    home = os.environ["HOME"]
    found["control: write at home"] = tried(lambda: write(f"{home}/hostile"))
    found["control: read at home"] = tried(lambda: read(f"{home}/hostile"))
    found["control: run"] = tried(lambda: run("true"))
    found["processes"] = tried(others)
    found["signal"] = tried(stop_init)
    found["sudo"] = tried(lambda: run("sudo", "-n", "true"))
    found["stop a service"] = tried(lambda: run("systemctl", "stop", "flower-supernode", "flower-superlink"))
    found["user namespace"] = tried(new_root)
    found["packet socket"] = tried(raw_socket)
    return found
