# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Filters for the links between the sites."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.fact8ra.flower.plugins.filter.links import (
    link_problems,
    nth_address,
    overlapping,
    unique_local_network,
)

SETTINGS: dict[str, Any] = {
    "network": "10.199.0.0/24",
    "network6": "fd12:3456:789a::/64",
    "hub": "",
    "endpoint": "",
    "port": 51820,
    "mtu": 0,
    "hosts": ["gateway", "alpha-superlink"],
}
ALPHA: dict[str, Any] = {"inventory_hostname": "alpha", "site_superlink": True}
BETA: dict[str, Any] = {"inventory_hostname": "beta", "site_transport": "wireguard", "site_supernodes": 2}


@pytest.mark.parametrize(
    ("network", "number", "address"),
    [
        ("10.199.0.0/24", 1, "10.199.0.1"),
        ("10.199.0.0/24", "254", "10.199.0.254"),
        ("10.199.0.0/31", 1, "10.199.0.1"),
        ("fd12:3456:789a::/64", 1, "fd12:3456:789a::1"),
        ("fd12:3456:789a:0::/64", 258, "fd12:3456:789a::102"),
    ],
)
def test_the_nth_address_of_a_network(network: str, number: int, address: str) -> None:
    assert nth_address(network, number) == address


@pytest.mark.parametrize(
    ("network", "number", "message"),
    [
        ("10.199.0.0/24", 255, "no host number 255; it has 254 addresses"),
        ("10.199.0.0/24", 0, "no host number 0"),
        ("10.199.0.0/24", "two", '"two" is not the number'),
        ("10.199.0.1/24", 1, "has host bits set"),
        ("10.199.0.0/24\n", 1, "is not a network"),
        ("", 1, '"" is not a network'),
    ],
)
def test_there_is_no_such_address(network: str, number: int, message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        nth_address(network, number)


def test_a_federation_has_a_network_of_its_own() -> None:
    network = ipaddress.IPv6Network(unique_local_network("poc"))
    assert network.prefixlen == 64
    assert network.subnet_of(ipaddress.IPv6Network("fd00::/8"))
    assert unique_local_network("poc") == str(network)
    assert unique_local_network("poc2") != str(network)


def test_sites_that_are_linked_rightly() -> None:
    for transport in ("direct", "none"):
        assert link_problems([{**ALPHA, "site_transport": transport}, BETA], SETTINGS) == []
    assert link_problems([ALPHA, BETA], {**SETTINGS, "hub": "gateway", "endpoint": "2001:db8::7"}) == []
    assert link_problems([ALPHA, BETA], {**SETTINGS, "network": "", "endpoint": "hub.example.org"}) == []
    assert link_problems([ALPHA, {**BETA, "site_network_mtu": 1400}], SETTINGS) == []


def test_without_tunnels_their_settings_do_not_matter() -> None:
    assert link_problems([ALPHA], {**SETTINGS, "network": "nonsense", "hub": "nobody", "port": 0}) == []


@pytest.mark.parametrize(
    ("site", "settings", "message"),
    [
        ({"site_transport": "vpn"}, {}, 'site_transport of beta is "vpn"; it must be direct, wireguard or none'),
        ({"site_transport": "none"}, {}, "site_transport of beta is none, but the SuperLink is at another site"),
        ({}, {"network": "10.199.0.1/24"}, 'transport_network is "10.199.0.1/24"; it must be an IPv4 network'),
        ({}, {"network": "fd00::/64"}, "transport_network is fd00::/64; it must be an IPv4 network"),
        ({}, {"network6": "10.0.0.0/8"}, "transport_network6 is 10.0.0.0/8; it must be an IPv6 network"),
        ({}, {"network": "", "network6": ""}, "are both empty; a tunnel needs one of them"),
        ({"site_supernodes": 5}, {"network": "10.199.0.0/29"}, "with 6 addresses; 5 SuperNodes"),
        ({"site_network_address": "10.199.0.128", "site_network_mask": "255.255.255.128"}, {}, "but site beta has"),
        ({}, {"hub": "beta"}, 'transport_hub is "beta"; it must be a host of the group hub, or the SuperLink'),
        ({}, {"endpoint": "[2001:db8::7]:51820"}, "without brackets and port"),
        ({}, {"endpoint": "fe80::1%eth0"}, "without brackets and port"),
        ({}, {"endpoint": "192.0.2.300"}, 'transport_endpoint is "192.0.2.300"'),
        ({}, {"endpoint": "hub.example.org\nPostUp = id"}, "transport_endpoint is"),
        ({}, {"port": 65536}, 'transport_port is "65536"'),
        ({}, {"mtu": 1440}, "transport_mtu is 1440, but the networks of the sites carry 1500; it must be 1420 at most"),
        ({}, {"mtu": 1200}, "transport_mtu is 1200; the tunnel needs an MTU of 1280 at least; set transport_network6"),
        ({"site_network_mtu": 1350}, {}, "site_network_mtu is 1350 at a site, which leaves 1270; the tunnel needs"),
    ],
)
def test_what_is_wrong_is_named(site: dict[str, Any], settings: dict[str, Any], message: str) -> None:
    (problem,) = link_problems([ALPHA, {**BETA, **site}], {**SETTINGS, **settings})
    assert message in problem


def test_ipv4_alone_takes_a_smaller_mtu() -> None:
    small = {**BETA, "site_network_mtu": 1350}
    assert link_problems([ALPHA, small], {**SETTINGS, "network6": ""}) == []


def test_addresses_that_are_in_the_way() -> None:
    own = ["10.199.0.9/16", "10.8.0.4/24", "2001:db8::4/64", "fd00:1::9/48"]
    assert overlapping(own, ["10.199.7.0/24", "fd00:1::/64"]) == ["10.199.0.9/16", "fd00:1::9/48"]
    assert overlapping(own, ["10.200.0.0/24"]) == []
    with pytest.raises(AnsibleFilterError, match="something that is no address"):
        overlapping(["nonsense"], ["10.200.0.0/24"])
    with pytest.raises(AnsibleFilterError, match="is not a network"):
        overlapping(own, ["10.200.0.1/24"])
