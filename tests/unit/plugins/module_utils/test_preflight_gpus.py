# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Judgements about GPUs: which devices fit, what each host lacks, who keeps what it has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from recording import RecordingClient

from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import document
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.devices import hosts_with, label, matches
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.gpus import Verdict
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.gpus import judge as judge_made
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.made import devices_made
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.offer import Needs, Offer

NEEDS = Needs(
    "poc-alpha", "debian", "lan", "existing", vms=1, cpu=2, memory=2048, minimum_version="7.0.0",
    supernodes=1, supernode_vcpus=2, supernode_memory=2048, gpus=1, gpu_vendor="10de", gpu_device="20b5",
    gpu_pinning=False,
)  # fmt: skip
A100 = {"VENDOR": "10de", "DEVICE": "20b5", "CLASS": "0302"}
GO_ON = ". Set site_gpu_required: false to go on without GPUs"


def device(bus: str, vmid: int = -1, **more: str) -> dict[str, str]:
    address = {"ADDRESS": f"0000:{bus}:00:0", "SHORT_ADDRESS": f"{bus}:00.0"}
    return {**A100, **address, "NUMA_NODE": "0", "VMID": str(vmid), **more}


def host(name: str, *devices: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"NAME": name, "STATE": "2", "HOST_SHARE": {"PCI_DEVICES": {"PCI": list(devices)}}, **more}


def service(*vms: int, template: int = 7) -> Any:
    nodes = [{"deploy_id": number} for number in vms]
    roles = [
        {"name": "superlink", "template_id": 1, "nodes": [{"deploy_id": 90}]},
        {"name": "supernode", "template_id": template, "nodes": nodes},
    ]
    raw = {"ID": "5", "UID": "2", "GID": "1", "UNAME": "flower", "NAME": "poc-alpha", "TYPE": "100"}
    return document({**raw, "TEMPLATE": {"BODY": {"roles": roles}}})


def vm_template(number: int, name: str, uid: int = 2, **content: Any) -> dict[str, Any]:
    return {"ID": str(number), "NAME": name, "UID": str(uid), "TEMPLATE": content}


def offer(*hosts: dict[str, Any], **changes: Any) -> Offer:
    user = {"ID": "2", "GID": "100", "NAME": "flower", "GROUPS": {"ID": ["100"]}, "VM_QUOTA": ""}
    nothing: dict[str, Any] = dict.fromkeys(
        ("groups", "acls", "images", "networks", "security_groups", "vm_templates", "datastores", "service_templates",
         "services"), ())  # fmt: skip
    return Offer(**{"version": "7.4.0", "user": user, "hosts": hosts, **nothing, **changes})


def judge(offered: Offer, needs: Needs, *made: int) -> Verdict:
    """The verdict where the SuperNodes that are there were made with so many devices."""
    return judge_made(offered, needs, dict(enumerate(made, 12)))


def problem(offered: Offer, *made: int, **needs: Any) -> str:
    (text,) = judge(offered, replace(NEEDS, **needs), *made).problems
    return text


# ------------------------------------------------------------------------------------------------------------- devices


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({"VENDOR": "10de"}, True),
        ({"VENDOR": "10DE", "DEVICE": "20B5", "CLASS": "302"}, True),
        ({"VENDOR": "", "DEVICE": "", "CLASS": "0302"}, True),
        ({"VENDOR": "10de", "DEVICE": "2330"}, False),
        ({"VENDOR": "10de", "DEVICE": "0"}, False),
        ({"VENDOR": "1002"}, False),
        ({"SHORT_ADDRESS": "41:00.0"}, True),
        ({"SHORT_ADDRESS": "81:00.0"}, False),
        ({"SHORT_ADDRESS": "81:00.0", "VENDOR": "10de"}, True),
        ({}, False),
        ({"VENDOR": "10de", "PROFILE": "557"}, True),
        ({"VENDOR": "10de", "PROFILE": "55"}, False),
        ({"VENDOR": "10de", "PROFILE": "nvidia-35"}, True),
    ],
)
def test_devices_match_as_oned_matches_them(wanted: dict[str, str], fits: bool) -> None:
    assert matches(device("41", PROFILES="557 (NVIDIA L40S-4Q),nvidia-35"), wanted) is fits


def test_a_device_without_profiles_offers_none() -> None:
    assert not matches(device("41"), {"VENDOR": "10de", "PROFILE": "557"})


