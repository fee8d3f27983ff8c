# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What uses a card now: VMs, processes, the driver, the console; private to the collection."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu._tree import Tree
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu.pci import DEVICES, Device

QEMU = re.compile(r"qemu-system-\w+|qemu-kvm|kvm")
FIRMWARE_FRAMEBUFFER = re.compile(r"BOOTFB|efifb|vesafb|simplefb|simple-framebuffer|.*-framebuffer")


@dataclass(frozen=True)
class Process:
    """A process.

    Attributes:
        pid: its id.
        name: the VM's name, or the program's.
        vm: whether it is a VM.
        arguments: its arguments, one a line.
        files: the devices that it has open, as paths.
    """

    pid: int
    name: str
    vm: bool
    arguments: str
    files: frozenset[str]

    def __str__(self) -> str:
        """Return C(vm one-12 (pid 1234))."""
        return f"{'vm' if self.vm else 'process'} {self.name} (pid {self.pid})"


def processes(tree: Tree) -> list[Process]:
    """Return the VMs, and what else has a device of a card open."""
    found = []
    for pid in sorted(int(name) for name in tree.names("/proc") if name.isdecimal()):
        arguments = [
            part for part in (tree.raw(f"/proc/{pid}/cmdline") or b"").decode("utf-8", "replace").split("\0") if part
        ]
        if not arguments:
            continue  # a thread of the kernel
        program = os.path.basename(tree.link(f"/proc/{pid}/exe") or arguments[0]).partition(" ")[0]
        vm = QEMU.fullmatch(program) is not None
        opened = (tree.link(f"/proc/{pid}/fd/{number}") for number in tree.names(f"/proc/{pid}/fd"))
        files = frozenset(
            path for path in opened if path and path.startswith(("/dev/vfio/", "/dev/nvidia", "/dev/dri/"))
        )
        if vm or files:
            name = _vm_name(arguments) if vm else _name(tree, pid, program)
            found.append(Process(pid, name or program, vm, "\n".join(arguments), files))
    return found


def _name(tree: Tree, pid: int, program: str) -> str | None:
    """Return the name that a process goes by, of which the kernel keeps fifteen characters."""
    name = tree.text(f"/proc/{pid}/comm")
    return program if name and program.startswith(name) else name


def _vm_name(arguments: list[str]) -> str | None:
    """Return the value of C(-name): C(one-12), or C(guest=one-12,debug-threads=on) as libvirt writes it."""
    at = next((place for place, word in enumerate(arguments[:-1]) if word in ("-name", "--name")), None)
    return None if at is None else re.sub(r"^guest=", "", arguments[at + 1]).partition(",")[0] or None


def device_files(tree: Tree, device: Device) -> set[str]:
    """Return the device files by which a card can be open."""
    files = {f"/dev/dri/{name}" for name in tree.names(f"{device.path}/drm") if re.match(r"card|render", name)}
    files |= {f"/dev/vfio/devices/{name}" for name in tree.names(f"{device.path}/vfio-dev")}
    if device.for_vms and device.iommu_group is not None:
        files |= {f"/dev/vfio/{device.iommu_group}", f"/dev/vfio/noiommu-{device.iommu_group}"}
    told = tree.text(f"/proc/driver/nvidia/gpus/{device.address}/information") or ""
    minor = re.search(r"^Device Minor:\s*(\d+)$", told, re.MULTILINE)
    if minor:
        files.add(f"/dev/nvidia{minor.group(1)}")
    return files


def named_by(process: Process, device: Device) -> bool:
    """Whether a VM's arguments give it the device or a mediated device on it."""
    short = device.address[5:] if device.address.startswith("0000:") else device.address
    address = rf"(?:0000:)?{re.escape(short)}" if short != device.address else re.escape(device.address)
    wanted = rf'host["=:\s]+{address}(?![0-9a-f.:])|{re.escape(DEVICES)}/{re.escape(device.address)}(?![0-9])'
    return process.vm and (
        re.search(wanted, process.arguments) is not None or any(uuid in process.arguments for uuid in device.mediated)
    )


def using(tree: Tree, device: Device, running: list[Process]) -> list[Process]:
    """Return the processes that use a device."""
    files = device_files(tree, device)
    return [process for process in running if process.files & files or named_by(process, device)]


def driver_use(tree: Tree, device: Device) -> list[str]:
    """Return who else holds the driver of a device: C(module nvidia (3 users)); vfio-pci's users are told as VMs."""
    if device.driver is None or device.for_vms:
        return []
    module = tree.link_name(f"{device.path}/driver/module")
    count = tree.number(f"/sys/module/{module}/refcnt") if module else None
    # modules that build on it hold it as well, and say nothing of the card
    count = max(0, (count or 0) - len(tree.names(f"/sys/module/{module}/holders")))
    return [f"module {module} ({count} user{'s' if count > 1 else ''})"] if count else []


def framebuffers(tree: Tree, device: Device) -> list[str]:
    """Return the framebuffers on a device: C(fb0), or C(firmware) for the one that the firmware left in its memory."""
    found = []
    for name in tree.names("/sys/class/graphics"):
        target = tree.link(f"/sys/class/graphics/{name}") or ""
        owner = tree.link(f"/sys/class/graphics/{name}/device") or ""
        if re.fullmatch(r"fb\d+", name) and (f"/{device.address}/" in target or owner.endswith(f"/{device.address}")):
            found.append(name)
    return found + (["firmware"] if _firmware_framebuffer(tree, device) else [])


def _firmware_framebuffer(tree: Tree, device: Device) -> bool:
    """Whether /proc/iomem shows one below a region of the device."""
    inside: int | None = None
    for line in (tree.raw("/proc/iomem") or b"").decode("utf-8", "replace").splitlines():
        entry = re.match(r"( *)[0-9a-f]+-[0-9a-f]+ : (.*)", line)
        if entry is None:
            continue
        depth, name = len(entry.group(1)), entry.group(2).strip()
        if inside is not None and depth > inside:
            if FIRMWARE_FRAMEBUFFER.fullmatch(name):
                return True
        else:
            inside = depth if name == device.address else None
    return False


def boot_display(tree: Tree, device: Device, shown: list[str]) -> bool:
    """Whether the host's console is on a device: the firmware chose it, or the kernel's messages go to its framebuffer.

    A framebuffer on a host whose console is a serial line alone is nobody's loss.
    """
    marks = [f"{device.path}/boot_vga", f"{device.path}/boot_display"]
    marks += [f"{device.path}/drm/{name}/boot_display" for name in tree.names(f"{device.path}/drm")]
    if any(tree.text(path) == "1" for path in marks) or "firmware" in shown:
        return True
    if "fb0" not in shown or "tty0" not in (tree.text("/sys/class/tty/console/active") or "tty0").split():
        return False
    return any(
        "frame buffer" in (tree.text(f"/sys/class/vtconsole/{name}/name") or "")
        and tree.text(f"/sys/class/vtconsole/{name}/bind") == "1"
        for name in tree.names("/sys/class/vtconsole")
    )
