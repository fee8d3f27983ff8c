# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Facts about services of a live OpenNebula 7.4.0 that the recording does not hold. Each name says one fact."""

from __future__ import annotations

import json
from typing import Any

import pytest
from contract_flow import FlowApi

from fact8ra_lab.standin.testing import StandIn


def scale(flow: FlowApi, service: int, **given: Any) -> tuple[int, str]:
    """Asks for a cardinality; returns status and text."""
    answer = flow.ask("POST", f"/service/{service}/scale", {"role_name": "web"} | given)
    return answer.status, answer.text


def cannot(what: str, state: str) -> tuple[int, str]:
    """The refusal of a state."""
    return 500, f"Service cannot be {what} in state: {state}"


def delete(flow: FlowApi, service: int) -> tuple[int, str]:
    """Asks for the end of a service; returns status and text."""
    answer = flow.ask("DELETE", f"/service/{service}")
    return answer.status, answer.text


# -------------------------------------------------------------------------------------------------------------- start


def test_a_service_is_answered_before_anything_is_deployed_and_fails_later(flow: FlowApi) -> None:
    answer = flow.instantiate(flow.define(flow.role(template_id=77)))
    assert (answer.status, answer.body["state"]) == (201, 0)
    log = flow.reach(answer.id, 7)["log"]
    errors = [line["message"] for line in log if line["severity"] == "E"]
    assert errors[0].startswith("Role web : Instantiate failed for template 77; ")


def test_a_role_with_contents_and_a_missing_vm_template_stays_in_deploying_nets(flow: FlowApi) -> None:
    service = flow.start(flow.role(template_id=77, template_contents={"MEMORY": "32"}))
    flow.standin.until(lambda: not flow.standin.site.lcm._waits)
    assert flow.state(service) == 11


def test_a_parent_that_no_role_is_keeps_a_service_in_deploying_nets(flow: FlowApi) -> None:
    service = flow.start(flow.role(parents=["nobody"]))
    flow.standin.until(lambda: not flow.standin.site.lcm._waits)
    assert flow.state(service) == 11


def test_a_network_that_fails_is_failed_deploying_nets(flow: FlowApi) -> None:
    flow.standin.one("one.vntemplate.allocate", 'NAME="vt"\nVN_MAD="bridge"\nBRIDGE="b"')
    template = flow.define(networks={"Net": "M|network| | |template_id:0"})
    flow.standin.faults.add({"net_error": f"Net-{template + 1}"})
    service = flow.instantiate(template).id
    flow.reach(service, 13)
    assert delete(flow, service) == cannot("undeployed", "FAILED_DEPLOYING_NETS")
    assert flow.act(f"/service/{service}", "recover", {"delete": True}).status == 204
    flow.reach(service, None)


def test_names_of_vms_count_on_for_ever(flow: FlowApi) -> None:
    service = flow.run()
    for cardinality in (2, 1, 2):
        assert scale(flow, service, cardinality=cardinality, force=False) == (204, "")
        flow.reach(service, 2)
    body = flow.service(service) or {}
    names = [node["vm_info"]["VM"]["NAME"] for node in body["roles"][0]["nodes"]]
    assert (names[-1], body["roles"][0]["last_vmname"]) == (f"web_2_(service_{service})", 3)


def test_a_node_shows_neither_state_nor_address(flow: FlowApi) -> None:
    node = (flow.service(flow.run()) or {})["roles"][0]["nodes"][0]
    assert list(node) == ["deploy_id", "vm_info"]
    assert list(node["vm_info"]["VM"]) == ["ID", "UID", "GID", "UNAME", "GNAME", "NAME"]


def test_a_service_on_hold_is_in_15_and_its_roles_in_11(flow: FlowApi) -> None:
    service = flow.start(on_hold=True)
    assert flow.reach(service, 15)["roles"][0]["state"] == 11
    assert flow.act(f"/service/{service}", "release").status == 204
    flow.reach(service, 2)


# ------------------------------------------------------------------------------------------------------------ scaling


def test_force_must_be_given(flow: FlowApi) -> None:
    answer = flow.ask("POST", f"/service/{flow.run()}/scale", {"role_name": "web", "cardinality": 4})
    text = 'unexpected token at \'{ "cardinality" : 4,\n  "force" :  }\''
    assert (answer.status, answer.data["reason"]) == (500, text)


def test_less_than_the_minimum_needs_force(flow: FlowApi) -> None:
    service = flow.run()
    text = f"Can't scale service {service}: Minimum cardinality is 1"
    assert scale(flow, service, cardinality=0, force=False) == (500, text)
    assert scale(flow, service, cardinality=0, force=True) == (204, "")


def test_a_cooldown_refuses_delete_scale_and_update(flow: FlowApi) -> None:
    service = flow.run(flow.role(cooldown=300))
    assert scale(flow, service, cardinality=2, force=False) == (204, "")
    flow.reach(service, 10)
    assert delete(flow, service) == cannot("undeployed", "COOLDOWN")
    assert scale(flow, service, cardinality=3, force=False) == cannot("scaled", "COOLDOWN")
    answer = flow.ask("PUT", f"/service/{service}", {"append": True, "template": '{"description": "x"}'})
    assert (answer.status, answer.text) == cannot("updated", "COOLDOWN")


# ---------------------------------------------------------------------------------------------------------------- end


def test_a_service_that_is_deployed_is_not_deleted(flow: FlowApi) -> None:
    service = flow.start(ready_status_gate=True)
    flow.reach(service, 1)
    assert delete(flow, service) == cannot("undeployed", "DEPLOYING")
    assert flow.act(f"/service/{service}", "recover", {"delete": True}).status == 204
    flow.reach(service, None)


