# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Address ranges of every type, reservations in every form, network templates and the rights they need.

Expectations are from OpenNebula's source, release-7.4.0: src/vnm/AddressRange.cc, src/rm/api/VirtualNetworkAPI.cc,
VNTemplateAPI.cc.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from fact8ra_lab.standin.testing import StandIn

NET = 'NAME="{}"\nVN_MAD="bridge"\nBRIDGE="b"\n'
IP4 = 'AR=[TYPE="IP4",IP="10.0.0.4",SIZE="8"]'


def ready(standin: StandIn, text: str = NET.format("n") + IP4, user: tuple[str, str] | None = None) -> int:
    """A new network that is READY."""
    number: int = standin.one("one.vn.allocate", text, -1, user=user)
    settle(standin, number)
    return number


def settle(standin: StandIn, number: int) -> None:
    """Waits until a network is READY."""
    standin.until(lambda: "<STATE><![CDATA[1]]>" in standin.one("one.vn.info", number))


def ranges(standin: StandIn, number: int) -> list[dict[str, str]]:
    """The ranges of a network, without their leases."""
    net = ElementTree.fromstring(standin.one("one.vn.info", number))
    return [{item.tag: item.text or "" for item in ar if not len(item)} for ar in net.findall("AR_POOL/AR")]


def leases(standin: StandIn, number: int) -> list[dict[str, str]]:
    """The leases of a network."""
    net = ElementTree.fromstring(standin.one("one.vn.info", number))
    return [{item.tag: item.text or "" for item in lease} for lease in net.findall("AR_POOL/AR/LEASES/LEASE")]


def refused(standin: StandIn, method: str, *params: Any, user: tuple[str, str] | None = None) -> str:
    """The text of a refused call, without the method."""
    with pytest.raises(RuntimeError) as error:
        standin.one(method, *params, user=user)
    return str(error.value).removeprefix(f"[{method}] ")


MAC = 'MAC="02:00:c0:a8:00:01"'


@pytest.mark.parametrize(
    ("ar", "shown", "lease"),
    [
        (f'TYPE="ETHER",{MAC}', {"MAC_END": "02:00:c0:a8:00:04"}, {}),
        ('TYPE="IP4",IP="10.0.0.1"', {"IP_END": "10.0.0.4", "MAC": "02:00:0a:00:00:01"}, {"IP": "10.0.0.1"}),
        (
            f'TYPE="IP6",{MAC},GLOBAL_PREFIX="2001:db8::",ULA_PREFIX="fd00::"',
            {
                "IP6_GLOBAL": "2001:db8::c0ff:fea8:1", "IP6_GLOBAL_END": "2001:db8::c0ff:fea8:4",
                "IP6_ULA": "fd00::c0ff:fea8:1", "IP6_ULA_END": "fd00::c0ff:fea8:4",
            },
            {
                "IP6_LINK": "fe80::c0ff:fea8:1", "IP6_GLOBAL": "2001:db8::c0ff:fea8:1",
                "IP6_ULA": "fd00::c0ff:fea8:1",
            },
        ),
        (
            f'TYPE="IP6_STATIC",{MAC},IP6="2001:db8::5",PREFIX_LENGTH="64"',
            {"IP6": "2001:db8::5", "IP6_END": "2001:db8::8"}, {"IP6": "2001:db8::5"},
        ),
        (
            f'TYPE="IP4_6",{MAC},IP="10.0.0.1",GLOBAL_PREFIX="2001:db8::"',
            {"IP_END": "10.0.0.4", "IP6_GLOBAL": "2001:db8::c0ff:fea8:1"},
            {"IP": "10.0.0.1", "IP6_LINK": "fe80::c0ff:fea8:1", "IP6_GLOBAL": "2001:db8::c0ff:fea8:1"},
        ),
        (
            f'TYPE="IP4_6_STATIC",{MAC},IP="10.0.0.1",IP6="2001:db8::5",PREFIX_LENGTH="64"',
            {"IP_END": "10.0.0.4", "IP6_END": "2001:db8::8"}, {"IP": "10.0.0.1", "IP6": "2001:db8::5"},
        ),
    ],
    ids=["ETHER", "IP4", "IP6", "IP6_STATIC", "IP4_6", "IP4_6_STATIC"],
)  # fmt: skip
def test_ranges_of_every_type(standin: StandIn, ar: str, shown: dict[str, str], lease: dict[str, str]) -> None:
    number = ready(standin, NET.format("n") + f'AR=[{ar},SIZE="4"]')
    found = ranges(standin, number)[0]
    assert found | shown | {"SHARED": "NO", "AR_ID": "0", "USED_LEASES": "0"} == found
    mac = found["MAC"]
    standin.one("one.vn.hold", number, f'LEASES=[MAC="{mac}"]')
    assert leases(standin, number) == [lease | {"MAC": mac, "VM": "-1"}]
    vm = standin.one("one.vm.allocate", f'NAME="v"\nCPU="1"\nMEMORY="1"\nNIC=[NETWORK_ID="{number}"]')
    nic = ElementTree.fromstring(standin.one("one.vm.info", vm)).find("TEMPLATE/NIC")
    assert nic is not None
    keys = {"IP", "IP6", "IP6_LINK", "IP6_GLOBAL", "IP6_ULA"}
    assert {item.tag for item in nic} & keys == set(lease)
    standin.one("one.vn.release", number, f'LEASES=[MAC="{mac}"]')
    assert [item["VM"] for item in leases(standin, number)] == [str(vm)]


