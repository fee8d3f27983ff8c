# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a service is given: the full set, or an error that names what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from flow import TEMPLATE_BODY, service

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow import values
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import document

WHERE = "service template 'flower' (id 5)"


def _network_id(reference: str, _option: str) -> int:
    return {"lan": 1, "zero": 0}.get(reference) if not reference.isdigit() else int(reference)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("declared", "given", "expected"),
    [
        ({}, {}, {}),
        ({"V": "O|text|x| |1.41.0"}, {}, {"V": "1.41.0"}),
        ({"V": "M|text|x| |1.41.0"}, {}, {"V": "1.41.0"}),
        ({"V": "M|text|x| |1.41.0"}, {"V": "2"}, {"V": "2"}),
        ({"V": "O|text|x| |"}, {}, {"V": ""}),
        ({"V": "O|text|x"}, {}, {"V": ""}),
        ({"V": "M|number|x| |5", "W": "M|boolean|y| |YES"}, {"V": 0, "W": False}, {"V": "0", "W": "NO"}),
        ({"V": "O|text|x| |a|b"}, {}, {"V": "a|b"}),
        ({"V": "M|list|x|a,b|a"}, {"V": "b"}, {"V": "b"}),
    ],
)
def test_inputs_are_always_complete(declared: dict[str, Any], given: dict[str, Any], expected: dict[str, str]) -> None:
    assert values.input_values(declared, given, WHERE) == expected


@pytest.mark.parametrize(
    ("declared", "given", "text"),
    [
        ({"V": "M|text|x| |"}, {}, "asks for a value for 'V'"),
        ({"V": "M|text|x| |", "W": "M|text|y| |"}, {"V": ""}, "asks for a value for 'V', 'W'"),
        ({"V": "M|text|x| |1"}, {"v": "2"}, "has no input 'v'; it has 'V'"),
        ({}, {"v": "2"}, "has no input 'v'; it has none"),
        ({"V": "M|list|x|a,b|a"}, {"V": "c"}, "'V' is 'c'; it has to be one of 'a', 'b'"),
    ],
)
def test_inputs_that_cannot_work_are_named(declared: dict[str, Any], given: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidInput, match=text) as raised:
        values.input_values(declared, given, WHERE)
    assert WHERE in raised.value.message


NET = {"Private": "M|network|x| |id:"}


@pytest.mark.parametrize(
    ("declared", "given", "expected"),
    [
        ({}, [], []),
        (NET, [{"name": "Private", "network": "lan"}], [{"Private": {"id": 1}}]),
        (NET, [{"name": "Private", "network": "zero"}], [{"Private": {"id": 0}}]),
        (NET, [{"name": "Private", "network_id": 0}], [{"Private": {"id": 0}}]),
        (NET, [{"name": "Private", "template_id": 0}], [{"Private": {"template_id": 0}}]),
        (
            NET,
            [{"name": "Private", "template_id": 3, "extra": "A=b"}],
            [{"Private": {"template_id": 3, "extra": "A=b"}}],
        ),
        (
            NET,
            [{"name": "Private", "reserve_from": "lan", "size": 4}],
            [{"Private": {"reserve_from": 1, "extra": "SIZE=4"}}],
        ),
        (
            NET,
            [{"name": "Private", "reserve_from": "0", "size": 4, "extra": "AR_ID=0"}],
            [{"Private": {"reserve_from": 0, "extra": "SIZE=4\nAR_ID=0"}}],
        ),
        (
            NET,
            [{"name": "Private", "reserve_from": "lan", "extra": "SIZE=2"}],
            [{"Private": {"reserve_from": 1, "extra": "SIZE=2"}}],
        ),
        ({"Private": "M|network|x| |id:7"}, [], [{"Private": {"id": 7}}]),
        ({"Private": "M|network|x||template_id:1"}, [], [{"Private": {"template_id": 1}}]),
        (
            {"A": "M|network|a| |id:", "B": "M|network|b| |id:3"},
            [{"name": "A", "network_id": 2}],
            [{"A": {"id": 2}}, {"B": {"id": 3}}],
        ),
        (
            {"A": "M|network|a| |id:", "B": "M|network|b| |id:"},
            [{"name": "B", "network_id": 2}, {"name": "A", "network_id": 1}],
            [{"A": {"id": 1}}, {"B": {"id": 2}}],
        ),
    ],
)
def test_every_declared_network_gets_a_value_in_the_order_of_the_template(
    declared: dict[str, Any], given: list[dict[str, Any]], expected: list[dict[str, Any]]
) -> None:
    assert values.network_values(declared, given, _network_id, WHERE) == expected


