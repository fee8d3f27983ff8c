# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Address ranges of virtual networks.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import scalar
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotFound
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_list
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import VNET, Raw, named
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import render


@dataclass(frozen=True)
class RangePlan:
    """What has to be done to the address ranges of a network.

    Attributes:
        found: for each wanted range, in order, the wanted keys with the values that the server has, or None.
        add: wanted ranges that are not there.
        resize: pairs of an AR id and the wanted size.
        surplus: ranges of the server that nobody wants.
    """

    found: list[dict[str, str] | None]
    add: list[dict[str, str]]
    resize: list[tuple[int, str]]
    surplus: list[dict[str, Any]]


def canonical_range(given: Mapping[str, Any]) -> dict[str, str]:
    """Return an address range, the user's or the server's, with names in capitals and addresses in short form."""
    result: dict[str, str] = {}
    for name, value in given.items():
        if value is None or isinstance(value, (Mapping, list)):
            continue
        key, text = str(name).upper(), scalar(value).strip()
        if key == "TYPE":
            text = text.upper()
        elif key in ("MAC", "IP", "IP6", "GLOBAL_PREFIX", "ULA_PREFIX"):
            text = _address(text)
        result[key] = text
    return result


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.lower()  # a MAC, or something that the server will refuse with its own words


def plan_ranges(raw: Raw, wanted: Sequence[Mapping[str, Any]]) -> RangePlan:
    """Compare the wanted address ranges with those of a network as sets; only the given keys count.

    A range that has the wanted start but not the wanted size is resized.
    """
    left = [canonical_range(each) for each in as_list(raw, "AR_POOL", "AR")]
    wishes = [canonical_range(each) for each in wanted]
    taken: dict[int, dict[str, str]] = {}
    for ignored in ((), ("SIZE",)):
        for at, wish in enumerate(wishes):
            keys = [key for key in wish if key not in ignored]
            starts = any(key in wish for key in ("IP", "IP6", "MAC", "GLOBAL_PREFIX", "ULA_PREFIX"))
            if at in taken or (ignored and not starts):
                continue
            fitting = next((each for each in left if all(each.get(key) == wish[key] for key in keys)), None)
            if fitting is not None:
                left.remove(fitting)
                taken[at] = fitting
    return RangePlan(
        found=[
            {key: taken[at][key] for key in wish if key in taken[at]} if at in taken else None
            for at, wish in enumerate(wishes)
        ],
        add=[wish for at, wish in enumerate(wishes) if at not in taken],
        resize=[
            (int(taken[at]["AR_ID"]), wish["SIZE"])
            for at, wish in enumerate(wishes)
            if at in taken and "SIZE" in wish and taken[at].get("SIZE") != wish["SIZE"]
        ],
        surplus=list(left),
    )


def apply_ranges(client: Client, raw: Raw, plan: RangePlan, *, remove: bool) -> None:
    """Add and resize address ranges and, with C(remove), remove those that nobody wants."""
    number, who = int(raw["ID"]), named(VNET, raw)
    if remove:
        for each in plan.surplus:
            try:
                client.call(
                    "vn.rm_ar", number, int(each["AR_ID"]), False, what=f"remove address range {each['AR_ID']} of {who}"
                )
            except NotFound:
                continue
    for ar_id, size in plan.resize:
        text = render({"AR": {"AR_ID": ar_id, "SIZE": size}})
        client.call("vn.update_ar", number, text, what=f"resize address range {ar_id} of {who} to {size}")
    for wish in plan.add:
        client.call("vn.add_ar", number, render({"AR": wish}), what=f"add the address range {wish} to {who}")
