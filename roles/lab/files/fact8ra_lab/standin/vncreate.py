# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A new virtual network. Source: src/vnm/VirtualNetwork.cc (insert) of oned, release-7.4.0.

Not kept: the rules of 7.x about which VLANs a group may take (validate_vlan_auth), as no group has such rules here.
"""

from __future__ import annotations

from typing import Final

from . import addresses
from .access import Caller
from .cloud import Cloud
from .errors import INTERNAL, OneError
from .model import VNet
from .template import Template

_NEEDS_PHYDEV: Final = ("vxlan", "802.1Q", "802.1q")
#: The bridge types of a driver (VN_MAD_CONF in share/etc/oned.conf), the first one where none is given.
_BRIDGE_TYPES: Final = {"ovswitch": ("openvswitch", "openvswitch_dpdk"), "ovswitch_vxlan": ("openvswitch",)}


def _truth(text: str) -> bool:
    return text.upper() in ("YES", "TRUE", "1")


def bridge_type(vn_mad: str, given: str, any_type: bool = False) -> str:
    """The bridge type of a driver. Raises OneError where the driver does not know the given one."""
    known = _BRIDGE_TYPES.get(vn_mad, ("linux",))
    wanted = given.strip()
    if wanted and wanted not in known and not any_type:
        raise OneError(
            INTERNAL, f'Attribute BRIDGE_TYPE has wrong value "{wanted}" for VN_MAD_CONF {vn_mad} in oned.conf'
        )
    return wanted or known[0]


def _check_driver(net: VNet) -> None:
    vlan = net.vlan_id or net.vlan_auto
    if net.vn_mad in _NEEDS_PHYDEV and not net.phydev:
        raise OneError(INTERNAL, f"PHYDEV is mandatory for driver {net.vn_mad}")
    if net.vn_mad == "dummy" and not net.bridge:
        raise OneError(INTERNAL, f"BRIDGE is mandatory for driver {net.vn_mad}")
    if net.vn_mad in _NEEDS_PHYDEV and not vlan:
        raise OneError(INTERNAL, f"VLAN_ID (or AUTOMATIC_VLAN_ID) is mandatory for driver {net.vn_mad}")
    if net.vn_mad == "ovswitch_vxlan" and not (net.outer_vlan_id or net.outer_auto):
        raise OneError(INTERNAL, f"OUTER_VLAN_ID (or AUTOMATIC) is mandatory for driver {net.vn_mad}")


def write_own(net: VNet) -> None:
    """Puts what the network keeps of its own into its template."""
    net.template.put("VN_MAD", net.vn_mad)
    net.template.put("BRIDGE", net.bridge)
    net.template.put("BRIDGE_TYPE", net.bridge_type)
    net.template.put("PHYDEV", net.phydev)
    for name, value, automatic in (
        ("VLAN_ID", net.vlan_id, net.vlan_auto),
        ("OUTER_VLAN_ID", net.outer_vlan_id, net.outer_auto),
    ):
        net.template.pop(f"AUTOMATIC_{name}", None)
        if automatic:
            net.template.pop(name, None)
        else:
            net.template.put(name, value)


def create(cloud: Cloud, caller: Caller, template: Template, cluster: int, parent: int = -1, origin: int = -1) -> VNet:
    """A new network of the caller. Raises OneError with oned's text."""
    template = template.clone()
    template.pop("TEMPLATE_ID", None)
    if origin != -1 and not cloud.personality.net_template_id:
        template.put("TEMPLATE_ID", str(origin))
    name = template.text("NAME")
    prefix = template.text("TEMPLATE_NAME")
    template.pop("NAME", None)
    template.pop("TEMPLATE_NAME", None)
    if not name and not prefix:
        raise OneError(INTERNAL, "No NAME in template for Virtual Network.")
    number = cloud.last_ids.get("NET", -1) + 1
    name = name or f"{prefix}-{number}"
    cloud.check_name(VNet, name, caller.uid)
    net = VNet(number, name, caller.uid, caller.gid, parent=parent, template_id=origin, cluster_ids=[cluster])
    net.vn_mad = template.text("VN_MAD")
    if not net.vn_mad:
        raise OneError(INTERNAL, "No VN_MAD in template for Virtual Network.")
    net.phydev, net.bridge = template.text("PHYDEV"), template.text("BRIDGE")
    net.vlan_id, net.outer_vlan_id = template.text("VLAN_ID"), template.text("OUTER_VLAN_ID")
    net.vlan_auto = not net.vlan_id and _truth(template.text("AUTOMATIC_VLAN_ID"))
    net.outer_auto = not net.outer_vlan_id and _truth(template.text("AUTOMATIC_OUTER_VLAN_ID"))
    _check_driver(net)
    like = cloud.personality
    net.bridge_type = bridge_type(net.vn_mad, template.text("BRIDGE_TYPE"), like.any_bridge_type)
    if net.vlan_auto:  # the pool of automatic VLANs starts at 2
        net.vlan_id = str(number + 2)
    if net.outer_auto:
        net.outer_vlan_id = str(number + 2)
    net.bridge = net.bridge or ("onebr." + net.vlan_id if net.vlan_id else f"onebr{number}")
    ranges = template.vectors("AR")
    template.pop("AR", None)
    groups = {part.strip() for part in template.text("SECURITY_GROUPS").split(",") if part.strip()} | {"0"}
    template.put("SECURITY_GROUPS", ",".join(sorted(groups, key=int)))
    net.template = template
    write_own(net)
    for given in ranges:
        net.ars.append(addresses.new_range(len(net.ars), given, like))
    cloud.new_id("NET")
    return cloud.insert(net)
