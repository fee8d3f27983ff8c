# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers, in one call on the node, everything that role firewall must know before it changes it.

Called as ``python3 - REQUEST`` with this file on standard input. REQUEST is JSON::

    {"files": [path], "ruleset": path of the ruleset that is to be loaded, "unit": name of the unit that loads it,
     "packages": [name], "users": [name], "groups": [name]}

Prints JSON: ``files`` (path to "SHA-256 MODE" of those that are there), ``table`` (whether the table is loaded),
``loaded`` (whether the kernel has what the ruleset says, to the last rule), ``started``, ``enabled`` and ``reload``
(whether systemd has an older unit), ``packages`` (those missing), ``users`` and ``groups`` (numbers by name of those
that the node has), ``ssh`` (source, its port, destination and its port of the connection that this came by, or
nothing), ``onegate`` (the address of OneGate by the VM's context, or nothing). Changes nothing.
"""

from __future__ import annotations

import contextlib
import grp
import hashlib
import json
import os
import pwd
import shlex
import stat
import subprocess
import sys
from typing import Any

_TABLE = ["inet", "fact8ra"]
_NFT = "/usr/sbin/nft"
_CONTEXT = "/run/one-context/one_env"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command; one that is not there has failed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def described(path: str) -> str:
    """SHA-256 and mode of a file of root, "other" for something else, and nothing for what is not there."""
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode) or (found.st_uid, found.st_gid) != (0, 0):
            return "other"
        with open(path, "rb") as stream:
            return f"{hashlib.sha256(stream.read()).hexdigest()} {stat.S_IMODE(found.st_mode):04o}"
    except FileNotFoundError:
        return ""


def loaded(ruleset: str) -> tuple[bool, bool]:
    """Whether the table is there, and whether it is what the ruleset makes: a network namespace of its own tells."""
    listing = [_NFT, "--stateless", "list", "table", *_TABLE]
    found = run(*listing)
    if found.returncode != 0:
        return False, False
    made = run("unshare", "--net", "/bin/sh", "-c", '"$1" -f "$2" && shift 2 && "$@"', "sh", _NFT, ruleset, *listing)
    return True, made.returncode == 0 and made.stdout == found.stdout


def unit(name: str) -> dict[str, bool]:
    """State of the unit."""
    shown = run("systemctl", "show", "--property=ActiveState,UnitFileState,NeedDaemonReload", name).stdout
    found = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return {
        "started": found.get("ActiveState") == "active",
        "enabled": found.get("UnitFileState") == "enabled",
        "reload": found.get("NeedDaemonReload") == "yes",
    }


def missing_packages(names: list[str]) -> list[str]:
    """Debian packages that are not installed."""
    shown = run("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Abbrev}\n", *names).stdout if names else ""
    installed = {line.split()[0] for line in shown.splitlines() if line.split()[1:] == ["ii"]}
    return [name for name in names if name not in installed]


def connection() -> str:
    """SSH_CONNECTION of this process or the nearest above it that has it; sudo keeps it from those below."""
    process = os.getpid()
    while process > 1:
        try:
            with open(f"/proc/{process}/environ", "rb") as stream:
                variables = stream.read().split(b"\0")
            with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as stream:
                process = int(stream.read().rpartition(")")[2].split()[1])
        except OSError:
            return ""
        for variable in variables:
            if variable.startswith(b"SSH_CONNECTION="):
                return variable.partition(b"=")[2].decode("ascii", "replace")
    return ""


def onegate() -> str:
    """ONEGATE_ENDPOINT of the VM's context (lines of a shell); nothing else of it, since it holds a token."""
    try:
        with open(_CONTEXT, encoding="utf-8", errors="replace") as stream:
            words = shlex.split(stream.read())
    except (OSError, ValueError):
        return ""
    return next((word.partition("=")[2] for word in words if word.startswith("ONEGATE_ENDPOINT=")), "")


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a request, see the module's docstring."""
    table, as_wanted = loaded(request["ruleset"])
    users, groups = {}, {}
    for name in request["users"]:
        with contextlib.suppress(KeyError):
            users[name] = pwd.getpwnam(name).pw_uid
    for name in request["groups"]:
        with contextlib.suppress(KeyError):
            groups[name] = grp.getgrnam(name).gr_gid
    return {
        "files": {path: found for path in request["files"] if (found := described(path))},
        "table": table,
        "loaded": as_wanted,
        **unit(request["unit"]),
        "packages": missing_packages(request["packages"]),
        "users": users,
        "groups": groups,
        "ssh": connection(),
        "onegate": onegate(),
    }


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))
