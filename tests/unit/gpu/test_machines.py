# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Described machines are read and judged right: each description says what the facts have to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sysfs

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu import host

KEYS = {
    *("kernel", "kernel_command_line", "kernel_parameters", "firmware", "secure_boot", "lockdown", "iommu", "gpus"),
    *("kept", "problems", "viable", "vms"),
}
CARD_KEYS = {
    *("address", "vendor", "device", "subsystem_vendor", "subsystem_device", "class", "name", "driver"),
    *("driver_override", "iommu_group", "functions", "siblings", "isolated", "numa_node", "sriov"),
    *("virtual_function_of", "mig_capable", "boot_display", "users", "viable", "ready", "problems"),
}


def codes(problems: list[dict[str, str]]) -> list[str]:
    """Return the codes of problems."""
    return [one["code"] for one in problems]


@pytest.mark.parametrize("name", sysfs.names())
def test_a_machine_is_read_and_judged(name: str, tmp_path: Path) -> None:
    machine = sysfs.load(name)
    facts = host.read(sysfs.build(machine, tmp_path), machine.get("wanted"))
    expected = machine["expected"]

    assert facts.keys() == KEYS
    assert {key: facts[key] for key in expected["host"]} == expected["host"]
    assert codes(facts["problems"]) == expected["problems"], facts["problems"]

    cards: dict[str, dict[str, Any]] = {card["address"]: card for card in facts["gpus"]}
    assert list(cards) == list(expected["gpus"])
    for address, wanted in expected["gpus"].items():
        card = {**cards[address], "problems": codes(cards[address]["problems"])}
        assert card.keys() == CARD_KEYS
        assert {key: card[key] for key in wanted} == wanted, cards[address]["problems"]


def test_what_the_host_keeps_of_a_kind(tmp_path: Path) -> None:
    root = sysfs.build(sysfs.load("a100_nvlink"), tmp_path)
    facts = host.read(root, [{"address": "0000:07:00.0"}])
    card = {"address": "0000:0f:00.0", "vendor": "10de", "device": "20b0", "class": "0302", "driver": "vfio-pci"}
    assert facts["kept"][0] == card
    assert [one["address"] for one in facts["kept"][1:]] == ["0000:c4:00.0", "0000:c5:00.0"]
    whole = host.read(root)
    assert [one["class"] for one in whole["kept"]] == ["0680", "0680"]
    consumer = host.read(sysfs.build(sysfs.load("consumer_card"), tmp_path / "consumer"))
    assert consumer["kept"] == [], "the card's own audio and USB go with it"


def test_the_trees_have_the_kernels_links(tmp_path: Path) -> None:
    root = sysfs.build(sysfs.load("consumer_card"), tmp_path)
    card = root / "sys/bus/pci/devices/0000:01:00.1"
    assert str(card.readlink()) == "../../../devices/pci0000:00/0000:00:01.0/0000:01:00.1"
    assert str((card / "driver").readlink()) == "../../../../bus/pci/drivers/snd_hda_intel"
    assert str((card / "iommu_group").readlink()) == "../../../../kernel/iommu_groups/1"
    assert (root / "sys/kernel/iommu_groups/1/devices/0000:01:00.1").resolve() == card.resolve()
    assert not [
        path for path in root.rglob("*") if path.is_symlink() and not path.exists() and "proc" not in path.parts
    ]


@pytest.mark.parametrize("name", sysfs.names())
def test_every_problem_comes_with_a_cure(name: str, tmp_path: Path) -> None:
    machine = sysfs.load(name)
    facts = host.read(sysfs.build(machine, tmp_path), machine.get("wanted"))
    for found in facts["problems"] + [one for card in facts["gpus"] for one in card["problems"]]:
        assert found.keys() == {"code", "kind", "message", "cure"}
        assert found["kind"] in {"blocks", "role", "warning"}
        for text in (found["message"], found["cure"]):
            assert text.endswith("."), text
            assert "None" not in text, text
