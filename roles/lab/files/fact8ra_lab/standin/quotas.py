# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Quotas of users and groups. Usage is counted from the objects when it is asked for, so it cannot drift.

Source: src/um/Quota*.cc. A limit of -1 means the default (none is set here, so unlimited), -2 unlimited.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from .access import Caller
from .cloud import Cloud
from .errors import ACTION, AUTHORIZATION, OneError
from .model import VM, Group, Image, User, VNet
from .template import Template, cdata

Owner = User | Group
Usage = dict[str, dict[str, float]]

_METRICS: Final = {
    "VM": (
        "CPU", "MEMORY", "PCI_DEV", "PCI_NIC", "RUNNING_CPU", "RUNNING_MEMORY", "RUNNING_PCI_DEV", "RUNNING_PCI_NIC",
        "RUNNING_VMS", "SYSTEM_DISK_SIZE", "VMS",
    ),
    "NETWORK": ("LEASES",),
    "DATASTORE": ("IMAGES", "SIZE"),
    "IMAGE": ("RVMS",),
}  # fmt: skip
_DONE: Final = 6
_STOPPED_STATES: Final = (1, 2, 6, 8, 9)


def number(value: float) -> str:
    """A float as a C++ stream writes it."""
    return f"{value:g}"


def vm_demand(template: Template, running: bool = True) -> dict[str, float]:
    """What a VM of that template takes from the section VM."""

    def amount(name: str) -> float:
        try:
            return float(template.text(name, "0"))
        except ValueError:
            return 0.0

    disks = template.vectors("DISK")
    demand = {
        "CPU": amount("CPU"),
        "MEMORY": amount("MEMORY"),
        "VMS": 1.0,
        "PCI_DEV": float(len(template.vectors("PCI"))),
        "SYSTEM_DISK_SIZE": sum(float(disk.get("SIZE", 0) or 0) for disk in disks),
    }
    if running:
        for name in ("CPU", "MEMORY", "VMS", "PCI_DEV"):
            demand[f"RUNNING_{name}"] = demand[name]
    return demand


def _owns(owner: Owner, uid: int, gid: int) -> bool:
    return owner.id == (uid if isinstance(owner, User) else gid)


def usage(cloud: Cloud, owner: Owner, section: str) -> Usage:
    """What the owner's objects take, by object id ("" in section VM) and metric."""
    result: Usage = defaultdict(lambda: defaultdict(float))
    if section == "DATASTORE":
        for image in cloud.pool(Image).values():
            if _owns(owner, image.uid, image.gid):
                result[str(image.datastore_id)]["IMAGES"] += 1
                result[str(image.datastore_id)]["SIZE"] += image.size
        return result
    for vm in cloud.pool(VM).values():
        if vm.state == _DONE or not _owns(owner, vm.uid, vm.gid):
            continue
        if section == "VM":
            for metric, amount in vm_demand(vm.template, vm.state not in _STOPPED_STATES).items():
                result[""][metric] += amount
        elif section == "NETWORK":
            for nic in vm.template.vectors("NIC"):
                if nic.get("NETWORK_ID"):
                    result[nic["NETWORK_ID"]]["LEASES"] += 1
        else:
            for disk in vm.template.vectors("DISK"):
                if disk.get("IMAGE_ID"):
                    result[disk["IMAGE_ID"]]["RVMS"] += 1
    if section == "NETWORK":
        for net in cloud.pool(VNet).values():
            if net.parent != -1 and _owns(owner, net.uid, net.gid):
                result[str(net.parent)]["LEASES"] += sum(ar.size for ar in net.ars)
    return result


def check(cloud: Cloud, uid: int, gid: int, section: str, demand: Usage, caller: Caller) -> None:
    """Raises OneError where the demand goes beyond a limit of the user or of the group; none bind oneadmin.

    -1 for user or group: it is not asked, as where only the other one changes.
    """
    owners: list[Owner] = [cloud.find(User, uid)] if uid > 0 else []
    owners += [cloud.find(Group, gid)] if gid > 0 else []
    for owner in owners:
        limits = owner.quotas.get(section, {})
        if not limits:
            continue
        taken = usage(cloud, owner, section)
        for key, wanted in demand.items():
            for metric in _METRICS[section]:
                limit = float(limits.get(key, {}).get(metric, -1))
                if metric not in wanted or limit < 0 or taken[key][metric] + wanted[metric] <= limit:
                    continue
                suffix = f" with ID: {key}" if key else ""
                raise OneError(
                    AUTHORIZATION,
                    f"User [{caller.uid}] : {owner.label} [{owner.id}] limit of {number(limit)} reached for {metric}"
                    f" quota in {section}{suffix}.",
                )


def update(owner: Owner, template: Template) -> None:
    """Takes limits from a quota template, e.g. VM=[VMS="3"]. Raises OneError."""
    for section, values in template.items():
        if section not in _METRICS:
            raise OneError(ACTION, f"Unknown quota section {section}.")
        for value in values:
            if not isinstance(value, dict):
                raise OneError(ACTION, f"Quota {section} must be a vector attribute.")
            key = "" if section == "VM" else value.get("ID", "")
            limits = owner.quotas.setdefault(section, {}).setdefault(key, {})
            for metric, limit in value.items():
                if metric == "ID":
                    continue
                try:
                    float(limit)
                except ValueError as error:
                    raise OneError(ACTION, f"Error parsing quota {metric}: {limit} is not a number.") from error
                if metric in _METRICS[section]:
                    limits[metric] = limit


def xml(cloud: Cloud, owner: Owner) -> str:
    """The four quota elements of a user or group: sections with limits or usage."""
    parts = []
    for section in ("DATASTORE", "NETWORK", "VM", "IMAGE"):
        limits = owner.quotas.get(section, {})
        taken = usage(cloud, owner, section) if owner.id != 0 else {}
        inner = ""
        for key in sorted(set(limits) | set(taken)):
            values = {"ID": key} if key else {}
            for metric in _METRICS[section]:
                if "PCI" in metric and not cloud.personality.pci_quotas:
                    continue
                values[metric] = limits.get(key, {}).get(metric, "-1")
                values[f"{metric}_USED"] = number(taken.get(key, {}).get(metric, 0.0))
            fields = "".join(f"<{name}>{cdata(values[name])}</{name}>" for name in sorted(values))
            inner += f"<{section}>{fields}</{section}>"
        parts.append(f"<{section}_QUOTA>{inner}</{section}_QUOTA>")
    return "".join(parts)


EMPTY: Final = "".join(f"<{section}_QUOTA></{section}_QUOTA>" for section in ("DATASTORE", "NETWORK", "VM", "IMAGE"))
