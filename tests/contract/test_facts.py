# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Facts about the interfaces of a live OpenNebula 7.4.0 that the recording does not hold: transport, JSON, templates.

Each name says one fact; services are in ``test_facts_services.py``.
"""

from __future__ import annotations

import json
import xmlrpc.client
from typing import Any

import pytest
from contract_flow import FlowApi

from fact8ra_lab.standin.testing import StandIn

HTML = "text/html;charset=utf-8"
MISSING = "/service_template/9999"

# ---------------------------------------------------------------------------------------------------------- transport


def test_a_copy_is_answered_with_201_and_the_document(flow: FlowApi) -> None:
    answer = flow.act(f"/service_template/{flow.define()}", "clone", {"name": "copy", "recursive": "none"})
    assert (answer.status, answer.kind, answer.data["DOCUMENT"]["NAME"]) == (201, HTML, "copy")


def test_a_change_is_answered_with_204_without_body(flow: FlowApi) -> None:
    answer = flow.act(f"/service_template/{flow.define()}", "rename", {"name": "x"})
    assert (answer.status, answer.text) == (204, "")


def test_an_uncaught_error_is_500_with_json_of_type_html(flow: FlowApi) -> None:
    answer = flow.ask("POST", f"/service/{flow.run()}/action", "{nonsense")
    assert (answer.status, answer.kind, answer.data["message"]) == (500, HTML, "Internal server error")
    assert "reason" in answer.data


def test_a_trailing_slash_is_an_unknown_route(flow: FlowApi) -> None:
    answer = flow.ask("GET", "/service_template/")
    assert (answer.status, answer.kind) == (404, HTML)
    assert "Sinatra doesn\u2019t know this ditty" in answer.text


def test_no_credentials_are_401(flow: FlowApi) -> None:
    answer = flow.ask("GET", "/service", login=False)
    assert (answer.status, answer.text) == (401, "A username and password must be provided")


def test_a_password_that_oned_refuses_later_is_403(flow: FlowApi) -> None:
    flow.standin.faults.add({"refuse": "one.document.info", "code": 256, "text": "User couldn't be authenticated"})
    assert flow.ask("GET", "/service/0").status == 403


def test_an_id_that_is_no_number_counts_as_the_digits_it_begins_with(flow: FlowApi) -> None:
    assert flow.define() == 0
    answer = flow.ask("GET", "/service_template/abc")
    assert (answer.status, answer.id) == (200, 0)
    assert flow.ask("GET", "/service_template/0abc").id == 0


def test_services_and_service_templates_share_one_sequence_of_ids(flow: FlowApi) -> None:
    template = flow.define()
    assert flow.instantiate(template).id == template + 1
    assert flow.define() == template + 2


def test_a_service_template_asked_for_as_a_service_is_500(flow: FlowApi) -> None:
    answer = flow.ask("GET", f"/service/{flow.define()}")
    assert (answer.status, answer.text) == (500, "[DocumentInfo] Error getting document [0].")


# --------------------------------------------------------------------------------------------------------------- JSON


def test_an_empty_pool_has_no_key_and_one_of_one_is_a_list(flow: FlowApi) -> None:
    assert flow.ask("GET", "/service_template").data == {"DOCUMENT_POOL": {}}
    flow.define()
    pool = flow.ask("GET", "/service_template").data["DOCUMENT_POOL"]["DOCUMENT"]
    assert [document["ID"] for document in pool] == ["0"]


def test_values_of_the_envelope_are_texts_and_those_of_the_body_are_not(flow: FlowApi) -> None:
    document = flow.ask("GET", f"/service_template/{flow.define(ready_status_gate=True)}").data["DOCUMENT"]
    envelope = [value for key, value in document.items() if key not in ("PERMISSIONS", "TEMPLATE")]
    assert all(isinstance(value, str) for value in [*envelope, *document["PERMISSIONS"].values()])
    body = document["TEMPLATE"]["BODY"]
    assert (body["ready_status_gate"], body["roles"][0]["cardinality"]) == (True, 1)


def test_a_new_service_has_states_but_no_nodes_no_hold_and_no_log(flow: FlowApi) -> None:
    body = flow.instantiate(flow.define()).body
    assert (body["state"], body["roles"][0]["state"]) == (0, 0)
    assert not {"nodes", "on_hold"} & set(body["roles"][0])
    assert "log" not in body


def test_the_server_adds_to_a_template(flow: FlowApi) -> None:
    answer = flow.ask(
        "POST", "/service_template", {"name": "x", "roles": [{"name": "r", "type": "vm", "template_id": 0}]}
    )
    added = {"deployment": "none", "description": ""}
    assert answer.body | added == answer.body
    assert isinstance(answer.body["registration_time"], int)
    assert answer.body["roles"][0]["cardinality"] == 0


def test_the_server_adds_to_a_role_that_is_deployed(flow: FlowApi) -> None:
    role = flow.role()
    del role["cooldown"]
    known = (flow.service(flow.run(role)) or {})["roles"][0]
    assert (known["on_hold"], known["template_contents"], known["last_vmname"]) == (False, {}, 1)
    assert known["cooldown"] == flow.standin.site.cloud.timers.cooldown


def test_numbers_may_be_given_as_texts(flow: FlowApi) -> None:
    answer = flow.ask("GET", f"/service_template/{flow.define(flow.role(cardinality='1', template_id='0'))}")
    assert (answer.body["roles"][0]["cardinality"], answer.body["roles"][0]["template_id"]) == (1, 0)


def test_a_rename_changes_the_documents_name_alone(flow: FlowApi) -> None:
    template = flow.define()
    flow.act(f"/service_template/{template}", "rename", {"name": "other"})
    answer = flow.ask("GET", f"/service_template/{template}")
    assert (answer.data["DOCUMENT"]["NAME"], answer.body["name"]) == ("other", "svc")


def test_a_put_changes_the_bodys_name_alone(flow: FlowApi) -> None:
    template = flow.define()
    answer = flow.ask("PUT", f"/service_template/{template}", {"name": "other", "roles": [flow.role()]})
    assert (answer.data["DOCUMENT"]["NAME"], answer.body["name"]) == ("svc", "other")


def test_the_old_form_is_refused_where_one_role_has_the_new_one(flow: FlowApi) -> None:
    roles = [flow.role(), {"name": "old", "vm_template": 0}]
    answer = flow.ask("POST", "/service_template", {"name": "x", "roles": roles})
    assert answer.status == 400
    assert answer.text.startswith("Mandatory document key 'type (string)' is missing from {")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": "a-b"}, r"KEY: 'name' must match regexp /^\w+$/;"),
        ({"cardinality": 1, "min_vms": 2}, "Role 'web' 'cardinality' must be greater than or equal to 'min_vms'"),
        ({"cardinality": 9}, "Role 'web' 'cardinality' must be lower than or equal to 'max_vms'"),
    ],
)
def test_a_role_is_checked(flow: FlowApi, changes: dict[str, Any], text: str) -> None:
    answer = flow.ask("POST", "/service_template", {"name": "x", "roles": [flow.role(**changes)]})
    assert (answer.status, answer.text) == (400, text)


def test_two_roles_of_one_name_are_refused(flow: FlowApi) -> None:
    answer = flow.ask("POST", "/service_template", {"name": "x", "roles": [flow.role("a"), flow.role("a")]})
    assert (answer.status, answer.text) == (400, "Role name 'a' is repeated")


@pytest.mark.parametrize("changes", [{"template_id": 77}, {"parents": ["nobody"]}, {"surprise": 1}])
def test_a_role_is_not_checked_for_what_it_names(flow: FlowApi, changes: dict[str, Any]) -> None:
    assert flow.ask("POST", "/service_template", {"name": "x", "roles": [flow.role(**changes)]}).status == 201


def test_a_service_without_roles_runs_at_once(flow: FlowApi) -> None:
    answer = flow.ask("POST", "/service_template", {"name": "x", "roles": []})
    assert answer.status == 201
    flow.reach(flow.instantiate(answer.id).id, 2)


# ------------------------------------------------------------------------------------------------ actions on templates


@pytest.mark.parametrize(
    ("perform", "params"),
    [
        ("chmod", {"octet": "640"}),
        ("chown", {"owner_id": 0, "group_id": 0}),
        ("chgrp", {"group_id": 0}),
        ("rename", {"name": "x"}),
        ("update", {"append": True, "template_json": '{"description": "x"}'}),
    ],
)
def test_an_action_on_a_template_never_tells_what_went_wrong(flow: FlowApi, perform: str, params: Any) -> None:
    assert flow.act(MISSING, perform, params).status == 204
    path = f"/service_template/{flow.define()}"
    before = flow.ask("GET", path).text
    assert flow.act(path, perform, params, user=flow.standin.tenant).status == 204
    assert flow.ask("GET", path).text == before


def test_a_rename_to_nothing_is_204_too(flow: FlowApi) -> None:
    path = f"/service_template/{flow.define()}"
    assert flow.act(path, "rename", {"name": ""}).status == 204
    assert flow.ask("GET", path).data["DOCUMENT"]["NAME"] == "svc"


def test_an_action_without_what_it_needs_is_200_and_empty(flow: FlowApi) -> None:
    for perform in ("chmod", "chown", "chgrp", "update", "dance"):
        answer = flow.act(f"/service_template/{flow.define()}", perform, {})
        assert (answer.status, answer.text) == (200, "")


@pytest.mark.parametrize("kind", ["service_template", "service"])
@pytest.mark.parametrize(("octet", "mode"), [("640", "640"), (640, "000"), ("0640", "064")])
def test_chmod_wants_a_text_of_three_digits(flow: FlowApi, kind: str, octet: Any, mode: str) -> None:
    path = f"/{kind}/{flow.run() if kind == 'service' else flow.define()}"
    assert flow.act(path, "chmod", {"octet": octet}).status == 204
    bits = "".join(flow.ask("GET", path).data["DOCUMENT"]["PERMISSIONS"].values())
    assert "".join(str(int(bits[index : index + 3], 2)) for index in (0, 3, 6)) == mode


@pytest.mark.parametrize(("kind", "group"), [("service_template", "0"), ("service", "100")])
def test_chown_without_group_moves_a_template_to_group_0(flow: FlowApi, kind: str, group: str) -> None:
    path = f"/{kind}/{flow.run() if kind == 'service' else flow.define()}"
    flow.act(path, "chown", {"owner_id": 2, "group_id": 100})
    assert flow.ask("GET", path).data["DOCUMENT"]["GID"] == "100"
    assert flow.act(path, "chown", {"owner_id": 0}).status == 204
    document = flow.ask("GET", path).data["DOCUMENT"]
    assert (document["UID"], document["GID"]) == ("0", group)


@pytest.mark.parametrize(
    ("params", "copied"), [({}, True), ({"recursive": "templates"}, True), ({"recursive": "none"}, False)]
)
def test_a_copy_has_vm_templates_of_its_own_unless_told(flow: FlowApi, params: dict[str, str], copied: bool) -> None:
    answer = flow.act(f"/service_template/{flow.define()}", "clone", {"name": "copy"} | params)
    assert (answer.body["roles"][0]["template_id"] != flow.vm_template) is copied


def test_put_replaces_the_whole_body(flow: FlowApi) -> None:
    path = f"/service_template/{flow.define(description='old')}"
    answer = flow.ask("PUT", path, {"name": "x", "roles": [flow.role()]})
    assert (answer.status, answer.body["description"], answer.body["deployment"]) == (200, "", "none")
    for lacking in ({"name": "x"}, {"roles": []}):
        assert flow.ask("PUT", path, lacking).status == 400


def test_the_registration_time_may_be_left_out_but_not_changed(flow: FlowApi) -> None:
    path = f"/service_template/{flow.define()}"
    body = {"name": "x", "roles": [flow.role()]}
    known = flow.ask("GET", path).body["registration_time"]
    assert flow.ask("PUT", path, body).body["registration_time"] == known
    answer = flow.ask("PUT", path, body | {"registration_time": 7})
    text = "Immutable value: `service_template/registration_time` can not be changed"
    assert (answer.status, answer.text) == (500, text)


def test_an_update_in_part_takes_the_json_as_text(flow: FlowApi) -> None:
    path = f"/service_template/{flow.define()}"
    params = {"append": True, "template_json": json.dumps({"description": "new"})}
    assert flow.act(path, "update", params).status == 204
    answer = flow.ask("GET", path)
    assert (answer.body["description"], answer.body["deployment"]) == ("new", "straight")


def test_inputs_must_all_have_values(flow: FlowApi) -> None:
    answer = flow.instantiate(
        flow.define(user_inputs={"A": "M|text| | |", "B": "M|text| | |"}), user_inputs_values={"A": "1"}
    )
    assert (answer.status, answer.text) == (400, "Verify that every User Input have its corresponding value defined")


def test_a_reservation_that_is_a_default_breaks_and_leaves_a_document(flow: FlowApi) -> None:
    answer = flow.instantiate(flow.define(networks={"Net": f"M|network| | |reserve_from:{flow.net}"}))
    assert (answer.status, answer.data["reason"]) == (500, "undefined method `to_i' for false")
    left = flow.ask("GET", "/service").data["DOCUMENT_POOL"]["DOCUMENT"]
    assert [document["TEMPLATE"]["BODY"]["state"] for document in left] == [0]


# ------------------------------------------------------------------------------------------------------------ XML-RPC


def refused(standin: StandIn, method: str, *params: Any) -> tuple[int, str]:
    """The code and the text of a refused call."""
    with xmlrpc.client.ServerProxy(standin.endpoint, allow_none=True) as proxy:
        answer: Any = getattr(proxy, method)(":".join(standin.admin), *params)
    assert answer[0] is False
    return answer[2], answer[1]


def test_an_action_that_the_state_does_not_allow_is_refused(flow: FlowApi) -> None:
    vm = flow.vms(flow.run())[0]
    text = '[one.vm.action] Error performing action "resume": This action is not available for state RUNNING'
    assert refused(flow.standin, "one.vm.action", "resume", vm) == (2048, text)


def test_a_vm_template_of_a_taken_name_is_an_internal_error(flow: FlowApi) -> None:
    text = "[one.template.allocate] NAME is already taken by TEMPLATE 0."
    assert refused(flow.standin, "one.template.allocate", 'NAME="node"') == (8192, text)


def test_an_image_of_a_taken_name_is_an_error_of_allocation(flow: FlowApi) -> None:
    text = "[one.image.allocate] Error allocating a new image. NAME is already taken by IMAGE 0."
    image = 'NAME="flower-debian-12"\nPATH="/etc/hostname"'
    assert refused(flow.standin, "one.image.allocate", image, 1) == (16384, text)


def test_a_datastore_without_room_refuses_an_image(flow: FlowApi) -> None:
    image = 'NAME="big"\nTYPE="DATABLOCK"\nSIZE="99999999"'
    text = "[one.image.allocate] Not enough space in datastore"
    assert refused(flow.standin, "one.image.allocate", image, 1) == (2048, text)
