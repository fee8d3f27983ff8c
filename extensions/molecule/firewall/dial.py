# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Dials as users of this host: `dial.py "USER ADDRESS PORT"...` prints each with its outcome.

`open`, `closed` (the other end says that nothing listens), `refused` (this host's firewall says so), or `dropped`.
"""

from __future__ import annotations

import grp
import os
import pwd
import socket
import sys

SECONDS = 1


def become(user: str) -> None:
    """Give up root for a user; `control` stands for one whose group is flower-control."""
    os.setgroups([])
    entry = None if user == "control" else pwd.getpwnam(user)
    os.setgid(entry.pw_gid if entry else grp.getgrnam("flower-control").gr_gid)
    os.setuid(entry.pw_uid if entry else 65000)


def dial(address: str, port: int) -> str:
    """Outcome of a connection."""
    try:
        socket.create_connection((address, port), SECONDS).close()
    except TimeoutError:
        return "dropped"
    except ConnectionRefusedError:
        return "closed"
    except OSError:
        return "refused"
    return "open"


def outcome(line: str) -> int:
    """Start to dial in a process of its own; returns where to read what comes of it."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        user, address, port = line.split()
        become(user)
        os.write(writing, dial(address, int(port)).encode())
        os._exit(0)
    os.close(writing)
    return reading


for asked, answer in [(line, outcome(line)) for line in sys.argv[1:]]:
    print(asked, os.read(answer, 16).decode())
