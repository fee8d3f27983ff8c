# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Address ranges and leases of all types. Source: src/vnm/AddressRange*.cc of oned, release-7.4.0.

A range with SHARED="YES" is kept as one, but its addresses are leased once, as those of any other range.
"""

from __future__ import annotations

import ipaddress
import random
import re
from collections.abc import Callable
from typing import Final

from .errors import INTERNAL, OneError
from .model import AddressRange, VNet
from .personality import LATEST, Personality
from .template import Vector, cdata

_TYPES: Final = ("ETHER", "IP4", "IP6", "IP6_STATIC", "IP4_6", "IP4_6_STATIC")
_COMPUTED: Final = (
    "MAC_END", "IP_END", "IP6_END", "IP6_ULA", "IP6_ULA_END", "IP6_GLOBAL", "IP6_GLOBAL_END", "USED_LEASES", "LEASES",
    "ALLOCATED", "PARENT_NETWORK_AR_ID", "PARENT_NETWORK", "AR_ID", "NEXT_INDEX",
)  # fmt: skip
_FIXED: Final = ("TYPE", "SHARED", "MAC", "IP", "IP6", "IPAM_MAD")
_TYPE_BITS: Final = {"VM": 0x1000000000, "NET": 0x4000000000, "VROUTER": 0x4000000000000}
_MAC: Final = re.compile(r"([0-9a-fA-F]{1,2}:){5}[0-9a-fA-F]{1,2}")
_PREFIXES: Final = {"GLOBAL_PREFIX": "IP6_GLOBAL", "ULA_PREFIX": "IP6_ULA"}
_PREFIX_ERRORS: Final = {
    "GLOBAL_PREFIX": "Wrong format for IP6 global address prefix",
    "ULA_PREFIX": "Wrong format for IP6 unique local address prefix",
}
_LINK_LOCAL: Final = 0xFE80 << 112
_HOST_BITS: Final = 64
#: The size of a static range of a /64 or wider, where none is given.
_UNBOUNDED: Final = 2**64 - 1


def _has_ip4(kind: str) -> bool:
    return kind.startswith("IP4")


def _has_prefixes(kind: str) -> bool:
    return kind in ("IP6", "IP4_6")


def _is_static(kind: str) -> bool:
    return kind.endswith("STATIC")


def _mac_number(mac: str) -> int | None:
    if not _MAC.fullmatch(mac):
        return None
    return int("".join(f"{int(part, 16):02x}" for part in mac.split(":")), 16)


def _mac_text(number: int) -> str:
    digits = f"{number:012x}"
    return ":".join(digits[index : index + 2] for index in range(0, 12, 2))


def _ip_number(text: str) -> int | None:
    try:
        return int(ipaddress.IPv4Address(text))
    except ValueError:
        return None


def _ip6_number(text: str) -> int | None:
    try:
        return int(ipaddress.IPv6Address(text))
    except ValueError:
        return None


def _interface(prefix: int, mac: int) -> str:
    """The address with the interface identifier that a MAC gives (EUI-64)."""
    high, low = (mac >> 24) ^ 0x020000, mac & 0xFFFFFF
    return str(ipaddress.IPv6Address(prefix >> _HOST_BITS << _HOST_BITS | high << 40 | 0xFFFE << 24 | low))


def _check_prefixes(attributes: Vector) -> None:
    for key, text in _PREFIX_ERRORS.items():
        if attributes.get(key) and _ip6_number(attributes[key]) is None:
            raise OneError(INTERNAL, text)


def _static_size(first: int, length: int) -> int:
    """How many addresses are left from the first one to the end of its network."""
    size = _UNBOUNDED if length <= _HOST_BITS else 1 << (128 - length)
    return size - (first & (size if length <= _HOST_BITS else size - 1))


def _init_static(attributes: Vector) -> None:
    first = _ip6_number(attributes.get("IP6", ""))
    if first is None:
        raise OneError(INTERNAL, "Wrong or empty IP6 attribute")
    if not attributes.get("PREFIX_LENGTH", "").isdigit():
        raise OneError(INTERNAL, "Wrong or empty PREFIX_LENGTH")
    if not attributes.get("SIZE"):
        attributes["SIZE"] = str(_static_size(first & _UNBOUNDED, int(attributes["PREFIX_LENGTH"])))


def _init_mac(attributes: Vector, first: int | None, like: Personality) -> None:
    if attributes.get("MAC"):
        mac = _mac_number(attributes["MAC"])
        if mac is None:
            raise OneError(INTERNAL, like.wrong_mac.format(mac=attributes["MAC"]))
    else:
        mac = 0x0200 << 32 | (random.getrandbits(32) if first is None else first)
    attributes["MAC"] = _mac_text(mac)


def new_range(number: int, given: Vector, like: Personality = LATEST) -> AddressRange:
    """A range from what a user wrote. Raises OneError with oned's text."""
    attributes = {key: value for key, value in given.items() if key not in _COMPUTED}
    kind = attributes.get("TYPE", "").upper()
    if kind not in _TYPES:
        raise OneError(INTERNAL, "Unknown or missing address range TYPE.")
    if like.ranges_shared:
        shared = attributes.get("SHARED", "").upper() in ("YES", "TRUE", "1")
        attributes["SHARED"] = "YES" if shared else "NO"
        if shared and kind not in ("IP4", "IP6_STATIC"):
            raise OneError(INTERNAL, "Shared ARs can be only of type IP4 or IP6_STATIC.")
    first = _ip_number(attributes.get("IP", "")) if _has_ip4(kind) else None
    if _has_ip4(kind) and first is None:
        raise OneError(INTERNAL, "Wrong or empty IP attribute")
    if not _has_ip4(kind):
        attributes.pop("IP", None)
    if _has_prefixes(kind):
        _check_prefixes(attributes)
    else:
        for key in _PREFIXES:
            attributes.pop(key, None)
    if _is_static(kind):
        _init_static(attributes)
    else:
        attributes.pop("IP6", None)
    _init_mac(attributes, first, like)
    if not attributes.get("SIZE", "").isdigit():
        raise OneError(INTERNAL, "Wrong SIZE for address range")
    return AddressRange(number, attributes)


