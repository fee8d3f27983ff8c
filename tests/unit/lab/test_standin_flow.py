# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The life of services beyond the recorded conversation; expectations are from OneFlow's source and live sessions."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from fact8ra_lab.standin.testing import StandIn


def test_straight_deployment_waits_for_the_parent(flow: Any) -> None:
    flow.standin.faults.add({"no_ready": "superlink"})
    service = flow.run(ready_status_gate=True)
    flow.standin.until(lambda: bool(flow.vm_ids(service, "superlink")))
    body = flow.reach(service, 1)
    states = {role["name"]: role["state"] for role in body["roles"]}
    assert states == {"superlink": 1, "supernode": 0}
    assert not body["roles"][1]["nodes"]
    flow.standin.one("one.vm.update", flow.vm_ids(service, "superlink")[0], "READY=YES", 1)
    body = flow.reach(service, 2)
    assert [node["vm_info"]["VM"]["NAME"] for node in body["roles"][1]["nodes"]] == [
        f"supernode_0_(service_{service})",
        f"supernode_1_(service_{service})",
    ]


def test_boot_failure_fails_the_service_and_recover_brings_it_up(flow: Any) -> None:
    flow.standin.faults.add({"boot_failure": "supernode", "times": 1, "text": "no space on host"})
    service = flow.run()
    body = flow.reach(service, 7)
    assert body["roles"][1]["state"] == 7
    failed = [number for number in flow.vm_ids(service, "supernode") if "<LCM_STATE>36<" in flow.vm(number)]
    assert len(failed) == 1
    assert "no space on host" in flow.vm(failed[0])
    assert flow.rest("DELETE", f"/service/{service}") == (
        500,
        "Service cannot be undeployed in state: FAILED_DEPLOYING",
    )
    assert flow.act(service, "recover") == (204, "")
    flow.reach(service, 2)
    assert "<ERROR>" not in flow.vm(failed[0])


def test_failed_service_is_deleted_by_recover(flow: Any) -> None:
    flow.standin.faults.add({"boot_failure": "superlink"})
    service = flow.run()
    flow.reach(service, 7)
    vms = flow.vm_ids(service, "superlink")
    assert flow.act(service, "recover", delete=True) == (204, "")
    flow.reach(service, None)
    assert all("<STATE>6<" in flow.vm(number) for number in vms)


def test_powered_off_vm_makes_a_warning(flow: Any) -> None:
    service = flow.run()
    flow.reach(service, 2)
    vm = flow.vm_ids(service, "superlink")[0]
    flow.standin.one("one.vm.action", "poweroff-hard", vm)
    body = flow.reach(service, 4)
    assert body["roles"][0]["state"] == 4
    assert flow.act(service, "recover") == (500, "Service cannot be recovered in state: WARNING")
    flow.standin.one("one.vm.action", "resume", vm)
    flow.reach(service, 2)


def test_vm_terminated_by_hand_lowers_the_cardinality(flow: Any) -> None:
    service = flow.run()
    flow.reach(service, 2)
    flow.standin.one("one.vm.action", "terminate-hard", flow.vm_ids(service, "supernode")[0])
    flow.standin.until(lambda: len(flow.vm_ids(service, "supernode")) == 1)
    body = flow.reach(service, 2)
    assert body["roles"][1]["cardinality"] == 1


def test_shutdown_that_fails_leaves_the_service_undeploying(flow: Any) -> None:
    service = flow.run()
    flow.reach(service, 2)
    flow.standin.faults.add({"no_shutdown": "supernode"})
    assert flow.rest("DELETE", f"/service/{service}")[0] == 204
    flow.reach(service, 3)
    vms = flow.vm_ids(service, "supernode") + flow.vm_ids(service, "superlink")
    assert flow.rest("DELETE", f"/service/{service}")[0] == 204
    assert flow.body(service) is None, "the second DELETE drops the document"
    assert all("<STATE>3<" in flow.vm(number) for number in vms), "and leaves the VMs behind"


