# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Address ranges of virtual networks.

Private to the collection: it may change without notice.

What oned does with them is in src/vnm/AddressRange.cc: one.vn.update_ar keeps type and first addresses of a range
without a word, whatever it is given, and replaces everything else, so that an update has to carry all that shall stay.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import scalar
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.leases import ranges_of, refusing
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import VNET, Raw, named
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.restricted import explained
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import normalise, render

Range = dict[str, "str | None"]
"""An address range with names in capitals; a None value means that the attribute has to be absent."""

FIRST = ("IP", "IP6", "MAC", "GLOBAL_PREFIX", "ULA_PREFIX")
"""Attributes that say where a range begins, the most telling first."""
ADDRESSES = {"IP": "ip", "IP6": "ip6", "MAC": "mac", "GLOBAL_PREFIX": "global_prefix", "ULA_PREFIX": "ula_prefix"}
"""Attributes with an address to the options for them."""
FIXED = frozenset({"TYPE", "IP", "IP6", "MAC", "SHARED", "IPAM_MAD"})
"""Attributes that a range keeps for ever."""
SERVERS = frozenset({"ALLOCATED", "LEASES", "NEXT_INDEX", "PARENT_NETWORK", "PARENT_NETWORK_AR_ID", "USED_LEASES"})
"""Attributes that only the server sets; those that end in _END, IP6_ULA and IP6_GLOBAL are computed too."""
NEEDS = {
    "IP4": ("IP", "SIZE"),
    "IP6": ("SIZE",),
    "IP4_6": ("IP", "SIZE"),
    "IP6_STATIC": ("IP6", "PREFIX_LENGTH"),
    "IP4_6_STATIC": ("IP", "IP6", "PREFIX_LENGTH"),
    "ETHER": ("SIZE",),
}
"""Types to what a range of them has to have (AddressRange::from_attr)."""
ONLY_OF = {
    "IP": ("IP4", "IP4_6", "IP4_6_STATIC"),
    "IP6": ("IP6_STATIC", "IP4_6_STATIC"),
    "PREFIX_LENGTH": ("IP6_STATIC", "IP4_6_STATIC"),
    "GLOBAL_PREFIX": ("IP6", "IP4_6"),
    "ULA_PREFIX": ("IP6", "IP4_6"),
}
"""Attributes to the types of range that have them; oned drops them from others without a word."""

_MAC = re.compile(r"[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}\Z")


@dataclass(frozen=True)
class RangePlan:
    """What has to be done to the address ranges of a network.

    Attributes:
        found: for each wanted range, in order, the wanted keys with the values that the server has, or None.
        add: wanted ranges that are not there.
        update: pairs of a range of the server and the wanted attributes that it has not.
        surplus: ranges of the server that nobody wants.
    """

    found: list[Range | None]
    add: list[Range]
    update: list[tuple[Range, Range]]
    surplus: list[Range]


def canonical_range(given: Mapping[str, Any]) -> Range:
    """Return an address range, the user's or the server's, with names in capitals and addresses in short form.

    The user's C(attributes) are attributes like the rest; a null there means absent.
    """
    result: Range = {}
    for name, value in given.items():
        if value is None or isinstance(value, (Mapping, list)):
            continue
        key, text = str(name).upper(), scalar(value)
        if key == "TYPE":
            text = text.strip().upper()
        elif key in ADDRESSES:
            text = _address(text.strip())
        elif key == "SECURITY_GROUPS":
            text = ",".join(sorted({part.strip() for part in text.split(",") if part.strip()}, key=_numeric))
        result[key] = text
    attributes = given.get("attributes")
    if isinstance(attributes, Mapping):
        result.update(_free(attributes))
    return result


def _free(attributes: Mapping[str, Any]) -> Range:
    """Return the free attributes of a range; raises InvalidInput for one that has an option or cannot be kept."""
    free = normalise(attributes)
    for name, value in free.items():
        if name in (*ADDRESSES, *SERVERS, "TYPE", "SIZE", "AR_ID", "PREFIX_LENGTH") or name.endswith("_END"):
            raise InvalidInput(
                f"attributes has {name}, which is set by an option of the address range or by OpenNebula alone.",
                details={"option": "attributes", "attribute": name},
            )
        if value is not None and not isinstance(value, str):
            raise InvalidInput(
                f"attributes has {name}={value!r}; an address range holds only text there.",
                details={"option": "attributes", "attribute": name},
            )
    render(free)
    return free


