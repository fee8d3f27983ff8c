# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Modules oneflow_service and oneflow_service_info against the stand-in."""

from __future__ import annotations

from typing import Any

import pytest
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.modules import (
    oneflow_scale,
    oneflow_service,
    oneflow_service_info,
    oneflow_template,
    vm_template,
    vnet,
)

CONTENTS = {"NIC": [{"NETWORK_ID": "$Private"}]}
TEMPLATE: dict[str, Any] = {
    "name": "flower",
    "deployment": "straight",
    "shutdown_action": "terminate-hard",
    "networks": {"Private": "M|network|Federation network| |id:"},
    "user_inputs": {"VERSION": "O|text|Flower version| |1.41.0"},
    "roles": [
        {
            "name": "superlink",
            "template": "vm",
            "min_vms": 1,
            "max_vms": 1,
            "cooldown": 1,
            "template_contents": CONTENTS,
        },
        {
            "name": "supernode",
            "template": "vm",
            "cardinality": 2,
            "max_vms": 4,
            "cooldown": 1,
            "parents": ["superlink"],
            "template_contents": CONTENTS,
        },
    ],
}
SERVICE: dict[str, Any] = {
    "name": "fed",
    "template": "flower",
    "networks": [{"name": "Private", "network": "lan"}],
    "wait_timeout": 20,
}


@pytest.fixture
def site(tenant: Site) -> Site:
    """The tenant's view of a stand-in that has all that SERVICE needs."""
    ranges = [{"ip": "10.71.1.10", "size": 20}]
    tenant.run(vnet, name="lan", vn_mad="bridge", bridge="br0", address_ranges=ranges)
    tenant.run(vm_template, name="vm", cpu=0.1, memory=64, disks=[{"image": "flower-debian-12"}])
    tenant.run(oneflow_template, **TEMPLATE)
    return tenant


def _vms(service: dict[str, Any]) -> dict[str, list[str]]:
    return {role["name"]: [vm["name"].partition("_(")[0] for vm in role["vms"]] for role in service["roles"]}


def test_life_of_a_service(site: Site) -> None:
    roles = [{"name": "supernode", "cardinality": 3}]
    service = site.lifecycle(oneflow_service, "service", create=SERVICE, update={"roles": roles, "mode": "640"})
    assert (service["state"], service["state_id"], service["mode"]) == ("RUNNING", 2, "640")
    assert _vms(service) == {
        "superlink": ["superlink_0"],
        "supernode": ["supernode_0", "supernode_1", "supernode_2"],
    }
    (superlink,) = service["roles"][0]["vms"]
    assert (superlink["state"], superlink["lcm_state"], superlink["addresses"]) == ("ACTIVE", "RUNNING", ["10.71.1.10"])
    assert service["networks"] == {"Private": {"id": 0}}


def test_a_second_run_takes_three_calls(site: Site) -> None:
    options = {**SERVICE, "user_inputs": {"VERSION": "1.41.0"}, "roles": [{"name": "supernode", "cardinality": 2}]}
    assert site.run(oneflow_service, **options)["changed"]
    assert not site.run(oneflow_service, **options)["changed"]
    assert site.flow_calls == ["GET /service"]
    assert site.calls == ["vnpool.info", "vmpool.infoextended"]


def test_delete_is_sent_once(site: Site) -> None:
    site.run(oneflow_service, **SERVICE)
    site.run(oneflow_service, name="fed", state="absent", wait_timeout=20)
    assert site.writes == ["DELETE /service/1"]
    left = site.standin.one("one.vmpool.infoextended", -2, -1, -1, -1, "")
    assert "<VM>" not in left


