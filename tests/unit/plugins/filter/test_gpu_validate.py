# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the layers tell of GPUs becomes rows: each fault in its layer with its cure, and no fault hides another."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import sysfs
from ansible.errors import AnsibleFilterError
from gpu_layers import CARD, PCI, whole

from ansible_collections.fact8ra.flower.plugins.filter.gpu_validate import FilterModule
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu.host import read

rows_of = FilterModule().filters()["gpu_validate_rows"]
table_of = FilterModule().filters()["gpu_validate_table"]


def altered(path: str, value: Any) -> dict[str, Any]:
    """The federation in which all is well, but for one thing."""
    data = whole()
    *keys, last = path.split(".")
    place: Any = data
    for key in keys:
        place = place[int(key) if isinstance(place, list) else key]
    place[last] = value
    return data


def not_ok(data: dict[str, Any]) -> list[dict[str, str]]:
    """The rows that are not ok."""
    return [row for row in rows_of(data) if row["result"] != "ok"]


def test_all_is_well() -> None:
    rows = rows_of(whole())
    assert not_ok(whole()) == []
    assert list(dict.fromkeys(row["layer"] for row in rows)) == ["host", "opennebula", "vm", "guest", "flower", "round"]
    told = {(row["host"], row["check"]): row["found"] for row in rows}
    assert told["node7", "GPU 0000:41:00.0"] == f"{CARD}, driver vfio-pci, group 12"
    assert told["a", "PCI pool"] == "2 devices on node7, 1 free"
    assert told["a-0", "PCI devices"] == "1 of 1 GPU: 10de:26b9 at 0000:41:00.0"
    assert told["a-0", "driver"] == "driver 550.54.15, CUDA 12.4"
    assert told["a-0", "matrix product"] == f"torch on {CARD}, 1.2 ms"
    assert told["a-0", "device"] == f"torch on {CARD}, product 1.2 ms"
    assert told["b-0", "device"] == "numpy on cpu"
    assert told["-", "loss"] == "256.000 -> 64.100"


PROBLEM = [{"code": "iommu_off", "message": "The IOMMU is off.", "cure": "Switch it on.", "kind": "blocks"}]


@pytest.mark.parametrize(
    ("path", "value", "layer", "host", "result", "found", "cure"),
    [
        ("hosts.node7.facts.problems", PROBLEM, "host", "node7", "FAILED", "The IOMMU is off.", "Switch it on."),
        ("hosts.node7.facts.gpus.0.problems", PROBLEM, "host", "node7", "FAILED", "The IOMMU is off.", "Switch it on."),
        ("hosts.node7.facts.gpus.0.driver", "nvidia", "host", "node7", "FAILED", "driver nvidia", "gpu_hosts.yml"),
        ("hosts.node7.facts.gpus", [], "host", "node7", "FAILED", "no such device", "nvidia_host_devices"),
        ("hosts.node7", {"error": "Permission denied"}, "host", "node7", "FAILED", "Permission denied", "SSH"),
        ("hosts", {}, "host", "-", "not checked", "gpu_hosts", "yours to look at"),
        ("sites.a.pool", [{"name": "b"}], "opennebula", "a", "FAILED", "no host has such a device", "onehost sync"),
        ("sites.a.pool", [], "opennebula", "a", "not checked", "may not see hosts", "operator"),
        ("sites.a.pool", None, "opennebula", "a", "FAILED", "did not answer", "one_endpoint"),
        ("sites.a.denied", True, "opennebula", "a", "not checked", "may not see hosts", "operator"),
        (
            "sites.a.pool.0.pci_devices",
            [{**PCI, "address": "0000:99:00.0"}],
            "opennebula",
            "node7",
            "FAILED",
            "0000:41:00.0",
            "again",
        ),
        ("sites.a.pool.0.state", "ERROR", "opennebula", "a", "warning", "node7 is ERROR", "onehost enable"),
        ("nodes.a-0.pci", [], "vm", "a-0", "FAILED", "0 of 1 GPU", "site.yml"),
        ("sites.a.supernodes", 3, "vm", "a", "FAILED", "2 SuperNodes not in the inventory", "scheduler"),
        ("nodes.a-0.pci", None, "vm", "a-0", "not checked", "does not say", "inventory plugin"),
        ("nodes.a-0.guest", None, "guest", "a-0", "FAILED", "did not answer", "driver"),
        ("nodes.a-0.guest.gpus", [], "guest", "a-0", "FAILED", "sees 0 of 1 GPU", "dmesg"),
        ("nodes.a-0.guest.problems", [{**PROBLEM[0], "kind": "warning"}], "guest", "a-0", "warning", "is off", "on."),
        ("nodes.a-0.guest.matrix", None, "guest", "a-0", "not checked", "no framework", "nvidia_guest_frameworks"),
        ("nodes.a-0.guest.matrix.ok", False, "guest", "a-0", "FAILED", "not succeed", "nvidia_guest_frameworks"),
        ("nodes.a-0.apps", 2, "flower", "a-0", "FAILED", "it has 2 GPUs", "--tags gpu"),
        ("nodes.a-0.status", "offline", "flower", "a-0", "FAILED", "offline", "verify.yml"),
        ("nodes.a-0.config.gpu-count", 0, "flower", "a-0", "FAILED", "gpu-count 0", "--tags gpu"),
        ("nodes.a-0.config", None, "flower", "a-0", "not checked", "did not answer", "answers"),
        ("nodes.a-0.devices", [], "flower", "a-0", "FAILED", "no NVIDIA device", "supernode_devices"),
        ("flower_error", "The SuperLink is down.", "flower", "-", "FAILED", "is down", "verify.yml"),
        ("round.run.rounds.0.devices.a-0", "cpu", "round", "a-0", "FAILED", "cpu", "node-config"),
        ("round.run.rounds.0.training.a-0.places", ["cuda:0", "cpu"], "round", "a-0", "FAILED", CARD, "node-config"),
        ("round.run.final.loss", 300.0, "round", "-", "FAILED", "256.000 -> 300.000", "Xid"),
        (
            "round.run.reply_errors",
            [{"name": "c-0", "reason": "<class 'x.Refused'>:<'it refuses'>"}],
            "round",
            "c-0",
            "FAILED",
            "refuses",
            "above",
        ),
        ("round", {"error": "No SuperNode is online."}, "round", "-", "FAILED", "online", "verify.yml"),
        ("round", {}, "round", "-", "FAILED", "no metrics", "log"),
        ("round", {"skipped": "not asked for"}, "round", "-", "not checked", "not asked for", ""),
    ],
)
def test_one_fault_is_one_row_with_its_cure(
    path: str, value: Any, layer: str, host: str, result: str, found: str, cure: str
) -> None:
    rows = [row for row in not_ok(altered(path, value)) if row["layer"] == layer]
    assert [(row["host"], row["result"]) for row in rows] == [(host, result)], rows
    assert found in rows[0]["found"]
    assert cure in rows[0]["cure"]
    # The layers beside it are judged nevertheless.
    assert {row["layer"] for row in rows_of(altered(path, value))} >= {"host", "opennebula", "vm", "flower", "round"}


