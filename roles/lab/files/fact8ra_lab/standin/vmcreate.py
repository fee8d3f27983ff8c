# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A new VM from a template: disks, NICs with leases, PCI requests and the context.

Source: VirtualMachine::insert and VirtualMachineNics.cc of oned.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Final

from . import addresses, quotas, vmnuma
from .access import USE, Caller, Request
from .cloud import Cloud, now
from .errors import ACTION, ALLOCATE, OneError
from .imagecreate import FILES, TYPES
from .imagelife import (
    LOCKED,
    LOCKED_USED,
    LOCKED_USED_PERS,
    READY,
    STATE_NAMES,
    USED,
    USED_PERS,
    VM_CLONING,
    go,
)
from .model import VM, Datastore, Image, SecurityGroup, User, VNet
from .template import Template, Vector
from .vmcontext import context, letter

_LEAD: Final = "Error allocating a new virtual machine. "
_INHERITED: Final = (
    "VLAN_TAGGED_ID", "FILTER", "FILTER_IP_SPOOFING", "FILTER_MAC_SPOOFING", "MTU", "METRIC", "IP6_METRIC", "METHOD",
    "IP6_METHOD", "INBOUND_AVG_BW", "INBOUND_PEAK_BW", "INBOUND_PEAK_KB", "OUTBOUND_AVG_BW", "OUTBOUND_PEAK_BW",
    "OUTBOUND_PEAK_KB", "GATEWAY", "DNS", "CVLANS", "QINQ_TYPE", "TRUST", "SPOOFCHK",
)  # fmt: skip
#: Parts of a template that become the VM's TEMPLATE; the rest is its USER_TEMPLATE.
_CORE: Final = (
    "CPU", "VCPU", "MEMORY", "DISK", "NIC", "NIC_ALIAS", "PCI", "CONTEXT", "OS", "FEATURES", "GRAPHICS", "INPUT", "RAW",
    "TOPOLOGY", "NUMA_NODE", "CPU_MODEL", "VMGROUP", "NIC_DEFAULT", "TM_MAD_SYSTEM", "VCPU_MAX", "MEMORY_MAX",
    "MEMORY_SLOTS", "MEMORY_RESIZE_MODE",
)  # fmt: skip
#: State of an image that a VM takes, by its state before and whether it is persistent.
_TAKEN: Final = {
    READY: (USED, USED_PERS), USED: (USED, USED), USED_PERS: (USED_PERS, USED_PERS),
    LOCKED: (LOCKED_USED, LOCKED_USED_PERS), LOCKED_USED: (LOCKED_USED, LOCKED_USED),
    LOCKED_USED_PERS: (LOCKED_USED_PERS, LOCKED_USED_PERS),
}  # fmt: skip


@dataclass(frozen=True)
class Origin:
    """The VM template that a VM comes from, and the VM's name."""

    template_id: int
    name: str


def _refuse(text: str) -> OneError:
    return OneError(ALLOCATE, _LEAD + text)


def find_image(cloud: Cloud, caller: Caller, disk: Vector) -> Image | None:
    """The image that a disk names, or None where it names none. Raises OneError."""
    if disk.get("IMAGE_ID"):
        image = cloud.pool(Image).get(int(disk["IMAGE_ID"])) if disk["IMAGE_ID"].isdigit() else None
        if image is None:
            raise _refuse(f"Image with ID: {disk['IMAGE_ID']}  does not exist")
        return image
    if disk.get("IMAGE"):
        owner = _owner(cloud, caller, disk, "IMAGE")
        image = cloud.by_name(Image, disk["IMAGE"], owner)
        if image is None:
            raise _refuse(
                f"User {owner} does not own an image with name: {disk['IMAGE']} . Set IMAGE_UNAME or IMAGE_UID of owner"
                " in DISK."
            )
        return image
    return None


