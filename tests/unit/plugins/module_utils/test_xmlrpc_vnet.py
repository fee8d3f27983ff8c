# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Address ranges, states and lease holders of virtual networks."""

from __future__ import annotations

from typing import Any

import pytest
from recording import RecordingClient, pool_object

from ansible_collections.fact8ra.flower.plugins.module_utils import _waiting
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    NotAuthorized,
    NotFound,
    Refused,
    ResourceTimeout,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc import ranges, vnet
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import Objects


def _range(number: int, ip: str, size: int, **more: str) -> dict[str, Any]:
    return {"AR_ID": str(number), "TYPE": "IP4", "IP": ip, "SIZE": str(size), "MAC": "02:00:0A:09:01:0A", **more}


def _network(*found: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer: Any = list(found) if len(found) != 1 else found[0]
    return pool_object(0, "net", STATE="1", AR_POOL={"AR": answer} if found else "", **more)


FIRST, SECOND = _range(0, "10.0.0.10", 50), _range(1, "10.0.0.100", 10)


def test_ranges_are_a_set_of_which_only_given_keys_count() -> None:
    plan = ranges.plan_ranges(
        _network(FIRST, SECOND), [{"ip": "10.0.0.100", "size": 10}, {"type": "ip4", "ip": "10.0.0.10"}]
    )
    assert (plan.add, plan.resize, plan.surplus) == ([], [], [])
    assert plan.found == [{"IP": "10.0.0.100", "SIZE": "10"}, {"TYPE": "IP4", "IP": "10.0.0.10"}]


def test_one_range_is_read_like_several() -> None:
    assert ranges.plan_ranges(_network(FIRST), [{"ip": "10.0.0.10", "size": 50, "mac": None}]).add == []
    assert ranges.plan_ranges(_network(), []) == ranges.RangePlan([], [], [], [])


def test_macs_and_ipv6_addresses_are_compared_by_value() -> None:
    network = _network(_range(0, "", 5, TYPE="IP6_STATIC", IP6="2001:db8:0:0::1"))
    wish = {"type": "IP6_STATIC", "ip6": "2001:db8::1", "mac": "02:00:0a:09:01:0a", "size": 5}
    assert ranges.plan_ranges(network, [wish]).add == []


def test_a_missing_range_is_added_another_size_resized_and_the_rest_surplus() -> None:
    wishes = [{"type": "IP4", "ip": "10.0.0.10", "size": 60}, {"type": "IP4", "ip": "10.1.0.1", "size": 1}]
    plan = ranges.plan_ranges(_network(FIRST, SECOND), wishes)
    assert plan.resize == [(0, "60")]
    assert plan.add == [{"TYPE": "IP4", "IP": "10.1.0.1", "SIZE": "1"}]
    assert [each["AR_ID"] for each in plan.surplus] == ["1"]
    assert plan.found == [{"TYPE": "IP4", "IP": "10.0.0.10", "SIZE": "50"}, None]


def test_two_equal_wishes_need_two_ranges() -> None:
    ether = {"AR_ID": "0", "TYPE": "ETHER", "SIZE": "5", "MAC": "02:00:00:00:00:01"}
    wish = {"type": "ETHER", "size": 5}
    assert len(ranges.plan_ranges(_network(ether), [wish, wish]).add) == 1
    # a range without a start is another one when its size differs
    assert ranges.plan_ranges(_network(ether), [{"type": "ETHER", "size": 6}]).resize == []


@pytest.mark.parametrize("remove", [False, True])
def test_applying_a_plan(remove: bool) -> None:
    client = RecordingClient({"vn.add_ar": 0, "vn.update_ar": 0, "vn.rm_ar": 0})
    network = _network(FIRST, SECOND)
    wishes = [{"ip": "10.0.0.10", "size": 60}, {"ip": "10.1.0.1", "size": 1}]
    ranges.apply_ranges(client, network, ranges.plan_ranges(network, wishes), remove=remove)
    removal: list[tuple[Any, ...]] = [("vn.rm_ar", 0, 1, False)] if remove else []
    assert client.calls == [
        *removal,
        ("vn.update_ar", 0, 'AR=[AR_ID="0",SIZE="60"]'),
        ("vn.add_ar", 0, 'AR=[IP="10.1.0.1",SIZE="1"]'),
    ]


@pytest.mark.parametrize(
    ("number", "name"),
    [
        ("0", "INIT"),
        ("1", "READY"),
        ("2", "LOCK_CREATE"),
        ("6", "UPDATE_FAILURE"),
        ("9", "UNKNOWN(9)"),
        (None, "READY"),
    ],
)
def test_states(number: str | None, name: str) -> None:
    assert vnet.state_name({"STATE": number}) == name


def test_a_parent_with_id_0_makes_a_reservation() -> None:
    assert vnet.is_reservation({"PARENT_NETWORK_ID": "0"})
    assert not vnet.is_reservation({"PARENT_NETWORK_ID": ""})


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_waiting, "FIRST_DELAY", 0.001)
    monkeypatch.setattr(_waiting, "MAX_DELAY", 0.002)


def _states(*numbers: str) -> RecordingClient:
    left = list(numbers)

    def info(_number: int, _decrypt: bool) -> dict[str, Any]:
        state = left.pop(0) if len(left) > 1 else left[0]
        if state == "gone":
            raise NotFound("gone")
        return pool_object(7, "net", STATE=state)

    return RecordingClient({"vn.info": info})


def test_waiting_until_ready() -> None:
    client = _states("2", "2", "1")
    assert vnet.wait_ready(Objects(client), 7, 5)["STATE"] == "1"
    assert len(client.calls) == 3


