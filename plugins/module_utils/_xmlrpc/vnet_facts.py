# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Virtual networks as modules return them.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_dicts, as_int, as_ints
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.lock import is_locked
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import Raw, identity
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet_states import state_name


def is_reservation(raw: Raw) -> bool:
    """Whether a network is a reservation; a parent with id 0 is a parent."""
    return as_int(raw.get("PARENT_NETWORK_ID")) is not None


def security_groups(raw: Raw) -> list[int]:
    """Return the ids of the security groups of all addresses of a network, ordered as text."""
    text = as_dict(raw, "TEMPLATE").get("SECURITY_GROUPS") or ""
    return sorted({int(part) for part in str(text).split(",") if part.strip().isdigit()}, key=str)


def facts(raw: Raw, *, leases: bool) -> dict[str, Any]:
    """Return a network as modules return it; C(leases) only for what C(one.vn.info) answered, pools lack them."""
    return {
        **identity(raw),
        "state": state_name(raw),
        "locked": is_locked(raw),
        "vn_mad": raw.get("VN_MAD") or None,
        "bridge": raw.get("BRIDGE") or None,
        "phydev": raw.get("PHYDEV") or None,
        "vlan_id": raw.get("VLAN_ID") or None,
        "clusters": as_ints(raw, "CLUSTERS", "ID"),
        "parent_network_id": as_int(raw.get("PARENT_NETWORK_ID")),
        "security_groups": security_groups(raw),
        "template": as_dict(raw, "TEMPLATE"),
        "used_leases": as_int(raw.get("USED_LEASES")) or 0,
        "address_ranges": [range_facts(each, leases=leases) for each in as_dicts(raw, "AR_POOL", "AR")],
    }


def range_facts(each: Mapping[str, Any], *, leases: bool) -> dict[str, Any]:
    """Return an address range as modules return it; C(leases) as for C(facts)."""
    known = {
        name.lower(): value
        for name, value in each.items()
        if isinstance(value, str) and value and name not in ("AR_ID", "SIZE", "USED_LEASES", "NEXT_INDEX", "LEASES")
        # pools lack the ends too
        if leases or not name.endswith("_END")
    }
    result: dict[str, Any] = {"id": as_int(each.get("AR_ID")), "size": as_int(each.get("SIZE")), **known}
    if leases:
        result["leases"] = [
            {
                name.lower(): as_int(value) if name in ("VM", "VNET", "VROUTER") else value
                for name, value in lease.items()
            }
            for lease in as_dicts(each, "LEASES", "LEASE")
        ]
    return result
