# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module host_info against the stand-in: what it returns of a host, and waiting for devices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.host import address_of, device_facts, facts
from ansible_collections.fact8ra.flower.plugins.modules import host_info
from fact8ra_lab.standin.model import Host
from fact8ra_lab.standin.seed import gpu
from fact8ra_lab.standin.testing import StandIn, default_seed

GPUS = ["0000:41:00.0", "0000:81:00.0"]


@pytest.fixture
def late() -> Iterator[Site]:
    """A host whose second card no monitoring has reported yet."""
    seed = default_seed() | {"hosts": [{"name": "kvm1", "pci": [gpu("41")], "hidden": [gpu("81")]}]}
    with StandIn(seed=seed) as standin:
        yield Site(standin, standin.admin)


def test_what_a_host_has(admin: Site) -> None:
    result = admin.run(host_info, check=True)
    assert admin.calls == ["hostpool.info"]
    assert [host["name"] for host in result["hosts"]] == ["dummyhost0", "dummyhost1"]
    host = result["hosts"][0]
    assert (host["id"], host["state"], host["cluster"], host["error"], host["vms"]) == (
        0,
        "MONITORED",
        "default",
        None,
        [],
    )
    assert host["cpu"] == {"total": 800, "max": 800, "used": 0}
    assert host["memory"] == {"total": 16777216, "max": 16777216, "used": 0}
    assert host["template"]["HYPERVISOR"] == "dummy"
    assert host["pci_devices"][0] == {
        "address": "0000:41:00.0",
        "short_address": "41:00.0",
        "vendor": "10de",
        "device": "20b5",
        "class": "0302",
        "vendor_name": "NVIDIA Corporation",
        "device_name": "GA100 [A100 PCIe 80GB]",
        "class_name": "3D controller",
        "numa_node": 0,
        "profiles": [],
        "vm": None,
    }
    node = host["numa_nodes"][1]
    assert (node["id"], node["memory"], node["distance"]) == (1, {"total": 8388608, "used": 0}, [1, 0])
    assert len(node["cores"]) == 8
    assert node["cores"][0]["cpus"][1] == {"id": 24, "vm": None}
    assert node["hugepages"][0] == {"size": 2048, "pages": 1024, "usage": 0}


def test_who_holds_a_device(admin: Site) -> None:
    vm = admin.standin.one("one.vm.allocate", 'CPU="0.1"\nMEMORY="64"\nPCI=[VENDOR="10de"]', False)

    def holders() -> list[Any]:
        hosts = admin.run(host_info)["hosts"]
        return [device["vm"] for host in hosts for device in host["pci_devices"] if device["vm"] is not None]

    admin.standin.until(lambda: holders() == [vm])
    assert [host["vms"] for host in admin.run(host_info)["hosts"] if host["vms"]] == [[vm]]


@pytest.mark.parametrize(
    ("options", "calls", "found"),
    [
        ({"id": 0}, ["host.info"], [0]),
        ({"name": "dummyhost1"}, ["hostpool.info"], [1]),
        ({"id": 4242}, ["host.info"], []),
        ({"name": "none"}, ["hostpool.info"], []),
        ({"name": "dummyhost1", "devices": ["41:00.0"]}, ["hostpool.info"], [1]),
    ],
)
def test_one_host(admin: Site, options: dict[str, Any], calls: list[str], found: list[int]) -> None:
    assert [host["id"] for host in admin.run(host_info, **options)["hosts"]] == found
    assert admin.calls == calls


def test_a_member_of_a_vdc_sees_no_host(tenant: Site) -> None:
    assert tenant.run(host_info)["hosts"] == []
    failed = tenant.fail(host_info, name="dummyhost1", devices=GPUS)
    assert failed["failure"]["code"] == "not_found"
    assert "needs USE on hosts" in failed["msg"]
    tenant.standin.one("one.acl.addrule", "200000064", "2100000001", "1", "400000000")
    assert [host["id"] for host in tenant.run(host_info)["hosts"]] == [1]


def test_devices_are_waited_for(late: Site) -> None:
    def monitor() -> None:
        late.standin.until(lambda: ("xmlrpc", "one.host.info") in late.standin.calls)
        with late.standin.site.cloud.lock:  # nobody sees it while it is offline
            host = late.standin.site.cloud.pool(Host)[0]
            host.unmonitored = True
            late.standin.site.hosts.monitor(host)

    watcher = threading.Thread(target=monitor)
    watcher.start()
    try:
        result = late.run(host_info, name="kvm1", devices=GPUS, wait_timeout=20)
    finally:
        watcher.join()
    assert [device["address"] for device in result["hosts"][0]["pci_devices"]] == GPUS
    assert late.calls[0] == "hostpool.info"
    assert set(late.calls[1:]) == {"host.info"}


