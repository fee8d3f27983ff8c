# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What most kinds of object answer alike: info, update, chmod, chown, rename, lock, delete and their pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ..access import ADMIN, CREATE, MANAGE, USE, Caller, Request
from ..cloud import Cloud, now
from ..errors import ACTION, ALLOCATE, INTERNAL, RPC_API, OneError
from ..model import Group, Resource, User
from ..template import Template
from ..xmlout import header_xml

R = TypeVar("R", bound=Resource)
Handler = Callable[..., Any]


class PoolApi(Generic[R]):
    """Methods of one kind. ``prefix`` is the method's first part, ``pool_prefix`` that of the pool."""

    prefix: str
    pool_prefix: str
    kind: type[R]

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def methods(self) -> dict[str, Handler]:
        """All methods of the kind by their full names."""
        return {
            f"{self.prefix}.info": self.info,
            f"{self.prefix}.update": self.update,
            f"{self.prefix}.chmod": self.chmod,
            f"{self.prefix}.chown": self.chown,
            f"{self.prefix}.rename": self.rename,
            f"{self.prefix}.lock": self.lock,
            f"{self.prefix}.unlock": self.unlock,
            f"{self.prefix}.delete": self.delete,
            f"{self.pool_prefix}.info": self.pool_info,
        }

    # The shape of the XML.

    def xml(self, item: R, caller: Caller) -> str:
        """The object as ``info`` shows it."""
        return self.pool_xml(item)

    def pool_xml(self, item: R) -> str:
        """The object as the pool shows it."""
        root = item.root
        return f"<{root}>{header_xml(self.cloud, item)}{item.template.xml()}</{root}>"

    # Calls.

    def info(self, caller: Caller, number: int, decrypt: bool = False) -> str:
        item = self.cloud.shown(caller, self.kind, number)
        return self.xml(item, caller)

    def pool_info(self, caller: Caller, flag: int = -2, start: int = -1, end: int = -1, *_: Any) -> str:
        root = f"{self.kind.root}_POOL"
        items = self.cloud.visible(caller, self.kind, flag, start, end)
        return f"<{root}>{''.join(self.pool_xml(item) for item in items)}</{root}>"

    def update(self, caller: Caller, number: int, text: str, kind: int = 0) -> int:
        item = self.cloud.allowed(caller, self.kind, number, MANAGE)
        if kind not in (0, 1):
            raise OneError(RPC_API, "Wrong update type")
        changes = self.cloud.parse(text, lead="Cannot update template. ")
        self._keep_restricted(caller, item, changes, append=kind == 1)
        new = item.template.clone() if kind == 1 else Template()
        new.merge(changes)
        self.check_update(caller, item, new)
        item.template = new
        self.updated(item)
        self.cloud.touch(item)
        return number

    def restricted(self) -> tuple[str, ...]:
        """The attributes that only administrators may change."""
        return ()

    def _keep_restricted(self, caller: Caller, item: R, changes: Template, append: bool) -> None:
        """Adds the restricted attributes that are there; OneError where one is changed. Source: check_restricted."""
        for name in () if caller.admin else self.restricted():
            if name not in changes:
                if name in item.template:
                    changes[name] = list(item.template[name])
            elif changes.text(name) != item.template.text(name):
                how = "User Template includes a" if append else "Tried to change"
                text = f"{how} restricted attribute{'' if append else ':'} {name}"
                raise OneError(INTERNAL, f"Cannot update template. {text}")

    def check_update(self, caller: Caller, item: R, new: Template) -> None:
        """Raises OneError where the template cannot be taken; may complete it."""

    def updated(self, item: R) -> None:
        """Called after the template was replaced."""

    def check_owner(self, caller: Caller, item: R, uid: int, gid: int) -> None:
        """Raises OneError where the quotas of a new owner or group (-1: no new one) do not allow the object."""

    def chmod(self, caller: Caller, number: int, *bits: Any) -> int:
        item = self.cloud.find(self.kind, number)
        wanted = [
            -1 if bit == item.perms[index] else int(bit) for index, bit in enumerate(int(bit) for bit in bits[:9])
        ]
        if any(bit not in (-1, 0, 1) for bit in wanted) or len(wanted) != 9:
            raise OneError(RPC_API, "New permission values must be -1, 0 or 1")
        admin = any(wanted[index] != -1 for index in (2, 5, 8))
        self.cloud.authorize(caller, Request(ADMIN if admin else MANAGE, item.kind, item))
        item.perms = [old if bit == -1 else bit for old, bit in zip(item.perms, wanted, strict=True)]
        self.cloud.touch(item)
        return number

    def chown(self, caller: Caller, number: int, uid: int, gid: int) -> int:
        user = self.cloud.find(User, uid) if uid > -1 else None
        group = self.cloud.find(Group, gid) if gid > -1 else None
        item = self.cloud.find(self.kind, number)
        requests = [Request(MANAGE, item.kind, item)]
        taken = None
        if user and uid != item.uid:
            requests.append(Request(MANAGE, "USER", user))
            taken = self.cloud.by_name(self.kind, item.name, uid) if self.kind.unique_by_owner else None
        if group and gid != item.gid:
            requests.append(Request(USE, "GROUP", group))
        self.cloud.authorize(caller, *requests)
        if taken:
            text = f"user [{uid}] already owns {item.label} [{taken.id}] with NAME {item.name}"
            raise OneError(INTERNAL, text)
        self.check_owner(caller, item, uid if uid != item.uid else -1, gid if gid != item.gid else -1)
        if user:
            item.uid = uid
        if group:
            item.gid = gid
        self.cloud.touch(item)
        return number

    def rename(self, caller: Caller, number: int, name: str) -> int:
        item = self.cloud.find(self.kind, number)
        if item.name == name:
            return number
        self.cloud.authorize(caller, Request(MANAGE, item.kind, item))
        if self.kind.unique_by_owner is not None:
            other = self.cloud.by_name(self.kind, name, item.uid if self.kind.unique_by_owner else None)
            if other:
                label = item.label
                raise OneError(
                    ACTION, f"{label} cannot be renamed to {name} because it collides with {label} {other.id}"
                )
        self.cloud.check_name(self.kind, name, item.uid, ACTION)
        item.name = name
        self.cloud.touch(item)
        return number

    def lock(self, caller: Caller, number: int, level: int, test: bool = False) -> int:
        item = self.cloud.find(self.kind, number)
        self.cloud.authorize(caller, Request(MANAGE, item.kind, item, lockable=False))
        # Level 4 (all) locks from USE on, as 1 does.
        levels = {1: 1, 2: 2, 3: 3, 4: 1}
        if level not in levels:
            raise OneError(ACTION, "Wrong lock level specified")
        if item.locked and test:
            raise OneError(ACTION, str(item.lock_time))
        if item.locked and not caller.admin and item.lock_owner != caller.uid:
            raise OneError(ACTION, "Error trying to lock the resource.")
        item.locked = levels[level]
        item.lock_owner, item.lock_time = caller.uid, now()
        self.cloud.touch(item)
        return number

    def unlock(self, caller: Caller, number: int) -> int:
        item = self.cloud.find(self.kind, number)
        self.cloud.authorize(caller, Request(MANAGE, item.kind, item, lockable=False))
        if not caller.admin and item.lock_owner != caller.uid:
            raise OneError(ACTION, "Cannot unlock: Lock is owned by another user")
        item.locked, item.lock_owner = 0, -1
        self.cloud.touch(item)
        return number

    def _authorize_clone(self, caller: Caller, item: R) -> None:
        """Raises OneError where the caller may not copy the object."""
        right = CREATE if self.cloud.personality.clone_asks_create else USE
        self.cloud.authorize(caller, Request(right, item.kind, item), self.cloud.may_create(caller, item.kind))

    def _copy(self, item: R, make: Callable[[], int]) -> int:
        """Makes a copy. Raises OneError as ``clone`` words it."""
        try:
            return make()
        except OneError as error:
            if not self.cloud.personality.clone_error_allocates:
                raise
            raise OneError(ALLOCATE, f"Error allocating a new {item.label}. {error.text}") from error

    def delete(self, caller: Caller, number: int, *_: Any) -> int:
        item = self.cloud.allowed(caller, self.kind, number, MANAGE)
        self.cloud.remove(item)
        return number