def _numeric(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdigit() else (-1, text)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        text = text.lower()
        return ":".join(part.zfill(2) for part in text.split(":")) if _MAC.match(text) else text


def check_range(wanted: Range, option: str) -> None:
    """See that a range can be created; C(option) says in errors where it was given.

    Raises:
        InvalidInput: something is missing, or no address or number.
    """
    kind = wanted.get("TYPE") or ""
    for key in NEEDS[kind]:
        if not wanted.get(key):
            raise _invalid(option, f"an address range of type {kind} needs {key.lower()}", key)
    check_values(wanted, kind, option)


def check_values(wanted: Range, kind: str, option: str) -> None:
    """See that the addresses and numbers of a range of a type are such, and belong to it; raises as C(check_range)."""
    for key, kinds in ONLY_OF.items():
        if wanted.get(key) is not None and kind not in kinds:
            raise _invalid(
                option, f"an address range of type {kind} has no {key.lower()}, only {' and '.join(kinds)} have", key
            )
    for key in ADDRESSES:
        text = wanted.get(key)
        if text is not None:
            check_address(key, text, option)
    size, length = wanted.get("SIZE"), wanted.get("PREFIX_LENGTH")
    if size is not None and int(size) < 1:
        raise _invalid(option, f"size is {size}; it has to be 1 or more", "SIZE")
    if length is not None and not 1 <= int(length) <= 128:
        raise _invalid(option, f"prefix_length is {length}; it has to be between 1 and 128", "PREFIX_LENGTH")


def check_address(key: str, text: str, option: str) -> None:
    """See that an attribute of C(ADDRESSES) has an address of its kind; raises as C(check_range)."""
    if not _fits(key, text):
        raise _invalid(option, f"{key.lower()} is {text!r}; {_EXPECTED[key]}", key)


_EXPECTED = {
    "IP": "it has to be an IPv4 address, such as 10.0.0.10",
    "IP6": "it has to be an IPv6 address, such as 2001:db8::10",
    "MAC": "it has to be six pairs of hexadecimal digits, such as '02:00:0a:00:00:0a' (in quotes)",
    "GLOBAL_PREFIX": "it has to be an IPv6 prefix without its length, such as '2001:db8:a::'",
    "ULA_PREFIX": "it has to be an IPv6 prefix without its length, such as 'fd00:a::'",
}


def _fits(key: str, text: str) -> bool:
    if key == "MAC":
        return _MAC.match(text) is not None
    try:
        return ipaddress.ip_address(text).version == (4 if key == "IP" else 6)
    except ValueError:
        return False


def _invalid(option: str, text: str, key: str) -> InvalidInput:
    return InvalidInput(f"{option}: {text}.", details={"option": option, "suboption": key.lower()})


def plan_ranges(raw: Raw, wanted: Sequence[Mapping[str, Any]]) -> RangePlan:
    """Compare the wanted address ranges with those of a network as sets; only the given keys count.

    A range that begins where a wanted one shall, and is of its type, is that one, whatever else differs.
    """
    left = [canonical_range(each) for each in ranges_of(raw)]
    wishes = [canonical_range(each) for each in wanted]
    taken: dict[int, Range] = {}
    for whole in (True, False):
        for at, wish in enumerate(wishes):
            keys = list(wish) if whole else begin_of(wish)
            if at in taken or not keys:
                continue
            fitting = next((each for each in left if all(each.get(key) == wish[key] for key in keys)), None)
            if fitting is not None:
                left.remove(fitting)
                taken[at] = fitting
    return RangePlan(
        found=[
            {key: taken[at].get(key) for key in wish if key in taken[at] or wish[key] is None} if at in taken else None
            for at, wish in enumerate(wishes)
        ],
        add=[wish for at, wish in enumerate(wishes) if at not in taken],
        update=[
            (taken[at], changes)
            for at, wish in enumerate(wishes)
            if at in taken and (changes := {key: wish[key] for key in wish if taken[at].get(key) != wish[key]})
        ],
        surplus=list(left),
    )


def begin_of(wish: Range) -> list[str]:
    """Return the keys that say which range is meant: type and first addresses, prefixes only where there are none."""
    addresses = [key for key in ("IP", "IP6", "MAC") if wish.get(key)]
    first = addresses or [key for key in ("GLOBAL_PREFIX", "ULA_PREFIX") if wish.get(key)]
    return ["TYPE", *first] if first and "TYPE" in wish else first


def apply_plan(client: Client, raw: Raw, plan: RangePlan, *, remove: bool) -> None:
    """Add and update address ranges and, with C(remove), remove those that nobody wants.

    Raises:
        Blocked: leases are in the way.
        Refused: the server refused.
    """
    if remove:
        for each in plan.surplus:
            remove_range(client, raw, int(each["AR_ID"] or 0))
    for each, changes in plan.update:
        update_range(client, raw, each, changes)
    for wish in plan.add:
        add_range(client, raw, wish)


def add_range(client: Client, raw: Raw, wish: Range) -> None:
    """Add a range to a network."""
    shown = {key: value for key, value in wish.items() if value is not None}
    with explained(client):
        client.call(
            "vn.add_ar",
            int(raw["ID"]),
            render({"AR": shown}),
            what=f"add the address range {shown} to {named(VNET, raw)}",
        )


def update_range(client: Client, raw: Raw, current: Range, changes: Range) -> None:
    """Change attributes of a range; all others are sent as they are.

    Raises:
        Blocked: addresses beyond the new size are leased.
    """
    number = int(current["AR_ID"] or 0)
    kept = {
        key: value
        for key, value in current.items()
        if key not in FIXED | SERVERS and not key.endswith("_END") and key not in ("IP6_ULA", "IP6_GLOBAL")
    }
    text = render({"AR": {**kept, **changes}})
    size = as_int(changes.get("SIZE"))
    with explained(client):
        refusing(
            lambda: client.call(
                "vn.update_ar",
                int(raw["ID"]),
                text,
                what=f"update {', '.join(sorted(changes))} of address range {number} of {named(VNET, raw)}",
            ),
            {number: 0 if size is None else size},
        )


def remove_range(client: Client, raw: Raw, number: int, *, force: bool = False) -> None:
    """Remove a range from a network, or give one of a reservation back; one that went away meanwhile is fine.

    Giving back needs only the right to manage the reservation, removing that to administer the network.

    Raises:
        Blocked: addresses of it are leased.
    """
    network = int(raw["ID"])
    what = f"remove address range {number} of {named(VNET, raw)}"
    reservation = as_int(raw.get("PARENT_NETWORK_ID")) is not None
    try:
        if reservation and not force:
            refusing(lambda: client.call("vn.free_ar", network, number, what=what), {number: 0})
        else:
            refusing(lambda: client.call("vn.rm_ar", network, number, force, what=what), {number: 0})
    except Refused as error:
        if "Address Range does not exist" not in str(error.details.get("server")):
            raise