@pytest.mark.parametrize(
    ("wanted", "room"),
    [
        ([A100], 3),
        ([A100, A100], 1),
        ([A100] * 4, 0),
        ([A100, {"SHORT_ADDRESS": "41:00.0"}], 1),
        ([{"SHORT_ADDRESS": "41:00.0"}, {"SHORT_ADDRESS": "41:00.0"}], 0),
    ],
)
def test_one_device_is_given_once_and_those_with_an_address_first(wanted: list[dict[str, str]], room: int) -> None:
    (found,) = hosts_with([host("a", device("41"), device("81"), device("c1"), device("e1", 9))], wanted)
    assert found.room(wanted) == room


def test_what_is_asked_for_in_short() -> None:
    assert label([{"VENDOR": "10DE"}]) == "10de:*"
    assert label([A100, A100]) == "10de:20b5:0302"
    assert label([{"VENDOR": "10de", "PROFILE": "557"}, {"SHORT_ADDRESS": "41:00.0"}]) == (
        "10de:* with profile 557 and at 41:00.0"
    )


# ----------------------------------------------------------------------------------------------------------- sentences


def test_nothing_is_asked_of_a_site_without_a_request() -> None:
    assert judge(offer(), replace(NEEDS, gpus=0)) == judge(offer(), replace(NEEDS, supernodes=0)) == Verdict()


def test_a_site_that_has_the_devices() -> None:
    assert judge(offer(host("node1", device("41"))), NEEDS) == Verdict(1, 1)


@pytest.mark.parametrize(
    ("hosts", "needs", "text"),
    [
        (
            [host("node1", device("41", 12), device("81", 14)), host("node2")],
            {},
            "the hosts have room for 0 of 1 SuperNode with 1 GPU (10de:20b5): host node1 has 2 devices 10de:20b5, both "
            "held by VMs 12 and 14; host node2 has none",
        ),
        (
            [host("node1", device("41")), host("node2"), host("node3")],
            {"supernodes": 2},
            "the hosts have room for 1 of 2 SuperNodes with 1 GPU (10de:20b5): host node1 has 1 device 10de:20b5, "
            "free; hosts node2, node3 have none",
        ),
        (
            [host("node1", device("41"), device("81")), host("node2", device("41"), device("81", 9))],
            {"gpus": 3},
            "the hosts have room for 0 of 1 SuperNode with 3 GPUs (10de:20b5) of one host: host node1 has 2 devices "
            "10de:20b5, both free; host node2 has 2 devices 10de:20b5, 1 of them held by VM 9 and 1 of them free",
        ),
        (
            [host("node1", device("41"), STATE="4")],
            {},
            "the hosts have room for 0 of 1 SuperNode with 1 GPU (10de:20b5): host node1 has 1 device 10de:20b5, free, "
            "but is not MONITORED",
        ),
        (
            [host("node1", device("41"))],
            {"gpu_pinning": True},
            "the hosts have room for 0 of 1 SuperNode with 1 GPU (10de:20b5): host node1 has 1 device 10de:20b5, free, "
            "but takes no VM with pinned CPUs, as its PIN_POLICY is not PINNED (site_supernode_gpu_pinning: false)",
        ),
        (
            [host("node1", device("41"), TEMPLATE={"PIN_POLICY": "PINNED"})],
            {},
            "the hosts have room for 0 of 1 SuperNode with 1 GPU (10de:20b5): host node1 has 1 device 10de:20b5, free, "
            "but takes only VMs with pinned CPUs, as its PIN_POLICY is PINNED (site_supernode_gpu_pinning: true)",
        ),
        (
            [host(f"n{number}") for number in range(7)],
            {},
            "the hosts have room for 0 of 1 SuperNode with 1 GPU (10de:20b5): hosts n0, n1, n2, n3, n4 and 2 more have "
            "none",
        ),
    ],
)
def test_each_host_is_told_of(hosts: list[dict[str, Any]], needs: dict[str, Any], text: str) -> None:
    assert problem(offer(*hosts), **needs) == text + GO_ON
    fallen = judge(offer(*hosts), replace(NEEDS, **needs, gpu_required=False))
    assert (fallen.granted, fallen.reason, fallen.problems, fallen.warnings) == (0, text, (), ())


def test_devices_of_one_vm_come_from_one_host() -> None:
    spread = offer(host("node1", device("41")), host("node2", device("41")))
    assert "room for 0 of 1 SuperNode with 2 GPUs (10de:20b5) of one host" in problem(spread, gpus=2)
    assert judge(spread, replace(NEEDS, supernodes=2)).granted == 1


def test_hosts_that_the_user_may_not_see_are_no_problem_and_said() -> None:
    assert judge(offer(), NEEDS) == Verdict(
        1, 1, "user flower may not see the hosts, so it cannot be checked whether they have the devices"
    )


# -------------------------------------------------------------------------------------------------- what runs already


