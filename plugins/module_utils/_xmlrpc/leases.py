# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Leases of virtual networks: who holds them, and what to do when they are in the way.

Private to the collection: it may change without notice.

A lease outlives its VM by some seconds: oned gives it back when the VM's epilog or the detaching of its NIC is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotAuthorized, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._waiting import wait_for
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dicts, as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import VM, VNET, Objects, Raw, named, thing
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.usage import HIDDEN

# include/VirtualMachine.h: LCM_STATE EPILOG, SHUTDOWN, CANCEL, CLEANUP_DELETE and HOTPLUG_NIC; STATE DONE
VANISHING = frozenset({11, 12, 13, 23, 25})
VM_DONE = 6

IN_USE = ("leases in use", "used leases that would fall outside the range")
"""Words of oned when leases are in the way (src/vnm/AddressRange*.cc, src/rm/api/VirtualNetworkAPI.cc)."""
CHANGED = ("Address Range does not exist", "Address Range with ID", "is in wrong state", "wrong state LOCK_")
"""Words of oned when somebody else changed the network since it was read."""


@dataclass(eq=False)
class Blocked(Exception):
    """A change that leases are in the way of.

    Attributes:
        error: what the user gets when they stay.
        ranges: ids of the address ranges that have to be free, to the first position that has to; None for all.
    """

    error: Refused
    ranges: Mapping[int, int] | None = None


@dataclass
class Holders:
    """Who holds addresses.

    Attributes:
        names: for messages.
        count: number of addresses.
        stays: whether any holder keeps its address.
    """

    names: list[str] = field(default_factory=list)
    count: int = 0
    stays: bool = False


def refusing(call: Callable[[], object], ranges: Mapping[int, int] | None = None) -> None:
    """Make a call that leases may be in the way of.

    Raises:
        Blocked: they are; C(ranges) is kept in it.
        Refused: the server refused for another reason.
    """
    try:
        call()
    except Refused as error:
        if _says(error, IN_USE):
            raise Blocked(error, ranges) from None
        raise


def retried(objects: Objects, raw: Raw, change: Callable[[Raw], None], *, timeout: float) -> None:
    """Change a network, again while leases of vanishing VMs or changes of others are in the way.

    Args:
        raw: the network as it was read last.
        change: gets the network as it is now, does what is missing, and may raise C(Blocked).
        timeout: seconds; 0 or less means one try.

    Raises:
        Refused: with code C(in_use) and C(details["holders"]), when a holder stays; or for another reason.
        ResourceTimeout: something is still in the way when the time is over.
    """
    number, seen = int(raw["ID"]), raw

    def attempt() -> str | list[str] | None:
        nonlocal seen
        try:
            change(seen)
        except Blocked as blocked:
            seen = objects.by_id(VNET, number) or seen
            holders = find_holders(objects, seen, blocked.ranges)
            if holders.stays:
                raise _in_use(blocked.error, holders) from None
            return holders.names or blocked.error.message
        except Refused as error:
            if not _says(error, CHANGED):
                raise
            seen = objects.by_id(VNET, number) or seen
            return error.message
        return None

    wait_for(
        attempt,
        lambda left: left is None,
        what=f"what is in the way of changing {named(VNET, raw)} at {objects.client.endpoint} to be gone",
        timeout=timeout,
    )


def _says(error: Refused, words: tuple[str, ...]) -> bool:
    return any(word in str(error.details.get("server") or "") for word in words)


def _in_use(error: Refused, holders: Holders) -> Refused:
    return Refused(
        f"{error.message.rstrip('.')}. {holders.count} of its addresses are in use by {', '.join(holders.names)}. "
        "Remove these first.",
        code="in_use",
        details={**error.details, "holders": holders.names},
    )


def ranges_of(raw: Raw) -> list[dict[str, Any]]:
    """Return the address ranges of a network as the server has them."""
    return [each for each in as_dicts(raw, "AR_POOL", "AR") if as_int(each.get("AR_ID")) is not None]


def find_holders(objects: Objects, raw: Raw, ranges: Mapping[int, int] | None = None) -> Holders:
    """Return who holds addresses of a network, or of those C(ranges) of it that C(Blocked) describes."""
    found = Holders()
    vms: set[int] = set()
    others: list[str] = []
    concerned = [
        (each, 0 if ranges is None else ranges[number])
        for number, each in ((int(each["AR_ID"]), each) for each in ranges_of(raw))
        if ranges is None or number in ranges
    ]
    parts = [raw] if ranges is None else [each for each, _first in concerned]
    used = sum(as_int(part.get("USED_LEASES")) or 0 for part in parts)
    hidden = used > sum(len(as_dicts(each, "LEASES", "LEASE")) for each, _first in concerned)
    for each, first in concerned:
        for lease in _from(each, first):
            found.count += 1
            vm = as_int(lease.get("VM"))
            if vm is not None and vm >= 0:
                vms.add(vm)
            else:
                others.append(_other_holder(objects, lease))
    for vm in sorted(vms):
        text, stays = _vm_holder(objects, vm)
        found.names.append(text)
        found.stays = found.stays or stays
    found.names += dict.fromkeys(others)
    if hidden:
        found.names.append(HIDDEN)
        found.count = max(found.count, used)
    found.stays = found.stays or bool(others) or hidden
    return found


def _from(each: Mapping[str, Any], first: int) -> Iterator[Mapping[str, Any]]:
    start = _number(each.get("MAC"))
    for lease in as_dicts(each, "LEASES", "LEASE"):
        mac = _number(lease.get("MAC"))
        # the addresses of a shared range have no MAC of their own
        if start is None or mac is None or mac - start >= first:
            yield lease


def _number(mac: Any) -> int | None:
    try:
        return int(str(mac).replace(":", ""), 16)
    except ValueError:
        return None


def _vm_holder(objects: Objects, vm: int) -> tuple[str, bool]:
    try:
        seen = objects.by_id(VM, vm)
    except NotAuthorized:
        return thing(VM, None, vm), True
    if seen is None:
        return thing(VM, None, vm), False
    return named(VM, seen), as_int(seen.get("LCM_STATE")) not in VANISHING and as_int(seen.get("STATE")) != VM_DONE


def _other_holder(objects: Objects, lease: Mapping[str, Any]) -> str:
    vnet, router = as_int(lease.get("VNET")), as_int(lease.get("VROUTER"))
    if vnet is not None:
        reservation = next((other for other in objects.pool(VNET) if int(other["ID"]) == vnet), None)
        return thing(VNET, None, vnet) if reservation is None else named(VNET, reservation)
    if router is not None:
        return f"virtual router (id {router})"
    return f"the address {lease.get('IP') or lease.get('IP6') or lease.get('MAC')}, which is on hold"
