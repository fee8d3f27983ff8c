# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The base system of every lab host: Debian from packages, built once and kept as an overlay's lower directory.

A finished build is `<cache>/base/<hash of the recipe>/` with `rootfs/` and `recipe.json`; it gets that name by one
rename, so an interrupted build never counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ._system import LabError, Paths, locked, mount_points, remove_tree, require, run

PACKAGES = (
    "acl",
    "ca-certificates",
    "chrony",
    "curl",
    "dbus",
    "iproute2",
    "iputils-ping",
    "nftables",
    "nginx-light",
    "openssh-server",
    "openssl",
    "procps",
    "prometheus-node-exporter",
    "python3",
    "python3-apt",
    "python3-packaging",
    "python3-venv",
    "sudo",
    "systemd",
    "systemd-sysv",
    "tzdata",
    "wireguard-go",
    "wireguard-tools",
)
ENABLED = {
    "one-context-local.service": "sysinit.target",
    "one-context-online.service": "multi-user.target",
    "systemd-networkd.service": "multi-user.target",
    "systemd-networkd-wait-online.service": "network-online.target",
}
# Installed for the roles to configure; a fresh machine runs none of them.
DISABLED = (
    "nginx.service",
    "nftables.service",
    "prometheus-node-exporter.service",
    "e2scrub_reap.service",
    "systemd-pstore.service",
)
# Nothing to update, scrub or log in to on a host that is offline and has no disk of its own.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "getty@tty1.service",
    "systemd-firstboot.service",
)
GUEST_FILES = Path(__file__).parent / "guest"
# Raised when the way of building changes without a change of the other parts of the recipe.
BUILD_FORMAT = 2
NEEDED_BYTES = 1_500_000_000
SHM = Path("/dev/shm")
SCRATCH_PREFIX = "fact8ra-lab-base-"


def _guest_files() -> Iterator[tuple[Path, str]]:
    """Yield (file, path in the guest) of everything that is laid over the packages."""
    for path in sorted(GUEST_FILES.rglob("*")):
        if path.is_file():
            yield path, str(path.relative_to(GUEST_FILES))


def _guest_digest() -> str:
    digest = hashlib.sha256()
    for path, name in _guest_files():
        digest.update(f"{name}\0{path.stat().st_mode & 0o111:o}\0".encode() + path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Recipe:
    """What the base is made of; a change of any part but the mirror makes another base."""

    suite: str = "bookworm"
    mirror: str = field(default="http://deb.debian.org/debian", compare=False)
    packages: tuple[str, ...] = PACKAGES
    files: str = field(default_factory=_guest_digest)
    units: str = json.dumps([ENABLED, DISABLED, MASKED])
    build_format: int = BUILD_FORMAT

    @property
    def digest(self) -> str:
        """The name of the base: 16 hexadecimal digits."""
        parts = {key: value for key, value in asdict(self).items() if key != "mirror"}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Base:
    """A base system: its root directory, whether this call built it (or would), and how many seconds that took."""

    rootfs: Path
    changed: bool
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For the command line's JSON."""
        return {"rootfs": str(self.rootfs), "changed": self.changed, "seconds": round(self.seconds, 1)}


def ensure(paths: Paths, recipe: Recipe, *, check: bool = False) -> Base:
    """Return the base of a recipe, building it first when there is none; with `check` nothing is built.

    Raises LabError when tools, space or packages are missing; what was half built is removed.
    """
    target = paths.bases / recipe.digest
    rootfs = target / "rootfs"
    if target.is_dir() or check:
        return Base(rootfs, not target.is_dir(), 0)
    require("mmdebstrap", "cp")
    started = time.monotonic()
    with locked(paths.bases / ".lock"):
        if target.is_dir():  # another process built it while this one waited
            return Base(rootfs, False, time.monotonic() - started)
        _remove_leftovers(paths.bases)
        _build(recipe, target)
    return Base(rootfs, True, time.monotonic() - started)


def purge(paths: Paths) -> bool:
    """Remove every base; returns whether there was one."""
    return remove_tree(paths.bases)


def _remove_leftovers(directory: Path) -> None:
    """Remove what interrupted builds left; the caller holds the lock, so no build is running."""
    for leftover in [*directory.glob(".new-*"), *SHM.glob(f"{SCRATCH_PREFIX}*")]:
        remove_tree(leftover)


def _scratch_parent(fallback: Path) -> Path:
    """Return a tmpfs with room, else the cache: dpkg syncs each file, which a disk makes three times slower."""
    if mount_points().get(str(SHM), ("", ""))[0] == "tmpfs" and shutil.disk_usage(SHM).free > NEEDED_BYTES:
        return SHM
    return fallback


def _build(recipe: Recipe, target: Path) -> None:
    if shutil.disk_usage(target.parent).free < NEEDED_BYTES:
        raise LabError(f"{target.parent} has less than {NEEDED_BYTES // 10**6} MB free, which the base system needs")
    parent = _scratch_parent(target.parent)
    with tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX if parent == SHM else ".new-", dir=parent) as scratch:
        tree = Path(scratch) / "rootfs"
        excludes = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")
        run(
            [
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                f"--include={','.join(recipe.packages)}",
                "--dpkgopt=force-unsafe-io",
                *(f"--dpkgopt=path-exclude={pattern}" for pattern in excludes),
                recipe.suite,
                str(tree),
                recipe.mirror,
            ],
            timeout=1800,
        )
        _customise(tree)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=target.parent) as new:
            final = Path(new) / "base"
            final.mkdir()
            run(["cp", "-a", "--reflink=auto", str(tree), str(final / "rootfs")], timeout=600)
            (final / "recipe.json").write_text(json.dumps(asdict(recipe), indent=2, sort_keys=True) + "\n")
            run(["sync", "--file-system", str(final)], timeout=600)  # the rename must not be durable before the files
            final.rename(target)


def _customise(tree: Path) -> None:
    """Turn the packages into a lab host: context service, quick boot, no key or identity of its own."""
    for path, name in _guest_files():
        destination = tree / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, destination)
        destination.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
    units = tree / "etc/systemd/system"
    for unit, wanted_by in ENABLED.items():
        directory = units / f"{wanted_by}.wants"
        directory.mkdir(exist_ok=True)
        own = (units / unit).exists()
        _link(directory / unit, f"{'/etc' if own else '/lib'}/systemd/system/{unit}")
    for wants in units.glob("*.wants"):
        for unit in DISABLED:
            (wants / unit).unlink(missing_ok=True)
    for unit in MASKED:
        _link(units / unit, "/dev/null")
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for name in ("etc/machine-id", "etc/hostname", "etc/resolv.conf"):
        (tree / name).unlink(missing_ok=True)
    (tree / "etc/machine-id").touch()
    (tree / "etc/resolv.conf").touch()
    (tree / "etc/default/locale").write_text("LANG=C.UTF-8\n")
    (tree / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    (tree / "var/log/journal").mkdir(exist_ok=True)


def _link(link: Path, destination: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(destination)


def current(paths: Paths) -> Path:
    """Return the root directory of the base that is built.

    Raises LabError when it is not; building takes far longer than the start of a host may.
    """
    base = ensure(paths, Recipe(), check=True)
    if base.changed:
        raise LabError(f"the base system {base.rootfs} is not built; start the lab (role lab), or `base build`")
    return base.rootfs
