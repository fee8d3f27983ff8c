# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Modules oneflow_template and oneflow_template_info against the stand-in."""

from __future__ import annotations

from typing import Any

import pytest
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.modules import (
    oneflow_template,
    oneflow_template_info,
    vm_template,
)

CONTENTS = {"NIC": [{"NETWORK_ID": "$Private"}]}
TEMPLATE: dict[str, Any] = {
    "name": "flower",
    "deployment": "straight",
    "description": "first",
    "ready_status_gate": False,
    "shutdown_action": "terminate-hard",
    "networks": {"Private": "M|network|Federation network| |id:"},
    "user_inputs": {"VERSION": "O|text|Flower version| |1.41.0"},
    "roles": [
        {"name": "superlink", "template": "vm", "min_vms": 1, "max_vms": 1, "template_contents": CONTENTS},
        {
            "name": "supernode",
            "template": "vm",
            "cardinality": 2,
            "max_vms": 4,
            "cooldown": 1,
            "parents": ["superlink"],
            "template_contents": CONTENTS,
        },
    ],
}


@pytest.fixture
def site(tenant: Site) -> Site:
    """The tenant's view of a stand-in that has the VM template that TEMPLATE uses."""
    tenant.run(vm_template, name="vm", cpu=0.1, memory=64, disks=[{"image": "flower-debian-12"}])
    return tenant


def test_life_of_a_service_template(site: Site) -> None:
    supernode = {**TEMPLATE["roles"][1], "cardinality": 3, "template_contents": {**CONTENTS, "MEMORY": 96}}
    update = {
        "description": "second",
        "mode": "640",
        "user_inputs": {"OTHER": "M|text|Other| |x"},
        "roles": [TEMPLATE["roles"][0], supernode],
    }
    template = site.lifecycle(oneflow_template, "service_template", create=TEMPLATE, update=update)
    assert template["mode"] == "640"
    assert template["uname"] == "flower"
    assert template["body"]["name"] == "renamed"
    assert template["body"]["user_inputs"] == {"OTHER": "M|text|Other| |x"}
    assert template["body"]["roles"][1]["cardinality"] == 3


def test_a_second_run_takes_two_calls(site: Site) -> None:
    site.run(oneflow_template, **TEMPLATE)
    assert not site.run(oneflow_template, **TEMPLATE)["changed"]
    assert (site.calls, site.flow_calls) == (["templatepool.info"], ["GET /service_template"])


def test_the_registration_time_stays(site: Site) -> None:
    before = site.run(oneflow_template, **TEMPLATE)["service_template"]["body"]["registration_time"]
    changed = site.run(oneflow_template, **{**TEMPLATE, "description": "new"})
    assert changed["changed"]
    assert changed["service_template"]["body"]["registration_time"] == before


def test_owner_and_group_and_id_0(admin: Site) -> None:
    admin.run(vm_template, name="vm", cpu=0.1, memory=64, disks=[{"image": "flower-debian-12"}])
    made = admin.run(oneflow_template, **TEMPLATE, owner="flower")
    assert made["service_template"]["id"] == 0
    assert made["service_template"]["uname"] == "flower"
    assert made["service_template"]["gname"] == "oneadmin", "chown without a group would have moved it to group 0 too"
    moved = admin.run(oneflow_template, id=0, group="flower")
    assert (moved["changed"], moved["service_template"]["gname"]) == (True, "flower")
    kept = admin.run(oneflow_template, id=0, owner="0")["service_template"]
    assert (kept["uname"], kept["gname"]) == ("oneadmin", "flower")
    assert admin.run(oneflow_template, id=0, owner="0", group="0")["service_template"]["gid"] == 0
    assert not admin.run(oneflow_template, id=0, owner="oneadmin", group="oneadmin")["changed"]


def test_a_refused_action_that_answers_204_is_an_error(site: Site) -> None:
    site.run(oneflow_template, **TEMPLATE)
    failed = site.fail(oneflow_template, **TEMPLATE, owner="oneadmin")
    assert "could not list the users" in failed["msg"], "a tenant gives ids"
    failed = site.fail(oneflow_template, id=0, owner="0")
    assert failed["failure"]["code"] == "not_applied"
    assert "still has {'owner': '2'}" in failed["msg"]


