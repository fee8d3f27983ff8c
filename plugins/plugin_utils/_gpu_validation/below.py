# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers below the guest: hypervisors, OpenNebula's view of them, and the VMs. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .row import (
    FAILED,
    OK,
    UNCHECKED,
    WARNING,
    Row,
    count,
    fits,
    integer,
    listed,
    mapping,
    mappings,
    problems,
    row,
    values,
)

_HOSTS_PLAY = "run playbooks/gpu_hosts.yml"


def hosts(data: Mapping[str, Any]) -> list[Row]:
    """Judge the hypervisors of the group gpu_hosts by what module gpu_host_facts said on each."""
    asked = mapping(data.get("hosts"))
    if not asked:
        return [
            row(
                "host",
                "-",
                "hypervisors",
                UNCHECKED,
                "the inventory has no host in the group gpu_hosts",
                "name the hypervisors there, if they are yours to look at",
            )
        ]
    return [each for name in sorted(asked) for each in _host(name, mapping(asked[name]))]


def _host(name: str, told: Mapping[str, Any]) -> list[Row]:
    facts = mapping(told.get("facts"))
    if not facts:
        error = told.get("error") or "it did not answer"
        return [
            row("host", name, "facts", FAILED, error, "see that the host answers SSH, and that you may become root")
        ]
    rows = problems("host", name, facts.get("problems"))
    iommu = mapping(facts.get("iommu"))
    if iommu.get("enabled"):
        rows.insert(
            0, row("host", name, "IOMMU", OK, f"{iommu.get('cpu')}, {count(integer(iommu.get('groups')), 'group')}")
        )
    gpus = mappings(facts.get("gpus"))
    if not gpus:
        cure = "see that the card is seated and has power; nvidia_host_devices says which devices count"
        rows.append(row("host", name, "GPUs", FAILED, "there is no such device on the PCI bus", cure))
    return rows + [each for gpu in gpus for each in _gpu(name, gpu)]


def _gpu(name: str, gpu: Mapping[str, Any]) -> list[Row]:
    check = f"GPU {gpu.get('address')}"
    # That a VM has it is what it is for.
    others = [each for each in mappings(gpu.get("problems")) if each.get("code") != "in_use_by_vm"]
    rows = problems("host", name, others, check)
    if any(each["result"] == FAILED for each in rows):
        return rows
    card = gpu.get("name") or f"{gpu.get('vendor')}:{gpu.get('device')}"
    found = f"{card}, driver {gpu.get('driver') or 'none'}, group {gpu.get('iommu_group')}"
    users = values(gpu.get("users"))
    found += f", in use by {listed(users)}" if users else ""
    if not _for_vms(gpu):
        return [*rows, row("host", name, check, FAILED, found, f"vfio-pci has to have it: {_HOSTS_PLAY}")]
    return [row("host", name, check, OK, found), *rows]


def _for_vms(gpu: Mapping[str, Any]) -> bool:
    """Whether vfio-pci has it, or a driver of its family."""
    return "vfio" in str(gpu.get("driver"))


