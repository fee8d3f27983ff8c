# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What every part of the hosts package needs of the operating system: commands, locks, files, namespaces, cgroups."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NETNS_DIR = Path("/run/netns")
LOCK_FILE = Path("/run/lock/fact8ra-lab.lock")
CGROUP_PARENT = "fact8ra-lab"


class LabError(Exception):
    """The lab cannot do what was asked; the text names the object, the value and what would be right."""


@dataclass(frozen=True)
class Paths:
    """Where the lab keeps things.

    `state` is removed with the lab (machines, network settings, logs); `cache` is kept (base system, wheelhouse).
    """

    state: Path = Path("/var/lib/fact8ra-lab")
    cache: Path = Path("/var/cache/fact8ra-lab")

    @property
    def machines(self) -> Path:
        """One directory a machine."""
        return self.state / "machines"

    @property
    def bases(self) -> Path:
        """One directory a recipe, named by its hash."""
        return self.cache / "base"


def run(
    command: Sequence[str], *, check: bool = True, timeout: float = 60, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and return its result with text output.

    Raises LabError when it is missing, takes longer than `timeout` seconds, or (with `check`) fails.
    """
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, input=stdin, check=False)
    except FileNotFoundError:
        raise LabError(f"{command[0]} is not installed; role lab installs it, or see lab_packages") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"`{' '.join(command)}` did not finish within {timeout:g} s") from None
    if check and result.returncode != 0:
        text = (result.stderr.strip() or result.stdout.strip())[-2000:]
        raise LabError(f"`{' '.join(command)}` failed with {result.returncode}: {text}")
    return result


def require(*tools: str) -> None:
    """Raise LabError naming every one of `tools` that is not in PATH, and when not root."""
    if os.geteuid() != 0:
        raise LabError("the lab's hosts need root (namespaces, mounts, cgroups); use the driver `none` without it")
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        raise LabError(f"missing on this computer: {', '.join(missing)}; role lab installs them, see lab_packages")


_guards: defaultdict[Path, threading.RLock] = defaultdict(threading.RLock)
_held: set[Path] = set()


@contextlib.contextmanager
def locked(path: Path = LOCK_FILE) -> Iterator[None]:
    """Hold an exclusive lock of the whole computer; it ends with the process, so nothing can be left locked.

    May be entered again by the thread that holds it.
    """
    with _guards[path]:
        if path in _held:
            yield
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            _held.add(path)
            try:
                yield
            finally:
                _held.remove(path)


def write_file(path: Path, text: str, mode: int = 0o644) -> bool:
    """Write a file atomically with that mode; returns whether the content or the mode changed."""
    try:
        if path.read_text() == text and path.stat().st_mode & 0o7777 == mode:
            return False
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as handle:
        os.fchmod(handle.fileno(), mode)
        handle.write(text)
    temporary.replace(path)
    return True


def read_json(path: Path) -> Any:
    """Return the parsed file, or None when there is none."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except json.JSONDecodeError as error:
        raise LabError(f"{path} is not JSON ({error}); remove it and start the lab again") from None


def wait_until(condition: Callable[[], bool], timeout: float, interval: float = 0.02) -> bool:
    """Poll `condition` every `interval` seconds until it holds; returns False after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(interval)
    return True


def mount_points() -> dict[str, tuple[str, str]]:
    """Return {mount point: (file system type, super options)} of this process' mount namespace, last mount wins."""
    found: dict[str, tuple[str, str]] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ", 1)
        fields = right.split()
        found[left.split()[4].replace("\\040", " ")] = (fields[0], fields[2])
    return found


def netns_exists(name: str) -> bool:
    """Say whether a live network namespace of that name is mounted (an empty file left by a reboot is none)."""
    return str(NETNS_DIR / name) in mount_points()


def in_netns(name: str) -> list[str]:
    """Return the command prefix that enters a namespace; `ip netns exec` would remount /sys and hide the cgroups."""
    return ["nsenter", f"--net={NETNS_DIR / name}", "--"]


def cgroup_root() -> Path:
    """Return the mount point of the cgroup2 hierarchy, also on a hybrid layout.

    Raises LabError when the computer has none.
    """
    for point, (kind, _options) in mount_points().items():
        if kind == "cgroup2":
            return Path(point)
    raise LabError("no cgroup2 hierarchy is mounted; mount one at /sys/fs/cgroup/unified")


def memory_cgroup_root() -> Path | None:
    """Return the mount point of the v1 memory controller, or None where there is none."""
    for point, (kind, options) in mount_points().items():
        if kind == "cgroup" and "memory" in options.split(","):
            return Path(point)
    return None


def cgroup_populated(group: Path) -> bool:
    """Say whether a live process is in this cgroup2 or below it."""
    try:
        return "populated 1" in (group / "cgroup.events").read_text()
    except FileNotFoundError:
        return False


def remove_cgroup(group: Path, timeout: float = 10) -> None:
    """Kill everything in this cgroup2 and below, and remove it; no error when there is none.

    Raises LabError when processes outlive SIGKILL for `timeout` seconds.
    """
    if not group.is_dir():
        return
    if cgroup_populated(group):
        (group / "cgroup.kill").write_text("1")
        if not wait_until(lambda: not cgroup_populated(group), timeout):
            raise LabError(f"processes in {group} outlived SIGKILL for {timeout:g} s")
    for directory, _names, _files in os.walk(group, topdown=False):
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(directory)


def remove_tree(path: Path) -> bool:
    """Remove a directory tree; returns whether there was one."""
    if not path.exists():
        return False
    shutil.rmtree(path)
    return True
