# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The reservation of module vnet_reservation.

Private to the collection: it may change without notice.

A reservation is a virtual network with C(PARENT_NETWORK_ID), whose address ranges are parts of its parent's
(one.vn.reserve, src/rm/api/VirtualNetworkAPI.cc). Addresses are added to it and taken away a range at a time.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import State
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, NotFound
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.address_range import OPTIONS, AddressRange
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.leases import ranges_of
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import VNET, Raw, named
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.ranges import Range, canonical_range, check_address
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import from_options, render
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet import ManagedVnet
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet_facts import is_reservation
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet_options import INHERITED, RESERVED

LISTED = 4096
"""Most addresses of a reservation that a module returns one by one."""
PLACES = {"ip": "IP", "ip6": "IP6", "mac": "MAC"}
"""Options for the first address to its attribute."""


class Reservation(ManagedVnet):
    """A part of a network's addresses, as a network of its own."""

    def __init__(self, client: Client, params: Mapping[str, Any], promise: Callable[[str], None] | None = None) -> None:
        # what module vnet has and a reservation inherits or leaves to it
        other = {"address_ranges": None, "cluster": None, "clusters": None, "locked": None, "update_mode": "merge"}
        super().__init__(client, {**params, **other}, promise)

    def facts(self, raw: Raw) -> dict[str, Any]:
        return {**super().facts(raw), "size": size_of(raw), "addresses": addresses_of(raw)}

    def prepare(self) -> None:
        params = self.params
        self._replaces, self._clusters = False, None
        self._parent: int | str | None = None
        self._range: int | None = params["address_range"]
        if params["network"] is not None:
            self._parent = self._network(params["network"])
        self._place: Range = canonical_range({name: params[name] for name in PLACES})
        for key, text in self._place.items():
            check_address(key, text or "", key.lower())
        if params["size"] is not None and params["size"] < 1:
            raise InvalidInput(f"size is {params['size']}; it has to be 1 or more.", details={"option": "size"})
        self._prepare_groups()
        self._template = from_options(params, {}, {**RESERVED, **dict.fromkeys(INHERITED, "network")})

    def _network(self, reference: str) -> int | str:
        promise = self.promise if self.params["state"] == "present" else None
        return self.objects.promised(VNET, reference, "network", promise)

    def _state(self, raw: Raw, absent: bool) -> State:
        self.check(raw, self._parent_given() if absent else self._parent)
        return super()._state(raw, absent)

    def _parent_given(self) -> int | str | None:
        """Return the network that the user named; one that is not there any more is no reason to keep what it was."""
        if self.params["network"] is None:
            return None
        try:
            return self._network(self.params["network"])
        except NotFound:
            return None

    def check(self, raw: Raw, parent: int | str | None) -> None:
        """See that a network is a reservation from C(parent), so that no other is taken for it or even deleted.

        Raises:
            InvalidInput: it is not.
        """
        has = as_int(raw.get("PARENT_NETWORK_ID"))
        details = {"endpoint": self.client.endpoint, "id": int(raw["ID"])}
        if has is None:
            raise InvalidInput(
                f"{self.client.endpoint}: {named(VNET, raw)} is no reservation; module vnet manages it.",
                details={**details, "option": "name"},
            )
        if parent is not None and parent != has:
            raise InvalidInput(
                f"{self.client.endpoint}: {named(VNET, raw)} is a reservation from network {has}, not from "
                f"{self.params['network']}, which cannot be changed. Give it another name, or free it first.",
                details={**details, "option": "network", "parent": has},
            )

    def see(self, raw: Raw) -> State:
        return {**super().see(raw), "size": size_of(raw), "network": as_int(raw.get("PARENT_NETWORK_ID"))}

    def desired(self, current: State | None) -> dict[str, Any]:
        desired: dict[str, Any] = {}
        if self._template:
            desired["template"] = self._template
        if self._groups is not None:
            desired["security_groups"] = self._groups
        size = self.params["size"]
        if current is None:
            for option in ("network", "size"):
                if self.params[option] is None:
                    raise InvalidInput(
                        f"{option} is needed to reserve addresses as {self.params['name']!r}.",
                        details={"option": option},
                    )
            desired["network"] = self._parent
            self._check_parent()
        elif size is not None:
            self._check_size(current, size)
        if size is not None:
            desired["size"] = size
        return desired

    def _check_parent(self) -> None:
        """See that the place to take addresses from is there; fills in the range that holds the first address."""
        if not isinstance(self._parent, int):
            return
        parent = self._read_parent(self._parent)
        if is_reservation(parent):
            raise InvalidInput(
                f"{named(VNET, parent)} is a reservation itself, from which OpenNebula reserves nothing; give network "
                f"{parent['PARENT_NETWORK_ID']}.",
                details={"option": "network"},
            )
        ranges = [canonical_range(each) for each in ranges_of(parent)]
        ids = [int(each["AR_ID"] or 0) for each in ranges]
        if self._range is not None and self._range not in ids:
            raise InvalidInput(
                f"address_range is {self._range}, but {named(VNET, parent)} has only the address ranges "
                f"{', '.join(str(each) for each in ids) or '(none)'}.",
                details={"option": "address_range"},
            )
        for key, address in self._place.items():
            holding = [int(each["AR_ID"] or 0) for each in ranges if _holds(each, key, address or "")]
            if not holding or (self._range is not None and self._range not in holding):
                where = "any address range" if self._range is None else f"address range {self._range}"
                raise InvalidInput(
                    f"{key.lower()} is {address}, which is not in {where} of {named(VNET, parent)}.",
                    details={"option": key.lower()},
                )
            # oned wants to know the range of a first address
            self._range = holding[0] if self._range is None else self._range

    def _read_parent(self, number: int) -> Raw:
        raw = None
        if self.params["id"] is None:
            # the pool was read to find the name
            raw = next((each for each in self.objects.pool(VNET) if int(each["ID"]) == number), None)
        if raw is None:
            raw = self.objects.by_id(VNET, number)
        if raw is None:
            raise NotFound(
                f"{self.client.endpoint}: network is {number}, but there is no virtual network with that id.",
                details={"endpoint": self.client.endpoint, "option": "network", "id": number},
            )
        return raw

    def _check_size(self, current: State, size: int) -> None:
        raw, has = current["raw"], current["size"]
        ranges = [canonical_range(each) for each in ranges_of(raw)]
        if size < has:
            listed = ", ".join(f"{each['AR_ID']} ({each['SIZE']} addresses)" for each in ranges)
            raise InvalidInput(
                f"size is {size}, but {named(VNET, raw)} has {has} addresses, and OpenNebula takes away only whole "
                f"ranges. It has the ranges {listed}; free one with range_id and state: absent.",
                details={"option": "size", "has": has},
            )
        begins = all(any(each.get(key) == address for each in ranges) for key, address in self._place.items())
        if size > has:
            self._parent = current["network"]
            if begins:
                # the place is where the reservation begins, the rest may come from anywhere
                self._place = {}
            self._check_parent()
        elif not begins:
            key, address = next(iter(self._place.items()))
            raise InvalidInput(
                f"{key.lower()} is {address}, but no range of {named(VNET, raw)} begins there, and it has its {has} "
                "addresses already. Leave it out, or give a larger size to add addresses from there.",
                details={"option": key.lower()},
            )

    def allocate(self, desired: Mapping[str, Any]) -> int:
        number = self._reserve(
            {"NAME": desired["name"], "SIZE": desired["size"]},
            f"reserve {desired['size']} addresses as {desired['name']!r}",
        )
        self._wait(number)
        return number

    def _reserve(self, what: Mapping[str, Any], text: str) -> int:
        template = render({**what, "AR_ID": self._range, **self._place})
        return int(self.client.call("vn.reserve", self._parent, template, what=f"{text} from network {self._parent}"))

    def change(self, current: State, changes: dict[str, Any]) -> None:
        raw = current["raw"]
        if "size" in changes:
            more = changes["size"] - current["size"]
            self._reserve(
                {"SIZE": more, "NETWORK_ID": current["id"]}, f"reserve {more} more addresses for {named(VNET, raw)}"
            )
        super().change(current, changes)


