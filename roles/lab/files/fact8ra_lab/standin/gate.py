# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneGate: what a VM may read and write. Source: src/onegate/onegate-server.rb of OpenNebula 7.4, default permissions.

The trust is as wide as upstream's: a VM may read, update and stop every VM of its service and may scale the service.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from . import gatetoken
from .access import Caller
from .cloud import Cloud
from .errors import CallError
from .faults import Faults
from .flow.answers import Answer
from .flow.errors import FlowError, RubyError
from .flow.lcm import Lcm
from .flow.service import Service
from .model import VM, User
from .rpc import Rpc
from .template import Template, TemplateError, parse

_JSON: Final = "application/json;charset=utf-8"
_RESTRICTED: Final = ("SCHED_REQUIREMENTS", "SERVICE_ID", "ROLE_NAME")
_NIC_KEYS: Final = (
    "IP", "IP6_LINK", "IP6_SITE", "IP6_GLOBAL", "NETWORK", "MAC", "NAME", "PARENT", "EXTERNAL", "EXTERNAL_IP",
)  # fmt: skip
_ACTIONS: Final = {
    "hold": "hold", "resume": "resume", "release": "release", "stop": "stop", "suspend": "suspend",
    "terminate": "terminate", "reboot": "reboot", "poweroff": "poweroff", "undeploy": "undeploy", "resched": "resched",
    "unresched": "unresched", "delete": "terminate-hard", "shutdown": "terminate",
}  # fmt: skip


