# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What must be right before anything is applied: the disk can be written, has room, and the clock is right.

A certificate that is issued with a wrong clock is not yet valid, or has expired, for everybody else; a file that is
written to a full disk is half a file. Both are found out here, before the first role plays.
"""

from __future__ import annotations

import datetime
import email.utils
import errno
import http.client
import json
import os
import secrets
import ssl
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from .report import State
from .trouble import Trouble

#: Directories below the root that the boot writes to.
WRITTEN: Final = ("etc", "var/lib/fact8ra", "var/lib/flower", "tmp")
#: What a boot writes at most: units, certificates, Ansible's own files, the first state of Flower.
NEEDED_BYTES: Final = 64 << 20
NEEDED_INODES: Final = 1000
#: Seconds by which OneGate's clock, which is nobody's reference but near, may differ.
ONEGATE_BOUND: Final = (-300.0, 300.0)
#: What Flower accepts of a SuperNode, in seconds that the SuperLink's clock is ahead of the node's
#: (SYSTEM_TIME_TOLERANCE and TIMESTAMP_TOLERANCE, flwr.common.constant of 1.41), less the second of an HTTP date.
SUPERLINK_BOUND: Final = (-4.0, 304.0)
#: Seconds that chrony gets to set the clock.
PATIENCE: Final = 12
_IMAGE: Final = "etc/fact8ra/appliance.json"

Run = Callable[[Sequence[str]], int]


class Space(Protocol):
    """The part of os.statvfs_result that is read."""

    @property
    def f_frsize(self) -> int:
        """Bytes of a block."""

    @property
    def f_bavail(self) -> int:
        """Free blocks."""

    @property
    def f_files(self) -> int:
        """Inodes in all; 0 where the file system has no table of them, such as btrfs."""

    @property
    def f_favail(self) -> int:
        """Free inodes."""


@dataclass(frozen=True)
class Reference:
    """Another clock: whose it is, seconds that it is ahead of ours, and the least and most that is accepted."""

    whose: str
    ahead: float
    bound: tuple[float, float]

    @property
    def right(self) -> bool:
        """Whether ours is near enough."""
        return self.bound[0] <= self.ahead <= self.bound[1]


# ------------------------------------------------------------------------------------------------------------- disk


def disk(
    root: Path = Path("/"),
    *,
    space: Callable[[Path], Space] = os.statvfs,
    probe: Callable[[Path], None] | None = None,
    bytes_needed: int = NEEDED_BYTES,
    inodes_needed: int = NEEDED_INODES,
) -> None:
    """Write to each directory and read it back, then look at what is free.

    Raises:
        Trouble: with DISK_READ_ONLY or DISK_FULL.
    """
    for name in WRITTEN:
        directory = root / name
        try:
            directory.mkdir(mode=0o700 if name == "var/lib/fact8ra" else 0o755, parents=True, exist_ok=True)
            (probe or write_and_read)(directory)
        except OSError as error:
            raise _refused(directory, error) from error
        found = space(directory)
        free = found.f_bavail * found.f_frsize
        if free < bytes_needed:
            raise Trouble(
                State.DISK_FULL,
                f"The file system of {directory} has {_mib(free)} free and needs {_mib(bytes_needed)}: remove what is "
                "not needed (journalctl --vacuum-size=50M, old runs in /var/lib/fact8ra/runs), or enlarge the disk in "
                "OpenNebula and reboot. Nothing was changed",
            )
        if found.f_files and found.f_favail < inodes_needed:
            raise Trouble(
                State.DISK_FULL,
                f"The file system of {directory} has {found.f_favail} free inodes and needs {inodes_needed}: remove "
                "small files that are not needed, or enlarge the disk in OpenNebula and reboot. Nothing was changed",
            )


def glance(root: Path = Path("/"), *, space: Callable[[Path], os.statvfs_result] = os.statvfs) -> None:
    """Look at the disk of a service that runs, without writing to it, as that wears an edge node's flash out.

    Raises:
        Trouble: with DISK_READ_ONLY or DISK_FULL.
    """
    for name in WRITTEN:
        directory = root / name
        try:
            found = space(directory)
        except OSError:
            continue
        if found.f_flag & os.ST_RDONLY:
            raise _refused(directory, OSError(errno.EROFS, "Read-only file system"))
        free = found.f_bavail * found.f_frsize
        if free < NEEDED_BYTES // 4 or (found.f_files and found.f_favail < NEEDED_INODES // 4):
            raise Trouble(
                State.DISK_FULL,
                f"The file system of {directory} is full but for {_mib(NEEDED_BYTES // 4)} or {NEEDED_INODES // 4} "
                "inodes: remove what is not needed (journalctl --vacuum-size=50M, old runs in /var/lib/fact8ra/runs), "
                "or enlarge the disk in OpenNebula and reboot, before a run fails for it",
            )


def write_and_read(directory: Path) -> None:
    """Write a block, bring it to the disk and read it again; raises OSError."""
    content = secrets.token_bytes(4096)
    path = directory / f".fact8ra-check-{secrets.token_hex(8)}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, content)
        os.fsync(descriptor)
        # Else it is the memory that answers.
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        if os.pread(descriptor, len(content) + 1, 0) != content:
            raise OSError(errno.EIO, "the disk gave back something other than was written")
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def _refused(directory: Path, error: OSError) -> Trouble:
    why = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Trouble(
            State.DISK_FULL,
            f"{directory} cannot be written to: {why}. Remove what is not needed, or enlarge the disk in OpenNebula "
            "and reboot. Nothing was changed",
        )
    return Trouble(
        State.DISK_READ_ONLY,
        f"{directory} cannot be written to: {why}. The kernel says why (dmesg): a file system that had errors is "
        "mounted read-only until it is checked, and a disk with READONLY=YES stays so. Reboot to check it, or give the "
        "VM a disk that is not READONLY",
    )


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"


# ------------------------------------------------------------------------------------------------------------ clock


def http_date(url: str, timeout: float = 5.0, now: Callable[[], float] = time.time) -> float | None:
    """Seconds that the clock of a web server is ahead of ours, None when it does not say.

    What is read is the header Date (RFC 9110, 6.6.1) of any answer; half of the way there and back is taken off.
    Its certificate is not asked for: with a wrong clock none is valid, and the date can only stop this boot, which
    whoever stands between could do anyway.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
        if parts.scheme == "https":
            unverified = ssl.create_default_context()
            unverified.check_hostname = False
            unverified.verify_mode = ssl.CERT_NONE
            connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=unverified)
        try:
            connection.connect()
            before = now()
            connection.request("GET", parts.path or "/", headers={"Connection": "close"})
            said = connection.getresponse().getheader("Date") or ""
            after = now()
        finally:
            connection.close()
        # The header has whole seconds: on average half of one has passed.
        return email.utils.parsedate_to_datetime(said).timestamp() + 0.5 - (before + after) / 2
    except (OSError, ValueError, TypeError, http.client.HTTPException):
        return None


