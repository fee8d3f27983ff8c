# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Reports of nvidia-smi, read and judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu import guest, guest_judge

REPORTS = Path(__file__).parent / "reports"
A100 = "GPU-513536b6-7d19-9063-b049-1e69664bb298"
LIST = f"""GPU 0: NVIDIA A100-SXM4-80GB (UUID: {A100})
  MIG 3g.40gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)
  MIG 2g.20gb     Device  1: (UUID: MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d)
"""


INSTANCES = ["MIG-c7384736-a75d-5afc-978f-d2f1294409fd", "MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d"]


def report(name: str) -> str:
    """The text of a report."""
    return (REPORTS / f"{name}.xml").read_text(encoding="utf-8")


def seen(name: str = "", devices: int = 1, **more: Any) -> dict[str, Any]:
    """What the script saw of a node whose nvidia-smi prints a report, or fails."""
    smi = {"status": 0, "xml": report(name) if name else "", "list": "", "capabilities": "", "error": ""}
    return {
        "devices": [{"address": f"0000:0{number}:00.0", "device": "20b2"} for number in range(devices)],
        "smi": {**smi, **more.pop("smi", {})},
        "loaded": "535.261.03",
        "library": "",
        "nouveau": False,
        "built": True,
        "secure_boot": False,
        "kernel_log": [],
        "said": "",
        **more,
    }


def judged(fact: dict[str, Any], gpus: int = 1, **more: Any) -> dict[str, Any]:
    """The fact when this many GPUs are wanted."""
    wanted = {"gpus": gpus, "driver": "auto", "mig_profiles": [], "visible_devices": [], **more}
    return guest_judge.judge(fact, wanted)


def codes(fact: dict[str, Any]) -> list[tuple[str, str]]:
    """Code and kind of each problem."""
    return [(one["code"], one["kind"]) for one in fact["problems"]]


def test_two_a100() -> None:
    found = guest.parse(report("a100"))
    assert (found["driver"], found["cuda"]) == ("535.261.03", "12.2")
    first, second = found["gpus"]
    assert first == {
        "index": 0,
        "uuid": A100,
        "name": "NVIDIA A100-SXM4-80GB",
        "architecture": "Ampere",
        "memory_mb": 81920,
        "driver": "535.261.03",
        "cuda": "12.2",
        "compute_capability": None,
        "pci_address": "0000:01:00.0",
        "mig": [],
        "mig_mode": {"current": False, "pending": False},
        "ecc": {
            "enabled": True,
            "volatile_uncorrected": 0,
            "aggregate_uncorrected": 3,
            "remapping_pending": False,
            "remapping_failed": False,
            "retirement_pending": False,
        },
        "temperature": 31,
        "reset_required": False,
        "processes": 0,
    }
    assert (second["pci_address"], second["processes"], second["reset_required"]) == ("0000:c1:00.0", 1, True)
    assert second["ecc"]["remapping_pending"]
    assert second["ecc"]["remapping_failed"]


@pytest.mark.parametrize(
    ("name", "enabled", "volatile", "aggregate", "mode"),
    [("l40s", True, 0, 3, None), ("consumer", None, None, None, None), ("t4", True, 0, 1, None)],
)
def test_cards_differ_in_what_they_count(
    name: str, enabled: bool | None, volatile: int | None, aggregate: int | None, mode: bool | None
) -> None:
    [card] = guest.parse(report(name))["gpus"]
    assert card["ecc"]["enabled"] is enabled
    assert (card["ecc"]["volatile_uncorrected"], card["ecc"]["aggregate_uncorrected"]) == (volatile, aggregate)
    assert card["mig_mode"]["current"] is mode
    assert card["memory_mb"] > 15000


def test_instances_with_their_profiles() -> None:
    capabilities = {"list": LIST, "capabilities": f"{A100}, 8.0\nGPU-0, [N/A]\n"}
    fact = judged(seen("mig", smi=capabilities), mig_profiles=["2g.20gb", "3g.40gb"])
    [card] = fact["gpus"]
    assert fact["ready"]
    assert card["compute_capability"] == "8.0"
    assert [(one["index"], one["profile"], one["memory_mb"]) for one in card["mig"]] == [
        (0, "3g.40gb", 40192),
        (1, "2g.20gb", 19968),
    ]
    assert card["mig"][0]["uuid"] == "MIG-c7384736-a75d-5afc-978f-d2f1294409fd"
    other = judged(seen("mig", smi=capabilities), mig_profiles=["7g.80gb"])
    assert codes(other) == [("mig", "blocks")]
    assert "has the MIG instances 2g.20gb, 3g.40gb, not 7g.80gb" in other["problems"][0]["message"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "printed no report: nothing"),
        ("NVIDIA-SMI has failed because it couldn't communicate", "printed no report: NVIDIA-SMI has failed"),
        ("<html/>", "printed <html> in place of"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><nvidia_smi_log/>', "declares entities"),
        ("<nvidia_smi_log>", "printed no report"),
        ("x" * (guest.MOST + 1), "characters in place of a report"),
    ],
)
def test_what_is_no_report_is_told(text: str, message: str) -> None:
    with pytest.raises(guest.BadReport, match=message):
        guest.parse(text)


