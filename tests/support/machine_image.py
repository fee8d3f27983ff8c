# SPDX-License-Identifier: Apache-2.0
"""A bootable disk of Debian with GRUB, made of packages only and kept in the cache by the hash of its recipe.

No loop device and no GRUB on this machine are needed: mke2fs fills the file system from a directory, and GRUB's first
sector and core image are written in front of it. As root (mmdebstrap keeps the owners of files).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fact8ra_lab.hosts._system import Paths, locked, require, run

DISK_NAME = "disk.raw"
SECTOR = 512
# Where the only partition begins, in sectors; GRUB's core image fits in front of it.
FIRST_SECTOR = 2048
# What the drivers directory of Debian's kernel is thinned out to: 340 MB of modules that such a guest never loads.
DRIVERS = (
    *(
        "acpi",
        "block",
        "char",
        "gpu/drm/*.ko",
        "gpu/drm/display",
        "gpu/drm/tiny",
        "hid",
        "hwmon",
        "i2c",
        "input",
        "iommu",
    ),
    *(
        "net/*.ko",
        "net/virtio*",
        "pci",
        "usb/common",
        "usb/core",
        "usb/host",
        "vfio",
        "video",
        "virt",
        "virtio",
        "vhost",
    ),
)
PACKAGES = (
    "dbus",
    "driverctl",
    "grub-common",
    "grub-pc-bin",
    "grub2-common",
    "initramfs-tools",
    "iproute2",
    "kmod",
    "linux-image-amd64",
    "openssh-server",
    "pci.ids",
    "pciutils",
    "procps",
    "python3",
    "python3-apt",
    "systemd",
    "systemd-sysv",
    "udev",
    "zstd",
)
GRUB_MODULES = ("biosdisk", "part_msdos", "ext2", "normal", "linux", "configfile", "search", "serial", "terminal")
# Without mitigations, as each switch of page tables is slow under QEMU.
KERNEL_PARAMETERS = "console=ttyS0 net.ifnames=0 mitigations=off systemd.show_status=1"
FILES = {
    "etc/hostname": "gpu-host\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 gpu-host\n",
    "etc/fstab": "/dev/vda1 / ext4 defaults,noatime 0 0\n",
    "etc/default/grub": (
        "GRUB_DEFAULT=0\nGRUB_TIMEOUT=0\nGRUB_DISTRIBUTOR=Debian\nGRUB_DISABLE_OS_PROBER=true\n"
        'GRUB_TERMINAL=serial\nGRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"\n'
        f'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX="{KERNEL_PARAMETERS}"\n'
    ),
    # Translated code takes minutes to make the initramfs of a computer that could have any disk.
    "etc/initramfs-tools/conf.d/quick": "MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\nFSTYPE=ext4\n",
    # The driver of the devices that stand for GPUs is in it, as a race that vfio-pci has to win.
    "usr/share/initramfs-tools/modules.d/gpu-host": "virtio_pci\nvirtio_blk\next4\nbochs\n",
    # The address that QEMU forwards to. Asked for by DHCP, it is not always given to a slow machine.
    "etc/systemd/network/wired.network": "[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\nIPv6AcceptRA=no\n",
    "etc/ssh/sshd_config.d/test.conf": "UseDNS no\nPasswordAuthentication no\n",
}
ENABLED = ("systemd-networkd.service",)
# Nothing to update, scrub or log in to.
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "serial-getty@ttyS0.service",
    "systemd-networkd-wait-online.service",
)
# Raised when the way of building changes without a change of the other parts of the recipe.
BUILD_FORMAT = 1
SHM = Path("/dev/shm")


@dataclass(frozen=True)
class Recipe:
    """What the image is made of; a change of any part makes another one."""

    suite: str = "bookworm"
    mirror: str = "http://deb.debian.org/debian"
    packages: tuple[str, ...] = PACKAGES
    drivers: tuple[str, ...] = DRIVERS
    modules: tuple[str, ...] = GRUB_MODULES
    files: str = json.dumps(FILES, sort_keys=True)
    units: str = json.dumps([ENABLED, MASKED])
    megabytes: int = 1400
    build_format: int = BUILD_FORMAT

    @property
    def digest(self) -> str:
        """The name of the image: 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


def ensure(recipe: Recipe, cache: Path | None = None) -> Path:
    """Return the disk of a recipe, built first when the cache has none.

    Raises LabError when tools or packages are missing; what was half built is removed.
    """
    images = (cache or Paths().cache) / "gpu-host"
    disk = images / recipe.digest / DISK_NAME
    with locked(images / ".lock"):
        if not disk.exists():
            for leftover in images.glob(".new-*"):
                shutil.rmtree(leftover)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=images) as new:
                image = Path(new) / "image"
                image.mkdir()
                _build(recipe, image / DISK_NAME)
                (image / "recipe.json").write_text(json.dumps(asdict(recipe), indent=2, sort_keys=True) + "\n")
                image.rename(disk.parent)
    return disk


