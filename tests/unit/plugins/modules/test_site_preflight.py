# SPDX-License-Identifier: Apache-2.0
"""Module site_preflight against the stand-in."""

from __future__ import annotations

from typing import Any

import pytest
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.modules import (
    oneflow_service,
    oneflow_template,
    security_group,
    site_preflight,
    vm_template,
    vnet,
)

NEEDS: dict[str, Any] = {
    "site": "alpha",
    "service": "poc-alpha",
    "image": "flower-debian-12",
    "network": "federation",
    "network_mode": "managed",
    "vms": 2,
    "cpu": 2,
    "memory": 2048,
}


def test_a_site_that_fits(tenant: Site) -> None:
    checked = tenant.run(site_preflight, **NEEDS, check=True)
    assert not checked["changed"]
    assert checked["site"] == {
        "version": "7.4.0",
        "user": "flower",
        "uid": 2,
        "groups": ["flower"],
        "vms": 0,
        "image_id": 0,
        "gpus": {"requested": 0, "granted": 0, "reason": "", "numa_nodes": 1, "in_template": 0},
        "hosts_visible": False,
        "networks_open_to": ["@1"],
    }
    assert tenant.writes == []


def test_a_dozen_calls_whatever_the_number_of_vms(tenant: Site) -> None:
    tenant.run(site_preflight, **{**NEEDS, "vms": 500})
    assert len(tenant.calls) + len(tenant.flow_calls) == 12


def test_an_administrator_sees_the_capacity_of_the_hosts(admin: Site) -> None:
    assert admin.run(site_preflight, **NEEDS)["site"]["hosts_visible"]
    assert "free CPUs; the federation needs 100000" in admin.fail(site_preflight, **{**NEEDS, "cpu": 100000})["msg"]


def test_an_existing_network_needs_room(admin: Site) -> None:
    admin.run(vnet, name="federation", vn_mad="bridge", bridge="br0", address_ranges=[{"ip": "10.9.0.1", "size": 1}])
    failed = admin.fail(site_preflight, **{**NEEDS, "network_mode": "existing"})
    assert "has 1 free addresses; 2 are needed" in failed["msg"]
    assert "carries security group 0, which admits everything" in failed["msg"]
    assert "has the driver bridge, with which OpenNebula holds no security group in force" in failed["msg"]


def test_a_network_whose_driver_filters_is_taken(admin: Site) -> None:
    admin.run(security_group, name="own", rules=[])
    ranges = [{"ip": "10.9.0.1", "size": 9}]
    for number, driver in enumerate(("fw", "bridge")):
        network = {"name": f"net{number}", "vn_mad": driver, "bridge": "br0", "security_groups": ["own"]}
        admin.run(vnet, **network, address_ranges=ranges)
    existing = {**NEEDS, "network_mode": "existing"}
    assert "site" in admin.run(site_preflight, **{**existing, "network": "net0"})
    assert "the driver bridge" in admin.fail(site_preflight, **{**existing, "network": "net1"})["msg"]
    assert "site" in admin.run(site_preflight, **{**existing, "network": "net1"}, allow_open_network=True)


def test_all_problems_at_once_with_the_site(tenant: Site) -> None:
    failed = tenant.fail(site_preflight, **{**NEEDS, "image": "ghost", "minimum_version": "9.0.0"})
    assert failed["failure"]["code"] == "preflight"
    assert failed["msg"].startswith(f"Site alpha ({tenant.standin.endpoint}): ")
    assert len(failed["failure"]["details"]["problems"]) == 2


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"password": "wrong"}, "authentication_failed", "couldn't be authenticated"),
        ({"endpoint": "http://127.0.0.1:9/RPC2"}, "connection_failed", "127.0.0.1:9"),
        ({"flow_endpoint": "http://127.0.0.1:9"}, "connection_failed", "127.0.0.1:9"),
        ({"flow_endpoint": "one.example"}, "invalid_input", "flow_endpoint is 'one.example'"),
    ],
)
def test_a_site_that_cannot_be_asked(tenant: Site, options: dict[str, Any], code: str, text: str) -> None:
    failed = tenant.fail(site_preflight, **{**NEEDS, **options})
    assert failed["failure"]["code"] == code
    assert text in failed["msg"]
    assert failed["msg"].startswith("Site alpha: ")


