# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Roles of a living service, call by call: added and removed, and all that is refused before."""

from __future__ import annotations

import json
from typing import Any

import pytest
from clock import Clock
from flow import FlowScript, Step, action, get, missing, pool, service, template, vm
from recording import RecordingClient, pool_object

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import OpenNebulaError, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.service import Manager
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import Objects

ONE = "/service/7"
PROBE = {"name": "probe", "template": "vm", "parents": ["superlink"], "cardinality": 2}
SENT = {"type": "vm", "cardinality": 2, "name": "probe", "template_id": 2, "parents": ["superlink"]}
GONE = [{"name": "supernode", "state": "absent"}]


class Run:
    """One run of the module against a script."""

    def __init__(self, roles: list[dict[str, Any]], *steps: Step, check: bool = False, **more: Any) -> None:
        version = more.pop("version", "7.4.0")
        self.flow = FlowScript(*steps)
        self.client = RecordingClient(
            {
                "system.version": version,
                "templatepool.info": {"VMTEMPLATE": [pool_object(2, "vm"), pool_object(0, "zero")]},
                "vnpool.info": {"VNET": pool_object(1, "lan")},
                "vmpool.infoextended": {"VM": [vm(10, "superlink_0", role="superlink"), vm(11, "supernode_0")]},
            }
        )
        self.warnings: list[str] = []
        none = dict.fromkeys(("id", "owner", "group", "mode", "template", "template_id", "networks", "user_inputs"))
        base = {"name": "fed", "state": "present", "username": "flower", "recover": False, "hold": None}
        params = {**none, **base, "wait": True, "wait_timeout": 600, "roles": roles, **more}
        clock = Clock()
        manager = Manager(params, self.flow, Objects(self.client), self.warnings.append, clock=clock, sleep=clock.sleep)
        self.result = manager.ensure(check_mode=check)
        self.flow.done()


def _with(state: int, *names: str, cardinality: int = 2) -> Any:
    """The service with these roles and a probe where it is among them."""
    found = service(7, state, vms=False)
    body = found["DOCUMENT"]["TEMPLATE"]["BODY"]
    probe = {"name": "probe", "type": "vm", "template_id": 2, "cardinality": cardinality, "parents": ["superlink"]}
    body["roles"] = [role for role in [*body["roles"], probe] if role["name"] in names]
    return found


BOTH = ("superlink", "supernode")


def _role_action(perform: str, role: Any, status: int = 204, answer: Any = None) -> Step:
    return Step(
        "POST", f"{ONE}/role_action", status, answer, {"action": {"perform": perform, "params": {"role": role}}}
    )


def _sent(run: Run) -> Any:
    return json.loads(run.flow.writes[0][2]["action"]["params"]["role"])


def test_a_role_is_added_as_text_and_waited_for() -> None:
    steps = [
        get("/service", pool(_with(2, *BOTH))),
        Step("POST", f"{ONE}/role_action", 204, None),
        get(ONE, _with(1, *BOTH, "probe")),
        get(ONE, _with(2, *BOTH, "probe")),
        get(ONE, _with(2, *BOTH, "probe")),
    ]
    run = Run([PROBE], *steps)
    assert _sent(run) == SENT
    assert run.result["diff"]["before"] == {"name": "fed", "roles": {}, "state": "RUNNING"}
    assert run.result["diff"]["after"] == {"name": "fed", "roles": {"probe": {"cardinality": 2}}, "state": "RUNNING"}
    assert [role["name"] for role in run.result["service"]["roles"]] == [*BOTH, "probe"]
    assert run.client.methods == ["templatepool.info", "system.version"]