def test_hold_and_release(flow: Any) -> None:
    service = flow.run(on_hold=True)
    flow.standin.until(lambda: {role["state"] for role in flow.reach(service, 15)["roles"]} == {11})
    assert "<STATE>2<" in flow.vm(flow.vm_ids(service, "superlink")[0])
    assert flow.act(service, "release") == (204, "")
    flow.reach(service, 2)
    assert flow.act(service, "release") == (500, "Service has no roles in HOLD")


def test_add_and_remove_role(flow: Any) -> None:
    service = flow.run()
    flow.reach(service, 2)
    path = f"/service/{service}/role_action"
    add = {"action": {"perform": "add_role", "params": {"role": flow.role("extra")}}}
    assert flow.rest("POST", path, add) == (204, "")
    body = flow.reach(service, 2)
    assert [role["name"] for role in body["roles"]] == ["superlink", "supernode", "extra"]
    assert flow.rest("POST", path, add) == (500, "Role extra already exists")
    remove = {"action": {"perform": "remove_role", "params": {"role": "extra"}}}
    assert flow.rest("POST", path, remove) == (204, "")
    body = flow.reach(service, 2)
    assert [role["name"] for role in body["roles"]] == ["superlink", "supernode"]
    assert flow.rest("POST", path, remove) == (500, "Role extra does not exist")


def test_scale_needs_force_in_the_body(flow: Any) -> None:
    service = flow.run()
    flow.reach(service, 2)
    status, answer = flow.rest("POST", f"/service/{service}/scale", {"role_name": "supernode", "cardinality": 3})
    assert status == 500
    assert answer["reason"] == 'unexpected token at \'{ "cardinality" : 3,\n  "force" :  }\''
    status, text = flow.rest(
        "POST", f"/service/{service}/scale", {"role_name": "supernode", "cardinality": 0, "force": False}
    )
    assert (status, text) == (500, f"Can't scale service {service}: Minimum cardinality is 1")
    assert (
        flow.rest("POST", f"/service/{service}/scale", {"role_name": "supernode", "cardinality": 6, "force": True})[0]
        == 204
    )
    flow.reach(service, 2)
    assert len(flow.vm_ids(service, "supernode")) == 6


def test_cooldown_refuses_delete_and_scale(make_flow: Callable[[StandIn], Any]) -> None:
    with StandIn(timers={"cooldown_scale": 1.0}) as standin:
        flow = make_flow(standin)
        service = flow.run()
        flow.reach(service, 2)
        flow.rest("POST", f"/service/{service}/scale", {"role_name": "supernode", "cardinality": 3, "force": False})
        flow.reach(service, 10)
        assert flow.rest("DELETE", f"/service/{service}") == (500, "Service cannot be undeployed in state: COOLDOWN")
        assert flow.act(service, "recover") == (204, "")
        flow.reach(service, 2)


def test_network_from_a_template_is_made_and_removed(flow: Any) -> None:
    template = flow.standin.one(
        "one.vntemplate.allocate", 'NAME="nt"\nVN_MAD="bridge"\nAR=[TYPE="IP4",IP="10.5.0.2",SIZE="9"]'
    )
    flow.standin.one("one.vntemplate.chmod", template, -1, -1, -1, -1, -1, -1, 1, 0, 0)
    service_template = flow.define()
    _unused, answer = flow.instantiate(service_template, networks_values=[{"Private": {"template_id": str(template)}}])
    service = int(answer["DOCUMENT"]["ID"])
    body = flow.reach(service, 2)
    net = body["networks_values"][0]["Private"]["id"]
    assert f"<NAME>Private-{service}</NAME>" in flow.standin.one("one.vn.info", net, False)
    assert "10.5.0.2" in flow.vm(flow.vm_ids(service, "superlink")[0])
    flow.rest("DELETE", f"/service/{service}")
    flow.reach(service, None)
    with pytest.raises(RuntimeError, match="Error getting virtual network"):
        flow.standin.until(lambda: not flow.standin.one("one.vn.info", net, False))


def test_network_in_error_fails_the_service(flow: Any) -> None:
    flow.standin.faults.add({"net_error": "Private-1"})
    _unused, answer = flow.instantiate(
        flow.define(), networks_values=[{"Private": {"reserve_from": flow.net, "extra": "SIZE=3"}}]
    )
    assert answer["DOCUMENT"]["ID"] == "1"
    body = flow.reach(1, 13)
    assert body["log"][-1]["message"] == "New state: FAILED_DEPLOYING_NETS"