@pytest.mark.parametrize("machine", sysfs.names())
def test_a_described_machine_is_told_as_the_facts_judge_it(machine: str, tmp_path: Path) -> None:
    description = sysfs.load(machine)
    facts = read(sysfs.build(description, tmp_path), description.get("wanted"))
    rows = rows_of({"hosts": {"kvm1": {"facts": facts}}})
    gpus = [row for row in rows if row["check"].startswith("GPU ")]
    assert {row["check"] for row in gpus} == {f"GPU {gpu['address']}" for gpu in facts["gpus"]}
    for gpu in facts["gpus"]:
        results = {row["result"] for row in gpus if row["check"] == f"GPU {gpu['address']}"}
        assert ("FAILED" in results) == any(one["kind"] != "warning" for one in gpu["problems"]), gpu["address"]
    failed = [row for row in rows if row["layer"] == "host" and row["result"] == "FAILED"]
    assert all(row["cure"] for row in failed)


def test_a_site_that_may_do_without_is_warned_of() -> None:
    data = altered("nodes.a-0.pci", [])
    data["sites"]["a"]["required"] = False
    assert [row["result"] for row in not_ok(data) if row["layer"] == "vm"] == ["warning"]


def without_gpus() -> dict[str, Any]:
    """A federation that never heard of GPUs."""
    data = whole()
    data["sites"]["a"]["gpus"] = 0
    data["nodes"]["a-0"] = copy.deepcopy(data["nodes"]["b-0"]) | {"site": "a"}
    data["hosts"] = {}
    return data


def test_a_federation_without_gpus_fails_unless_that_is_allowed() -> None:
    (row,) = [row for row in rows_of(without_gpus()) if row["layer"] == "federation"]
    assert row["result"] == "FAILED"
    assert "site_supernode_gpus: 1" in row["cure"]
    assert "gpu_validate_allow_cpu=true" in row["cure"]
    allowed = rows_of({**without_gpus(), "allow_cpu": True})
    assert [row["result"] for row in allowed if row["layer"] == "federation"] == ["warning"]
    assert "FAILED" not in {row["result"] for row in allowed}


def test_gpus_that_are_named_by_hand_are_expected_too() -> None:
    data = without_gpus()
    data["nodes"]["a-0"]["gpus"] = 2
    failed = {(row["layer"], row["check"]) for row in rows_of(data) if row["result"] == "FAILED"}
    assert failed == {("guest", "driver"), ("flower", "node-config"), ("flower", "apps' devices")}
    assert "federation" not in {row["layer"] for row in rows_of(data)}


def test_the_table_is_readable_at_100_columns() -> None:
    data = whole()
    data["nodes"]["a-supernode-with-a-very-long-name-0"] = {"site": "b", "pci": [], "status": "offline " * 30}
    data["hosts"]["node7"]["facts"]["problems"] = [{"code": "x" * 90, "message": "m " * 200, "cure": "c" * 300}]
    rows = rows_of(data)
    lines = table_of(rows)
    assert max(map(len, lines)) <= 92
    assert all(line == line.rstrip() for line in lines)
    assert lines[0].split() == ["LAYER", "HOST", "CHECK", "RESULT", "FOUND,", "AND", "->", "WHAT", "TO", "DO"]
    # Nothing is cut off.
    squeezed = "".join("".join(lines).split())
    assert squeezed.count("m") >= 200
    assert sum("FAILED" in line for line in lines) == sum(row["result"] == "FAILED" for row in rows)


def test_answers_of_foreign_hosts_do_not_write_to_the_terminal() -> None:
    nasty = "\x1b[2J\nok\u202e\r" + "x" * 5000
    data = altered("nodes.a-0.guest.problems", [{"code": "a\nb", "message": nasty, "cure": nasty}])
    (row,) = [row for row in not_ok(data) if row["layer"] == "guest"]
    assert all(len(cell) <= 400 and cell.isprintable() for cell in row.values())


@pytest.mark.parametrize("rows", [None, [{}], ["text"]])
def test_what_are_no_rows_is_refused(rows: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="layer, host"):
        table_of(rows)


def test_what_is_no_dictionary_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="this is list"):
        rows_of([])
