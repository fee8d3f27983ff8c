# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Packs the wheels, on the controller, into the archive that is copied to a node.

Called as ``python3 - REQUEST`` with this file on standard input. REQUEST is JSON::

    {"wheelhouse": directory of the wheels, "directory": where the archive is put, "node": name of the node}

Prints the path of the archive. Each node gets a name of its own for it, a hard link, and removes that when it is done:
nodes that come together share one archive, and it is gone with the last of them, in whatever order they go.
Exits with 1 and one line on standard error when something is in the way.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tarfile
import urllib.parse
from pathlib import Path
from typing import Any

# Hexadecimal digits of the fingerprint in an archive's name.
_DIGITS = 16


def fingerprint(wheels: list[Path]) -> str:
    """Stands for names, sizes and times of the wheels, so that a wheel that was made anew makes another archive."""
    found = [(wheel.name, wheel.stat().st_size, wheel.stat().st_mtime_ns) for wheel in wheels]
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:_DIGITS]


def as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """A member of the archive as it shall lie on the node."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mode = 0o644
    return member


def pack(request: dict[str, Any]) -> Path:
    """Answer a request, see the module's docstring."""
    directory = Path(request["directory"]).expanduser().absolute()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    wheels = sorted(Path(request["wheelhouse"]).expanduser().glob("*.whl"))
    node = urllib.parse.quote(request["node"], safe="")
    content = fingerprint(wheels)
    archive = directory / f"{content}.{node}.tar"
    # What a run that was cut short has left of other wheels.
    for rest in directory.glob(f"{'?' * _DIGITS}.{node}.tar"):
        if rest != archive:
            rest.unlink(missing_ok=True)
    if archive.exists():
        return archive
    for other in directory.glob(f"{content}.*.tar"):
        try:
            archive.hardlink_to(other)
        except OSError:
            # Its node has just removed it, or this file system has no links.
            continue
        return archive
    part = archive.with_suffix(".part")
    with tarfile.open(part, "w", dereference=True) as stream:
        for wheel in wheels:
            stream.add(wheel, arcname=wheel.name, filter=as_root)
    part.replace(archive)
    return archive


if __name__ == "__main__":
    os.umask(0o077)
    try:
        print(pack(json.loads(sys.argv[1])))
    except OSError as fault:
        sys.exit(f"the wheels cannot be packed: {fault}")