def test_reservation_without_size_is_an_internal_error(flow: Any) -> None:
    status, answer = flow.instantiate(flow.define(), networks_values=[{"Private": {"reserve_from": flow.net}}])
    assert status == 500
    assert answer["reason"] == "undefined method `to_i' for false"
    assert flow.body(1)["state"] == 0, "the document stays behind"


def test_reservation_that_fails_is_told(flow: Any) -> None:
    values = [{"Private": {"reserve_from": flow.net, "extra": "SIZE=500"}}]
    assert flow.instantiate(flow.define(), networks_values=values) == (
        500,
        "[one.vn.reserve] Not enough free addresses in an address range",
    )
    assert flow.body(1)["state"] == 7


def _errors(body: dict[str, Any]) -> list[str]:
    return [line["message"] for line in body.get("log", []) if line["severity"] == "E"]


def test_quota_fails_the_deployment_with_the_reason_in_the_log(flow: Any) -> None:
    flow.standin.one("one.group.quota", 100, 'VM=[VMS="1"]')
    service = flow.run(roles=[flow.role("superlink", 2)])
    body = flow.reach(service, 7)
    assert "limit of 1 reached for VMS quota in VM" in _errors(body)[0]


def test_role_that_waited_and_cannot_be_made_leaves_the_service_deploying(flow: Any) -> None:
    """Upstream does not look at the outcome for roles with parents: only the role and the log tell."""
    flow.standin.one("one.group.quota", 100, 'VM=[VMS="2"]')
    service = flow.run()
    flow.standin.until(lambda: bool(_errors(flow.body(service))))
    body = flow.body(service)
    assert (body["state"], body["roles"][1]["state"]) == (1, 7)
    assert flow.act(service, "recover", delete=True) == (204, "")
    flow.reach(service, None)


def test_roles_and_networks_merge_by_name(flow: Any) -> None:
    template = flow.define(networks_values=[{"Private": {"id": 99}}])
    roles = [{"name": "supernode", "cardinality": 3}, {"name": "ghost", "cardinality": 9}]
    _unused, answer = flow.instantiate(template, roles=roles)
    body = answer["DOCUMENT"]["TEMPLATE"]["BODY"]
    assert [(role["name"], role["cardinality"]) for role in body["roles"]] == [("superlink", 1), ("supernode", 3)]
    assert body["networks_values"] == [{"Private": {"id": flow.net}}]


def test_merged_cardinality_is_validated(flow: Any) -> None:
    status, text = flow.instantiate(flow.define(), roles=[{"name": "supernode", "cardinality": 9}])
    assert (status, text) == (500, "Role 'supernode' 'cardinality' must be lower than or equal to 'max_vms'")


def test_parent_attributes_are_evaluated(flow: Any) -> None:
    child = flow.role("supernode", 1, parents=["superlink"])
    child["template_contents"]["LINK"] = "${superlink.template.context.eth0_ip}"
    service = flow.run(roles=[flow.role("superlink"), child])
    flow.reach(service, 2)
    assert "<LINK><![CDATA[10.0.0.10]]></LINK>" in flow.vm(flow.vm_ids(service, "supernode")[0])


def test_update_of_a_service_keeps_what_is_fixed(flow: Any) -> None:
    service = flow.run()
    body = flow.reach(service, 2)
    changed = json.loads(json.dumps(body))
    changed["roles"][0]["cardinality"] = 2
    assert flow.rest("PUT", f"/service/{service}", changed) == (
        500,
        "Immutable value: `role/cardinality` can not be changed",
    )
    append = {"append": True, "template": json.dumps({"description": "new"})}
    assert flow.rest("PUT", f"/service/{service}", append) == (204, "")
    assert flow.body(service)["description"] == "new"


