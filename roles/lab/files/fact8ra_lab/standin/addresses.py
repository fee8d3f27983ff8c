# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Address ranges and leases. Source: src/vnm/AddressRange*.cc of oned."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable
from typing import Final

from .errors import INTERNAL, OneError
from .model import AddressRange, VNet
from .template import Vector, cdata

_TYPES: Final = ("ETHER", "IP4", "IP6", "IP6_STATIC", "IP4_6", "IP4_6_STATIC")
_COMPUTED: Final = (
    "MAC_END", "IP_END", "IP6_END", "USED_LEASES", "LEASES", "ALLOCATED", "PARENT_NETWORK_AR_ID", "PARENT_NETWORK",
    "AR_ID", "NEXT_INDEX",
)  # fmt: skip
_TYPE_BITS: Final = {"VM": 0x1000000000, "NET": 0x4000000000, "VROUTER": 0x4000000000000}


def _mac_number(mac: str) -> int:
    parts = mac.split(":")
    if len(parts) != 6:
        raise OneError(INTERNAL, f"Wrong format for MAC attribute: {mac}")
    try:
        return int("".join(f"{int(part, 16):02x}" for part in parts), 16)
    except ValueError as error:
        raise OneError(INTERNAL, f"Wrong format for MAC attribute: {mac}") from error


def _mac_text(number: int) -> str:
    digits = f"{number:012x}"
    return ":".join(digits[index : index + 2] for index in range(0, 12, 2))


def _ip_number(text: str) -> int | None:
    try:
        return int(ipaddress.IPv4Address(text))
    except ValueError:
        return None


def new_range(number: int, given: Vector) -> AddressRange:
    """A range from what a user wrote. Raises OneError with oned's text."""
    attributes = {key: value for key, value in given.items() if key not in _COMPUTED}
    kind = attributes.get("TYPE", "").upper()
    if kind not in _TYPES:
        raise OneError(INTERNAL, "Unknown or missing address range TYPE.")
    attributes.setdefault("SHARED", "NO")
    first = _ip_number(attributes.get("IP", ""))
    if kind.startswith("IP4"):
        if first is None:
            raise OneError(INTERNAL, "Wrong or empty IP attribute")
    else:
        attributes.pop("IP", None)
    if kind.endswith("STATIC"):
        if not attributes.get("IP6"):
            raise OneError(INTERNAL, "Wrong or empty IP6 attribute")
        if not attributes.get("PREFIX_LENGTH", "").isdigit():
            raise OneError(INTERNAL, "Wrong or empty PREFIX_LENGTH")
    else:
        attributes.pop("IP6", None)
    if attributes.get("MAC"):
        mac = _mac_number(attributes["MAC"])
    else:
        low = first if kind.startswith("IP4") and first is not None else random.getrandbits(32)
        mac = 0x0200 << 32 | low
    attributes["MAC"] = _mac_text(mac)
    if not attributes.get("SIZE", "").isdigit():
        raise OneError(INTERNAL, "Wrong SIZE for address range")
    return AddressRange(number, attributes)


def update_range(ar: AddressRange, given: Vector) -> None:
    """Changes what may be changed: the size and free attributes. Raises OneError."""
    fixed = ("TYPE", "SHARED", "MAC", "IP", "IP6", "IPAM_MAD")
    new = {key: value for key, value in given.items() if key not in _COMPUTED and key not in fixed}
    size = new.get("SIZE") or ar.attributes["SIZE"]
    if not size.isdigit():
        raise OneError(INTERNAL, "Unable to read the SIZE attribute, it must be number >= 0")
    if ar.parent_ar != -1 and int(size) != ar.size:
        raise OneError(INTERNAL, "The SIZE of a reservation cannot be changed.")
    if any(index >= int(size) for index in ar.leases):
        raise OneError(INTERNAL, "New SIZE cannot be applied. There are used leases that would fall outside the range.")
    kept = {key: ar.attributes[key] for key in fixed if key in ar.attributes}
    ar.attributes = new | kept | {"SIZE": str(int(size))}
    if ar.next_index >= ar.size:
        ar.next_index = 0