@pytest.mark.parametrize(
    ("declared", "given", "text"),
    [
        (NET, [], "declares the network 'Private'"),
        ({"Private": "M|network|x"}, [], "declares the network 'Private'"),
        ({"Private": ""}, [], "declares the network 'Private'"),
        (NET, [{"name": "Public", "network_id": 1}], "declares no network 'Public'; it declares 'Private'"),
        (NET, [{"name": "Private", "network_id": 1}] * 2, "more than once"),
        (NET, [{"name": "Private", "reserve_from": "lan"}], "how many; give size"),
        (NET, [{"name": "Private", "network_id": 1, "size": 3}], "belongs to reserve_from only"),
        ({"Private": "M|network|x||reserve_from:0"}, [], "reserves from network 0 without a size"),
    ],
)
def test_networks_that_cannot_work_are_named(declared: dict[str, Any], given: list[dict[str, Any]], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        values.network_values(declared, given, _network_id, WHERE)


def test_every_role_is_sent_with_its_name_in_the_order_of_the_template() -> None:
    given = [{"name": "supernode", "cardinality": 3}]
    assert values.role_values(TEMPLATE_BODY["roles"], given, WHERE) == [
        {"name": "superlink"},
        {"name": "supernode", "cardinality": 3},
    ]


def test_inputs_of_a_role_are_complete_too() -> None:
    roles = [{"name": "a", "user_inputs": {"X": "M|text|x| |1", "Y": "O|text|y| |"}}, {"name": "b"}]
    given = [{"name": "a", "user_inputs": {"Y": 5}}]
    assert values.role_values(roles, given, WHERE) == [
        {"name": "a", "user_inputs_values": {"X": "1", "Y": "5"}},
        {"name": "b"},
    ]
    with pytest.raises(InvalidInput, match="role 'b', has no input 'Z'"):
        values.role_values(roles, [{"name": "b", "user_inputs": {"Z": 1}}], WHERE)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([{"name": "ghost", "cardinality": 1}], "has no role 'ghost'; it has 'superlink', 'supernode'"),
        ([{"name": "supernode"}, {"name": "supernode"}], "more than once"),
        ([{"name": "supernode", "cardinality": 5}], "cannot have cardinality 5; its template allows 0 to 4"),
        ([{"name": "superlink", "cardinality": 0}], "cannot have cardinality 0; its template allows 1 to 1"),
    ],
)
def test_roles_that_cannot_work_are_named(given: list[dict[str, Any]], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        values.role_values(TEMPLATE_BODY["roles"], given, WHERE)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, []),
        ({"networks": [{"name": "Private", "network": "lan"}], "user_inputs": {"VERSION": "1.41.0"}}, []),
        ({"networks": [{"name": "Private", "network_id": 2}]}, ["network 'Private' has id 1, not 2"]),
        ({"networks": [{"name": "Public", "network_id": 2}]}, ["it has no network 'Public'"]),
        (
            {"networks": [{"name": "Private", "reserve_from": "lan", "size": 2}]},
            ["network 'Private' has reserve_from None, not 1"],
        ),
        ({"user_inputs": {"VERSION": "s3cret"}}, ["input 'VERSION' has another value"]),
    ],
)
def test_drift_of_a_living_service_is_told_without_values_of_inputs(
    params: dict[str, Any], expected: list[str]
) -> None:
    assert values.drift(document(service()).body, params, _network_id) == expected


def test_a_reservation_is_no_drift() -> None:
    body = {"networks_values": [{"Private": {"reserve_from": 1, "extra": 'SIZE=4\nNAME="Private-9"\n', "id": 6}}]}
    params = {"networks": [{"name": "Private", "reserve_from": "lan", "size": 4}]}
    assert values.drift(body, params, _network_id) == []
