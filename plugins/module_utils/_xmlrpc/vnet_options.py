# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Options of module vnet: the attributes that they set, and what OpenNebula requires of them.

Private to the collection: it may change without notice.

The attributes are in the reference "Virtual Network Template" and the chapters on the network drivers of OpenNebula's
documentation. What a driver requires is in VirtualNetwork::parse_phydev_vlans (src/vnm/VirtualNetwork.cc), which is
the same in 6.8 and 7.4; it requires nothing of drivers that it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import scalar
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import Raw
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import from_options

Option = Mapping[str, Any]

DRIVER: Mapping[str, Option] = {
    "vn_mad": {"type": "str"},
    "bridge": {"type": "str"},
    "bridge_type": {"type": "str"},
    "phydev": {"type": "str"},
    "vlan_id": {"type": "int"},
    "automatic_vlan_id": {"type": "bool"},
    "outer_vlan_id": {"type": "int"},
    "automatic_outer_vlan_id": {"type": "bool"},
    "vlan_tagged_id": {"type": "str"},
    "cvlans": {"type": "str"},
    "qinq_type": {"type": "str"},
    "mtu": {"type": "int"},
    "vxlan_mode": {"type": "str", "choices": ["multicast", "evpn"]},
    "vxlan_tep": {"type": "str", "choices": ["dev", "local_ip"]},
    "vxlan_mc": {"type": "str"},
    "conf": {"type": "dict"},
    "bridge_conf": {"type": "dict"},
    "ovs_bridge_conf": {"type": "dict"},
    "ip_link_conf": {"type": "dict"},
    "filter_mac_spoofing": {"type": "bool"},
    "filter_ip_spoofing": {"type": "bool"},
    "spoofchk": {"type": "bool"},
    "trust": {"type": "bool"},
}
"""Options for the network on the hypervisors; documented in plugins/doc_fragments/_vnet.py."""

QOS: Mapping[str, Option] = {
    f"{direction}_{limit}": {"type": "int"}
    for direction in ("inbound", "outbound")
    for limit in ("avg_bw", "peak_bw", "peak_kb")
}
GUEST: Mapping[str, Option] = {
    "network_address": {"type": "str"},
    "network_mask": {"type": "str"},
    "gateway": {"type": "str"},
    "gateway6": {"type": "str"},
    "dns": {"type": "str"},
    "search_domain": {"type": "str"},
    "guest_mtu": {"type": "int"},
    "metric": {"type": "int"},
    "ip6_metric": {"type": "int"},
    "method": {"type": "str", "choices": ["static", "dhcp", "skip"]},
    "ip6_method": {"type": "str", "choices": ["static", "auto", "dhcp", "disable", "skip"]},
    "context_force_ipv4": {"type": "bool"},
    "qos": {"type": "dict", "options": QOS},
}
"""Options for the interfaces of virtual machines; documented in plugins/doc_fragments/_vnet.py."""

OPTIONS = {name: name.upper() for name in (*DRIVER, *GUEST, *QOS) if name != "qos"}
"""Options of the module, those of C(qos) too, to attributes of the template."""
RESERVED = {
    "NAME": "name",
    "AR": "address_ranges",
    "SECURITY_GROUPS": "security_groups",
    "CLUSTER_IDS": "clusters",
}

INHERITED = frozenset(
    {
        "AUTOMATIC_OUTER_VLAN_ID",
        "AUTOMATIC_VLAN_ID",
        "BRIDGE",
        "BRIDGE_TYPE",
        "OUTER_VLAN_ID",
        "PHYDEV",
        "VLAN_ID",
        "VN_MAD",
    }
)
"""Attributes that a reservation has from its parent and cannot change."""

KEPT = INHERITED | {"ERROR", "SECURITY_GROUPS", "TEMPLATE_ID", "VNET_UPDATE"}
"""Attributes that a replacing update does not remove: the driver, what it derives, what has an own option, and what
the server writes."""