def test_a_role_is_added_to_opennebula_6_in_its_form() -> None:
    contents = {"NIC": [{"NETWORK_ID": "$Private"}]}
    role = {**PROBE, "template_contents": contents, "user_inputs": {"KEY": 1}, "attributes": {"x": "y"}}
    steps = [
        get("/service", pool(_with(2, *BOTH))),
        Step("POST", f"{ONE}/role_action", 204, None),
        *[get(ONE, _with(2, *BOTH, "probe"))] * 2,
    ]
    sent = _sent(Run([role], *steps, version="6.10.2"))
    assert sent == {
        "cardinality": 2,
        "name": "probe",
        "vm_template": 2,
        "parents": ["superlink"],
        "vm_template_contents": sent["vm_template_contents"],
        "custom_attrs_values": {"KEY": "1"},
        "x": "y",
    }
    assert "NETWORK_ID" in sent["vm_template_contents"]


def test_a_role_is_removed_while_the_service_seems_to_go() -> None:
    steps = [
        get("/service", pool(_with(2, *BOTH))),
        _role_action("remove_role", "supernode"),
        get(ONE, _with(3, *BOTH)),
        get(ONE, _with(2, "superlink")),
        get(ONE, _with(2, "superlink")),
    ]
    run = Run(GONE, *steps)
    assert run.result["changed"]
    assert run.result["diff"]["after"]["roles"] == {}
    assert [role["name"] for role in run.result["service"]["roles"]] == ["superlink"]


def test_a_role_that_cannot_be_removed_is_told() -> None:
    steps = [
        get("/service", pool(_with(2, *BOTH))),
        _role_action("remove_role", "supernode"),
        get(ONE, _with(6, *BOTH)),
    ]
    with pytest.raises(Refused, match="FAILED_UNDEPLOYING") as raised:
        Run(GONE, *steps)
    assert raised.value.code == "service_failed"


def test_new_roles_come_before_old_ones_go() -> None:
    every = get(ONE, _with(2, *BOTH, "probe"))
    steps = [
        get("/service", pool(_with(2, *BOTH))),
        Step("POST", f"{ONE}/role_action", 204, None),
        every,
        _role_action("remove_role", "supernode"),
        *[get(ONE, _with(2, "superlink", "probe"))] * 2,
    ]
    run = Run([*GONE, PROBE], *steps)
    assert [write[2]["action"]["perform"] for write in run.flow.writes] == ["add_role", "remove_role"]


@pytest.mark.parametrize("check", [False, True])
def test_a_second_run_changes_nothing(check: bool) -> None:
    run = Run([PROBE, {"name": "old", "state": "absent"}], get("/service", pool(_with(2, *BOTH, "probe"))), check=check)
    assert not run.result["changed"]
    assert run.warnings == []
    assert run.client.methods == ["templatepool.info"]


def test_check_mode_reads_only_and_predicts_the_roles() -> None:
    run = Run([*GONE, PROBE], get("/service", pool(_with(2, *BOTH))), check=True)
    assert run.flow.writes == []
    assert run.result["diff"]["after"]["roles"] == {"probe": {"cardinality": 2}}
    assert [(role["name"], role["cardinality"]) for role in run.result["service"]["roles"]] == [
        ("superlink", 1),
        ("probe", 2),
    ]


def test_another_definition_of_a_role_that_is_there_is_a_warning() -> None:
    given = {**PROBE, "template": None, "template_id": 0, "max_vms": 9}
    run = Run([given], get("/service", pool(_with(2, *BOTH, "probe"))))
    assert not run.result["changed"]
    assert "role 'probe' has another template_id, max_vms" in run.warnings[0]


def test_a_parent_that_goes_is_a_warning() -> None:
    steps = [get("/service", pool(_with(2, *BOTH)))]
    run = Run([{"name": "superlink", "state": "absent"}], *steps, check=True)
    assert "role 'supernode' keeps 'superlink' as its parent" in run.warnings[0]


