# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Virtual networks: states, address ranges, leases.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import State
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, NotAuthorized, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._waiting import wait_for
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_int, as_list
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.managed import Managed
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    CLUSTER,
    SECURITY_GROUP,
    VM,
    VNET,
    Objects,
    Raw,
    identity,
    label,
    named,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.ranges import (
    apply_ranges,
    canonical_range,
    plan_ranges,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import from_options, normalise, render


class VnetState(IntEnum):
    """States of a virtual network since OpenNebula 6.4 (include/VirtualNetwork.h)."""

    INIT = 0
    READY = 1
    LOCK_CREATE = 2
    LOCK_DELETE = 3
    DONE = 4
    ERROR = 5
    UPDATE_FAILURE = 6


FAILED = (VnetState.ERROR, VnetState.UPDATE_FAILURE)
GOING = (VnetState.LOCK_DELETE, VnetState.DONE)

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

KEPT = INHERITED | {"SECURITY_GROUPS"}
"""Attributes that a replacing update does not remove: the driver, what it derives, and what has an own option."""

OPTIONS = {
    "vn_mad": "VN_MAD",
    "bridge": "BRIDGE",
    "phydev": "PHYDEV",
    "vlan_id": "VLAN_ID",
    "automatic_vlan_id": "AUTOMATIC_VLAN_ID",
    "mtu": "MTU",
    "guest_mtu": "GUEST_MTU",
    "network_address": "NETWORK_ADDRESS",
    "network_mask": "NETWORK_MASK",
    "gateway": "GATEWAY",
    "dns": "DNS",
    "method": "METHOD",
}
"""Options of the module to attributes of the template."""
RESERVED = {"NAME": "name", "AR": "address_ranges", "SECURITY_GROUPS": "security_groups"}

LOCK_MANAGE = 2
"""Lock level that forbids managing and administering, but not using (one.vn.lock)."""

# VM states in which the lease is about to be given back (include/VirtualMachine.h): LCM_STATE EPILOG, SHUTDOWN,
# CANCEL, CLEANUP_DELETE and HOTPLUG_NIC
VANISHING = frozenset({11, 12, 13, 23, 25})
VM_DONE = 6


def state_of(raw: Raw) -> VnetState | int:
    """Return the state of a network; networks of servers before 6.4 have none and count as READY."""
    number = as_int(raw.get("STATE"))
    if number is None:
        return VnetState.READY
    return VnetState(number) if number in VnetState._value2member_map_ else number


def state_name(raw: Raw) -> str:
    """Return the name of the state of a network."""
    state = state_of(raw)
    return state.name if isinstance(state, VnetState) else f"UNKNOWN({state})"


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
        "locked": bool(as_dict(raw, "LOCK")),
        "vn_mad": raw.get("VN_MAD") or None,
        "bridge": raw.get("BRIDGE") or None,
        "phydev": raw.get("PHYDEV") or None,
        "vlan_id": raw.get("VLAN_ID") or None,
        "clusters": [int(number) for number in as_list(raw, "CLUSTERS", "ID")],
        "parent_network_id": as_int(raw.get("PARENT_NETWORK_ID")),
        "security_groups": security_groups(raw),
        "template": as_dict(raw, "TEMPLATE"),
        "used_leases": as_int(raw.get("USED_LEASES")) or 0,
        "address_ranges": [_range_facts(each, leases) for each in as_list(raw, "AR_POOL", "AR")],
    }


def _range_facts(each: Mapping[str, Any], leases: bool) -> dict[str, Any]:
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
            {name.lower(): int(value) if name in ("VM", "VNET", "VROUTER") else value for name, value in lease.items()}
            for lease in as_list(each, "LEASES", "LEASE")
        ]
    return result


def wait_ready(objects: Objects, number: int, timeout: float) -> Raw:
    """Wait until a network is READY and return it.

    Raises:
        Refused: it came to ERROR or UPDATE_FAILURE, or went away.
        ResourceTimeout: the time is over.
    """

    def look() -> Raw:
        raw = objects.by_id(VNET, number)
        if raw is None:
            raise Refused(f"{label(objects.client, VNET, None, number)} went away while it was waited for.")
        return raw

    def check(raw: Raw) -> None:
        if state_of(raw) in FAILED:
            raise Refused(
                f"{objects.client.endpoint}: {named(VNET, raw)} is in state {state_name(raw)}. "
                "The log of oned says why the network driver failed; onevnet recover brings it out of that state.",
                code="failed_state",
                details={"endpoint": objects.client.endpoint, "id": number, "last_state": state_name(raw)},
            )

    return wait_for(
        look,
        lambda raw: state_of(raw) == VnetState.READY,
        what=f"{label(objects.client, VNET, None, number)} to become READY",
        timeout=timeout,
        state=state_name,
        check=check,
    )


