# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A mock of a hypervisor of each distribution family: its files in a directory, its tools as fakes that act on them.

The GPUs come from the machines of ``sysfs``. The fakes stand in for programs that would change the boot of the host
that runs the tests, and keep to what the real ones read and write, as far as role nvidia_host depends on it.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import sysfs

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu.host import read
from ansible_collections.fact8ra.flower.plugins.plugin_utils._gpu_host import plan

ROLE = Path(__file__).parents[2] / "roles" / "nvidia_host"
OWN = (
    "/etc/default/grub.d/fact8ra-gpu.cfg",
    "/etc/udev/rules.d/fact8ra-gpu.rules",
    "/etc/modules-load.d/fact8ra-gpu.conf",
    "/etc/modprobe.d/fact8ra-gpu.conf",
    "/etc/initramfs-tools/hooks/fact8ra-gpu",
    "/etc/dracut.conf.d/fact8ra-gpu.conf",
)
_SPECIFICATION = importlib.util.spec_from_file_location("nvidia_host_look", ROLE / "files" / "look.py")
assert _SPECIFICATION is not None
assert _SPECIFICATION.loader is not None
_LOOK = importlib.util.module_from_spec(_SPECIFICATION)
_SPECIFICATION.loader.exec_module(_LOOK)

STATE = "/etc/fact8ra-gpu.json"

RELEASES = {
    "debian": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "ubuntu": 'ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n',
    "rhel": 'ID="almalinux"\nID_LIKE="rhel centos fedora"\nPRETTY_NAME="AlmaLinux 9.4"\n',
    "suse": 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\nPRETTY_NAME="openSUSE Leap 15.6"\n',
}

FAKES = Path(__file__).parent / "distribution_tools"
TOOLS = {
    "debian": ("update-grub", "update-initramfs", "mkinitramfs", "driverctl"),
    "ubuntu": ("update-grub", "dracut", "driverctl"),
    "rhel": ("grubby", "dracut", "driverctl"),
    "suse": ("pbl", "dracut"),
}


@dataclass(frozen=True)
class Hypervisor:
    """A hypervisor.

    Attributes:
        root: where its files are.
        description: what `sysfs.build` made its GPUs of.
    """

    root: Path
    description: Mapping[str, Any]

    @property
    def path(self) -> str:
        """PATH with its tools, and of this host what its fakes need and nothing else."""
        return str(self.root / "bin")

    def facts(self) -> dict[str, Any]:
        """The facts of module gpu_host_facts."""
        return read(self.root, self.description.get("wanted"))

    def look(self, *parameters: str) -> dict[str, Any]:
        """The answer of the role's script."""
        request = {"root": str(self.root), "state": STATE, "files": list(OWN), "parameters": list(parameters)}
        with mock.patch.dict(os.environ, {"PATH": self.path}):
            found: dict[str, Any] = _LOOK.look(request)
        return found

    def write(self, path: str, text: str) -> None:
        """Write a file."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def text(self, path: str) -> str:
        """Content of a file."""
        return (self.root / path.lstrip("/")).read_text(encoding="utf-8")

    def calls(self) -> list[str]:
        """What was called since the last time that this was asked, but for questions."""
        place = self.root / "calls"
        lines = place.read_text(encoding="utf-8").splitlines() if place.is_file() else []
        place.unlink(missing_ok=True)
        return [line for line in lines if "--info" not in line and "--get-option" not in line]

    def variables(self) -> dict[str, Any]:
        """Variables of a play for which this is the host, to be given where the role is included."""
        return {"_nvidia_host_root": str(self.root), "_nvidia_host_path": self.path, "_nvidia_host_facts": self.facts()}


def build(root: Path, distribution: str, machine: str | Mapping[str, Any], command_line: str = "") -> Hypervisor:
    """Make a hypervisor.

    Args:
        root: a directory.
        distribution: one of `RELEASES`.
        machine: name or description of a machine of `sysfs`.
        command_line: what it runs with, in place of the machine's.
    """
    description = dict(sysfs.load(machine) if isinstance(machine, str) else machine)
    if command_line:
        description["command_line"] = command_line
    sysfs.build(description, root)
    host = Hypervisor(root, description)
    host.write("/etc/os-release", RELEASES[distribution])
    host.write("/etc/group", "root:x:0:\nkvm:x:104:oneadmin\n")
    host.write("/etc/default/grub", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\nGRUB_CMDLINE_LINUX=""\n')
    host.write("/etc/sysconfig/bootloader", 'LOADER_TYPE="grub2-efi"\n')
    host.write("/boot/grub/grub.cfg", "  linux /boot/vmlinuz root=/dev/sda1 ro quiet\n")
    host.write("/boot/grub2/grub.cfg", "  linux /boot/vmlinuz root=/dev/sda1 quiet\n")
    host.write("/boot/options", "quiet\n")
    host.write("/boot/args", "ro quiet\nro quiet crashkernel=1G\n")
    for directory in ("etc/modprobe.d", "etc/modules-load.d", "etc/udev/rules.d", "bin"):
        (root / directory).mkdir(parents=True, exist_ok=True)
    for tool in (*TOOLS[distribution], "udevadm", "modprobe"):
        fake = root / "bin" / tool
        source = FAKES / f"{tool}.sh"
        text = (source if source.is_file() else FAKES / "only_noted.sh").read_text(encoding="utf-8")
        fake.write_text(f"#!/bin/bash\n{text}", encoding="utf-8")
        fake.chmod(0o755)
    return host


NOTED = {"binding": "driverctl", "devices": [], "overrides": [], "parameters": [], "phase": "written"}
OPTIONS = {
    "binding": "auto",
    "allow_shared_groups": False,
    "allow_reboot": True,
    "kernel_parameters": [],
    "vgpu": False,
}


def planned(host: Hypervisor, **options: Any) -> dict[str, Any]:
    """The plan for a host, by what its script and its facts say."""
    asked = {**OPTIONS, **options}
    return plan(host.facts(), host.look("intel_iommu=on", *asked["kernel_parameters"]), asked)


def refused(host: Hypervisor, **options: Any) -> str:
    """Everything that is refused, in one text."""
    return ". ".join(planned(host, **options)["refused"])


def written(host: Hypervisor, **state: Any) -> None:
    """Write down what the role would have, had it run."""
    host.write(STATE, json.dumps({**NOTED, **state}))


def tree(root: Path) -> dict[str, str]:
    """Every file below a directory with its content and mode, but for what the fakes wrote down."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(root))] = f"-> {os.readlink(path)}"
        elif path.is_file() and path.name != "calls":
            text = path.read_bytes().decode("utf-8", "replace")
            found[str(path.relative_to(root))] = f"{path.stat().st_mode & 0o777:04o} {text}"
    return found
