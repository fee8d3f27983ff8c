# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a failure is about: filled in where it is true, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from recording import RecordingClient, pool_object
from servers import closed_port

from ansible_collections.fact8ra.flower.plugins.module_utils import _errors
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import OpenNebulaError, about
from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import SERVICE, TEMPLATE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc import objects as api
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import WORDS, Client, operation_of


@pytest.mark.parametrize(
    ("details", "name", "number", "expected"),
    [
        ({}, "x", None, ("virtual network 'x'", None)),
        ({}, None, 0, ("virtual network", 0)),
        ({"object": "virtual network", "id": 0}, "x", 0, ("virtual network 'x'", 0)),
        ({"object": "virtual network"}, "x", None, ("virtual network 'x'", None)),
        ({"id": 7}, "x", None, ("virtual network 'x'", 7)),
        ({"object": "virtual network", "id": 7}, "x", 0, ("virtual network", 7)),
        ({"object": "virtual network", "id": 7}, "x", None, ("virtual network", 7)),
        ({"object": "security group 'y'"}, "x", 0, ("security group 'y'", None)),
    ],
)
def test_an_error_is_about_the_modules_object_unless_it_names_another(
    details: dict[str, Any], name: str | None, number: int | None, expected: tuple[str, int | None]
) -> None:
    with pytest.raises(OpenNebulaError) as caught, about("virtual network", {"name": name, "id": number}):
        raise OpenNebulaError("no", details=details)
    failure = caught.value.as_failure()
    assert (failure["object"], failure["id"]) == expected


@pytest.mark.parametrize("kind", [_errors.ConnectionFailed, _errors.AuthenticationFailed, _errors.MissingLibrary])
def test_what_is_wrong_with_the_way_to_the_server_is_about_no_object(kind: type[OpenNebulaError]) -> None:
    with pytest.raises(kind) as caught, about("virtual network", {"name": "x", "id": 0}):
        raise kind("no")
    assert (caught.value.as_failure()["object"], caught.value.as_failure()["id"]) == (None, None)


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("vn.update", (7, "A=1", 1), {"object": "virtual network", "id": 7}),
        ("cluster.addvnet", (0, 7), {"object": "cluster", "id": 0}),
        ("image.allocate", ("NAME=x", 1), {"object": "image"}),
        ("user.info", (-1, False), {"object": "user"}),
        ("vnpool.info", (-2, -1, -1), {}),
        ("system.version", (), {}),
    ],
)
def test_the_operation_of_a_call(method: str, params: tuple[Any, ...], expected: dict[str, Any]) -> None:
    assert operation_of(method, params) == {"operation": f"one.{method}", **expected}


def test_the_clients_words_are_those_of_the_kinds() -> None:
    kinds = [each for each in vars(api).values() if isinstance(each, api.Kind)]
    assert len(kinds) >= 8
    assert {each.api: each.word for each in kinds}.items() <= WORDS.items()


def test_a_call_that_reaches_nobody_says_which_it_was() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(_errors.ConnectionFailed) as caught:
        Client(Target(url, "flower", "secret")).call("vn.lock", 3, 2, False, what="lock virtual network 3")
    failure = caught.value.as_failure()
    assert (failure["operation"], failure["object"], failure["id"]) == ("one.vn.lock", "virtual network", 3)
    assert failure["details"] == {"endpoint": url, "reason": "unreachable"}


@pytest.mark.parametrize(
    ("request_", "operation", "thing", "number"),
    [
        (lambda flow: flow.all(SERVICE), "GET /service", None, None),
        (lambda flow: flow.scale(3, "web", 2), "POST /service/3/scale", "service", 3),
        (lambda flow: flow.act(TEMPLATE, 0, "chmod"), "POST /service_template/0/action", "service template", 0),
        (lambda flow: flow.create_template({"name": "x"}), "POST /service_template", "service template", None),
    ],
)
def test_a_request_that_reaches_nobody_says_which_it_was(
    monkeypatch: pytest.MonkeyPatch, request_: Any, operation: str, thing: str | None, number: int | None
) -> None:
    monkeypatch.setattr("ansible_collections.fact8ra.flower.plugins.module_utils._http.RETRY_DELAY", 0.0)
    flow = OneFlow(Target(f"http://127.0.0.1:{closed_port()}", "flower", "secret"))
    with pytest.raises(_errors.ConnectionFailed) as caught:
        request_(flow)
    failure = caught.value.as_failure()
    assert (failure["operation"], failure["object"], failure["id"]) == (operation, thing, number)


def test_a_name_that_cannot_be_resolved_is_the_object_of_the_failure() -> None:
    twice = [pool_object(0, "x", "alice"), pool_object(1, "x", "bob")]
    objects = api.Objects(RecordingClient({"secgrouppool.info": {"SECURITY_GROUP": twice}}))
    with pytest.raises(_errors.Ambiguous) as caught:
        objects.referred(api.SECURITY_GROUP, "x", "security_groups")
    failure = caught.value.as_failure()
    assert (failure["object"], failure["id"]) == ("security group 'x'", None)
    assert [each["id"] for each in failure["details"]["candidates"]] == [0, 1]
    with pytest.raises(_errors.NotFound) as missing:
        objects.referred(api.SECURITY_GROUP, "y", "security_groups")
    assert missing.value.as_failure()["object"] == "security group 'y'"