def wait_gone(objects: Objects, number: int, timeout: float) -> None:
    """Wait until a network does not exist any more; raises as C(wait_ready) does."""

    def check(raw: Raw | None) -> None:
        if raw is not None and state_of(raw) in FAILED:
            raise Refused(
                f"{objects.client.endpoint}: deleting {named(VNET, raw)} failed, it is in state {state_name(raw)}. "
                "The log of oned says why the network driver failed; onevnet recover --delete removes it.",
                code="failed_state",
                details={"endpoint": objects.client.endpoint, "id": number, "last_state": state_name(raw)},
            )

    wait_for(
        lambda: objects.by_id(VNET, number),
        lambda raw: raw is None or state_of(raw) == VnetState.DONE,
        what=f"{label(objects.client, VNET, None, number)} to be gone",
        timeout=timeout,
        state=lambda raw: "gone" if raw is None else state_name(raw),
        check=check,
    )


def wait_free(objects: Objects, raw: Raw, timeout: float) -> None:
    """See that a network has no leases; wait only for those of VMs that are being removed.

    Raises:
        Refused: with code C(in_use) and C(details["holders"]), when anything else holds an address.
        ResourceTimeout: the VMs are still being removed when the time is over.
    """
    number = int(raw["ID"])

    def look() -> list[str]:
        seen = objects.by_id(VNET, number)
        used = 0 if seen is None else as_int(seen.get("USED_LEASES")) or 0
        if seen is None or used == 0:
            return []
        holders, staying = _holders(objects, seen)
        if staying or not holders:
            who = ", ".join(holders) or "objects that this user may not see"
            raise Refused(
                f"{objects.client.endpoint}: {named(VNET, raw)} cannot be deleted, {used} of its addresses are in use "
                f"by {who}. Remove these first.",
                code="in_use",
                details={"endpoint": objects.client.endpoint, "id": number, "holders": holders},
            )
        return holders

    wait_for(
        look,
        lambda holders: not holders,
        what=f"the leases of {named(VNET, raw)} at {objects.client.endpoint} to be given back",
        timeout=timeout,
    )


def _holders(objects: Objects, raw: Raw) -> tuple[list[str], bool]:
    """Return who holds addresses of a network, and whether any of them is going to stay."""
    leases = [lease for each in as_list(raw, "AR_POOL", "AR") for lease in as_list(each, "LEASES", "LEASE")]
    vms = {vm for lease in leases if (vm := as_int(lease.get("VM"))) is not None and vm >= 0}
    holders: list[str] = []
    staying = False
    for vm in sorted(vms):
        text, stays = _vm_holder(objects, vm)
        holders.append(text)
        staying = staying or stays
    others = [_other_holder(objects, lease) for lease in leases if as_int(lease.get("VM")) not in vms]
    return [*holders, *dict.fromkeys(others)], staying or bool(others)


def _vm_holder(objects: Objects, vm: int) -> tuple[str, bool]:
    try:
        seen = objects.by_id(VM, vm)
    except NotAuthorized:
        return f"VM (id {vm})", True
    if seen is None:
        return f"VM (id {vm})", False
    return named(VM, seen), as_int(seen.get("LCM_STATE")) not in VANISHING and as_int(seen.get("STATE")) != VM_DONE


def _other_holder(objects: Objects, lease: Mapping[str, Any]) -> str:
    vnet, router = as_int(lease.get("VNET")), as_int(lease.get("VROUTER"))
    if vnet is not None:
        reservation = next((other for other in objects.pool(VNET) if int(other["ID"]) == vnet), None)
        return f"virtual network (id {vnet})" if reservation is None else named(VNET, reservation)
    if router is not None:
        return f"virtual router (id {router})"
    return f"the address {lease.get('IP') or lease.get('MAC')}, which is on hold"


