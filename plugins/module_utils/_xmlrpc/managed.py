# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What the modules for pool objects do alike.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ansible_collections.fact8ra.flower.plugins.module_utils import _ensure
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import State
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotFound, Subject, about
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc import objects as api
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import Kind, Objects, Raw
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import normalise


class Managed(ABC):
    """An object that a module keeps in the state that its parameters describe.

    Subclasses say what of it is compared and how it is created and changed; everything about name, owner, group and
    mode is done here.

    Args:
        client: the endpoint.
        params: the module's parameters.
        promise: in check mode, takes the warning that something is taken for granted which earlier tasks would make.
    """

    kind: ClassVar[Kind]
    unverified: ClassVar[frozenset[str]] = frozenset()
    """Top-level keys of the desired state that a re-read after a write need not show yet."""

    def __init__(self, client: Client, params: Mapping[str, Any], promise: Callable[[str], None] | None = None) -> None:
        self.client = client
        self.params = params
        self.promise = promise
        self.objects = Objects(client)
        self._known: dict[int, Raw | None] = {}

    @abstractmethod
    def facts(self, raw: Raw) -> dict[str, Any]:
        """Return the object as the module returns it."""

    @abstractmethod
    def see(self, raw: Raw) -> State:
        """Return what is compared of the object, beside name, owner, group and mode."""

    @abstractmethod
    def desired(self, current: State | None) -> dict[str, Any]:
        """Return what the user wants, beside name, owner, group and mode."""

    @abstractmethod
    def allocate(self, desired: Mapping[str, Any]) -> int:
        """Create the object and return its id."""

    @abstractmethod
    def change(self, current: State, changes: dict[str, Any]) -> None:
        """Apply C(changes), the differing part of the desired state, name, owner, group and mode included."""

    @abstractmethod
    def prepare(self) -> None:
        """Check and resolve parameters before anything is planned."""

    def settle(self, raw: Raw) -> Raw | None:
        """Wait for an object that was found in a passing state; returns it as it is then, by default at once."""
        return raw

    def remove(self, current: State) -> None:
        """Delete the object."""
        self.delete(current["raw"])

    def gone(self, raw: Raw | None) -> bool:
        """Whether an object that was read after C(remove) counts as deleted."""
        return raw is None

    def remember(self, number: int, raw: Raw | None) -> None:
        """Keep what was read while waiting, so that the re-read after a write needs no call of its own."""
        self._known[number] = raw

    def apply_common(self, raw: Raw, changes: Mapping[str, Any]) -> None:
        """Apply the differing ones of name, mode, owner and group."""
        api.apply_common(self.objects, self.kind, raw, changes)

    def apply_template(self, raw: Raw, changes: Mapping[str, Any]) -> None:
        """Write the differing attributes of the object's template."""
        api.apply_template(self.client, self.kind, raw, self.template_of(raw), changes)

    def template_of(self, raw: Raw) -> dict[str, Any]:
        """Return the object's template, normalised."""
        return normalise(raw.get("TEMPLATE"))

    def delete(self, raw: Raw) -> None:
        """Call the delete method."""
        api.delete(self.client, self.kind, raw)

    def run(self, name: str, *, check_mode: bool) -> dict[str, Any]:
        """Do the module's work and return its result, with the object under C(name).

        Raises:
            NotFound: an object has to be present that was given by id and is not there.
            OpenNebulaError: see C(ensure) and C(Objects.managed).
        """
        with about(self.kind.word, self.params) as subject:
            return self._run(name, check_mode, subject)

    def _run(self, name: str, check_mode: bool, subject: Subject) -> dict[str, Any]:
        absent = self.params["state"] == "absent"
        common = api.common_desired(self.params)
        if not absent:
            self.prepare()
        raw = self.objects.managed(self.kind, self.params)
        if raw is not None:
            subject.name, subject.id = raw["NAME"], int(raw["ID"])
        if raw is not None and not check_mode:
            raw = self.settle(raw)
        current = None if raw is None else self._state(raw, absent)
        if current is None and not absent and self.params.get("id") is not None:
            raise NotFound(
                f"{self.client.endpoint}: there is no {self.kind.word} with id {self.params['id']}, and an id cannot "
                "be chosen; give a name without an id to create one.",
                details={"endpoint": self.client.endpoint, "id": self.params["id"]},
            )
        desired = None if absent else {**common, **self.desired(current)}
        number = None if current is None else current["id"]

        def create() -> int:
            subject.id = self.allocate(desired or {})
            return subject.id

        outcome = _ensure.ensure(
            _ensure.Resource(
                label=api.label(self.client, self.kind, self.params.get("name"), number),
                current=current,
                desired=desired,
                create=create,
                update=self.change,
                delete=self.remove,
                read=self._read,
                gone=lambda state: self.gone(None if state is None else state["raw"]),
                verify=frozenset(desired or ()) - self.unverified,
                view=lambda state: {"name": state["name"], "id": state["id"]},
            ),
            check_mode=check_mode,
        )
        return outcome.result(name, self._shown)

    def _read(self, number: int) -> State | None:
        raw = self._known.pop(number) if number in self._known else self.objects.by_id(self.kind, number)
        return None if raw is None else self._state(raw, self.params["state"] == "absent")

    def _state(self, raw: Raw, absent: bool) -> State:
        common = api.common_state(raw, self.params)
        return common if absent else {**common, **self.see(raw)}

    def _shown(self, state: State) -> dict[str, Any]:
        if "raw" in state:
            return self.facts(state["raw"])
        return {"id": None, "name": state["name"]}
