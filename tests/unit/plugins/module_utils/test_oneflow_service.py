# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Services, call by call: made, waited for, scaled, recovered, removed, and every way in which that fails."""

from __future__ import annotations

from typing import Any

import pytest
from clock import Clock
from flow import TEMPLATE_BODY, FlowScript, Step, action, document, get, missing, pool, service, template, vm
from recording import RecordingClient, pool_object

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    Ambiguous,
    InvalidInput,
    NotAuthorized,
    NotFound,
    OpenNebulaError,
    Refused,
    ResourceTimeout,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.service import Manager
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import Objects

PATH = "/service"
TEMPLATES = "/service_template"
NETWORKS = [{"name": "Private", "network": "lan"}]
VMS = [vm(10, "superlink_0_(service_7)", role="superlink"), vm(11, "supernode_0_(service_7)")]


def _params(**given: Any) -> dict[str, Any]:
    none = dict.fromkeys(
        ("id", "owner", "group", "mode", "template", "template_id", "networks", "user_inputs", "roles", "hold")
    )
    base = {
        "name": "fed",
        "state": "present",
        "username": "flower",
        "recover": False,
        "wait": True,
        "wait_timeout": 600,
    }
    return {**none, **base, **given}


NEW = _params(template="flower", networks=NETWORKS)


def _client(*vms: dict[str, Any], version: str = "7.4.0", **answers: Any) -> RecordingClient:
    return RecordingClient(
        {
            "system.version": version,
            "vnpool.info": {"VNET": [pool_object(1, "lan"), pool_object(0, "zero")]},
            "templatepool.info": {"VMTEMPLATE": pool_object(2, "vm")},
            "vmpool.infoextended": {"VM": list(vms or VMS)},
            "vn.info": {"ID": "1", "NAME": "lan", "STATE": "1"},
            **answers,
        }
    )


class Run:
    """One run of the module against a script."""

    def __init__(self, params: dict[str, Any], *steps: Step, check: bool = False, client: Any = None) -> None:
        self.flow = FlowScript(*steps)
        self.client = client or _client()
        self.warnings: list[str] = []
        self.clock = Clock()
        objects = Objects(self.client)
        manager = Manager(params, self.flow, objects, self.warnings.append, clock=self.clock, sleep=self.clock.sleep)
        self.result = manager.ensure(check_mode=check)
        self.flow.done()

    @property
    def service(self) -> dict[str, Any]:
        """The returned service."""
        found: dict[str, Any] = self.result["service"]
        return found


def _instantiate(merge: dict[str, Any], answer: Any, status: int = 201) -> Step:
    return action(f"{TEMPLATES}/5", "instantiate", {"merge_template": merge}, status, answer)


MERGE = {
    "name": "fed",
    "user_inputs_values": {"VERSION": "1.41.0"},
    "networks_values": [{"Private": {"id": 1}}],
}


def _states(*states: int, **more: Any) -> list[Step]:
    return [get(f"{PATH}/7", service(7, state, vms=state not in (0, 11), **more)) for state in states]


def _creation(*states: int) -> list[Step]:
    return [
        get(PATH, pool()),
        get(TEMPLATES, pool(template())),
        _instantiate(MERGE, service(7, 0, vms=False)),
        *_states(*states),
    ]


# new services


def test_a_new_service_gets_the_full_set_of_values_and_is_waited_for() -> None:
    run = Run(NEW, *_creation(0, 11, 1, 2), *_states(2))
    assert run.result["changed"]
    assert run.service["state"] == "RUNNING"
    assert run.service["state_id"] == 2
    assert run.service["networks"] == {"Private": {"id": 1}}
    assert run.service["roles"][1]["vms"] == [
        {
            "id": 11,
            "name": "supernode_0_(service_7)",
            "state": "ACTIVE",
            "lcm_state": "RUNNING",
            "addresses": ["10.0.0.11"],
        }
    ]
    assert run.client.methods == ["vnpool.info", "templatepool.info", "system.version", "vmpool.infoextended"]
    assert run.client.calls[-1] == ("vmpool.infoextended", -2, 10, 11, -1, "")


def test_cardinalities_are_sent_with_every_role_in_the_order_of_the_template() -> None:
    params = {**NEW, "roles": [{"name": "supernode", "cardinality": 2, "user_inputs": None}]}
    merge = {**MERGE, "roles": [{"name": "superlink"}, {"name": "supernode", "cardinality": 2}]}
    steps = [
        get(PATH, pool()),
        get(TEMPLATES, pool(template())),
        _instantiate(merge, service(7, 0, vms=False, cardinality=2)),
        *_states(2, 2, cardinality=2),
    ]
    assert Run(params, *steps).service["roles"][1]["cardinality"] == 2


def test_a_new_service_in_check_mode_reads_only() -> None:
    params = {**NEW, "roles": [{"name": "supernode", "cardinality": 2, "user_inputs": None}], "mode": "640"}
    run = Run(params, get(PATH, pool()), get(TEMPLATES, pool(template())), check=True)
    assert run.flow.writes == []
    assert run.result["changed"]
    assert run.service == {
        "name": "fed",
        "mode": "640",
        "state": "RUNNING",
        "roles": [{"name": "supernode", "cardinality": 2}],
    }
    assert run.result["diff"]["before"] == {}


