# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of the sites, and the answers in the form in which they are cached.

Which VM belongs to which role is taken from OneFlow's documents: the user template, where OneFlow writes it too, may be
changed by the owner of a VM, and by the VM itself where OneGate lets it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, OpenNebulaError
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import SERVICE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.facts import node_ids
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import Document, as_list
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.values import networks_of
from ansible_collections.fact8ra.flower.plugins.module_utils._vms import Vm, vms_of
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import CLUSTER, Objects
from ansible_collections.fact8ra.flower.plugins.plugin_utils._inventory.sites import Site

PARALLEL = 16
"""Most endpoints that are asked at the same time."""


def ask_all(sites: Sequence[Site]) -> list[dict[str, Any] | OpenNebulaError]:
    """Ask all sites at the same time; return the answer, or the error, of each in its place."""
    if not sites:
        return []
    with ThreadPoolExecutor(max_workers=min(PARALLEL, len(sites))) as pool:
        return list(pool.map(_ask_safely, sites))


def _ask_safely(site: Site) -> dict[str, Any] | OpenNebulaError:
    try:
        return ask(site)
    except OpenNebulaError as error:
        return error


def ask(site: Site) -> dict[str, Any]:
    """Return the VMs of a site: one call of OneFlow where there is one, one of oned, one more for names of clusters.

    Returns:
        A JSON-able dict for the cache: C(fingerprint), C(networks) (the id of a service to its networks, name to id)
        and C(vms), the facts of each in the order of services, roles and ids; VMs of no service come last.

    Raises:
        OpenNebulaError: the endpoint is not usable, or said no.
    """
    query = site.query
    services: list[Document] = []
    if site.params["flow_endpoint"] or not query.every_vm:
        flow = OneFlow.from_params(site.params)
        services = [one for one in flow.all(SERVICE) if wanted(site, one.name)]
    roles = {number: (service, role) for service in services for role, number in _members(service)}
    client = Client.from_params(site.params)
    found = {vm.id: vm for vm in _vms(client, site, list(roles))}
    clusters = _cluster_names(client) if query.cluster_names else None
    listed = [*roles, *sorted(found.keys() - roles.keys())] if query.every_vm else roles
    return {
        "fingerprint": site.fingerprint,
        "networks": {
            str(service.id): {name: str(value.get("id", "")) for name, value in networks_of(service.body).items()}
            for service in services
        },
        "vms": [
            _facts(found[number], clusters, *roles.get(number, (None, None))) for number in listed if number in found
        ],
    }


def wanted(site: Site, name: str) -> bool:
    """Tell whether a service of this name is wanted.

    Raises:
        InvalidInput: one of the site's patterns is no regular expression.
    """
    try:
        return not site.services or any(re.fullmatch(pattern, name) for pattern in site.services)
    except re.error as error:
        raise InvalidInput(f"services: {error.pattern!r} is no regular expression ({error}).") from None


def _members(service: Document) -> Iterator[tuple[str, int]]:
    """Yield role and id of each VM of a service, by role and id."""
    for role in as_list(service.body.get("roles")):
        if isinstance(role, Mapping):
            for number in sorted(node_ids({"roles": [role]})):
                yield str(role.get("name", "")), number


def _vms(client: Client, site: Site, ids: list[int]) -> list[Vm]:
    if not site.query.every_vm and not ids:
        return []
    who, state = site.query.pool
    start, end = (-1, -1) if site.query.every_vm else (min(ids), max(ids))
    return vms_of(
        client.call("vmpool.infoextended", who, start, end, state, site.query.search, what="list the virtual machines")
    )


def _cluster_names(client: Client) -> dict[int, str]:
    return {int(raw["ID"]): str(raw["NAME"]) for raw in Objects(client).pool(CLUSTER)}


def _facts(vm: Vm, clusters: Mapping[int, str] | None, service: Document | None, role: str | None) -> dict[str, Any]:
    number = vm.cluster_id
    facts = {
        "id": vm.id,
        "name": vm.name,
        "ordinal": vm.ordinal,
        "role": role,
        "service": None if service is None else service.name,
        "service_id": None if service is None else service.id,
        "uname": vm.uname,
        "gname": vm.gname,
        "state": vm.state_name,
        "lcm_state": vm.lcm_state_name,
        "host": vm.host,
        "cluster_id": number,
        "labels": vm.labels,
        "addresses": vm.addresses,
        "nics": [
            {
                "id": nic.id,
                "network": nic.network,
                "network_id": nic.network_id,
                "mac": nic.mac,
                "addresses": list(nic.addresses),
            }
            for nic in vm.nics
        ],
        "pci": [
            {
                "vendor": device.vendor,
                "device": device.device,
                "class": device.class_,
                "address": device.address,
                "vm_address": device.vm_address,
                "numa_node": device.numa_node,
                "profile": device.profile,
            }
            for device in vm.pci
        ],
        "user_template": vm.user_template,
    }
    if clusters is not None:
        # one that the user may not see has no name here
        facts["cluster"] = None if number is None else clusters.get(number, str(number))
    return facts