def test_a_template_of_another_tenant_cannot_be_read(site: Site, admin: Site) -> None:
    admin.run(oneflow_template, **{**TEMPLATE, "name": "private"})
    failed = site.fail(oneflow_template, id=0, description="mine")
    assert failed["failure"]["code"] == "not_authorized"
    assert "Not authorized to perform USE DOCUMENT [0]" in failed["msg"]


def test_wrong_credentials(standin: Any) -> None:
    site = Site(standin, ("flower", "wrong-secret"))
    failed = site.fail(oneflow_template, **TEMPLATE)
    assert failed["failure"]["code"] == "authentication_failed"
    assert "Invalid credentials" in failed["msg"]
    assert standin.flow_endpoint in failed["msg"]


def test_the_servers_refusal_is_quoted(site: Site) -> None:
    policy = {"type": "CHANGE", "adjust": 1, "expression": ""}
    role = {"name": "a", "template": "vm", "min_vms": 1, "max_vms": 2, "elasticity_policies": [policy]}
    failed = site.fail(oneflow_template, **{**TEMPLATE, "roles": [role]})
    assert failed["failure"]["code"] == "invalid_input"
    assert failed["failure"]["server_message"]
    assert failed["failure"]["server_message"] in failed["msg"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": "x", "roles": [{"name": "a", "template": "vm", "template_id": 0}]}, "mutually exclusive"),
        ({"name": "x", "deployment": "sideways"}, "value of deployment must be one of: none, straight"),
        ({"name": "x", "mode": 640}, "three octal digits"),
        ({}, "one of the following is required: id, name"),
        ({"name": "x", "flow_endpoint": None}, "flow_endpoint is missing"),
        ({"name": ""}, "name is empty"),
    ],
)
def test_options_that_cannot_work(site: Site, options: dict[str, Any], text: str) -> None:
    assert text in site.fail(oneflow_template, **options)["msg"]
    assert site.writes == []


@pytest.mark.parametrize("fault", [{"garbage": "oneflow"}, {"drop": "oneflow"}])
def test_an_endpoint_that_talks_nonsense(site: Site, fault: dict[str, Any]) -> None:
    site.standin.faults.add(fault)
    failed = site.fail(oneflow_template, **TEMPLATE)
    assert failed["failure"]["code"] == "connection_failed"
    assert site.standin.flow_endpoint in failed["msg"]


def test_the_read_timeout(site: Site) -> None:
    site.standin.faults.add({"silence": "oneflow"})
    failed = site.fail(oneflow_template, **TEMPLATE, read_timeout=0.2)
    assert "no answer within read_timeout=0.2 s" in failed["msg"]
    site.standin.faults.clear()


def test_xmlrpc_endpoint_given_as_flow_endpoint(site: Site) -> None:
    failed = site.fail(oneflow_template, **TEMPLATE, flow_endpoint=site.standin.endpoint)
    assert failed["failure"]["code"] == "connection_failed"
    assert "flow_endpoint" in failed["msg"]


def test_info(site: Site) -> None:
    assert site.run(oneflow_template_info)["service_templates"] == []
    made = site.run(oneflow_template, **TEMPLATE)["service_template"]
    other = site.run(oneflow_template, **{**TEMPLATE, "name": "other"})["service_template"]
    assert site.run(oneflow_template_info)["service_templates"] == [made, other]
    assert site.flow_calls == ["GET /service_template"]
    assert site.run(oneflow_template_info, name="other")["service_templates"] == [other]
    assert site.run(oneflow_template_info, id=0)["service_templates"] == [made]
    assert site.flow_calls == ["GET /service_template/0"]
    assert site.run(oneflow_template_info, id=99)["service_templates"] == []
    assert site.run(oneflow_template_info, name="ghost", check=True)["service_templates"] == []
    assert site.writes == []
