# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The Python packages of the images: what the lock files name and nothing else, each with its hash checked."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from .recipe import LOCKS
from .system import ImageError, locked, run

#: Debian 12: Python 3.11, glibc 2.36.
_PYTHON: Final = "3.11"
_GLIBC: Final = 36


def wheelhouse(lock: str, cache: Path, *, given: str = "", index: str = "") -> Path:
    """A directory with the wheels of a lock file, filled once for each content of that file.

    Args:
        lock: Name of the lock file, without its suffix.
        cache: Where wheelhouses are kept.
        given: Wheelhouse of the operator's to take them from; then no index is asked.
        index: Package index, "" for PyPI; its credentials are nowhere but in the environment of pip.

    Raises ImageError with pip's own words when a wheel cannot be had or has another hash.
    """
    path = LOCKS / f"{lock}.txt"
    target = cache / f"wheels-{lock}-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
    with locked(cache / ".wheels.lock"):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(prefix=".new-", dir=cache) as scratch:
                new = Path(scratch) / "wheels"
                _download(path, new, given, index)
                new.chmod(0o755)
                new.rename(target)
    return target


def _download(lock: Path, directory: Path, given: str, index: str) -> None:
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(_GLIBC, 4, -1)]
    platforms += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"]
    source = ["--no-index", f"--find-links={given}"] if given else []
    environment = {"PIP_INDEX_URL": index} if index else {}
    run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir"),
            *(f"--dest={directory}", "--only-binary=:all:", "--no-deps", "--require-hashes", f"--requirement={lock}"),
            *("--implementation=cp", f"--python-version={_PYTHON}", "--abi=cp311", "--abi=abi3", "--abi=none"),
            *(f"--platform={platform}" for platform in platforms),
            *source,
        ],
        timeout=3600,
        environment={**os.environ, **environment},
        shown=f"pip download of {lock.name} from {given or 'the index'}",
    )


def uv(wheels: Path) -> Path:
    """The wheel of uv, which installs the others."""
    found = sorted(wheels.glob("uv-*.whl"))
    if not found:
        raise ImageError(f"{wheels} has no wheel of uv; resolve requirements/appliance-flower.in anew (make lock)")
    return found[-1]
