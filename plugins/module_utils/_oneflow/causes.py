# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Why a service does not get its networks, or does not get beyond them.

OneFlow says nothing of it in the service: it hangs on roles that it cannot start, and what oned answers to the making
of a network is in the log of the OneFlow server alone (``ServiceLCM#deploy_nets_action``). So oned is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotFound, OpenNebulaError
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import as_list
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.values import networks_of
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_dict
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import VM_TEMPLATE, VNET, Objects, is_id
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet_states import VnetState, state_name, state_of


def unmade_networks(body: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each network that was to be made for a service and was not."""
    return [
        f"network {name!r} was not made from {key} {network[key]}; the log of the OneFlow server has the reason, such "
        "as no right to use that, no free addresses, or a quota"
        for name, network in networks_of(body).items()
        if "id" not in network
        for key in ("template_id", "reserve_from")
        if key in network
    ]


def nets_causes(body: Mapping[str, Any], client: Client) -> list[str]:
    """Return what is wrong with a service that hangs in, or failed at, DEPLOYING_NETS; nothing when nothing is found.

    An endpoint that does not answer is no cause; the failure that is to be explained matters more.
    """
    roles = [role for role in as_list(body.get("roles")) if isinstance(role, Mapping)]
    names = {role.get("name") for role in roles}
    causes = [
        f"role {role.get('name')!r} has the parent {parent!r}, which is no role of it"
        for role in roles
        for parent in as_list(role.get("parents"))
        if parent not in names
    ]
    try:
        causes += _missing_templates(roles, Objects(client))
        causes += unmade_networks(body)
        for name, network in networks_of(body).items():
            causes += _network_causes(name, network, client)
    except OpenNebulaError:
        pass
    return causes


def _missing_templates(roles: list[Mapping[str, Any]], objects: Objects) -> list[str]:
    known = {str(raw["ID"]) for raw in objects.pool(VM_TEMPLATE)}
    return [
        f"role {role.get('name')!r} uses VM template {role['template_id']}, which does not exist or may not be used"
        for role in roles
        if "template_id" in role and str(role["template_id"]) not in known
    ]


def _network_causes(name: str, network: Mapping[str, Any], client: Client) -> list[str]:
    number = network.get("id")
    if not is_id(number):
        return []
    try:
        raw = client.call("vn.info", int(str(number)), *VNET.info, what=f"read network {name!r} ({number})")
    except NotFound:
        return [f"network {name!r} (id {number}) does not exist"]
    if state_of(raw) == VnetState.READY:
        return []
    text = str(as_dict(raw, "TEMPLATE").get("ERROR") or "")
    return [f"network {name!r} (id {number}) is in {state_name(raw)}{': ' + text if text else ''}"]
