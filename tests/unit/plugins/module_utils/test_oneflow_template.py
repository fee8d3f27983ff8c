# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Service templates: what is compared, what is sent, what is refused before anything is sent."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from flow import TEMPLATE_BODY, FlowScript, Step, action, document, get, missing, pool, template
from recording import RecordingClient, pool_object

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    Ambiguous,
    InvalidInput,
    NotFound,
    OpenNebulaError,
    Refused,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.template import Manager
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import Objects

PATH = "/service_template"
ROLES: list[dict[str, Any]] = [
    {
        "name": "superlink",
        "template": "vm",
        "cardinality": 1,
        "min_vms": 1,
        "max_vms": 1,
        "template_contents": {"NIC": [{"NAME": "_NIC0", "NETWORK_ID": "$Private"}]},
    },
    {
        "name": "supernode",
        "template_id": 2,
        "cardinality": 1,
        "parents": ["superlink"],
        "max_vms": 4,
        "cooldown": 1,
        "template_contents": {"nic": {"name": "_NIC0", "network_id": "$Private"}},
    },
]
WHOLE: dict[str, Any] = {
    "deployment": "straight",
    "networks": {"Private": "M|network|Federation network| |id:"},
    "user_inputs": {"VERSION": "O|text|Flower version| |1.41.0"},
    "roles": ROLES,
}


def _params(**given: Any) -> dict[str, Any]:
    none = dict.fromkeys(
        ("id", "owner", "group", "mode", "description", "deployment", "ready_status_gate", "shutdown_action")
        + ("networks", "user_inputs", "roles")
    )
    base = {"name": "flower", "state": "present", "username": "flower", "delete_vm_templates": "none"}
    return {**none, **base, **given}


def _client(version: str = "7.4.0") -> RecordingClient:
    return RecordingClient(
        {
            "system.version": version,
            "templatepool.info": {"VMTEMPLATE": [pool_object(2, "vm"), pool_object(0, "zero")]},
            "userpool.info": {"USER": [{"ID": "4", "NAME": "carol"}]},
            "grouppool.info": {"GROUP": {"ID": "101", "NAME": "lab"}},
        }
    )


def _run(
    params: dict[str, Any], *steps: Step, check: bool = False, client: RecordingClient | None = None
) -> tuple[dict[str, Any], FlowScript]:
    flow = FlowScript(*steps)
    result = Manager(params, flow, Objects(client or _client()), print).ensure(check_mode=check)
    flow.done()
    return result, flow


def test_create_sends_the_whole_body_with_numbers_as_numbers() -> None:
    client = _client()
    steps = [get(PATH, pool()), Step("POST", PATH, 201, template(0)), get(f"{PATH}/0", template(0))]
    result, flow = _run(_params(**WHOLE), *steps, client=client)
    ((_method, _path, sent),) = flow.writes
    assert sent == {
        "name": "flower",
        "deployment": "straight",
        "networks": TEMPLATE_BODY["networks"],
        "user_inputs": TEMPLATE_BODY["user_inputs"],
        "roles": [
            {**TEMPLATE_BODY["roles"][0]},
            {**TEMPLATE_BODY["roles"][1]},
        ],
    }
    assert result["changed"]
    assert result["service_template"]["id"] == 0
    assert result["diff"]["before"] == {}
    assert result["diff"]["after"]["roles"]["supernode"]["max_vms"] == "4"
    assert client.methods == ["templatepool.info", "system.version"]


def test_create_in_check_mode_reads_only() -> None:
    result, flow = _run(_params(**WHOLE, mode="640"), get(PATH, pool()), check=True)
    assert flow.writes == []
    assert result["changed"]
    assert result["service_template"]["name"] == "flower"
    assert result["service_template"]["mode"] == "640"
    assert result["service_template"]["body"]["roles"][0]["template_id"] == 2


def test_a_second_run_changes_nothing_and_takes_two_calls() -> None:
    client = _client()
    result, _flow = _run(
        _params(**WHOLE, mode="600", owner="flower", group="100"), get(PATH, pool(template())), client=client
    )
    assert not result["changed"]
    assert result["service_template"]["body"]["registration_time"] == 1795492188
    assert client.methods == ["templatepool.info"]


