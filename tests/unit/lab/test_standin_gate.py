# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneGate, with the trust between the VMs of a service that upstream has."""

from __future__ import annotations

import json
from typing import Any

import pytest


@pytest.fixture
def service(flow: Any) -> int:
    """A running service."""
    number: int = flow.run()
    flow.reach(number, 2)
    return number


@pytest.fixture
def guest(flow: Any, service: int, gate: Any) -> Any:
    """The first SuperNode of the service."""
    return gate(flow, flow.vm_ids(service, "supernode")[0])


def test_own_vm(guest: Any) -> None:
    status, text = guest.send("GET", "/vm")
    vm = json.loads(text)["VM"]
    assert (status, vm["ID"], vm["USER_TEMPLATE"]["ROLE_NAME"]) == (200, str(guest.vm), "supernode")
    assert vm["TEMPLATE"]["NIC"][0]["IP"] == "10.0.0.11"


def test_update_adds_quotes(guest: Any) -> None:
    assert guest.send("PUT", "/vm", "FL_ENDPOINT=10.0.0.1:9092 and more\nREADY=YES") == (200, "")
    user = json.loads(guest.send("GET", "/vm")[1])["VM"]["USER_TEMPLATE"]
    assert (user["FL_ENDPOINT"], user["READY"]) == ("10.0.0.1:9092 and more", "YES")
    assert guest.send("PUT", "/vm?type=2", "FL_ENDPOINT") == (200, "")
    assert "FL_ENDPOINT" not in json.loads(guest.send("GET", "/vm")[1])["VM"]["USER_TEMPLATE"]
    assert guest.send("PUT", "/vm?type=2", "FL_ENDPOINT") == (500, "attribute not found")


def test_restricted_attributes(guest: Any) -> None:
    assert guest.send("PUT", "/vm", "SERVICE_ID=7") == (403, "Attribute (SERVICE_ID) cannot be modified")


def test_service_and_siblings(flow: Any, service: int, guest: Any) -> None:
    answer = json.loads(guest.send("GET", "/service")[1])["SERVICE"]
    assert (answer["name"], answer["id"], answer["state"]) == ("fed", str(service), 2)
    assert [(role["name"], len(role["nodes"])) for role in answer["roles"]] == [("superlink", 1), ("supernode", 2)]
    sibling = flow.vm_ids(service, "superlink")[0]
    assert guest.send("PUT", f"/vms/{sibling}", "FL_CA=evil") == (200, "")
    assert "<FL_CA><![CDATA[evil]]></FL_CA>" in flow.vm(sibling)
    assert json.loads(guest.send("GET", f"/vms/{sibling}")[1])["VM"]["ID"] == str(sibling)
    action = json.dumps({"action": {"perform": "poweroff", "params": True}})
    assert guest.send("POST", f"/vms/{sibling}/action", action) == (204, "")
    flow.reach(service, 4)


def test_strangers_are_out_of_reach(flow: Any, service: int, guest: Any, gate: Any) -> None:
    stranger = flow.standin.one(
        "one.template.instantiate", flow.template, "x", False, "", False, user=flow.standin.tenant
    )
    assert guest.send("GET", f"/vms/{stranger}") == (400, f"Service {service} does not contain VM {stranger}.")
    alone = gate(flow, stranger)
    assert alone.send("GET", "/service") == (400, "Empty or invalid SERVICE_ID")
    assert alone.send("GET", f"/vms/{guest.vm}")[0] == 400


def test_scaling_from_within(flow: Any, service: int, guest: Any) -> None:
    assert guest.send("PUT", "/service/role/supernode", json.dumps({"cardinality": 3})) == (200, "")
    flow.standin.until(lambda: len(flow.vm_ids(service, "supernode")) == 3)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-ONEGATE-TOKEN": "wrong"},
        {"X-ONEGATE-TOKEN": ""},
        {"X-ONEGATE-VMID": "0"},
        {"X-ONEGATE-VMID": "999"},
        {"X-ONEGATE-VMID": "x"},
    ],
)
def test_not_authorized(guest: Any, headers: dict[str, str]) -> None:
    assert guest.send("GET", "/vm", **headers) == (401, "Not authorized")


def test_unknown_route(guest: Any) -> None:
    assert guest.send("GET", "/nothing") == (400, "OneGate server doesn't support this feature")


def test_no_ready_swallows_the_report(flow: Any, guest: Any) -> None:
    flow.standin.one("one.vm.update", guest.vm, "", 0)
    flow.standin.faults.add({"no_ready": f"supernode_0_(service_{1})"})
    assert guest.send("PUT", "/vm", "READY=YES") == (200, "")
    assert "<READY>" not in flow.vm(guest.vm)