def test_a_device_that_does_not_come_is_named_with_what_to_look_at(late: Site) -> None:
    late.standin.one("one.host.update", 0, 'PCI_FILTER="8086:*"\nERROR="no route"', 1)
    failed = late.fail(host_info, id=0, devices=[*GPUS, "0001:01:00.0"], wait_timeout=0)
    details = failed["failure"]["details"]
    assert (failed["failure"]["code"], failed["failure"]["id"], details["last_state"]) == ("timeout", 0, "MONITORED")
    assert (details["missing"], details["have"]) == (["0000:81:00.0", "0001:01:00.0"], ["0000:41:00.0"])
    for said in (
        "still has no 0000:81:00.0, 0001:01:00.0",
        "it has 0000:41:00.0",
        "MONITORED (no route)",
        "PCI_FILTER is '8086:*'",
        "kvm-probes.d/pci.conf",
        "onehost sync --force",
        "monitor.log",
    ):
        assert said in failed["msg"]
    assert late.calls == ["host.info", "host.info"]


def test_a_device_that_shall_not_be_there_is_named(late: Site) -> None:
    late.standin.one("one.vm.allocate", 'CPU="0.1"\nMEMORY="64"\nPCI=[VENDOR="10de"]', False)
    late.standin.until(lambda: late.standin.site.cloud.pool(Host)[0].pci[0]["VMID"] != "-1")
    failed = late.fail(host_info, id=0, devices=GPUS[:1], absent_devices=GPUS, wait_timeout=0)
    assert failed["failure"]["code"] == "timeout"
    assert "has 0000:41:00.0 (VM 0 has it) in its PCI pool, which shall not be there" in failed["msg"]
    assert "PCI_SHORT_ADDRESS" in failed["msg"]
    assert len(late.run(host_info, id=0, absent_devices=GPUS[1:], wait_timeout=0)["hosts"]) == 1


def test_a_host_that_is_offline_is_not_waited_for(late: Site) -> None:
    late.standin.one("one.host.status", 0, 2)
    failed = late.fail(host_info, name="kvm1", devices=GPUS, wait_timeout=60)
    assert failed["failure"]["code"] == "failed_state"
    assert "onehost enable 0" in failed["msg"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"devices": GPUS}, "give its id or name"),
        ({"name": "kvm1", "devices": ["41"]}, "devices has '41', which is no PCI address"),
        ({"name": "kvm1", "devices": ["0000:41:00.0; reboot"]}, "no PCI address"),
    ],
)
def test_bad_input(late: Site, options: dict[str, Any], said: str) -> None:
    failed = late.fail(host_info, **options)
    assert failed["failure"]["code"] == "invalid_input"
    assert said in failed["msg"]
    assert late.calls == []


def test_a_wrong_password(admin: Site) -> None:
    assert admin.fail(host_info, password="wrong")["failure"]["code"] == "authentication_failed"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("41:00.0", "0000:41:00.0"),
        ("0000:41:00:0", "0000:41:00.0"),
        ("0001:C1:1F.7", "0001:c1:1f.7"),
        ("10000:e1:00.0", "10000:e1:00.0"),
        ("41:00", None),
        ("41:00.8", None),
        ("", None),
    ],
)
def test_addresses(text: str, address: str | None) -> None:
    assert address_of(text) == address


def test_ragged_answers() -> None:
    host = facts({"ID": "3", "NAME": "x", "STATE": "77", "VMS": "", "TEMPLATE": "", "HOST_SHARE": {"PCI_DEVICES": ""}})
    assert (host["state"], host["vms"], host["pci_devices"], host["numa_nodes"]) == ("UNKNOWN(77)", [], [], [])
    assert (host["cpu"]["total"], host["cluster"], host["template"]) == (None, None, {})
    device = device_facts({"ADDRESS": "nonsense", "VMID": "", "NUMA_NODE": "-", "PROFILES": "256 (A), 257 (B),"})
    assert (device["address"], device["vm"], device["numa_node"]) == ("nonsense", None, None)
    assert device["profiles"] == ["256 (A)", "257 (B)"]
    core = {"ID": "0", "CPUS": "0:7,16:-1,x", "DEDICATED": "YES", "FREE": ""}
    node = facts({"ID": "3", "NAME": "x", "HOST_SHARE": {"NUMA_NODES": {"NODE": {"NODE_ID": "0", "CORE": core}}}})
    found = node["numa_nodes"][0]["cores"][0]
    assert found["cpus"] == [{"id": 0, "vm": 7}, {"id": 16, "vm": None}, {"id": None, "vm": None}]
    assert (found["dedicated"], found["free"]) == (True, None)
