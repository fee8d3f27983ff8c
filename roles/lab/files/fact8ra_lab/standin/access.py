# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Who may do what: permissions of objects and ACL rules, as AclManager and AuthRequest of oned decide.

Source of the bit fields: include/AclRule.h and include/PoolObjectSQL.h.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from .errors import AUTHORIZATION, OneError
from .model import Acl, Resource, VNet

USE: Final = 1
MANAGE: Final = 2
ADMIN: Final = 4
CREATE: Final = 8
_OPERATIONS: Final = {"USE": USE, "MANAGE": MANAGE, "ADMIN": ADMIN, "CREATE": CREATE}

TYPES: Final = {
    "VM": 0x1000000000,
    "HOST": 0x2000000000,
    "NET": 0x4000000000,
    "IMAGE": 0x8000000000,
    "USER": 0x10000000000,
    "TEMPLATE": 0x20000000000,
    "GROUP": 0x40000000000,
    "DATASTORE": 0x100000000000,
    "CLUSTER": 0x200000000000,
    "DOCUMENT": 0x400000000000,
    "ZONE": 0x800000000000,
    "SECGROUP": 0x1000000000000,
    "VDC": 0x2000000000000,
    "VROUTER": 0x4000000000000,
    "MARKETPLACE": 0x8000000000000,
    "MARKETPLACEAPP": 0x10000000000000,
    "VMGROUP": 0x20000000000000,
    "VNTEMPLATE": 0x40000000000000,
    "BACKUPJOB": 0x100000000000000,
}
INDIVIDUAL: Final = 0x100000000
GROUP: Final = 0x200000000
ALL: Final = 0x400000000
CLUSTER: Final = 0x800000000
_ID_MASK: Final = 0xFFFFFFFF


@dataclass(frozen=True)
class Caller:
    """An authenticated user: id, main group, all groups."""

    uid: int
    gid: int
    groups: frozenset[int]

    @property
    def admin(self) -> bool:
        """Whether the user is oneadmin or in its group."""
        return self.uid == 0 or 0 in self.groups


@dataclass(frozen=True)
class Request:
    """One right that a call needs: an operation on an object, or its creation (``target`` is None).

    Reading, locking and unlocking are not ``lockable``: no lock takes them away (the _NO_LCK operations of oned).
    """

    operation: int
    kind: str
    target: Resource | None = None
    lockable: bool = True


def operation_name(operation: int) -> str:
    """USE, MANAGE, ADMIN or CREATE."""
    return next(name for name, bit in _OPERATIONS.items() if bit == operation)


def _id_text(value: int) -> str:
    number = value & _ID_MASK
    for flag, sign in ((INDIVIDUAL, "#"), (GROUP, "@"), (CLUSTER, "%")):
        if value & flag:
            return f"{sign}{number}"
    return "*"


def rule_text(rule: Acl) -> str:
    """The rule as text, e.g. "@100 NET/* USE #0"."""
    types = "+".join(name for name, bit in TYPES.items() if rule.resource & bit)
    rights = "+".join(name for name, bit in _OPERATIONS.items() if rule.rights & bit)
    return f"{_id_text(rule.user)} {types}/{_id_text(rule.resource)} {rights} {_id_text(rule.zone)}"


def parse_rule(text: str, users: dict[str, int], groups: dict[str, int]) -> tuple[int, int, int, int]:
    """The bit fields of a rule text; ``#name`` and ``@name`` of users and groups are resolved.

    Raises ValueError with the text and what a rule looks like.
    """

    def ids(word: str, names: bool = False) -> int:
        if word == "*":
            return ALL
        flag = {"#": INDIVIDUAL, "@": GROUP, "%": CLUSTER}[word[0]]
        if names and not word[1:].isdigit():
            return flag | (users if flag == INDIVIDUAL else groups)[word[1:]]
        return flag | int(word[1:])

    try:
        user, resource, rights, *zone = text.split()
        types, target = resource.split("/")
        bits = 0
        for name in types.split("+"):
            bits |= TYPES[name]
        wanted = 0
        for name in rights.split("+"):
            wanted |= _OPERATIONS[name]
        return ids(user, names=True), bits | ids(target), wanted, ids(zone[0]) if zone else ALL
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(
            f"ACL rule {text!r} cannot be read ({error}); a rule is '@group TYPE+TYPE/#id RIGHT+RIGHT #zone',"
            " e.g. '@100 NET+IMAGE/* CREATE *'"
        ) from error


def _object_rights(target: Resource, caller: Caller) -> Iterator[list[int]]:
    if target.uid == caller.uid:
        yield target.perms[0:3]
    if target.gid in caller.groups:
        yield target.perms[3:6]
    yield target.perms[6:9]


def _rule_applies(rule: Acl, caller: Caller, request: Request) -> bool:
    user_matches = (
        rule.user & ALL
        or rule.user == INDIVIDUAL | caller.uid
        or (rule.user & GROUP and rule.user & _ID_MASK in caller.groups)
    )
    if not user_matches or not rule.resource & TYPES[request.kind] or not rule.rights & request.operation:
        return False
    if not (rule.zone & ALL or rule.zone == INDIVIDUAL):
        return False
    number = rule.resource & _ID_MASK
    target = request.target
    # A reservation belongs to its owner: rules for all networks or for a cluster do not reach it.
    reservation = isinstance(target, VNet) and target.parent != -1
    if rule.resource & ALL:
        return not reservation
    if target is None:
        return bool(rule.resource & GROUP) and number == caller.gid
    if rule.resource & INDIVIDUAL:
        return number == target.id
    if rule.resource & GROUP:
        return number == target.gid
    return not reservation and number in target.clusters


def permitted(caller: Caller, request: Request, rules: Iterable[Acl]) -> bool:
    """Whether the caller has the right."""
    target = request.target
    if target is not None and request.lockable and 0 < target.locked <= request.operation:
        return False
    if caller.admin:
        return True
    if target is not None:
        bit = {USE: 0, MANAGE: 1, ADMIN: 2}.get(request.operation)
        if bit is not None and any(rights[bit] for rights in _object_rights(target, caller)):
            return True
        if target.kind == "USER" and target.id == caller.uid and request.operation in (USE, MANAGE):
            return True
        if target.kind == "GROUP" and target.id in caller.groups and request.operation == USE:
            return True
    return any(_rule_applies(rule, caller, request) for rule in rules)


def authorize(caller: Caller, requests: Iterable[Request], rules: Iterable[Acl]) -> None:
    """Raises OneError that names every right that the caller lacks."""
    lacking = []
    for request in requests:
        if permitted(caller, request, rules):
            continue
        name = request.kind + ("" if request.target is None else f" [{request.target.id}]")
        if caller.admin:
            lacking.append(f"{request.kind} is locked." + ("" if request.target is None else f" [{request.target.id}]"))
        else:
            lacking.append(f"Not authorized to perform {operation_name(request.operation)} {name}")
    if lacking:
        raise OneError(AUTHORIZATION, f"User [{caller.uid}] : {'; '.join(lacking)}.")


NAME_PATTERN: Final = re.compile(r"^[^&|:\\;\"'<>/\n]+$")
