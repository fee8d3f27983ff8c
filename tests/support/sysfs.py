# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Files of the kernel as a machine would have them, from a short description: a mock of a machine that cannot be had.

The trees have the links that the kernel makes: ``/sys/bus/pci/devices/*`` leads into ``/sys/devices/pci0000:40/...``,
and a device's ``driver``, ``iommu_group`` and ``physfn`` are links out of it. ``build`` says what a description holds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

MACHINES = Path(__file__).parents[1] / "unit" / "gpu" / "machines"

BRANDS = {"intel": "GenuineIntel", "amd": "AuthenticAMD"}
EFI_BOOT = bytes([6, 0, 0, 0])
"""Attributes of a variable: of the boot services and readable at run time."""

CHIPS = {
    True: " 0:   36   0  IR-IO-APIC    2-edge      timer\n 25:    0   0  IR-PCI-MSI-0000:00:1f.2    0-edge  ahci\n",
    False: " 0:   36   0   IO-APIC   2-edge      timer\n 25:    0   0  PCI-MSI 512000-edge      ahci\n",
}


def names() -> list[str]:
    """Return the names of the described machines."""
    return sorted(path.stem for path in MACHINES.glob("*.yml"))


def load(name: str) -> dict[str, Any]:
    """Return the description of a machine."""
    description: dict[str, Any] = yaml.safe_load((MACHINES / f"{name}.yml").read_text(encoding="utf-8"))
    return description


def build(description: Mapping[str, Any], root: Path) -> Path:
    """Make the tree of a machine under C(root) and return C(root).

    A description has, all of it optional:
        kernel, command_line, cpu (intel, amd or a vendor_id), flags (of the CPU);
        uefi (bool), secure_boot (0 or 1), lockdown (text of the file), tables (ACPI tables);
        units (of the IOMMU), group_type, interrupts_remapped (bool);
        devices: by address: vendor, device, class and whatever _device knows;
        modules: by name: refcnt, holders, parameters;
        processes: by id: exe, arguments, comm, opened (paths);
        files and links: by path, anything else.
    """
    tree = _Tree(root)
    tree.text("/proc/cmdline", f"{description.get('command_line', 'BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet')}\n")
    tree.text("/proc/sys/kernel/osrelease", f"{description.get('kernel', '6.1.0-28-amd64')}\n")
    _cpu(tree, description)
    _firmware(tree, description)
    for unit in description.get("units", []):
        tree.folder(f"/sys/devices/virtual/iommu/{unit}")
        tree.link(f"/sys/class/iommu/{unit}", f"/sys/devices/virtual/iommu/{unit}")
    if "interrupts_remapped" in description:
        tree.text("/proc/interrupts", f"     CPU0  CPU1\n{CHIPS[description['interrupts_remapped']]}")
    devices = description.get("devices", {})
    for address, device in devices.items():
        _device(tree, address, device, devices, description.get("group_type", "DMA-FQ"))
    for name, module in description.get("modules", {}).items():
        tree.text(f"/sys/module/{name}/refcnt", f"{module.get('refcnt', 0)}\n")
        for holder in module.get("holders", []):
            tree.link(f"/sys/module/{name}/holders/{holder}", f"/sys/module/{holder}")
        for key, value in module.get("parameters", {}).items():
            tree.text(f"/sys/module/{name}/parameters/{key}", f"{value}\n")
    for pid, process in description.get("processes", {}).items():
        _process(tree, f"/proc/{pid}", process)
    for path, text in description.get("files", {}).items():
        tree.text(path, text)
    for path, target in description.get("links", {}).items():
        tree.raw_link(path, target)
    return root


class _Tree:
    def __init__(self, root: Path) -> None:
        self.root = root

    def at(self, path: str) -> Path:
        where = self.root / path.lstrip("/")
        where.parent.mkdir(parents=True, exist_ok=True)
        return where

    def folder(self, path: str) -> None:
        self.at(path).mkdir(exist_ok=True)

    def text(self, path: str, text: str) -> None:
        self.at(path).write_text(text, encoding="utf-8")

    def octets(self, path: str, content: bytes) -> None:
        self.at(path).write_bytes(content)

    def raw_link(self, path: str, target: str) -> None:
        self.at(path).symlink_to(target)

    def link(self, path: str, target: str) -> None:
        """Make a link as sysfs does: relative to where it really lies."""
        place = self.at(path)
        if not place.is_symlink():
            place.symlink_to(os.path.relpath(self.root / target.lstrip("/"), place.parent.resolve()))


def _cpu(tree: _Tree, description: Mapping[str, Any]) -> None:
    cpu = description.get("cpu", "intel")
    usual = {"intel": ["vmx"], "amd": ["svm"]}.get(cpu, [])
    flags = " ".join(["fpu", "vme", *description.get("flags", usual)])
    tree.text("/proc/cpuinfo", f"processor\t: 0\nvendor_id\t: {BRANDS.get(cpu, cpu)}\nflags\t\t: {flags}\n")


def _firmware(tree: _Tree, description: Mapping[str, Any]) -> None:
    if description.get("uefi", True):
        tree.folder("/sys/firmware/efi")
        if "secure_boot" in description:
            value = EFI_BOOT + bytes([description["secure_boot"]])
            tree.octets("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", value)
    if "lockdown" in description:
        tree.text("/sys/kernel/security/lockdown", f"{description['lockdown']}\n")
    for table in ["FACP", "APIC", *description.get("tables", [])]:
        tree.octets(f"/sys/firmware/acpi/tables/{table}", table.encode() + b"\0" * 4)


def _device(tree: _Tree, address: str, device: Mapping[str, Any], devices: Mapping[str, Any], group_type: str) -> None:
    """Make a device.

    It has vendor, device, subsystem (C(vendor:device)), class (six digits), under (address of the bridge above it),
    driver, module (the driver's), override, group, numa, header (type; default by class), power, regions (texts),
    boot_vga, drm (names), fb (name), sriov (total, enabled), physfn (address), mediated (UUIDs), dead (bool), files
    (texts by name).
    """
    place = real(address, devices)
    tree.at(f"{place}/x")
    tree.link(f"/sys/bus/pci/devices/{address}", place)
    maker, _colon, model = str(device.get("subsystem", "0000:0000")).partition(":")
    texts = {
        "vendor": f"0x{device['vendor']}",
        "device": f"0x{device['device']}",
        "subsystem_vendor": f"0x{maker}",
        "subsystem_device": f"0x{model}",
        "class": f"0x{device['class']}",
        "numa_node": device.get("numa", -1),
        "driver_override": device.get("override", "(null)"),
        "power_state": device.get("power", "D0"),
        "resource": "\n".join(device.get("regions", ["0x00000000f6000000 0x00000000f6ffffff 0x0000000000040200"])),
        **device.get("files", {}),
    }
    if "boot_vga" in device:
        texts["boot_vga"] = device["boot_vga"]
    if "sriov" in device:
        texts["sriov_totalvfs"] = device["sriov"]["total"]
        texts["sriov_numvfs"] = device["sriov"].get("enabled", 0)
    for name, text in texts.items():
        tree.text(f"{place}/{name}", f"{text}\n")
    tree.octets(f"{place}/config", b"\xff" * 64 if device.get("dead") else _header(address, device, devices))
    if device.get("driver"):
        driver = f"/sys/bus/pci/drivers/{device['driver']}"
        tree.at(f"{driver}/x")
        tree.link(f"{place}/driver", driver)
        module = device.get("module", device["driver"].replace("-", "_"))
        tree.at(f"/sys/module/{module}/x")
        tree.link(f"{driver}/module", f"/sys/module/{module}")
    if "group" in device:
        group = f"/sys/kernel/iommu_groups/{device['group']}"
        tree.text(f"{group}/type", f"{group_type}\n")
        tree.at(f"{group}/devices/x")
        tree.link(f"{group}/devices/{address}", place)
        tree.link(f"{place}/iommu_group", group)
    if "physfn" in device:
        tree.link(f"{place}/physfn", real(device["physfn"], devices))
    for name in device.get("drm", []):
        tree.at(f"{place}/drm/{name}/x")
    for uuid in device.get("mediated", []):
        tree.at(f"{place}/{uuid}/x")
    if "fb" in device:
        tree.at(f"{place}/graphics/{device['fb']}/x")
        tree.link(f"/sys/class/graphics/{device['fb']}", f"{place}/graphics/{device['fb']}")
        tree.link(f"{place}/graphics/{device['fb']}/device", place)


def real(address: str, devices: Mapping[str, Any]) -> str:
    """Return where the device really is, below the bridges that lead to it."""
    chain = [address]
    while devices.get(chain[0], {}).get("under"):
        chain.insert(0, devices[chain[0]]["under"])
    domain, bus = chain[0].split(":")[:2]
    return "/".join([f"/sys/devices/pci{domain}:{bus}", *chain])


def _header(address: str, device: Mapping[str, Any], devices: Mapping[str, Any]) -> bytes:
    several = sum(other.rpartition(".")[0] == address.rpartition(".")[0] for other in devices) > 1
    kind = device.get("header", 1 if str(device["class"]).startswith("0604") else 0) | (0x80 if several else 0)
    header = bytearray(64)
    header[0:2] = bytes.fromhex(device["vendor"])[::-1]
    header[2:4] = bytes.fromhex(device["device"])[::-1]
    header[9:12] = bytes.fromhex(device["class"])[::-1]
    header[14] = kind
    return bytes(header)


def _process(tree: _Tree, place: str, process: Mapping[str, Any]) -> None:
    arguments = [str(word) for word in process.get("arguments", [process["exe"]])]
    tree.octets(f"{place}/cmdline", b"".join(word.encode() + b"\0" for word in arguments))
    tree.text(f"{place}/comm", f"{process.get('comm', os.path.basename(process['exe']))[:15]}\n")
    tree.raw_link(f"{place}/exe", process["exe"])
    for number, path in enumerate(["/dev/null", "socket:[4711]", *process.get("opened", [])]):
        tree.raw_link(f"{place}/fd/{number}", path)
