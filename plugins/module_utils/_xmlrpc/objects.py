# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What all pool objects of OpenNebula have in common: being found, renamed, owned, permitted, updated.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    Ambiguous,
    ConnectionFailed,
    InvalidInput,
    NotFound,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_dict, as_dicts, as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import render

Raw = dict[str, Any]
"""An object as C(Client.call) returns it."""

POOL_FILTERS = {"all": -2, "mine": -3, "group": -1}
"""Words for the filter of the pool calls: all that the user may use, its own, its own and its groups'."""

_ID = re.compile(r"[0-9]+\Z")
_MODE = re.compile(r"0?([0-7]{3})\Z")
_BITS = tuple(f"{who}_{right}" for who in ("OWNER", "GROUP", "OTHER") for right in ("U", "M", "A"))


@dataclass(frozen=True)
class Kind:
    """A kind of object: the words of the API for it.

    Attributes:
        word: for messages.
        api: prefix of its methods.
        pool: prefix of the methods of its pool.
        element: XML element in the pool's answer.
        info: parameters of C(info) after the id.
        delete: parameters of C(delete) after the id.
        filtered: whether the pool call takes a filter and a range of ids.
    """

    word: str
    api: str
    pool: str
    element: str
    info: tuple[Any, ...] = (False,)
    delete: tuple[Any, ...] = ()
    filtered: bool = True


VNET = Kind("virtual network", "vn", "vnpool", "VNET")
SECURITY_GROUP = Kind("security group", "secgroup", "secgrouppool", "SECURITY_GROUP")
VM_TEMPLATE = Kind("VM template", "template", "templatepool", "VMTEMPLATE", info=(False, False), delete=(False,))
IMAGE = Kind("image", "image", "imagepool", "IMAGE", delete=(False,))
VM = Kind("virtual machine", "vm", "vmpool", "VM")
HOST = Kind("host", "host", "hostpool", "HOST", filtered=False)
CLUSTER = Kind("cluster", "cluster", "clusterpool", "CLUSTER", filtered=False)
USER = Kind("user", "user", "userpool", "USER", filtered=False)
GROUP = Kind("group", "group", "grouppool", "GROUP", filtered=False)