def _find_net(cloud: Cloud, caller: Caller, nic: Vector) -> VNet | None:
    if nic.get("NETWORK_ID"):
        net = cloud.pool(VNet).get(int(nic["NETWORK_ID"])) if nic["NETWORK_ID"].isdigit() else None
        if net is None:
            raise _refuse(f"Virtual network with ID: {nic['NETWORK_ID']} does not exist")
        return net
    if nic.get("NETWORK"):
        owner = _owner(cloud, caller, nic, "NETWORK")
        net = cloud.by_name(VNet, nic["NETWORK"], owner)
        if net is None:
            raise _refuse(
                f"User {owner} does not own a network with name: {nic['NETWORK']} . Set NETWORK_UNAME or NETWORK_UID of"
                " owner in NIC."
            )
        return net
    return None


def _owner(cloud: Cloud, caller: Caller, vector: Vector, what: str) -> int:
    if vector.get(f"{what}_UID", "").isdigit():
        return int(vector[f"{what}_UID"])
    name = vector.get(f"{what}_UNAME")
    user = cloud.by_name(User, name) if name else None
    if name and user is None:
        raise _refuse(f"User name {name} does not exist")
    return user.id if user else caller.uid


def _disk(cloud: Cloud, image: Image | None, given: Vector, index: int) -> Vector:
    store = cloud.pool(Datastore)[image.datastore_id if image else 1]
    prefix = given.get("DEV_PREFIX") or (image.template.text("DEV_PREFIX", "sd") if image else "sd")
    disk: Vector = {
        "ALLOW_ORPHANS": "NO",
        "CLONE": "NO" if image and image.persistent else "YES",
        "CLONE_TARGET": "SYSTEM",
        "CLUSTER_ID": "0",
        "DATASTORE": store.name,
        "DATASTORE_ID": str(store.id),
        "DEV_PREFIX": prefix,
        "DISK_ID": str(index),
        "DISK_SNAPSHOT_TOTAL_SIZE": "0",
        "DISK_TYPE": "FILE",
        "LN_TARGET": "NONE",
        "PERSISTENT_SNAPSHOTS": "YES",
        "READONLY": "NO",
        "SAVE": "YES" if image and image.persistent else "NO",
        "TARGET": given.get("TARGET") or prefix + letter(index),
        "TM_MAD": store.tm_mad,
    }
    if image:
        disk |= {
            "DRIVER": image.format,
            "FORMAT": image.format,
            "IMAGE": image.name,
            "IMAGE_ID": str(image.id),
            "IMAGE_STATE": "2",
            "ORIGINAL_SIZE": str(image.size),
            "SIZE": str(image.size),
            "SOURCE": image.source,
            "TYPE": "CDROM" if image.type == 1 else "FILE",
        }
    return disk | {key: value for key, value in given.items() if key not in disk or key in ("SIZE", "DRIVER", "CLONE")}


def _nic(cloud: Cloud, net: VNet | None, given: Vector, vm_id: int, index: int) -> Vector:
    nic = dict(given)
    nic.setdefault("NAME", f"NIC{index}")
    nic["NIC_ID"] = str(index)
    if net is None:
        return nic
    nic |= {
        "NETWORK": net.name,
        "NETWORK_ID": str(net.id),
        "BRIDGE": net.bridge,
        "BRIDGE_TYPE": net.bridge_type,
        "CLUSTER_ID": ",".join(str(number) for number in net.cluster_ids),
        "VN_MAD": net.vn_mad,
    }
    nic.setdefault("TARGET", f"one-{vm_id}-{index}")
    for key, value in (("PHYDEV", net.phydev), ("VLAN_ID", net.vlan_id), ("OUTER_VLAN_ID", net.outer_vlan_id)):
        if value:
            nic[key] = value
    if net.parent != -1:
        nic["PARENT_NETWORK_ID"] = str(net.parent)
    place = addresses.lease(net, "VM", vm_id, given)
    if place is None:
        raise _refuse(f"Cannot get IP/MAC lease from virtual network {net.id}.")
    ar, at = place
    nic |= addresses.address(ar, at)
    nic["AR_ID"] = str(ar.id)
    for key in _INHERITED:
        value = ar.attributes.get(key) or net.template.text(key)
        if value:
            nic.setdefault(key, value)
    listed = f"{given.get('SECURITY_GROUPS', '')},{net.template.text('SECURITY_GROUPS')},"
    listed += ar.attributes.get("SECURITY_GROUPS", "")
    groups = sorted({int(part) for part in listed.split(",") if part.strip().isdigit()})
    nic["SECURITY_GROUPS"] = ",".join(str(number) for number in groups)
    if vm_id not in net.vms:
        net.vms.append(vm_id)
    for number in groups:
        group = cloud.pool(SecurityGroup).get(number)
        if group and number != 0 and vm_id not in group.vms:
            group.vms.append(vm_id)
            cloud.touch(group)
    cloud.touch(net)
    return nic


