# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Address ranges and held addresses of networks. Source: src/rm/api/VirtualNetworkAPI.cc of oned, release-7.4.0."""

from __future__ import annotations

from .. import addresses
from ..access import ADMIN, MANAGE, Caller
from ..errors import ACTION, AUTHORIZATION, INTERNAL, OneError
from ..model import AddressRange, VNet
from ..template import Vector
from ..vnstates import READY, STATE_NAMES, UPDATE_FAILURE
from .base import PoolApi


class RangeCalls(PoolApi[VNet]):
    """The calls on ranges and leases; all of them need a network that is READY."""

    def _ready(self, net: VNet, text: str) -> None:
        if net.state not in (READY, UPDATE_FAILURE):
            raise OneError(ACTION, f"{text}Virtual Network is in wrong state: {STATE_NAMES[net.state]}")

    def _changed(self, caller: Caller, number: int, right: int, method: str) -> VNet:
        net = self.cloud.allowed(caller, VNet, number, right)
        # Upstream writes no space before "Virtual".
        self._ready(net, f"Could not execute one.vn.{method}")
        return net

    def _range_right(self, number: int) -> int:
        """The right to add and remove ranges: less where the network comes from a template, since 7.0."""
        net = self.cloud.find(VNet, number)
        return ADMIN if net.template_id == -1 or not self.cloud.personality.template_owner_ranges else MANAGE

    def _range(self, net: VNet | None, number: int) -> AddressRange | None:
        return next((ar for ar in (net.ars if net else []) if ar.id == number), None)

    def _ranges_of(self, text: str) -> list[Vector]:
        vectors = self.cloud.parse(text).vectors("AR")
        if not vectors:
            raise OneError(INTERNAL, "Wrong AR definition. AR vector attribute is missing.")
        return vectors

    def _restricted(self, caller: Caller, given: Vector, known: Vector | None) -> str | None:
        """The first attribute that the caller may not set in a range, or None."""
        if caller.admin:
            return None
        names = self.cloud.personality.restricted_range
        return next((key for key in names if key in given and given[key] != (known or {}).get(key)), None)

    def add_ar(self, caller: Caller, number: int, text: str) -> int:
        net = self._changed(caller, number, self._range_right(number), "add_ar")
        vectors = self._ranges_of(text)
        for given in vectors:
            name = self._restricted(caller, given, None)
            if name and self.cloud.personality.restricted_range_refused:
                text = f"User [{caller.uid}] : AR includes a restricted attribute {name}."
                raise OneError(AUTHORIZATION, text)
        # Upstream takes the first one alone.
        net.ars.append(addresses.new_range(net.next_ar(), vectors[0], self.cloud.personality))
        self.cloud.touch(net)
        return number

    def update_ar(self, caller: Caller, number: int, text: str) -> int:
        net = self._changed(caller, number, MANAGE, "update_ar")
        given = self._ranges_of(text)[0]
        if not given.get("AR_ID", "").isdigit():
            raise OneError(INTERNAL, "AR/AR_ID attribute is missing.")
        ar = self._range(net, int(given["AR_ID"]))
        if ar is None:
            raise OneError(INTERNAL, f"Address Range with ID {given['AR_ID']} was not found.")
        like = self.cloud.personality
        name = self._restricted(caller, given, ar.attributes)
        if name and like.restricted_range_refused:
            raise OneError(INTERNAL, f"AR includes a restricted attribute {name}")
        if not caller.admin and (like.restricted_range_refused or net.parent != -1):
            kept = {key: ar.attributes[key] for key in like.restricted_range if key in ar.attributes}
            given = {key: value for key, value in given.items() if key not in like.restricted_range} | kept
        addresses.update_range(ar, given)
        self.cloud.touch(net)
        return number

    def rm_ar(self, caller: Caller, number: int, ar_id: int, force: bool = False) -> int:
        right = self._range_right(number)
        return self._remove_range(self.cloud.allowed(caller, VNet, number, right), ar_id, force)

    def free_ar(self, caller: Caller, number: int, ar_id: int) -> int:
        return self._remove_range(self.cloud.allowed(caller, VNet, number, MANAGE), ar_id, False)

    def _remove_range(self, net: VNet, ar_id: int, force: bool) -> int:
        self._ready(net, "Could not remove Adress Range, ")
        ar = self._range(net, ar_id)
        if ar is None:
            raise OneError(INTERNAL, "Address Range does not exist")
        if ar.leases and not force:
            raise OneError(INTERNAL, "Address Range has leases in use")
        parent = self.cloud.pool(VNet).get(net.parent)
        above = self._range(parent, ar.parent_ar) if parent else None
        start = addresses.index_of(above, "MAC", ar.attributes["MAC"]) if above else None
        if parent and above and start is not None:
            for index in range(start, start + ar.size):
                if above.leases.get(index) == ["NET", net.id]:
                    del above.leases[index]
            self.cloud.touch(parent)
        net.ars.remove(ar)
        self.cloud.touch(net)
        return net.id

    def _leases_of(self, text: str) -> Vector:
        vectors = self.cloud.parse(text).vectors("LEASES")
        if not vectors:
            raise OneError(INTERNAL, "Empty lease description.")
        given = {key: vectors[0][key] for key in ("IP", "MAC", "IP6") if vectors[0].get(key)}
        if not given:
            raise OneError(INTERNAL, "Missing MAC, IP or IP6.")
        if len(given) > 1:
            raise OneError(INTERNAL, "Only one attribute MAC, IP or IP6 can be set.")
        return given | ({"AR_ID": vectors[0]["AR_ID"]} if vectors[0].get("AR_ID", "").isdigit() else {})

    def hold(self, caller: Caller, number: int, text: str) -> int:
        net = self._changed(caller, number, MANAGE, "hold")
        if addresses.lease(net, "VM", -1, self._leases_of(text)) is None:
            raise OneError(INTERNAL, "Address is not part of the address range or in use.")
        self.cloud.touch(net)
        return number

    def release(self, caller: Caller, number: int, text: str) -> int:
        net = self._changed(caller, number, MANAGE, "release")
        wanted = self._leases_of(text)
        key, value = next(iter(wanted.items()))
        for ar in net.ars:
            if wanted.get("AR_ID", str(ar.id)) != str(ar.id):
                continue
            index = addresses.index_of(ar, key, value)
            if index is not None and ar.leases.get(index) == ["VM", -1]:
                del ar.leases[index]
        self.cloud.touch(net)
        return number