def test_owner_group_and_mode_are_set_after_it_runs() -> None:
    client = _client(**{"grouppool.info": {"GROUP": {"ID": "101", "NAME": "lab"}}})
    after = service(7, 2, mode="640")
    after["DOCUMENT"].update(GNAME="lab", GID="101")
    steps = [
        *_creation(2),
        *_states(2),
        action(f"{PATH}/7", "chmod", {"octet": "640"}),
        action(f"{PATH}/7", "chgrp", {"group_id": 101}),
        get(f"{PATH}/7", after),
    ]
    run = Run({**NEW, "mode": "640", "group": "lab"}, *steps, client=client)
    assert (run.service["mode"], run.service["gname"]) == ("640", "lab")


def test_without_waiting_it_is_returned_as_it_is() -> None:
    run = Run({**NEW, "wait": False}, *_creation(), *_states(0))
    assert run.result["changed"]
    assert run.service["state"] == "PENDING"
    assert run.service["roles"][0]["vms"] == []
    assert "vmpool.infoextended" not in run.client.methods


def test_template_id_0() -> None:
    steps = [
        get(PATH, pool()),
        get(f"{TEMPLATES}/0", template(0)),
        action(f"{TEMPLATES}/0", "instantiate", {"merge_template": MERGE}, 201, service(0, 2)),
        get(f"{PATH}/0", service(0, 2)),
        get(f"{PATH}/0", service(0, 2)),
    ]
    assert Run({**NEW, "template": None, "template_id": 0}, *steps).service["id"] == 0


def test_opennebula_6_gets_its_own_words() -> None:
    role = {**TEMPLATE_BODY["roles"][0], "user_inputs": {"KEY": "M|text|x| |y"}}
    merge = {
        "name": "fed",
        "custom_attrs_values": {"VERSION": "1.41.0"},
        "networks_values": [{"Private": {"id": 1}}],
        "roles": [{"name": "superlink", "custom_attrs_values": {"KEY": "y"}}],
    }
    steps = [
        get(PATH, pool()),
        get(TEMPLATES, pool(template(body={**TEMPLATE_BODY, "roles": [role]}))),
        _instantiate(merge, service(7, 0, vms=False)),
        *_states(2, 2),
    ]
    Run(NEW, *steps, client=_client(version="6.10.2"))


GHOST = {**TEMPLATE_BODY["roles"][1], "parents": ["ghost"]}