def test_scaling_up_and_down_keeps_the_numbers_of_the_vms(site: Site) -> None:
    site.run(oneflow_service, **SERVICE)
    grown = site.run(oneflow_service, name="fed", roles=[{"name": "supernode", "cardinality": 4}], wait_timeout=20)
    assert len(_vms(grown["service"])["supernode"]) == 4
    shrunk = site.run(oneflow_service, name="fed", roles=[{"name": "supernode", "cardinality": 1}], wait_timeout=20)
    assert _vms(shrunk["service"])["supernode"] == ["supernode_3"], "OneFlow removes the oldest"
    none = site.run(oneflow_service, name="fed", roles=[{"name": "supernode", "cardinality": 0}], wait_timeout=20)
    assert _vms(none["service"])["supernode"] == []


def test_a_reservation_of_its_own(site: Site) -> None:
    networks = [{"name": "Private", "reserve_from": "lan", "size": 4}]
    options = {**SERVICE, "networks": networks}
    service = site.run(oneflow_service, **options)["service"]
    assert service["networks"]["Private"]["reserve_from"] == 0
    assert service["networks"]["Private"]["id"] != 0
    assert not site.run(oneflow_service, **options)["changed"]


def test_owner_and_group_by_id_0(admin: Site, site: Site) -> None:
    site.run(oneflow_service, **SERVICE)
    number = site.run(oneflow_service, name="fed")["service"]["id"]
    moved = admin.run(oneflow_service, id=number, owner="0", group="0")
    assert (moved["changed"], moved["service"]["uname"], moved["service"]["gid"]) == (True, "oneadmin", 0)
    assert not admin.run(oneflow_service, id=number, owner="oneadmin", group="0")["changed"]


def test_a_tenant_cannot_give_it_away(site: Site) -> None:
    number = site.run(oneflow_service, **SERVICE)["service"]["id"]
    failed = site.fail(oneflow_service, id=number, owner="0")
    assert failed["failure"]["code"] == "not_authorized"
    assert "ot authorized" in failed["msg"]


def test_a_boot_failure_is_told_with_the_log_and_the_vm(site: Site) -> None:
    site.standin.faults.add({"boot_failure": "supernode", "text": "no such kernel"})
    failed = site.fail(oneflow_service, **SERVICE)
    assert failed["failure"]["code"] == "service_failed"
    assert "FAILED_DEPLOYING" in failed["msg"]
    assert "supernode_0_(service_1)" in failed["msg"]
    assert failed["failure"]["details"]["log"]
    again = site.fail(oneflow_service, **SERVICE)
    assert again["failure"]["code"] == "service_failed"
    assert site.writes == []


def test_recover_brings_a_failed_service_up(site: Site) -> None:
    site.standin.faults.add({"boot_failure": "supernode", "text": "no such kernel", "times": 1})
    site.fail(oneflow_service, **SERVICE)
    predicted = site.run(oneflow_service, **SERVICE, recover=True, check=True)
    assert predicted["changed"]
    assert site.writes == []
    done = site.run(oneflow_service, **SERVICE, recover=True)
    assert (done["changed"], done["service"]["state"]) == (True, "RUNNING")
    assert not site.run(oneflow_service, **SERVICE, recover=True)["changed"]


def test_a_failed_service_is_removed(site: Site) -> None:
    site.standin.faults.add({"boot_failure": "supernode", "text": "no such kernel"})
    site.fail(oneflow_service, **SERVICE)
    assert site.run(oneflow_service, name="fed", state="absent", wait_timeout=20)["changed"]
    assert site.writes == ["POST /service/1/action"]
    assert site.run(oneflow_service_info)["services"] == []


def test_an_interrupted_run_is_continued(site: Site) -> None:
    first = site.run(oneflow_service, **SERVICE, wait=False)
    assert first["changed"]
    second = site.run(oneflow_service, **SERVICE)
    assert (second["changed"], second["service"]["state"]) == (False, "RUNNING")
    assert site.writes == []
    assert first["service"]["id"] == second["service"]["id"]


def test_a_service_that_is_deploying_is_removed(site: Site) -> None:
    site.standin.faults.add({"no_ready": "superlink"})
    site.run(oneflow_template, name="flower", ready_status_gate=True)
    site.run(oneflow_service, **SERVICE, wait=False)
    assert site.run(oneflow_service, name="fed", state="absent", wait_timeout=20)["changed"]
    assert site.run(oneflow_service_info)["services"] == []


