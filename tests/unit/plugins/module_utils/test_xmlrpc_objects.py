# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Finding, owning and updating objects, with every call counted."""

from __future__ import annotations

from typing import Any

import pytest
from recording import RecordingClient, pool_object

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import Ambiguous, InvalidInput, NotFound
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc import objects as api
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    CLUSTER,
    GROUP,
    IMAGE,
    SECURITY_GROUP,
    USER,
    VM_TEMPLATE,
    VNET,
    Objects,
)

PARAMS = {"id": None, "name": "net", "owner": None, "username": "flower"}


def _nets(*found: dict[str, Any]) -> RecordingClient:
    answer: Any = list(found) if len(found) != 1 else found[0]
    return RecordingClient({"vnpool.info": {"VNET": answer} if found else {}})


def test_an_id_is_read_alone_and_0_is_one() -> None:
    client = RecordingClient({"vn.info": lambda number, _decrypt: pool_object(number, "net")})
    found = Objects(client).managed(VNET, {**PARAMS, "id": 0})
    assert found is not None
    assert found["ID"] == "0"
    assert client.calls == [("vn.info", 0, False)]


def test_an_id_that_is_not_there_is_none() -> None:
    client = RecordingClient({"vn.info": NotFound("no")})
    assert Objects(client).managed(VNET, {**PARAMS, "id": 7}) is None


def test_a_name_costs_one_pool_and_fits_exactly() -> None:
    client = _nets(pool_object(3, "net"), pool_object(4, "Net"), pool_object(5, "net2"))
    objects = Objects(client)
    found = objects.managed(VNET, PARAMS)
    assert found is not None
    assert found["ID"] == "3"
    assert objects.managed(VNET, {**PARAMS, "name": "other"}) is None
    assert client.calls == [("vnpool.info", -2, -1, -1)]


def test_an_empty_pool_has_nothing() -> None:
    assert Objects(_nets()).managed(VNET, PARAMS) is None


def test_the_own_object_comes_before_those_of_others() -> None:
    found = Objects(_nets(pool_object(3, "net", "other"), pool_object(4, "net"))).managed(VNET, PARAMS)
    assert found is not None
    assert found["ID"] == "4"


@pytest.mark.parametrize("owner", ["oneadmin", "0"])
def test_owner_says_whose_object_is_meant(owner: str) -> None:
    client = _nets(pool_object(3, "net", "oneadmin"), pool_object(4, "net"))
    found = Objects(client).managed(VNET, {**PARAMS, "owner": owner})
    assert found is not None
    assert found["ID"] == "3"


def test_an_object_of_another_user_is_never_taken_by_its_name() -> None:
    text = r"'net' fits these virtual networks: id 3 of user 'oneadmin'\. None belongs to user 'flower'\. To work on"
    with pytest.raises(Ambiguous, match=text) as caught:
        Objects(_nets(pool_object(3, "net", "oneadmin"))).managed(VNET, PARAMS)
    assert caught.value.details["candidates"] == [{"id": 3, "name": "net", "owner": "oneadmin", "group": "oneadmin"}]


def test_owner_permits_an_own_object_beside_one_of_another_user() -> None:
    client = _nets(pool_object(3, "net", "oneadmin"))
    assert Objects(client).managed(VNET, {**PARAMS, "owner": "flower"}) is None


def test_an_empty_name_is_refused_before_any_call() -> None:
    client = _nets()
    with pytest.raises(InvalidInput, match="name is empty"):
        Objects(client).managed(VNET, {**PARAMS, "name": " "})
    assert client.calls == []


def test_a_reference_by_number_costs_no_call() -> None:
    client = RecordingClient({})
    assert Objects(client).referred(SECURITY_GROUP, "0", "security_groups") == 0
    assert Objects(client).referred(CLUSTER, 100, "cluster") == 100
    assert client.calls == []


@pytest.mark.parametrize("name", ["\u00b2", "\u0663", "1\n", "-1", "1.0", ""])
def test_only_plain_figures_are_an_id(name: str) -> None:
    client = RecordingClient({"vnpool.info": {"VNET": pool_object(4, name)}})
    assert Objects(client).referred(VNET, name, "network") == 4


def test_references_by_name_share_one_pool() -> None:
    images = {"IMAGE": [pool_object(0, "a", "oneadmin"), pool_object(1, "b", "x"), pool_object(2, "b", "flower")]}
    client = RecordingClient({"imagepool.info": images})
    objects = Objects(client)
    assert objects.referred(IMAGE, "a", "image") == 0
    assert objects.referred(IMAGE, "b", "image") == 2
    with pytest.raises(
        NotFound, match=r"disks names the image 'c', but user 'flower' may use none .* There are: a, b\."
    ):
        objects.referred(IMAGE, "c", "disks")
    assert client.methods == ["imagepool.info"]