def onegate(endpoint: str, timeout: float = 5.0, now: Callable[[], float] = time.time) -> list[Reference]:
    """OneGate's clock, where it says; OneGate behind a proxy does, on its own it may not."""
    ahead = http_date(endpoint, timeout, now)
    return [] if ahead is None else [Reference(f"OneGate ({endpoint})", ahead, ONEGATE_BOUND)]


def superlink(address: str, port: int, timeout: float = 5.0, now: Callable[[], float] = time.time) -> list[Reference]:
    """The SuperLink's clock, by which Flower judges this node."""
    host = f"[{address}]" if ":" in address else address
    ahead = http_date(f"https://{host}:{port}/", timeout, now)
    return [] if ahead is None else [Reference(f"the SuperLink ({host}:{port})", ahead, SUPERLINK_BOUND)]


def built(root: Path = Path("/")) -> float:
    """Seconds of the epoch at which the image was built: `built` (ISO 8601) of its description, else its mtime."""
    path = root / _IMAGE
    try:
        said = json.loads(path.read_text(encoding="utf-8")).get("built", "")
        return datetime.datetime.fromisoformat(said).timestamp()
    except (OSError, ValueError, TypeError, AttributeError):
        try:
            return path.stat().st_mtime
        except OSError:
            return 0.0