@pytest.mark.parametrize(
    ("roles", "text"),
    [
        ([{"name": name, "state": "absent"} for name in BOTH], "would be left without a role"),
        ([{**PROBE, "parents": ["ghost"]}], "the parent 'ghost'"),
        ([{**PROBE, "parents": ["supernode"]}, *GONE], "the parent 'supernode'"),
        ([{**PROBE, "max_vms": 1}], "cannot have cardinality 2"),
        ([{**PROBE, "name": "a-b"}], "letters, digits and underscores"),
        ([{**PROBE, "template": "ghost"}], "names the VM template 'ghost'"),
        ([{**PROBE, "template": None, "template_id": 4242}], "uses VM template 4242"),
        ([{**PROBE, "attributes": {"parents": []}}], "'parents' cannot be given here"),
        ([{**PROBE, "type": "vr", "min_vms": 1}], "is one of virtual routers"),
        ([{"name": "probe", "cardinality": 1}], "has no role 'probe'"),
        ([PROBE, PROBE], "comes 2 times"),
    ],
)
def test_what_cannot_work_is_refused_before_a_write(roles: list[dict[str, Any]], text: str) -> None:
    with pytest.raises(OpenNebulaError, match=text):
        Run(roles, get("/service", pool(_with(2, *BOTH))))


def test_the_servers_refusal_is_quoted() -> None:
    refused = Step("POST", f"{ONE}/role_action", 500, "Cannot modify roles in state: HOLD")
    with pytest.raises(Refused, match="Cannot modify roles in state: HOLD"):
        Run([PROBE], get("/service", pool(_with(15, *BOTH))), refused, hold=True)


def test_opennebula_6_has_no_routers() -> None:
    with pytest.raises(OpenNebulaError, match=r"is OpenNebula 6.8.0, which has no virtual router roles"):
        Run([{**PROBE, "type": "vr", "cardinality": 1}], get("/service", pool(_with(2, *BOTH))), version="6.8.0")


def test_without_waiting_one_change_is_possible() -> None:
    steps = [
        get("/service", pool(_with(2, *BOTH))),
        _role_action("remove_role", "supernode"),
        get(ONE, _with(3, *BOTH)),
    ]
    assert Run(GONE, *steps, wait=False).result["changed"]
    with pytest.raises(Refused, match="one at a time") as raised:
        Run([*GONE, PROBE], get("/service", pool(_with(2, *BOTH))), wait=False)
    assert raised.value.code == "busy"


def test_a_router_cannot_be_scaled() -> None:
    found = _with(2, *BOTH, "probe")
    found["DOCUMENT"]["TEMPLATE"]["BODY"]["roles"][2]["type"] = "vr"
    with pytest.raises(Refused, match="one of virtual routers") as raised:
        Run([{"name": "probe", "cardinality": 3}], get("/service", pool(found)))
    assert raised.value.code == "not_scalable"


NEW = {"template": "flower", "networks": [{"name": "Private", "network": "lan"}]}


def test_a_new_service_gets_its_roles_when_it_runs() -> None:
    merge = {"name": "fed", "user_inputs_values": {"VERSION": "1.41.0"}, "networks_values": [{"Private": {"id": 1}}]}
    steps = [
        get("/service", pool()),
        get("/service_template", pool(template())),
        action("/service_template/5", "instantiate", {"merge_template": merge}, 201, _with(0, *BOTH)),
        get(ONE, _with(2, *BOTH)),
        get(ONE, _with(2, *BOTH)),
        Step("POST", f"{ONE}/role_action", 204, None),
        *[get(ONE, _with(2, *BOTH, "probe"))] * 2,
    ]
    run = Run([PROBE], *steps, **NEW)
    assert run.result["diff"]["after"]["roles"] == {"probe": {"cardinality": 2}}


def test_a_new_service_does_not_get_roles_without_waiting() -> None:
    steps = [get("/service", pool()), get("/service_template", pool(template()))]
    with pytest.raises(OpenNebulaError, match="Set wait to true"):
        Run([PROBE], *steps, **NEW, wait=False)


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_service_that_only_lost_a_role_comes_back(state: str) -> None:
    steps = [get("/service", pool(_with(3, *BOTH))), get(ONE, _with(3, *BOTH)), get(ONE, _with(2, "superlink"))]
    if state == "absent":
        steps += [Step("DELETE", ONE, 204, None), missing(ONE), missing(ONE)]
    run = Run([], *steps, state=state)
    assert run.result["changed"] == (state == "absent")