@pytest.mark.parametrize(
    ("ar", "text"),
    [
        ('TYPE="IP4",SIZE="1"', "Wrong or empty IP attribute"),
        ('TYPE="IP4",IP="10.0.0.1"', "Wrong SIZE for address range"),
        ('TYPE="IP4",IP="10.0.0.1",SIZE="1",MAC="x"', "Wrong format for MAC attribute: x"),
        ('TYPE="IP6",GLOBAL_PREFIX="x",SIZE="1"', "Wrong format for IP6 global address prefix"),
        ('TYPE="IP4_6",IP="1.1.1.1",ULA_PREFIX="x",SIZE="1"', "Wrong format for IP6 unique local address prefix"),
        ('TYPE="IP6_STATIC",PREFIX_LENGTH="64",SIZE="1"', "Wrong or empty IP6 attribute"),
        ('TYPE="IP6_STATIC",IP6="fd00::1",SIZE="1"', "Wrong or empty PREFIX_LENGTH"),
        ('TYPE="ETHER",SHARED="YES",SIZE="1"', "Shared ARs can be only of type IP4 or IP6_STATIC."),
        ('TYPE="IP5",SIZE="1"', "Unknown or missing address range TYPE."),
    ],
)
def test_what_is_no_range(standin: StandIn, ar: str, text: str) -> None:
    assert refused(standin, "one.vn.allocate", NET.format("n") + f"AR=[{ar}]", -1) == text
    assert "<VNET>" not in standin.one("one.vnpool.info", -2, -1, -1)


def test_a_static_range_without_size_reaches_the_end_of_its_network(standin: StandIn) -> None:
    number = ready(standin, NET.format("n") + 'AR=[TYPE="IP6_STATIC",IP6="fd00::f0",PREFIX_LENGTH="120"]')
    assert ranges(standin, number)[0]["SIZE"] == "16"