def test_service_chmod_takes_a_string_of_three_digits(flow: Any) -> None:
    service = flow.run()
    for octet, group_use in (("640", "1"), (640, "0"), ("0640", "1")):
        action = {"action": {"perform": "chmod", "params": {"octet": octet}}}
        assert flow.rest("POST", f"/service/{service}/action", action, flow.standin.admin) == (204, "")
        permissions = flow.rest("GET", f"/service/{service}", user=flow.standin.admin)[1]["DOCUMENT"]["PERMISSIONS"]
        assert permissions["GROUP_U"] == group_use


def test_template_actions_never_report_an_error(flow: Any) -> None:
    template = flow.define()
    other = {"action": {"perform": "rename", "params": {"name": ""}}}
    assert flow.rest("POST", f"/service_template/{template}/action", other)[0] == 204
    assert flow.rest("POST", "/service_template/9999/action", other)[0] == 204
    answer = flow.rest("GET", f"/service_template/{template}")[1]
    assert answer["DOCUMENT"]["NAME"] == "federation"
    chown = {"action": {"perform": "chown", "params": {"owner_id": 2}}}
    assert flow.rest("POST", f"/service_template/{template}/action", chown, flow.standin.admin)[0] == 204
    assert flow.rest("GET", f"/service_template/{template}", user=flow.standin.admin)[1]["DOCUMENT"]["GID"] == "0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"roles": [{"name": "a-b", "type": "vm", "template_id": 0}]}, "KEY: 'name' must match regexp /^\\w+$/;"),
        (
            {"roles": [{"name": "a", "template_id": 0}]},
            'Mandatory document key \'type (string)\' is missing from {"name":"a","template_id":0}',
        ),
        ({"roles": [{"name": "a", "type": "vm", "template_id": "x"}]}, "KEY: 'template_id' must be an Integer;"),
        ({"roles": 1}, "KEY: 'roles' must be an Array;"),
        ({"networks": []}, "KEY: 'networks' must be an Object;"),
    ],
)
def test_invalid_templates(flow: Any, change: dict[str, Any], message: str) -> None:
    body = {"name": "x", "roles": [], **change}
    assert flow.rest("POST", "/service_template", body) == (400, message)


def test_repeated_role_names(flow: Any) -> None:
    body = {"name": "x", "roles": [flow.role("a"), flow.role("a")]}
    assert flow.rest("POST", "/service_template", body) == (400, "Role name 'a' is repeated")


def test_numeric_text_is_taken_as_a_number(flow: Any) -> None:
    template = flow.define(roles=[flow.role("a", "1")])
    body = flow.rest("GET", f"/service_template/{template}")[1]["DOCUMENT"]["TEMPLATE"]["BODY"]
    assert body["roles"][0]["cardinality"] == 1


def test_ids_are_read_as_ruby_reads_numbers(flow: Any) -> None:
    template = flow.define()
    assert template == 0
    status, answer = flow.rest("GET", "/service_template/abc")
    assert (status, answer["DOCUMENT"]["ID"]) == (200, "0")
    assert flow.rest("GET", "/service/0") == (500, "[DocumentInfo] Error getting document [0].")
    assert flow.rest("GET", "/service_template/")[0] == 404


def test_without_credentials(flow: Any) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(flow.standin.flow_endpoint + "/service", timeout=5)
    with caught.value as error:
        assert (error.code, error.read()) == (401, b"A username and password must be provided")


def test_empty_role_list_runs_at_once(flow: Any) -> None:
    flow.reach(flow.run(roles=[]), 2)


def test_unknown_parent_waits_for_ever(flow: Any) -> None:
    service = flow.run(roles=[flow.role("a", parents=["ghost"])])
    flow.reach(service, 11)
    for _unused in range(5):
        flow.standin.site.lcm.tick()
    assert flow.body(service)["state"] == 11


def test_clone_keeps_the_vm_templates(flow: Any) -> None:
    template = flow.define()
    clone = {"action": {"perform": "clone", "params": {"name": "copy", "recursive": "none"}}}
    status, answer = flow.rest("POST", f"/service_template/{template}/action", clone)
    assert (status, answer["DOCUMENT"]["NAME"]) == (201, "copy")
    assert answer["DOCUMENT"]["TEMPLATE"]["BODY"]["roles"][0]["template_id"] == flow.template
