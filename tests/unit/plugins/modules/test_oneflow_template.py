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
    assert "user 'flower' may use none of that name" in failed["msg"], "a tenant gives ids"
    failed = site.fail(oneflow_template, id=0, owner="0")
    assert failed["failure"]["code"] == "not_applied"
    assert "still has {'owner': '2'}" in failed["msg"]


def test_a_template_of_another_tenant_cannot_be_read(site: Site, admin: Site) -> None:
    admin.run(oneflow_template, **{**TEMPLATE, "name": "private"})
    failed = site.fail(oneflow_template, id=0, description="mine")
    assert failed["failure"]["code"] == "not_authorized"
    assert "Not authorized to perform USE DOCUMENT [0]" in failed["msg"]


POLICIES: dict[str, Any] = {
    "min_vms": 1,
    "max_vms": 4,
    "elasticity_policies": [
        {"type": "CHANGE", "adjust": 1, "expression": "CPU > 80", "period_number": 3, "period": 60, "cooldown": 5}
    ],
    "scheduled_policies": [
        {"type": "PERCENTAGE_CHANGE", "adjust": -50, "min_adjust_step": 1, "recurrence": "0 20 * * *"},
        {"type": "CARDINALITY", "adjust": 2, "start_time": "2027-01-31 08:00:00"},
    ],
}


def test_all_of_the_body(site: Site) -> None:
    router = {"name": "router", "type": "vr", "template": "vm", "attributes": {"note": "kept"}}
    options = {
        **TEMPLATE,
        "automatic_deletion": True,
        "labels": ["a", "b"],
        "attributes": {"on_hold": False, "vendor": {"x": 1}},
        "roles": [TEMPLATE["roles"][0], {**TEMPLATE["roles"][1], **POLICIES}, router],
    }
    predicted = site.run(oneflow_template, check=True, diff=True, **options)
    assert site.writes == []
    done = site.run(oneflow_template, diff=True, **options)
    assert (done["diff"], site.writes) == (predicted["diff"], ["POST /service_template"])
    body = done["service_template"]["body"]
    assert (body["automatic_deletion"], body["labels"], body["vendor"]) == (True, "a,b", {"x": 1})
    supernode, made = body["roles"][1:]
    assert {key: supernode[key] for key in POLICIES} == POLICIES
    assert (made["type"], made["note"]) == ("vr", "kept")
    assert not site.run(oneflow_template, **options)["changed"]
    assert site.writes == []
    assert not site.run(oneflow_template, name="flower", automatic_deletion=True)["changed"]
    fewer = site.run(oneflow_template, name="flower", labels=[], attributes={"vendor": {}})
    assert (fewer["changed"], site.writes) == (True, ["PUT /service_template/0"])
    assert not site.run(oneflow_template, name="flower", labels=[], attributes={"vendor": {}})["changed"]


def test_a_copy(site: Site) -> None:
    site.run(oneflow_template, **TEMPLATE)
    options: dict[str, Any] = {"name": "copy", "clone_of": "flower", "description": "mine", "mode": "640"}
    predicted = site.run(oneflow_template, check=True, diff=True, **options)
    assert (predicted["changed"], site.writes) == (True, [])
    done = site.run(oneflow_template, diff=True, **options)
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert site.flow_calls == [
        "GET /service_template",
        "POST /service_template/0/action",
        "PUT /service_template/1",
        "GET /service_template/1",
        "POST /service_template/1/action",
        "GET /service_template/1",
    ]
    copy = done["service_template"]
    assert (copy["id"], copy["name"], copy["mode"]) == (1, "copy", "640")
    assert (copy["body"]["name"], copy["body"]["description"]) == ("copy", "mine")
    assert copy["body"]["roles"] == site.run(oneflow_template_info, id=0)["service_templates"][0]["body"]["roles"]
    again = site.run(oneflow_template, **options)
    assert (again["changed"], site.flow_calls) == (False, ["GET /service_template"])
    by_id = site.run(oneflow_template, name="other", clone_of="0")
    assert by_id["service_template"]["id"] == 2
    for source, text in (("ghost", "clone_of names the service template 'ghost'"), ("4242", "with id 4242 (clone_of)")):
        assert text in site.fail(oneflow_template, name="x", clone_of=source)["msg"]
        assert site.writes == []


