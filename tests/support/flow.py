# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A OneFlow that answers from a script: the exact calls in their order, and documents as 7.4.0 sends them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import OneFlow

ANY = object()
"""A body that a test does not look at."""


@dataclass(frozen=True)
class Step:
    """One expected call and its answer."""

    method: str
    path: str
    status: int
    answer: Any
    body: Any = ANY


class FlowScript(OneFlow):
    """Answers the steps in order; a call that is missing, extra or out of order fails the test."""

    def __init__(self, *steps: Step, username: str = "flower") -> None:
        super().__init__(Target("http://one:2474", username, "secret"))
        self.steps = list(steps)
        self.writes: list[tuple[str, str, Any]] = []

    def _fetch(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        assert self.steps, f"unexpected call {method} {path}"
        step = self.steps.pop(0)
        assert (method, path) == (step.method, step.path)
        if step.body is not ANY:
            assert json.loads(json.dumps(body)) == step.body
        if method != "GET":
            self.writes.append((method, path, body))
        return step.status, step.answer

    def done(self) -> None:
        """Fail when a step was not called."""
        assert not self.steps, f"not called: {[(step.method, step.path) for step in self.steps]}"


def get(path: str, answer: Any, status: int = 200) -> Step:
    """A read."""
    return Step("GET", path, status, answer)


def missing(path: str) -> Step:
    """A read of a document that is not there, as OneFlow says it."""
    number = path.rpartition("/")[2]
    return Step("GET", path, 404, f"[one.document.info] Error getting document [{number}].")


def action(path: str, perform: str, params: Mapping[str, Any], status: int = 204, answer: Any = None) -> Step:
    """An action, with exactly these params."""
    return Step("POST", f"{path}/action", status, answer, {"action": {"perform": perform, "params": dict(params)}})


def pool(*documents: Mapping[str, Any]) -> dict[str, Any]:
    """A list; an empty one has no DOCUMENT."""
    return {"DOCUMENT_POOL": {"DOCUMENT": [one["DOCUMENT"] for one in documents]} if documents else {}}


def document(
    number: int, name: str, body: Mapping[str, Any], *, kind: int, owner: str = "flower", mode: str = "600"
) -> dict[str, Any]:
    """A document; owner "oneadmin" has uid and gid 0, all others 2 and 100."""
    bits = {
        f"{who}_{right}": str(int(digit) >> shift & 1)
        for who, digit in zip(("OWNER", "GROUP", "OTHER"), mode, strict=True)
        for right, shift in (("U", 2), ("M", 1), ("A", 0))
    }
    return {
        "DOCUMENT": {
            "ID": str(number),
            "UID": "0" if owner == "oneadmin" else "2",
            "GID": "0" if owner == "oneadmin" else "100",
            "UNAME": owner,
            "GNAME": owner,
            "NAME": name,
            "TYPE": str(kind),
            "PERMISSIONS": bits,
            "TEMPLATE": {"BODY": dict(body)},
        }
    }


def template(number: int = 5, name: str = "flower", body: Mapping[str, Any] | None = None, **more: Any) -> Any:
    """A service template."""
    return document(number, name, TEMPLATE_BODY if body is None else body, kind=101, **more)


def service(
    number: int = 7,
    state: int = 2,
    *,
    name: str = "fed",
    cardinality: int = 1,
    vms: bool = True,
    log: list[str] | None = None,
    more: Mapping[str, Any] | None = None,
    **envelope: Any,
) -> Any:
    """A service of TEMPLATE_BODY with VM 10 (superlink) and 11, 12, ... (supernode)."""
    body: dict[str, Any] = json.loads(json.dumps(TEMPLATE_BODY))
    numbers = iter(range(10, 99))
    for role in body["roles"]:
        role["state"] = state if state <= 10 else 0
        if role["name"] == "supernode":
            role["cardinality"] = cardinality
        if vms:
            role["nodes"] = [_node(role["name"], at, next(numbers), number) for at in range(role["cardinality"])]
    body.update(
        state=state,
        networks_values=[{"Private": {"id": 1}}],
        user_inputs_values={"VERSION": "1.41.0"},
        start_time=1795492210,
    )
    if log is not None:
        body["log"] = [{"timestamp": 1, "severity": line[0], "message": line[3:]} for line in log]
    return document(number, name, {**body, **(more or {})}, kind=100, **envelope)


def _node(role: str, at: int, number: int, service_id: int) -> dict[str, Any]:
    vm = {"ID": str(number), "UNAME": "flower", "NAME": f"{role}_{at}_(service_{service_id})"}
    return {"deploy_id": number, "vm_info": {"VM": vm}}


def vm(
    number: int,
    name: str,
    *,
    service_id: int | None = 7,
    role: str = "supernode",
    state: int = 3,
    lcm_state: int = 3,
    nics: Any = None,
    error: str = "",
) -> dict[str, Any]:
    """A VM as oned's answer is parsed; one NIC on network 1 by default."""
    user: dict[str, Any] = {} if service_id is None else {"SERVICE_ID": str(service_id), "ROLE_NAME": role}
    if error:
        user["ERROR"] = error
    default = {"NETWORK": "lan", "NETWORK_ID": "1", "IP": f"10.0.0.{number}", "MAC": "02:00:0a:00:00:01"}
    return {
        "ID": str(number),
        "NAME": name,
        "UNAME": "flower",
        "GNAME": "flower",
        "STATE": str(state),
        "LCM_STATE": str(lcm_state),
        "TEMPLATE": {"NIC": default if nics is None else nics},
        "USER_TEMPLATE": user or "",
    }


TEMPLATE_BODY: dict[str, Any] = {
    "name": "flower",
    "deployment": "straight",
    "description": "",
    "ready_status_gate": False,
    "networks": {"Private": "M|network|Federation network| |id:"},
    "user_inputs": {"VERSION": "O|text|Flower version| |1.41.0"},
    "roles": [
        {
            "name": "superlink",
            "type": "vm",
            "cardinality": 1,
            "template_id": 2,
            "min_vms": 1,
            "max_vms": 1,
            "template_contents": {"NIC": [{"NAME": "_NIC0", "NETWORK_ID": "$Private"}]},
        },
        {
            "name": "supernode",
            "type": "vm",
            "cardinality": 1,
            "template_id": 2,
            "parents": ["superlink"],
            "max_vms": 4,
            "cooldown": 1,
            "template_contents": {"NIC": [{"NAME": "_NIC0", "NETWORK_ID": "$Private"}]},
        },
    ],
    "registration_time": 1795492188,
}
