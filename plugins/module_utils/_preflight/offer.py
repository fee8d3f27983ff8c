# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a federation asks of a site, and what the site answers.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotAuthorized
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import SERVICE, TEMPLATE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.facts import node_ids
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import Document
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_list
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    IMAGE,
    SECURITY_GROUP,
    VM_TEMPLATE,
    VNET,
    Objects,
)


@dataclass(frozen=True)
class Needs:
    """What the federation asks of a site.

    Attributes:
        service: name of the service and of everything that is made for it.
        image: name of the image of the VMs.
        network: name of the network to use, to reserve from or to make.
        network_mode: "existing", "reservation" or "managed".
        vms: number of VMs.
        addresses: number of addresses of the network, or None for one a VM.
        allow_open_network: whether the network may carry a security group that admits everything.
        allow_shrink: whether the service may have more VMs than are wanted.
        cpu: physical CPUs of all VMs together.
        memory: memory of all VMs together in MB.
        minimum_version: oldest OpenNebula that is accepted, "7.0.0".
        disk_size: size of each VM's disk in MB; 0 is the image's own.
        supernodes: how many of the VMs are SuperNodes.
        supernode_vcpus: virtual CPUs of each SuperNode.
        supernode_memory: memory of each SuperNode in MB.
        gpus: PCI devices of each SuperNode.
        gpu_vendor, gpu_device, gpu_class: ids of the devices, empty for any.
        gpu_profile: vGPU profile of the devices, empty for whole ones.
        gpu_pinning: whether CPUs are pinned at the devices' NUMA nodes.
        gpu_required: whether SuperNodes without the devices are of no use.
        gpu_template: name of a VM template that carries the devices; it says then what they are.
    """

    service: str
    image: str
    network: str
    network_mode: str
    vms: int
    cpu: float
    memory: int
    minimum_version: str
    addresses: int | None = None
    allow_open_network: bool = False
    allow_shrink: bool = False
    disk_size: int = 0
    supernodes: int = 0
    supernode_vcpus: int = 1
    supernode_memory: int = 0
    gpus: int = 0
    gpu_vendor: str = ""
    gpu_device: str = ""
    gpu_class: str = ""
    gpu_profile: str = ""
    gpu_pinning: bool = True
    gpu_required: bool = True
    gpu_template: str = ""


@dataclass(frozen=True)
class Offer:
    """What a site offers, as oned and OneFlow answered.

    Attributes:
        version: release of OpenNebula.
        user: answer of one.user.info for the own user.
        groups: answers of one.group.info for its groups.
        acls: rules in text form, "@100 VM+IMAGE/* CREATE #0".
        images, networks, security_groups, vm_templates: elements of the pools.
        datastores, hosts: elements of these pools; none when the user may not see them.
        service_templates, services: documents of OneFlow.
    """

    version: str
    user: Mapping[str, Any]
    groups: tuple[Mapping[str, Any], ...]
    acls: tuple[str, ...]
    images: tuple[Mapping[str, Any], ...]
    networks: tuple[Mapping[str, Any], ...]
    security_groups: tuple[Mapping[str, Any], ...]
    vm_templates: tuple[Mapping[str, Any], ...]
    datastores: tuple[Mapping[str, Any], ...]
    hosts: tuple[Mapping[str, Any], ...]
    service_templates: tuple[Document, ...]
    services: tuple[Document, ...]

    @property
    def uid(self) -> int:
        """Id of the own user."""
        return int(self.user["ID"])

    @property
    def gids(self) -> frozenset[int]:
        """Ids of the groups of the own user."""
        return frozenset(int(gid) for gid in as_list(self.user, "GROUPS", "ID"))


def collect(client: Client, flow: OneFlow) -> Offer:
    """Read what the site offers; about a dozen calls, whatever the number of VMs.

    Raises:
        OpenNebulaError: the endpoint cannot be reached, or refuses the user.
    """
    objects = Objects(client)
    user = client.call("user.info", -1, False, what="read the own user")
    gids = as_list(user, "GROUPS", "ID")
    return Offer(
        version=client.version,
        user=user,
        groups=tuple(client.call("group.info", int(gid), False, what=f"read group {gid}") for gid in gids),
        acls=tuple(str(acl["STRING"]) for acl in as_list(client.call("acl.info", what="read the access rules"), "ACL")),
        images=tuple(objects.pool(IMAGE)),
        networks=tuple(objects.pool(VNET)),
        security_groups=tuple(objects.pool(SECURITY_GROUP)),
        vm_templates=tuple(objects.pool(VM_TEMPLATE)),
        datastores=_pool(client, "datastore"),
        hosts=_pool(client, "host"),
        service_templates=tuple(flow.all(TEMPLATE)),
        services=tuple(flow.all(SERVICE)),
    )


def _pool(client: Client, kind: str) -> tuple[Mapping[str, Any], ...]:
    try:
        return tuple(as_list(client.call(f"{kind}pool.info", what=f"list the {kind}s"), kind.upper()))
    except NotAuthorized:
        return ()


def own_services(offer: Offer, needs: Needs) -> list[Document]:
    """Return the federation's service; more than one where several have its name."""
    return [service for service in offer.services if service.name == needs.service and service.uid == offer.uid]


def present(offer: Offer, needs: Needs) -> int:
    """Return the number of VMs that the federation's service has already, with all that they take."""
    return sum(len(node_ids(service.body)) for service in own_services(offer, needs))


def still_needed(offer: Offer, needs: Needs) -> Needs:
    """Return what is needed beyond what the service has; all of it when there is no service."""
    have = present(offer, needs)
    missing = max(0, needs.vms - have)
    share = missing / needs.vms if needs.vms else 0.0
    # a reservation is made once, with the service
    addresses = missing if needs.addresses is None else needs.addresses if have == 0 else 0
    return replace(needs, vms=missing, cpu=needs.cpu * share, memory=int(needs.memory * share), addresses=addresses)