@pytest.mark.parametrize(
    "added",
    [
        {"surprise": "yes", "description": "by the server"},
        {"roles": [{**role, "on_hold": False, "last_vmname": 3} for role in TEMPLATE_BODY["roles"]]},
        {
            "roles": [
                {**role, "cardinality": str(role["cardinality"]), "template_id": "2"} for role in TEMPLATE_BODY["roles"]
            ]
        },
        {"roles": list(reversed(TEMPLATE_BODY["roles"]))},
        {"roles": [TEMPLATE_BODY["roles"][0], {**TEMPLATE_BODY["roles"][1], "elasticity_policies": []}]},
    ],
)
def test_what_the_server_adds_or_writes_otherwise_is_no_difference(added: dict[str, Any]) -> None:
    result, _flow = _run(_params(**WHOLE), get(PATH, pool(template(body={**TEMPLATE_BODY, **added}))))
    assert not result["changed"]


def test_empty_values_of_the_user_and_missing_ones_of_the_server_are_the_same() -> None:
    roles = [{**ROLES[0], "parents": [], "elasticity_policies": []}, ROLES[1]]
    params = _params(**{**WHOLE, "roles": roles, "description": ""})
    result, _flow = _run(params, get(PATH, pool(template())))
    assert not result["changed"]


def test_only_what_was_given_is_compared_and_the_rest_is_kept() -> None:
    changed = {**TEMPLATE_BODY, "description": "new", "surprise": "yes"}
    steps = [
        get(PATH, pool(template(body={**TEMPLATE_BODY, "surprise": "yes"}))),
        Step("PUT", f"{PATH}/5", 200, template(body=changed), changed),
        get(f"{PATH}/5", template(body=changed)),
    ]
    result, _flow = _run(_params(description="new"), *steps)
    assert result["changed"]
    assert result["diff"] == {
        "before": {"name": "flower", "description": ""},
        "after": {"name": "flower", "description": "new"},
    }


def test_put_sends_the_registration_time_that_was_read() -> None:
    steps = [
        get(PATH, pool(template())),
        Step("PUT", f"{PATH}/5", 200, template()),
        get(f"{PATH}/5", template(body={**TEMPLATE_BODY, "deployment": "none"})),
    ]
    _result, flow = _run(_params(deployment="none"), *steps)
    assert flow.writes[0][2]["registration_time"] == 1795492188
    assert len(flow.writes[0][2]["roles"]) == 2


def test_a_role_that_is_not_in_the_list_goes_and_a_kept_one_keeps_what_was_not_given() -> None:
    left = {**TEMPLATE_BODY, "roles": [{**TEMPLATE_BODY["roles"][1], "parents": [], "cardinality": 2}]}
    roles = [{"name": "supernode", "cardinality": 2, "parents": []}]
    steps = [
        get(PATH, pool(template())),
        Step("PUT", f"{PATH}/5", 200, template(body=left), left),
        get(f"{PATH}/5", template(body=left)),
    ]
    result, _flow = _run(_params(roles=roles), *steps)
    assert result["diff"]["before"]["roles"]["superlink"]["max_vms"] == "1"
    assert "superlink" not in result["diff"]["after"]["roles"]


def test_a_key_that_is_not_in_given_contents_any_more_goes() -> None:
    roles = [{**ROLES[0], "template_contents": {"MEMORY": 64}}, ROLES[1]]
    after = copy.deepcopy(TEMPLATE_BODY)
    after["roles"][0]["template_contents"] = {"MEMORY": "64"}
    steps = [
        get(PATH, pool(template())),
        Step("PUT", f"{PATH}/5", 200, template(body=after)),
        get(f"{PATH}/5", template(body=after)),
    ]
    result, flow = _run(_params(**{**WHOLE, "roles": roles}), *steps)
    assert flow.writes[0][2]["roles"][0]["template_contents"] == {"MEMORY": "64"}
    assert result["changed"]


def test_an_input_that_is_not_given_any_more_goes() -> None:
    after = {**TEMPLATE_BODY, "user_inputs": {"OTHER": "M|text|x| |"}}
    steps = [
        get(PATH, pool(template())),
        Step("PUT", f"{PATH}/5", 200, template(body=after), after),
        get(f"{PATH}/5", template(body=after)),
    ]
    result, _flow = _run(_params(user_inputs={"OTHER": "M|text|x| |"}), *steps)
    assert result["diff"]["after"]["user_inputs"] == {"OTHER": "M|text|x| |"}