def free_range(client: Client, params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Free the range C(range_id) of a reservation and return the module's result."""
    reservation = Reservation(client, params)
    raw = reservation.objects.managed(VNET, params)
    if raw is None:
        return {"changed": False, "diff": {"before": {}, "after": {}}, "reservation": None}
    reservation.check(raw, reservation._parent_given())
    given = {
        **dict.fromkeys((*OPTIONS, "security_groups")),
        **{name: params[name] for name in ("wait", "wait_timeout")},
    }
    own = {"network": raw["ID"], "id": params["range_id"], "state": "absent", "force": False}
    done = AddressRange(client, {**given, **own}).run(check_mode=check_mode)
    seen = raw if check_mode else reservation.objects.by_id(VNET, int(raw["ID"]))
    return {
        "changed": done["changed"],
        "diff": done["diff"],
        "reservation": None if seen is None else reservation.facts(seen),
    }


def size_of(raw: Raw) -> int:
    """Return the number of addresses of a network."""
    return sum(as_int(each.get("SIZE")) or 0 for each in ranges_of(raw))


def addresses_of(raw: Raw) -> list[str] | None:
    """Return the addresses of a network one by one; IPv4 where there are, else IPv6, else MAC; None for very many."""
    if size_of(raw) > LISTED:
        return None
    found: list[str] = []
    for each in ranges_of(raw):
        kind = next((key for key in ("IP", "IP6", "MAC") if each.get(key)), None)
        if kind is not None:
            found += [_text(kind, _number(kind, each[kind]) + at) for at in range(as_int(each.get("SIZE")) or 0)]
    return found


def _holds(each: Range, key: str, address: str) -> bool:
    first = each.get(key)
    return first is not None and 0 <= _number(key, address) - _number(key, first) < int(each.get("SIZE") or 0)


def _number(key: str, address: str) -> int:
    return int(address.replace(":", ""), 16) if key == "MAC" else int(ipaddress.ip_address(address))


def _text(key: str, number: int) -> str:
    if key == "MAC":
        return number.to_bytes(6, "big").hex(":")
    return str(ipaddress.IPv4Address(number) if key == "IP" else ipaddress.IPv6Address(number))
