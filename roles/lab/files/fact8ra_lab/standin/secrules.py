# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The rules that hold for a NIC: those of its own security groups, its network's and its address range's together.

Source: src/vnm_mad/remotes. The drivers `fw`, `802.1Q` and `vxlan` set them; the update_sg of `bridge` and `ovswitch`
does nothing, and neither filters anything.
"""

from __future__ import annotations

from typing import Final

from .cloud import Cloud
from .model import SecurityGroup, VNet
from .template import Vector

#: Drivers that hold security groups in force.
FILTERING: Final = ("fw", "802.1Q", "vxlan")


def rules_of(cloud: Cloud, nic: Vector) -> tuple[Vector, ...] | None:
    """The rules of a NIC, with the addresses of the networks that they name; None where nothing is filtered."""
    if nic.get("VN_MAD") not in FILTERING:
        return None
    found: list[Vector] = []
    for number in nic.get("SECURITY_GROUPS", "").split(","):
        group = cloud.pool(SecurityGroup).get(int(number)) if number.isdigit() else None
        for rule in group.template.vectors("RULE") if group else []:
            found += _of_network(cloud, rule) if rule.get("NETWORK_ID") and not rule.get("IP") else [rule]
    return tuple(found)


def _of_network(cloud: Cloud, rule: Vector) -> list[Vector]:
    net = cloud.pool(VNet).get(int(rule["NETWORK_ID"]))
    ranges = [ar.attributes for ar in net.ars if ar.attributes.get("IP")] if net else []
    return [rule | {"IP": ar["IP"], "SIZE": ar["SIZE"]} for ar in ranges]
