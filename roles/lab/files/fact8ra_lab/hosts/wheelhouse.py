# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The wheels that the lab's hosts install from, since they are offline: filled once for the guests' Python.

A finished wheelhouse holds `.requirements.json`; it takes the place of an older one by renames.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._system import LabError, Paths, locked, read_json, remove_tree, run

# Debian 12, the base system: Python 3.11, glibc 2.36.
PYTHON_VERSION = "3.11"
GLIBC_MINOR = 36
STAMP = ".requirements.json"


@dataclass(frozen=True)
class Wheelhouse:
    """A directory of wheels, whether this call filled it (or would), and how many seconds that took."""

    directory: Path
    changed: bool
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For the command line's JSON."""
        return {"directory": str(self.directory), "changed": self.changed, "seconds": round(self.seconds, 1)}


def ensure(paths: Paths, requirements: Sequence[str], pip: Sequence[str], *, check: bool = False) -> Wheelhouse:
    """Return a wheelhouse for exactly these requirements, downloading when the one at hand is for others.

    `pip` is the command to download with; its environment (index, proxies, certificates) is kept. With `check` nothing
    is downloaded. Raises LabError with pip's own words when a wheel cannot be had.
    """
    target = paths.cache / "wheelhouse"
    wanted = {"requirements": sorted(requirements), "python": PYTHON_VERSION, "glibc": f"2.{GLIBC_MINOR}"}
    if check or read_json(target / STAMP) == wanted:
        return Wheelhouse(target, read_json(target / STAMP) != wanted, 0)
    started = time.monotonic()
    with locked(paths.cache / ".wheelhouse.lock"):
        if read_json(target / STAMP) == wanted:  # another process filled it while this one waited
            return Wheelhouse(target, False, time.monotonic() - started)
        for leftover in paths.cache.glob(".wheelhouse-*"):
            remove_tree(leftover)
        with tempfile.TemporaryDirectory(prefix=".wheelhouse-", dir=paths.cache) as scratch:
            new = Path(scratch) / "new"
            _download(new, requirements, pip)
            (new / STAMP).write_text(json.dumps(wanted, indent=2) + "\n")
            run(["sync", "--file-system", str(new)], timeout=600)
            if target.exists():
                target.rename(Path(scratch) / "old")
            new.rename(target)
    return Wheelhouse(target, True, time.monotonic() - started)


def _download(directory: Path, requirements: Sequence[str], pip: Sequence[str]) -> None:
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(GLIBC_MINOR, 4, -1)]
    platforms += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"]
    command = [
        *pip,
        "download",
        "--quiet",
        "--disable-pip-version-check",
        f"--dest={directory}",
        "--only-binary=:all:",
        "--implementation=cp",
        f"--python-version={PYTHON_VERSION}",
        *(f"--abi={abi}" for abi in ("cp" + PYTHON_VERSION.replace(".", ""), "abi3", "none")),
        *(f"--platform={platform}" for platform in platforms),
        *requirements,
    ]
    try:
        run(command, timeout=1800)
    except LabError as error:
        # Hundreds of platform arguments say nothing; what pip said does.
        text = str(error).rpartition("failed with ")[2] or str(error)
        raise LabError(f"wheelhouse for {', '.join(requirements)}: pip failed with {text}") from None