def _build(recipe: Recipe, disk: Path) -> None:
    require("mmdebstrap", "mke2fs")
    # Where there is room in memory, as dpkg syncs each file.
    parent = SHM if SHM.is_dir() and shutil.disk_usage(SHM).free > 3_000_000_000 else disk.parent
    with tempfile.TemporaryDirectory(prefix="fact8ra-gpu-host-", dir=parent) as scratch:
        tree = Path(scratch) / "rootfs"
        _install(recipe, tree)
        core, boot = _grub(recipe, tree)
        with disk.open("wb") as stream:
            stream.truncate(recipe.megabytes << 20)
        offset = f"offset={FIRST_SECTOR * SECTOR}"
        size = f"{recipe.megabytes - (FIRST_SECTOR * SECTOR >> 20)}M"
        features = "^metadata_csum_seed,^orphan_file"
        run(["mke2fs", "-q", "-t", "ext4", "-O", features, "-E", offset, "-d", str(tree), str(disk), size], timeout=300)
    _write_boot_sectors(disk, boot, core)


def _install(recipe: Recipe, tree: Path) -> None:
    """Unpack the packages and lay the files over them; the initramfs is made with those files in place."""
    drivers = "/lib/modules/*/kernel/drivers"
    options = [
        *(f"path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "info", "locale")),
        f"path-exclude={drivers}/*",
        *(f"path-include={drivers}/{name}{'' if name.endswith('ko') else '/*'}" for name in recipe.drivers),
        *(f"path-exclude=/lib/modules/*/kernel/{name}/*" for name in ("sound/soc", "sound/usb", "net/wireless")),
        *(f"path-exclude=/usr/share/initramfs-tools/hooks/{name}" for name in ("dmsetup", "fsck", "keymap", "resume")),
    ]
    with tempfile.TemporaryDirectory() as laid:
        for name, text in json.loads(recipe.files).items():
            path = Path(laid) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        run(
            [
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                f"--include={','.join(recipe.packages)}",
                "--dpkgopt=force-unsafe-io",
                "--dpkgopt=force-confold",
                *(f"--dpkgopt={option}" for option in options),
                f"--essential-hook=copy-in {' '.join(str(path) for path in Path(laid).iterdir())} /",
                recipe.suite,
                str(tree),
                recipe.mirror,
            ],
            timeout=900,
        )
    enabled, masked = json.loads(recipe.units)
    for arguments in (["enable", *enabled], ["mask", *masked]):
        run(["systemctl", f"--root={tree}", *arguments])
    (tree / "etc/machine-id").write_text("")
    (tree / "etc/resolv.conf").unlink(missing_ok=True)
    (tree / "etc/resolv.conf").write_text("")
    (tree / "root/.ssh").mkdir(mode=0o700, exist_ok=True)


def _grub(recipe: Recipe, tree: Path) -> tuple[bytes, bytes]:
    """Do what grub-install does to /boot; return the core image and the boot sector's code."""
    modules = tree / "usr/lib/grub/i386-pc"
    shutil.copytree(modules, tree / "boot/grub/i386-pc", ignore=shutil.ignore_patterns("*.image", "*.img", "*.module"))
    (kernel,) = (tree / "boot").glob("vmlinuz-*")
    release = kernel.name.partition("-")[2]
    # Only until update-grub runs on the machine; it cannot in a directory, which is on no device.
    (tree / "boot/grub/grub.cfg").write_text(
        "serial --unit=0 --speed=115200\nterminal_output serial\n"
        f"linux /boot/vmlinuz-{release} root=/dev/vda1 ro {KERNEL_PARAMETERS} quiet\n"
        f"initrd /boot/initrd.img-{release}\nboot\n"
    )
    target = "/boot/grub/i386-pc/core.img"
    command = ["chroot", str(tree), "grub-mkimage", "-O", "i386-pc", "-p", "(hd0,msdos1)/boot/grub", "-o", target]
    run([*command, *recipe.modules])
    return (tree / target.lstrip("/")).read_bytes(), (modules / "boot.img").read_bytes()


def _write_boot_sectors(disk: Path, boot: bytes, core: bytes) -> None:
    """Write the partition table and GRUB.

    GRUB's boot sector loads the sector after it, and the core image's own first sector, which grub-mkimage wrote, the
    rest of the core from there on (grub-core/boot/i386/pc/diskboot.S).
    """
    assert len(core) < (FIRST_SECTOR - 1) * SECTOR, f"the core image has {len(core)} bytes"
    sectors = disk.stat().st_size // SECTOR - FIRST_SECTOR
    linux = 0x83
    partition = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", linux, b"\xfe\xff\xff", FIRST_SECTOR, sectors)
    with disk.open("r+b") as stream:
        stream.write(boot[:440].ljust(446, b"\0") + partition.ljust(64, b"\0") + b"\x55\xaa" + core)


def overlay(disk: Path, path: Path) -> None:
    """Make a disk of its own over an image, which stays as it is."""
    _checked(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(disk), str(path)])


def _checked(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)