def address(ar: AddressRange, index: int) -> Vector:
    """IP and MAC of an address of the range."""
    result = {"MAC": _mac_text(_mac_number(ar.attributes["MAC"]) + index)}
    first = _ip_number(ar.attributes.get("IP", ""))
    if first is not None:
        result["IP"] = str(ipaddress.IPv4Address(first + index))
    if ar.attributes.get("IP6"):
        result["IP6"] = str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(ar.attributes["IP6"])) + index))
    return result


def index_of(ar: AddressRange, key: str, value: str) -> int | None:
    """The index of an IP or MAC in the range, or None."""
    if key == "MAC":
        index = _mac_number(value) - _mac_number(ar.attributes["MAC"])
    else:
        wanted, first = _ip_number(value), _ip_number(ar.attributes.get("IP", ""))
        if wanted is None or first is None:
            return None
        index = wanted - first
    return index if 0 <= index < ar.size else None


def take_free(ar: AddressRange) -> int | None:
    """The next free index, or None where the range is full."""
    size = ar.size
    for step in range(size):
        index = (ar.next_index + step) % size
        if index not in ar.leases:
            ar.next_index = (index + 1) % size
            return index
    return None


def take_block(ar: AddressRange, count: int) -> int | None:
    """The first index of a run of free addresses, or None."""
    size = ar.size
    for step in range(size):
        start = (ar.next_index + step) % size
        if start + count <= size and not any(index in ar.leases for index in range(start, start + count)):
            ar.next_index = (start + count) % size
            return start
    return None


def lease(net: VNet, kind: str, owner: int, wanted: Vector) -> tuple[AddressRange, int] | None:
    """Leases the wanted IP or MAC, or any address; None where there is none."""
    for key in ("IP", "MAC"):
        if wanted.get(key):
            for ar in net.ars:
                index = index_of(ar, key, wanted[key])
                if index is not None and index not in ar.leases:
                    ar.leases[index] = [kind, owner]
                    return ar, index
            return None
    for ar in net.ars:
        index = take_free(ar)
        if index is not None:
            ar.leases[index] = [kind, owner]
            return ar, index
    return None


def release(net: VNet, kind: str, owner: int) -> int:
    """Frees every lease of an owner; returns how many there were."""
    count = 0
    for ar in net.ars:
        mine = [index for index, holder in ar.leases.items() if holder == [kind, owner]]
        for index in mine:
            del ar.leases[index]
        count += len(mine)
    return count


def _encoded(holder: list[object]) -> int:
    kind, owner = str(holder[0]), int(str(holder[1]))
    return _TYPE_BITS[kind] | (owner & 0xFFFFFFFF)


def range_xml(ar: AddressRange, extended: bool, shown: Callable[[str, int], bool]) -> str:
    """The AR element; the extended one has ends and leases, the plain one the raw allocation."""
    values = dict(ar.attributes)
    values["AR_ID"] = str(ar.id)
    values["NEXT_INDEX"] = str(ar.next_index)
    if ar.parent_ar != -1:
        values["PARENT_NETWORK_AR_ID"] = str(ar.parent_ar)
    if not extended and ar.leases:
        values["ALLOCATED"] = "".join(f" {index} {_encoded(ar.leases[index])}" for index in sorted(ar.leases))
    inner = "".join(f"<{key}>{cdata(values[key])}</{key}>" for key in sorted(values))
    if extended:
        last = address(ar, max(ar.size - 1, 0))
        inner += "".join(f"<{key}_END>{cdata(last[key])}</{key}_END>" for key in ("MAC", "IP", "IP6") if key in last)
        leases = []
        for index in sorted(ar.leases):
            kind, owner = ar.leases[index]
            if not shown(kind, owner):
                continue
            fields = address(ar, index)
            who = {"VM": "VM", "NET": "VNET", "VROUTER": "VROUTER"}[kind]
            leases.append(
                "<LEASE>"
                + "".join(f"<{key}>{cdata(fields[key])}</{key}>" for key in sorted(fields))
                + f"<{who}>{cdata(str(owner))}</{who}></LEASE>"
            )
        inner += f"<USED_LEASES>{len(ar.leases)}</USED_LEASES><LEASES>{''.join(leases)}</LEASES>"
    return f"<AR>{inner}</AR>"
