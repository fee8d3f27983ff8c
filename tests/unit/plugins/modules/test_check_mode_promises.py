# SPDX-License-Identifier: Apache-2.0
"""Check mode on an empty site: what earlier tasks would have made is taken for granted, and said to be so."""

from __future__ import annotations

from typing import Any

import pytest
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.modules import oneflow_service, oneflow_template, vnet
from fact8ra_lab.standin.testing import StandIn

TEMPLATE: dict[str, Any] = {
    "name": "flower",
    "networks": {"Private": "M|network|net| |id:"},
    "roles": [{"name": "supernode", "template": "flower-supernode", "cardinality": 2}],
}
SERVICE: dict[str, Any] = {
    "name": "poc",
    "template": "flower",
    "networks": [{"name": "Private", "network": "federation"}],
    "roles": [{"name": "supernode", "cardinality": 2}],
}


@pytest.fixture
def site(standin: StandIn) -> Site:
    return Site(standin, StandIn.tenant)


def test_a_vm_template_that_is_still_to_be_made(site: Site) -> None:
    predicted = site.run(oneflow_template, **TEMPLATE, check=True, diff=True, warns=True)
    assert predicted["changed"]
    assert predicted["diff"]["after"]["roles"]["supernode"]["template_id"] == "flower-supernode"
    assert "VM template 'flower-supernode', which is not there; check mode takes it" in str(predicted["warnings"])
    assert site.writes == []


def test_a_security_group_that_is_still_to_be_made(site: Site) -> None:
    network = {"name": "net", "vn_mad": "bridge", "bridge": "br0", "security_groups": ["flower-supernode"]}
    predicted = site.run(vnet, **network, check=True, diff=True, warns=True)
    assert predicted["diff"]["after"]["security_groups"] == ["flower-supernode"]
    assert "security group 'flower-supernode', which is not there" in str(predicted["warnings"])
    assert site.writes == []


def test_a_service_template_that_is_still_to_be_made(site: Site) -> None:
    predicted = site.run(oneflow_service, **SERVICE, check=True, diff=True, warns=True)
    assert predicted["changed"]
    assert predicted["diff"]["after"] == {
        "name": "poc",
        "roles": {"supernode": {"cardinality": 2}},
        "state": "RUNNING",
    }
    assert "service template 'flower', which is not there" in str(predicted["warnings"])
    assert site.writes == []


@pytest.mark.parametrize(("module", "options"), [(oneflow_template, TEMPLATE), (oneflow_service, SERVICE)])
def test_without_check_mode_they_are_missing(site: Site, module: Any, options: dict[str, Any]) -> None:
    assert site.fail(module, **options)["failure"]["code"] == "not_found"
    assert site.writes == []
