# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneFlow's answers, as peculiar as a live 7.4.0 gives them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flow import FlowScript, Step, action, get, missing, pool, service, template
from recording import RecordingClient
from servers import closed_port, http_server

from ansible_collections.fact8ra.flower.plugins.module_utils import _http
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    Ambiguous,
    AuthenticationFailed,
    ConnectionFailed,
    InvalidInput,
    NotAuthorized,
    NotFound,
    OpenNebulaError,
    Refused,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import SERVICE, TEMPLATE, Kind, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import document as parse
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import Objects

DITTY = (
    "<!DOCTYPE html>\n<html>\n<head><style>body { color:#888 }</style></head>\n"
    "<body><h2>Sinatra doesn't know this ditty.</h2>"
)


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (401, "Invalid credentials", AuthenticationFailed),
        (401, "A username and password must be provided", AuthenticationFailed),
        (403, "[one.userpool.info] User couldn't be authenticated, aborting call.", AuthenticationFailed),
        (401, "[one.document.info] User [2] : Not authorized to perform USE DOCUMENT [37].", NotAuthorized),
        (400, "KEY: 'deployment' must be one of none, straight;", InvalidInput),
        (500, "Service cannot be undeployed in state: DEPLOYING", Refused),
        (502, "Bad Gateway", Refused),
    ],
)
def test_the_text_of_an_error_is_quoted_with_endpoint_and_object(
    status: int, text: str, kind: type[OpenNebulaError]
) -> None:
    flow = FlowScript(Step("DELETE", "/service/7", status, text))
    with pytest.raises(kind) as raised:
        flow.delete_service(7)
    assert text in raised.value.message
    assert "http://one:2474" in raised.value.message
    assert "delete service 7" in raised.value.message
    assert raised.value.as_failure() == {
        "code": kind.code,
        "object": "service",
        "id": 7,
        "operation": "DELETE /service/7",
        "server_message": text,
        "details": {"endpoint": "http://one:2474", "status": status},
    }


def test_bad_credentials_name_the_user_and_not_the_password() -> None:
    flow = FlowScript(get("/service", "Invalid credentials", 401))
    with pytest.raises(AuthenticationFailed, match="'flower'") as raised:
        flow.all(SERVICE)
    assert "secret" not in raised.value.message


def test_an_uncaught_exception_of_the_server_is_shown_by_its_reason() -> None:
    answer = {"message": "Internal server error", "reason": "undefined method `to_i' for false"}
    flow = FlowScript(Step("POST", "/service_template/5/action", 500, answer))
    with pytest.raises(Refused, match="undefined method"):
        flow.instantiate(5, {"name": "x"})


def test_a_page_for_an_unknown_route_means_a_wrong_url_and_not_that_nothing_is_there() -> None:
    flow = FlowScript(get("/service/7", DITTY, 404))
    with pytest.raises(ConnectionFailed, match="flow_endpoint") as raised:
        flow.get(SERVICE, 7)
    assert "know this ditty" in raised.value.message
    assert "<" not in raised.value.message


def test_a_document_that_is_not_there() -> None:
    flow = FlowScript(missing("/service/4242"))
    assert flow.get(SERVICE, 4242) is None


def test_the_id_of_a_document_of_another_kind_is_a_500_and_means_not_there() -> None:
    flow = FlowScript(get("/service/0", "[DocumentInfo] Error getting document [0].", 500))
    assert flow.get(SERVICE, 0) is None


def test_another_500_on_reading_is_an_error() -> None:
    flow = FlowScript(get("/service/0", "[DocumentInfo] Error getting document [7].", 500))
    with pytest.raises(Refused):
        flow.get(SERVICE, 0)


@pytest.mark.parametrize("kind", [SERVICE, TEMPLATE])
def test_an_empty_pool_has_no_document_key(kind: Kind) -> None:
    assert FlowScript(get(kind.path, pool())).all(kind) == []


@pytest.mark.parametrize("answer", [None, "hello", [], {"DOCUMENT": {}}, {"DOCUMENT_POOL": {"DOCUMENT": [{"ID": ""}]}}])
def test_something_else_than_a_pool_is_not_oneflow(answer: Any) -> None:
    with pytest.raises(ConnectionFailed, match="does not answer as OneFlow"):
        FlowScript(get("/service", answer)).all(SERVICE)


def test_a_document_of_the_wrong_type_is_not_taken() -> None:
    with pytest.raises(ConnectionFailed, match="type 101, not 100"):
        FlowScript(get("/service/5", template(5))).get(SERVICE, 5)


def test_only_digits_reach_a_path() -> None:
    flow = FlowScript()
    with pytest.raises(ValueError):
        flow.get(TEMPLATE, "abc")  # type: ignore[arg-type]


PARAMS = {"id": None, "name": "fed", "owner": None, "username": "flower"}


def test_a_name_is_looked_up_in_one_list() -> None:
    flow = FlowScript(get("/service", pool(service(8, name="other"), service(7))))
    found = flow.managed(SERVICE, PARAMS)
    assert found is not None
    assert found.id == 7
    flow.done()


def test_id_0_is_an_id() -> None:
    flow = FlowScript(get("/service/0", service(0)))
    found = flow.managed(SERVICE, {**PARAMS, "id": 0})
    assert found is not None
    assert found.id == 0
    flow.done()


def test_a_name_that_comes_twice_lists_ids_and_owners() -> None:
    flow = FlowScript(get("/service", pool(service(7), service(9))))
    with pytest.raises(Ambiguous, match="id 7 of user 'flower', id 9 of user 'flower'") as raised:
        flow.managed(SERVICE, PARAMS)
    assert [one["id"] for one in raised.value.details["candidates"]] == [7, 9]


