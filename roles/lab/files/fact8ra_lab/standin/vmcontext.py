# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The context of a VM with its variables filled in. Source: VirtualMachineContext.cc and vm_var_syntax.y of oned."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from .cloud import Cloud
from .model import VM, Image, User, VNet
from .template import Vector

#: Context variable of a NIC -> attribute, looked up in the NIC, then in the range, then in the network.
_NETWORK_CONTEXT: Final = {
    "IP": "IP", "MAC": "MAC", "MASK": "NETWORK_MASK", "NETWORK": "NETWORK_ADDRESS", "GATEWAY": "GATEWAY", "DNS": "DNS",
    "SEARCH_DOMAIN": "SEARCH_DOMAIN", "MTU": "GUEST_MTU", "METRIC": "METRIC", "METHOD": "METHOD",
    "VLAN_ID": "VLAN_ID", "VROUTER_IP": "VROUTER_IP", "VROUTER_MANAGEMENT": "VROUTER_MANAGEMENT",
    "EXTERNAL": "EXTERNAL", "ROUTES": "ROUTES", "IP6": "IP6", "IP6_ULA": "IP6_ULA", "IP6_GATEWAY": "GATEWAY6",
    "IP6_METRIC": "IP6_METRIC", "IP6_METHOD": "IP6_METHOD", "IP6_PREFIX_LENGTH": "PREFIX_LENGTH",
    "VROUTER_IP6": "VROUTER_IP6",
}  # fmt: skip
_NIC_ONLY: Final = ("IP", "MAC", "VROUTER_IP", "VROUTER_MANAGEMENT", "EXTERNAL", "IP6", "IP6_ULA", "VROUTER_IP6")
_VARIABLE: Final = re.compile(r"\$(?:(\w+)\[([^\]]*)\]|(\w+))")


def letter(index: int) -> str:
    """The letter of a disk."""
    return chr(ord("a") + index)


def network_context(cloud: Cloud, nic: Vector, index: int) -> Vector:
    """The ETHn_ variables of a NIC."""
    net = cloud.pool(VNet).get(int(nic["NETWORK_ID"])) if nic.get("NETWORK_ID") else None
    ar = next((item for item in net.ars if str(item.id) == nic.get("AR_ID")), None) if net else None
    result = {}
    for variable, key in _NETWORK_CONTEXT.items():
        value = nic.get(key, "")
        if not value and variable not in _NIC_ONLY and net:
            value = (ar.attributes.get(key, "") if ar else "") or net.template.text(key)
        result[f"ETH{index}_{variable}"] = value
    return result


def fill(text: str, cloud: Cloud, vm: VM) -> str:
    """The text with $NAME, $USER[NAME], $NETWORK[NAME, NIC_ID=0] and $IMAGE[..] replaced; unknown ones vanish."""

    def vector(name: str, inner: str) -> str:
        wanted, _separator, condition = (part.strip() for part in inner.partition(","))
        wanted = wanted.upper()
        key, _separator, value = (part.strip().strip('"') for part in condition.partition("="))
        if name == "USER":
            user = cloud.pool(User).get(vm.uid)
            return user.template.text(wanted) if user else ""
        source = {"NETWORK": "NIC", "IMAGE": "DISK"}.get(name, name)
        for item in vm.template.vectors(source):
            if key and item.get(key.upper()) != value:
                continue
            if name == "NETWORK":
                net = cloud.pool(VNet).get(int(item.get("NETWORK_ID") or -1))
                return net.template.text(wanted) if net else ""
            if name == "IMAGE":
                image = cloud.pool(Image).get(int(item.get("IMAGE_ID") or -1))
                return image.template.text(wanted) if image else ""
            return item.get(wanted, "")
        return ""

    singles: dict[str, Callable[[], str]] = {
        "UID": lambda: str(vm.uid),
        "GID": lambda: str(vm.gid),
        "UNAME": lambda: cloud.user_name(vm.uid),
        "GNAME": lambda: cloud.group_name(vm.gid),
        "NAME": lambda: vm.name,
    }

    def replace(match: re.Match[str]) -> str:
        if match[1]:
            return vector(match[1].upper(), match[2])
        name = match[3].upper()
        if name in singles:
            return singles[name]()
        return vm.template.text(name) or vm.user_template.text(name)

    return _VARIABLE.sub(replace, text)


def context(cloud: Cloud, vm: VM, given: Vector) -> Vector:
    disks = len(vm.template.vectors("DISK"))
    context = {key: fill(value, cloud, vm) for key, value in given.items()}
    if given.get("NETWORK", "").upper() in ("YES", "TRUE"):
        for index, nic in enumerate(vm.template.vectors("NIC")):
            context |= network_context(cloud, nic, int(nic.get("NIC_ID", index)))
    if given.get("TOKEN", "").upper() in ("YES", "TRUE"):
        context["ONEGATE_ENDPOINT"] = cloud.gate_endpoint
        context["VMID"] = str(vm.id)
    context["DISK_ID"] = str(disks)
    context.setdefault("TARGET", "sd" + letter(disks))
    return context
