# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A card as the module returns it, with what stands against giving it to a VM; private to the collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu import iommu, mig, users
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu._problems import blocked, clear
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu._tree import Tree
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu.judge_card import Card, judge
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu.pci import Device
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu.select import matches


def chosen(devices: Sequence[Device], wanted: Sequence[Mapping[str, str]]) -> list[Device]:
    """Return the devices that are meant: no bridges, and no further functions of one that is meant itself."""
    meant = [one for one in devices if not one.bridge and matches(wanted, one.words())]
    slots = {one.slot for one in meant if one.address.endswith(".0") and one.physical_function is None}
    return [
        one
        for one in meant
        if one.physical_function is not None
        or one.address.endswith(".0")
        or one.slot not in slots
        or one.cls.startswith("03")
    ]


def functions(devices: Sequence[Device], card: Device) -> list[Device]:
    """Return the other functions of a card, which virtual functions are not."""
    if card.physical_function is not None:
        return []
    return [one for one in devices if one.slot == card.slot and one != card and one.physical_function is None]


def kept(devices: Sequence[Device], meant: Sequence[Device]) -> list[dict[str, Any]]:
    """Return what else the host has of the vendors of the cards that are meant, without these cards' own functions."""
    vendors, slots = {one.vendor for one in meant}, {one.slot for one in meant}
    cards = {one.address for one in meant}
    return [
        {"address": one.address, "vendor": one.vendor, "device": one.device, "class": one.cls[:4], "driver": one.driver}
        for one in devices
        if one.vendor in vendors and not one.bridge and one.slot not in slots and one.physical_function not in cards
    ]


def read(
    tree: Tree,
    devices: Sequence[Device],
    device: Device,
    running: list[users.Process],
    name: str | None,
    translated: bool,
) -> dict[str, Any]:
    """Return what is known of a card, judged as if nothing about the host were in the way."""
    others = functions(devices, device)
    group = [
        one
        for one in devices
        if device.iommu_group is not None and one.iommu_group == device.iommu_group and one != device
    ]
    foreign = [one for one in group if one not in others and not one.bridge]
    shown = users.framebuffers(tree, device)
    held = {process.pid: process for one in (device, *others) for process in users.using(tree, one, running)}
    card = Card(
        device=device,
        functions=tuple(others),
        foreign=tuple(foreign),
        processes=tuple(held[pid] for pid in sorted(held)),
        boot_display=users.boot_display(tree, device, shown),
        translated=translated,
        reserved=iommu.reserves(tree, device.iommu_group),
        switches=tuple(one.address for one in devices if one.vendor == "10de" and one.cls.startswith("0680")),
    )
    problems = judge(card)
    return {
        "address": device.address,
        "vendor": device.vendor,
        "device": device.device,
        "subsystem_vendor": device.subsystem_vendor,
        "subsystem_device": device.subsystem_device,
        "class": device.cls[:4],
        "name": name,
        "driver": device.driver,
        "driver_override": device.driver_override,
        "iommu_group": device.iommu_group,
        "functions": [one.address for one in others],
        "siblings": [one.sibling() for one in group],
        "isolated": device.iommu_group is not None and not foreign,
        "numa_node": device.numa_node,
        "sriov": {
            "capable": device.sriov_total is not None,
            "total": device.sriov_total or 0,
            "enabled": device.sriov_enabled,
        },
        "virtual_function_of": device.physical_function,
        "mig_capable": mig.capable(device.vendor, device.device),
        "boot_display": card.boot_display,
        "users": [str(process) for process in card.processes]
        + users.driver_use(tree, device)
        + [f"framebuffer {one}" for one in shown]
        + [f"mediated device {one}" for one in device.mediated],
        "viable": not blocked(problems),
        "ready": clear(problems),
        "problems": problems,
    }