def test_a_failed_network_ends_the_wait_at_once() -> None:
    client = _states("2", "5")
    with pytest.raises(Refused, match=r"virtual network 'net' \(id 7, of user 'flower'\) is in state ERROR") as caught:
        vnet.wait_ready(Objects(client), 7, 600)
    assert caught.value.code == "failed_state"
    assert caught.value.details["last_state"] == "ERROR"


def test_a_network_that_never_gets_ready() -> None:
    with pytest.raises(
        ResourceTimeout, match=r"\(id 7\) at http://one:2633/RPC2 to become READY.*LOCK_CREATE"
    ) as caught:
        vnet.wait_ready(Objects(_states("2")), 7, 0.05)
    assert caught.value.last_state == "LOCK_CREATE"


def test_a_network_that_goes_away_while_it_is_waited_for() -> None:
    with pytest.raises(Refused, match="went away"):
        vnet.wait_ready(Objects(_states("gone")), 7, 5)


@pytest.mark.parametrize("last", ["gone", "4"])
def test_waiting_until_gone(last: str) -> None:
    client = _states("3", last)
    vnet.wait_gone(Objects(client), 7, 5)
    assert len(client.calls) == 2


def test_a_deletion_that_fails() -> None:
    with pytest.raises(Refused, match=r"deleting .* failed, it is in state ERROR"):
        vnet.wait_gone(Objects(_states("3", "5")), 7, 600)


def _leased(*leases: dict[str, str], used: int | None = None) -> dict[str, Any]:
    pool = {"LEASE": list(leases) if len(leases) != 1 else leases[0]} if leases else ""
    count = len(leases) if used is None else used
    return _network({**FIRST, "LEASES": pool}, USED_LEASES=str(count))


def test_lease_holders_are_named() -> None:
    network = _leased(
        {"IP": "10.0.0.10", "VM": "0"},
        {"IP": "10.0.0.11", "VM": "0"},
        {"IP": "10.0.0.12", "VM": "-1"},
        {"IP": "10.0.0.13", "VNET": "0"},
        {"IP": "10.0.0.14", "VNET": "9"},
        {"IP": "10.0.0.15", "VROUTER": "2"},
    )
    client = RecordingClient(
        {
            "vn.info": network,
            "vm.info": pool_object(0, "web", STATE="3", LCM_STATE="3"),
            "vnpool.info": {"VNET": pool_object(0, "reserved", "oneadmin")},
        }
    )
    with pytest.raises(Refused) as caught:
        vnet.wait_free(Objects(client), network, 600)
    assert caught.value.code == "in_use"
    assert caught.value.details["holders"] == [
        "virtual machine 'web' (id 0, of user 'flower')",
        "the address 10.0.0.12, which is on hold",
        "virtual network 'reserved' (id 0, of user 'oneadmin')",
        "virtual network (id 9)",
        "virtual router (id 2)",
    ]
    assert "6 of its addresses are in use by virtual machine 'web'" in caught.value.message
    assert client.methods == ["vn.info", "vm.info", "vnpool.info"]


def test_leases_of_vms_that_are_being_removed_are_waited_for() -> None:
    networks = [_leased({"IP": "10.0.0.10", "VM": "4"}), _leased({"IP": "10.0.0.10", "VM": "4"}), _leased()]
    vms = [pool_object(4, "web", STATE="3", LCM_STATE="12"), NotFound("gone")]

    def vm(_number: int, _decrypt: bool) -> dict[str, Any]:
        answer = vms.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = RecordingClient({"vn.info": lambda *_: networks.pop(0), "vm.info": vm})
    vnet.wait_free(Objects(client), networks[0], 5)
    assert networks == []
    assert vms == []


def test_holders_that_cannot_be_seen() -> None:
    client = RecordingClient({"vn.info": _leased(used=3)})
    with pytest.raises(Refused, match="3 of its addresses are in use by objects that this user may not see"):
        vnet.wait_free(Objects(client), _leased(used=3), 600)
    client = RecordingClient({"vn.info": _leased({"VM": "4"}), "vm.info": NotAuthorized("no")})
    with pytest.raises(Refused, match=r"in use by VM \(id 4\)"):
        vnet.wait_free(Objects(client), _leased({"VM": "4"}), 600)


def test_facts() -> None:
    network = _network(
        {**FIRST, "LEASES": {"LEASE": {"IP": "10.0.0.10", "MAC": "02:00", "VM": "0"}}, "USED_LEASES": "1"},
        USED_LEASES="1",
        CLUSTERS={"ID": ["0", "100"]},
        PARENT_NETWORK_ID="0",
        VN_MAD="bridge",
        BRIDGE="",
        TEMPLATE={"SECURITY_GROUPS": "100,0", "X": "y"},
        LOCK={"LOCKED": "2"},
    )
    seen = vnet.facts(network, leases=True)
    assert seen["clusters"] == [0, 100]
    assert (seen["parent_network_id"], seen["used_leases"], seen["locked"]) == (0, 1, True)
    assert (seen["vn_mad"], seen["bridge"], seen["state"]) == ("bridge", None, "READY")
    assert seen["security_groups"] == [0, 100]
    assert seen["address_ranges"] == [
        {
            "id": 0,
            "type": "IP4",
            "ip": "10.0.0.10",
            "size": 50,
            "mac": "02:00:0A:09:01:0A",
            "leases": [{"ip": "10.0.0.10", "mac": "02:00", "vm": 0}],
        }
    ]
    assert "leases" not in vnet.facts(network, leases=False)["address_ranges"][0]
