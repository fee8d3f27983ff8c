# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers, in one call on the node, everything that the roles must know before they change it.

Called as ``python3 - REQUEST`` with this file on standard input. REQUEST is JSON::

    {"venv": path, "fingerprint": hex,   the runtime that is wanted, see install.py
     "files": [{"path", "sha256", "mode", "owner", "group"}],   no sha256: a directory, "any": any content
     "files_without_clock": the same, for a node that may not set its clock,
     "absent": [path], "packages": [name], "units": {name: [path it reads]}, "users": [name],
     "images": [image of a container, by digest]}   also asks for podman

Prints JSON: ``python`` and ``machine``, ``clock`` (whether the node may set its clock), ``ipv6`` (whether it has
IPv6), ``venv`` (why the runtime is not as wanted, empty when it is), ``different`` (paths that are not as wanted),
``packages``, ``users`` and ``images`` (those missing), ``podman`` (version that is installed or would be; empty when
unknown or not asked for), ``units`` (name to ``started``, ``enabled``, ``stale``). Changes nothing.
Runs on any Python 3.7, so that the roles can say that the node's is too old.
"""

from __future__ import annotations

import csv
import grp
import hashlib
import json
import os
import platform
import pwd
import socket
import stat
import subprocess
import sys
import time
from typing import Any

# Bit of CAP_SYS_TIME in capabilities(7).
_CAP_SYS_TIME = 25


def venv_fault(venv: str, fingerprint: str) -> str:
    """Why a virtual environment is not the one that is wanted, or an empty string.

    Every file must have the size that its wheel's RECORD promises, so an environment that lost a part is found.
    """
    try:
        with open(os.path.join(venv, ".fact8ra.json"), encoding="utf-8") as stream:
            marker = json.load(stream)
    except FileNotFoundError:
        return "missing" if not os.path.lexists(venv) else "unfinished"
    except (OSError, ValueError) as error:
        return f"unreadable: {error}"
    if marker.get("fingerprint") != fingerprint:
        return "other requirements"
    if marker["python"] != list(sys.version_info[:2]):
        return "another Python"
    if not os.access(os.path.join(venv, "bin", "python"), os.X_OK):
        return "damaged: bin/python does not run"
    for record in marker["records"]:
        fault = record_fault(os.path.join(venv, record))
        if fault:
            return f"damaged: {fault}"
    return ""


def record_fault(record: str) -> str:
    """First file that a RECORD (PEP 376) lists and that is missing or has another size, or an empty string."""
    root = os.path.dirname(os.path.dirname(record))
    try:
        with open(record, encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
    except OSError:
        return f"{record} is missing"
    for path, _hash, size in rows:
        # What has no size is written on the node, like byte code.
        if not size:
            continue
        try:
            found = os.stat(os.path.join(root, path)).st_size
        except OSError:
            return f"{path} is missing"
        if found != int(size):
            return f"{path} has {found} bytes in place of {size}"
    return ""


def as_wanted(wanted: dict[str, str]) -> bool:
    """Whether a file or directory has its content, mode, owner and group (root, when not given)."""
    path, sha256 = wanted["path"], wanted.get("sha256")
    try:
        found = os.lstat(path)
        if stat.S_IMODE(found.st_mode) != int(wanted["mode"], 8):
            return False
        if pwd.getpwuid(found.st_uid).pw_name != wanted.get("owner", "root"):
            return False
        if grp.getgrgid(found.st_gid).gr_name != wanted.get("group", "root"):
            return False
        if sha256 is None:
            return stat.S_ISDIR(found.st_mode)
        if sha256 == "any" or not stat.S_ISREG(found.st_mode):
            return stat.S_ISREG(found.st_mode)
        with open(path, "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest() == sha256
    except (OSError, KeyError):
        return False


def missing_packages(names: list[str]) -> list[str]:
    """Debian packages that are not installed."""
    if not names:
        return []
    query = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Abbrev}\n", *names]
    try:
        printed = subprocess.run(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode()
    except OSError:
        return names
    installed = {line.split()[0] for line in printed.splitlines() if line.split()[1:] == ["ii"]}
    return [name for name in names if name not in installed]


def missing_users(names: list[str]) -> list[str]:
    """Users that the node does not have."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return [name for name in names if name not in known]


def missing_images(names: list[str]) -> list[str]:
    """Images that podman does not have; all of them where there is no podman."""
    try:
        return [name for name in names if subprocess.run(["podman", "image", "exists", name], check=False).returncode]
    except OSError:
        return names


def podman_version() -> str:
    """Version of Debian's package podman, installed or to be installed; empty when apt knows none."""
    asked = subprocess.run(["apt-cache", "policy", "podman"], stdout=subprocess.PIPE, check=False).stdout.decode()
    found = dict(line.strip().split(": ", 1) for line in asked.splitlines() if ": " in line)
    version = found.get("Installed", "(none)")
    version = found.get("Candidate", "(none)") if version == "(none)" else version
    return "" if version == "(none)" else version.split(":")[-1]


def units(requested: dict[str, list[str]]) -> dict[str, dict[str, bool]]:
    """State of systemd units; ``stale`` when a file that a unit reads is newer than its last start or reload."""
    if not requested:
        return {}
    show = [
        "systemctl",
        "show",
        "--property=Id,ActiveState,UnitFileState,NeedDaemonReload,StateChangeTimestampMonotonic",
        *requested,
    ]
    printed = subprocess.run(show, stdout=subprocess.PIPE, check=False).stdout.decode()
    answer = {}
    # Blocks come in the order in which the units were named; Id is the name of the unit behind an alias.
    for name, block in dict(zip(requested, printed.strip().split("\n\n"))).items():  # noqa: B905
        found = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        started = found.get("ActiveState") in ("active", "activating", "reloading")
        since = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
        since += int(found.get("StateChangeTimestampMonotonic") or 0) / 1e6
        answer[name] = {
            "started": started,
            # Generated: by Quadlet, which reads [Install] at each boot and reload.
            "enabled": found.get("UnitFileState") in ("enabled", "generated"),
            "stale": started
            and (found.get("NeedDaemonReload") == "yes" or any(newer(path, since) for path in requested[name])),
        }
    return answer


def newer(path: str, than: float) -> bool:
    """Whether a file was written after a time (seconds of the epoch)."""
    try:
        return os.stat(path).st_mtime > than
    except OSError:
        return False


def may_set_clock() -> bool:
    """Whether the capability to set the clock is left to processes of this node; a container lacks it."""
    with open("/proc/1/status", encoding="ascii") as stream:
        bounding = next(line.split()[1] for line in stream if line.startswith("CapBnd:"))
    return bool(int(bounding, 16) >> _CAP_SYS_TIME & 1)


def has_ipv6() -> bool:
    """Whether a process of this node can listen on IPv6; a kernel started without it refuses the socket."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a request, see the module's docstring."""
    clock = may_set_clock()
    files = request.get("files", []) + ([] if clock else request.get("files_without_clock", []))
    different = [wanted["path"] for wanted in files if not as_wanted(wanted)]
    return {
        "python": list(sys.version_info[:3]),
        "machine": platform.machine(),
        "clock": clock,
        "ipv6": has_ipv6(),
        "venv": venv_fault(request["venv"], request["fingerprint"]) if "venv" in request else "",
        "different": different + [path for path in request.get("absent", []) if os.path.lexists(path)],
        "packages": missing_packages(request.get("packages", [])),
        "users": missing_users(request.get("users", [])),
        "images": missing_images(request.get("images", [])),
        "podman": podman_version() if "images" in request else "",
        "units": units(request.get("units", {})),
    }


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))
