# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What an image is made of. Two recipes with the same digest make the same image."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from .system import ImageError

#: The collection that this file is in.
COLLECTION: Final = Path(__file__).resolve().parents[4]
LOCKS: Final = Path(__file__).resolve().parents[1] / "requirements"
#: Raised when the way of building changes without a change of the other parts of the recipe.
BUILD_FORMAT: Final = 1
#: Files that are younger get this time, 2026-01-01: what every build has in common (reproducible-builds.org).
EPOCH: Final = 1767225600
SUITE: Final = "bookworm"
MIRROR: Final = "http://deb.debian.org/debian"
SECURITY_MIRROR: Final = "http://deb.debian.org/debian-security"
FORMATS: Final = ("directory", "qcow2")

#: What the appliance itself runs with, on whatever base.
COMMON: Final = (
    *(
        "acl",
        "ca-certificates",
        "dbus",
        "iproute2",
        "openssh-server",
        "openssl",
        "procps",
        "python3",
        "python3-apt",
        "sudo",
    ),
    "tzdata",
)
#: What makes Debian's packages a machine of OpenNebula: kernel, boot loader, and cloud-init, which reads the context
#: for network, host name and SSH keys and lets the root file system grow.
MACHINE: Final = (
    *("cloud-guest-utils", "cloud-init", "e2fsprogs", "fdisk", "grub-common", "grub-efi-amd64-signed", "grub-pc-bin"),
    *("grub2-common", "initramfs-tools", "iputils-ping", "kmod", "linux-image-amd64", "netbase", "systemd-resolved"),
    *("shim-signed", "systemd-sysv", "udev", "zstd"),
)
#: Of the kernel's modules, those of devices that no VM has. Debian's kernel for clouds is as small, but has no driver
#: of AHCI, where OpenNebula puts the context of machines with PCI Express (q35), which GPUs are passed to.
MODULES_LEFT_OUT: Final = (
    *("sound", "net/bluetooth", "net/mac80211", "net/wireless", "net/nfc", "fs/ocfs2", "fs/gfs2"),
    *(
        f"drivers/{name}"
        for name in (
            *("bluetooth", "comedi", "firewire", "gpu/drm/amd", "gpu/drm/i915", "gpu/drm/nouveau", "gpu/drm/radeon"),
            *(
                "hwmon",
                "iio",
                "infiniband",
                "input/joystick",
                "input/touchscreen",
                "isdn",
                "leds",
                "media",
                "mfd",
                "mtd",
            ),
            *("net/can", "net/wireless", "net/wwan", "nfc", "pcmcia", "power", "staging", "thunderbolt", "usb/gadget"),
            *("usb/misc", "usb/serial", "w1", "watchdog"),
        )
    ),
)
#: What is not for reading on a machine without people. Licences stay.
DOCUMENTS_LEFT_OUT: Final = ("doc", "man", "info", "locale")
#: Roles that are played on every appliance.
_EVERYWHERE: Final = ("flower", "firewall", "transport")


@dataclass(frozen=True)
class Flavour:
    """One of the images.

    Attributes:
        name: Of the image and its directory.
        kind: "superlink" or "supernode".
        flavour: As in /etc/fact8ra/appliance.json; empty for a SuperLink.
        lock: Lock file of Flower's environment.
        packages: flower_packages of the role flower, which must be the same when the appliance configures itself.
        roles: Whose Debian packages are inside.
        most: Bytes that the image may have uncompressed; 0 for no bound.
        disk_mb: Size of the disk in MiB; the root file system grows with the disk that a VM gives it.
    """

    name: str
    kind: str
    flavour: str
    lock: str
    packages: tuple[str, ...]
    roles: tuple[str, ...]
    most: int
    disk_mb: int


FLAVOURS: Final = {
    flavour.name: flavour
    for flavour in (
        # scikit-learn has the digits that the SuperLink's own run is held against (ONEAPP_FLOWER_RUN_APP=poc).
        Flavour(
            "flower-superlink",
            "superlink",
            "",
            "sklearn",
            ("scikit-learn",),
            (*_EVERYWHERE, "superlink", "access"),
            2_000_000_000,
            4096,
        ),
        Flavour("flower-supernode", "supernode", "base", "flower", (), _EVERYWHERE, 1_200_000_000, 1140),
        Flavour(
            "flower-supernode-sklearn",
            "supernode",
            "sklearn",
            "sklearn",
            ("scikit-learn",),
            _EVERYWHERE,
            2_000_000_000,
            4096,
        ),
        Flavour(
            "flower-supernode-edge", "supernode", "edge", "sklearn", ("scikit-learn",), _EVERYWHERE, 2_000_000_000, 1900
        ),
        Flavour("flower-supernode-pytorch", "supernode", "pytorch", "pytorch", ("torch",), _EVERYWHERE, 0, 16384),
    )
}
#: An edge node writes its log to memory and little of it, as flash wears out.
EDGE_FILES: Final = {
    "etc/systemd/journald.conf.d/fact8ra-edge.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n"
}


def debian_packages(roles: Sequence[str], collection: Path = COLLECTION) -> list[str]:
    """The Debian packages that roles install, as their own variables name them."""
    found: set[str] = set()
    for role in roles:
        path = collection / "roles" / role / "vars" / "main.yml"
        try:
            names = yaml.safe_load(path.read_text(encoding="utf-8"))[f"_{role}_debian_packages"]
        except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
            raise ImageError(f"{path} has no _{role}_debian_packages: {error}") from error
        found.update(names)
    return sorted(found)


