# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A disk that BIOS and UEFI boot, made of a tree without mounting anything and without a loop device.

| Partition | Holds |
| --- | --- |
| 1 | GRUB's core image for BIOS, which the sector in front of the partition table loads |
| 2 | EFI system partition: Debian's signed shim and GRUB, so that Secure Boot may be on |
| 3 | root file system; the last one, so that it can grow with the disk |
"""

from __future__ import annotations

import shutil
import struct
import uuid
from pathlib import Path
from typing import Final

from .paths import matches, remove, within
from .paths import write as write_file
from .recipe import EPOCH, Recipe
from .system import ImageError, inside, run

SECTOR: Final = 512
_PER_MIB: Final = (1 << 20) // SECTOR
BIOS_FIRST: Final = 1 * _PER_MIB
ESP_FIRST: Final = 2 * _PER_MIB
ROOT_FIRST: Final = 18 * _PER_MIB
#: Partition types of the UEFI specification and of GRUB's manual.
BIOS_TYPE: Final = "21686148-6449-6E6F-744E-656564454649"
ESP_TYPE: Final = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX_TYPE: Final = "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
#: GRUB 2.06 reads no file system with these; what is left is as of Debian 12.
EXT4_FEATURES: Final = "^metadata_csum_seed,^orphan_file"
_BIOS_MODULES: Final = (
    "biosdisk",
    "part_gpt",
    "ext2",
    "normal",
    "linux",
    "configfile",
    "search",
    "search_fs_uuid",
    "test",
)
#: VNC shows the last console, which is where the appliance tells its state; the kernel writes to both.
KERNEL_PARAMETERS: Final = "console=ttyS0,115200 console=tty0"
_BOOT: Final = "usr/lib/grub/i386-pc/boot.img"
_CORE: Final = "boot/grub/i386-pc/core.img"
_SHIM: Final = "usr/lib/shim/shimx64.efi.signed"
_GRUB_EFI: Final = "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"


def identifier(name: str, what: str) -> str:
    """The UUID of a part of an image: the same in every build."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{what}.{name}.fact8ra"))


def partitions(name: str, megabytes: int) -> str:
    """The partition table, as sfdisk reads it, of a disk of that many MiB."""
    last = megabytes * _PER_MIB - _PER_MIB
    return "\n".join(
        (
            "label: gpt",
            f"label-id: {identifier(name, 'disk')}",
            f"first-lba: {BIOS_FIRST}",
            *(
                f"start={first}, size={end - first}, type={kind}, uuid={identifier(name, what)}, name={what}"
                for first, end, kind, what in (
                    (BIOS_FIRST, ESP_FIRST, BIOS_TYPE, "bios"),
                    (ESP_FIRST, ROOT_FIRST, ESP_TYPE, "esp"),
                    (ROOT_FIRST, last, LINUX_TYPE, "root"),
                )
            ),
            "",
        )
    )


def boot_sectors(boot: bytes, core: bytes, first: int = BIOS_FIRST) -> tuple[bytes, bytes]:
    """GRUB's boot code and core image as they stand on a disk whose core image begins at a sector.

    The boot code loads the sector whose number it has at 0x5C; that one, the first of the core image, loads the rest
    by a list at its end (grub-core/boot/i386/pc/{boot,diskboot}.S; util/setup.c writes the same).
    Raises ImageError when the core image is larger than its partition.
    """
    if len(core) > (ESP_FIRST - BIOS_FIRST) * SECTOR:
        raise ImageError(f"GRUB's core image has {len(core)} bytes, which its partition has no room for")
    code = bytearray(boot[:440])
    struct.pack_into("<Q", code, 0x5C, first)
    # A jump that only floppies need, as grub-bios-setup replaces it.
    code[0x66:0x68] = b"\x90\x90"
    rest = bytearray(core)
    struct.pack_into("<Q", rest, 0x1F4, first + 1)
    return bytes(code), bytes(rest)


def prepare(recipe: Recipe, tree: Path) -> None:
    """Write what a tree needs to boot from a disk of its own: fstab and GRUB's files.

    Raises ImageError when the tree has no kernel or no GRUB.
    """
    name = recipe.flavour.name
    root, esp = identifier(name, "file-system"), esp_serial(name)
    kernels = matches(tree, "boot/vmlinuz-*")
    lacking = [path for path in (_BOOT, _SHIM, _GRUB_EFI) if not within(tree, path, follow=True).exists()]
    if not kernels or lacking:
        raise ImageError(f"the base has no {', '.join(lacking) or 'kernel'}: it cannot become a disk of its own")
    release = kernels[-1].name.partition("-")[2]
    files = {
        "etc/fstab": (
            f"UUID={root} / ext4 noatime,errors=remount-ro 0 1\n"
            f"UUID={esp[:4]}-{esp[4:]} /boot/efi vfat umask=0077,nofail 0 0\n"
        ),
        "etc/default/grub": (
            "GRUB_DEFAULT=0\nGRUB_TIMEOUT=0\nGRUB_DISTRIBUTOR=Debian\nGRUB_DISABLE_OS_PROBER=true\n"
            f'GRUB_TERMINAL=console\nGRUB_CMDLINE_LINUX_DEFAULT=""\nGRUB_CMDLINE_LINUX="{KERNEL_PARAMETERS}"\n'
        ),
        # Until update-grub runs on the machine; it cannot in a directory, which is on no device.
        "boot/grub/grub.cfg": (
            f"search --no-floppy --fs-uuid --set=root {root}\n"
            f"linux /boot/vmlinuz-{release} root=UUID={root} ro {KERNEL_PARAMETERS}\n"
            f"initrd /boot/initrd.img-{release}\nboot\n"
        ),
        "boot/grub/early.cfg": _to_grub(root),
    }
    within(tree, "boot/efi", follow=True).mkdir(exist_ok=True)
    copy_modules(tree)
    for path, text in files.items():
        write_file(tree, path, text)
    command = ["grub-mkimage", "-O", "i386-pc", "-p", "/boot/grub", "-c", "/boot/grub/early.cfg", "-o", f"/{_CORE}"]
    inside(tree, [*command, *_BIOS_MODULES])


