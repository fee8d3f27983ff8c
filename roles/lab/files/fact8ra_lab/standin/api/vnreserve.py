# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Reservations: a part of a network's addresses as a network of its own.

Source: src/rm/api/VirtualNetworkAPI.cc (reserve) and src/vnm/AddressRange.cc (reserve_addr*) of oned, release-7.4.0.
"""

from __future__ import annotations

from .. import addresses, quotas
from ..access import MANAGE, USE, Caller, Request
from ..errors import ACTION, OneError
from ..model import AddressRange, VNet
from ..template import Template, Vector
from ..vncreate import create
from .base import PoolApi


class ReserveCalls(PoolApi[VNet]):
    """The call that reserves."""

    def reserve(self, caller: Caller, number: int, text: str) -> int:
        template = self.cloud.parse(text, ACTION)
        size = template.integer("SIZE") or 0
        if size <= 0:
            raise OneError(ACTION, "Reservation SIZE must be a greater than 0")
        target = self._target(template, number)
        name = template.text("NAME")
        if not name and target is None:
            raise OneError(ACTION, "NAME for reservation has to be set")
        ar_id = template.integer("AR_ID")
        if ar_id is not None and ar_id < 0:
            raise OneError(ACTION, "AR_ID must be equal or greater than 0")
        place = {key: template.text(key) for key in ("IP", "IP6", "MAC") if template.text(key)}
        if ar_id is None and place:
            raise OneError(ACTION, "AR_ID must be specified for IP/MAC based reservations")
        parent = self.cloud.find(VNet, number)
        if parent.parent != -1:
            raise OneError(ACTION, "Cannot reserve addresses from a reserved VNET")
        requests = [Request(USE, "NET", parent)]
        if target:
            requests.append(Request(MANAGE, "NET", target))
        self.cloud.authorize(caller, *requests)
        if target is None:
            self.cloud.check_name(VNet, name, caller.uid)
        uid, gid = (target.uid, target.gid) if target else (caller.uid, caller.gid)
        quotas.check(self.cloud, uid, gid, "NETWORK", {str(number): {"LEASES": float(size)}}, caller)
        above, start = self._take_block(parent, size, ar_id, place)
        if target is None:
            own = parent.template.clone()
            own.put("NAME", name)
            target = create(self.cloud, caller, own, parent.cluster_ids[0] if parent.cluster_ids else 0, parent=number)
            target.cluster_ids = list(parent.cluster_ids)
        first = addresses.address(above, start)
        given = {key: value for key, value in above.attributes.items() if key != "IPAM_MAD"}
        given |= {key: first[key] for key in ("MAC", "IP", "IP6") if key in first} | {"SIZE": str(size)}
        new = addresses.new_range(target.next_ar(), given, self.cloud.personality)
        new.parent_ar = above.id
        target.ars.append(new)
        for index in range(start, start + size):
            above.leases[index] = ["NET", target.id]
        self.cloud.touch(parent)
        self.cloud.touch(target)
        return target.id

    def _target(self, template: Template, number: int) -> VNet | None:
        """The reservation to extend, or None for a new one. Raises OneError."""
        into = template.integer("NETWORK_ID")
        if into is None:
            return None
        if into < 0:
            raise OneError(ACTION, "NETWORK_ID must be equal or greater than 0")
        if into == number:
            raise OneError(ACTION, "Cannot add a reservation from the same network")
        target = self.cloud.find(VNet, into)
        if target.parent == -1:
            raise OneError(ACTION, "Cannot add reservations to a non-reservation VNET")
        if target.parent != number:
            raise OneError(
                ACTION, f"New reservations for virtual network {into} have to be from network {target.parent}"
            )
        return target

    def _take_block(self, net: VNet, size: int, ar_id: int | None, place: Vector) -> tuple[AddressRange, int]:
        if ar_id is None:
            for ar in net.ars:
                start = self._free_block(ar, size)
                if start is not None:
                    return ar, start
            raise OneError(ACTION, "Not enough free addresses in an address range")
        wanted = next((ar for ar in net.ars if ar.id == ar_id), None)
        if wanted:
            start = self._placed_block(wanted, size, place) if place else self._free_block(wanted, size)
            if start is not None:
                return wanted, start
        raise OneError(ACTION, f"Not enough free addresses in address range {ar_id}, or it does not exist")

    @staticmethod
    def _shared(ar: AddressRange) -> bool:
        return ar.attributes.get("SHARED") == "YES"

    def _free_block(self, ar: AddressRange, size: int) -> int | None:
        return None if self._shared(ar) else addresses.take_block(ar, size)

    def _placed_block(self, ar: AddressRange, size: int, place: Vector) -> int | None:
        """The index of the first address, if those from it on are free.

        Upstream does not look whether the range ends before (AddressRangeInternal::allocate_addr always agrees).
        """
        key, value = next(iter(place.items()))
        start = None if self._shared(ar) else addresses.index_of(ar, key, value)
        if start is None or any(index in ar.leases for index in range(start, start + size)):
            return None
        return start
