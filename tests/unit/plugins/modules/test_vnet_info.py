# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module vnet_info against the stand-in."""

from __future__ import annotations

import pytest
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.modules import vnet, vnet_info


@pytest.fixture
def networks(admin: Site, tenant: Site) -> Site:
    """Three networks: shared (0, of oneadmin, one lease on hold), net (1, of oneadmin), net (2, of flower)."""
    base = {"vn_mad": "bridge", "bridge": "b", "address_ranges": [{"ip": "10.0.0.2", "size": 5}]}
    admin.run(vnet, **base, name="shared", mode="604")
    admin.run(vnet, **base, name="net", mode="604")
    tenant.run(vnet, **base, name="net", owner="flower")
    Client(Target(admin.standin.endpoint, *admin.user)).call(
        "vn.hold", 0, 'LEASES=[IP="10.0.0.3"]', what="arrange the test"
    )
    return tenant


def test_all_networks_cost_one_call(networks: Site) -> None:
    result = networks.run(vnet_info)
    assert result["changed"] is False
    assert [each["name"] for each in result["vnets"]] == ["shared", "net", "net"]
    assert result["vnets"][0]["used_leases"] == 1
    assert "leases" not in result["vnets"][0]["address_ranges"][0]
    assert networks.calls == ["vnpool.info"]


@pytest.mark.parametrize(("word", "ids"), [("mine", [2]), ("group", [2]), ("all", [0, 1, 2])])
def test_filter(networks: Site, word: str, ids: list[int]) -> None:
    assert [each["id"] for each in networks.run(vnet_info, filter=word)["vnets"]] == ids


def test_by_name_all_owners_are_listed_with_leases(networks: Site) -> None:
    result = networks.run(vnet_info, name="net")
    assert [each["uname"] for each in result["vnets"]] == ["oneadmin", "flower"]
    assert result["vnets"][1]["address_ranges"][0]["leases"] == []
    assert networks.calls == ["vnpool.info", "vn.info", "vn.info"]


def test_id_0_is_an_id(networks: Site, admin: Site) -> None:
    result = admin.run(vnet_info, id=0)
    assert [each["name"] for each in result["vnets"]] == ["shared"]
    assert [lease["ip"] for lease in result["vnets"][0]["address_ranges"][0]["leases"]] == ["10.0.0.3"]
    assert admin.calls == ["vn.info"]


@pytest.mark.parametrize("options", [{"name": "none"}, {"id": 4242}])
def test_nothing_fits(networks: Site, options: dict[str, object]) -> None:
    assert networks.run(vnet_info, check=True, **options)["vnets"] == []


def test_a_refused_login_fails(networks: Site) -> None:
    failed = networks.fail(vnet_info, password="wrong")
    assert failed["failure"]["code"] == "authentication_failed"
    assert "could not list the virtual networks (user 'flower')" in failed["msg"]


def test_id_and_name_exclude_each_other(networks: Site) -> None:
    assert "mutually exclusive: id|name" in networks.fail(vnet_info, id=0, name="x")["msg"]
