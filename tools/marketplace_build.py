# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a build of the images (``make appliance``) says of itself, held against the files it left.

A build is a directory with one for each image: ``NAME/{NAME.qcow2, SHA256SUMS, build.json}``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import struct
from typing import Any

#: First bytes, version and place of the virtual size (docs/interop/qcow2.txt of QEMU).
MAGIC = b"QFI\xfb"
_SIZE_AT = 24
_CHUNK = 1 << 20


class BuildError(Exception):
    """A build that is not there, not whole, or not what it says."""


@dataclasses.dataclass(frozen=True)
class Image:
    """A disk of a build.

    Args:
        path: the file.
        size: bytes of the disk that a VM sees, not of the file.
        md5: hexadecimal; what OpenNebula compares after a download.
        sha256: hexadecimal.
        version: that of the collection inside.
        flower_version: that of Flower inside.
        created: seconds of the epoch.
    """

    path: pathlib.Path
    size: int
    md5: str
    sha256: str
    version: str
    flower_version: str
    created: int


def read(build: pathlib.Path, name: str) -> Image:
    """One image of a build. Raises BuildError."""
    directory = build / name
    disk = directory / f"{name}.qcow2"
    for path in (disk, directory / "SHA256SUMS", directory / "build.json"):
        if not path.is_file():
            raise BuildError(f"{path} is not there; the build is that of `make appliance`, with disks")
    record = _record(directory / "build.json")
    md5, sha256 = _digests(disk)
    said = _sums(directory / "SHA256SUMS").get(disk.name)
    if said != sha256:
        raise BuildError(f"{disk} has the checksum {sha256}, and SHA256SUMS says {said or 'nothing of it'}")
    appliance = record.get("appliance")
    return Image(
        path=disk,
        size=virtual_size(disk),
        md5=md5,
        sha256=sha256,
        version=_text(appliance, "version", directory),
        flower_version=_text(appliance, "flower_version", directory),
        created=int(disk.stat().st_mtime),
    )


def virtual_size(path: pathlib.Path) -> int:
    """Bytes of the disk in a file of format qcow2. Raises BuildError."""
    with path.open("rb") as stream:
        head = stream.read(_SIZE_AT + 8)
    if len(head) < _SIZE_AT + 8 or not head.startswith(MAGIC):
        raise BuildError(f"{path} is no disk of format qcow2")
    size = int(struct.unpack_from(">Q", head, _SIZE_AT)[0])
    if not size:
        raise BuildError(f"{path} is a disk of no bytes")
    return size


def _record(path: pathlib.Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BuildError(f"{path} is no JSON: {error}") from error
    if not isinstance(record, dict):
        raise BuildError(f"{path} is no object")
    return record


def _text(appliance: Any, key: str, directory: pathlib.Path) -> str:
    value = appliance.get(key) if isinstance(appliance, dict) else None
    if not isinstance(value, str) or not value:
        raise BuildError(f"{directory / 'build.json'} does not tell the {key} of the image")
    return value


def _sums(path: pathlib.Path) -> dict[str, str]:
    """Checksums by name, as sha256sum writes them."""
    pairs = (line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines())
    return {pair[1].lstrip("*").removeprefix("./"): pair[0] for pair in pairs if len(pair) == 2}


def _digests(path: pathlib.Path) -> tuple[str, str]:
    """MD5 and SHA-256 of a file, read once."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            md5.update(chunk)
            sha256.update(chunk)
    return md5.hexdigest(), sha256.hexdigest()