def test_a_write_that_had_no_effect_is_an_error() -> None:
    steps = [
        get(PATH, pool(template())),
        Step("PUT", f"{PATH}/5", 200, template()),
        get(f"{PATH}/5", template()),
    ]
    with pytest.raises(Refused, match=r"accepted setting .*'description': 'new'") as raised:
        _run(_params(description="new"), *steps)
    assert raised.value.code == "not_applied"


@pytest.mark.parametrize(
    ("given", "perform", "params", "seen"),
    [
        ({"mode": "640"}, "chmod", {"octet": "640"}, {"mode": "640"}),
        ({"mode": "0640"}, "chmod", {"octet": "640"}, {"mode": "640"}),
        ({"group": "lab"}, "chgrp", {"group_id": 101}, {"group": "lab"}),
        ({"owner": "0"}, "chown", {"owner_id": 0, "group_id": -1}, {"owner": "oneadmin"}),
    ],
)
def test_actions_that_answer_204_to_everything_are_verified(
    given: dict[str, str], perform: str, params: dict[str, Any], seen: dict[str, str]
) -> None:
    after = template(mode=seen.get("mode", "600"), owner=seen.get("owner", "flower"))
    if "group" in seen:
        after["DOCUMENT"].update(GNAME="lab", GID="101")
    act = action(f"{PATH}/5", perform, params)
    # the name means the own one, so a new owner is given by id
    asked = _params(**given, id=5) if "owner" in given else _params(**given)
    first = get(f"{PATH}/5", template()) if "owner" in given else get(PATH, pool(template()))
    result, _flow = _run(asked, first, act, get(f"{PATH}/5", after))
    assert result["changed"]
    with pytest.raises(Refused, match="it still has") as raised:
        _run(asked, first, act, get(f"{PATH}/5", template()))
    assert raised.value.code == "not_applied"


@pytest.mark.parametrize("mode", [640, 0o640, "64", "888", "rw-"])
def test_a_mode_that_oneflow_would_misread_is_refused(mode: Any) -> None:
    with pytest.raises(InvalidInput, match="three octal digits in quotes"):
        _run(_params(mode=mode), get(PATH, pool(template())))


def test_a_rename_by_id_changes_the_name_and_the_name_in_the_body() -> None:
    after = template(0, "new", body={**TEMPLATE_BODY, "name": "new"})
    steps = [
        get(f"{PATH}/0", template(0)),
        Step("PUT", f"{PATH}/0", 200, template(0)),
        action(f"{PATH}/0", "rename", {"name": "new"}),
        get(f"{PATH}/0", after),
    ]
    result, flow = _run(_params(id=0, name="new"), *steps)
    assert flow.writes[0][2]["name"] == "new"
    assert result["service_template"]["name"] == "new"


def test_an_id_without_a_name_keeps_the_name() -> None:
    result, _flow = _run(_params(id=0, name=None), get(f"{PATH}/0", template(0)))
    assert not result["changed"]


def test_an_id_that_does_not_exist() -> None:
    with pytest.raises(NotFound, match="gets its id from OneFlow"):
        _run(_params(id=0, name=None), missing(f"{PATH}/0"))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "has no roles"),
        ({"roles": []}, "has no roles"),
        ({"roles": [{"name": "super-node", "template_id": 2}]}, "'super-node' is refused by OneFlow"),
        ({"roles": [{"name": "a", "template_id": 2}] * 2}, "'a' comes 2 times"),
        ({"roles": [{"name": "a", "template_id": 2, "parents": ["ghost"]}]}, "the parent 'ghost', which is no role"),
        (
            {
                "roles": [
                    {"name": "a", "template_id": 2, "parents": ["b"]},
                    {"name": "b", "template_id": 2, "parents": ["a"]},
                    {"name": "c", "template_id": 2},
                ]
            },
            "'a', 'b' are parents of each other",
        ),
        ({"roles": [{"name": "a"}]}, "names no VM template"),
        ({"roles": [{"name": "a", "template_id": 2, "cardinality": 3, "max_vms": 2}]}, "cannot have cardinality 3"),
        ({"roles": [{"name": "a", "template_id": 2, "min_vms": 2}]}, "cannot have cardinality 1"),
        (
            {"roles": [{"name": "a", "template_id": 4242}]},
            "uses VM template 4242, .* There are: zero .id 0., vm .id 2.",
        ),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_what_oneflow_would_accept_and_hang_on_is_refused_before_a_write(
    given: dict[str, Any], text: str, check: bool
) -> None:
    with pytest.raises(OpenNebulaError, match=text):
        _run(_params(**given), get(PATH, pool()), check=check)