class _Halt(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def _plain(template: Template) -> dict[str, Any]:
    return {key: list(values) if len(values) > 1 else values[0] for key, values in template.items()}


def _quoted(text: str) -> str:
    """KEY=value lines as a template, the way that upstream adds quotes (escape_attr), with all that it spoils.

    A comma, a bracket or a backslash within a value ends its quotes, whether or not they were given, and so does an
    equals sign within quotes; within a value that came without quotes an equals sign is as good as any letter.
    """
    result, open_value = [], False
    for place, letter in enumerate(text):
        before, after = text[place - 1], text[place + 1 : place + 2]
        if letter == "=" and not open_value and after not in ("[", '"'):
            result.append('="')
            open_value = True
        elif (letter in ",\\\n" and before != '"') or (letter in "[]" and before not in '="'):
            result.append(f'"{letter}')
            open_value = open_value and letter in ",["
        else:
            result.append(letter)
    quoted = "".join(result).replace("\\n", "\n")
    return f'{quoted}"' if open_value and quoted[-1] not in ']"' else quoted


class Gate:
    """Answers requests."""

    def __init__(self, cloud: Cloud, rpc: Rpc, lcm: Lcm, faults: Faults) -> None:
        self.cloud = cloud
        self.rpc = rpc
        self.lcm = lcm
        self.faults = faults
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
            ("GET", re.compile("/"), self._root),
            ("GET", re.compile("/vm"), self._get_vm),
            ("PUT", re.compile("/vm"), self._put_vm),
            ("GET", re.compile("/service"), self._get_service),
            ("PUT", re.compile("/service/role/([^/]+)"), self._put_role),
            ("GET", re.compile(r"/vms/(\d+)"), self._get_other),
            ("PUT", re.compile(r"/vms/(\d+)"), self._put_other),
            ("POST", re.compile(r"/vms/(\d+)/action"), self._act_on_other),
        ]

    def handle(self, verb: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: str) -> Answer:
        """The answer to a request."""
        for method, pattern, handler in self._routes:
            found = pattern.fullmatch(path)
            if method == verb and found:
                try:
                    with self.cloud.change():
                        caller, vm = self._authenticate(headers)
                        return handler(caller, vm, query, body, *found.groups())
                except _Halt as halt:
                    return Answer(halt.status, halt.text, _JSON)
                except CallError as error:
                    return Answer(500, error.text, _JSON)
        return Answer(400, "OneGate server doesn't support this feature", _JSON)

    def _authenticate(self, headers: Mapping[str, str]) -> tuple[Caller, VM]:
        given, number = headers.get("X-ONEGATE-TOKEN"), headers.get("X-ONEGATE-VMID", "")
        vm = self.cloud.pool(VM).get(int(number)) if number.isdigit() else None
        if not given or vm is None:
            raise _Halt(401, "Not authorized")
        creator = self.cloud.pool(User).get(int(vm.template.text("CREATED_BY", "-1")))
        if creator is None or not gatetoken.valid(creator, vm, given):
            raise _Halt(401, "Not authorized")
        owner = self.cloud.pool(User).get(vm.uid)
        if owner is None:
            raise _Halt(401, "Not authorized")
        return self.cloud.caller(owner), vm

    # ---------------------------------------------------------------------------------------------------------- reads

    def _root(self, caller: Caller, vm: VM, query: Mapping[str, str], body: str) -> Answer:
        base = self.cloud.gate_endpoint
        return Answer(200, json.dumps({"vm_info": f"{base}/vm", "service_info": f"{base}/service"}), _JSON)

    @staticmethod
    def _vm_json(vm: VM) -> str:
        nics = [{key: nic[key] for key in _NIC_KEYS if key in nic} for nic in vm.template.vectors("NIC")]
        user = _plain(vm.user_template)
        user.pop("SCHED_MESSAGE", None)
        content = {
            "NAME": vm.name,
            "ID": str(vm.id),
            "STATE": str(vm.state),
            "LCM_STATE": str(vm.lcm),
            "USER_TEMPLATE": user,
            "TEMPLATE": {"NIC": nics, "NIC_ALIAS": []},
        }
        return json.dumps({"VM": content})

    def _get_vm(self, caller: Caller, vm: VM, query: Mapping[str, str], body: str) -> Answer:
        return Answer(200, self._vm_json(vm), _JSON)

    def _service_of(self, caller: Caller, vm: VM, wanted: int) -> Service:
        number = vm.user_template.text("SERVICE_ID")
        if not number.isdigit():
            raise _Halt(400, "Empty or invalid SERVICE_ID")
        try:
            service = self.lcm.get(caller, int(number))
        except FlowError as error:
            raise _Halt(404, f"Service {number} not found") from error
        if wanted not in {vm_id for role in service.roles.values() for vm_id in role.vm_ids}:
            raise _Halt(400, f"Service {number} does not contain VM {wanted}.")
        return service

    def _get_service(self, caller: Caller, vm: VM, query: Mapping[str, str], body: str) -> Answer:
        service = self._service_of(caller, vm, vm.id)
        roles = []
        for role in service.roles.values():
            nodes = []
            for node in role.nodes:
                info = node["vm_info"]
                other = self.cloud.pool(VM).get(node["deploy_id"])
                if query.get("extended") and other:
                    info = {
                        "VM": json.loads(self._vm_json(other))["VM"]
                        | {"TEMPLATE": _plain(other.template), "USER_TEMPLATE": _plain(other.user_template)}
                    }
                nodes.append({"deploy_id": node["deploy_id"], "running": node.get("running"), "vm_info": info})
            roles.append(
                {
                    "name": role.name,
                    "cardinality": role.cardinality,
                    "state": role.body["state"],
                    "nodes": nodes,
                }
            )
        content = {
            "name": service.document.name,
            "id": str(service.id),
            "state": service.body.get("state"),
            "roles": roles,
        }
        return Answer(200, json.dumps({"SERVICE": content}), _JSON)

    def _other(self, caller: Caller, vm: VM, number: str) -> VM:
        wanted = int(number)
        if wanted == vm.id:
            return vm
        if not vm.user_template.text("SERVICE_ID"):
            raise _Halt(
                400,
                "This VM does not belong to any Virtual Router or Service, so it cannot retrieve information from other"
                " VMs",
            )
        self._service_of(caller, vm, wanted)
        try:
            return self.rpc.read(caller, "one.vm.info", VM, wanted)
        except CallError as error:
            raise _Halt(404, error.text) from error

    def _get_other(self, caller: Caller, vm: VM, query: Mapping[str, str], body: str, number: str) -> Answer:
        return Answer(200, self._vm_json(self._other(caller, vm, number)), _JSON)

    # --------------------------------------------------------------------------------------------------------- writes

    def _update(self, caller: Caller, vm: VM, query: Mapping[str, str], body: str) -> Answer:
        text = query.get("data", body)
        if query.get("type", "1") == "1":
            return self._append(caller, vm, _quoted(text))
        key = text.strip()
        if key.upper() in _RESTRICTED:
            raise _Halt(403, f"Attribute ({key}) cannot be deleted")
        if key not in vm.user_template:
            raise _Halt(500, "attribute not found")
        del vm.user_template[key]
        self.cloud.touch(vm)
        return Answer(200, "", _JSON)

    def _append(self, caller: Caller, vm: VM, text: str) -> Answer:
        for line in text.split("\n"):
            key = line.partition("=")[0]
            if key.strip().upper() in _RESTRICTED:
                raise _Halt(403, f"Attribute ({key}) cannot be modified")
        try:
            attributes = parse(text)
        except TemplateError as error:
            raise _Halt(500, f"[one.vm.update] {error}") from error
        names = (vm.user_template.text("ROLE_NAME"), vm.name)
        if "READY" in attributes and self.faults.active("no_ready", *names):
            attributes.pop("READY")
            text = ""
        if text:
            self.rpc.call(caller, "one.vm.update", vm.id, text, 1)
        return Answer(200, "", _JSON)

    def _put_vm(self, caller: Caller, vm: VM, query: Mapping[str, str], body: str) -> Answer:
        return self._update(caller, vm, query, body)

    def _put_other(self, caller: Caller, vm: VM, query: Mapping[str, str], body: str, number: str) -> Answer:
        return self._update(caller, self._other(caller, vm, number), query, body)

    def _act_on_other(self, caller: Caller, vm: VM, query: Mapping[str, str], body: str, number: str) -> Answer:
        other = self._other(caller, vm, number)
        try:
            action = json.loads(body)["action"]
        except (ValueError, KeyError, TypeError) as error:
            raise _Halt(400, "Error parsing JSON: Wrong resource type") from error
        name = _ACTIONS.get(str(action.get("perform")))
        if name is None:
            raise _Halt(500, f"{action.get('perform')} action not  available for this resource")
        hard = action.get("params") is True and name in ("terminate", "reboot", "poweroff", "undeploy")
        self.rpc.call(caller, "one.vm.action", f"{name}-hard" if hard else name, other.id)
        return Answer(204, "", None)

    def _put_role(self, caller: Caller, vm: VM, query: Mapping[str, str], body: str, role: str) -> Answer:
        service = self._service_of(caller, vm, vm.id)
        try:
            cardinality = int(json.loads(body)["cardinality"])
            self.lcm.scale(caller, service.id, str(service.id), role, cardinality, False)
        except (FlowError, RubyError, ValueError, KeyError, TypeError) as error:
            raise _Halt(400, f"Error performing action on service {service.id} role {role}") from error
        return Answer(200, "", _JSON)
