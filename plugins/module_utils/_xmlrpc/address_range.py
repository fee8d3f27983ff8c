# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The address range of module vnet_address_range.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import Resource, State, ensure
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    Ambiguous,
    InvalidInput,
    NotFound,
    Refused,
    about,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.leases import ranges_of, retried
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    SECURITY_GROUP,
    VNET,
    Objects,
    Raw,
    is_id,
    label,
    named,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.ranges import (
    FIRST,
    FIXED,
    Range,
    add_range,
    begin_of,
    canonical_range,
    check_range,
    check_values,
    remove_range,
    update_range,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet_facts import is_reservation, range_facts
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet_states import VnetState, state_of, wait_ready

OPTIONS = ("type", "ip", "ip6", "mac", "global_prefix", "ula_prefix", "size", "prefix_length", "attributes")


class AddressRange:
    """One address range of a network.

    Args:
        client: the endpoint.
        params: the module's parameters.
        promise: in check mode, takes the warning that something is taken for granted which earlier tasks would make.
    """

    def __init__(self, client: Client, params: Mapping[str, Any], promise: Callable[[str], None] | None = None) -> None:
        self.client = client
        self.params = params
        self.promise = promise
        self.objects = Objects(client)
        self._known: Raw | None = None

    def run(self, *, check_mode: bool) -> dict[str, Any]:
        """Do the module's work and return its result.

        Raises:
            NotFound: the network, or the range of an id, is not there.
            Ambiguous: several ranges begin at the address.
            InvalidInput: the range cannot be as it is wanted.
            OpenNebulaError: see C(ensure) and C(retried).
        """
        reference = str(self.params["network"])
        with about(VNET.word, {"name": None if is_id(reference) else reference}) as subject:
            self._wanted = self._given()
            raw = self._network()
            if raw is not None:
                subject.name, subject.id = raw["NAME"], int(raw["ID"])
                raw = raw if check_mode else self._settled(raw)
            return self._ensured(raw, check_mode)

    def _ensured(self, raw: Raw | None, check_mode: bool) -> dict[str, Any]:
        current = None if raw is None else self._find(raw)
        absent = self.params["state"] == "absent"
        desired = None if absent else {"range": self._desired(raw, current)}
        outcome = ensure(
            Resource(
                label=self._label(raw),
                current=current,
                desired=desired,
                create=lambda: self._add(raw or {}, (desired or {})["range"]),
                update=lambda state, changes: self._update(state, changes["range"]),
                delete=self._remove,
                read=self._read,
                view=lambda state: {"id": state["id"], "range": {key: state["range"][key] for key in _shown(state)}},
            ),
            check_mode=check_mode,
        )
        return outcome.result("address_range", lambda state: self._facts(state, raw))

    def _given(self) -> Range:
        given = canonical_range({name: self.params[name] for name in OPTIONS})
        groups = self.params["security_groups"]
        if groups is not None:
            numbers = sorted({self._group(each) for each in groups}, key=str)
            given.update(canonical_range({"security_groups": ",".join(str(number) for number in numbers)}))
        return given

    def _group(self, reference: str) -> int | str:
        return self.objects.promised(SECURITY_GROUP, reference, "security_groups", self.promise)

    def _network(self) -> Raw | None:
        """Return the network; None where it is not there, and need not be."""
        reference, absent = self.params["network"], self.params["state"] == "absent"
        try:
            number = self.objects.promised(VNET, reference, "network", None if absent else self.promise)
        except NotFound:
            if absent:
                return None
            raise
        if isinstance(number, str):
            return None
        raw = self.objects.by_id(VNET, number)
        if raw is None and not absent:
            raise NotFound(
                f"{self.client.endpoint}: network is {reference}, but there is no virtual network with that id.",
                details={"endpoint": self.client.endpoint, "option": "network", "id": number},
            )
        return raw

    def _settled(self, raw: Raw) -> Raw:
        if not self.params["wait"] or state_of(raw) in (VnetState.READY, VnetState.UPDATE_FAILURE):
            return raw
        return wait_ready(self.objects, int(raw["ID"]), self.params["wait_timeout"])

    def _find(self, raw: Raw) -> State | None:
        number = self.params["id"]
        if number is not None:
            return _by_id(raw, number)
        states = [_state(raw, each) for each in ranges_of(raw)]
        first = next(key for key in FIRST if self._wanted.get(key))
        found = [state for state in states if state["range"].get(first) == self._wanted[first]]
        if len(found) > 1:
            keys = begin_of(self._wanted)
            narrow = [each for each in found if all(each["range"].get(key) == self._wanted[key] for key in keys)]
            found = narrow or found
        if len(found) > 1:
            ids = [state["id"] for state in found]
            raise Ambiguous(
                f"{self.client.endpoint}: several address ranges of {named(VNET, raw)} begin at "
                f"{self._wanted[first]}: {', '.join(f'id {each}' for each in ids)}. Give the id of the one that is "
                "meant.",
                details={"endpoint": self.client.endpoint, "candidates": [{"id": each} for each in ids]},
            )
        return found[0] if found else None

    def _desired(self, raw: Raw | None, current: State | None) -> Range:
        if current is None:
            return self._new(raw)
        have: Range = current["range"]
        for key in FIXED & self._wanted.keys():
            # servers before 7.2 do not know SHARED
            has = have.get(key) or ("NO" if key == "SHARED" else None)
            if has != self._wanted[key]:
                raise self._fixed(current, key, has)
        check_values(self._wanted, have["TYPE"] or "", "vnet_address_range")
        size = self._wanted.get("SIZE")
        if size is not None and size != have.get("SIZE") and is_reservation(current["raw"]):
            raise self._fixed(current, "SIZE", have.get("SIZE"))
        return {key: value for key, value in self._wanted.items() if key != "SHARED"}

    def _new(self, raw: Raw | None) -> Range:
        number = self.params["id"]
        if number is not None:
            where = self.params["network"] if raw is None else named(VNET, raw)
            raise NotFound(
                f"{self.client.endpoint}: there is no address range with id {number} in {where}, and an id cannot be "
                "chosen; give the first address without an id to add one.",
                details={"endpoint": self.client.endpoint, "option": "id"},
            )
        if raw is not None and is_reservation(raw):
            raise InvalidInput(
                f"{named(VNET, raw)} is a reservation from network {raw['PARENT_NETWORK_ID']} and gets its addresses "
                "from there; extend it with vnet_reservation.",
                details={"option": "network"},
            )
        wanted = {"TYPE": _kind(self._wanted), **self._wanted}
        check_range(wanted, "vnet_address_range")
        return wanted

    def _fixed(self, current: State, key: str, has: str | None) -> InvalidInput:
        advice = (
            "the size of a range of a reservation is fixed; extend the reservation with vnet_reservation"
            if key == "SIZE"
            else "OpenNebula cannot change that; remove the range and add another"
        )
        return InvalidInput(
            f"{key.lower()} is {self._wanted[key]!r}, but address range {current['id']} of "
            f"{named(VNET, current['raw'])} has {has!r}, and {advice}.",
            details={"option": key.lower()},
        )

    def _add(self, raw: Raw, wanted: Range) -> int:
        before = {int(each["AR_ID"]) for each in ranges_of(raw)}
        add_range(self.client, raw, wanted)
        self._known = self.objects.by_id(VNET, int(raw["ID"])) or {}
        new = [_state(self._known, each) for each in ranges_of(self._known)]
        keys = begin_of(wanted)
        found: list[int] = [
            state["id"]
            for state in new
            if state["id"] not in before and all(state["range"].get(key) == wanted[key] for key in keys)
        ]
        if not found:
            raise Refused(
                f"{self._label(raw)}: the server accepted adding it, but the network has it not.", code="not_applied"
            )
        return max(found)

    def _update(self, state: State, changes: Range) -> None:
        def change(raw: Raw) -> None:
            now = _by_id(raw, state["id"])
            if now is None:
                raise NotFound(
                    f"{self._label(raw)}: somebody else removed it meanwhile.",
                    details={"endpoint": self.client.endpoint},
                )
            update_range(self.client, raw, now["range"], changes)

        self._change(state, change)

    def _remove(self, state: State) -> None:
        self._change(state, lambda raw: remove_range(self.client, raw, state["id"], force=self.params["force"]))

    def _change(self, state: State, change: Callable[[Raw], None]) -> None:
        timeout = self.params["wait_timeout"] if self.params["wait"] else 0
        retried(self.objects, state["raw"], change, timeout=timeout)
        self._known = self.objects.by_id(VNET, int(state["raw"]["ID"])) or {}

    def _read(self, number: int) -> State | None:
        return _by_id(self._known or {}, number)

    def _facts(self, state: State, raw: Raw | None) -> dict[str, Any]:
        if "each" not in state:
            values = {key.lower(): value for key, value in state["range"].items() if value is not None}
            return {"network_id": None if raw is None else int(raw["ID"]), "id": None, **values}
        return {"network_id": int(state["raw"]["ID"]), **range_facts(state["each"], leases=True)}

    def _label(self, raw: Raw | None) -> str:
        number = self.params["id"]
        which = number if number is not None else next(self._wanted[key] for key in FIRST if self._wanted.get(key))
        network = (
            label(self.client, VNET, str(self.params["network"]), None)
            if raw is None
            else f"{named(VNET, raw)} at {self.client.endpoint}"
        )
        return f"address range {which} of {network}"


def _state(raw: Raw, each: Mapping[str, Any]) -> State:
    return {"id": int(each["AR_ID"]), "range": canonical_range(each), "raw": raw, "each": each}


def _by_id(raw: Raw, number: int) -> State | None:
    return next((_state(raw, each) for each in ranges_of(raw) if int(each["AR_ID"]) == number), None)


def _shown(state: State) -> list[str]:
    return [key for key in ("TYPE", *FIRST, "SIZE") if state["range"].get(key)]


def _kind(wanted: Range) -> str:
    """Return the type that the given addresses tell."""
    if wanted.get("IP6"):
        return "IP4_6_STATIC" if wanted.get("IP") else "IP6_STATIC"
    if wanted.get("GLOBAL_PREFIX") or wanted.get("ULA_PREFIX"):
        return "IP4_6" if wanted.get("IP") else "IP6"
    return "IP4" if wanted.get("IP") else "ETHER"