def test_devices_of_the_own_vms_count_as_present() -> None:
    running = offer(host("node1", device("41", 12)), services=(service(12),))
    assert judge(running, NEEDS, 1) == Verdict(1, 1)
    text = problem(running, 1, supernodes=2)
    assert text.endswith("host node1 has 1 device 10de:20b5, held by this federation")
    assert "room for 0 of 1 SuperNode with" in text
    assert judge(running, replace(NEEDS, supernodes=2, gpu_required=False), 1).problems == (text,), (
        "a role is all alike"
    )


def test_a_device_of_the_superlink_or_of_another_is_not_present() -> None:
    taken = offer(host("node1", device("41", 90)), services=(service(12),))
    assert "held by VM 90" in problem(taken, 1)


def differs(made: str, wanted: int) -> str:
    return (
        f"service poc-alpha was made with {made} for each SuperNode, and site_supernode_gpus is {wanted}; a VM keeps "
        "what it was made with. To change that, remove the site's service (teardown.yml) and provision it again"
    )


@pytest.mark.parametrize(("made", "wanted", "said"), [(0, 1, "0 GPUs"), (1, 2, "1 GPU"), (2, 1, "2 GPUs")])
def test_a_site_that_was_made_with_another_number_stays_so_and_says_so(made: int, wanted: int, said: str) -> None:
    there = offer(host("node1", device("41"), device("81")), services=(service(12),))
    kept = judge(there, replace(NEEDS, gpus=wanted, gpu_required=False), made)
    assert kept == Verdict(wanted, made, differs(said, wanted))
    assert problem(there, made, gpus=wanted) == differs(said, wanted)


@pytest.mark.parametrize("required", [True, False])
def test_none_is_no_request_for_supernodes_that_have_some(required: bool) -> None:
    there = offer(services=(service(12),))
    assert problem(there, 1, gpus=0, gpu_required=required) == differs("1 GPU", 0)
    assert judge(there, replace(NEEDS, gpus=0, gpu_required=required), 0) == Verdict()


@pytest.mark.parametrize("required", [True, False])
def test_supernodes_that_are_not_alike_are_refused(required: bool) -> None:
    there = offer(services=(service(12, 13),))
    assert problem(there, 1, 0, supernodes=2, gpu_required=required) == differs("0 or 1 GPU", 1)


class Cloud(RecordingClient):
    """Answers with VMs of these entries PCI, and keeps the calls."""

    def __init__(self, **pci: Any) -> None:
        vms = [{"ID": number.strip("_"), "TEMPLATE": {"PCI": each} if each else ""} for number, each in pci.items()]
        super().__init__({"vmpool.infoextended": {"VM": vms}})


def test_what_supernodes_were_made_with_is_read_from_the_vms_and_not_from_the_template() -> None:
    emptied = vm_template(7, "poc-alpha-supernode")
    there = offer(services=(service(12, 14, 15),), vm_templates=(emptied,))
    cloud = Cloud(_12=A100, _13=[A100] * 3, _14=[A100, {**A100, "TYPE": "NIC"}, A100], _15=None, _90=A100)
    assert devices_made(cloud, there, NEEDS) == {12: 1, 14: 2, 15: 0}
    assert cloud.calls == [("vmpool.infoextended", -2, 12, 15, -1, "")]


def test_a_vm_that_is_gone_tells_nothing() -> None:
    assert devices_made(Cloud(), offer(services=(service(12),)), NEEDS) == {}


@pytest.mark.parametrize(
    ("offered", "needs", "calls"),
    [
        (offer(), {}, 0),
        (offer(services=(service(),)), {}, 0),
        (offer(services=(service(12),)), {}, 1),
        (offer(services=(service(12),)), {"gpus": 0}, 0),
        (offer(services=(service(12),)), {"gpus": 0, "supernodes": 2}, 1),
        (
            offer(services=(service(12),), vm_templates=(vm_template(7, "poc-alpha-supernode", FACT8RA_GPUS="1"),)),
            {"gpus": 0},
            1,
        ),
    ],
)
def test_vms_are_asked_for_only_where_it_matters(offered: Offer, needs: dict[str, Any], calls: int) -> None:
    cloud = Cloud(_12=A100)
    assert devices_made(cloud, offered, replace(NEEDS, **needs)) == ({12: 1} if calls else {})
    assert len(cloud.calls) == calls


# ------------------------------------------------------------------------------------------------- rights and topology

PINNED = {"TEMPLATE": {"PIN_POLICY": "PINNED"}}


def test_a_user_who_is_no_administrator_is_warned_of_pinning() -> None:
    ready = offer(host("node1", device("41"), **PINNED))
    (warning,) = judge(ready, replace(NEEDS, gpu_pinning=True)).warnings
    assert "User flower is no administrator" in warning
    assert "VM_RESTRICTED_ATTR" in warning
    assert "site_supernode_template" in warning


