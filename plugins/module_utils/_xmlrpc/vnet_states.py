# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""States of virtual networks, and waiting for them.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from enum import IntEnum

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._waiting import wait_for
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    VNET,
    Objects,
    Raw,
    label,
    named,
)


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