def test_an_update_of_a_range_keeps_what_is_fixed_and_replaces_the_rest(standin: StandIn) -> None:
    number = ready(standin, NET.format("n") + f'AR=[TYPE="IP6",{MAC},GLOBAL_PREFIX="2001:db8::",SIZE="4",X="1"]')
    update = 'AR=[AR_ID="0",TYPE="IP4",IP="1.1.1.1",GLOBAL_PREFIX="2001:db9::",SIZE="9",MAC="02:00:00:00:00:01"]'
    standin.one("one.vn.update_ar", number, update)
    found = ranges(standin, number)[0]
    kept = {"TYPE": "IP6", "MAC": "02:00:c0:a8:00:01", "GLOBAL_PREFIX": "2001:db9::", "ULA_PREFIX": "", "SIZE": "9"}
    assert found | kept == found
    assert not {"X", "IP"} & set(found)
    assert refused(standin, "one.vn.update_ar", number, "AR=[SIZE=1]") == "AR/AR_ID attribute is missing."
    text = "Address Range with ID 4 was not found."
    assert refused(standin, "one.vn.update_ar", number, "AR=[AR_ID=4]") == text
    text = "Unable to read the SIZE attribute, it must be number >= 0"
    assert refused(standin, "one.vn.update_ar", number, 'AR=[AR_ID=0,SIZE="x"]') == text


def test_ranges_wait_for_a_network_that_is_ready(standin: StandIn) -> None:
    standin.faults.add({"stuck": "n"})
    number = standin.one("one.vn.allocate", NET.format("n") + IP4, -1)
    for method, *params in (
        ("add_ar", IP4), ("update_ar", 'AR=[AR_ID="0"]'), ("hold", 'LEASES=[IP="10.0.0.4"]'),
        ("release", 'LEASES=[IP="10.0.0.4"]'),
    ):  # fmt: skip
        text = f"Could not execute one.vn.{method}Virtual Network is in wrong state: LOCK_CREATE"
        assert refused(standin, f"one.vn.{method}", number, *params) == text
    for method in ("rm_ar", "free_ar"):
        text = "Could not remove Adress Range, Virtual Network is in wrong state: LOCK_CREATE"
        assert refused(standin, f"one.vn.{method}", number, 0) == text


def test_a_range_with_leases_is_removed_by_force_alone(standin: StandIn) -> None:
    number = ready(standin)
    standin.one("one.vn.hold", number, 'LEASES=[IP="10.0.0.5",AR_ID="0"]')
    text = "Address is not part of the address range or in use."
    assert refused(standin, "one.vn.hold", number, 'LEASES=[IP="10.0.0.5"]') == text
    assert refused(standin, "one.vn.hold", number, 'LEASES=[IP="10.0.0.6",AR_ID="7"]') == text
    assert refused(standin, "one.vn.rm_ar", number, 0) == "Address Range has leases in use"
    assert refused(standin, "one.vn.rm_ar", number, 3, True) == "Address Range does not exist"
    standin.one("one.vn.rm_ar", number, 0, True)
    assert ranges(standin, number) == []
    standin.one("one.vn.add_ar", number, IP4)
    assert ranges(standin, number)[0]["AR_ID"] == "0"