def test_a_gate_that_never_opens_is_told(site: Site) -> None:
    site.standin.faults.add({"no_ready": "superlink"})
    site.run(oneflow_template, name="flower", ready_status_gate=True)
    failed = site.fail(oneflow_service, **{**SERVICE, "wait_timeout": 1})
    assert failed["failure"]["code"] == "timeout"
    assert "READY=YES" in failed["msg"]


def test_vms_that_do_not_stop_are_told_and_delete_is_not_repeated(site: Site) -> None:
    site.run(oneflow_service, **SERVICE)
    site.standin.faults.add({"no_shutdown": "supernode"})
    failed = site.fail(oneflow_service, name="fed", state="absent", wait_timeout=1)
    assert failed["failure"]["code"] == "timeout"
    assert "supernode_0_(service_1)" in failed["msg"]
    assert site.writes == ["DELETE /service/1"]
    site.fail(oneflow_service, name="fed", state="absent", wait_timeout=1)
    assert site.writes == []


def test_a_powered_off_vm_makes_a_warning_that_names_it(site: Site) -> None:
    service = site.run(oneflow_service, **SERVICE)["service"]
    number = service["roles"][1]["vms"][0]["id"]
    site.standin.one("one.vm.action", "poweroff-hard", number)
    site.standin.until(lambda: site.run(oneflow_service_info)["services"][0]["state"] == "WARNING")
    failed = site.fail(oneflow_service, **SERVICE)
    assert failed["failure"]["code"] == "service_warning"
    assert f"id {number}, POWEROFF" in failed["msg"]
    site.standin.one("one.vm.action", "resume", number)
    site.standin.until(lambda: site.run(oneflow_service_info)["services"][0]["state"] == "RUNNING")
    assert not site.run(oneflow_service, **SERVICE)["changed"]


def test_a_vm_that_was_terminated_by_hand_is_made_again(site: Site) -> None:
    roles = [{"name": "supernode", "cardinality": 2}]
    service = site.run(oneflow_service, **SERVICE)["service"]
    site.standin.one("one.vm.action", "terminate-hard", service["roles"][1]["vms"][0]["id"])
    site.standin.until(lambda: site.run(oneflow_service_info)["services"][0]["roles"][1]["cardinality"] == 1)
    healed = site.run(oneflow_service, **SERVICE, roles=roles)
    assert healed["changed"]
    assert len(healed["service"]["roles"][1]["vms"]) == 2


def test_hold_and_release(site: Site) -> None:
    held = site.run(oneflow_service, **SERVICE, hold=True)["service"]
    assert held["state"] == "HOLD"
    assert not site.run(oneflow_service, **SERVICE, hold=True)["changed"]
    assert site.fail(oneflow_service, **SERVICE)["failure"]["code"] == "service_on_hold"
    released = site.run(oneflow_service, **SERVICE, hold=False)
    assert (released["changed"], released["service"]["state"]) == (True, "RUNNING")


PROBE: dict[str, Any] = {"name": "probe", "template": "vm", "cardinality": 2, "template_contents": CONTENTS}


def test_a_role_is_added_and_removed(site: Site) -> None:
    site.run(oneflow_service, **SERVICE)
    for roles, sent, names in (
        ([PROBE], ["POST /service/1/role_action"], ["superlink", "supernode", "probe"]),
        ([{"name": "probe", "state": "absent"}], ["POST /service/1/role_action"], ["superlink", "supernode"]),
    ):
        predicted = site.run(oneflow_service, check=True, diff=True, **SERVICE, roles=roles)
        assert (predicted["changed"], site.writes) == (True, [])
        done = site.run(oneflow_service, diff=True, **SERVICE, roles=roles)
        assert (done["changed"], done["diff"], site.writes) == (True, predicted["diff"], sent)
        assert [role["name"] for role in done["service"]["roles"]] == names
        assert not site.run(oneflow_service, **SERVICE, roles=roles)["changed"]
        assert site.writes == []
    assert "<NAME>probe_" not in site.standin.one("one.vmpool.info", -2, -1, -1, -1)