def copy_modules(tree: Path) -> None:
    """Put GRUB's modules where it looks for them."""
    target = within(tree, "boot/grub/i386-pc")
    remove(target)
    ignored = shutil.ignore_patterns("*.image", "*.img", "*.module")
    shutil.copytree(within(tree, "usr/lib/grub/i386-pc", follow=True), target, symlinks=True, ignore=ignored)


def esp_serial(name: str) -> str:
    """Serial number of the EFI system partition's FAT: eight hexadecimal digits."""
    return identifier(name, "esp-serial")[:8].upper()


def _to_grub(root: str) -> str:
    return f"search.fs_uuid {root} root\nset prefix=($root)/boot/grub\n"


def write(recipe: Recipe, tree: Path, target: Path, scratch: Path) -> None:
    """Write the disk of a prepared tree as compressed QCOW2.

    Raises ImageError when the tree does not fit.
    """
    name, megabytes = recipe.flavour.name, recipe.flavour.disk_mb
    raw = scratch / "disk.raw"
    with raw.open("wb") as stream:
        stream.truncate(megabytes << 20)
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(raw)], stdin=partitions(name, megabytes))
    boot, core = (within(tree, path, follow=True).read_bytes() for path in (_BOOT, _CORE))
    boot, core = boot_sectors(boot, core)
    with raw.open("r+b") as stream:
        stream.write(boot)
        stream.seek(BIOS_FIRST * SECTOR)
        stream.write(core)
    _write_esp(name, tree, raw, scratch)
    sectors = megabytes * _PER_MIB - _PER_MIB - ROOT_FIRST
    write_ext4(tree, raw, ROOT_FIRST * SECTOR, sectors * SECTOR, identifier(name, "file-system"), "root")
    run(["qemu-img", "convert", "-q", "-c", "-f", "raw", "-O", "qcow2", str(raw), str(target)], timeout=1800)
    raw.unlink()
    run(["qemu-img", "check", "-q", "-f", "qcow2", str(target)])


def _write_esp(name: str, tree: Path, raw: Path, scratch: Path) -> None:
    """Fill the EFI system partition; the firmware starts the file of this name on any disk (UEFI 2.10, 3.5.1.1)."""
    content = scratch / "esp"
    for directory in ("EFI/BOOT", "EFI/debian"):
        (content / directory).mkdir(parents=True)
    shutil.copyfile(within(tree, _SHIM, follow=True), content / "EFI/BOOT/BOOTX64.EFI")
    shutil.copyfile(within(tree, _GRUB_EFI, follow=True), content / "EFI/BOOT/grubx64.efi")
    # Where Debian's signed GRUB looks, as that path is part of what was signed.
    text = _to_grub(identifier(name, "file-system")) + "configfile $prefix/grub.cfg\n"
    (content / "EFI/debian/grub.cfg").write_text(text, encoding="utf-8")
    fat = scratch / "esp.fat"
    with fat.open("wb") as stream:
        stream.truncate((ROOT_FIRST - ESP_FIRST) * SECTOR)
    clock = {"SOURCE_DATE_EPOCH": str(EPOCH)}
    run(["mkfs.vfat", "-n", "EFI", "-i", esp_serial(name), str(fat)], environment=clock)
    run(["mcopy", "-s", "-m", "-i", str(fat), str(content / "EFI"), "::"], environment=clock)
    with raw.open("r+b") as stream:
        stream.seek(ESP_FIRST * SECTOR)
        stream.write(fat.read_bytes())
    fat.unlink()
    shutil.rmtree(content)


def write_ext4(tree: Path, raw: Path, offset: int, size: int, file_system: str, label: str) -> None:
    """Make a file system of a tree in a file, `size` bytes from `offset` on."""
    run(
        [
            *("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "1", "-O", EXT4_FEATURES, "-U", file_system),
            *("-L", label, "-E", f"offset={offset},hash_seed={file_system},root_owner=0:0", "-d", str(tree)),
            *(str(raw), f"{size // 4096}"),
        ],
        timeout=1800,
        environment={"E2FSPROGS_FAKE_TIME": str(EPOCH), "SOURCE_DATE_EPOCH": str(EPOCH)},
        shown=f"mke2fs of {size // 10**6} MB",
    )