def test_a_report_without_anything_in_it() -> None:
    fact = judged(seen(smi={"xml": "<nvidia_smi_log><gpu id='x'/></nvidia_smi_log>"}))
    assert fact["gpus"][0]["pci_address"] is None
    assert fact["ready"]


def test_a_healthy_node_is_ready() -> None:
    fact = judged(seen("consumer"))
    assert fact["ready"]
    assert fact["problems"] == []
    assert set(fact) == {"gpus", "driver", "cuda", "secure_boot", "problems", "matrix", "ready", "usable", "pending"}


def test_what_is_wrong_with_a_card_blocks_and_what_was_wrong_warns() -> None:
    assert codes(judged(seen("l40s"))) == [("ecc_aggregate", "warning")]
    assert judged(seen("l40s"))["ready"]
    ill = judged(seen("a100", devices=2), gpus=2)
    assert codes(ill) == [
        ("ecc_aggregate", "warning"),
        ("ecc_volatile", "blocks"),
        ("ecc_pending", "blocks"),
        ("ecc_worn", "blocks"),
        ("reset", "blocks"),
        ("mig_pending", "blocks"),
    ]
    assert not ill["ready"]
    assert all(one["message"] and one["cure"] for one in ill["problems"])
    assert ("ecc_pending", "blocks") in codes(judged(seen("t4")))


def test_a_card_that_is_missing() -> None:
    assert "give the VM its GPUs" in judged(seen("consumer"), gpus=2)["problems"][0]["cure"]
    assert "journalctl" in judged(seen("consumer", devices=2), gpus=2)["problems"][0]["cure"]
    none = judged(seen(devices=0))
    assert codes(none) == [("count", "blocks")]
    assert none["gpus"] == []


@pytest.mark.parametrize(
    ("more", "code", "text"),
    [
        ({"nouveau": True, "loaded": ""}, "nouveau", "holds 0000:00:00.0 (10de:20b2)"),
        ({"loaded": "", "built": False}, "driver", "none was built for the running kernel"),
        ({"loaded": ""}, "driver", "no NVIDIA driver is loaded"),
        ({"smi": {"status": 9, "error": "it failed"}}, "nvidia_smi", "does not answer: it failed"),
        ({"smi": {"status": 18, "error": "Driver/library version mismatch"}}, "nvidia_smi", "mismatch"),
        ({"smi": {"status": 124, "error": ""}}, "nvidia_smi", "status 124"),
    ],
)
def test_a_driver_that_does_not_work(more: dict[str, Any], code: str, text: str) -> None:
    fact = judged(seen(**more))
    assert [one["code"] for one in fact["problems"]] == [code]
    assert text in fact["problems"][0]["message"]
    assert not fact["ready"]


def test_a_module_older_than_the_library() -> None:
    assert codes(judged(seen("consumer", library="535.309.01"))) == [("version", "blocks")]
    assert codes(judged(seen("consumer", library="535.261.03"))) == []


def test_a_host_supplied_driver_that_is_missing_is_not_ours_to_build() -> None:
    fact = judged(seen(loaded="", built=False), driver="none")
    assert "in the image of the VM" in fact["problems"][0]["cure"]


def test_xid_errors_of_cards_block_and_those_of_apps_warn() -> None:
    log = [
        "NVRM: loading NVIDIA UNIX x86_64 Kernel Module  535.261.03",
        "NVRM: Xid (PCI:0000:01:00): 31, pid=77, name=python3, Ch 00000008, MMU Fault",
        "NVRM: Xid (PCI:0000:01:00): 31, pid=78, name=python3, Ch 00000008, MMU Fault",
        "NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
        "NVRM: Xid (0000:02:00): 13, 0005 00000000",
    ]
    fact = judged(seen("consumer", kernel_log=log))
    assert codes(fact) == [("xid_31", "warning"), ("xid_79", "blocks"), ("xid_13", "warning")]
    assert "Xid 31 of 0000:01:00.0 since boot, 2 times" in fact["problems"][0]["message"]
    assert not fact["ready"]


def test_visible_devices_that_the_node_has_not() -> None:
    uuid = "GPU-bb3536b6-7d19-9063-b049-1e69664bb298"
    assert judged(seen("consumer"), visible_devices=["0"])["ready"]
    assert judged(seen("consumer"), visible_devices=[uuid])["ready"]
    assert codes(judged(seen("consumer"), visible_devices=["0", "1"])) == [("visible", "blocks")]


