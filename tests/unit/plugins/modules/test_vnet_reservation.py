# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module vnet_reservation against the stand-in, and with scripted answers where the stand-in has none."""

from __future__ import annotations

import re
from typing import Any

import pytest
from opennebula_site import Site
from recording import RecordingClient, pool_object

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, NotFound, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.reservation import Reservation, addresses_of
from ansible_collections.fact8ra.flower.plugins.modules import security_group, vnet, vnet_reservation

PARENT: dict[str, Any] = {
    "name": "shared",
    "vn_mad": "bridge",
    "bridge": "br0",
    "mode": "604",
    "address_ranges": [{"ip": "10.71.1.10", "size": 50}, {"ip": "10.71.2.10", "size": 20}],
}
PART: dict[str, Any] = {"network": "shared", "name": "part", "size": 3}


@pytest.fixture
def site(admin: Site, tenant: Site) -> Site:
    """A tenant next to a network of the administrator that it may use."""
    admin.run(vnet, **PARENT)
    return tenant


def _run(site: Site, **options: Any) -> dict[str, Any]:
    """Run in check mode, for real, and again; return what the real run did."""
    predicted = site.run(vnet_reservation, check=True, diff=True, **options)
    assert (predicted["changed"], site.writes) == (True, [])
    done = site.run(vnet_reservation, diff=True, **options)
    calls = list(site.calls)
    assert done["changed"] is True
    assert done["diff"] == predicted["diff"]
    again = site.run(vnet_reservation, diff=True, **options)
    assert (again["changed"], site.writes) == (False, [])
    assert again["reservation"] == done["reservation"]
    return {**done, "calls": [call for at, call in enumerate(calls) if at == 0 or call != calls[at - 1]]}


def _call(site: Site, method: str, *params: Any) -> Any:
    return Client(Target(site.standin.endpoint, *site.user)).call(method, *params, what="arrange the test")


def test_life_of_a_reservation(site: Site) -> None:
    made = _run(site, **PART)
    assert made["calls"] == ["vnpool.info", "vn.reserve", "vn.info"]
    assert made["diff"] == {"before": {}, "after": {"name": "part", "network": 0, "size": 3}}
    found = made["reservation"]
    assert (found["id"], found["parent_network_id"], found["size"], found["uname"]) == (1, 0, 3, "flower")
    assert found["addresses"] == ["10.71.1.10", "10.71.1.11", "10.71.1.12"]
    assert found["address_ranges"][0]["parent_network_ar_id"] == "0"
    extended = _run(site, name="part", size=5, attributes={"guest_mtu": 1450}, mode="640")
    assert extended["calls"] == ["vnpool.info", "vn.reserve", "vn.update", "vn.chmod", "vn.info"]
    assert extended["reservation"]["addresses"][3:] == ["10.71.1.13", "10.71.1.14"]
    assert extended["reservation"]["template"]["GUEST_MTU"] == "1450"
    removed = {"name": "part", "range_id": 1, "state": "absent"}
    predicted = site.run(vnet_reservation, check=True, diff=True, **removed)
    assert (predicted["changed"], site.writes) == (True, [])
    done = site.run(vnet_reservation, diff=True, **removed)
    assert (done["changed"], done["diff"], site.writes) == (True, predicted["diff"], ["vn.free_ar"])
    assert done["reservation"]["size"] == 3
    assert site.run(vnet_reservation, **removed)["changed"] is False
    renamed = site.run(vnet_reservation, id=1, name="other")
    assert (renamed["changed"], site.calls) == (True, ["vn.info", "vn.rename", "vn.info"])
    for absent in ({"name": "other", "network": "shared"}, {"id": 1}, {**removed, "name": "other"}):
        gone = site.run(vnet_reservation, **{**absent, "state": "absent"})
        assert gone["changed"] is (absent.get("network") is not None)
        assert gone["reservation"] is None


def test_a_place_is_found_and_kept(site: Site) -> None:
    first = _run(site, **PART, ip="10.71.2.15")
    assert first["reservation"]["addresses"] == ["10.71.2.15", "10.71.2.16", "10.71.2.17"]
    more = _run(site, **{**PART, "size": 4}, ip="10.71.2.15", address_range=0)
    assert more["reservation"]["addresses"][3] == "10.71.1.10", "the rest comes from the given range"
    there = _run(site, **{**PART, "size": 6}, ip="10.71.2.25")
    assert there["reservation"]["addresses"][4:] == ["10.71.2.25", "10.71.2.26"]
    by_mac = site.run(vnet_reservation, network="shared", name="mac", size=1, mac="02:00:0a:47:01:1e")
    assert by_mac["reservation"]["addresses"] == ["10.71.1.30"]