def update_range(ar: AddressRange, given: Vector) -> None:
    """Changes what may be changed: the size, prefixes and free attributes. Raises OneError."""
    new = {key: value for key, value in given.items() if key not in _COMPUTED and key not in _FIXED}
    kind = ar.kind
    if _has_prefixes(kind):
        _check_prefixes(new)
        new |= {key: new.get(key, "") for key in _PREFIXES}
    else:
        for key in _PREFIXES:
            new.pop(key, None)
    if not _is_static(kind):
        new.pop("PREFIX_LENGTH", None)
    elif not new.get("PREFIX_LENGTH", "").isdigit():
        new["PREFIX_LENGTH"] = ar.attributes["PREFIX_LENGTH"]
    size = new.get("SIZE") or ar.attributes["SIZE"]
    if not size.isdigit():
        raise OneError(INTERNAL, "Unable to read the SIZE attribute, it must be number >= 0")
    if ar.parent_ar != -1 and int(size) != ar.size:
        raise OneError(INTERNAL, "The SIZE of a reservation cannot be changed.")
    if any(index >= int(size) for index in ar.leases):
        raise OneError(INTERNAL, "New SIZE cannot be applied. There are used leases that would fall outside the range.")
    kept = {key: ar.attributes[key] for key in _FIXED if key in ar.attributes}
    ar.attributes = new | kept | {"SIZE": str(int(size))}
    if ar.next_index >= ar.size:
        ar.next_index = 0


def address(ar: AddressRange, index: int) -> Vector:
    """The addresses of one place of the range, by the names that NICs and leases have them under."""
    mac = (_mac_number(ar.attributes["MAC"]) or 0) + index
    result = {"MAC": _mac_text(mac)}
    first = _ip_number(ar.attributes.get("IP", ""))
    if first is not None:
        result["IP"] = str(ipaddress.IPv4Address(first + index))
    if _has_prefixes(ar.kind):
        result["IP6_LINK"] = _interface(_LINK_LOCAL, mac)
        result |= _by_prefix(ar, mac)
    static = _ip6_number(ar.attributes.get("IP6", ""))
    if static is not None:
        result["IP6"] = str(ipaddress.IPv6Address(static + index))
    return result