def clock(
    ask: Callable[[], Iterable[Reference]],
    *,
    root: Path = Path("/"),
    servers: Sequence[str] = (),
    now: Callable[[], float] = time.time,
    step: Callable[[Sequence[str]], str] | None = None,
) -> None:
    """Hold this clock against the image's age and other clocks; a wrong one is given to chrony first.

    Args:
        ask: gives the references; asked again after chrony had its moment.
        root: of the system.
        servers: NTP servers of the context.
        now: seconds of the epoch.
        step: lets chrony set the clock and returns why it did not, or an empty text.

    Raises:
        Trouble: with CLOCK_WRONG, naming both clocks and the bound.
    """
    if not _wrong(ask(), root, now()):
        return
    why = (step or chrony)(servers)
    problem = _wrong(ask(), root, now())
    if problem:
        cure = f"chrony did not set it ({why})" if why else "chrony says that it is right"
        given = "those of ONEAPP_FLOWER_NTP_SERVERS" if servers else "Debian's, as ONEAPP_FLOWER_NTP_SERVERS is empty"
        raise Trouble(
            State.CLOCK_WRONG,
            f"{problem}; {cure}; the servers that it asks are {given}. Give ONEAPP_FLOWER_NTP_SERVERS servers that "
            "this VM reaches, or put the hypervisor's clock right, and reboot. No certificate was issued",
            again=True,
        )


def _wrong(references: Iterable[Reference], root: Path, seconds: float) -> str:
    """What is wrong with the clock, an empty text when nothing is."""
    oldest = built(root)
    if seconds < oldest:
        return f"The clock of this VM says {_utc(seconds)}, before its image was built ({_utc(oldest)})"
    for reference in references:
        if not reference.right:
            low, high = reference.bound
            return (
                f"The clock of this VM says {_utc(seconds)} and that of {reference.whose} "
                f"{_utc(seconds + reference.ahead)}, which is {_away(reference.ahead)}; from {-low:.0f} s behind to "
                f"{high:.0f} s ahead is accepted"
            )
    return ""


def chrony(servers: Sequence[str], run: Run | None = None, patience: int = PATIENCE) -> str:
    """Let chrony ask its servers, and those of the context, and set the clock at once; returns why it could not."""
    call = run or _call
    if call(["systemctl", "start", "chrony.service"]) != 0:
        return "chrony.service does not start"
    for server in servers:
        # It may know it from an earlier boot.
        call(["chronyc", "add", "server", server, "iburst"])
    call(["chronyc", "online"])
    call(["chronyc", "burst", "3/4"])
    # Tries, correction and skew without bound, seconds between tries (chronyc(1)).
    if call(["chronyc", "waitsync", str(patience), "0", "0", "1"]) != 0:
        return f"no NTP server answered within {patience} s"
    return "" if call(["chronyc", "makestep"]) == 0 else "it may not set the clock of this machine"


def _call(command: Sequence[str]) -> int:
    try:
        return subprocess.run(command, capture_output=True, timeout=PATIENCE + 10, check=False).returncode
    except (OSError, subprocess.TimeoutExpired):
        return 1


def _utc(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _away(ahead: float) -> str:
    amount = abs(ahead)
    seconds, unit = next((pair for pair in ((86400, "days"), (3600, "h")) if amount >= 2 * pair[0]), (1, "s"))
    return f"{amount / seconds:.0f} {unit} {'ahead' if ahead > 0 else 'behind'}"