def locked_versions(lock: str) -> dict[str, str]:
    """Names and versions of a lock file."""
    text = (LOCKS / f"{lock}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def collection_files(collection: Path = COLLECTION) -> Iterator[Path]:
    """What of the collection an appliance needs, below its root: no tests, docs, lab or build machine."""
    for name in ("galaxy.yml", "MANIFEST.json", "FILES.json", "LICENSE"):
        if (collection / name).is_file():
            yield Path(name)
    for top in ("LICENSES", "apps", "meta", "playbooks", "plugins", "roles"):
        for path in sorted((collection / top).rglob("*")):
            below = path.relative_to(collection)
            hidden = any(part.startswith(".") or part in ("__pycache__", "tests") for part in below.parts)
            if path.is_file() and not hidden and below.parts[:2] != ("roles", "lab"):
                yield below


def collection_version(collection: Path = COLLECTION) -> str:
    """The version of the collection."""
    manifest = collection / "MANIFEST.json"
    if manifest.is_file():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    return str(yaml.safe_load((collection / "galaxy.yml").read_text(encoding="utf-8"))["version"])


def files_digest(root: Path, names: Iterator[Path]) -> str:
    """SHA-256 of names, modes and contents."""
    digest = hashlib.sha256()
    for name in names:
        path = root / name
        digest.update(
            f"{name}\0{path.stat().st_mode & 0o111:o}\0".encode() + hashlib.sha256(path.read_bytes()).digest()
        )
    return digest.hexdigest()


def tree_digest(root: Path) -> str:
    """SHA-256 of names, owners, modes, sizes and times in a directory, which stand for its contents."""
    digest = hashlib.sha256()
    for directory, names, files in os.walk(root):
        names.sort()
        for name in sorted([*names, *files]):
            path = os.path.join(directory, name)
            found = os.lstat(path)
            size = found.st_size if stat.S_ISREG(found.st_mode) else 0
            told = (os.path.relpath(path, root), found.st_mode, found.st_uid, found.st_gid, size, int(found.st_mtime))
            digest.update(json.dumps(told).encode())
    return digest.hexdigest()


def archive_state(mirror: str, security_mirror: str) -> str:
    """SHA-256 of the package lists that Debian's archives have now, by their Release files.

    Raises ImageError when an archive does not answer.
    """
    digest = hashlib.sha256()
    for address in (
        f"{mirror}/dists/{SUITE}/InRelease",
        f"{mirror}/dists/{SUITE}-updates/InRelease",
        f"{security_mirror}/dists/{SUITE}-security/InRelease",
    ):
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                text = answer.read().decode(errors="replace")
        except (OSError, ValueError) as error:
            raise ImageError(f"{address} does not answer: {error}; give appliance_mirror a mirror of Debian") from error
        listed = re.search(r"^ ([0-9a-f]{64}) +\d+ main/binary-amd64/Packages\.xz$", text, re.MULTILINE)
        if listed is None:
            raise ImageError(f"{address} lists no packages for amd64; give appliance_mirror a mirror of Debian")
        digest.update(listed[1].encode())
    return digest.hexdigest()


def base_state(base: str, mirror: str, security_mirror: str) -> str:
    """What identifies the base: the archives' state, a directory's, or the content of an image.

    Raises ImageError when the base is neither "", a root file system nor a file.
    """
    if not base:
        return archive_state(mirror, security_mirror)
    path = Path(base)
    if path.is_dir():
        if not (path / "etc/os-release").exists():
            raise ImageError(
                f"appliance_base is {base}, a directory without etc/os-release; it must be a root file system"
            )
        return tree_digest(path)
    if not path.is_file():
        raise ImageError(f"appliance_base is {base}, which is not there; it must be a directory, an image, or empty")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class Recipe:
    """Everything that an image depends on.

    Attributes:
        flavour: Which image.
        base: As the operator gave it: "", a directory or an image.
        base_state: What `base_state` says of it.
        formats: Of `FORMATS`.
        mirror, security_mirror: Debian's archives, which are not part of the identity.
        collection: Digest of the files of the collection.
        lock: Digests of the lock files.
    """

    flavour: Flavour
    base: str
    base_state: str
    formats: tuple[str, ...]
    mirror: str
    security_mirror: str
    collection: str
    lock: str

    @property
    def digest(self) -> str:
        """SHA-256 of the inputs."""
        parts: dict[str, Any] = {**asdict(self), "build_format": BUILD_FORMAT, "epoch": EPOCH, "base": bool(self.base)}
        del parts["mirror"], parts["security_mirror"]
        parts["packages"] = [debian_packages(self.flavour.roles), COMMON, MACHINE]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def recipe(
    name: str,
    base: str = "",
    formats: Sequence[str] = ("qcow2",),
    mirror: str = MIRROR,
    security_mirror: str = SECURITY_MIRROR,
) -> Recipe:
    """The recipe of an image with the inputs that are there now.

    Raises ImageError when a value cannot be.
    """
    if name not in FLAVOURS:
        raise ImageError(f"there is no image {name!r}; it must be one of {', '.join(FLAVOURS)}")
    unknown = [kind for kind in formats if kind not in FORMATS]
    if unknown or not formats:
        raise ImageError(
            f"formats is {', '.join(formats) or 'empty'}; it must have one of {', '.join(FORMATS)}, or both"
        )
    if base and Path(base).is_dir() and "qcow2" in formats and not any((Path(base) / "boot").glob("vmlinuz-*")):
        raise ImageError(
            f"{base} has no kernel in boot, so that no disk can be made of it; it must have one, or format be directory"
        )
    state = base_state(base, mirror, security_mirror)
    locks = files_digest(LOCKS, iter([Path("ansible.txt"), Path(f"{FLAVOURS[name].lock}.txt")]))
    files = files_digest(COLLECTION, collection_files())
    return Recipe(FLAVOURS[name], base, state, tuple(sorted(set(formats))), mirror, security_mirror, files, locks)
