# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The SuperNodes that a site has already, and the devices that they were made with.

Private to the collection: it may change without notice.

A VM keeps the entries PCI that it was made with, also while it waits for a host, and its owner may read them. The VM
template tells nothing of that: the role writes it anew for the VMs to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.facts import node_ids
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import as_list as elements
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.devices import passed_through
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.offer import Needs, Offer, own_services
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_dict, as_dicts, as_int

ROLE = "supernode"
"""The role whose VMs get the devices, and the end of the name of its VM template."""
MARK = "FACT8RA_GPUS"
"""Attribute of a VM template that the role made for so many devices."""


def own_templates(offer: Offer, needs: Needs) -> list[Mapping[str, Any]]:
    """Return the VM templates of the user's that have the name of the SuperNodes' one."""
    name = f"{needs.service}-{ROLE}"
    return [each for each in offer.vm_templates if each.get("NAME") == name and as_int(each.get("UID")) == offer.uid]


def in_template(offer: Offer, needs: Needs) -> int:
    """Return for how many devices the role made the VM template that is there."""
    marks = [as_dict(template, "TEMPLATE").get(MARK) for template in own_templates(offer, needs)]
    return max((as_int(mark) or 0 for mark in marks), default=0)


def supernode_vms(offer: Offer, needs: Needs) -> frozenset[int]:
    """Return the ids of the VMs that are SuperNodes of the federation's service."""
    bodies = [service.body for service in own_services(offer, needs)]
    roles = [role for body in bodies for role in elements(body.get("roles")) if isinstance(role, Mapping)]
    return frozenset(node_ids({"roles": [role for role in roles if role.get("name") == ROLE]}))


def devices_made(client: Client, offer: Offer, needs: Needs) -> dict[int, int]:
    """Return how many devices each SuperNode that is there was made with, by its id, with one call at most.

    There is nothing to ask where no SuperNode is, and where a site without GPUs stays as it is: nothing is requested,
    the VM template has none to be taken out, and no SuperNode is to be added.

    Raises:
        OpenNebulaError: the site does not answer.
    """
    ids = supernode_vms(offer, needs)
    if not ids or not (needs.gpus or needs.supernodes > len(ids) or in_template(offer, needs)):
        return {}
    answer = client.call("vmpool.infoextended", -2, min(ids), max(ids), -1, "", what="list the VMs of the service")
    found = {as_int(raw.get("ID")): as_dict(raw, "TEMPLATE") for raw in as_dicts(answer, "VM")}
    return {number: len(passed_through(found[number])) for number in sorted(ids) if number in found}
