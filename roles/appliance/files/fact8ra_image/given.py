# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A given image as the base: its root file system is taken out and put back, without booting or mounting it.

Partition table, boot loader and the other partitions stay as they are, and so do UUID and label of the file system, by
which they find it. e2fsprogs reads ext4 in a file at an offset (debugfs(8), mke2fs(8)).
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .disk import SECTOR, write_ext4
from .paths import within
from .system import ImageError, run

#: Of an image that is given.
FORMATS: Final = ("qcow2", "raw")
_CAPABILITY: Final = "security.capability"
#: Where files are that have capabilities.
_PROGRAMS: Final = ("usr/bin", "usr/sbin", "usr/libexec", "bin", "sbin")
#: Room that a tree needs beside its files, for inodes and journal, and to be used before the disk grows.
_ROOM: Final = 400 << 20


@dataclass(frozen=True)
class Root:
    """The partition with the root file system.

    Attributes:
        number: 0 where the whole disk is the file system.
        offset, size: In bytes.
        last: Whether none follows it on the disk.
    """

    number: int
    offset: int
    size: int
    last: bool


def candidates(table: dict[str, Any]) -> list[Root]:
    """The partitions of a table as `sfdisk --json` prints it, largest first."""
    unit = int(table.get("sectorsize", SECTOR))
    found = table.get("partitions", [])
    end = max((row["start"] + row["size"] for row in found), default=0)
    rows = [
        Root(
            int(re.findall(r"\d+$", row["node"])[0]),
            row["start"] * unit,
            row["size"] * unit,
            row["start"] + row["size"] == end,
        )
        for row in found
    ]
    return sorted(rows, key=lambda row: row.size, reverse=True)


def find_root(raw: Path, name: str) -> Root:
    """The root file system of a disk.

    Raises ImageError when none is ext4 with a system in it.
    """
    try:
        rows = candidates(json.loads(run(["sfdisk", "--json", str(raw)]))["partitiontable"])
    except ImageError:
        rows = [Root(0, 0, raw.stat().st_size, True)]
    for row in rows:
        # debugfs ends with 0 whatever happens; what it says of a file that is there begins with its inode.
        try:
            told = run(["debugfs", "-R", "stat /etc/os-release", _at(raw, row)])
        except ImageError:
            continue
        if "Inode:" in told:
            return row
    raise ImageError(
        f"{name} has no ext4 file system with a system in it; appliance_base must be an image of Debian 12 with one"
    )


def _at(raw: Path, root: Root) -> str:
    return f"{raw}?offset={root.offset}"


def image_format(told: dict[str, Any], name: str) -> str:
    """The format of an image as `qemu-img info --output=json` tells it: "qcow2" or "raw".

    Raises ImageError when it is another one, or has content of other files, which would be this machine's.
    """
    kind = str(told.get("format"))
    if kind not in FORMATS:
        raise ImageError(f"{name} is an image of format {kind}; appliance_base must be one of {' or '.join(FORMATS)}")
    own = (told.get("format-specific") or {}).get("data") or {}
    for found, keys in ((told, ("backing-filename", "full-backing-filename")), (own, ("data-file", "data-file-raw"))):
        for key in keys:
            if found.get(key):
                raise ImageError(
                    f"{name} has {key} {found[key]}, another file;"
                    " appliance_base must be one file: qemu-img convert -O qcow2"
                )
    return kind


def _to_raw(image: Path, raw: Path) -> None:
    # Absolute, as qemu-img takes a colon in the name of a file for a protocol.
    path = str(image.absolute())
    kind = image_format(json.loads(run(["qemu-img", "info", "--output=json", path])), str(image))
    run(["qemu-img", "convert", "-q", "-f", kind, "-O", "raw", path, str(raw)], timeout=1800)


def unpack(image: Path, tree: Path) -> None:
    """Copy the root file system of an image to a tree, with owners, modes, times and capabilities.

    Raises ImageError when the image cannot be read.
    """
    with tempfile.TemporaryDirectory(dir=tree.parent) as scratch:
        raw = Path(scratch) / "disk.raw"
        _to_raw(image, raw)
        root = find_root(raw, str(image))
        tree.mkdir()
        run(["debugfs", "-R", f"rdump / {tree}", _at(raw, root)], timeout=1800)
        if not within(tree, "etc/os-release", follow=True).exists():
            raise ImageError(f"the files of {image} could not be read; is its file system whole?")
        for name in ("dev", "proc", "sys", "run", "tmp", "root"):
            within(tree, name, follow=True).mkdir(exist_ok=True)
        _copy_capabilities(raw, root, tree, Path(scratch))


def _copy_capabilities(raw: Path, root: Root, tree: Path, scratch: Path) -> None:
    """What debugfs leaves behind when it copies: ping is of no use to anybody but root without it."""
    names = [
        f"{directory}/{path.name}"
        for directory in _PROGRAMS
        if not within(tree, directory).is_symlink()
        for path in sorted(within(tree, directory).glob("*"))
        if path.is_file() and not path.is_symlink() and re.fullmatch(r"[\w.+-]+", path.name)
    ]
    commands = scratch / "commands"
    commands.write_text(
        "".join(f"ea_get -f {scratch}/{index} /{name} {_CAPABILITY}\n" for index, name in enumerate(names))
    )
    run(["debugfs", "-f", str(commands), _at(raw, root)])
    for index, name in enumerate(names):
        value = scratch / str(index)
        if value.exists() and value.stat().st_size:
            os.setxattr(within(tree, name), _CAPABILITY, value.read_bytes())


def write(image: Path, tree: Path, target: Path, used: int) -> None:
    """Write an image with the root file system exchanged, as compressed QCOW2.

    Args:
        image: The given one.
        tree: The new root file system.
        target: The file that is made.
        used: Bytes of the tree, for which the disk is enlarged where it is too small.

    Raises ImageError when the disk would have to grow where another partition follows.
    """
    with tempfile.TemporaryDirectory(dir=tree.parent) as scratch:
        raw = Path(scratch) / "disk.raw"
        _to_raw(image, raw)
        root = find_root(raw, str(image))
        told = run(["dumpe2fs", "-h", _at(raw, root)])
        uuid = re.findall(r"^Filesystem UUID: +(\S+)$", told, re.MULTILINE)[0]
        label = re.findall(r"^Filesystem volume name: +(.+)$", told, re.MULTILINE)[0].replace("<none>", "")
        more = used + _ROOM - root.size
        if more > 0:
            root = _grown(raw, root, -(-more // (1 << 20)) * (1 << 20), str(image))
        # What was there before must not stay in the free space.
        run(["fallocate", "--punch-hole", f"--offset={root.offset}", f"--length={root.size}", str(raw)])
        write_ext4(tree, raw, root.offset, root.size, uuid, label)
        run(["qemu-img", "convert", "-q", "-c", "-f", "raw", "-O", "qcow2", str(raw), str(target)], timeout=1800)


def _grown(raw: Path, root: Root, more: int, name: str) -> Root:
    """Enlarge a disk and its root partition by some bytes."""
    if not root.last:
        raise ImageError(f"the root partition of {name} is {more} bytes too small, and another one follows it")
    with raw.open("r+b") as stream:
        stream.truncate(raw.stat().st_size + more)
    if not root.number:
        return Root(0, 0, root.size + more, True)
    size = (root.size + more) // SECTOR
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", "-N", str(root.number), str(raw)], stdin=f", {size}\n")
    return Root(root.number, root.offset, root.size + more, True)
