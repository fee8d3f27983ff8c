# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module oneflow_scale against the stand-in."""

from __future__ import annotations

from typing import Any

import pytest
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.modules import (
    oneflow_scale,
    oneflow_service,
    oneflow_service_info,
    oneflow_template,
    vm_template,
    vnet,
)

CONTENTS = {"NIC": [{"NETWORK_ID": "$Private"}]}
ROLES: list[dict[str, Any]] = [
    {"name": "superlink", "template": "vm", "min_vms": 1, "max_vms": 1, "template_contents": CONTENTS},
    {
        "name": "supernode",
        "template": "vm",
        "cardinality": 3,
        "min_vms": 1,
        "max_vms": 4,
        "cooldown": 1,
        "shutdown_action": "terminate-hard",
        "template_contents": CONTENTS,
    },
]
SCALE: dict[str, Any] = {"service": "fed", "role": "supernode", "wait_timeout": 20}
READS = ["GET /service"]


def made(tenant: Site, **template: Any) -> Site:
    """A site whose service 1 has the VMs 0 (superlink) and 1, 2, 3 (supernode)."""
    tenant.run(vnet, name="lan", vn_mad="bridge", bridge="br0", address_ranges=[{"ip": "10.71.1.10", "size": 20}])
    tenant.run(vm_template, name="vm", cpu=0.1, memory=64, disks=[{"image": "flower-debian-12"}])
    networks = {"Private": "M|network|Network| |id:"}
    tenant.run(oneflow_template, **{"name": "flower", "networks": networks, "roles": ROLES, **template})
    tenant.run(
        oneflow_service,
        name="fed",
        template="flower",
        networks=[{"name": "Private", "network": "lan"}],
        wait_timeout=20,
    )
    return tenant


@pytest.fixture
def site(tenant: Site) -> Site:
    """The tenant's view of a stand-in with a service."""
    return made(tenant)


def _names(vms: list[dict[str, Any]]) -> list[str]:
    return [vm["name"].partition("_(")[0] for vm in vms]


def _changes(site: Site, **options: Any) -> dict[str, Any]:
    """Run in check mode, then in earnest, then again; return the result of the run."""
    predicted = site.run(oneflow_scale, check=True, diff=True, **SCALE, **options)
    assert (predicted["changed"], site.writes) == (True, [])
    done = site.run(oneflow_scale, diff=True, **SCALE, **options)
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert done["before"] == predicted["before"]
    assert done["removed"] == predicted["removed"]
    writes = site.writes
    again = site.run(oneflow_scale, **SCALE, **options)
    assert (again["changed"], site.writes) == (False, [])
    assert again["before"] == again["after"] == done["after"]
    assert (again["added"], again["removed"]) == ([], [])
    return {**done, "writes": writes}


def test_more(site: Site) -> None:
    done = _changes(site, cardinality=4)
    assert done["writes"] == ["POST /service/1/scale"]
    assert done["diff"] == {"before": {"cardinality": 3}, "after": {"cardinality": 4}}
    assert done["removed"] == []
    (added,) = done["added"]
    assert (added["id"], added["lcm_state"], added["addresses"]) == (4, "RUNNING", ["10.71.1.14"])
    assert (done["before"]["cardinality"], done["after"]["cardinality"]) == (3, 4)
    assert done["service"]["state"] == "RUNNING"


def test_less_takes_the_oldest(site: Site) -> None:
    done = _changes(site, cardinality=1)
    assert done["writes"] == ["POST /service/1/scale"]
    assert _names(done["removed"]) == ["supernode_0", "supernode_1"]
    assert done["removed"][0]["addresses"] == ["10.71.1.11"]
    assert _names(done["after"]["vms"]) == ["supernode_2"]


def test_a_second_run_takes_two_calls(site: Site) -> None:
    assert not site.run(oneflow_scale, **SCALE, cardinality=3)["changed"]
    assert (site.flow_calls, site.calls) == (READS, ["vmpool.infoextended"])
    assert not site.run(oneflow_scale, service_id=1, role="supernode", cardinality=3)["changed"]
    assert site.flow_calls == ["GET /service/1"]


def test_chosen_vms_leave(site: Site) -> None:
    done = _changes(site, remove_vms=["supernode_1_(service_1)", "3"])
    assert done["writes"] == ["vm.action", "vm.action"]
    assert done["diff"] == {
        "before": {"cardinality": 3, "vms": {"2": "supernode_1_(service_1)", "3": "supernode_2_(service_1)"}},
        "after": {"cardinality": 1, "vms": {}},
    }
    assert _names(done["removed"]) == ["supernode_1", "supernode_2"]
    assert _names(done["after"]["vms"]) == ["supernode_0"]
    assert done["service"]["state"] == "RUNNING"


def test_chosen_vms_with_the_number_that_is_left(site: Site) -> None:
    failed = site.fail(oneflow_scale, **SCALE, remove_vms=["1"], cardinality=1)
    assert "which leaves 2. Give cardinality: 2" in failed["msg"]
    assert site.writes == []
    assert site.run(oneflow_scale, **SCALE, remove_vms=["1"], cardinality=2)["changed"]
    assert not site.run(oneflow_scale, **SCALE, remove_vms=["1"], cardinality=2)["changed"]