class ManagedVnet(Managed):
    """The virtual network of module vnet."""

    kind = VNET

    def facts(self, raw: Raw) -> dict[str, Any]:
        return facts(raw, leases=False)

    def see(self, raw: Raw) -> State:
        template = normalise(raw.get("TEMPLATE"))
        # the server strips the attribute and keeps the choice beside the template
        template["AUTOMATIC_VLAN_ID"] = "YES" if raw.get("VLAN_ID_AUTOMATIC") == "1" else "NO"
        state: State = {
            "template": template,
            "security_groups": security_groups(raw),
            "locked": bool(as_dict(raw, "LOCK")),
        }
        if self.params["address_ranges"] is not None:
            plan = plan_ranges(raw, self.params["address_ranges"])
            found = [each for each in plan.found if each is not None]
            state["address_ranges"] = [*found, *(plan.surplus if self._replaces else [])]
        if self._cluster is not None:
            clusters = [int(number) for number in as_list(raw, "CLUSTERS", "ID")]
            state["cluster"] = self._cluster if self._cluster in clusters else None
        return state

    def prepare(self) -> None:
        params = self.params
        self._replaces = params["update_mode"] == "replace"
        self._template = from_options(params, OPTIONS, RESERVED)
        self._groups: list[int | str] | None = None
        if params["security_groups"] is not None:
            self._groups = sorted({self._security_group(each) for each in params["security_groups"]}, key=str)
        self._cluster = None
        if params["cluster"] is not None:
            self._cluster = self.objects.referred(CLUSTER, params["cluster"], "cluster")

    def _security_group(self, reference: str) -> int | str:
        if self.promise is not None:
            return self.objects.promised(SECURITY_GROUP, reference, "security_groups", self.promise)
        return self.objects.referred(SECURITY_GROUP, reference, "security_groups")

    def desired(self, current: State | None) -> dict[str, Any]:
        if current is None and "VN_MAD" not in self._template:
            raise InvalidInput(
                f"vn_mad is needed to create virtual network {self.params['name']!r}, for example bridge.",
                details={"option": "vn_mad"},
            )
        inherits = current is not None and is_reservation(current["raw"])
        template = dict(self._template)
        if current is not None and self._replaces:
            has = normalise(current["raw"].get("TEMPLATE"))
            template = {**{name: None for name in has if name not in KEPT}, **template}
        if inherits:
            template = {name: value for name, value in template.items() if name not in INHERITED}
        desired: dict[str, Any] = {}
        if template:
            desired["template"] = template
        if self._groups is not None:
            desired["security_groups"] = self._groups
        if self.params["address_ranges"] is not None and not inherits:
            desired["address_ranges"] = [canonical_range(each) for each in self.params["address_ranges"]]
        if self._cluster is not None:
            desired["cluster"] = self._cluster
        if self.params["locked"] is not None:
            desired["locked"] = self.params["locked"]
        return desired

    def allocate(self, desired: Mapping[str, Any]) -> int:
        text = render(
            {
                "NAME": desired["name"],
                **desired.get("template", {}),
                "SECURITY_GROUPS": _joined(desired.get("security_groups")),
                "AR": desired.get("address_ranges"),
            }
        )
        number = int(
            self.client.call(
                "vn.allocate", text, desired.get("cluster", -1), what=f"create virtual network {desired['name']!r}"
            )
        )
        self._wait(number)
        return number

    def change(self, current: State, changes: dict[str, Any]) -> None:
        raw, number, who = current["raw"], current["id"], named(VNET, current["raw"])
        if current["locked"] and self.params["locked"] is not None:
            self.client.call("vn.unlock", number, what=f"unlock {who}")
        # first, since it needs more rights than the rest and is refused more often
        if "address_ranges" in changes:
            plan = plan_ranges(raw, self.params["address_ranges"])
            apply_ranges(self.client, raw, plan, remove=self._replaces)
        template = dict(changes.get("template", {}))
        if "security_groups" in changes:
            template["SECURITY_GROUPS"] = _joined(changes["security_groups"])
        if template:
            self.apply_template(raw, template)
        if "cluster" in changes:
            self.client.call("cluster.addvnet", self._cluster, number, what=f"put {who} into cluster {self._cluster}")
        self.apply_common(raw, changes)
        if self.params["locked"]:
            self.client.call("vn.lock", number, LOCK_MANAGE, False, what=f"lock {who}")
        self._wait(number)

    def settle(self, raw: Raw) -> Raw | None:
        state, number, timeout = state_of(raw), int(raw["ID"]), self.params["wait_timeout"]
        if not self.params["wait"] or state == VnetState.READY:
            return raw
        if state in GOING:
            wait_gone(self.objects, number, timeout)
            return None
        if state in FAILED and self.params["state"] == "absent":
            return raw
        return wait_ready(self.objects, number, timeout)

    def remove(self, current: State) -> None:
        if as_int(current["raw"].get("USED_LEASES")):
            wait_free(self.objects, current["raw"], self.params["wait_timeout"] if self.params["wait"] else 0)
        self.delete(current["raw"])
        if self.params["wait"]:
            wait_gone(self.objects, current["id"], self.params["wait_timeout"])
            self.remember(current["id"], None)

    def gone(self, raw: Raw | None) -> bool:
        return raw is None or state_of(raw) in GOING

    def _wait(self, number: int) -> None:
        if self.params["wait"]:
            self.remember(number, wait_ready(self.objects, number, self.params["wait_timeout"]))


def _joined(groups: list[int] | None) -> str | None:
    return None if groups is None else ",".join(str(group) for group in groups)