def test_a_device_that_is_named_twice() -> None:
    uuid = "GPU-bb3536b6-7d19-9063-b049-1e69664bb298"
    assert codes(judged(seen("consumer"), visible_devices=["0", uuid])) == [("visible", "blocks")]
    split = judged(seen("mig", smi={"list": LIST}), visible_devices=[INSTANCES[1], INSTANCES[1]])
    assert codes(split) == [("visible", "blocks")]


def test_mig_mode_without_an_instance() -> None:
    text = report("mig").split("<mig_devices>")[0] + "<mig_devices>None" + report("mig").split("</mig_device>")[-1]
    assert codes(judged(seen(smi={"xml": text}))) == [("mig_empty", "blocks")]


def test_the_matrix_product() -> None:
    fact = judged(seen("consumer"))
    good = {"framework": "torch", "device": "a card", "seconds": 0.01, "ok": True, "problem": ""}
    assert guest_judge.with_matrix(fact, good)["ready"]
    bad = guest_judge.with_matrix(fact, {**good, "ok": False, "problem": "the framework sees no GPU"})
    assert not bad["ready"]
    assert bad["matrix"] == {"framework": "torch", "device": "a card", "seconds": 0.01, "ok": False}
    assert codes(guest_judge.with_matrix(bad, good)) == []


def test_what_apps_are_told() -> None:
    config = guest_judge.node_config
    cards = {**judged(seen("a100", devices=2), gpus=2), "usable": True}
    assert config({}, [], 0.5, "torch") == {}
    assert config(cards, [], 0, "") == {
        "gpu-count": 2,
        "gpu-name": "NVIDIA A100-SXM4-80GB",
        "gpu-memory-mb": 81920,
    }
    assert config(cards, [A100], 0.25, "jax") == {
        "gpu-count": 1,
        "gpu-name": "NVIDIA A100-SXM4-80GB",
        "gpu-memory-mb": 81920,
        "gpu-memory-fraction": 0.25,
        "gpu-framework": "jax",
    }
    split = judged(seen("mig", smi={"list": LIST}))
    assert config(split, [], 0, "") == {
        "gpu-count": 1,
        "gpu-name": "NVIDIA A100-SXM4-80GB MIG 3g.40gb",
        "gpu-memory-mb": 40192,
    }
    assert config(split, ["MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d"], 0, "")["gpu-memory-mb"] == 19968


@pytest.mark.parametrize(
    "visible",
    [INSTANCES, [INSTANCES[0]], ["0"], [A100], ["0", INSTANCES[1]]],
)
def test_a_process_gets_one_instance(visible: list[str]) -> None:
    split = judged(seen("mig", smi={"list": LIST}), visible_devices=visible)
    assert split["usable"]
    assert guest_judge.node_config(split, visible, 0, "") == {
        "gpu-count": 1,
        "gpu-name": "NVIDIA A100-SXM4-80GB MIG 3g.40gb",
        "gpu-memory-mb": 40192,
    }


def test_no_whole_card_is_seen_beside_an_instance() -> None:
    split = judged(seen("mig", smi={"list": LIST}))
    whole = {**split["gpus"][0], "index": 1, "uuid": "GPU-1", "name": "another card", "mig": []}
    both = {**split, "gpus": [*split["gpus"], whole]}
    for visible in ([], ["1", INSTANCES[1]]):
        config = guest_judge.node_config(both, visible, 0, "")
        assert config["gpu-count"] == 1
        assert "MIG" in str(config["gpu-name"])
    assert guest_judge.node_config(both, ["1"], 0, "")["gpu-name"] == "another card"


@pytest.mark.parametrize("visible", [["7"], ["0", "7"], ["None"], ["GPU-0"]])
def test_apps_are_told_nothing_when_the_node_lacks_a_visible_device(visible: list[str]) -> None:
    fact = judged(seen("consumer"), visible_devices=visible)
    assert codes(fact) == [("visible", "blocks")]
    assert not fact["usable"]
    assert guest_judge.node_config({**fact, "usable": True}, visible, 0, "") == {}


def test_apps_are_told_nothing_of_gpus_that_cannot_be_used() -> None:
    ill = judged(seen("a100", devices=2), gpus=2)
    assert len(ill["gpus"]) == 2
    assert guest_judge.node_config(ill, [], 0.5, "torch") == {}
    refused = judged(seen("consumer"), problems=["Secure Boot is on"])
    assert codes(refused) == [("preflight", "blocks")]
    assert guest_judge.node_config(refused, [], 0, "") == {}


def test_a_failed_product_does_not_change_what_apps_are_told() -> None:
    """It is made under the unit that it would change, and by one entry point alone."""
    answer = {"framework": "torch", "device": "", "seconds": 0, "ok": False, "problem": "no wheel"}
    fact = guest_judge.with_matrix(judged(seen("consumer")), answer)
    assert (fact["ready"], fact["usable"]) == (False, True)