def _by_prefix(ar: AddressRange, mac: int) -> Vector:
    prefixes = {name: _ip6_number(ar.attributes.get(key, "")) for key, name in _PREFIXES.items()}
    return {name: _interface(prefix, mac) for name, prefix in prefixes.items() if prefix}


def index_of(ar: AddressRange, key: str, value: str) -> int | None:
    """The index of a MAC, IP or (static) IP6 in the range, or None."""
    read = {"MAC": _mac_number, "IP": _ip_number, "IP6": _ip6_number}[key]
    wanted, first = read(value), read(ar.attributes.get(key, ""))
    if wanted is None or first is None:
        return None
    return wanted - first if 0 <= wanted - first < ar.size else None


def take_free(ar: AddressRange) -> int | None:
    """The next free index, or None where the range is full."""
    if len(ar.leases) >= ar.size:
        return None
    index = ar.next_index
    while index in ar.leases:
        index = (index + 1) % ar.size
    ar.next_index = (index + 1) % ar.size
    return index


def take_block(ar: AddressRange, count: int) -> int | None:
    """The first index of a run of free addresses, or None."""
    size = ar.size
    if count > size - len(ar.leases):
        return None
    for step in range(size):
        start = (ar.next_index + step) % size
        if start + count <= size and not any(index in ar.leases for index in range(start, start + count)):
            ar.next_index = (start + count) % size
            return start
    return None


def lease(net: VNet, kind: str, owner: int, wanted: Vector) -> tuple[AddressRange, int] | None:
    """Leases the wanted IP, IP6 or MAC, or any address; None where there is none. An AR_ID narrows the choice."""
    ranges = [ar for ar in net.ars if wanted.get("AR_ID", str(ar.id)) == str(ar.id)]
    for key in ("IP", "IP6", "MAC"):
        if wanted.get(key):
            for ar in ranges:
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


def release_one(net: VNet, ip: str) -> None:
    """Frees the lease of an IPv4 address."""
    for ar in net.ars:
        index = index_of(ar, "IP", ip)
        if index is not None:
            ar.leases.pop(index, None)


def _encoded(holder: list[object]) -> int:
    kind, owner = str(holder[0]), int(str(holder[1]))
    return _TYPE_BITS[kind] | (owner & 0xFFFFFFFF)


def _ends(ar: AddressRange) -> str:
    """What the extended form adds: the last addresses, and the first and last ones by prefix."""
    mac = _mac_number(ar.attributes["MAC"]) or 0
    last = address(ar, max(ar.size - 1, 0))
    values = {f"{key}_END": last[key] for key in ("MAC", "IP", "IP6") if key in last}
    if _has_prefixes(ar.kind):
        values |= _by_prefix(ar, mac)
        values |= {f"{key}_END": value for key, value in _by_prefix(ar, mac + max(ar.size - 1, 0)).items()}
    return "".join(f"<{key}>{cdata(value)}</{key}>" for key, value in values.items())


def range_xml(ar: AddressRange, extended: bool, shown: Callable[[str, int], bool], like: Personality = LATEST) -> str:
    """The AR element; the extended one has ends and leases, the plain one the raw allocation."""
    values = dict(ar.attributes)
    values["AR_ID"] = str(ar.id)
    if like.ranges_shared:
        values["NEXT_INDEX"] = str(ar.next_index)
    if ar.parent_ar != -1:
        values["PARENT_NETWORK_AR_ID"] = str(ar.parent_ar)
    if not extended and ar.leases:
        values["ALLOCATED"] = "".join(f" {index} {_encoded(ar.leases[index])}" for index in sorted(ar.leases))
    inner = "".join(f"<{key}>{cdata(values[key])}</{key}>" for key in sorted(values))
    if extended:
        inner += _ends(ar)
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
