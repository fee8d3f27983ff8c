# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a new service is made of: its service template and the full set of what is merged into that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, NotFound
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import TEMPLATE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.limits import check_body, check_vm_templates
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import Document, as_list
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.roles import Roles
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.values import (
    input_values,
    network_values,
    role_values,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import Objects


def service_template(params: Mapping[str, Any], flow: OneFlow, label: str) -> Document:
    """Return the service template that ``template`` or ``template_id`` of a module means.

    Raises:
        InvalidInput: neither is given.
        NotFound, Ambiguous: there is none, or there are several.
    """
    if params.get("template_id") is not None:
        template = flow.get(TEMPLATE, params["template_id"])
        if template is None:
            raise NotFound(
                f"{flow.endpoint}: there is no service template with id {params['template_id']} (template_id).",
                details={"option": "template_id", "id": params["template_id"]},
            )
        return template
    if params.get("template") is None:
        raise InvalidInput(
            f"{label} does not exist; to make it, give template or template_id.",
            details={"option": "template"},
        )
    return flow.referred(TEMPLATE, params["template"], "template")


def label_of(template: Document, flow: OneFlow) -> str:
    """Return a service template for messages."""
    return f"service template {template.name!r} (id {template.id}) at {flow.endpoint}"


def merge_template(
    params: Mapping[str, Any],
    template: Document,
    roles: Roles,
    network_id: Callable[[str, str], int | str],
    objects: Objects,
    where: str,
) -> dict[str, Any]:
    """Return what is merged into a service template; raises for all that would fail, or hang, later.

    Args:
        params: the module's options.
        roles: what they say of the roles.
        network_id: makes the id of a network's name (and the option's name for messages).
        objects: knows the VM templates.
        where: the service template in messages.
    """
    body = template.body
    declared = as_list(body.get("roles"))
    values = role_values(declared, list(roles.kept.values()), where)
    by_name = {role["name"]: role for role in values}
    check_body({**body, "roles": [{**role, **by_name[role["name"]]} for role in declared]}, where)
    merged: dict[str, Any] = {"name": params["name"]}
    inputs = input_values(body.get("user_inputs") or {}, params.get("user_inputs") or {}, where)
    if inputs:
        merged["user_inputs_values"] = inputs
    networks = network_values(body.get("networks") or {}, params.get("networks") or [], network_id, where)
    if networks:
        merged["networks_values"] = networks
    if any(len(role) > 1 for role in values):
        merged["roles"] = values
    if params.get("hold"):
        merged["on_hold"] = True
    check_vm_templates(body, objects, where)
    return merged
