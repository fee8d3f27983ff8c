# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The state of one site: pools of objects under one lock, written to the store when a change is complete."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from .access import CREATE, NAME_PATTERN, USE, Caller, Request, authorize, permitted
from .config import Config, Timers
from .errors import ACTION, INTERNAL, OneError, missing
from .model import (
    VM,
    Acl,
    Cluster,
    Datastore,
    Document,
    Group,
    Host,
    Image,
    MarketApp,
    Marketplace,
    Resource,
    SecurityGroup,
    User,
    VMTemplate,
    VNet,
    VNTemplate,
    Zone,
)
from .personality import VERSIONS, Personality
from .store import Store
from .template import Template, TemplateError, parse

R = TypeVar("R", bound=Resource)

KINDS: Final[tuple[type[Resource], ...]] = (
    Group, User, VNet, VNTemplate, SecurityGroup, Image, VMTemplate, VM, Host, Cluster, Datastore, Zone, Document,
    Marketplace, MarketApp,
)  # fmt: skip


def now() -> int:
    """The time in whole seconds, as the API gives it."""
    return int(time.time())


def password_hash(password: str) -> str:
    """How oned keeps a password of the driver core."""
    return hashlib.sha256(password.encode()).hexdigest()


class Cloud:
    """Objects by kind and id. Use them inside ``with cloud.change():`` and say ``touch`` after a change."""

    def __init__(self, store: Store, config: Config) -> None:
        self.store = store
        self.config = config
        self.timers: Timers = config.timers
        #: How the version that this site stands for answers.
        self.personality: Personality = VERSIONS[config.version]
        self.lock = threading.RLock()
        self.pools: dict[type[Resource], dict[int, Any]] = {kind: {} for kind in KINDS}
        self.acls: list[Acl] = []
        self.last_ids: dict[str, int] = store.value("last_ids", {})
        #: OneGate's address, as contexts give it to VMs.
        self.gate_endpoint = ""
        #: Called, outside of the lock, after a change that other parts may wait for.
        self.on_change: Callable[[], None] = lambda: None
        self._depth = 0
        self._touched: dict[tuple[str, int], Resource] = {}
        self._gone: set[tuple[str, int]] = set()
        self._values: dict[str, Any] = {}
        for kind in KINDS:
            for row in store.rows(kind.kind):
                item = kind.load(row)
                self.pools[kind][item.id] = item
        self.acls = [Acl(**row) for row in store.value("acls", [])]

    # ------------------------------------------------------------------------------------------------ transactions

    @contextmanager
    def change(self) -> Iterator[None]:
        """Holds the lock; the outermost one writes what was touched to the store."""
        with self.lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                dirty = bool(self._touched or self._gone or self._values)
                if self._depth == 0 and dirty:
                    self._flush()
        if dirty:
            self.on_change()

    def _flush(self) -> None:
        rows = [(kind, number, item.dump()) for (kind, number), item in self._touched.items()]
        self.store.write(rows, self._gone, self._values)
        self._touched.clear()
        self._gone.clear()
        self._values.clear()

    def touch(self, item: Resource) -> None:
        """Marks an object as changed."""
        self._touched[item.kind, item.id] = item

    def new_id(self, kind: str, first: int = 0) -> int:
        """The next id of a kind; ids are never used twice."""
        number = max(self.last_ids.get(kind, -1) + 1, first)
        self.last_ids[kind] = number
        self._values["last_ids"] = self.last_ids
        return number

    def insert(self, item: R) -> R:
        """Adds an object whose id was given by ``new_id`` or is built in."""
        self.last_ids[item.kind] = max(self.last_ids.get(item.kind, -1), item.id)
        self._values["last_ids"] = self.last_ids
        self.pools[type(item)][item.id] = item
        self.touch(item)
        return item

    def remove(self, item: Resource) -> None:
        """Removes an object."""
        del self.pools[type(item)][item.id]
        self._touched.pop((item.kind, item.id), None)
        self._gone.add((item.kind, item.id))

    def save_acls(self) -> None:
        """Writes the ACL rules."""
        self._values["acls"] = [vars(rule) for rule in self.acls]

    # --------------------------------------------------------------------------------------------------- look-ups

    def pool(self, kind: type[R]) -> dict[int, R]:
        """The objects of a kind by id."""
        return self.pools[kind]

    def find(self, kind: type[R], number: int) -> R:
        """The object, or OneError "Error getting ..."."""
        item: R | None = self.pools[kind].get(number)
        if item is None:
            raise missing(kind.label, number)
        return item

    def by_name(self, kind: type[R], name: str, uid: int | None = None) -> R | None:
        """The object of that name (and owner), or None."""
        for item in self.pool(kind).values():
            if item.name == name and (uid is None or item.uid == uid):
                return item
        return None

    def allowed(self, caller: Caller, kind: type[R], number: int, operation: int) -> R:
        """The object, if the caller has the right on it. Raises OneError."""
        item = self.find(kind, number)
        self.authorize(caller, Request(operation, item.kind, item))
        return item

    def shown(self, caller: Caller, kind: type[R], number: int) -> R:
        """The object, if the caller may see it, locked or not. Raises OneError."""
        item = self.find(kind, number)
        self.authorize(caller, Request(USE, item.kind, item, lockable=False))
        return item

    def authorize(self, caller: Caller, *requests: Request) -> None:
        """Raises OneError that names every right that the caller lacks."""
        authorize(caller, requests, self.acls)

    def permitted(self, caller: Caller, operation: int, item: Resource) -> bool:
        """Whether the caller has the right, locked or not."""
        return permitted(caller, Request(operation, item.kind, item, lockable=False), self.acls)

    def may_create(self, caller: Caller, kind: str) -> Request:
        """The right to create objects of a kind."""
        return Request(CREATE, kind)

    def visible(self, caller: Caller, kind: type[R], flag: int, start: int = -1, end: int = -1) -> list[R]:
        """The pool as the caller may see it, newest first.

        ``flag``: -4 main group, -3 own, -2 all, -1 own and group's, else a user id (source: PoolSQL::usr_filter).
        """
        items = [self.pool(kind)[number] for number in sorted(self.pool(kind), reverse=True)]
        if flag == -3:
            items = [item for item in items if item.uid == caller.uid]
        elif flag == -4:
            items = [item for item in items if item.gid == caller.gid]
        elif flag == -1:
            items = [item for item in items if item.uid == caller.uid or item.gid in caller.groups]
        elif flag >= 0:
            items = [item for item in items if item.uid == flag]
        items = [item for item in items if caller.admin or self.permitted(caller, 1, item)]
        if start < -1:  # paging: start = -offset, end = page size
            return items[-start : -start + end]
        if start >= 0 and end < -1:
            return items[start : start - end]
        if start >= 0:
            items = [item for item in items if item.id >= start]
        if end >= 0:
            items = [item for item in items if item.id <= end]
        return items

    # ----------------------------------------------------------------------------------------------------- names

    def user_name(self, uid: int) -> str:
        """The name of a user."""
        user = self.pool(User).get(uid)
        return user.name if user else "not_found"

    def group_name(self, gid: int) -> str:
        """The name of a group."""
        group = self.pool(Group).get(gid)
        return group.name if group else "not_found"

    def check_name(self, kind: type[Resource], name: str, uid: int, code: int = INTERNAL, unique: bool = True) -> None:
        """Raises OneError where the name is not valid or, with ``unique``, taken."""
        if not name:
            raise OneError(code, "Invalid NAME, it cannot be empty.")
        if len(name) > 128:
            raise OneError(code, "Invalid NAME, max length is 128 characters.")
        if not NAME_PATTERN.match(name):
            raise OneError(code, f'Invalid NAME, it contains one of the invalid characters: &|:\\;"\'<>/ in "{name}".')
        if kind.unique_by_owner is None or not unique:
            return
        taken = self.by_name(kind, name, uid if kind.unique_by_owner else None)
        if taken:
            raise OneError(code, f"NAME is already taken by {taken.taken_by}.")

    def parse(self, text: str, code: int = INTERNAL, lead: str = "") -> Template:
        """Reads a template. Raises OneError with oned's text."""
        try:
            return parse(text)
        except TemplateError as error:
            raise OneError(code, lead + str(error)) from error

    # ------------------------------------------------------------------------------------------------- user session

    def login(self, session: str) -> Caller | None:
        """The caller of a "user:password" session, or None."""
        name, _separator, password = session.partition(":")
        user = self.by_name(User, name)
        if user is None or not user.enabled:
            return None
        if not secrets.compare_digest(user.password, password_hash(password)):
            return None
        return self.caller(user)

    def caller(self, user: User) -> Caller:
        """A user as a caller."""
        return Caller(user.id, user.gid, frozenset(user.groups))

    @property
    def oneadmin(self) -> Caller:
        """The caller that the server itself is."""
        return Caller(0, 0, frozenset({0}))


def refuse_action(text: str) -> OneError:
    """An action that the state of an object does not allow."""
    return OneError(ACTION, text)
