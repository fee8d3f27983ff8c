# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The PCI devices of a host, from /sys/bus/pci/devices; private to the collection.

Source of the files: Documentation/ABI/testing/sysfs-bus-pci of the kernel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu._tree import Tree

DEVICES = "/sys/bus/pci/devices"
ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]")

HOST_SIDE = ("0600", "0601", "0604", "0607", "0609")
"""Classes that stay with the host: host, ISA, PCI, CardBus and semi-transparent bridges. Not 0680 ("other"), which
NVIDIA's NVSwitches have: those are endpoints."""

MEMORY = 0x200
"""IORESOURCE_MEM in the third column of C(resource); see include/linux/ioport.h."""


@dataclass(frozen=True)
class Device:
    """A PCI function.

    Attributes:
        address: C(0000:41:00.0).
        vendor: four hexadecimal digits, as C(device), C(subsystem_vendor), C(subsystem_device); empty where unknown.
        cls: class, six hexadecimal digits, empty where unknown.
        driver: the bound driver, or None.
        driver_override: the driver that alone may bind, or None.
        iommu_group: its number, or None.
        numa_node: its number, or None where the firmware does not say.
        bridge: whether it is a part of the host's own bus and no endpoint.
        answers: whether its configuration space can be read; None where it cannot be told.
        power: C(D0), C(D3cold), ..., or None.
        physical_function: address of the function that it is a virtual function of, or None.
        sriov_total: virtual functions that it can have, None where it cannot.
        sriov_enabled: virtual functions that it has.
        bars: C((start, end, flags)) of its regions 0 to 5.
        mediated: UUIDs of the mediated devices on it.
    """

    address: str
    vendor: str = ""
    device: str = ""
    subsystem_vendor: str = ""
    subsystem_device: str = ""
    cls: str = ""
    driver: str | None = None
    driver_override: str | None = None
    iommu_group: int | None = None
    numa_node: int | None = None
    bridge: bool = False
    answers: bool | None = None
    power: str | None = None
    physical_function: str | None = None
    sriov_total: int | None = None
    sriov_enabled: int = 0
    bars: tuple[tuple[int, int, int], ...] = ()
    mediated: tuple[str, ...] = field(default=())

    @property
    def slot(self) -> str:
        """The address without the function: what the functions of a card share."""
        return self.address.rpartition(".")[0]

    @property
    def path(self) -> str:
        """Its directory in sysfs."""
        return f"{DEVICES}/{self.address}"

    @property
    def for_vms(self) -> bool:
        """Whether vfio has it: vfio-pci, or a driver of its family such as nvgrace-gpu-vfio-pci."""
        return self.driver is not None and self.driver.replace("_", "-").endswith("vfio-pci")

    def words(self) -> dict[str, str]:
        """Return what devices are selected by."""
        return {"vendor": self.vendor, "device": self.device, "class": self.cls, "address": self.address}

    def sibling(self) -> dict[str, Any]:
        """Return what is told of a device that shares a group."""
        return {
            "address": self.address,
            "vendor": self.vendor,
            "device": self.device,
            "class": self.cls[:4],
            "driver": self.driver,
            "bridge": self.bridge,
        }

    @property
    def unassigned(self) -> bool:
        """Whether a memory region has no address, or an NVIDIA card no region at all."""
        used = [(start, end, flags) for start, end, flags in self.bars if flags]
        if not used:
            return bool(self.bars) and self.vendor == "10de" and self.physical_function is None
        return any(flags & MEMORY and start == 0 for start, _end, flags in used)


def read_all(tree: Tree) -> list[Device]:
    """Return the host's PCI functions by address; what is odd about one is noted in the tree."""
    found = []
    for name in tree.names(DEVICES):
        if ADDRESS.fullmatch(name):
            found.append(_read(tree, name))
        else:
            tree.note(f"{DEVICES}/{name}", "is no PCI address")
    return found


def _read(tree: Tree, address: str) -> Device:
    base = f"{DEVICES}/{address}"

    def hexadecimal(name: str, digits: int) -> str:
        number = tree.value(f"{base}/{name}", lambda text: int(text, 16), "a hexadecimal number")
        if number is None or not 0 <= number < 16**digits:
            tree.note(f"{base}/{name}", "has no id")
            return ""
        return f"{number:0{digits}x}"

    cls = hexadecimal("class", 6)
    header = tree.raw(f"{base}/config", 64)
    numa = tree.number(f"{base}/numa_node")
    total = tree.number(f"{base}/sriov_totalvfs")
    override = tree.text(f"{base}/driver_override")
    return Device(
        address=address,
        vendor=hexadecimal("vendor", 4),
        device=hexadecimal("device", 4),
        subsystem_vendor=hexadecimal("subsystem_vendor", 4),
        subsystem_device=hexadecimal("subsystem_device", 4),
        cls=cls,
        driver=tree.link_name(f"{base}/driver"),
        driver_override=override if override not in (None, "", "(null)") else None,
        iommu_group=_group(tree, base),
        numa_node=numa if numa is not None and numa >= 0 else None,
        bridge=cls[:4] in HOST_SIDE or (_answers(header) is True and _header_type(header) in (1, 2)),
        answers=_answers(header),
        power=tree.text(f"{base}/power_state"),
        physical_function=tree.link_name(f"{base}/physfn"),
        sriov_total=total if total else None,
        sriov_enabled=(tree.number(f"{base}/sriov_numvfs") or 0) if total else 0,
        bars=_bars(tree, f"{base}/resource"),
        mediated=tuple(
            name for name in tree.names(base) if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name)
        ),
    )


def _answers(header: bytes | None) -> bool | None:
    """Whether a configuration space is one: a dead device answers with ones alone."""
    if header is None or len(header) < 16:
        return None
    return header[:4] != b"\xff\xff\xff\xff"


def _header_type(header: bytes | None) -> int | None:
    return header[14] & 0x7F if header is not None and len(header) > 14 else None


def _group(tree: Tree, base: str) -> int | None:
    name = tree.link_name(f"{base}/iommu_group")
    if name is None:
        return None
    if not name.isdecimal():
        tree.note(f"{base}/iommu_group", f"{name[:40]!r} is not a number")
        return None
    return int(name)


def _bars(tree: Tree, path: str) -> tuple[tuple[int, int, int], ...]:
    text = tree.text(path) or ""
    try:
        rows = [tuple(int(word, 16) for word in line.split()) for line in text.splitlines()[:6]]
    except ValueError:
        rows = [()]
    if any(len(row) != 3 for row in rows):
        tree.note(path, "is not three numbers a line")
        return ()
    return tuple((row[0], row[1], row[2]) for row in rows)