def test_a_vm_template_that_is_not_there() -> None:
    with pytest.raises(OpenNebulaError, match="names the VM template 'ghost'"):
        _run(_params(roles=[{"name": "a", "template": "ghost"}]), get(PATH, pool()))


def test_a_name_that_comes_twice() -> None:
    with pytest.raises(Ambiguous, match="id 5 of user 'flower', id 6 of user 'flower'"):
        _run(_params(**WHOLE), get(PATH, pool(template(5), template(6))))


def test_template_id_0() -> None:
    body = {**TEMPLATE_BODY, "roles": [{**TEMPLATE_BODY["roles"][0], "template_id": 0}]}
    roles = [{**ROLES[0], "template": None, "template_id": 0}]
    result, _flow = _run(_params(roles=roles), get(PATH, pool(template(body=body))))
    assert not result["changed"]


def test_absent() -> None:
    steps = [
        get(PATH, pool(template())),
        Step("DELETE", f"{PATH}/5", 204, None, {"delete_type": "templates"}),
        missing(f"{PATH}/5"),
    ]
    result, _flow = _run(_params(state="absent", delete_vm_templates="templates"), *steps)
    assert result["changed"]
    assert result["service_template"] is None
    assert result["diff"]["before"]["roles"].keys() == {"superlink", "supernode"}


def test_absent_in_check_mode_reads_only() -> None:
    result, flow = _run(_params(state="absent"), get(PATH, pool(template())), check=True)
    assert result["changed"]
    assert flow.writes == []


def test_absent_already() -> None:
    result, _flow = _run(_params(state="absent"), get(PATH, pool()))
    assert not result["changed"]


def test_absent_while_somebody_else_deletes_it() -> None:
    gone = Step("DELETE", f"{PATH}/5", 404, "[one.document.info] Error getting document [5].")
    _result, _flow = _run(_params(state="absent"), get(PATH, pool(template())), gone, missing(f"{PATH}/5"))


OLD_BODY = {
    "name": "flower",
    "deployment": "straight",
    "description": "",
    "custom_attrs": {"VERSION": "O|text|Flower version| |1.41.0"},
    "networks": {"Private": "M|network|Federation network| |id:"},
    "roles": [
        {
            "name": "superlink",
            "cardinality": 1,
            "vm_template": 2,
            "min_vms": 1,
            "max_vms": 1,
            "vm_template_contents": 'NIC=[NAME="_NIC0",NETWORK_ID="$Private"]\n',
        },
        {
            "name": "supernode",
            "cardinality": 1,
            "vm_template": 2,
            "parents": ["superlink"],
            "max_vms": 4,
            "cooldown": 1,
            "vm_template_contents": 'NIC = [ NAME = "_NIC0", NETWORK_ID = "$Private" ]',
        },
    ],
}


def test_a_template_of_opennebula_6_is_the_same() -> None:
    result, _flow = _run(_params(**WHOLE), get(PATH, pool(document(5, "flower", OLD_BODY, kind=101))))
    assert not result["changed"]
    assert result["service_template"]["body"]["user_inputs"] == TEMPLATE_BODY["user_inputs"]


def test_opennebula_6_is_written_in_its_own_form() -> None:
    old = document(5, "flower", OLD_BODY, kind=101)
    steps = [get(PATH, pool()), Step("POST", PATH, 201, old), get(f"{PATH}/5", old)]
    _result, flow = _run(_params(**WHOLE), *steps, client=_client("6.10.2"))
    sent = flow.writes[0][2]
    assert sent["custom_attrs"] == OLD_BODY["custom_attrs"]
    assert sent["roles"][1] == {
        "name": "supernode",
        "cardinality": 1,
        "vm_template": 2,
        "parents": ["superlink"],
        "max_vms": 4,
        "cooldown": 1,
        "vm_template_contents": 'NIC=[NAME="_NIC0",NETWORK_ID="$Private"]',
    }
