# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether the SuperNodes of a site get the GPUs that are asked for, and what they get otherwise.

Private to the collection: it may change without notice.

OpenNebula gives a VM its devices when it starts, all from one host, and a VM keeps them. So a site whose SuperNodes run
with GPUs keeps them whatever is free, and one whose SuperNodes were made without stays so until they are made again.
Those that are added have to be as those that are there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.devices import (
    Device,
    Host,
    holder,
    hosts_with,
    label,
    passed_through,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.judge import over_quota
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.made import (
    in_template,
    own_templates,
    supernode_vms,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.offer import Needs, Offer
from ansible_collections.fact8ra.flower.plugins.module_utils._quotas import Demand
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_int

PINNING = frozenset({"CORE", "THREAD", "SHARED"})
_NAMED = 5
"""How many hosts without devices a sentence names."""


@dataclass(frozen=True)
class Verdict:
    """What each SuperNode gets.

    Attributes:
        requested, granted: number of devices.
        reason: why what is granted is less, or why that cannot be told; else empty.
        numa_nodes: how many NUMA nodes a VM with pinned CPUs needs, so that each device is on one of its own.
        in_template: for how many devices the role made the SuperNodes' VM template that is there.
        problems: a sentence for everything that would make provisioning fail.
        warnings: what may make it fail, where only the server knows.
    """

    requested: int = 0
    granted: int = 0
    reason: str = ""
    numa_nodes: int = 1
    in_template: int = 0
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return the facts that the module gives back, see its RETURN."""
        names = ("requested", "granted", "reason", "numa_nodes", "in_template")
        return {name: getattr(self, name) for name in names}


def judge(offer: Offer, needs: Needs, made: Mapping[int, int]) -> Verdict:
    """Hold the request for devices against the site.

    Args:
        made: how many devices each SuperNode that is there was made with, by its id, as devices_made tells.
    """
    verdict = _judge(offer, needs, frozenset(made.values())) if needs.supernodes else Verdict()
    return replace(verdict, in_template=in_template(offer, needs))


def _judge(offer: Offer, needs: Needs, made: frozenset[int]) -> Verdict:
    wanted, pinned, wrong = _request(offer, needs)
    if wrong:
        return Verdict(needs.gpus, problems=(wrong,))
    if made - {needs.gpus}:
        return _differs(needs, sorted(made))
    if not needs.gpus:
        return Verdict()
    vms = supernode_vms(offer, needs)
    hosts = hosts_with(offer.hosts, wanted)
    held = Counter(holder(device) for host in hosts for device in host.devices)
    complete = sum(held[number] >= needs.gpus for number in vms)
    usable = [host for host in hosts if host.monitored and host.pinned == pinned]
    nodes = _numa_nodes(usable) if pinned and not needs.gpu_template else 1
    lacks = [
        *_quotas(offer, needs, max(0, needs.supernodes - len(vms))),
        *(_devices(needs, wanted, pinned, hosts, needs.supernodes - complete, vms) if offer.hosts else []),
    ]
    if lacks and not needs.gpu_required and not vms:
        return Verdict(needs.gpus, 0, "; ".join(lacks))
    if lacks and not vms:
        lacks[-1] += ". Set site_gpu_required: false to go on without GPUs"
    unseen = f"user {offer.user['NAME']} may not see the hosts, so it cannot be checked whether they have the devices"
    return Verdict(
        requested=needs.gpus,
        granted=needs.gpus,
        reason="" if offer.hosts else unseen,
        numa_nodes=nodes,
        problems=(*lacks, *_topology(needs, nodes)),
        warnings=() if needs.gpu_template or not pinned else _restricted(offer, needs),
    )


def _request(offer: Offer, needs: Needs) -> tuple[list[Device], bool, str]:
    """Return the entries PCI of each VM, whether its CPUs are pinned, and what is wrong with the request."""
    if not needs.gpu_template or not needs.gpus:
        device = {"VENDOR": needs.gpu_vendor, "DEVICE": needs.gpu_device, "CLASS": needs.gpu_class}
        return [{**device, "PROFILE": needs.gpu_profile}] * needs.gpus, needs.gpu_pinning, ""
    name = needs.gpu_template
    called = [template for template in offer.vm_templates if template.get("NAME") == name]
    if not called:
        return [], False, f"no VM template is called {name} (site_supernode_template), or the user may not use it"
    if len(called) > 1:
        ids = ", ".join(str(template["ID"]) for template in called)
        return [], False, f"{len(called)} VM templates are called {name} (ids {ids}); site_supernode_template names one"
    content = as_dict(called[0], "TEMPLATE")
    wanted = passed_through(content)
    if len(wanted) != needs.gpus:
        wrong = (
            f"VM template {name} (id {called[0]['ID']}, site_supernode_template) carries "
            f"{_count(len(wanted), 'PCI device')}; site_supernode_gpus is {needs.gpus}"
        )
        return [], False, wrong
    return wanted, _pins(content), ""


def _pins(template: Mapping[str, Any]) -> bool:
    return str(as_dict(template, "TOPOLOGY").get("PIN_POLICY") or "").upper() in PINNING


def _differs(needs: Needs, made: Sequence[int]) -> Verdict:
    """Return the verdict on a site whose SuperNodes were made with another number of devices, or not all with one."""
    numbers = " or ".join(str(number) for number in made[:-1])
    have = f"{numbers} or {_count(made[-1], 'GPU')}" if numbers else _count(made[-1], "GPU")
    text = (
        f"service {needs.service} was made with {have} for each SuperNode, and site_supernode_gpus is "
        f"{needs.gpus}; a VM keeps what it was made with. To change that, remove the site's service (teardown.yml) and "
        "provision it again"
    )
    # to go on with what is there is no answer to who wants none, or to SuperNodes that differ from each other
    if needs.gpu_required or not needs.gpus or len(made) > 1:
        return Verdict(needs.gpus, made[0], problems=(text,))
    return Verdict(needs.gpus, made[0], text)


def _quotas(offer: Offer, needs: Needs, missing: int) -> list[str]:
    amount = missing * needs.gpus
    return over_quota(offer, [Demand("VM", f"{prefix}PCI_DEV", amount) for prefix in ("", "RUNNING_")])


def _devices(
    needs: Needs, wanted: Sequence[Device], pinned: bool, hosts: Sequence[Host], count: int, own: frozenset[int]
) -> list[str]:
    """Return a sentence that tells of each host what it lacks, where there is no room for so many VMs."""
    room = sum(host.room(wanted) for host in hosts if host.monitored and host.pinned == pinned)
    if count <= room:
        return []
    what = label(wanted)
    told = [_of_host(host, what, pinned, own) for host in hosts if host.devices]
    none = [host.name for host in hosts if not host.devices]
    if none:
        more = f" and {len(none) - _NAMED} more" if len(none) > _NAMED else ""
        told.append(
            f"host {none[0]} has none" if len(none) == 1 else f"hosts {', '.join(none[:_NAMED])}{more} have none"
        )
    each = f"{_count(needs.gpus, 'GPU')} ({what}){' of one host' if needs.gpus > 1 else ''}"
    return [f"the hosts have room for {room} of {_count(count, 'SuperNode')} with {each}: {'; '.join(told)}"]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _of_host(host: Host, what: str, pinned: bool, own: frozenset[int]) -> str:
    """Return "host node1 has 2 devices 10de:20b5, both held by VMs 12 and 14"."""
    total, free = len(host.devices), len(host.free())
    others = host.holders(own)
    taken = sum(holder(device) in others for device in host.devices)
    mine = total - free - taken
    parts = []
    if taken:
        vms = f"VM{'' if len(others) == 1 else 's'} {_and([str(number) for number in others])}"
        parts.append(f"{_share(taken, total)}held by {vms}")
    if mine:
        parts.append(f"{_share(mine, total)}held by this federation")
    if free:
        parts.append(f"{_share(free, total)}free")
    text = f"host {host.name} has {_count(total, 'device')} {what}, {_and(parts)}"
    if not host.monitored:
        text += ", but is not MONITORED"
    if pinned and not host.pinned:
        text += (
            ", but takes no VM with pinned CPUs, as its PIN_POLICY is not PINNED (site_supernode_gpu_pinning: false)"
        )
    if host.pinned and not pinned:
        text += ", but takes only VMs with pinned CPUs, as its PIN_POLICY is PINNED (site_supernode_gpu_pinning: true)"
    return text


def _share(part: int, total: int) -> str:
    if part < total:
        return f"{part} of them "
    return {1: "", 2: "both "}.get(total, "all ")


def _and(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _numa_nodes(hosts: Sequence[Host]) -> int:
    """Return how many NUMA nodes a VM with pinned CPUs needs.

    OpenNebula puts the virtual node N of a VM on the host's node N when a device of the VM is there, and plugs the
    device into a bus of that virtual node (HostShareNUMA::make_topology, HostSharePCI::set_pci_address of 7.4).
    """
    numbers = [as_int(device.get("NUMA_NODE")) or 0 for host in hosts for device in host.devices]
    return 1 + max((number for number in numbers if number > 0), default=0)


def _topology(needs: Needs, nodes: int) -> list[str]:
    """Return what of the VM's size cannot be shared by its NUMA nodes (VirtualMachine::parse_topology)."""
    sizes = (("site_supernode_vcpu", needs.supernode_vcpus), ("site_supernode_memory", needs.supernode_memory))
    return [
        f"{variable} is {size}, which is no multiple of {nodes}; CPUs pinned where the GPUs are need as many NUMA nodes"
        for variable, size in sizes
        if size % nodes
    ]


def _restricted(offer: Offer, needs: Needs) -> tuple[str, ...]:
    """Return a warning where only the server knows whether the user may ask for pinned CPUs."""
    own = [as_dict(each, "TEMPLATE") for each in own_templates(offer, needs)]
    if offer.uid == 0 or 0 in offer.gids or any(_pins(content) for content in own):
        return ()
    return (
        f"User {offer.user['NAME']} is no administrator, and OpenNebula as it comes lets nobody else set PIN_POLICY "
        "(VM_RESTRICTED_ATTR in oned.conf). Where this site refuses it, set site_supernode_gpu_pinning: false, or "
        "site_supernode_template to a VM template of an administrator's.",
    )