def _check_sizes(template: Template) -> None:
    for name, whole in (("MEMORY", True), ("CPU", False)):
        try:
            amount = int(template.text(name)) if whole else float(template.text(name))
        except ValueError:
            amount = 0
        if amount <= 0:
            kind = "positive integer" if whole else "positive float or integer"
            raise _refuse(f"{name} attribute must be a {kind} value.")
    if template.text("VCPU") and (template.integer("VCPU") or 0) <= 0:
        raise _refuse("VCPU attribute must be a positive integer value.")


def _check_image(image: Image) -> None:
    """Raises OneError where a new VM cannot take the image. Source: ImageManager::acquire_image."""
    if TYPES[image.type] in (*FILES, "BACKUP"):
        raise _refuse(f"Image {image.id} ({image.name}) of type {TYPES[image.type]} cannot be used as DISK.")
    shared = image.template.text("PERSISTENT_TYPE").upper() == "SHAREABLE"
    if image.state in (USED_PERS, LOCKED_USED_PERS) and not shared:
        raise _refuse(f"Cannot acquire image {image.id}, it is persistent and already in use")
    if image.state not in _TAKEN:
        raise _refuse(f"Cannot acquire image {image.id}, it is in state: {STATE_NAMES[image.state]}")


def create(cloud: Cloud, caller: Caller, template: Template, origin: Origin, hold: bool, requests: list[Request]) -> VM:
    """A VM in PENDING (or HOLD). Raises OneError, and then nothing was leased or used."""
    images = [find_image(cloud, caller, disk) for disk in template.vectors("DISK")]
    nets = [_find_net(cloud, caller, nic) for nic in template.vectors("NIC")]
    requests = [
        *requests,
        *(Request(USE, "IMAGE", image) for image in images if image),
        *(Request(USE, "NET", net) for net in nets if net),
    ]
    cloud.authorize(caller, *requests)
    _check_sizes(template)
    vmnuma.parse_topology(template)
    demand_of = template.clone()
    demand_of["DISK"] = [
        dict(disk) | {"SIZE": disk.get("SIZE") or str(image.size if image else 0)}
        for disk, image in zip(template.vectors("DISK"), images, strict=True)
    ]
    quotas.check(cloud, caller.uid, caller.gid, "VM", {"": quotas.vm_demand(demand_of)}, caller)
    leases: quotas.Usage = {}
    for net in nets:
        if net and net.parent == -1:
            leases.setdefault(str(net.id), {"LEASES": 0.0})["LEASES"] += 1
    quotas.check(cloud, caller.uid, caller.gid, "NETWORK", leases, caller)
    uses: quotas.Usage = {}
    for image in images:
        if image:
            _check_image(image)
            uses.setdefault(str(image.id), {"RVMS": 0.0})["RVMS"] += 1
    quotas.check(cloud, caller.uid, caller.gid, "IMAGE", uses, caller)

    vm = VM(cloud.new_id("VM"), origin.name, caller.uid, caller.gid, stime=now())
    vm.held = hold
    if any(image and image.state in (LOCKED, LOCKED_USED, LOCKED_USED_PERS) for image in images):
        vm.go(VM_CLONING, 0)
    elif hold:
        vm.go(2, 0)
    vm.user_template = Template({key: values for key, values in template.items() if key not in _CORE})
    core = vm.template
    for key in _CORE:
        if key in template and key not in ("DISK", "NIC", "PCI", "CONTEXT", "OS"):
            core[key] = template.clone()[key]
    for index, (disk, image) in enumerate(zip(template.vectors("DISK"), images, strict=True)):
        core.add("DISK", _disk(cloud, image, disk, index))
    try:
        for index, (nic, net) in enumerate(zip(template.vectors("NIC"), nets, strict=True)):
            core.add("NIC", _nic(cloud, net, nic, vm.id, index))
    except OneError:
        free(cloud, vm)
        raise
    for index, pci in enumerate(template.vectors("PCI")):
        core.add("PCI", pci | {"PCI_ID": str(index), "VM_BUS": f"0x{index + 1:02x}"})
    system = template.vectors("OS")[0] if template.vectors("OS") else {}
    core.put("OS", {"MACHINE": "q35", "UUID": str(uuid.uuid4())} | system)
    public = " & !(PUBLIC_CLOUD = YES)" if cloud.personality.public_cloud else ""
    pinned = "(PIN_POLICY = PINNED)" if vmnuma.pinned(template) else "!(PIN_POLICY = PINNED)"
    core.put("AUTOMATIC_DS_REQUIREMENTS", '("CLUSTERS/ID" @> 0)')
    core.put("AUTOMATIC_NIC_REQUIREMENTS", '("CLUSTERS/ID" @> 0)')
    core.put("AUTOMATIC_REQUIREMENTS", f"(CLUSTER_ID = 0){public} & {pinned}")
    core.put("CREATED_BY", str(caller.uid))
    core.put("TEMPLATE_ID", str(origin.template_id))
    core.put("VMID", str(vm.id))
    for image in images:
        if image:
            image.vms.append(vm.id)
            go(image, _TAKEN[image.state][image.persistent])
            cloud.touch(image)
    contexts = template.vectors("CONTEXT")
    if contexts:
        core.put("CONTEXT", context(cloud, vm, contexts[0]))
    return cloud.insert(vm)


