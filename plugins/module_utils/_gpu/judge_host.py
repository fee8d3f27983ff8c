# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Why a host can or cannot give a card to a VM, whatever the card; private to the collection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu._problems import (
    BLOCKS,
    ROLE,
    WARNING,
    Problem,
    listed,
    problem,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu._tree import Tree
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu.iommu import Iommu
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu.kernel import Kernel

FIRMWARE_SETTINGS = {
    "intel": "Intel VT-d (Intel Virtualization Technology for Directed I/O)",
    "amd": "IOMMU (AMD-Vi, in AMD CBS, NBIO Common Options), as Enabled and not Auto",
    "other": "the IOMMU (SMMU)",
}


def judge(tree: Tree, kernel: Kernel, iommu: Iommu, cards: int, wanted: Sequence[object]) -> list[Problem]:
    """Return what stands against passing any card of this host, the worst first."""
    found = [
        *_iommu(kernel, iommu),
        *_interrupts(iommu),
        *_kernel(kernel, iommu),
        *_reading(tree),
    ]
    if not cards:
        found.append(
            problem(
                "no_gpu",
                BLOCKS,
                f"No PCI device of this host is one of {listed(wanted)}.",
                "Look at `lspci -nn`; if the card is there, name it in nvidia_host_devices, else look at its seat, its "
                "power and whether its slot is on in the firmware.",
            )
        )
    order = (BLOCKS, ROLE, WARNING)
    return sorted(found, key=lambda one: order.index(one["kind"]))


def _iommu(kernel: Kernel, iommu: Iommu) -> Iterator[Problem]:
    if not iommu.firmware and not iommu.enabled:
        cure = (
            "This host is a VM: give it a virtual IOMMU (QEMU: q35 with -device intel-iommu,intremap=on), and its CPU "
            "nested virtualization."
            if kernel.in_vm
            else f"Switch on {FIRMWARE_SETTINGS[iommu.cpu]} in the firmware of the host."
        )
        yield problem("no_iommu", BLOCKS, "The firmware describes no IOMMU (no ACPI table DMAR or IVRS).", cure)
    elif iommu.enabled:
        return
    elif iommu.switched_off and iommu.switched_off != "intel_iommu=off":
        yield problem(
            "iommu_switched_off",
            BLOCKS,
            f"The kernel was told {iommu.switched_off}.",
            f"Take {iommu.switched_off} out of the kernel command line (GRUB_CMDLINE_LINUX in /etc/default/grub) and "
            "reboot.",
        )
    elif iommu.parameters_needed:
        yield problem(
            "iommu_off",
            ROLE,
            "The firmware has an IOMMU and the kernel does not use it.",
            f"Role nvidia_host adds {' '.join(iommu.parameters_needed)} to the kernel command line; a reboot follows "
            "(nvidia_host_allow_reboot: true).",
        )
    else:
        yield problem(
            "iommu_unused",
            BLOCKS,
            "The firmware has an IOMMU and the kernel does not use it, though nothing switches it off.",
            "Look for AMD-Vi, SMMU or IOMMU in `journalctl -k -b`; update the firmware, or use the distribution's own "
            "kernel.",
        )


def _interrupts(iommu: Iommu) -> Iterator[Problem]:
    if iommu.enabled and iommu.interrupt_remapping is False:
        yield problem(
            "no_interrupt_remapping",
            WARNING if iommu.unsafe_interrupts else BLOCKS,
            "Interrupts are not remapped: vfio refuses devices, as one could send any interrupt to the host.",
            "Switch on interrupt remapping (Intel: VT-d with x2APIC) in the firmware and take intremap=off and "
            "nointremap out of the kernel command line. In a VM: -device intel-iommu,intremap=on.",
        )


def _kernel(kernel: Kernel, iommu: Iommu) -> Iterator[Problem]:
    if kernel.vfio_pci is False:
        yield problem(
            "no_vfio_pci",
            BLOCKS,
            f"Kernel {kernel.release} comes without the driver vfio-pci.",
            "Install the distribution's full kernel (Ubuntu: linux-image-generic and linux-modules-extra-"
            f"{kernel.release}; SUSE: kernel-default, not kernel-default-base) and boot it.",
        )
    if not kernel.hardware_virtualization and kernel.cpu != "other":
        name = "Intel Virtualization Technology (VT-x)" if kernel.cpu == "intel" else "SVM Mode"
        yield problem(
            "no_virtualization",
            WARNING,
            "The CPU does not say that it can run VMs (no flag vmx or svm).",
            f"Switch on {name} in the firmware"
            + (", or nested virtualization where this VM runs." if kernel.in_vm else "."),
        )
    if iommu.acs_override:
        yield problem(
            "acs_override",
            WARNING,
            f"{iommu.acs_override} makes the kernel show groups that the hardware does not keep apart: a VM may reach "
            "the memory of other devices.",
            f"Take {iommu.acs_override} out of the kernel command line, and judge the groups that are left.",
        )
    if iommu.unsafe_noiommu:
        yield problem(
            "unsafe_noiommu",
            WARNING,
            "vfio is set to work without an IOMMU (enable_unsafe_noiommu_mode): a user of a device can write "
            "all memory.",
            "Take enable_unsafe_noiommu_mode out of /etc/modprobe.d and of the kernel command line and reboot.",
        )
    if iommu.unsafe_interrupts:
        yield problem(
            "unsafe_interrupts",
            WARNING,
            "vfio is set to accept interrupts that are not remapped (allow_unsafe_interrupts): a VM can disturb "
            "the host.",
            "Take allow_unsafe_interrupts out of /etc/modprobe.d and of the kernel command line and reboot.",
        )


def _reading(tree: Tree) -> Iterator[Problem]:
    if tree.denied:
        yield problem(
            "not_privileged",
            BLOCKS,
            f"This account may not read {listed(tree.denied[:3])}, so that it stays unknown what uses the cards.",
            "Run the module as root (become: true).",
        )
    if tree.unreadable:
        yield problem(
            "unreadable",
            WARNING,
            f"Some of what the kernel says makes no sense and was left out: {'; '.join(tree.unreadable[:8])}.",
            "Look at these files; what was left out is null in the facts.",
        )