def test_a_silent_oneflow(tenant: Site) -> None:
    tenant.standin.faults.add({"silence": "oneflow"})
    assert "read_timeout=0.2" in tenant.fail(site_preflight, **NEEDS, read_timeout=0.2)["msg"]
    tenant.standin.faults.clear()


# ---------------------------------------------------------------------------------------------------------------- GPUs

#: The hosts of the recording, dummyhost0 and dummyhost1, have two A100 each.
GPUS: dict[str, Any] = {**NEEDS, "supernodes": 2, "supernode_memory": 1024, "gpu_pinning": False}


def test_the_recorded_hosts_give_two_to_each_of_two(admin: Site) -> None:
    result = admin.run(site_preflight, **GPUS, gpus=2, gpu_device="20b5", gpu_class="0302")
    assert result["ansible_facts"] == {"fact8ra_site_gpus": {"requested": 2, "granted": 2, "reason": ""}}
    assert result["site"]["gpus"] == {"requested": 2, "granted": 2, "reason": "", "numa_nodes": 1, "in_template": 0}
    assert len(admin.calls) + len(admin.flow_calls) == 12, "as many as without"


def test_the_recorded_vms_hold_one_and_wait_for_one_that_is_not_there(admin: Site) -> None:
    admin.standin.one("one.vm.allocate", 'NAME="gpu-one"\nCPU="0.1"\nMEMORY="96"\nPCI=[VENDOR="10de",DEVICE="20b5"]')
    admin.standin.until(lambda: "<VMID><![CDATA[0]]></VMID>" in admin.standin.one("one.hostpool.info"))
    failed = admin.fail(site_preflight, **GPUS, gpus=2, gpu_device="20b5")
    assert failed["failure"]["details"]["problems"] == [
        "the hosts have room for 1 of 2 SuperNodes with 2 GPUs (10de:20b5) of one host: host dummyhost0 has 2 devices "
        "10de:20b5, both free; host dummyhost1 has 2 devices 10de:20b5, 1 of them held by VM 0 and 1 of them free. Set "
        "site_gpu_required: false to go on without GPUs"
    ]
    gpus = admin.run(site_preflight, **GPUS, gpus=1, gpu_device="2330", gpu_required=False)["site"]["gpus"]
    assert gpus["granted"] == 0
    assert gpus["reason"] == (
        "the hosts have room for 0 of 2 SuperNodes with 1 GPU (10de:2330): hosts dummyhost0, dummyhost1 have none"
    )


def test_a_tenant_who_sees_no_host_is_told_and_warned(tenant: Site) -> None:
    asked = {**GPUS, "gpus": 9, "gpu_pinning": True}
    result = tenant.run(site_preflight, **asked, warns=True)
    assert result["site"]["gpus"]["granted"] == 9
    assert "may not see the hosts" in result["site"]["gpus"]["reason"]
    assert "Site alpha: User flower is no administrator" in str(result["warnings"])


def test_what_the_vms_were_made_with_counts_after_their_template_was_emptied(tenant: Site) -> None:
    template = {"name": "poc-alpha-supernode", "cpu": 0.1, "memory": 64}
    tenant.run(vm_template, **template, pci=[{"vendor": "10de", "device": "20b5"}])
    roles = [{"name": "supernode", "template": "poc-alpha-supernode"}]
    tenant.run(oneflow_template, name="poc-alpha", deployment="none", roles=roles)
    tenant.run(oneflow_service, name="poc-alpha", template="poc-alpha", wait_timeout=20)
    tenant.run(vm_template, **template, pci=[])
    asked = {**GPUS, "supernodes": 1, "vms": 1}
    had = {"gpus": 1, "gpu_device": "20b5", "gpu_required": False}
    granted = tenant.run(site_preflight, **asked, **had)["site"]["gpus"]
    assert (granted["requested"], granted["granted"]) == (1, 1)
    assert tenant.calls.count("vmpool.infoextended") == 1
    assert len(tenant.calls) + len(tenant.flow_calls) == 13, "one more than without a service"
    assert "was made with 1 GPU for each" in tenant.fail(site_preflight, **asked, gpus=2)["msg"]
    more = tenant.fail(site_preflight, **{**GPUS, "gpus": 0})
    assert "was made with 1 GPU for each SuperNode, and site_supernode_gpus is 0" in more["msg"]