def test_an_added_role_has_vms_with_addresses(site: Site) -> None:
    service = site.run(oneflow_service, **SERVICE, roles=[PROBE])["service"]
    assert site.writes == ["POST /service_template/0/action", "POST /service/1/role_action"]
    assert _vms(service)["probe"] == ["probe_0", "probe_1"]
    assert [vm["addresses"] for vm in service["roles"][2]["vms"]] == [["10.71.1.13"], ["10.71.1.14"]]


@pytest.mark.parametrize("fault", ["rename", "chmod"])
def test_success_that_changes_nothing_is_an_error(site: Site, fault: str) -> None:
    number = site.run(oneflow_service, **SERVICE)["service"]["id"]
    site.standin.faults.add({"lie": f"POST /service/{number}/action"})
    options = {"rename": {"name": "other"}, "chmod": {"mode": "640"}}[fault]
    failed = site.fail(oneflow_service, id=number, **options)
    assert failed["failure"]["code"] == "not_applied"


@pytest.mark.parametrize("version", ["6.8.0", "6.10.0", "7.4.0"])
def test_every_version(standin_of: Any, version: str) -> None:
    standin = standin_of(version)
    site = Site(standin, standin.tenant)
    site.run(vnet, name="lan", vn_mad="bridge", bridge="br0", address_ranges=[{"ip": "10.71.1.10", "size": 20}])
    site.run(vm_template, name="vm", cpu=0.1, memory=64, disks=[{"image": "flower-debian-12"}])
    assert site.run(oneflow_template, **TEMPLATE)["changed"]
    assert not site.run(oneflow_template, **TEMPLATE)["changed"]
    assert "system.version" not in site.calls, "nothing was to be sent"
    changed = {**TEMPLATE, "user_inputs": {"VERSION": "O|text|Version| |1.42.0"}, "labels": ["a", "b"]}
    assert site.run(oneflow_template, **changed)["changed"]
    assert site.calls.count("system.version") == 1
    assert not site.run(oneflow_template, **changed)["changed"]
    service = site.run(oneflow_service, **SERVICE, user_inputs={"VERSION": "x"})["service"]
    assert site.calls.count("system.version") == 1
    assert service["roles"][1]["vms"][0]["addresses"]
    assert site.run(oneflow_service, **SERVICE, roles=[PROBE])["changed"]
    assert not site.run(oneflow_service, **SERVICE, roles=[PROBE])["changed"]
    assert (site.flow_calls, site.calls) == (
        ["GET /service"],
        ["templatepool.info", "vnpool.info", "vmpool.infoextended"],
    )
    assert site.run(oneflow_scale, service="fed", role="probe", cardinality=1, wait_timeout=20)["changed"]
    assert site.run(oneflow_service, **SERVICE, roles=[{"name": "probe", "state": "absent"}])["changed"]
    assert site.run(oneflow_service, name="fed", state="absent", wait_timeout=20)["changed"]
    assert site.run(oneflow_template, name="flower", state="absent")["changed"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"networks": []}, "declares the network 'Private'"),
        ({"networks": [{"name": "Private", "network": "ghost"}]}, "names the virtual network 'ghost'"),
        ({"networks": [{"name": "Private"}]}, "one of the following is required"),
        ({"networks": [{"name": "Private", "network": "lan", "network_id": 0}]}, "mutually exclusive"),
        ({"template": "ghost"}, "names the service template 'ghost'"),
        ({"template_id": 0}, "mutually exclusive"),
        ({"user_inputs": {"ghost": 1}}, "has no input 'ghost'"),
        ({"roles": [{"name": "supernode", "cardinality": 5}]}, "cannot have cardinality 5"),
        ({"mode": 640}, "three octal digits"),
    ],
)
def test_what_cannot_work_is_refused_before_a_write(site: Site, given: dict[str, Any], text: str) -> None:
    assert text in site.fail(oneflow_service, **{**SERVICE, **given})["msg"]
    assert site.writes == []