def test_a_copy_with_its_vm_templates(site: Site) -> None:
    site.run(oneflow_template, **TEMPLATE)
    copy = site.run(oneflow_template, name="copy", clone_of="flower", clone_vm_templates="templates")
    assert [role["template_id"] for role in copy["service_template"]["body"]["roles"]] == [1, 1]


@pytest.mark.parametrize(("options", "field"), [({"name": "other"}, "name"), ({"mode": "640"}, "mode")])
def test_success_that_changes_nothing_is_an_error(site: Site, options: dict[str, Any], field: str) -> None:
    site.run(oneflow_template, **TEMPLATE)
    site.standin.faults.add({"lie": "POST /service_template/0/action"})
    failed = site.fail(oneflow_template, id=0, **options)
    assert failed["failure"]["code"] == "not_applied"
    assert field in failed["msg"]


def test_a_removal_that_removes_nothing_is_an_error(site: Site) -> None:
    site.run(oneflow_template, **TEMPLATE)
    site.standin.faults.add({"lie": "DELETE /service_template/0"})
    assert site.fail(oneflow_template, name="flower", state="absent")["failure"]["code"] == "not_applied"


@pytest.mark.parametrize("what", ["none", "templates"])
def test_removed_with_or_without_vm_templates(site: Site, what: str) -> None:
    site.run(oneflow_template, **TEMPLATE)
    site.run(oneflow_template, name="flower", state="absent", delete_vm_templates=what)
    assert site.writes == ["DELETE /service_template/0"]
    assert ("<VMTEMPLATE>" in site.standin.one("one.templatepool.info", -2, -1, -1)) == (what == "none")


def _role(**given: Any) -> dict[str, Any]:
    return {"roles": [{"name": "a", "template": "vm", **given}]}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (_role(elasticity_policies=POLICIES["elasticity_policies"]), "which need both min_vms and max_vms"),
        (_role(scheduled_policies=[{"type": "CHANGE", "adjust": 1}]), "one of the following is required"),
        (
            _role(scheduled_policies=[{"type": "CHANGE", "adjust": 1, "recurrence": "x", "start_time": "y"}]),
            "exclusive",
        ),
        (_role(elasticity_policies=[{"type": "MORE", "adjust": 1, "expression": "A > 1"}]), "must be one of: CHANGE"),
        (_role(type="vr", max_vms=2), "does not scale; leave out max_vms"),
        (_role(type="vr", cardinality=2, template_contents=CONTENTS), "then needs FLOATING_IP"),
        (_role(attributes={"cardinality": 2}), "'cardinality' cannot be given here"),
        ({**_role(), "attributes": {"roles": []}}, "'roles' cannot be given here"),
        ({**_role(), "attributes": {"custom_attrs": {}}}, "'custom_attrs' cannot be given here"),
    ],
)
def test_what_oneflow_would_refuse_or_misread_is_refused_before(site: Site, options: Any, text: str) -> None:
    assert text in site.fail(oneflow_template, name="x", **options)["msg"]
    assert site.writes == []


def test_opennebula_6_has_no_roles_of_routers(standin_of: Any) -> None:
    standin = standin_of("6.10.0")
    site = Site(standin, standin.tenant)
    site.run(vm_template, name="vm", cpu=0.1, memory=64, disks=[{"image": "flower-debian-12"}])
    failed = site.fail(oneflow_template, name="x", **_role(type="vr"))
    assert "OpenNebula 6.10.0, which has no virtual router roles" in failed["msg"]
    assert site.writes == []


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
