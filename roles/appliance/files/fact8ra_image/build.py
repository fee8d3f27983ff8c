# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Builds one image, whole or not at all.

An image is the directory `<output>/<name>`, which gets that name by one rename when everything in it is written.
Its build.json tells the digest of its inputs: with the same inputs nothing is built.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from . import base, clean, disk, given, sbom, tree
from .recipe import Recipe, collection_version
from .system import SCRATCH_PREFIX, SHM, ImageError, locked, missing, remove_tree, run, scratch_parent

RECORD: Final = "build.json"
SUMS: Final = "SHA256SUMS"
#: Ends the name of an image where more follows; names of images do not have it.
_END: Final = "."
#: Programs, and what is built with them.
TOOLS: Final = ("unshare", "chroot", "tar", "cp", "systemctl")
DEBIAN_TOOLS: Final = ("mmdebstrap",)
DISK_TOOLS: Final = ("mke2fs", "mkfs.vfat", "mcopy", "sfdisk", "qemu-img")
GIVEN_TOOLS: Final = ("qemu-img", "sfdisk", "debugfs", "dumpe2fs", "mke2fs", "fallocate")


@dataclass(frozen=True)
class Options:
    """Where things are kept and taken from: output and cache, the operator's wheelhouse and index ("" for none)."""

    output: Path
    cache: Path
    wheelhouse: str = ""
    index: str = ""


def problems(recipe: Recipe, options: Options) -> list[str]:
    """What is in the way of a build; nothing is made meanwhile."""
    found = []
    if os.geteuid() != 0:
        found.append("images are built as root, since they hold files of other owners: start ansible-playbook as root")
    tools = [*TOOLS]
    tools += DEBIAN_TOOLS if not recipe.base else ()
    tools += DISK_TOOLS if "qcow2" in recipe.formats else ()
    tools += GIVEN_TOOLS if recipe.base and Path(recipe.base).is_file() else ()
    lacking = missing(*dict.fromkeys(tools))
    if lacking:
        found.append(
            f"missing on this computer: {', '.join(lacking)}; Debian has them in mmdebstrap, qemu-utils, e2fsprogs,"
            " dosfstools, mtools, fdisk and util-linux"
        )
    for directory, needed in ((options.output, need(recipe)), (options.cache, 2_000_000_000)):
        existing = next(parent for parent in (directory, *directory.parents) if parent.exists())
        free = shutil.disk_usage(existing).free
        if free < needed:
            found.append(f"{existing} has {free // 10**6} MB free, and {needed // 10**6} MB are needed")
    if options.wheelhouse and not Path(options.wheelhouse).is_dir():
        found.append(f"appliance_wheelhouse is {options.wheelhouse}; it must be a directory with wheels, or empty")
    return found


def need(recipe: Recipe) -> int:
    """Bytes that a build needs at the output."""
    return 12_000_000_000 if recipe.flavour.flavour == "pytorch" else 3_000_000_000