def test_the_rights_on_ranges(standin: StandIn) -> None:
    """add_ar and rm_ar need ADMIN, unless the network comes from a template; the rest needs MANAGE."""
    mine = ready(standin, user=standin.tenant)
    lacking = f"User [2] : Not authorized to perform ADMIN NET [{mine}]."
    assert refused(standin, "one.vn.add_ar", mine, IP4, user=standin.tenant) == lacking
    assert refused(standin, "one.vn.rm_ar", mine, 0, user=standin.tenant) == lacking
    standin.one("one.vn.update_ar", mine, 'AR=[AR_ID="0",SIZE="9"]', user=standin.tenant)
    standin.one("one.vn.hold", mine, 'LEASES=[IP="10.0.0.4"]', user=standin.tenant)
    template = standin.one("one.vntemplate.allocate", NET.format("vt"))
    standin.one("one.vntemplate.chmod", template, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    made = standin.one("one.vntemplate.instantiate", template, "made", "", user=standin.tenant)
    settle(standin, made)
    standin.one("one.vn.add_ar", made, IP4, user=standin.tenant)
    text = "User [2] : AR includes a restricted attribute PHYDEV."
    add = 'AR=[TYPE="ETHER",SIZE="1",PHYDEV="e"]'
    assert refused(standin, "one.vn.add_ar", made, add, user=standin.tenant) == text
    text = "AR includes a restricted attribute PHYDEV"
    update = 'AR=[AR_ID="0",PHYDEV="e"]'
    assert refused(standin, "one.vn.update_ar", made, update, user=standin.tenant) == text
    standin.one("one.vn.rm_ar", made, 0, user=standin.tenant)


@pytest.mark.parametrize(
    ("place", "first"),
    [
        ("", "10.0.0.4"),
        ('AR_ID="1"', "10.0.1.4"),
        ('AR_ID="0"\nIP="10.0.0.6"', "10.0.0.6"),
        ('AR_ID="1"\nMAC="02:00:0a:00:01:05"', "10.0.1.5"),
    ],
)
def test_reservations_by_size_range_and_first_address(standin: StandIn, place: str, first: str) -> None:
    parent = ready(standin, NET.format("n") + f'{IP4}\nAR=[TYPE="IP4",IP="10.0.1.4",SIZE="8"]')
    number = standin.one("one.vn.reserve", parent, f'NAME="r"\nSIZE="2"\n{place}')
    settle(standin, number)
    found = ranges(standin, number)[0]
    assert (found["IP"], found["SIZE"], found["TYPE"]) == (first, "2", "IP4")
    assert found["PARENT_NETWORK_AR_ID"] == ("1" if first.startswith("10.0.1") else "0")
    assert [lease["VNET"] for lease in leases(standin, parent)] == [str(number)] * 2
    standin.one("one.vn.reserve", parent, f'SIZE="1"\nNETWORK_ID="{number}"')
    assert [ar["SIZE"] for ar in ranges(standin, number)] == ["2", "1"]
    standin.one("one.vn.free_ar", number, 0)
    assert [ar["AR_ID"] for ar in ranges(standin, number)] == ["1"]
    assert len(leases(standin, parent)) == 1


def test_a_reservation_by_ipv6_address(standin: StandIn) -> None:
    ar = 'AR=[TYPE="IP6_STATIC",IP6="2001:db8::10",PREFIX_LENGTH="64",SIZE="8"]'
    parent = ready(standin, NET.format("n") + ar)
    number = standin.one("one.vn.reserve", parent, 'NAME="r"\nSIZE="2"\nAR_ID="0"\nIP6="2001:db8::12"')
    assert ranges(standin, number)[0]["IP6"] == "2001:db8::12"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('NAME="r"', "Reservation SIZE must be a greater than 0"),
        ('SIZE="1"', "NAME for reservation has to be set"),
        ('NAME="r"\nSIZE="1"\nIP="10.0.0.6"', "AR_ID must be specified for IP/MAC based reservations"),
        ('NAME="r"\nSIZE="1"\nAR_ID="-1"', "AR_ID must be equal or greater than 0"),
        ('NAME="r"\nSIZE="9"', "Not enough free addresses in an address range"),
        ('NAME="r"\nSIZE="9"\nAR_ID="0"', "Not enough free addresses in address range 0, or it does not exist"),
        ('NAME="r"\nSIZE="1"\nAR_ID="7"', "Not enough free addresses in address range 7, or it does not exist"),
        (
            'NAME="r"\nSIZE="2"\nAR_ID="0"\nIP="9.9.9.9"',
            "Not enough free addresses in address range 0, or it does not exist",
        ),
        ('SIZE="1"\nNETWORK_ID="-1"', "NETWORK_ID must be equal or greater than 0"),
        ('SIZE="1"\nNETWORK_ID="0"', "Cannot add a reservation from the same network"),
        ('SIZE="1"\nNETWORK_ID="1"', "Cannot add reservations to a non-reservation VNET"),
        ('SIZE="1"\nNETWORK_ID="9"', "Error getting virtual network [9]."),
        ('NAME="n"\nSIZE="1"', "NAME is already taken by NET 0."),
    ],
)
def test_what_cannot_be_reserved(standin: StandIn, text: str, error: str) -> None:
    parent = ready(standin)
    ready(standin, NET.format("m") + IP4)
    assert refused(standin, "one.vn.reserve", parent, text) == error
    assert leases(standin, parent) == []