def attach_nic(cloud: Cloud, caller: Caller, vm: VM, given: Vector) -> None:
    """One more NIC for a VM that is off. Raises OneError."""
    net = _find_net(cloud, caller, given)
    if net:
        cloud.authorize(caller, Request(USE, "NET", net))
    number = 1 + max((int(nic["NIC_ID"]) for nic in vm.template.vectors("NIC")), default=-1)
    vm.template.add("NIC", _nic(cloud, net, given, vm.id, number))
    _renew_network_context(cloud, vm)


def detach_nic(cloud: Cloud, vm: VM, number: int) -> None:
    """Takes a NIC from a VM that is off, and gives its lease back. Raises OneError."""
    nics = vm.template.vectors("NIC")
    gone = next((nic for nic in nics if nic["NIC_ID"] == str(number)), None)
    if gone is None:
        raise OneError(ACTION, f"Could not detach NIC from VM {vm.id}, NIC with ID {number} does not exist.")
    net = cloud.pool(VNet).get(int(gone.get("NETWORK_ID") or -1))
    if net:
        addresses.release_one(net, gone.get("IP", ""))
        cloud.touch(net)
    vm.template["NIC"] = [nic for nic in nics if nic is not gone]
    _renew_network_context(cloud, vm)


def _renew_network_context(cloud: Cloud, vm: VM) -> None:
    """The ETHn_ variables of the NICs that there are now."""
    for known in vm.template.vectors("CONTEXT"):
        kept = {key: value for key, value in known.items() if not re.match(r"ETH\d+_", key)}
        vm.template.put("CONTEXT", context(cloud, vm, kept))


def free(cloud: Cloud, vm: VM) -> None:
    """Gives back leases, images and security groups of a VM that ended."""
    for net in cloud.pool(VNet).values():
        if vm.id in net.vms or addresses.release(net, "VM", vm.id):
            addresses.release(net, "VM", vm.id)
            net.vms = [number for number in net.vms if number != vm.id]
            cloud.touch(net)
    for image in cloud.pool(Image).values():
        if vm.id in image.vms:
            image.vms = [number for number in image.vms if number != vm.id]
            if not image.vms:
                go(image, LOCKED if image.state in (LOCKED_USED, LOCKED_USED_PERS) else READY)
            cloud.touch(image)
    for group in cloud.pool(SecurityGroup).values():
        if vm.id in group.all_vms():
            group.drop_vm(vm.id)
            cloud.touch(group)
