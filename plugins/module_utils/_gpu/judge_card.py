# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Why a card can or cannot be given to a VM; private to the collection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu import classes
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu._problems import (
    BLOCKS,
    ROLE,
    WARNING,
    Problem,
    listed,
    problem,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu.pci import Device
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu.users import Process

VFIO = "vfio-pci"
SERVICES = {
    "nvidia-persistenced": "nvidia-persistenced",
    "nvidia-powerd": "nvidia-powerd",
    "nv-hostengine": "nvidia-dcgm",
    "nv-fabricmanager": "nvidia-fabricmanager",
}
"""Units by the process that they run, for cures."""


@dataclass(frozen=True)
class Card:
    """A card and what is around it.

    Attributes:
        device: its main function.
        functions: its other functions.
        foreign: endpoints of its IOMMU group that are not its own.
        processes: what uses it or one of its functions.
        boot_display: whether the host's console is on it.
        switches: addresses of the host's NVSwitches.
        translated: whether the host's IOMMU is in use.
        reserved: whether the firmware keeps memory for a device of the group (RMRR, unity map).
    """

    device: Device
    functions: tuple[Device, ...]
    foreign: tuple[Device, ...]
    processes: tuple[Process, ...]
    boot_display: bool
    switches: tuple[str, ...]
    translated: bool
    reserved: bool


def judge(card: Card) -> list[Problem]:
    """Return what stands against giving a card to a VM, the worst first."""
    found = [
        *_class(card),
        *_kind(card),
        *_group(card),
        *_use(card),
        *_resources(card),
        *_drivers(card),
        *_switches(card),
    ]
    order = (BLOCKS, ROLE, WARNING)
    return sorted(found, key=lambda one: order.index(one["kind"]))


def _named(device: Device) -> str:
    return f"{device.address} ({device.vendor}:{device.device}, driver {device.driver or 'none'})"


def _class(card: Card) -> Iterator[Problem]:
    device = card.device
    word = classes.host_word(device.cls, device.vendor)
    if word:
        yield problem(
            "not_a_gpu",
            BLOCKS,
            f"{_named(device)} is a {word} (class {device.cls[:4]}), which the host may live on, and no GPU.",
            "Look for the card's address in `lspci -nn`, and write that in nvidia_host_devices.",
        )
    other = [one for one in card.functions if not classes.of_card(one.cls)]
    if other:
        yield problem(
            "foreign_functions",
            BLOCKS,
            f"{device.address} has functions beside it that no card has, and that would go to the VM with it: "
            f"{listed(f'{_named(one)} of class {one.cls[:4]}' for one in other)}.",
            f"Leave {device.address} out of nvidia_host_devices; it is a part of the host's board.",
        )


def _kind(card: Card) -> Iterator[Problem]:
    device = card.device
    if device.answers is False:
        yield problem(
            "not_answering",
            BLOCKS,
            f"{device.address} does not answer: its configuration space reads as ones.",
            "Switch the host off, not only over to a restart, and on again; if it stays so, reseat the card and its "
            "power cables, or replace it.",
        )
    if device.physical_function is not None:
        yield problem(
            "virtual_function",
            BLOCKS,
            f"{device.address} is a virtual function of {device.physical_function}; NVIDIA's carry vGPUs of the "
            "licensed driver and do nothing in a VM by themselves.",
            f"Pass {device.physical_function} itself, without virtual functions, or request a vGPU by "
            "site_supernode_gpu_profile where its driver and licence are there.",
        )
    elif device.sriov_enabled:
        yield problem(
            "virtual_functions_enabled",
            BLOCKS,
            f"{device.address} has {device.sriov_enabled} virtual functions on; the card itself cannot be passed "
            "meanwhile.",
            f"Take the vGPUs away, run `echo 0 > {device.path}/sriov_numvfs` as root (or `sriov-manage -d "
            f"{device.address}`), and disable the unit that switches them on at boot.",
        )
    if device.mediated:
        yield problem(
            "mediated_devices",
            BLOCKS,
            f"{device.address} has vGPUs: {listed(device.mediated)}.",
            f"Take each away with `echo 1 > /sys/bus/mdev/devices/<uuid>/remove` (`mdevctl stop -u <uuid>`), or leave "
            f"{device.address} out of nvidia_host_devices.",
        )


def _group(card: Card) -> Iterator[Problem]:
    device = card.device
    if card.translated and device.iommu_group is None:
        yield problem(
            "no_group",
            BLOCKS,
            f"{device.address} is in no IOMMU group though the IOMMU is in use: no unit of it has the device.",
            "Switch off Intel VMD for its slot in the firmware, take igfx_off out of intel_iommu for a GPU of the CPU, "
            "or put the card into another slot.",
        )
    if card.reserved:
        yield problem(
            "memory_reserved",
            BLOCKS,
            f"The firmware keeps memory for a device in IOMMU group {device.iommu_group} (type direct), and "
            "the kernel refuses to give the group away.",
            "Switch off what the firmware shares with the slot (HPE: Shared Memory Features of the slot), update the "
            "firmware, or put the card into another slot.",
        )
    if not card.foreign:
        return
    yield problem(
        "group_shared",
        BLOCKS,
        f"IOMMU group {device.iommu_group} of {device.address} has other devices too: "
        f"{listed(_named(one) for one in card.foreign)}.",
        "Put the card into a slot that hangs on the CPU and switch on ACS in the firmware (PCIe ACS Support, ACS "
        "Enable); or set nvidia_host_allow_shared_groups: true, which takes all of these devices away from the host.",
    )


def _use(card: Card) -> Iterator[Problem]:
    device = card.device
    if card.boot_display:
        yield problem(
            "boot_display",
            BLOCKS,
            f"{device.address} shows the host's console.",
            "Choose another adapter in the firmware (Primary Display, Boot Display, IGFX or the board's own VGA), or "
            f"leave {device.address} out of nvidia_host_devices.",
        )
    if card.processes and not device.for_vms:
        units = sorted({SERVICES[process.name] for process in card.processes if process.name in SERVICES})
        stop = f"run `systemctl disable --now {' '.join(units)}`" if units else "stop what is listed"
        yield problem(
            "in_use",
            BLOCKS,
            f"{device.address} is in use on the host by {listed(card.processes)}.",
            f"Wait for it or {stop}, then run this again.",
        )
    elif card.processes:
        yield problem(
            "in_use_by_vm",
            WARNING,
            f"{device.address} is in use by {listed(card.processes)}.",
            "Leave it as it is, or power the VM off before anything about the card is changed.",
        )


def _resources(card: Card) -> Iterator[Problem]:
    device = card.device
    if device.unassigned:
        yield problem(
            "regions_unassigned",
            BLOCKS,
            f"The firmware gave {device.address} no address for its memory.",
            "Switch on Above 4G Decoding (Memory Mapped I/O above 4 GB, 64-bit BAR) in the firmware and raise MMIO "
            "High Size; where there is no such setting, add pci=realloc to nvidia_host_kernel_parameters.",
        )
    if device.power == "D3cold":
        yield problem(
            "powered_off",
            WARNING,
            f"{device.address} is without power (D3cold).",
            "If it does not come up in the VM, add vfio-pci.disable_idle_d3=1 to nvidia_host_kernel_parameters.",
        )


def _drivers(card: Card) -> Iterator[Problem]:
    wrong = [one for one in (card.device, *card.functions) if not one.for_vms and not one.bridge]
    if wrong:
        yield problem(
            "not_bound",
            ROLE,
            f"Not bound to {VFIO}: {listed(_named(one) for one in wrong)}.",
            f"Role nvidia_host binds them to {VFIO}; by hand it is `driverctl set-override {wrong[0].address} "
            f"{VFIO}` for each.",
        )


def _switches(card: Card) -> Iterator[Problem]:
    if card.device.vendor == "10de" and card.switches:
        yield problem(
            "nvswitch",
            WARNING,
            f"This host has NVSwitches ({listed(card.switches)}); a VM with some of the cards behind them gets no "
            "working CUDA (error 802, system not yet initialized) before Fabric Manager has set up its partition.",
            "Give one VM all cards and all NVSwitches and run nvidia-fabricmanager in it, or run Fabric Manager's "
            "shared NVSwitch mode (FABRIC_MODE=1, in a VM that has the switches) and activate a partition for each VM.",
        )