AUTOMATIC = {"AUTOMATIC_VLAN_ID": "VLAN_ID", "AUTOMATIC_OUTER_VLAN_ID": "OUTER_VLAN_ID"}

NEEDS = {
    "dummy": ("BRIDGE",),
    "802.1Q": ("PHYDEV", "VLAN_ID"),
    "vxlan": ("PHYDEV", "VLAN_ID"),
    "ovswitch_vxlan": ("OUTER_VLAN_ID",),
}
"""Drivers to the attributes that a network of theirs needs; an id may be automatic instead."""


def template_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template that the options of the module ask for, normalised; only what the user gave.

    Raises:
        InvalidInput: options exclude each other, or hold what OpenNebula cannot keep.
    """
    flat = {**dict.fromkeys(OPTIONS), **params, **(params.get("qos") or {})}
    for option in ("conf", "bridge_conf", "ovs_bridge_conf", "ip_link_conf"):
        if isinstance(flat[option], Mapping):
            flat[option] = _assignments(option, flat[option])
    template = from_options(flat, OPTIONS, RESERVED)
    for automatic, number in AUTOMATIC.items():
        if template.get(automatic) == "YES" and template.get(number):
            raise InvalidInput(
                f"{automatic.lower()} and {number.lower()} exclude each other; give one of them.",
                details={"option": automatic.lower()},
            )
    return template


def _assignments(option: str, values: Mapping[str, Any]) -> str:
    """Return C(a=1,b=), the form in which the drivers read several values from one attribute."""
    parts = []
    for name, value in values.items():
        # the drivers compare with the words true and false (src/vnm_mad/remotes/lib/vnm_driver.rb)
        text = str(value).lower() if isinstance(value, bool) else scalar(value)
        if "," in f"{name}{text}" or "=" in str(name):
            raise InvalidInput(
                f"{option} has {name!r}: {text!r}; OpenNebula separates the values by commas, so none may hold one.",
                details={"option": option},
            )
        parts.append(f"{name}={text}")
    return ",".join(parts)


def check_new(name: Any, template: Mapping[str, Any]) -> None:
    """See that a network with a template can be created.

    Raises:
        InvalidInput: the driver is missing, or something that it needs.
    """
    driver = template.get("VN_MAD")
    if not driver:
        raise InvalidInput(
            f"vn_mad is needed to create virtual network {name!r}, for example bridge.", details={"option": "vn_mad"}
        )
    for attribute in NEEDS.get(driver, ()):
        automatic = next((key for key, number in AUTOMATIC.items() if number == attribute), None)
        if template.get(attribute) or (automatic and template.get(automatic) == "YES"):
            continue
        option = attribute.lower()
        wanted = f"{option}, or {automatic.lower()}: true" if automatic else option
        raise InvalidInput(
            f"Virtual network {name!r} has vn_mad {driver!r}, which needs {wanted}.", details={"option": option}
        )


def check_change(raw: Raw, template: Mapping[str, Any]) -> None:
    """See that a template can be given to an existing network, whose choice of VLAN ids is made for ever.

    Raises:
        InvalidInput: it cannot. oned would keep the old id without a word (VirtualNetwork::post_update_template).
    """
    for automatic, number in AUTOMATIC.items():
        was = raw.get(f"{number}_AUTOMATIC") == "1"
        wanted = template.get(automatic)
        if wanted is not None and (wanted == "YES") is not was:
            raise InvalidInput(
                f"{automatic.lower()} is {'true' if wanted == 'YES' else 'false'}, but virtual network {raw['NAME']!r} "
                f"(id {raw['ID']}) was created with {'true' if was else 'false'}, which OpenNebula cannot change. "
                "Leave it out, or create another network.",
                details={"option": automatic.lower()},
            )
        if was and template.get(number):
            raise InvalidInput(
                f"{number.lower()} is {template[number]}, but OpenNebula chose {raw.get(number)} for virtual network "
                f"{raw['NAME']!r} (id {raw['ID']}) and cannot change it. Leave it out, or create another network.",
                details={"option": number.lower()},
            )
