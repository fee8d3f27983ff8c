# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A OneFlow client and a small federation for the tests of the stand-in."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import flow_rest
import pytest

from fact8ra_lab.standin import gatetoken
from fact8ra_lab.standin.model import VM, User
from fact8ra_lab.standin.testing import StandIn

NIC = [{"NAME": "_NIC0", "NETWORK_ID": "$Private"}]
NETWORK = (
    'NAME="net"\nVN_MAD="bridge"\nBRIDGE="br0"\nNETWORK_MASK="255.255.255.0"\nAR=[TYPE="IP4",IP="10.0.0.10",SIZE="50"]'
)
VM_TEMPLATE = (
    'NAME="node"\nCPU="0.1"\nMEMORY="64"\nDISK=[IMAGE="flower-debian-12",IMAGE_UNAME="oneadmin"]\n'
    'CONTEXT=[NETWORK="YES",TOKEN="YES",REPORT_READY="YES"]'
)


class Flow:
    """OneFlow as the tenant, and a federation's objects."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.net = standin.one("one.vn.allocate", NETWORK, -1, user=standin.tenant)
        self.template = standin.one("one.template.allocate", VM_TEMPLATE, user=standin.tenant)

    def rest(self, verb: str, path: str, body: Any = None, user: tuple[str, str] | None = None) -> tuple[int, Any]:
        """Status and body: JSON where it is, else text."""
        return flow_rest.ask(self.standin.flow_endpoint, user or self.standin.tenant, verb, path, body)

    def role(self, name: str, count: int = 1, **more: Any) -> dict[str, Any]:
        """A role on the tenant's network."""
        contents = {"NIC": [dict(nic) for nic in NIC]}
        return {
            "name": name, "type": "vm", "cardinality": count, "template_id": self.template, "min_vms": 1, "max_vms": 5,
            "cooldown": 1, "template_contents": contents, **more,
        }  # fmt: skip

    def define(self, **more: Any) -> int:
        """Makes a service template and returns its id."""
        body = {
            "name": "federation",
            "deployment": "straight",
            "shutdown_action": "terminate-hard",
            "networks": {"Private": "M|network| | |id:"},
            "roles": [self.role("superlink"), self.role("supernode", 2, parents=["superlink"])],
        }
        status, answer = self.rest("POST", "/service_template", body | more)
        assert status == 201, answer
        return int(answer["DOCUMENT"]["ID"])

    def instantiate(self, template: int, **merge: Any) -> tuple[int, Any]:
        """Instantiates a service template."""
        merged = {"name": "fed", "networks_values": [{"Private": {"id": self.net}}]} | merge
        params = {"merge_template": merged}
        return self.rest(
            "POST", f"/service_template/{template}/action", {"action": {"perform": "instantiate", "params": params}}
        )

    def run(self, **more: Any) -> int:
        """A new service; returns its id without waiting."""
        status, answer = self.instantiate(self.define(**more))
        assert status == 201, answer
        return int(answer["DOCUMENT"]["ID"])

    def body(self, service: int) -> dict[str, Any] | None:
        """The body of a service, or None where it is gone."""
        status, answer = self.rest("GET", f"/service/{service}")
        return answer["DOCUMENT"]["TEMPLATE"]["BODY"] if status == 200 else None

    def reach(self, service: int, state: int | None) -> dict[str, Any]:
        """Waits for a state, None for gone; returns the body."""
        seen: list[Any] = []

        def there() -> bool:
            body = self.body(service)
            seen.append(body)
            return (body["state"] if body else None) == state

        self.standin.until(there)
        return seen[-1] or {}

    def act(self, service: int, perform: str, **params: Any) -> tuple[int, Any]:
        """An action on a service."""
        return self.rest("POST", f"/service/{service}/action", {"action": {"perform": perform, "params": params}})

    def vm_ids(self, service: int, role: str) -> list[int]:
        """The VMs of a role."""
        roles = {item["name"]: item for item in (self.body(service) or {})["roles"]}
        return [node["deploy_id"] for node in roles[role]["nodes"]]

    def vm(self, number: int) -> str:
        """The XML of a VM."""
        xml: str = self.standin.one("one.vm.info", number, False)
        return xml


class Guest:
    """A VM that talks to OneGate."""

    def __init__(self, flow: Flow, vm: int) -> None:
        cloud = flow.standin.site.cloud
        self.base = flow.standin.gate_endpoint
        self.vm = vm
        item = cloud.pool(VM)[vm]
        self.token = gatetoken.token(cloud.pool(User)[item.uid], item)

    def send(self, verb: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str]:
        """Status and text."""
        given = {"X-ONEGATE-TOKEN": self.token, "X-ONEGATE-VMID": str(self.vm)} | headers
        data = None if body is None else body.encode()
        request = urllib.request.Request(self.base + path, method=verb, data=data, headers=given)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


@pytest.fixture
def gate() -> Callable[[Flow, int], Guest]:
    """Makes a VM that talks to OneGate."""
    return Guest


@pytest.fixture
def flow(standin: StandIn) -> Flow:
    """The tenant's OneFlow with a network and a VM template."""
    return Flow(standin)


@pytest.fixture
def make_flow() -> Callable[[StandIn], Flow]:
    """The same for a stand-in of the test's own."""
    return Flow
