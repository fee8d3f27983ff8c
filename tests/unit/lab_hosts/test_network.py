# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Sites' names and addresses, and what the preflight refuses."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Any

import pytest

from fact8ra_lab.hosts import network
from fact8ra_lab.hosts._system import LabError
from fact8ra_lab.hosts.network import Site


def test_addresses_of_a_site() -> None:
    site = Site("beta", 2)
    assert site.netns == "f8-beta"
    assert site.network == IPv4Network("10.71.2.0/24")
    assert str(site.gateway) == "10.71.2.1"
    assert [str(address) for address in site.pair(network.MANAGEMENT)] == ["10.71.255.5", "10.71.255.6"]


def test_no_two_sites_share_an_address() -> None:
    sites = [Site(f"s{index}", index) for index in range(1, network.MAX_INDEX + 1)]
    addresses = [
        address for site in sites for pair in (network.MANAGEMENT, network.TRANSIT) for address in site.pair(pair)
    ]
    assert len(set(addresses)) == len(addresses)
    assert all(address in network.MANAGEMENT or address in network.TRANSIT for address in addresses)
    assert not any(
        site.network.overlaps(network.MANAGEMENT) or site.network.overlaps(network.TRANSIT) for site in sites
    )


def test_interface_names_fit_the_kernel() -> None:
    site = Site("abcdefghijk", 1)
    assert max(len(site.management_link), len(site.wan_link)) <= 15


@pytest.mark.parametrize(
    ("name", "index", "message"),
    [
        ("Alpha", 1, "site name `Alpha`"),
        ("a-b", 1, "site name `a-b`"),
        ("abcdefghijkl", 1, "site name `abcdefghijkl`"),
        ("wan", 1, "other than `wan`"),
        ("alpha", 0, "number 0 is not within 1..60"),
        ("alpha", 61, "number 61"),
    ],
)
def test_impossible_sites(name: str, index: int, message: str) -> None:
    with pytest.raises(LabError, match=message):
        Site(name, index)


def test_parse() -> None:
    assert Site.parse("alpha:1") == Site("alpha", 1)
    assert Site.parse("gamma:3:nat") == Site("gamma", 3, nat=True)
    for text in ("alpha", "alpha:", "alpha:x", "alpha:1:", "alpha:1:NAT"):
        with pytest.raises(LabError, match=f"site `{text}` is not NAME:NUMBER"):
            Site.parse(text)


def routes(monkeypatch: pytest.MonkeyPatch, *entries: dict[str, Any], up: Sequence[Site] = ()) -> None:
    monkeypatch.setattr(network, "require", lambda *tools: None)
    monkeypatch.setattr(network, "ip_json", lambda arguments, netns=None: list(entries))
    monkeypatch.setattr(network, "sites", lambda: list(up))


@pytest.mark.parametrize("destination", ["10.71.0.0/16", "10.71.4.0/24", "10.71.9.9", "10.0.0.0/8", "10.64.0.0/12"])
def test_refuses_when_the_addresses_are_routed_elsewhere(monkeypatch: pytest.MonkeyPatch, destination: str) -> None:
    routes(monkeypatch, {"dst": "default", "dev": "eth0"}, {"dst": destination, "dev": "tun0"})
    with pytest.raises(LabError, match=f"needs 10.71.0.0/16, but this computer routes {destination} to tun0"):
        network.preflight([Site("alpha", 1)])


def test_its_own_and_unrelated_routes_are_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    routes(
        monkeypatch,
        {"dst": "default", "dev": "eth0"},
        {"dst": "10.70.0.0/16", "dev": "eth0"},
        {"dst": "10.71.1.0/24", "dev": "f8m-alpha"},
        {"type": "local", "dst": "10.71.255.1", "dev": "f8m-alpha"},
        up=[Site("alpha", 1)],
    )
    network.preflight([Site("alpha", 1), Site("beta", 2)])


@pytest.mark.parametrize("wanted", [Site("alpha", 3), Site("gamma", 1)])
def test_refuses_a_name_or_number_that_another_site_has(monkeypatch: pytest.MonkeyPatch, wanted: Site) -> None:
    routes(monkeypatch, up=[Site("alpha", 1)])
    with pytest.raises(LabError, match="clashes with the running alpha:1"):
        network.preflight([wanted])


def test_free_address() -> None:
    site = Site("alpha", 1)
    assert str(network.free_address(site, [])) == "10.71.1.10"
    assert str(network.free_address(site, ["10.71.1.10", "10.71.1.12"])) == "10.71.1.11"
    with pytest.raises(LabError, match=r"every address of 10\.71\.1\.0/24 is taken"):
        network.free_address(site, [str(address) for address in site.network])