def test_a_broken_vm_is_taken_out_of_a_service_in_warning(site: Site) -> None:
    site.standin.one("one.vm.action", "poweroff-hard", 2)
    site.standin.until(lambda: site.run(oneflow_service_info)["services"][0]["state"] == "WARNING")
    refused = site.fail(oneflow_scale, **SCALE, cardinality=2)
    assert refused["failure"]["code"] == "service_warning"
    assert site.writes == []
    done = site.run(oneflow_scale, **SCALE, remove_vms=["2"])
    assert _names(done["removed"]) == ["supernode_1"]


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"cardinality": 5}, "invalid_input", "its template allows 1 to 4 (min_vms, max_vms); force: true goes beyond"),
        ({"cardinality": 0}, "invalid_input", "cannot have cardinality 0"),
        ({"cardinality": -1, "force": True}, "invalid_input", "give 0 or more"),
        ({"remove_vms": ["1", "2", "3"]}, "invalid_input", "cannot have cardinality 0"),
        ({"remove_vms": ["0"]}, "invalid_input", "it is VM superlink_0_(service_1) (id 0"),
        ({"remove_vms": ["ghost"]}, "invalid_input", "'ghost' is no VM of role 'supernode'"),
        ({"remove_vms": ["4242"]}, "invalid_input", "Its VMs are: supernode_0_(service_1) (id 1)"),
        ({"role": "ghost", "cardinality": 1}, "invalid_input", "it has 'superlink', 'supernode'"),
        ({"service": "ghost", "cardinality": 1}, "not_found", "names the service 'ghost'"),
        ({"service": None, "service_id": 0, "cardinality": 1}, "not_found", "no service with id 0"),
        ({"service": None, "cardinality": 1}, None, "one of the following is required: service, service_id"),
        ({}, None, "one of the following is required: cardinality, remove_vms"),
    ],
)
def test_what_cannot_work_is_refused_before_a_write(site: Site, options: dict[str, Any], code: Any, text: str) -> None:
    given = {key: value for key, value in {**SCALE, **options}.items() if value is not None}
    for check in (False, True):
        failed = site.fail(oneflow_scale, check=check, **given)
        assert text in failed["msg"]
        assert failed.get("failure", {}).get("code") == code
        assert site.writes == []


def test_beyond_the_limits_by_force(site: Site) -> None:
    assert site.run(oneflow_scale, **SCALE, cardinality=5, force=True)["after"]["cardinality"] == 5
    done = site.run(oneflow_scale, **SCALE, cardinality=0, force=True, warns=True)
    assert "OneFlow scales it up again" in str(done["warnings"])
    assert done["after"] == {"cardinality": 0, "vms": []}


def test_the_last_vms_of_a_service_that_would_be_deleted_with_them(tenant: Site) -> None:
    site = made(tenant, automatic_deletion=True, roles=[{**ROLES[1], "min_vms": 0}])
    for options in ({"cardinality": 0}, {"remove_vms": ["0", "1", "2"]}):
        failed = site.fail(oneflow_scale, **SCALE, **options)
        assert failed["failure"]["code"] == "last_vms"
        assert site.writes == []
    assert site.run(oneflow_scale, **SCALE, cardinality=1)["changed"]


def test_a_service_that_is_scaled_by_another_is_waited_for(site: Site) -> None:
    first = site.run(oneflow_scale, **SCALE, cardinality=4, wait=False)
    assert (first["changed"], first["after"]["cardinality"]) == (True, 4)
    assert first["service"]["state"] in ("SCALING", "COOLDOWN")
    refused = site.fail(oneflow_scale, **SCALE, cardinality=2, wait=False)
    assert refused["failure"]["code"] == "busy"
    done = site.run(oneflow_scale, **SCALE, cardinality=2)
    assert (done["changed"], done["service"]["state"], done["after"]["cardinality"]) == (True, "RUNNING", 2)


def test_a_failed_service_is_told(site: Site) -> None:
    site.standin.faults.add({"boot_failure": "supernode", "text": "no such kernel"})
    failed = site.fail(oneflow_scale, **SCALE, cardinality=4)
    assert failed["failure"]["code"] == "service_failed"
    for cardinality in (4, 2):
        again = site.fail(oneflow_scale, **SCALE, cardinality=cardinality)
        assert again["failure"]["code"] == "service_failed"
        assert "oneflow_service with recover: true" in again["msg"]
        assert site.fail(oneflow_scale, **SCALE, cardinality=2)["failure"]["code"] == "service_failed"
    assert site.writes == []


def test_a_vm_that_does_not_stop(site: Site) -> None:
    site.standin.faults.add({"no_shutdown": "supernode"})
    failed = site.fail(oneflow_scale, **{**SCALE, "wait_timeout": 1}, remove_vms=["1"])
    assert failed["failure"]["code"] == "timeout"
    assert "supernode_0_(service_1) (id 1" in failed["msg"]


def test_a_service_of_another_tenant(site: Site, admin: Site) -> None:
    failed = Site(site.standin, site.user).fail(oneflow_scale, service_id=4242, role="supernode", cardinality=1)
    assert failed["failure"]["code"] == "not_found"
    assert admin.run(oneflow_scale, **SCALE, cardinality=2)["changed"]
