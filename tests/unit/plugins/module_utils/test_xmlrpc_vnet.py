# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Address ranges, states and lease holders of virtual networks."""

from __future__ import annotations

from typing import Any

import pytest
from recording import RecordingClient, pool_object

from ansible_collections.fact8ra.flower.plugins.module_utils import _waiting
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    InvalidInput,
    NotAuthorized,
    NotFound,
    Refused,
    ResourceTimeout,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc import (
    leases,
    ranges,
    vnet_facts,
    vnet_options,
    vnet_states,
)
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
    assert (plan.add, plan.update, plan.surplus) == ([], [], [])
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
    assert [(each["AR_ID"], changes) for each, changes in plan.update] == [("0", {"SIZE": "60"})]
    assert plan.add == [{"TYPE": "IP4", "IP": "10.1.0.1", "SIZE": "1"}]
    assert [each["AR_ID"] for each in plan.surplus] == ["1"]
    assert plan.found == [{"TYPE": "IP4", "IP": "10.0.0.10", "SIZE": "50"}, None]


def test_a_range_is_known_by_its_type_and_first_addresses_or_its_prefixes() -> None:
    slaac = {"AR_ID": "0", "TYPE": "IP6", "SIZE": "5", "MAC": "02:00:00:00:00:01", "GLOBAL_PREFIX": "2001:db8:a::"}
    network = _network(slaac)
    wish = {"type": "IP6", "global_prefix": "2001:db8:A:0::", "size": 6, "attributes": {"gateway6": "fe80::1"}}
    (pair,) = ranges.plan_ranges(network, [wish]).update
    assert pair[1] == {"SIZE": "6", "GATEWAY6": "fe80::1"}
    wish = {"type": "IP6", "mac": "02:00:00:00:00:01", "global_prefix": "2001:db8:b::", "size": 5}
    (pair,) = ranges.plan_ranges(network, [wish]).update
    assert pair[1] == {"GLOBAL_PREFIX": "2001:db8:b::"}
    assert ranges.plan_ranges(network, [{"type": "IP4_6", "global_prefix": "2001:db8:a::", "size": 5}]).update == []


def test_a_null_attribute_of_a_range_is_one_that_has_to_be_absent() -> None:
    wish = {"type": "IP4", "ip": "10.0.0.10", "size": 50, "attributes": {"gateway": None}}
    plan = ranges.plan_ranges(_network(FIRST), [wish])
    assert (plan.update, plan.found) == ([], [ranges.canonical_range(wish)])
    plan = ranges.plan_ranges(_network({**FIRST, "GATEWAY": "10.0.0.1"}), [wish])
    assert [changes for _id, changes in plan.update] == [{"GATEWAY": None}]
    assert plan.found[0] is not None
    assert plan.found[0]["GATEWAY"] == "10.0.0.1"


def test_two_equal_wishes_need_two_ranges() -> None:
    ether = {"AR_ID": "0", "TYPE": "ETHER", "SIZE": "5", "MAC": "02:00:00:00:00:01"}
    wish = {"type": "ETHER", "size": 5}
    assert len(ranges.plan_ranges(_network(ether), [wish, wish]).add) == 1
    # a range without a start is another one when its size differs
    assert ranges.plan_ranges(_network(ether), [{"type": "ETHER", "size": 6}]).update == []


@pytest.mark.parametrize("remove", [False, True])
def test_applying_a_plan_keeps_the_attributes_that_an_update_would_drop(remove: bool) -> None:
    client = RecordingClient({"vn.add_ar": 0, "vn.update_ar": 0, "vn.rm_ar": 0})
    given = {"GATEWAY": "10.0.0.1", "IP_END": "10.0.0.59", "USED_LEASES": "0", "NEXT_INDEX": "3", "SHARED": "NO"}
    network = _network({**FIRST, **given, "LEASES": ""}, SECOND)
    wishes = [{"ip": "10.0.0.10", "size": 60}, {"ip": "10.1.0.1", "size": 1}]
    ranges.apply_plan(client, network, ranges.plan_ranges(network, wishes), remove=remove)
    removal: list[tuple[Any, ...]] = [("vn.rm_ar", 0, 1, False)] if remove else []
    assert client.calls == [
        *removal,
        ("vn.update_ar", 0, 'AR=[AR_ID="0",SIZE="60",GATEWAY="10.0.0.1"]'),
        ("vn.add_ar", 0, 'AR=[IP="10.1.0.1",SIZE="1"]'),
    ]