def test_groups_owner_and_id_0_of_a_range(site: Site, admin: Site) -> None:
    rule = {"protocol": "ALL", "rule_type": "inbound"}
    group = site.run(security_group, name="nodes", rules=[rule])["security_group"]["id"]
    made = _run(site, **PART, security_groups=["nodes"], address_range=0)
    assert made["reservation"]["security_groups"] == [group]
    given = admin.run(vnet_reservation, id=1, owner="0", group="0")
    assert (given["reservation"]["uid"], given["reservation"]["gid"]) == (0, 0)
    assert admin.run(vnet_reservation, id=1, owner="0", group="0")["changed"] is False
    freed = admin.run(vnet_reservation, id=1, range_id=0, state="absent")
    assert (freed["reservation"]["size"], freed["reservation"]["addresses"]) == (0, [])


def test_a_reservation_in_use_is_not_freed_and_its_holder_named(site: Site) -> None:
    site.run(vnet_reservation, **PART)
    _call(site, "vn.hold", 1, 'LEASES=[IP="10.71.1.10"]')
    failed = site.fail(vnet_reservation, name="part", state="absent")
    assert (failed["failure"]["code"], site.writes) == ("in_use", [])
    assert "1 of its addresses are in use by the address 10.71.1.10, which is on hold" in failed["msg"]
    failed = site.fail(vnet_reservation, name="part", range_id=0, state="absent")
    assert (failed["failure"]["code"], site.writes) == ("in_use", ["vn.free_ar"])


def test_another_network_is_not_taken_for_the_reservation(site: Site, admin: Site) -> None:
    for options in ({"state": "absent"}, {"size": 3}, {"state": "absent", "range_id": 0}):
        failed = admin.fail(vnet_reservation, name="shared", **options)
        assert (failed["failure"]["code"], admin.writes) == ("invalid_input", [])
        assert "virtual network 'shared' (id 0, of user 'oneadmin') is no reservation" in failed["msg"]
    admin.run(vnet, **{**PARENT, "name": "second", "address_ranges": [{"ip": "10.71.9.10", "size": 5}]})
    site.run(vnet_reservation, **PART)
    for options in ({"size": 3}, {"state": "absent"}, {"state": "absent", "range_id": 0}):
        failed = site.fail(vnet_reservation, name="part", network="second", **options)
        assert (failed["failure"]["code"], site.writes) == ("invalid_input", [])
        assert "is a reservation from network 0, not from second, which cannot be changed" in failed["msg"]
    assert site.run(vnet_reservation, name="part", network="gone", state="absent")["changed"] is True


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"name": "part", "size": 3}, "invalid_input", "network is needed to reserve addresses as 'part'"),
        ({"name": "part", "network": "shared"}, "invalid_input", "size is needed to reserve addresses as 'part'"),
        ({**PART, "size": 0}, "invalid_input", "size is 0; it has to be 1 or more"),
        ({**PART, "network": "none"}, "not_found", "network names the virtual network 'none', .* There are: shared"),
        ({**PART, "network": "77"}, "not_found", "could not read virtual network 77|there is no virtual network with"),
        ({**PART, "address_range": 7}, "invalid_input", "address_range is 7, but .* has only the address ranges 0, 1"),
        (
            {**PART, "ip": "10.9.9.9"},
            "invalid_input",
            "ip is 10.9.9.9, which is not in any address range of .*'shared'",
        ),
        (
            {**PART, "ip": "10.71.2.10", "address_range": 0},
            "invalid_input",
            "which is not in address range 0 of .*'shared'",
        ),
        ({**PART, "ip": "10.71"}, "invalid_input", "ip is '10.71'; it has to be an IPv4 address"),
        ({**PART, "range_id": 0}, "invalid_input", "range_id .* needs state: absent"),
        ({**PART, "size": 60}, "refused", "could not reserve 60 addresses as 'part' from network 0: .*Not enough free"),
        ({**PART, "attributes": {"vn_mad": "fw"}}, "invalid_input", "attributes has VN_MAD, .* the option network"),
        ({**PART, "ip": "10.71.1.10", "mac": "02:00:0a:47:01:0a"}, None, "mutually exclusive: ip|ip6|mac"),
    ],
)
def test_errors(site: Site, options: dict[str, Any], code: str | None, text: str) -> None:
    failed = site.fail(vnet_reservation, **options)
    assert re.search(text, failed["msg"]), failed["msg"]
    assert (failed.get("failure") or {}).get("code") == code
    assert site.writes == (["vn.reserve"] if code == "refused" else [])


def test_what_an_existing_reservation_cannot_be(site: Site) -> None:
    site.run(vnet_reservation, **{**PART, "size": 5})
    site.run(vnet_reservation, **{**PART, "size": 8})
    failed = site.fail(vnet_reservation, **{**PART, "size": 4})
    assert (failed["failure"]["code"], site.writes) == ("invalid_input", [])
    assert "It has the ranges 0 (5 addresses), 1 (3 addresses); free one with range_id" in failed["msg"]
    failed = site.fail(vnet_reservation, **{**PART, "size": 8, "ip": "10.71.2.10"})
    assert (failed["failure"]["code"], site.writes) == ("invalid_input", [])
    assert "ip is 10.71.2.10, but no range of virtual network 'part'" in failed["msg"]
    failed = site.fail(vnet_reservation, network="part", name="sub", size=1)
    assert "is a reservation itself, from which OpenNebula reserves nothing; give network 0" in failed["msg"]


