# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The IOMMU of a host: whether the firmware offers it and whether the kernel uses it; private to the collection.

That there are groups proves nothing. An Intel kernel makes C(/sys/class/iommu/dmarN) only once it uses the units of the
ACPI table DMAR, an AMD kernel C(ivhdN) for those of IVRS (drivers/iommu/{intel,amd} of the kernel).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu._tree import Tree
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu.kernel import Kernel

GROUPS = "/sys/kernel/iommu_groups"
TABLES = {"intel": ("DMAR",), "amd": ("IVRS",), "other": ("IORT", "RIMT", "VIOT", "DMAR", "IVRS")}
UNITS = {"intel": r"dmar\d+", "amd": r"ivhd\d+", "other": r"(smmu|arm-smmu|riscv|dmar|ivhd).*"}
VIRTIO = r"virtio.*|viommu.*"


@dataclass(frozen=True)
class Iommu:
    """The IOMMU.

    Attributes:
        cpu: C(intel), C(amd) or C(other).
        firmware: whether the firmware describes one.
        enabled: whether the kernel uses it.
        switched_on: whether the command line says so.
        switched_off: the parameter that switches it off, or None.
        passthrough: whether the host's own devices go past it.
        groups: how many groups there are.
        interrupt_remapping: None where it cannot be told.
        unsafe_interrupts: whether vfio is told to do without it.
        unsafe_noiommu: whether vfio is told to do without an IOMMU.
        acs_override: the setting that makes the kernel believe in isolation that is not there, or None.
    """

    cpu: str
    firmware: bool
    enabled: bool
    switched_on: bool
    switched_off: str | None
    passthrough: bool
    groups: int
    interrupt_remapping: bool | None
    unsafe_interrupts: bool
    unsafe_noiommu: bool
    acs_override: str | None

    @property
    def parameters_needed(self) -> list[str]:
        """What the command line still lacks so that the kernel uses the IOMMU; AMD kernels do by themselves."""
        return ["intel_iommu=on"] if self.cpu == "intel" and not self.enabled and not self.switched_on else []

    def public(self) -> dict[str, Any]:
        """Return the facts, with what the command line could have beyond the need.

        Debian and Ubuntu build their kernels so that Intel's IOMMU is on by default, the RHEL family and SUSE do not
        (CONFIG_INTEL_IOMMU_DEFAULT_ON), hence the advice to say it.
        """
        advised = ["intel_iommu=on"] if self.cpu == "intel" and not self.switched_on else []
        return {
            "cpu": self.cpu,
            "firmware": self.firmware,
            "enabled": self.enabled,
            "passthrough": self.passthrough,
            "groups": self.groups,
            "interrupt_remapping": self.interrupt_remapping,
            "parameters_needed": self.parameters_needed,
            "parameters_advised": advised + ([] if self.passthrough else ["iommu=pt"]),
        }


def read(tree: Tree, kernel: Kernel) -> Iommu:
    """Return the IOMMU of a host."""
    units = tree.names("/sys/class/iommu")
    own = re.compile(f"{UNITS[kernel.cpu]}|{VIRTIO}")
    groups = [name for name in tree.names(GROUPS) if name.isdecimal()]
    return Iommu(
        cpu=kernel.cpu,
        firmware=any(tree.exists(f"/sys/firmware/acpi/tables/{name}") for name in (*TABLES[kernel.cpu], "VIOT")),
        enabled=any(own.fullmatch(name) for name in units) and bool(groups),
        switched_on=_switch(kernel, f"{kernel.cpu}_iommu") == "on",
        switched_off=next(
            (f"{name}=off" for name in ("iommu", f"{kernel.cpu}_iommu") if _switch(kernel, name) == "off"), None
        ),
        passthrough=_passthrough(tree, kernel, groups),
        groups=len(groups),
        interrupt_remapping=_remapping(tree),
        unsafe_interrupts=_yes(tree, kernel, "vfio_iommu_type1", "allow_unsafe_interrupts"),
        unsafe_noiommu=_yes(tree, kernel, "vfio", "enable_unsafe_noiommu_mode"),
        acs_override=next((word for word in kernel.parameters if word.startswith("pcie_acs_override")), None),
    )


def reserves(tree: Tree, group: int | None) -> bool:
    """Whether the firmware keeps memory for a device of a group, so that the kernel refuses to give it away.

    Regions of type C(direct-relaxable), which graphics and USB have, do no harm
    (Documentation/ABI/testing/sysfs-kernel-iommu_groups).
    """
    regions = "" if group is None else tree.text(f"{GROUPS}/{group}/reserved_regions") or ""
    return any(line.split()[-1:] == ["direct"] for line in regions.splitlines())


def _yes(tree: Tree, kernel: Kernel, module: str, name: str) -> bool:
    """Whether a module has a switch on, or will have when it is loaded."""
    now = tree.text(f"/sys/module/{module}/parameters/{name}")
    said = kernel.settings(f"{module}.{name}")
    return (now or (said[-1] if said else "")).lower() in ("y", "1", "on")


def _switch(kernel: Kernel, name: str) -> str | None:
    """Return what a parameter says of the IOMMU as a whole; of contradicting mentions the last one counts."""
    chosen = [part for part in kernel.settings(name) if part in ("on", "off", "force")]
    return chosen[-1] if chosen else None


def _passthrough(tree: Tree, kernel: Kernel, groups: list[str]) -> bool:
    said = [part == "pt" for part in kernel.settings("iommu") if part in ("pt", "nopt")]
    said += [part in ("1", "on", "y", "Y") for part in kernel.settings("iommu.passthrough")]
    if said:
        return said[-1]
    types = [tree.text(f"{GROUPS}/{name}/type") for name in groups]
    return bool(types) and all(one == "identity" for one in types)


def _remapping(tree: Tree) -> bool | None:
    """Tell by the names of the interrupt chips, which begin with IR- where the IOMMU remaps interrupts."""
    text = tree.text("/proc/interrupts")
    if not text:
        return None
    if re.search(r"\sIR-(PCI|IO-APIC|HPET|DMAR)", text):
        return True
    return False if re.search(r"\s(IO-APIC|PCI-MSIX?)\b", text) else None
