# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Prints what a change of a hypervisor could leave: files, drivers of PCI devices, command line and id of the boot."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path


def described(path: str) -> str:
    """Mode and content of a file; large ones by size and time, as hashing them takes long here."""
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        return f"-> {os.readlink(path)}"
    if found.st_size > 1_000_000:
        content = f"{found.st_size} {found.st_mtime_ns}"
    else:
        content = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return f"{stat.S_IMODE(found.st_mode):04o} {content}"


def link_name(path: Path) -> str:
    """Last part of where a link leads, or nothing."""
    return os.path.basename(os.readlink(path)) if path.is_symlink() else ""


files = {}
for top in ("/etc", "/boot", "/usr/lib/modprobe.d", "/usr/lib/udev/rules.d"):
    for directory, _names, names in os.walk(top):
        if not directory.startswith("/boot/grub/"):
            files.update({f"{directory}/{name}": described(f"{directory}/{name}") for name in names})
devices = sorted(Path("/sys/bus/pci/devices").iterdir())
print(
    json.dumps(
        {
            "files": files,
            "drivers": {device.name: link_name(device / "driver") for device in devices},
            "overrides": {device.name: (device / "driver_override").read_text().strip() for device in devices},
            "groups": {device.name: link_name(device / "iommu_group") for device in devices},
            "command_line": Path("/proc/cmdline").read_text().split(),
            "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            "vfio": sorted(path.name for path in Path("/dev/vfio").glob("*")),
        }
    )
)