def test_a_quota_that_is_exceeded(site: Site, admin: Site) -> None:
    _call(admin, "user.quota", _uid(site, admin), 'NETWORK=[ID="0",LEASES="4"]')
    failed = site.fail(vnet_reservation, **{**PART, "size": 5})
    assert failed["failure"]["code"] == "not_authorized"
    assert "could not reserve 5 addresses as 'part' from network 0" in failed["msg"]
    assert "quota" in failed["msg"]
    assert site.run(vnet_reservation, **PART)["changed"] is True
    failed = site.fail(vnet_reservation, **{**PART, "size": 5})
    assert "could not reserve 2 more addresses for virtual network 'part'" in failed["msg"]


def _uid(site: Site, admin: Site) -> int:
    users = _call(admin, "userpool.info")["USER"]
    return next(int(user["ID"]) for user in users if user["NAME"] == site.user[0])


def test_a_network_that_check_mode_takes_for_granted(tenant: Site) -> None:
    predicted = tenant.run(vnet_reservation, check=True, warns=True, **PART)
    assert (predicted["changed"], predicted["reservation"]) == (True, {"id": None, "name": "part"})


def _managed(client: RecordingClient, **options: Any) -> dict[str, Any]:
    with_defaults: dict[str, Any] = {
        **dict.fromkeys(vnet_reservation.SPEC.argument_spec),
        **{name: rules["default"] for name, rules in vnet_reservation.SPEC.argument_spec.items() if "default" in rules},
        "username": "flower",
        **options,
    }
    return Reservation(client, with_defaults).run("reservation", check_mode=False)


def _part(size: int, **more: Any) -> dict[str, Any]:
    each = {"AR_ID": "0", "TYPE": "IP6_STATIC", "IP6": "2001:db8::10", "SIZE": str(size), "MAC": "02:00:0a:00:00:0a"}
    return pool_object(5, "part", STATE="1", PARENT_NETWORK_ID="0", AR_POOL={"AR": {**each, **more}})


def test_the_text_of_each_call() -> None:
    ranges = [
        {"AR_ID": "0", "TYPE": "IP4", "IP": "10.0.0.10", "SIZE": "5", "MAC": "02:00:0a:00:00:0a"},
        {"AR_ID": "2", "TYPE": "IP6_STATIC", "IP6": "2001:db8::", "SIZE": "50", "MAC": "02:00:00:00:00:01"},
    ]
    parent = pool_object(0, "shared", "oneadmin", STATE="1", AR_POOL={"AR": ranges})
    answers = {"vnpool.info": {"VNET": parent}, "vn.reserve": 5, "vn.info": _part(3)}
    client = RecordingClient(answers)
    made = _managed(client, name="part", network="shared", size=3, ip6="2001:DB8:0::10")
    assert made["reservation"]["addresses"] == ["2001:db8::10", "2001:db8::11", "2001:db8::12"]
    assert client.calls == [
        ("vnpool.info", -2, -1, -1),
        ("vn.reserve", 0, 'NAME="part"\nSIZE="3"\nAR_ID="2"\nIP6="2001:db8::10"'),
        ("vn.info", 5, False),
    ]
    found = [_part(3), parent, _part(7)]
    client = RecordingClient({"vn.info": lambda *_: found.pop(0), "vn.reserve": 5})
    assert _managed(client, id=5, size=7)["changed"] is True
    assert client.calls == [
        ("vn.info", 5, False),
        ("vn.info", 0, False),
        ("vn.reserve", 0, 'SIZE="4"\nNETWORK_ID="5"'),
        ("vn.info", 5, False),
    ]


def test_a_parent_that_went_away() -> None:
    def read(number: int, _decrypt: bool) -> dict[str, Any]:
        if number == 5:
            return _part(3)
        raise NotFound("gone")

    with pytest.raises(NotFound, match="network is 0, but there is no virtual network with that id"):
        _managed(RecordingClient({"vn.info": read}), id=5, size=4)


def test_answers_that_lie() -> None:
    parent = pool_object(0, "shared", AR_POOL={"AR": {"AR_ID": "0", "TYPE": "IP4", "IP": "10.0.0.1", "SIZE": "9"}})
    client = RecordingClient({"vn.info": lambda number, _: _part(3) if number else parent, "vn.reserve": 5})
    with pytest.raises(Refused, match="the server accepted setting") as caught:
        _managed(client, id=5, size=4)
    assert caught.value.code == "not_applied"
    with pytest.raises(InvalidInput, match="is no reservation"):
        _managed(RecordingClient({"vn.info": parent}), id=0, size=4)


def test_addresses_one_by_one() -> None:
    assert addresses_of(_part(1, IP="10.0.0.255")) == ["10.0.0.255"]
    assert addresses_of(_part(2, IP6="", TYPE="ETHER")) == ["02:00:0a:00:00:0a", "02:00:0a:00:00:0b"]
    assert addresses_of(_part(4096)) is not None
    assert addresses_of(_part(4097)) is None
    assert addresses_of(pool_object(5, "part")) == []