def test_a_service_that_failed_is_not_deleted(flow: FlowApi) -> None:
    service = flow.start(flow.role(template_id=77))
    flow.reach(service, 7)
    assert delete(flow, service) == cannot("undeployed", "FAILED_DEPLOYING")


def test_a_service_that_failed_to_scale_is_not_deleted(flow: FlowApi) -> None:
    service = flow.run()
    flow.standin.faults.add({"boot_failure": "web"})
    scale(flow, service, cardinality=2, force=False)
    flow.reach(service, 9)
    assert delete(flow, service) == cannot("undeployed", "FAILED_SCALING")


@pytest.mark.parametrize("state", [2, 4, 15])
def test_a_service_that_stands_still_is_deleted(flow: FlowApi, state: int) -> None:
    service = flow.start(on_hold=state == 15)
    flow.reach(service, 15 if state == 15 else 2)
    if state == 4:
        flow.standin.one("one.vm.action", "poweroff-hard", flow.vms(service)[0])
        flow.reach(service, 4)
    assert delete(flow, service) == (204, "")
    flow.reach(service, None)


def test_a_vm_that_does_not_stop_keeps_the_service_undeploying(flow: FlowApi) -> None:
    service = flow.run()
    flow.standin.faults.add({"no_shutdown": "web"})
    delete(flow, service)
    flow.standin.until(lambda: "<LCM_STATE>3<" in flow.standin.one("one.vm.info", flow.vms(service)[0]))
    assert flow.state(service) == 3


def test_a_second_delete_drops_the_document_and_leaves_the_vms(flow: FlowApi) -> None:
    service = flow.run()
    vm = flow.vms(service)[0]
    flow.standin.faults.add({"no_shutdown": "web"})
    assert (delete(flow, service), delete(flow, service)) == ((204, ""), (204, ""))
    assert flow.state(service) is None
    assert "<LCM_STATE>3<" in flow.standin.one("one.vm.info", vm)


# ------------------------------------------------------------------------------------------------------------ recover


def test_a_service_in_warning_cannot_be_recovered(flow: FlowApi) -> None:
    service = flow.run()
    flow.standin.one("one.vm.action", "poweroff-hard", flow.vms(service)[0])
    flow.reach(service, 4)
    answer = flow.act(f"/service/{service}", "recover", {})
    assert (answer.status, answer.text) == cannot("recovered", "WARNING")


def test_a_recovered_service_shows_its_failure_until_it_runs(flow: FlowApi) -> None:
    flow.standin.faults.add({"boot_failure": "web", "times": 1})
    service = flow.start(ready_status_gate=True)
    flow.reach(service, 7)
    assert flow.act(f"/service/{service}", "recover", {}).status == 204
    assert flow.state(service) == 7
    flow.standin.one("one.vm.update", flow.vms(service)[0], 'READY="YES"', 1)
    flow.reach(service, 2)


# --------------------------------------------------------------------------------------------------------- by hand


def test_a_vm_powered_off_by_hand_makes_role_and_service_warn_until_it_runs(flow: FlowApi) -> None:
    service = flow.run()
    vm = flow.vms(service)[0]
    flow.standin.one("one.vm.action", "poweroff-hard", vm)
    assert flow.reach(service, 4)["roles"][0]["state"] == 4
    flow.standin.one("one.vm.action", "resume", vm)
    assert flow.reach(service, 2)["roles"][0]["state"] == 2


def test_a_vm_terminated_by_hand_lowers_the_cardinality(flow: FlowApi) -> None:
    service = flow.run(flow.role(cardinality=2))
    flow.standin.one("one.vm.action", "terminate-hard", flow.vms(service)[0])
    flow.standin.until(lambda: (flow.service(service) or {})["roles"][0]["cardinality"] == 1)
    assert (len(flow.vms(service)), flow.state(service)) == (1, 2)


# ------------------------------------------------------------------------------------------------------------- update


def test_put_of_a_service_takes_the_whole_body_and_changes_no_cardinality_and_no_name(flow: FlowApi) -> None:
    service = flow.run()
    body = flow.service(service) or {}
    body["roles"][0]["cardinality"] = 4
    answer = flow.ask("PUT", f"/service/{service}", body)
    assert (answer.status, answer.text) == (500, "Immutable value: `role/cardinality` can not be changed")
    answer = flow.ask("PUT", f"/service/{service}", (flow.service(service) or {}) | {"name": "other"})
    assert (answer.status, answer.text) == (500, "Immutable value: `service/name` can not be changed")
    answer = flow.ask("PUT", f"/service/{service}", (flow.service(service) or {}) | {"description": "new"})
    assert (answer.status, answer.text) == (204, "")


def test_a_part_of_a_service_is_updated_by_append(flow: FlowApi) -> None:
    service = flow.run()
    template = json.dumps({"description": "new"})
    assert flow.ask("PUT", f"/service/{service}", {"append": True, "template": template}).status == 204
    body = flow.service(service) or {}
    assert (body["description"], len(body["roles"])) == ("new", 1)


@pytest.mark.parametrize("path", ["role/web/action", "action"])
def test_actions_on_vms_need_params(flow: FlowApi, path: str) -> None:
    service = flow.run()
    action: dict[str, Any] = {"perform": "poweroff-hard"}
    answer = flow.ask("POST", f"/service/{service}/{path}", {"action": action})
    assert (answer.status, answer.data["reason"]) == (500, "undefined method `[]' for nil")
    assert flow.ask("POST", f"/service/{service}/{path}", {"action": action | {"params": {}}}).status == 204
    flow.reach(service, 4)


def test_the_default_cooldown_is_the_servers(flow: FlowApi, standin: StandIn) -> None:
    role = flow.role()
    del role["cooldown"]
    assert (flow.service(flow.run(role)) or {})["roles"][0]["cooldown"] == standin.config.timers.cooldown