@pytest.mark.parametrize(
    "changes",
    [
        {"user": {"ID": "0", "GID": "0", "NAME": "oneadmin", "GROUPS": {"ID": ["0"]}}},
        {"user": {"ID": "4", "GID": "0", "NAME": "ann", "GROUPS": {"ID": ["0"]}}},
        {"vm_templates": (vm_template(7, "poc-alpha-supernode", TOPOLOGY={"PIN_POLICY": "THREAD"}),)},
    ],
)
def test_who_may_pin_is_not_warned(changes: dict[str, Any]) -> None:
    ready = offer(host("node1", device("41"), **PINNED), **changes)
    assert judge(ready, replace(NEEDS, gpu_pinning=True)) == Verdict(1, 1)


def test_a_template_of_the_operator_says_what_is_asked_for() -> None:
    gpu = vm_template(9, "gpu", uid=0, PCI=[A100, A100], TOPOLOGY={"PIN_POLICY": "thread"})
    ready = offer(host("node1", device("41"), device("81"), **PINNED), vm_templates=(gpu,))
    assert judge(ready, replace(NEEDS, gpus=2, gpu_template="gpu", gpu_device="ffff")) == Verdict(2, 2)
    assert "takes no VM with pinned" in problem(
        replace(ready, hosts=(host("n", device("41")),)), gpus=2, gpu_template="gpu"
    )


@pytest.mark.parametrize(
    ("templates", "text"),
    [
        ((), "no VM template is called gpu (site_supernode_template), or the user may not use it"),
        (
            (vm_template(8, "gpu"), vm_template(9, "gpu")),
            "2 VM templates are called gpu (ids 8, 9); site_supernode_template names one",
        ),
        (
            (vm_template(8, "gpu"),),
            "VM template gpu (id 8, site_supernode_template) carries 0 PCI devices; site_supernode_gpus is 1",
        ),
        (
            (vm_template(8, "gpu", PCI=[A100, A100]),),
            "VM template gpu (id 8, site_supernode_template) carries 2 PCI devices; site_supernode_gpus is 1",
        ),
    ],
)
def test_a_template_of_no_use(templates: tuple[dict[str, Any], ...], text: str) -> None:
    assert problem(offer(vm_templates=templates), gpu_template="gpu", gpu_required=False) == text


@pytest.mark.parametrize(
    ("nodes", "changes", "texts"),
    [
        ("00", {}, []),
        ("01", {}, []),
        ("01", {"supernode_vcpus": 3}, ["site_supernode_vcpu is 3, which is no multiple of 2"]),
        (
            "03",
            {"supernode_vcpus": 4, "supernode_memory": 1022},
            ["site_supernode_memory is 1022, which is no multiple"],
        ),
        ("-", {}, []),
    ],
)
def test_pinned_cpus_have_a_node_for_each_device(nodes: str, changes: dict[str, Any], texts: list[str]) -> None:
    devices = [device(f"{place}1", NUMA_NODE=node if node != "-" else "-1") for place, node in enumerate(nodes)]
    verdict = judge(offer(host("node1", *devices, **PINNED)), replace(NEEDS, gpu_pinning=True, **changes))
    assert verdict.numa_nodes == (int(nodes[-1]) + 1 if nodes != "-" else 1)
    assert len(verdict.problems) == len(texts)
    assert all(text in problem for text, problem in zip(texts, verdict.problems, strict=True))


@pytest.mark.parametrize("metric", ["PCI_DEV", "RUNNING_PCI_DEV"])
def test_quotas_of_devices_are_asked_for_what_is_still_to_be_made(metric: str) -> None:
    quota = {"VM": {metric: "1", f"{metric}_USED": "0"}}
    user = {"ID": "2", "GID": "100", "NAME": "flower", "GROUPS": {"ID": ["100"]}, "VM_QUOTA": quota}
    limited = offer(host("node1", device("41"), device("81")), user=user)
    text = f"the quota of user flower for {metric} is 1, of which 0 are used; the federation needs 2"
    assert problem(limited, supernodes=2) == text + GO_ON
    assert judge(limited, NEEDS).problems == ()
    assert judge(limited, replace(NEEDS, supernodes=2, gpu_required=False)).reason == text


def test_the_mark_of_the_role_is_read_of_the_own_template_alone() -> None:
    templates = (vm_template(7, "poc-alpha-supernode", FACT8RA_GPUS="2"), vm_template(8, "x", FACT8RA_GPUS="4"))
    foreign = vm_template(9, "poc-alpha-supernode", uid=3, FACT8RA_GPUS="8")
    assert judge(offer(vm_templates=(*templates, foreign)), replace(NEEDS, gpus=0)) == Verdict(in_template=2)