def current(recipe: Recipe, options: Options) -> bool:
    """Whether the image is there, whole, and of these inputs."""
    directory = options.output / recipe.flavour.name
    try:
        record = json.loads((directory / RECORD).read_text(encoding="utf-8"))
        sums = (directory / SUMS).read_text(encoding="utf-8")
        sizes = {name: (directory / name).stat().st_size for name in record["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    there = sizes == record["files"] and all(f"  {name}\n" in sums for name in sizes)
    return (
        there
        and record["inputs"] == recipe.digest
        and ("directory" not in recipe.formats or (directory / "rootfs/etc").is_dir())
    )


def ensure(recipe: Recipe, options: Options, *, check: bool = False) -> dict[str, Any]:
    """Return name, directory, sizes and whether something was built (or would be, with `check`).

    Raises ImageError when it cannot be built; what was half built is removed.
    """
    found = problems(recipe, options)
    if found:
        raise ImageError("; ".join(found))
    directory = options.output / recipe.flavour.name
    if check or current(recipe, options):
        return _answer(recipe, directory, changed=not current(recipe, options))
    with locked(options.output / f".{recipe.flavour.name}.lock"):
        if current(recipe, options):  # another process built it while this one waited
            return _answer(recipe, directory, changed=False)
        for leftover in leftovers(recipe.flavour.name, options.output, os.getuid()):
            remove_tree(leftover)
        _build(recipe, options, directory)
    return _answer(recipe, directory, changed=True)


def leftovers(name: str, output: Path, owner: int) -> list[Path]:
    """Directories of that owner that builds of an image left; of another image's, which may be at work, none."""
    found = [*output.glob(f".new-{name}{_END}*"), *SHM.glob(f"{SCRATCH_PREFIX}{name}{_END}*")]
    # Anybody may make names in a file system in memory.
    return [path for path in found if stat.S_ISDIR(path.lstat().st_mode) and path.lstat().st_uid == owner]


def _answer(recipe: Recipe, directory: Path, *, changed: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {"name": recipe.flavour.name, "directory": str(directory), "changed": changed}
    if (directory / RECORD).exists():
        answer["build"] = json.loads((directory / RECORD).read_text(encoding="utf-8"))
    return answer


def _build(recipe: Recipe, options: Options, directory: Path) -> None:
    started = time.monotonic()
    options.output.mkdir(parents=True, exist_ok=True)
    options.cache.mkdir(parents=True, exist_ok=True)
    name = recipe.flavour.name
    parent = scratch_parent(options.output, need(recipe))
    prefix = f"{SCRATCH_PREFIX if parent == SHM else '.new-'}{name}{_END}"
    with (
        tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as scratch,
        tempfile.TemporaryDirectory(prefix=f".new-{name}{_END}", dir=options.output) as new,
    ):
        root = Path(scratch) / "rootfs"
        base.make(recipe, root, options.cache)
        tree.fill(recipe, root, options.cache, given=options.wheelhouse, index=options.index)
        own_disk = "qcow2" in recipe.formats and not (recipe.base and Path(recipe.base).is_file())
        if own_disk:
            disk.prepare(recipe, root)
        if not recipe.base:
            # The mirror is the builder's, and no part of the digest.
            base.write_sources(root, base.sources())
        clean.clean(root, resolver=_resolver(root))
        clean.settle_times(root)
        size = clean.used_bytes(root)
        if recipe.flavour.most and size > recipe.flavour.most:
            raise ImageError(f"{name} has {size} bytes uncompressed, and may have {recipe.flavour.most}")
        final = Path(new) / "image"
        final.mkdir(mode=0o755)
        files = _write_lists(recipe, root, final)
        if "qcow2" in recipe.formats:
            files.append(f"{name}.qcow2")
            if own_disk:
                disk.write(recipe, root, final / files[-1], Path(scratch))
            else:
                given.write(Path(recipe.base), root, final / files[-1], size)
        if "directory" in recipe.formats:
            run(["cp", "-a", "--reflink=auto", str(root), str(final / "rootfs")])
        (final / SUMS).write_text("".join(f"{_sha256(final / file)}  {file}\n" for file in files), encoding="utf-8")
        record = {
            "name": name,
            "inputs": recipe.digest,
            "appliance": tree.appliance(recipe),
            "uncompressed_bytes": size,
            "files": {file: (final / file).stat().st_size for file in files},
            "seconds": round(time.monotonic() - started, 1),
        }
        (final / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        run(["sync", "--file-system", str(final)])  # the rename must not be durable before the files
        if directory.exists():
            directory.rename(Path(new) / "old")
        final.rename(directory)


def _resolver(root: Path) -> str:
    """What etc/resolv.conf is: systemd-resolved's where that is installed."""
    has = any(
        (root / place / "systemd-resolved.service").exists()
        for place in ("lib/systemd/system", "usr/lib/systemd/system")
    )
    return "../run/systemd/resolve/stub-resolv.conf" if has else ""


def _write_lists(recipe: Recipe, root: Path, final: Path) -> list[str]:
    version = collection_version()
    found = sbom.parts(root, version)
    (final / "packages.txt").write_text(sbom.listing(found), encoding="utf-8")
    bill = sbom.bill(found, recipe.flavour.name, version, recipe.digest)
    (final / "sbom.cdx.json").write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    return ["packages.txt", "sbom.cdx.json"]


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
