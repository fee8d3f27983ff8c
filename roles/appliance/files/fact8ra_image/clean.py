# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Takes out of a tree what only its build had, so that images hold no identity, no log and no secret."""

from __future__ import annotations

import contextlib
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .paths import matches, place, remove, within, write
from .recipe import EPOCH
from .system import ImageError

#: Patterns below the root; directories lose what is in them.
EMPTIED: Final = (
    "run",
    "tmp",
    "var/tmp",
    "root",
    "var/lib/apt/lists",
    "var/cache/apt",
    "var/lib/cloud",
    "var/cache/man",
)
REMOVED: Final = (
    *("etc/ssh/ssh_host_*", "var/lib/dbus/machine-id", "etc/hostname", "var/lib/systemd/random-seed"),
    *(
        "var/lib/systemd/credential.secret",
        "var/lib/dpkg/*-old",
        "var/cache/debconf/*-old",
        "var/cache/ldconfig/aux-cache",
    ),
    *("etc/*-", "var/lib/chrony/*", "var/lib/dhcp/*", "etc/udev/rules.d/70-persistent-net.rules", "etc/.pwd.lock"),
    *("usr/share/man/*", "usr/share/info/*", "usr/share/locale/*", "opt/flower/.wheelhouse"),
    *("etc/sudoers.d/90-cloud-init-users", "etc/netplan/50-cloud-init.yaml", "etc/systemd/network/10-cloud-init-*"),
    # Whose base it was: who may log in, what was typed, with which passwords packages are fetched.
    *("home/*/.ssh", "home/*/.*_history", "home/*/.lesshst", "home/*/.viminfo"),
    *("etc/apt/auth.conf", "etc/apt/auth.conf.d/*", "etc/wireguard/*"),
)
#: What makes one machine of a system: two made of one image would be taken for each other.
IDENTITIES: Final = (
    *(f"var/lib/fact8ra/{name}" for name in ("pki", "ca.passphrase", "pin.json", "join.token")),
    "etc/flower/*.key",
)
#: Kept with its length, where systemd makes another one at the first boot.
_MACHINE_ID: Final = "etc/machine-id"
#: Header of byte code: magic, flags, time of the source, size (PEP 552).
_PYC: Final = struct.Struct("<4sIII")


def begin(tree: Path) -> None:
    """Empty a base of a node's data, before the build makes its own there.

    Raises ImageError when the base is a node: it has keys or trust of its own.
    """
    found = [str(path.relative_to(tree)) for pattern in IDENTITIES for path in matches(tree, pattern)]
    if found:
        raise ImageError(
            f"the base has {', '.join(found)}: it is a node, and images made of it would all be that one;"
            " appliance_base must be a system that never was one"
        )
    for path in matches(tree, "var/lib/flower/*"):
        remove(path)


def clean(tree: Path, *, resolver: str = "") -> None:
    """Clean a tree; `resolver` is what etc/resolv.conf links to, "" for an empty file."""
    for name in EMPTIED:
        for path in matches(tree, f"{name}/*"):
            remove(path)
    for pattern in REMOVED:
        for path in matches(tree, pattern):
            remove(path)
    for path, found in _below(tree, "var/log"):
        if not stat.S_ISDIR(found.st_mode):
            path.unlink()
    for path, found in _below(tree, "usr/share/doc"):
        # Licences stay, as images are handed on.
        if stat.S_ISDIR(found.st_mode):
            with contextlib.suppress(OSError):
                path.rmdir()
        elif path.name != "copyright":
            path.unlink()
    forget_origins(tree)
    within(tree, "root/.ssh").mkdir(mode=0o700, parents=True)
    write(tree, _MACHINE_ID, "", 0o444)
    resolv = place(tree, "etc/resolv.conf")
    if resolver:
        resolv.symlink_to(resolver)
    else:
        resolv.touch(mode=0o644)


def _below(tree: Path, name: str) -> Iterator[tuple[Path, os.stat_result]]:
    """What is in a directory of a tree, or nothing where there is none."""
    top = within(tree, name, follow=True)
    if top.is_dir():
        yield from ((path, found) for path, found in walk(top) if path != top)


def forget_origins(tree: Path) -> None:
    """Remove uv's notes of where and when each wheel was unpacked, and their lines in the lists of installed files."""
    for note in matches(tree, "opt/*/venvs/*/lib/python3*/site-packages/*.dist-info/uv_cache.json"):
        record = within(tree, str(note.with_name("RECORD").relative_to(tree)), follow=True)
        lines = record.read_text(encoding="utf-8").splitlines(keepends=True)
        own = f"{note.parent.name}/{note.name},"
        record.write_text("".join(line for line in lines if not line.startswith(own)), encoding="utf-8")
        note.unlink()


def settle_times(tree: Path, epoch: int = EPOCH) -> None:
    """Give files that are younger the time `epoch`, and byte code the time that its source has then."""
    for path, found in walk(tree):
        if found.st_mtime > epoch:
            if path.suffix == ".pyc" and stat.S_ISREG(found.st_mode):
                _settle_byte_code(path, epoch)
            os.utime(path, (epoch, epoch), follow_symlinks=False)


def _settle_byte_code(path: Path, epoch: int) -> None:
    """Write the time of the source into byte code that is told by time; what is younger than `epoch` will not be."""
    with path.open("r+b") as stream:
        header = stream.read(_PYC.size)
        if len(header) < _PYC.size:
            return
        magic, flags, time, size = _PYC.unpack(header)
        if flags == 0 and time > epoch:
            stream.seek(0)
            stream.write(_PYC.pack(magic, flags, epoch, size))


def walk(tree: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below a tree, deepest first, with what lstat says; links are not followed."""
    for directory, names, files in os.walk(tree, topdown=False):
        for name in sorted([*names, *files]):
            path = Path(directory, name)
            yield path, path.lstat()
    yield tree, tree.lstat()


def used_bytes(tree: Path, block: int = 4096) -> int:
    """Bytes that a tree takes on a file system of blocks of 4096 bytes; a file with several names counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for _path, found in walk(tree):
        if stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            total += -(-found.st_size // block) * block
        elif stat.S_ISDIR(found.st_mode):
            total += block
    return total