def test_a_name_of_others_is_not_touched() -> None:
    flow = FlowScript(get("/service", pool(service(7, owner="oneadmin"))))
    with pytest.raises(Ambiguous, match="None belongs to user 'flower'"):
        flow.managed(SERVICE, PARAMS)


@pytest.mark.parametrize("owner", ["oneadmin", "0"])
def test_a_name_means_the_one_of_the_owner(owner: str) -> None:
    flow = FlowScript(get("/service", pool(service(7), service(9, owner="oneadmin"))))
    found = flow.managed(SERVICE, {**PARAMS, "owner": owner})
    assert found is not None
    assert found.id == 9


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(InvalidInput, match="name is empty"):
        FlowScript().managed(SERVICE, {**PARAMS, "name": " "})


def test_a_reference_takes_the_own_one_first() -> None:
    flow = FlowScript(get("/service_template", pool(template(3, owner="oneadmin"), template(5))))
    assert flow.referred(TEMPLATE, "flower", "template").id == 5


def test_a_reference_to_nothing_lists_what_there_is() -> None:
    flow = FlowScript(get("/service_template", pool(template(3, "one"), template(5, "two"))))
    with pytest.raises(NotFound, match="There are: one, two"):
        flow.referred(TEMPLATE, "flower", "template")


def test_a_reference_to_several_is_ambiguous() -> None:
    flow = FlowScript(get("/service_template", pool(template(3), template(5))))
    with pytest.raises(Ambiguous, match="Give the id as template_id"):
        flow.referred(TEMPLATE, "flower", "template")


def test_scale_always_sends_force() -> None:
    body = {"role_name": "supernode", "cardinality": 0, "force": False}
    flow = FlowScript(Step("POST", "/service/7/scale", 204, None, body))
    flow.scale(7, "supernode", 0)
    flow.done()


def test_an_action_always_has_params() -> None:
    flow = FlowScript(action("/service/7", "release", {}))
    flow.act(SERVICE, 7, "release")
    flow.done()


def test_deleting_a_template_says_what_goes_with_it() -> None:
    flow = FlowScript(Step("DELETE", "/service_template/5", 204, None, {"delete_type": "none"}))
    flow.delete_template(5)
    flow.done()


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({"mode": "640"}, [("chmod", {"octet": "640"})]),
        ({"name": "new"}, [("rename", {"name": "new"})]),
        ({"owner": "carol"}, [("chown", {"owner_id": 4, "group_id": -1})]),
        ({"owner": "0"}, [("chown", {"owner_id": 0, "group_id": -1})]),
        ({"owner": "carol", "group": "lab"}, [("chown", {"owner_id": 4, "group_id": 101})]),
        ({"group": "0"}, [("chgrp", {"group_id": 0})]),
        (
            {"owner": "carol", "mode": "600", "name": "new"},
            [
                ("rename", {"name": "new"}),
                ("chmod", {"octet": "600"}),
                ("chown", {"owner_id": 4, "group_id": -1}),
            ],
        ),
    ],
)
def test_name_mode_and_ownership_go_out_as_oneflow_needs_them(
    changes: dict[str, str], steps: list[tuple[str, dict[str, Any]]]
) -> None:
    client = RecordingClient(
        {
            "userpool.info": {"USER": [{"ID": "4", "NAME": "carol"}, {"ID": "0", "NAME": "oneadmin"}]},
            "grouppool.info": {"GROUP": {"ID": "101", "NAME": "lab"}},
        }
    )
    flow = FlowScript(*(action("/service_template/5", perform, params) for perform, params in steps))
    flow.apply_common(TEMPLATE, parse(template()), changes, Objects(client))
    flow.done()


def test_the_base_url_may_have_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    with http_server(lambda _request: (200, json.dumps(pool()).encode())) as server:
        flow = OneFlow(_http.Target(f"{server.url}/flow", "flower", "a:b"))
        assert flow.all(SERVICE) == []
    assert [request.path for request in server.requests] == ["/flow/service"]
    assert server.requests[0].headers["Authorization"] == "Basic Zmxvd2VyOmE6Yg=="


def test_a_redirect_is_not_followed_with_credentials() -> None:
    with http_server(lambda _request: (302, b"")) as server, pytest.raises(ConnectionFailed, match="redirected"):
        OneFlow(_http.Target(server.url, "flower", "secret")).all(SERVICE)
    assert len(server.requests) == 1


def test_a_write_is_sent_once_even_when_the_connection_breaks() -> None:
    with http_server(lambda _request: None) as server, pytest.raises(ConnectionFailed):
        OneFlow(_http.Target(server.url, "flower", "secret")).delete_service(7)
    assert len(server.requests) == 1


def test_nobody_listens() -> None:
    with pytest.raises(ConnectionFailed, match="Cannot reach"):
        OneFlow(_http.Target(f"http://127.0.0.1:{closed_port()}", "flower", "secret")).all(SERVICE)


@pytest.mark.parametrize("url", [None, "", "one:2474", "ftp://one", "http://u:p@one:2474"])
def test_a_flow_endpoint_that_cannot_work_is_named(url: str | None) -> None:
    params = {
        "flow_endpoint": url,
        "username": "flower",
        "password": "secret",
        "validate_certs": True,
        "ca_path": None,
        "connect_timeout": 1,
        "read_timeout": 1,
    }
    with pytest.raises(InvalidInput, match="flow_endpoint"):
        OneFlow.from_params(params)


@pytest.mark.parametrize("answer", [None, "hello", {"DOCUMENT": {"ID": "x"}}])
def test_something_else_than_a_document_is_not_oneflow(answer: Any) -> None:
    with pytest.raises(ConnectionFailed, match="does not answer as OneFlow"):
        FlowScript(get("/service/7", answer)).get(SERVICE, 7)