def test_a_reservation_is_not_extended_from_elsewhere(standin: StandIn) -> None:
    parent, other = ready(standin), ready(standin, NET.format("m") + IP4)
    number = standin.one("one.vn.reserve", parent, 'NAME="r"\nSIZE="1"')
    text = f"New reservations for virtual network {number} have to be from network {parent}"
    assert refused(standin, "one.vn.reserve", other, f'SIZE="1"\nNETWORK_ID="{number}"') == text


def test_a_reservation_counts_for_its_new_owner(standin: StandIn) -> None:
    parent = ready(standin)
    number = standin.one("one.vn.reserve", parent, 'NAME="r"\nSIZE="3"')
    standin.one("one.user.quota", 2, f'NETWORK=[ID="{parent}",LEASES="2"]')
    text = f"User [0] : user [2] limit of 2 reached for LEASES quota in NETWORK with ID: {parent}."
    assert refused(standin, "one.vn.chown", number, 2, -1) == text
    text = f"user [2] already owns virtual network [{number + 1}] with NAME r"
    standin.one("one.vn.allocate", NET.format("r"), -1, user=standin.tenant)
    assert refused(standin, "one.vn.chown", number, 2, -1) == text


def test_a_network_template_gives_networks_what_it_holds(standin: StandIn) -> None:
    template = standin.one("one.vntemplate.allocate", NET.format("vt") + 'DNS="1.1.1.1"\nCLUSTER_IDS="0"')
    number = standin.one("one.vntemplate.instantiate", template, "made", f'DNS="9.9.9.9"\n{IP4}')
    net = standin.one("one.vn.info", number)
    assert f"<TEMPLATE_ID>{template}</TEMPLATE_ID>" in net
    assert "<DNS><![CDATA[9.9.9.9]]></DNS>" in net
    assert ranges(standin, number)[0]["IP"] == "10.0.0.4"
    standin.one("one.vntemplate.chmod", template, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    for extra, name in (('BRIDGE="x"', "BRIDGE"), ('AR=[TYPE="ETHER",SIZE="1",PHYDEV="e"]', "AR/PHYDEV")):
        text = f"User [2] : Extra Template includes a restricted attribute {name}."
        assert refused(standin, "one.vntemplate.instantiate", template, "x", extra, user=standin.tenant) == text
    text = "Error allocating a new virtual network template. NAME is already taken by NET 0."
    assert refused(standin, "one.vntemplate.instantiate", template, "made", "") == text


def test_a_driver_takes_its_own_bridge_types(standin: StandIn) -> None:
    text = 'Attribute BRIDGE_TYPE has wrong value "openvswitch" for VN_MAD_CONF bridge in oned.conf'
    wrong = NET.format("n") + 'BRIDGE_TYPE="openvswitch"'
    assert refused(standin, "one.vn.allocate", wrong, -1) == text
    number = ready(standin)
    update = 'BRIDGE_TYPE="openvswitch"'
    assert refused(standin, "one.vn.update", number, update, 1) == f"Cannot update template. {text}"
    standin.one("one.vn.update", number, 'VN_MAD="ovswitch"', 1)
    assert "<BRIDGE_TYPE><![CDATA[openvswitch]]></BRIDGE_TYPE>" in standin.one("one.vn.info", number)


def test_a_site_may_keep_tenants_from_creating_networks() -> None:
    with StandIn(restrict_networks=True) as standin:
        text = "User [2] : VNET Template includes a restricted attribute VN_MAD."
        assert refused(standin, "one.vn.allocate", NET.format("n"), -1, user=standin.tenant) == text
        ready(standin)