@pytest.mark.parametrize(
    ("given", "body", "text"),
    [
        ({"networks": None}, {}, "declares the network 'Private'"),
        ({}, {"user_inputs": {"KEY": "M|text|x| |"}}, "asks for a value for 'KEY'"),
        ({"user_inputs": {"ghost": 1}}, {}, "has no input 'ghost'"),
        ({"roles": [{"name": "ghost", "cardinality": 1}]}, {}, "has no role 'ghost'"),
        ({"roles": [{"name": "supernode", "cardinality": 9}]}, {}, "cannot have cardinality 9"),
        ({}, {"roles": [TEMPLATE_BODY["roles"][0], GHOST]}, "the parent 'ghost'"),
        ({}, {"roles": []}, "has no roles"),
        ({}, {"roles": [{**TEMPLATE_BODY["roles"][0], "template_id": 4242}]}, "uses VM template 4242"),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_what_would_fail_or_hang_later_is_refused_before_a_write(
    given: dict[str, Any], body: dict[str, Any], text: str, check: bool
) -> None:
    steps = [get(PATH, pool()), get(TEMPLATES, pool(template(body={**TEMPLATE_BODY, **body})))]
    with pytest.raises(OpenNebulaError, match=text):
        Run({**NEW, **given}, *steps, check=check)


def test_a_network_that_is_not_there() -> None:
    steps = [get(PATH, pool()), get(TEMPLATES, pool(template(body=TEMPLATE_BODY)))]
    with pytest.raises(OpenNebulaError, match="names the virtual network 'ghost'"):
        Run({**NEW, "networks": [{"name": "Private", "network": "ghost"}]}, *steps)


def test_a_new_service_needs_a_template() -> None:
    with pytest.raises(InvalidInput, match="give template or template_id"):
        Run(_params(), get(PATH, pool()))


def test_a_template_id_that_is_not_there() -> None:
    with pytest.raises(NotFound, match="no service template with id 0"):
        Run(_params(template_id=0), get(PATH, pool()), missing(f"{TEMPLATES}/0"))


def test_an_instantiation_that_leaves_a_dead_document_names_it() -> None:
    answer = {"message": "Internal server error", "reason": "undefined method `to_i' for false"}
    steps = [
        get(PATH, pool()),
        get(TEMPLATES, pool(template())),
        _instantiate(MERGE, answer, 500),
        get(PATH, pool(service(7, 0, vms=False), service(8, 2))),
    ]
    with pytest.raises(Refused, match="undefined method") as raised:
        Run(NEW, *steps)
    assert "left service 7 in PENDING behind" in raised.value.message
    assert raised.value.details["left"] == [7]


# waiting


def test_a_failure_ends_the_wait_at_once_with_the_log_and_the_vms() -> None:
    log = ["I: New state: DEPLOYING", "E: [one.vm.deploy] not enough memory", "I: New state: FAILED_DEPLOYING"]
    client = _client(
        vm(10, "superlink_0_(service_7)", lcm_state=36, error="Error booting"), vm(11, "supernode_0_(service_7)")
    )
    with pytest.raises(Refused, match="has failed") as raised:
        Run(NEW, *_creation(11, 1), *_states(7, log=log), client=client)
    error = raised.value
    assert error.code == "service_failed"
    assert "not enough memory" in error.message
    assert "superlink_0_(service_7) (id 10, ACTIVE/BOOT_FAILURE: Error booting)" in error.message
    assert "supernode_0" not in error.message
    assert error.details["log"] == log
    assert "http://one:2474" in error.message
    assert "recover: true" in error.message


@pytest.mark.parametrize("state", [6, 7, 9, 13, 14])
def test_every_failed_state_ends_the_wait(state: int) -> None:
    with pytest.raises(Refused, match="FAILED_"):
        Run(NEW, *_creation(11), *_states(state))


def _with_failed_role(state: int, role_state: int = 7) -> Any:
    roles = [{**role, "state": 2, "nodes": []} for role in TEMPLATE_BODY["roles"]]
    roles[1]["state"] = role_state
    return service(7, state, more={"roles": roles}, log=["E: Role supernode : Instantiate failed"])


@pytest.mark.parametrize(("state", "role_state"), [(1, 7), (8, 9), (11, 7)])
def test_a_role_that_failed_ends_the_wait_even_when_the_service_does_not_say_so(state: int, role_state: int) -> None:
    with pytest.raises(Refused, match="failed roles: supernode") as raised:
        Run(NEW, *_creation(11), get(f"{PATH}/7", _with_failed_role(state, role_state)))
    assert raised.value.code == "service_failed"
    assert "Instantiate failed" in raised.value.message
    with pytest.raises(Refused, match="failed roles: supernode"):
        Run(NEW, get(PATH, pool(_with_failed_role(state, role_state))))


def test_a_role_that_failed_is_recovered() -> None:
    steps = [
        get(PATH, pool(_with_failed_role(1))),
        action(f"{PATH}/7", "recover", {}),
        get(f"{PATH}/7", _with_failed_role(1)),
        *_states(1, 2, 2),
    ]
    assert Run(_params(recover=True), *steps).result["changed"]


def test_a_failure_is_told_even_when_the_vms_cannot_be_read() -> None:
    client = _client(**{"vmpool.infoextended": NotAuthorized("no")})
    with pytest.raises(Refused, match="has failed"):
        Run(NEW, *_creation(1), *_states(7), client=client)


def test_a_warning_names_the_vms() -> None:
    client = _client(vm(10, "superlink_0_(service_7)"), vm(11, "supernode_0_(service_7)", state=8, lcm_state=0))
    with pytest.raises(Refused, match="VMs that do not run") as raised:
        Run(NEW, *_creation(1), *_states(4), client=client)
    assert raised.value.code == "service_warning"
    assert raised.value.details["vms"] == ["supernode_0_(service_7) (id 11, POWEROFF)"]


def test_a_vm_that_is_gone_is_named_too() -> None:
    client = _client(vm(10, "superlink_0_(service_7)"))
    with pytest.raises(Refused, match=r"id 11 \(gone\)"):
        Run(NEW, *_creation(1), *_states(4), client=client)


def test_a_hang_in_deploying_nets_ends_before_the_timeout_with_its_causes() -> None:
    steps = [*_creation(), *_states(*[11] * 80)]
    flow = FlowScript(*steps)
    clock = Clock()
    manager = Manager(NEW, flow, Objects(_client()), print, clock=clock, sleep=clock.sleep)
    with pytest.raises(Refused, match="120 s in DEPLOYING_NETS") as raised:
        manager.ensure(check_mode=False)
    assert raised.value.code == "service_stuck"
    assert "nothing is found wrong with its parents, VM templates and networks" in raised.value.message
    assert 120 < clock.now < 130


@pytest.mark.parametrize(
    ("more", "network", "text"),
    [
        (
            {"roles": [{**TEMPLATE_BODY["roles"][1], "parents": ["ghost"]}]},
            {},
            "role 'supernode' has the parent 'ghost', which is no role of it",
        ),
        (
            {"roles": [{**TEMPLATE_BODY["roles"][0], "template_id": 4242}]},
            {},
            "role 'superlink' uses VM template 4242, which does not exist or may not be used",
        ),
        ({}, {"STATE": "5", "TEMPLATE": {"ERROR": "no driver"}}, "network 'Private' (id 1) is in ERROR: no driver"),
        ({}, {"STATE": "2"}, "network 'Private' (id 1) is in LOCK_CREATE"),
        ({}, NotFound("no"), "network 'Private' (id 1) does not exist"),
        (
            {"networks_values": [{"Private": {"reserve_from": 1, "extra": "SIZE=4"}}]},
            {},
            "network 'Private' was not made from reserve_from 1",
        ),
    ],
)
@pytest.mark.parametrize("state", [11, 13])
def test_what_keeps_a_service_from_its_networks_is_named(state: int, more: Any, network: Any, text: str) -> None:
    stuck = service(7, state, vms=False, more=more)
    steps = [*_creation(), *[get(f"{PATH}/7", stuck)] * (9 if state == 11 else 1)]
    client = _client(**{"vn.info": network})
    with pytest.raises(OpenNebulaError) as raised:
        Run({**NEW, "wait_timeout": 3}, *steps[:12], client=client)
    assert text in raised.value.message
    assert text in str(raised.value.details["causes"])


def test_a_hang_is_told_even_when_oned_does_not_answer() -> None:
    client = _client(**{"vn.info": NotAuthorized("no")})
    with pytest.raises(ResourceTimeout, match="nothing is found wrong"):
        Run({**NEW, "wait_timeout": 3}, *_creation(), *_states(*[11] * 9)[:9], client=client)


def test_networks_that_could_not_be_made_are_told_of_a_failed_service() -> None:
    more = {"networks_values": [{"Private": {"template_id": 3}}]}
    with pytest.raises(Refused, match="network 'Private' was not made from template_id 3; the log of the OneFlow"):
        Run(NEW, *_creation(), get(f"{PATH}/7", service(7, 7, vms=False, more=more)))


def test_networks_that_are_made_may_take_longer() -> None:
    reserved = {"networks_values": [{"Private": {"reserve_from": 1, "extra": "SIZE=4"}}]}
    params = {**NEW, "networks": [{"name": "Private", "reserve_from": "lan", "size": 4}]}
    steps = [
        get(PATH, pool()),
        get(TEMPLATES, pool(template())),
        _instantiate({**MERGE, **reserved}, service(7, 0, vms=False)),
        *_states(*[11] * 80, more=reserved),
        *_states(2, 2),
    ]
    run = Run(params, *steps)
    assert run.clock.now > 130


@pytest.mark.parametrize(
    ("state", "more", "text"),
    [
        (0, {}, "Nothing was started"),
        (1, {}, "it is DEPLOYING"),
        (1, {"ready_status_gate": True}, "READY=YES"),
        (11, {"networks_values": [{"Private": {"reserve_from": 1}}]}, "was not made"),
    ],
)
def test_a_timeout_says_what_is_waited_for(state: int, more: dict[str, Any], text: str) -> None:
    with pytest.raises(ResourceTimeout, match=text) as raised:
        Run({**NEW, "wait_timeout": 3}, *_creation(), *_states(*[state] * 9, more=more, log=["I: last words"])[:9])
    assert "wait_timeout=3 s" in raised.value.message
    assert "last words" in raised.value.message
    assert raised.value.details["id"] == 7


def test_a_service_that_goes_away_while_it_is_waited_for() -> None:
    with pytest.raises(Refused, match="somebody else removed it"):
        Run(NEW, *_creation(11), missing(f"{PATH}/7"))


@pytest.mark.parametrize("state", [3, 12, 5])
def test_a_service_that_somebody_removes_while_it_is_waited_for(state: int) -> None:
    with pytest.raises(Refused, match="removed by somebody else"):
        Run(NEW, *_creation(11), *_states(state))


# services that are there


def test_a_second_run_takes_three_calls() -> None:
    run = Run({**NEW, "mode": "600", "roles": [{"name": "supernode", "cardinality": 1}]}, get(PATH, pool(service())))
    assert not run.result["changed"]
    assert run.warnings == []
    assert run.client.methods == ["vnpool.info", "vmpool.infoextended"]
    assert run.service["roles"][0]["vms"][0]["addresses"] == ["10.0.0.10"]


@pytest.mark.parametrize("owner", [0, 2])
def test_owner_and_group_by_id_are_compared_by_id(owner: int) -> None:
    who = "oneadmin" if owner == 0 else "flower"
    params = _params(owner=str(owner), group=str(0 if owner == 0 else 100))
    run = Run(params, get(PATH, pool(service(owner=who))))
    assert not run.result["changed"]


def test_id_0_finds_it_without_a_list() -> None:
    run = Run(_params(id=0, name=None), get(f"{PATH}/0", service(0)))
    assert not run.result["changed"]
    assert run.service["id"] == 0


@pytest.mark.parametrize("states", [[0, 11, 1, 2], [11, 2], [1, 2], [8, 10, 2], [10, 2]])
def test_what_an_interrupted_run_left_is_waited_for(states: list[int]) -> None:
    run = Run(NEW, get(PATH, pool(service(7, states[0]))), *_states(*states))
    assert not run.result["changed"]
    assert run.flow.writes == []
    assert run.service["state"] == "RUNNING"


@pytest.mark.parametrize("params", [{"wait": False}, {}])
def test_it_is_not_waited_for_without_wait_or_in_check_mode(params: dict[str, Any]) -> None:
    run = Run(_params(**params), get(PATH, pool(service(7, 1))), check=not params)
    assert run.service["state"] == "DEPLOYING"


def test_rename_and_mode() -> None:
    steps = [
        get(f"{PATH}/7", service()),
        action(f"{PATH}/7", "rename", {"name": "new"}),
        action(f"{PATH}/7", "chmod", {"octet": "640"}),
        get(f"{PATH}/7", service(name="new", mode="640")),
    ]
    run = Run(_params(id=7, name="new", mode="640"), *steps)
    assert run.result["diff"] == {
        "before": {"name": "fed", "mode": "600", "state": "RUNNING"},
        "after": {"name": "new", "mode": "640", "state": "RUNNING"},
    }


def test_what_cannot_be_changed_is_a_warning() -> None:
    params = _params(networks=[{"name": "Private", "network": "zero"}], user_inputs={"VERSION": "s3cret"})
    run = Run(params, get(PATH, pool(service())))
    assert not run.result["changed"]
    (warning,) = run.warnings
    assert "network 'Private' has id 1, not 0" in warning
    assert "input 'VERSION' has another value" in warning
    assert "s3cret" not in warning


def test_a_network_that_is_gone_is_a_warning_for_a_living_service() -> None:
    run = Run(_params(networks=[{"name": "Private", "network": "ghost"}]), get(PATH, pool(service())))
    assert "'ghost'" in run.warnings[0]


def test_a_vm_that_the_user_may_not_see_is_returned_as_oneflow_knows_it() -> None:
    run = Run(_params(), get(PATH, pool(service())), client=_client(VMS[0]))
    assert run.service["roles"][1]["vms"] == [
        {"id": 11, "name": "supernode_0_(service_7)", "state": None, "lcm_state": None, "addresses": []}
    ]


@pytest.mark.parametrize(("state", "code"), [(4, "service_warning"), (7, "service_failed"), (6, "service_failed")])
@pytest.mark.parametrize("check", [False, True])
def test_a_service_in_trouble_is_an_error(state: int, code: str, check: bool) -> None:
    with pytest.raises(Refused) as raised:
        Run(NEW, get(PATH, pool(service(7, state, log=["E: why"]))), check=check)
    assert raised.value.code == code
    assert "E: why" in raised.value.message


def test_an_unknown_state_is_an_error() -> None:
    with pytest.raises(Refused, match="state 99, which this release does not know"):
        Run(NEW, get(PATH, pool(service(7, 99))))


def test_a_name_that_comes_twice() -> None:
    with pytest.raises(Ambiguous, match="id 7 of user 'flower', id 8 of user 'flower'"):
        Run(NEW, get(PATH, pool(service(7), service(8))))


def test_an_id_that_does_not_exist() -> None:
    with pytest.raises(NotFound, match="gets its id from OneFlow"):
        Run(_params(id=0, name=None, template="flower"), missing(f"{PATH}/0"))


# scaling


def _scale(role: str, cardinality: int, status: int = 204, answer: Any = None) -> Step:
    body = {"role_name": role, "cardinality": cardinality, "force": False}
    return Step("POST", f"{PATH}/7/scale", status, answer, body)


def test_scaling_goes_through_scaling_and_cooldown() -> None:
    params = _params(roles=[{"name": "supernode", "cardinality": 3}, {"name": "superlink", "cardinality": 1}])
    steps = [
        get(PATH, pool(service())),
        _scale("supernode", 3),
        *_states(8, 8, 10, 10, 2, 2, cardinality=3),
    ]
    run = Run(params, *steps)
    assert run.result["diff"] == {
        "before": {
            "name": "fed",
            "state": "RUNNING",
            "roles": {"supernode": {"cardinality": 1}, "superlink": {"cardinality": 1}},
        },
        "after": {
            "name": "fed",
            "state": "RUNNING",
            "roles": {"supernode": {"cardinality": 3}, "superlink": {"cardinality": 1}},
        },
    }


def test_scaling_in_check_mode() -> None:
    params = _params(roles=[{"name": "supernode", "cardinality": 3}])
    run = Run(params, get(PATH, pool(service())), check=True)
    assert run.result["changed"]
    assert run.service["roles"][1]["cardinality"] == 3
    assert len(run.service["roles"][1]["vms"]) == 1


def test_scaling_to_0() -> None:
    params = _params(roles=[{"name": "supernode", "cardinality": 0}])
    steps = [get(PATH, pool(service())), _scale("supernode", 0), *_states(8, 10, 2, 2, cardinality=0)]
    assert Run(params, *steps).service["roles"][1]["vms"] == []


def test_several_roles_are_scaled_one_after_the_other() -> None:
    body = {"roles": [{**role, "state": 2, "max_vms": 4, "nodes": []} for role in TEMPLATE_BODY["roles"]]}
    after = {"roles": [{**role, "cardinality": 2} for role in body["roles"]]}
    params = _params(roles=[{"name": "superlink", "cardinality": 2}, {"name": "supernode", "cardinality": 2}])
    steps = [
        get(PATH, pool(service(more=body))),
        _scale("superlink", 2),
        *_states(8, 10, 2, more=body),
        _scale("supernode", 2),
        *_states(8, 10, 2, 2, more=after),
    ]
    assert Run(params, *steps).result["changed"]


@pytest.mark.parametrize(
    ("role", "text"),
    [
        ({"name": "supernode", "cardinality": 5}, "cannot have cardinality 5; its template allows 0 to 4"),
        ({"name": "superlink", "cardinality": 0}, "allows 1 to 1"),
        ({"name": "ghost", "cardinality": 1}, "has no role 'ghost'"),
    ],
)
def test_a_cardinality_that_oneflow_would_refuse_is_refused_before(role: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        Run(_params(roles=[role]), get(PATH, pool(service())))


def test_a_timeout_in_cooldown_says_that_the_cooldown_counts() -> None:
    params = _params(roles=[{"name": "supernode", "cardinality": 2}], wait_timeout=3)
    steps = [get(PATH, pool(service())), _scale("supernode", 2), *_states(*[10] * 9, cardinality=2)]
    with pytest.raises(ResourceTimeout, match="COOLDOWN after each scaled role is part of wait_timeout"):
        Run(params, *steps)


def test_without_waiting_one_role_is_scaled() -> None:
    params = _params(roles=[{"name": "supernode", "cardinality": 2}], wait=False)
    steps = [get(PATH, pool(service())), _scale("supernode", 2), *_states(8, cardinality=2)]
    assert Run(params, *steps).service["state"] == "SCALING"


@pytest.mark.parametrize("state", [8, 10, 1])
def test_without_waiting_a_busy_service_cannot_be_scaled(state: int) -> None:
    params = _params(roles=[{"name": "supernode", "cardinality": 2}], wait=False)
    with pytest.raises(Refused, match="Set wait to true") as raised:
        Run(params, get(PATH, pool(service(7, state))))
    assert raised.value.code == "busy"


def test_a_refusal_to_scale_is_quoted() -> None:
    params = _params(roles=[{"name": "supernode", "cardinality": 2}])
    text = "Service cannot be scaled in state: COOLDOWN"
    with pytest.raises(Refused, match=text):
        Run(params, get(PATH, pool(service())), _scale("supernode", 2, 500, text))


def test_a_vm_that_was_terminated_by_hand_is_made_again() -> None:
    params = _params(roles=[{"name": "supernode", "cardinality": 2}])
    steps = [get(PATH, pool(service(cardinality=1))), _scale("supernode", 2), *_states(8, 10, 2, 2, cardinality=2)]
    assert Run(params, *steps).result["changed"]


# recovering, holding


@pytest.mark.parametrize("state", [7, 9, 13])
def test_recover_tries_a_failed_service_again_and_ignores_the_old_state_for_a_while(state: int) -> None:
    log = [f"I: New state: {state}"]
    steps = [
        get(PATH, pool(service(7, state, log=log))),
        action(f"{PATH}/7", "recover", {}),
        *_states(state, state, log=log),
        *_states(1, 2, 2),
    ]
    run = Run(_params(recover=True), *steps)
    assert run.result["changed"]
    assert run.result["diff"]["after"]["state"] == "RUNNING"


def test_a_recovery_that_fails_again_is_an_error_even_within_the_grace() -> None:
    log = ["E: first"]
    steps = [
        get(PATH, pool(service(7, 7, log=log))),
        action(f"{PATH}/7", "recover", {}),
        *_states(7, log=log),
        *_states(7, log=[*log, "E: second"]),
    ]
    with pytest.raises(Refused, match="E: second"):
        Run(_params(recover=True), *steps)


def test_a_recovery_that_does_nothing_is_an_error_after_the_grace() -> None:
    log = ["E: first"]
    steps = [get(PATH, pool(service(7, 7, log=log))), action(f"{PATH}/7", "recover", {}), *_states(*[7] * 20, log=log)]
    with pytest.raises(Refused, match="has failed"):
        Run(_params(recover=True), *steps)


def test_recover_in_check_mode_reads_only() -> None:
    run = Run(_params(recover=True), get(PATH, pool(service(7, 7))), check=True)
    assert run.result["changed"]
    assert run.result["diff"]["before"]["state"] == "FAILED_DEPLOYING"
    assert run.flow.writes == []


def test_recover_does_not_touch_a_running_service() -> None:
    assert not Run(_params(recover=True), get(PATH, pool(service()))).result["changed"]


@pytest.mark.parametrize("state", [6, 14])
def test_recover_cannot_bring_back_a_half_removed_service(state: int) -> None:
    with pytest.raises(Refused, match="state: absent"):
        Run(_params(recover=True), get(PATH, pool(service(7, state))))


def test_a_new_service_on_hold() -> None:
    steps = [
        get(PATH, pool()),
        get(TEMPLATES, pool(template())),
        _instantiate({**MERGE, "on_hold": True}, service(7, 0, vms=False)),
        *_states(11, 1, 15, 15),
    ]
    assert Run({**NEW, "hold": True}, *steps).service["state"] == "HOLD"


def test_a_service_on_hold_is_released() -> None:
    steps = [get(PATH, pool(service(7, 15))), action(f"{PATH}/7", "release", {}), *_states(15, 1, 2, 2)]
    assert Run(_params(hold=False), *steps).service["state"] == "RUNNING"


def test_a_service_on_hold_is_left_so() -> None:
    assert not Run(_params(hold=True), get(PATH, pool(service(7, 15)))).result["changed"]


def test_a_service_on_hold_needs_a_word() -> None:
    with pytest.raises(Refused, match="hold: false releases it"):
        Run(_params(), get(PATH, pool(service(7, 15))))


def test_a_running_service_cannot_be_held() -> None:
    run = Run(_params(hold=True), get(PATH, pool(service())))
    assert not run.result["changed"]
    assert "cannot be put on hold" in run.warnings[0]


# removing

ABSENT = _params(state="absent")
DELETE = Step("DELETE", f"{PATH}/7", 204, None)
RECOVER_DELETE = action(f"{PATH}/7", "recover", {"delete": True})
GONE = [missing(f"{PATH}/7")]


def _after(*vms: dict[str, Any]) -> RecordingClient:
    return RecordingClient({"vmpool.infoextended": {"VM": list(vms)} if vms else {}})


@pytest.mark.parametrize("state", [0, 2, 4, 15])
def test_delete_is_sent_once_and_waited_for(state: int) -> None:
    steps = [get(PATH, pool(service(7, state))), DELETE, *_states(2, 3, 3, 12), *GONE, *GONE]
    run = Run(ABSENT, *steps, client=_after())
    assert run.result["changed"]
    assert run.result["service"] is None
    assert run.result["lingering_vms"] == []
    assert len(run.flow.writes) == 1


@pytest.mark.parametrize("state", [1, 6, 7, 8, 9, 10, 11, 13, 14, 99])
def test_where_delete_is_refused_recover_delete_removes_it(state: int) -> None:
    steps = [get(PATH, pool(service(7, state))), RECOVER_DELETE, *_states(state, 3), *GONE, *GONE]
    assert Run(ABSENT, *steps, client=_after()).result["changed"]


@pytest.mark.parametrize("state", [3, 12, 5])
def test_a_service_that_is_being_removed_is_only_waited_for(state: int) -> None:
    run = Run(ABSENT, get(PATH, pool(service(7, state))), *_states(state), *GONE, client=_after())
    assert run.flow.writes == []
    assert not run.result["changed"]


@pytest.mark.parametrize("state", [3, 12])
def test_nor_is_it_touched_without_waiting(state: int) -> None:
    run = Run({**ABSENT, "wait": False}, get(PATH, pool(service(7, state))), client=_after())
    assert run.flow.writes == []


def test_without_waiting_it_is_not_looked_at_again() -> None:
    run = Run({**ABSENT, "wait": False}, get(PATH, pool(service())), DELETE, client=_after())
    assert run.result["changed"]
    assert run.client.calls == []


def test_a_state_that_changed_meanwhile_does_not_send_delete_again() -> None:
    refused = Step("DELETE", f"{PATH}/7", 500, "Service cannot be undeployed in state: SCALING")
    steps = [get(PATH, pool(service())), refused, *_states(8), RECOVER_DELETE, *GONE, *GONE]
    run = Run(ABSENT, *steps, client=_after())
    assert [method for method, _path, _body in run.flow.writes] == ["DELETE", "POST"]


def test_somebody_else_started_the_removal_meanwhile() -> None:
    refused = Step("DELETE", f"{PATH}/7", 500, "Service cannot be undeployed in state: UNDEPLOYING_NETS")
    steps = [get(PATH, pool(service())), refused, *_states(12), *GONE, *GONE]
    assert len(Run(ABSENT, *steps, client=_after()).flow.writes) == 1


def test_another_refusal_is_quoted() -> None:
    refused = Step("DELETE", f"{PATH}/7", 500, "Something else")
    with pytest.raises(Refused, match="Something else"):
        Run(ABSENT, get(PATH, pool(service())), refused, *_states(2), client=_after())


def test_somebody_else_removed_it_meanwhile() -> None:
    refused = Step("DELETE", f"{PATH}/7", 404, "[one.document.info] Error getting document [7].")
    assert Run(ABSENT, get(PATH, pool(service())), refused, *GONE, client=_after()).result["changed"]


def test_absent_already_and_in_check_mode() -> None:
    assert not Run(ABSENT, get(PATH, pool()), client=_after()).result["changed"]
    run = Run(ABSENT, get(PATH, pool(service())), check=True, client=_after())
    assert run.result["changed"]
    assert run.flow.writes == []


def test_absent_by_the_id_of_something_else() -> None:
    step = get(f"{PATH}/0", "[DocumentInfo] Error getting document [0].", 500)
    assert not Run(_params(id=0, name=None, state="absent"), step, client=_after()).result["changed"]


def test_a_removal_that_fails_is_an_error() -> None:
    steps = [get(PATH, pool(service())), DELETE, *_states(3), *_states(6, log=["E: driver"])]
    with pytest.raises(Refused, match="could not be removed") as raised:
        Run(ABSENT, *steps)
    assert "E: driver" in raised.value.message
    assert "recover: true" in raised.value.message


def test_a_removal_that_fails_is_forced_once_where_that_is_wanted() -> None:
    steps = [get(PATH, pool(service())), DELETE, *_states(6), RECOVER_DELETE, *_states(6, 3), *GONE, *GONE]
    assert Run({**ABSENT, "recover": True}, *steps, client=_after()).result["changed"]
    steps = [get(PATH, pool(service())), DELETE, *_states(6), RECOVER_DELETE, *_states(*[6] * 20)]
    with pytest.raises(Refused, match="could not be removed"):
        Run({**ABSENT, "recover": True}, *steps)


def test_a_vm_that_does_not_shut_down_is_named_by_the_timeout_and_delete_is_not_sent_again() -> None:
    client = _client(
        vm(10, "superlink_0_(service_7)", state=6, lcm_state=0), vm(11, "supernode_0_(service_7)", lcm_state=12)
    )
    steps = [get(PATH, pool(service())), DELETE, *_states(*[3] * 9)]
    with pytest.raises(ResourceTimeout, match="not deleted a second time") as raised:
        Run({**ABSENT, "wait_timeout": 3}, *steps, client=client)
    assert "supernode_0_(service_7) (id 11, ACTIVE/SHUTDOWN)" in raised.value.message


def test_vms_that_are_left_are_reported() -> None:
    left = vm(11, "supernode_0_(service_7)")
    others = [vm(10, "renamed", service_id=None, state=6), vm(12, "other", service_id=8)]
    run = Run(ABSENT, get(PATH, pool(service())), DELETE, *GONE, *GONE, client=_after(left, *others))
    assert run.result["lingering_vms"] == [{"id": 11, "name": "supernode_0_(service_7)", "state": "ACTIVE"}]
    assert "supernode_0_(service_7) (id 11, ACTIVE/RUNNING)" in run.warnings[0]


def test_vms_that_are_on_their_way_out_are_waited_for() -> None:
    looks = iter([[vm(11, "x", lcm_state=11)], [vm(11, "x", lcm_state=11)], []])
    client = RecordingClient({"vmpool.infoextended": lambda *_params: {"VM": next(looks)}})
    run = Run(ABSENT, get(PATH, pool(service())), DELETE, *GONE, *GONE, client=client)
    assert run.result["lingering_vms"] == []
    assert run.warnings == []


@pytest.mark.parametrize("state", [3, 12])
def test_present_waits_for_a_removal_and_makes_it_anew(state: int) -> None:
    looks = iter([{}, {"VM": VMS}])
    client = _client(**{"vmpool.infoextended": lambda *_params: next(looks)})
    steps = [get(PATH, pool(service(7, state))), *_states(state), *GONE, *_creation(2)[1:], *_states(2)]
    assert Run(NEW, *steps, client=client).result["changed"]


def test_present_without_waiting_does_not_make_a_second_one() -> None:
    with pytest.raises(Refused, match="is UNDEPLOYING"):
        Run({**NEW, "wait": False}, get(PATH, pool(service(7, 3))))


def test_present_in_check_mode_predicts_a_new_one() -> None:
    run = Run(NEW, get(PATH, pool(service(7, 3))), get(TEMPLATES, pool(template())), check=True)
    assert run.result["changed"]
    assert run.flow.writes == []


def test_a_document_of_6_is_read() -> None:
    body = {
        "name": "fed",
        "state": 2,
        "custom_attrs_values": {"VERSION": "1"},
        "networks_values": [{"Private": {"id": "1"}}],
        "roles": [
            {"name": "supernode", "cardinality": "1", "vm_template": 2, "state": 2, "nodes": [{"deploy_id": 11}]}
        ],
    }
    params = _params(user_inputs={"VERSION": "1"}, networks=NETWORKS, roles=[{"name": "supernode", "cardinality": 1}])
    run = Run(params, get(PATH, pool(document(7, "fed", body, kind=100))))
    assert not run.result["changed"]
    assert run.warnings == []


def test_a_template_that_holds_its_service_is_told() -> None:
    with pytest.raises(Refused, match="hold: false releases it") as raised:
        Run(NEW, *_creation(11), *_states(15))
    assert raised.value.code == "service_on_hold"


def test_a_failed_service_that_somebody_removes_meanwhile() -> None:
    gone = action(f"{PATH}/7", "recover", {"delete": True}, 404, "[one.document.info] Error getting document [7].")
    assert Run(ABSENT, get(PATH, pool(service(7, 7))), gone, *GONE, *GONE, client=_after()).result["changed"]


def test_vms_that_do_not_leave_in_time_are_reported() -> None:
    client = _after(vm(11, "supernode_0_(service_7)", lcm_state=11))
    run = Run({**ABSENT, "wait_timeout": 3}, get(PATH, pool(service())), DELETE, *GONE, *GONE, client=client)
    assert run.result["lingering_vms"][0]["id"] == 11
    assert "ACTIVE/EPILOG" in run.warnings[0]
    assert run.clock.now == 3
