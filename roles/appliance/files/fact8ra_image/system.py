# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the builder needs of the operating system: commands, locks, scratch space, and a shell inside a tree."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

#: Where scratch trees are fast, as dpkg syncs each file.
SHM: Final = Path("/dev/shm")
SCRATCH_PREFIX: Final = "fact8ra-image-"
#: What a tree is entered by: of its own mounts and processes, so that nothing of it survives the command.
_ENTER: Final = """
tree=$1 wheels=$2; shift 2
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"
for name in run root tmp; do mount -t tmpfs -o mode=0755 tmpfs "$tree/$name"; done
chmod 1777 "$tree/tmp"
mkdir -p "$tree/run/systemd/resolve" "$tree/run/lock" "$tree/run/wheels"
cp /etc/resolv.conf "$tree/run/systemd/resolve/stub-resolv.conf"
if [ -f "$tree/etc/resolv.conf" ] && [ ! -L "$tree/etc/resolv.conf" ]; then
    mount --bind "$tree/run/systemd/resolve/stub-resolv.conf" "$tree/etc/resolv.conf"
fi
if [ -n "$wheels" ]; then mount --bind -o ro "$wheels" "$tree/run/wheels"; fi
exec chroot "$tree" "$@"
"""


class ImageError(Exception):
    """The image cannot be built; the text names the object, the value and what would be right."""


def run(
    command: Sequence[str],
    *,
    timeout: float = 600,
    stdin: str | None = None,
    environment: Mapping[str, str] | None = None,
    shown: str = "",
) -> str:
    """Run a command and return what it printed.

    Args:
        command: Program and arguments.
        timeout: Seconds.
        stdin: Text for its standard input.
        environment: Variables that it gets besides this process' own.
        shown: What errors call the command, where its words say little.

    Raises ImageError when it is missing, takes too long or fails.
    """
    name = shown or " ".join(command)[:200]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            input=stdin if stdin is not None else "",
            env={**os.environ, **environment} if environment else None,
            check=False,
        )
    except FileNotFoundError:
        raise ImageError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise ImageError(f"`{name}` did not finish within {timeout:g} s") from None
    if done.returncode != 0:
        raise ImageError(
            f"`{name}` failed with {done.returncode}: {(done.stderr.strip() + ' ' + done.stdout.strip())[-2000:]}"
        )
    return done.stdout


def inside(
    tree: Path,
    command: Sequence[str],
    *,
    network: bool = False,
    wheels: Path | None = None,
    stdin: str | None = None,
    timeout: float = 1800,
    shown: str = "",
) -> str:
    """Run a command as root with a tree as its root, and return what it printed.

    The tree has /proc and /dev meanwhile, and empty /run, /root and /tmp that are gone afterwards; `wheels` is at
    /run/wheels. Without `network` it reaches nothing. Raises ImageError as `run` does.
    """
    variables = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        "PYTHONHASHSEED": "0",
        **(
            {name: os.environ[name] for name in ("http_proxy", "https_proxy", "no_proxy") if name in os.environ}
            if network
            else {}
        ),
    }
    return run(
        [
            *("unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--propagation", "private"),
            *(() if network else ("--net",)),
            *("sh", "-euc", _ENTER, "sh", str(tree), str(wheels or "")),
            *("/usr/bin/env", "-i", *(f"{name}={value}" for name, value in variables.items()), *command),
        ],
        timeout=timeout,
        stdin=stdin,
        shown=shown or " ".join(command)[:200],
    )


def missing(*tools: str) -> list[str]:
    """Those of `tools` that are not in PATH or the directories of the administrator's programs."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    return [tool for tool in tools if shutil.which(tool, path=path) is None]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock that ends with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def scratch_parent(fallback: Path, needed: int) -> Path:
    """A file system in memory with `needed` bytes to spare twice, else `fallback`."""
    return SHM if os.path.ismount(SHM) and shutil.disk_usage(SHM).free > 2 * needed else fallback


def remove_tree(path: Path) -> None:
    """Remove a directory with everything below it, or nothing when there is none."""
    if path.exists():
        shutil.rmtree(path)
