# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Documents and bodies of OpenNebula 6 and 7 in one shape."""

from __future__ import annotations

from typing import Any

import pytest
from flow import pool, template

from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow import normalize
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.states import (
    COMING_UP,
    DELETABLE,
    FAILED,
    GOING_DOWN,
    ServiceState,
    role_state_name,
    service_state,
    service_state_name,
)

OLD = {
    "name": "old",
    "deployment": "straight",
    "custom_attrs": {"A": "O|text|a| |b"},
    "roles": [
        {
            "name": "n",
            "cardinality": "1",
            "vm_template": "2",
            "vm_template_contents": 'memory=32\nNIC=[NETWORK_ID="$Net",NAME="_NIC0"]\nNIC = [ NETWORK_ID = 4 ]\n',
        }
    ],
}


def test_the_old_form_is_read_as_the_new_one() -> None:
    assert normalize.canonical_body(OLD) == {
        "name": "old",
        "deployment": "straight",
        "user_inputs": {"A": "O|text|a| |b"},
        "roles": [
            {
                "name": "n",
                "type": "vm",
                "cardinality": "1",
                "template_id": "2",
                "template_contents": {
                    "MEMORY": "32",
                    "NIC": [{"NETWORK_ID": "$Net", "NAME": "_NIC0"}, {"NETWORK_ID": "4"}],
                },
            }
        ],
    }


def test_the_new_form_can_be_written_as_the_old_one() -> None:
    old = normalize.legacy_body(normalize.canonical_body(OLD))
    assert old["custom_attrs"] == OLD["custom_attrs"]
    (role,) = old["roles"]
    assert role["vm_template"] == "2"
    assert "type" not in role
    assert normalize.canonical_body(old) == normalize.canonical_body(OLD)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("A=b", {"A": "b"}),
        ("a = b\n", {"A": "b"}),
        ('A="b c"', {"A": "b c"}),
        ('A="two\nlines"\nB=1', {"A": "two\nlines", "B": "1"}),
        ('A="say \\"x\\""', {"A": 'say "x"'}),
        ('A=[B="]",C=d]', {"A": [{"B": "]", "C": "d"}]}),
        ("A=[B=c]\nA=[B=d]", {"A": [{"B": "c"}, {"B": "d"}]}),
        ("A=[\n  B = c,\n  D = e ]", {"A": [{"B": "c", "D": "e"}]}),
        ("# comment\nA=b # no comment", {"A": "b # no comment"}),
        ("A=", {"A": ""}),
        ("A=[]", {"A": [{}]}),
        ("A=[B=c", {"A": [{"B": "c"}]}),
        ("no assignment\nA=b", {"no assignment": "", "A": "b"}),
    ],
)
def test_contents_as_text(text: str, expected: dict[str, Any]) -> None:
    assert normalize.contents(text) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {}),
        ({"memory": 32, "A": True, "B": None}, {"MEMORY": "32", "A": "YES", "B": ""}),
        ({"NIC": {"network_id": 1}}, {"NIC": [{"NETWORK_ID": "1"}]}),
        ({"NIC": [{"NETWORK_ID": 1}]}, {"NIC": [{"NETWORK_ID": "1"}]}),
    ],
)
def test_contents_as_objects(given: Any, expected: dict[str, Any]) -> None:
    assert normalize.contents(given) == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [(2, "2"), (True, "true"), (None, ""), ([1, "2"], ["1", 2]), ({"a": {"b": 1}}, {"a": {"b": "1"}})],
)
def test_values_that_mean_the_same(left: Any, right: Any) -> None:
    assert normalize.comparable(left) == normalize.comparable(right)


@pytest.mark.parametrize("mode", ["000", "640", "777", "604", "124"])
def test_the_mode_of_a_document(mode: str) -> None:
    assert normalize.document(template(mode=mode)).mode == mode


def test_a_pool_may_be_one_element_and_is_sorted() -> None:
    several = pool(template(9), template(0))
    assert [one.id for one in normalize.pool(several)] == [0, 9]
    several["DOCUMENT_POOL"]["DOCUMENT"] = several["DOCUMENT_POOL"]["DOCUMENT"][0]
    assert [one.id for one in normalize.pool(several)] == [9]


@pytest.mark.parametrize("data", [None, [], {}, {"DOCUMENT": {"NAME": "x"}}, {"DOCUMENT": {"ID": "x"}}])
def test_what_is_no_document(data: Any) -> None:
    with pytest.raises(ValueError):
        normalize.document(data)


@pytest.mark.parametrize("body", [None, "", {"roles": None}, {"roles": ["x", None]}, {"roles": {"name": "a"}}])
def test_a_ragged_body(body: Any) -> None:
    data = template()
    data["DOCUMENT"]["TEMPLATE"] = {"BODY": body} if body is not None else {}
    found = normalize.document(data)
    assert all(role["type"] == "vm" for role in found.body["roles"])


def test_service_and_role_states_differ_from_11_on() -> None:
    assert service_state_name(11) == "DEPLOYING_NETS"
    assert role_state_name(11) == "HOLD"
    assert service_state_name("15") == "HOLD"
    assert service_state_name(99) == "UNKNOWN(99)"
    assert role_state_name(None) == "UNKNOWN(None)"
    assert service_state(None) is None


def test_every_state_belongs_somewhere() -> None:
    sets = [COMING_UP, GOING_DOWN, FAILED]
    assert sum(map(len, sets)) == len(frozenset().union(*sets))
    rest = set(ServiceState) - frozenset().union(*sets)
    assert rest == {ServiceState.RUNNING, ServiceState.WARNING, ServiceState.HOLD}
    assert {state.value for state in DELETABLE} == {0, 2, 4, 15}