def test_an_ambiguous_reference_lists_the_candidates() -> None:
    images = {"IMAGE": [pool_object(0, "a", "oneadmin"), pool_object(1, "a", "x")]}
    client = RecordingClient({"imagepool.info": images})
    with pytest.raises(Ambiguous, match=r"id 0 of user 'oneadmin', id 1 of user 'x'\. Give its id in image\."):
        Objects(client).referred(IMAGE, "a", "image")


def test_pools_without_a_filter_are_called_without() -> None:
    client = RecordingClient({"clusterpool.info": {"CLUSTER": {"ID": "0", "NAME": "default"}}})
    assert Objects(client).referred(CLUSTER, "default", "cluster") == 0
    assert client.calls == [("clusterpool.info",)]


@pytest.mark.parametrize(("word", "number"), [("all", -2), ("mine", -3), ("group", -1)])
def test_filters_of_info_modules(word: str, number: int) -> None:
    client = _nets(pool_object(3, "net"), pool_object(0, "net", "oneadmin"), pool_object(1, "x"))
    params = {"id": None, "name": "net", "filter": word}
    assert [raw["ID"] for raw in Objects(client).selected(VNET, params)] == ["0", "3"]
    assert client.calls == [("vnpool.info", number, -1, -1)]


@pytest.mark.parametrize(("mode", "octal"), [("640", "640"), ("0604", "604"), ("000", "000")])
def test_modes(mode: str, octal: str) -> None:
    assert api.common_desired({"mode": mode}) == {"mode": octal}


@pytest.mark.parametrize("mode", [416, 640, "64", "1640", "699", "rw-", ""])
def test_a_mode_that_is_not_three_quoted_digits_is_refused(mode: Any) -> None:
    with pytest.raises(InvalidInput, match=r"mode is .*three octal digits in quotes"):
        api.common_desired({"mode": mode})


def test_the_common_state_is_in_the_users_form() -> None:
    raw = pool_object(0, "net", "oneadmin")
    assert api.common_state(raw, {"owner": "oneadmin", "group": "0"}) == {
        "id": 0,
        "name": "net",
        "owner": "oneadmin",
        "group": "0",
        "mode": "600",
        "raw": raw,
    }


def test_applying_calls_only_what_differs_and_ownership_last() -> None:
    client = RecordingClient(
        {
            "vn.rename": 0,
            "vn.chmod": 0,
            "vn.chown": 0,
            "userpool.info": {"USER": [{"ID": "0", "NAME": "oneadmin"}, {"ID": "2", "NAME": "flower"}]},
        }
    )
    objects = Objects(client)
    raw = pool_object(0, "net")
    api.apply_common(objects, VNET, raw, {})
    assert client.calls == []
    api.apply_common(objects, VNET, raw, {"owner": "oneadmin", "group": "0", "mode": "640", "name": "new"})
    assert client.calls == [
        ("vn.rename", 0, "new"),
        ("vn.chmod", 0, 1, 1, 0, 1, 0, 0, 0, 0, 0),
        ("userpool.info",),
        ("vn.chown", 0, 0, 0),
    ]
    api.apply_common(objects, VNET, raw, {"group": "100"})
    assert client.calls[-1] == ("vn.chown", 0, -1, 100)


def test_an_owner_that_does_not_exist_is_named() -> None:
    client = RecordingClient({"userpool.info": {"USER": {"ID": "2", "NAME": "flower"}}, "grouppool.info": {}})
    assert Objects(client).referred(USER, "flower", "owner") == 2
    with pytest.raises(NotFound, match="group names the group 'x'"):
        Objects(client).referred(GROUP, "x", "group")


def test_a_template_is_merged_unless_something_is_removed() -> None:
    client = RecordingClient({"template.update": 5})
    raw = pool_object(5, "t")
    current = {"CPU": "1", "NIC": [{"NETWORK_ID": "0"}], "OLD": "x"}
    api.apply_template(client, VM_TEMPLATE, raw, current, {"CPU": "2"})
    api.apply_template(client, VM_TEMPLATE, raw, current, {"CPU": "2", "OLD": None})
    assert client.calls == [
        ("template.update", 5, 'CPU="2"', 1),
        ("template.update", 5, 'CPU="2"\nNIC=[NETWORK_ID="0"]', 0),
    ]


def test_deleting_what_is_gone_meanwhile_is_fine() -> None:
    client = RecordingClient({"template.delete": NotFound("gone")})
    api.delete(client, VM_TEMPLATE, pool_object(0, "t"))
    assert client.calls == [("template.delete", 0, False)]


def test_messages_name_the_object() -> None:
    client = RecordingClient({})
    assert api.label(client, VNET, "x", 0) == "virtual network 'x' (id 0) at http://one:2633/RPC2"
    assert api.label(client, VNET, None, 7) == "virtual network (id 7) at http://one:2633/RPC2"
    assert api.label(client, VNET, "x", None) == "virtual network 'x' at http://one:2633/RPC2"
    assert api.named(VNET, pool_object(0, "x")) == "virtual network 'x' (id 0, of user 'flower')"
    assert api.named(VNET, pool_object(0, "x", LOCK={"LOCKED": "2"})).startswith("locked virtual network 'x'")
