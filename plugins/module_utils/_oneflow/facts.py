# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a service's document and one look at its VMs tell.

OneFlow knows neither states nor addresses of VMs and its copy of their names grows old, so these come from XML-RPC.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import Document, as_list, identity
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.states import (
    COMING_UP,
    FAILED_ROLE,
    FAILED_UP,
    ServiceState,
    role_state_name,
    service_state,
    service_state_name,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.values import networks_of
from ansible_collections.fact8ra.flower.plugins.module_utils._vms import Vm, vms_of
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_dict, as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import is_id

LOG_LINES = 5


def state_of(body: Mapping[str, Any]) -> ServiceState | None:
    """Return the state in a service's body; None for a number that this release does not know."""
    return service_state(body.get("state"))


def failed_roles(body: Mapping[str, Any]) -> list[str]:
    """Return the names of the roles that failed."""
    roles = [role for role in as_list(body.get("roles")) if isinstance(role, Mapping)]
    return [str(role.get("name")) for role in roles if as_int(role.get("state")) in FAILED_ROLE]


def failed_on_the_way_up(body: Mapping[str, Any]) -> bool:
    """Tell whether a service has failed while it was deployed or scaled, whatever its own state says."""
    state = state_of(body)
    return state in FAILED_UP or (state in COMING_UP and bool(failed_roles(body)))


def log_of(body: Mapping[str, Any]) -> list[str]:
    """Return the last lines of a service's log, as "E: text"; the reason of a failure is nowhere else."""
    entries = [entry for entry in as_list(body.get("log")) if isinstance(entry, Mapping)]
    return [f"{entry.get('severity', '?')}: {entry.get('message', '')}" for entry in entries[-LOG_LINES:]]


def node_ids(body: Mapping[str, Any]) -> list[int]:
    """Return the ids of a service's VMs; a role has no ``nodes`` before its deployment starts."""
    roles = [role for role in as_list(body.get("roles")) if isinstance(role, Mapping)]
    nodes = [node for role in roles for node in as_list(role.get("nodes")) if isinstance(node, Mapping)]
    return [int(node["deploy_id"]) for node in nodes if is_id(node.get("deploy_id"))]


def service_vms(client: Client, ids: list[int]) -> dict[int, Vm]:
    """Return the VMs with these ids, by id, with one call; one that is gone or hidden is missing."""
    if not ids:
        return {}
    answer = client.call("vmpool.infoextended", -2, min(ids), max(ids), -1, "", what="list the VMs of the service")
    return {vm.id: vm for vm in vms_of(answer) if vm.id in ids}


def facts(found: Document, vms: Mapping[int, Vm]) -> dict[str, Any]:
    """Return a service as the modules return it."""
    body = found.body
    return {
        **identity(found),
        "state": service_state_name(body.get("state")),
        "state_id": body.get("state"),
        "roles": [_role_facts(role, vms) for role in as_list(body.get("roles"))],
        "networks": networks_of(body),
        "log": log_of(body),
    }


def _role_facts(role: Mapping[str, Any], vms: Mapping[int, Vm]) -> dict[str, Any]:
    return {
        "name": role.get("name"),
        "state": role_state_name(role.get("state", 0)),
        "cardinality": as_int(role.get("cardinality")) or 0,
        "vms": role_vms(role, vms),
    }


def role_vms(role: Mapping[str, Any], vms: Mapping[int, Vm]) -> list[dict[str, Any]]:
    """Return the VMs of a role as the modules return them, in OneFlow's order, which is that of their making."""
    return [_vm_facts(number, vms.get(number), role) for number in node_ids({"roles": [role]})]


def _vm_facts(number: int, vm: Vm | None, role: Mapping[str, Any]) -> dict[str, Any]:
    if vm is None:
        # What OneFlow remembers of it; it may be out of date.
        names = [
            as_dict(node.get("vm_info"), "VM").get("NAME")
            for node in as_list(role.get("nodes"))
            if isinstance(node, Mapping) and str(node.get("deploy_id")) == str(number)
        ]
        return {"id": number, "name": names[0] if names else None, "state": None, "lcm_state": None, "addresses": []}
    return {
        "id": vm.id,
        "name": vm.name,
        "state": vm.state_name,
        "lcm_state": vm.lcm_state_name,
        "addresses": vm.addresses,
    }