def test_a_range_of_a_reservation_is_given_back() -> None:
    client = RecordingClient({"vn.free_ar": 0, "vn.rm_ar": 0})
    network = _network(FIRST, PARENT_NETWORK_ID="0")
    ranges.remove_range(client, network, 0)
    ranges.remove_range(client, network, 0, force=True)
    assert client.calls == [("vn.free_ar", 0, 0), ("vn.rm_ar", 0, 0, True)]


def _refused(text: str) -> Refused:
    return Refused(f"http://one:2633/RPC2: could not do it: {text}", details={"server": text})


def test_a_range_that_went_away_needs_no_removal() -> None:
    client = RecordingClient({"vn.rm_ar": _refused("[one.vn.rm_ar] Address Range does not exist")})
    ranges.remove_range(client, _network(FIRST), 0)
    client = RecordingClient({"vn.rm_ar": _refused("[one.vn.rm_ar] Something else")})
    with pytest.raises(Refused, match="Something else"):
        ranges.remove_range(client, _network(FIRST), 0)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"type": "IP4", "ip": "10.0.0.256", "size": 1}, r"x: ip is '10.0.0.256'; it has to be an IPv4 address"),
        ({"type": "IP4", "ip": "::1", "size": 1}, r"x: ip is '::1'; it has to be an IPv4 address"),
        ({"type": "IP4", "ip": "10.0.0.1"}, "x: an address range of type IP4 needs size"),
        ({"type": "IP4", "ip": "10.0.0.1", "size": 0}, "x: size is 0; it has to be 1 or more"),
        ({"type": "IP4_6", "size": 1}, "x: an address range of type IP4_6 needs ip"),
        ({"type": "IP6_STATIC", "ip6": "::1"}, "x: an address range of type IP6_STATIC needs prefix_length"),
        ({"type": "IP6_STATIC", "prefix_length": 64}, "x: an address range of type IP6_STATIC needs ip6"),
        ({"type": "IP6_STATIC", "ip6": "::1", "prefix_length": 129}, "x: prefix_length is 129; .* 1 and 128"),
        ({"type": "IP6", "global_prefix": "2001:db8::/64", "size": 1}, "x: global_prefix is .* without its length"),
        ({"type": "ETHER", "mac": "02:00:0a", "size": 1}, "x: mac is '02:00:0a'; it has to be six pairs"),
    ],
)
def test_ranges_that_cannot_be(given: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        ranges.check_range(ranges.canonical_range(given), "x")


@pytest.mark.parametrize("name", ["size", "Ip", "ALLOCATED", "ip_end", "ar_id"])
def test_attributes_of_a_range_that_have_an_option(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"attributes has {name.upper()}, which is set by an option"):
        ranges.canonical_range({"attributes": {name: 1}})


def test_attributes_of_a_range_are_text() -> None:
    with pytest.raises(InvalidInput, match=r"attributes has X=.*; an address range holds only text there"):
        ranges.canonical_range({"attributes": {"x": {"y": 1}}})


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
    assert vnet_states.state_name({"STATE": number}) == name


def test_a_parent_with_id_0_makes_a_reservation() -> None:
    assert vnet_facts.is_reservation({"PARENT_NETWORK_ID": "0"})
    assert not vnet_facts.is_reservation({"PARENT_NETWORK_ID": ""})


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
    assert vnet_states.wait_ready(Objects(client), 7, 5)["STATE"] == "1"
    assert len(client.calls) == 3


def test_a_failed_network_ends_the_wait_at_once() -> None:
    client = _states("2", "5")
    with pytest.raises(Refused, match=r"virtual network 'net' \(id 7, of user 'flower'\) is in state ERROR") as caught:
        vnet_states.wait_ready(Objects(client), 7, 600)
    assert caught.value.code == "failed_state"
    assert caught.value.details["last_state"] == "ERROR"


def test_a_network_that_never_gets_ready() -> None:
    with pytest.raises(
        ResourceTimeout, match=r"\(id 7\) at http://one:2633/RPC2 to become READY.*LOCK_CREATE"
    ) as caught:
        vnet_states.wait_ready(Objects(_states("2")), 7, 0.05)
    assert caught.value.last_state == "LOCK_CREATE"


def test_a_network_that_goes_away_while_it_is_waited_for() -> None:
    with pytest.raises(Refused, match="went away"):
        vnet_states.wait_ready(Objects(_states("gone")), 7, 5)


@pytest.mark.parametrize("last", ["gone", "4"])
def test_waiting_until_gone(last: str) -> None:
    client = _states("3", last)
    vnet_states.wait_gone(Objects(client), 7, 5)
    assert len(client.calls) == 2


def test_a_deletion_that_fails() -> None:
    with pytest.raises(Refused, match=r"deleting .* failed, it is in state ERROR"):
        vnet_states.wait_gone(Objects(_states("3", "5")), 7, 600)


def _leased(*found: dict[str, str], used: int | None = None) -> dict[str, Any]:
    pool = {"LEASE": list(found) if len(found) != 1 else found[0]} if found else ""
    count = str(len(found) if used is None else used)
    return _network({**FIRST, "LEASES": pool, "USED_LEASES": count}, USED_LEASES=count)


def _blocks(raw: dict[str, Any]) -> None:
    if raw["USED_LEASES"] != "0":
        raise leases.Blocked(_refused("leases in use"))


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
        leases.retried(Objects(client), network, _blocks, timeout=600)
    assert caught.value.code == "in_use"
    assert caught.value.details["holders"] == [
        "virtual machine 'web' (id 0, of user 'flower')",
        "the address 10.0.0.12, which is on hold",
        "virtual network 'reserved' (id 0, of user 'oneadmin')",
        "virtual network (id 9)",
        "virtual router (id 2)",
    ]
    assert "6 of its addresses are in use by virtual machine 'web'" in caught.value.message
    assert client.methods == ["vn.info", "vnpool.info", "vm.info"]


def test_leases_of_vms_that_are_being_removed_are_waited_for() -> None:
    networks = [_leased({"IP": "10.0.0.10", "VM": "4"}), _leased({"IP": "10.0.0.10", "VM": "4"}), _leased()]
    vms = [pool_object(4, "web", STATE="3", LCM_STATE="12"), NotFound("gone")]

    def vm(_number: int, _decrypt: bool) -> dict[str, Any]:
        answer = vms.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = RecordingClient({"vn.info": lambda *_: networks.pop(0), "vm.info": vm})
    leases.retried(Objects(client), networks[0], _blocks, timeout=5)
    assert (networks, vms) == ([], [])
    assert client.methods == ["vn.info", "vm.info", "vn.info", "vm.info", "vn.info"]


def test_leases_that_linger_too_long_are_named() -> None:
    network = _leased({"IP": "10.0.0.10", "VM": "4"})
    client = RecordingClient({"vn.info": network, "vm.info": pool_object(4, "web", STATE="3", LCM_STATE="12")})
    with pytest.raises(ResourceTimeout, match=r"Waited 0 s for what is in the way of changing .*'net'") as caught:
        leases.retried(Objects(client), network, _blocks, timeout=0)
    assert caught.value.last_state == ["virtual machine 'web' (id 4, of user 'flower')"]


def test_only_leases_in_the_way_count() -> None:
    first = "02:00:0a:09:01:0a"
    network = _leased({"MAC": first, "VM": "4"}, {"MAC": "02:00:0a:09:01:0f", "VM": "5"})
    client = RecordingClient({"vm.info": lambda number, _: pool_object(number, f"vm{number}", LCM_STATE="3")})
    assert leases.find_holders(Objects(client), network, {0: 5}).names == [
        "virtual machine 'vm5' (id 5, of user 'flower')"
    ]
    assert leases.find_holders(Objects(client), network, {0: 6}) == leases.Holders()
    assert leases.find_holders(Objects(client), network, {7: 0}) == leases.Holders()


def test_a_change_by_others_is_taken_up() -> None:
    client = RecordingClient({"vn.info": _network(SECOND)})
    seen: list[str] = []

    def change(raw: dict[str, Any]) -> None:
        seen.append(raw["AR_POOL"]["AR"]["AR_ID"])
        if seen == ["0"]:
            raise _refused("[one.vn.update_ar] Address Range with ID 0 was not found.")

    leases.retried(Objects(client), _network(FIRST), change, timeout=5)
    assert (seen, client.calls) == (["0", "1"], [("vn.info", 0, False)])


def test_another_refusal_ends_it() -> None:
    def change(_raw: dict[str, Any]) -> None:
        raise _refused("no such luck")

    client = RecordingClient({})
    with pytest.raises(Refused, match="no such luck"):
        leases.retried(Objects(client), _network(FIRST), change, timeout=600)
    assert client.calls == []


def test_holders_that_cannot_be_seen() -> None:
    client = RecordingClient({"vn.info": _leased(used=3)})
    with pytest.raises(Refused, match="3 of its addresses are in use by objects that this user may not see"):
        leases.retried(Objects(client), _leased(used=3), _blocks, timeout=600)
    client = RecordingClient({"vn.info": _leased({"VM": "4"}), "vm.info": NotAuthorized("no")})
    with pytest.raises(Refused, match=r"in use by virtual machine \(id 4\)"):
        leases.retried(Objects(client), _leased({"VM": "4"}), _blocks, timeout=600)


@pytest.mark.parametrize(
    ("options", "option", "text"),
    [
        ({"vn_mad": "dummy"}, "bridge", "has vn_mad 'dummy', which needs bridge"),
        ({"vn_mad": "802.1Q", "vlan_id": 5}, "phydev", "which needs phydev"),
        ({"vn_mad": "802.1Q", "phydev": "eth0"}, "vlan_id", "needs vlan_id, or automatic_vlan_id: true"),
        ({"vn_mad": "vxlan", "phydev": "eth0", "automatic_vlan_id": False}, "vlan_id", "needs vlan_id, or automatic"),
        (
            {"vn_mad": "ovswitch_vxlan", "vlan_id": 5},
            "outer_vlan_id",
            "needs outer_vlan_id, or automatic_outer_vlan_id",
        ),
        ({"vn_mad": "vxlan", "vlan_id": 5, "automatic_vlan_id": True}, "automatic_vlan_id", "exclude each other"),
        ({"vn_mad": "bridge", "conf": {"a": "1,b=2"}}, "conf", "conf has 'a': '1,b=2'; .* commas"),
    ],
)
def test_what_a_driver_needs(options: dict[str, Any], option: str, text: str) -> None:
    with pytest.raises(InvalidInput, match=text) as caught:
        vnet_options.check_new("net", vnet_options.template_of(options))
    assert caught.value.details["option"] == option


@pytest.mark.parametrize(
    "options",
    [
        {"vn_mad": "bridge"},
        {"vn_mad": "fw"},
        {"vn_mad": "ovswitch"},
        {"vn_mad": "elastic"},
        {"vn_mad": "of-the-site"},
        {"vn_mad": "802.1Q", "attributes": {"phydev": "eth0", "vlan_id": "5"}},
        {"vn_mad": "vxlan", "phydev": "eth0", "automatic_vlan_id": True},
        {"vn_mad": "ovswitch_vxlan", "automatic_outer_vlan_id": True},
    ],
)
def test_what_a_driver_does_not_need(options: dict[str, Any]) -> None:
    vnet_options.check_new("net", vnet_options.template_of(options))


def test_options_become_attributes() -> None:
    options = {
        "vn_mad": "vxlan",
        "vlan_id": 5,
        "filter_mac_spoofing": True,
        "context_force_ipv4": False,
        "qos": {"inbound_avg_bw": 100, "outbound_peak_kb": None},
        "conf": {"validate_vlan_id": True},
        "ip_link_conf": {"tos": 10, "udpcsum": None, "nolearning": ""},
    }
    assert vnet_options.template_of(options) == {
        "VN_MAD": "vxlan",
        "VLAN_ID": "5",
        "FILTER_MAC_SPOOFING": "YES",
        "CONTEXT_FORCE_IPV4": "NO",
        "INBOUND_AVG_BW": "100",
        "CONF": "validate_vlan_id=true",
        "IP_LINK_CONF": "tos=10,udpcsum=,nolearning=",
    }


@pytest.mark.parametrize(
    ("raw", "options", "text"),
    [
        ({"VLAN_ID_AUTOMATIC": "0"}, {"automatic_vlan_id": True}, "automatic_vlan_id is true, .* created with false"),
        ({"VLAN_ID_AUTOMATIC": "1"}, {"automatic_vlan_id": False}, "automatic_vlan_id is false, .* created with true"),
        ({"VLAN_ID_AUTOMATIC": "1", "VLAN_ID": "7"}, {"vlan_id": 5}, "vlan_id is 5, but OpenNebula chose 7"),
        ({}, {"automatic_outer_vlan_id": True}, "automatic_outer_vlan_id is true"),
    ],
)
def test_the_choice_of_vlan_ids_is_made_once(raw: dict[str, str], options: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        vnet_options.check_change(pool_object(4, "net", **raw), vnet_options.template_of(options))


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
    seen = vnet_facts.facts(network, leases=True)
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
    assert "leases" not in vnet_facts.facts(network, leases=False)["address_ranges"][0]