def asking(data: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The sites that ask for GPUs, by name."""
    sites = {name: mapping(site) for name, site in mapping(data.get("sites")).items()}
    return {name: site for name, site in sorted(sites.items()) if integer(site.get("gpus"))}


def opennebula(data: Mapping[str, Any]) -> list[Row]:
    """Judge the PCI pools of each site that asks for GPUs, and whether the hypervisors' GPUs are in them."""
    sites = asking(data)
    if not sites:
        return [
            row("opennebula", "-", "PCI pool", UNCHECKED, "no site asks for GPUs", "site_supernode_gpus: 1 at a site")
        ]
    rows = [each for name, site in sites.items() for each in _pool(name, site)]
    return rows + [
        each for name, told in sorted(mapping(data.get("hosts")).items()) for each in _missing(data, name, told)
    ]


def _pool(name: str, site: Mapping[str, Any]) -> list[Row]:
    if site.get("denied") or site.get("pool") == []:
        found = "this tenant may not see hosts, as most may not"
        return [
            row("opennebula", name, "PCI pool", UNCHECKED, found, "ask the cloud's operator, who may run this playbook")
        ]
    if site.get("pool") is None:
        error = site.get("error") or "OpenNebula did not answer"
        return [row("opennebula", name, "PCI pool", FAILED, error, "see one_endpoint, one_username and one_password")]
    devices = [
        (str(host.get("name")), device)
        for host in mappings(site["pool"])
        for device in mappings(host.get("pci_devices"))
        if fits(device, site)
    ]
    if not devices:
        cure = f"{_HOSTS_PLAY}, or as operator: PCI filters (pci.conf), then onehost sync --force"
        return [row("opennebula", name, "PCI pool", FAILED, "no host has such a device in its PCI pool", cure)]
    sick = [
        f"{host.get('name')} is {host.get('state')}" + (f": {host['error']}" if host.get("error") else "")
        for host in mappings(site["pool"])
        if "MONITORED" not in str(host.get("state"))
        and any(fits(device, site) for device in mappings(host.get("pci_devices")))
    ]
    free = sum(device.get("vm") is None for _host, device in devices)
    found = (
        f"{count(len(devices), 'device')} on {listed(dict.fromkeys(host for host, _unused in devices))}, {free} free"
    )
    cure = "OpenNebula gives such a host no VM: onehost enable, or see what its monitoring says"
    rows = [row("opennebula", name, "host", WARNING, each, cure) for each in sick]
    return [row("opennebula", name, "PCI pool", OK, found), *rows]


def _missing(data: Mapping[str, Any], name: str, told: object) -> list[Row]:
    """A GPU that the hypervisor is ready to give and that OpenNebula does not know."""
    host = mapping(told)
    one_host = host.get("one_host") or name
    for site in asking(data).values():
        for known in mappings(site.get("pool")):
            if known.get("name") != one_host:
                continue
            pool = {str(device.get("address", "")) for device in mappings(known.get("pci_devices"))}
            gpus = mappings(mapping(host.get("facts")).get("gpus"))
            lost = [str(gpu.get("address")) for gpu in gpus if _for_vms(gpu) and str(gpu.get("address")) not in pool]
            if lost:
                cure = f"{_HOSTS_PLAY}, which writes the filter and has the host looked at again"
                found = f"OpenNebula does not know {', '.join(lost)}"
                return [row("opennebula", name, "PCI pool of the host", FAILED, found, cure)]
    return []


def vms(data: Mapping[str, Any]) -> list[Row]:
    """Judge the PCI devices of each SuperNode's VM against what its site asks for."""
    nodes = {name: mapping(node) for name, node in mapping(data.get("nodes")).items()}
    rows = []
    for name, site in asking(data).items():
        own = sorted(node for node, told in nodes.items() if told.get("site") == name)
        rows += [_vm(node, nodes[node], site) for node in own]
        missing = integer(site.get("supernodes")) - len(own)
        if missing > 0:
            cure = "run playbooks/site.yml; it says why the site has no VM, in the scheduler's words"
            rows.append(
                row("vm", name, "SuperNodes", FAILED, f"{count(missing, 'SuperNode')} not in the inventory", cure)
            )
    if rows:
        return rows
    own = sorted(node for node, told in nodes.items() if mappings(told.get("pci")))
    if own:
        return [row("vm", node, "PCI devices", OK, listed(_named(each) for each in nodes[node]["pci"])) for node in own]
    return [row("vm", "-", "PCI devices", UNCHECKED, "no site asks for GPUs, and no VM has a PCI device")]


def _vm(name: str, node: Mapping[str, Any], site: Mapping[str, Any]) -> Row:
    wanted = integer(site.get("gpus"))
    if node.get("pci") is None:
        found = "the inventory does not say what the VM has (one_pci)"
        return row("vm", name, "PCI devices", UNCHECKED, found, "use the inventory plugin fact8ra.flower.opennebula")
    has = [device for device in mappings(node["pci"]) if fits(device, site)]
    found = f"{len(has)} of {count(wanted, 'GPU')}" + (f": {listed(map(_named, has))}" if has else "")
    if len(has) >= wanted:
        return row("vm", name, "PCI devices", OK, found)
    cure = "the VM was made without: run playbooks/site.yml, which says whether it has to be made anew"
    return row("vm", name, "PCI devices", FAILED if site.get("required", True) else WARNING, found, cure)


def _named(device: Mapping[str, Any]) -> str:
    return f"{device.get('vendor')}:{device.get('device')} at {device.get('address')}"