class Objects:
    """Finds objects of one endpoint; asks for each pool at most once.

    Args:
        client: the endpoint.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self._pools: dict[str, list[Raw]] = {}

    def pool(self, kind: Kind, who: int = POOL_FILTERS["all"]) -> list[Raw]:
        """Return all objects of a kind, by id, that the user may use (or those that a C(POOL_FILTERS) value picks)."""
        key = f"{kind.pool} {who}"
        if key not in self._pools:
            answer = self.client.call(
                f"{kind.pool}.info", *([who, -1, -1] if kind.filtered else []), what=f"list the {kind.word}s"
            )
            self._pools[key] = sorted(
                filter(_is_object, as_dicts(answer, kind.element)), key=lambda raw: int(raw["ID"])
            )
        return self._pools[key]

    def by_id(self, kind: Kind, number: int) -> Raw | None:
        """Return an object, or None when there is none with that id."""
        try:
            answer = self.client.call(f"{kind.api}.info", number, *kind.info, what=f"read {kind.word} {number}")
        except NotFound:
            return None
        if not _is_object(answer):
            raise ConnectionFailed(
                f"{self.client.endpoint} answered one.{kind.api}.info with something that is no {kind.word}.",
                details={"endpoint": self.client.endpoint, "reason": "protocol"},
            )
        return dict(answer)

    def managed(self, kind: Kind, params: Mapping[str, Any]) -> Raw | None:
        """Return the object that a module shall manage, or None when there is none.

        Names are unique for each owner only. So a name means the object of the user in C(owner), otherwise the one
        of the connecting user; what others own is never touched by name alone, and next to it nothing of the same
        name is created unless C(owner) says for whom.

        Args:
            params: C(id) or C(name), C(owner) and C(username) of a module.

        Raises:
            Ambiguous: several objects fit, or only such of other users and there is no C(owner).
            InvalidInput: both names are empty.
        """
        if params.get("id") is not None:
            return self.by_id(kind, params["id"])
        name = params["name"]
        if not str(name).strip():
            raise InvalidInput(f"name is empty; give the name of the {kind.word}.", details={"option": "name"})
        named = [raw for raw in self.pool(kind) if raw["NAME"] == name]
        for owner in (params.get("owner"), params["username"]):
            owned = [raw for raw in named if owner is not None and str(owner) in (raw.get("UNAME"), raw.get("UID"))]
            if len(owned) == 1:
                return owned[0]
            if owned:
                raise _ambiguous(self.client, kind, name, owned, "Give the id of the one that is meant.")
        if named and params.get("owner") is None:
            user = params["username"]
            raise _ambiguous(
                self.client,
                kind,
                name,
                named,
                f"None belongs to user {user!r}. To work on one of these, give its id or owner (who has to permit "
                f"that); to have one of its own beside them, give owner: {user}; or take another name.",
            )
        return None

    def selected(self, kind: Kind, params: Mapping[str, Any]) -> list[Raw]:
        """Return the objects that C(id), C(name) and C(filter) of an info module pick, by id."""
        if params["id"] is not None:
            raw = self.by_id(kind, params["id"])
            return [] if raw is None else [raw]
        found = self.pool(kind, POOL_FILTERS[params["filter"]])
        return [raw for raw in found if params["name"] is None or raw["NAME"] == params["name"]]

    def referred(self, kind: Kind, reference: Any, option: str) -> int:
        """Return the id that a reference to another object means: a number is an id, all else a name.

        The own object of that name comes before those of others.

        Raises:
            NotFound: no object of that name may be used; the message lists the names that may.
            Ambiguous: several others own an object of that name.
        """
        if is_id(reference):
            return int(reference)
        named = [raw for raw in self.pool(kind) if raw["NAME"] == str(reference)]
        own = [raw for raw in named if raw.get("UNAME") == self.client.target.username]
        fitting = own or named
        if len(fitting) == 1:
            return int(fitting[0]["ID"])
        if fitting:
            raise _ambiguous(self.client, kind, str(reference), fitting, f"Give its id in {option}.")
        names = sorted({raw["NAME"] for raw in self.pool(kind)})
        raise NotFound(
            f"{self.client.endpoint}: {option} names the {kind.word} {reference!r}, but user "
            f"{self.client.target.username!r} may use none of that name. There are: {', '.join(names) or 'none'}.",
            details={
                "endpoint": self.client.endpoint,
                "object": thing(kind, str(reference), None),
                "option": option,
                "name": str(reference),
                "names": names,
            },
        )

    def promised(self, kind: Kind, reference: Any, option: str, warn: Callable[[str], None] | None) -> int | str:
        """Return as C(referred) does, or in check mode the name of what an earlier task would have made.

        Args:
            warn: takes the warning about that in check mode; None otherwise, when all has to be there.
        """
        try:
            return self.referred(kind, reference, option)
        except NotFound:
            if warn is None:
                raise
            warn(promise(f"{option} names the {kind.word} {reference!r}", self.client.endpoint))
            return str(reference)


def _is_object(raw: Any) -> bool:
    """Whether an answer has what every object has."""
    return isinstance(raw, Mapping) and as_int(raw.get("ID")) is not None and isinstance(raw.get("NAME"), str)


def is_id(reference: Any) -> bool:
    """Whether a reference is an id; a number is one, and so is 0."""
    # not isdigit(), which takes the figures of all scripts and superscripts
    return _ID.match(str(reference)) is not None


def promise(what: str, endpoint: str) -> str:
    """Return the warning that check mode takes something for granted that is not there."""
    return f"{endpoint}: {what}, which is not there; check mode takes it that an earlier task makes it."


def _ambiguous(client: Client, kind: Kind, name: str, found: list[Raw], advice: str) -> Ambiguous:
    candidates = [
        {"id": int(raw["ID"]), "name": raw["NAME"], "owner": raw.get("UNAME"), "group": raw.get("GNAME")}
        for raw in found
    ]
    listed = ", ".join(f"id {item['id']} of user {item['owner']!r}" for item in candidates)
    return Ambiguous(
        f"{client.endpoint}: the name {name!r} fits these {kind.word}s: {listed}. {advice}",
        details={
            "endpoint": client.endpoint,
            "object": thing(kind, name, None),
            "name": name,
            "candidates": candidates,
        },
    )


def label(client: Client, kind: Kind, name: str | None, number: int | None) -> str:
    """Return an object for messages, with its endpoint: C(virtual network 'x' (id 7) at http://...)."""
    return f"{thing(kind, name, number)} at {client.endpoint}"


def thing(kind: Kind, name: str | None, number: int | None, owner: str | None = None) -> str:
    """Return an object for messages that name the endpoint otherwise."""
    text = kind.word if name is None else f"{kind.word} {name!r}"
    known = [part for part in (None if number is None else f"id {number}", owner and f"of user {owner!r}") if part]
    return f"{text} ({', '.join(known)})" if known else text


def named(kind: Kind, raw: Raw) -> str:
    """Return an object of the server for messages, with id, owner and whether it is locked."""
    text = thing(kind, raw["NAME"], int(raw["ID"]), raw.get("UNAME"))
    return f"locked {text}" if as_dict(raw, "LOCK") else text


def mode_of(raw: Raw) -> str:
    """Return the permissions of an object as three octal digits: use 4, manage 2, admin 1."""
    permissions = as_dict(raw, "PERMISSIONS")
    bits = [permissions.get(bit) == "1" for bit in _BITS]
    return "".join(str(4 * bits[at] + 2 * bits[at + 1] + bits[at + 2]) for at in (0, 3, 6))


def identity(raw: Raw) -> dict[str, Any]:
    """Return what every module returns of every object."""
    return {
        "id": int(raw["ID"]),
        "name": raw["NAME"],
        "uid": as_int(raw.get("UID")),
        "gid": as_int(raw.get("GID")),
        "uname": raw.get("UNAME"),
        "gname": raw.get("GNAME"),
        "mode": mode_of(raw),
    }


def common_state(raw: Raw, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return id, name, owner, group and mode of an object as a state for C(ensure), and the object under C(raw).

    Owner and group are given in the form that the user chose, id or name.
    """
    return {
        "id": int(raw["ID"]),
        "name": raw["NAME"],
        "owner": raw.get("UID") if is_id(params.get("owner")) else raw.get("UNAME"),
        "group": raw.get("GID") if is_id(params.get("group")) else raw.get("GNAME"),
        "mode": mode_of(raw),
        "raw": raw,
    }


def common_desired(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return name, owner, group and mode as far as the user gave them.

    Raises:
        InvalidInput: mode is not a string of three octal digits.
    """
    desired = {key: str(params[key]) for key in ("name", "owner", "group") if params.get(key) is not None}
    mode = params.get("mode")
    if mode is not None:
        match = _MODE.match(mode) if isinstance(mode, str) else None
        if match is None:
            raise InvalidInput(
                f"mode is {mode!r}; it has to be three octal digits in quotes, such as '640' "
                "(owner, group, others; use 4, manage 2, admin 1).",
                details={"option": "mode"},
            )
        desired["mode"] = match[1]
    return desired


def apply_common(objects: Objects, kind: Kind, raw: Raw, changes: Mapping[str, Any]) -> None:
    """Apply the differing ones of name, mode, owner and group; the ownership last, as it may take the right away."""
    client, number, who = objects.client, int(raw["ID"]), named(kind, raw)
    if "name" in changes:
        client.call(f"{kind.api}.rename", number, changes["name"], what=f"rename {who} to {changes['name']!r}")
    if "mode" in changes:
        bits = [int(digit) >> shift & 1 for digit in changes["mode"] for shift in (2, 1, 0)]
        client.call(f"{kind.api}.chmod", number, *bits, what=f"set the mode of {who} to {changes['mode']}")
    if "owner" in changes or "group" in changes:
        owner = objects.referred(USER, changes["owner"], "owner") if "owner" in changes else -1
        group = objects.referred(GROUP, changes["group"], "group") if "group" in changes else -1
        client.call(f"{kind.api}.chown", number, owner, group, what=f"change the ownership of {who}")


def apply_template(
    client: Client, kind: Kind, raw: Raw, current: Mapping[str, Any], changes: Mapping[str, Any]
) -> None:
    """Write the differing attributes of a template.

    They are merged into it, so that what the server and others put there stays. Only to remove one (a None in
    C(changes)) the whole template is written without it.

    Args:
        current: the whole template of the server, normalised.
        changes: the differing attributes, normalised.
    """
    replaces = any(value is None for value in changes.values())
    merged = {**current, **changes} if replaces else changes
    client.call(
        f"{kind.api}.update",
        int(raw["ID"]),
        render(merged),
        0 if replaces else 1,
        what=f"update {', '.join(sorted(changes))} of {named(kind, raw)}",
    )


def delete(client: Client, kind: Kind, raw: Raw) -> None:
    """Delete an object; one that went away meanwhile is fine."""
    try:
        client.call(f"{kind.api}.delete", int(raw["ID"]), *kind.delete, what=f"delete {named(kind, raw)}")
    except NotFound:
        return