def test_a_quota_that_is_exceeded_is_told(site: Site) -> None:
    site.standin.one("one.user.quota", 2, "VM=[VMS=2, MEMORY=-2, CPU=-2, SYSTEM_DISK_SIZE=-2]")
    failed = site.fail(oneflow_service, **SERVICE)
    assert failed["failure"]["code"] == "service_failed"
    assert "limit of 2 reached for VMS quota" in failed["msg"]
    assert "supernode" in failed["msg"]


def test_info(site: Site) -> None:
    assert site.run(oneflow_service_info)["services"] == []
    assert site.calls == [], "no service, no VMs to ask for"
    made = site.run(oneflow_service, **SERVICE)["service"]
    other = site.run(oneflow_service, **{**SERVICE, "name": "other"})["service"]
    assert site.run(oneflow_service_info)["services"] == [made, other]
    assert (site.flow_calls, site.calls) == (["GET /service"], ["vmpool.infoextended"])
    assert site.run(oneflow_service_info, name="other")["services"] == [other]
    assert site.run(oneflow_service_info, id=made["id"])["services"] == [made]
    assert site.run(oneflow_service_info, id=0)["services"] == [], "0 is the service template"
    assert site.run(oneflow_service_info, id=4242)["services"] == []


def test_info_without_the_vms_takes_one_call(site: Site) -> None:
    made = site.run(oneflow_service, **SERVICE)["service"]
    for picks in ({"name": made["name"]}, {"id": made["id"]}):
        (found,) = site.run(oneflow_service_info, **picks, vms=False)["services"]
        assert site.calls == []
        assert len(site.flow_calls) == 1
        assert (found["state"], found["networks"]) == (made["state"], made["networks"])
        for role, full in zip(found["roles"], made["roles"], strict=True):
            unread = {"state": None, "lcm_state": None, "addresses": []}
            assert role["vms"] == [{**vm, **unread} for vm in full["vms"]]


def test_a_vm_that_no_host_takes_is_told_in_the_schedulers_words(site: Site) -> None:
    site.standin.one("one.template.update", 0, 'PCI=[VENDOR="10de",DEVICE="2330",CLASS="0302"]', 1)
    site.run(oneflow_template, **TEMPLATE)
    failed = site.fail(oneflow_service, **{**SERVICE, "wait_timeout": 300})
    assert failed["failure"]["code"] == "vm_unplaced"
    assert "has VMs that no host takes (it is DEPLOYING); the scheduler says: [HOST] Unavailable PCI" in failed["msg"]
    assert "superlink_0_(service_1) (id 0, PENDING: " in failed["msg"]
    again = site.fail(oneflow_service, **{**SERVICE, "wait_timeout": 300, "recover": True})
    assert again["failure"]["code"] == "vm_unplaced", "a service that was left so is waited for"
    assert len([call for call in site.calls if call == "vmpool.infoextended"]) <= 5


def test_a_wait_for_memory_ends_with_its_timeout_and_the_schedulers_words(site: Site) -> None:
    site.standin.one("one.template.update", 0, 'MEMORY="99999999"', 1)
    site.run(oneflow_template, **{**TEMPLATE, "ready_status_gate": True})
    failed = site.fail(oneflow_service, **{**SERVICE, "wait_timeout": 1})
    assert failed["failure"]["code"] == "timeout"
    said = "the scheduler says: [HOST] Not enough MEMORY on hosts: "
    assert f"wait_timeout=1 s; it is DEPLOYING. It has VMs that no host takes; {said}" in failed["msg"]
    assert "as by freeing a card, and run again; it goes on from here" in failed["msg"]
    assert "READY=YES" not in failed["msg"], "no VM runs that could report"
    assert failed["failure"]["details"]["causes"][0].startswith(said)
