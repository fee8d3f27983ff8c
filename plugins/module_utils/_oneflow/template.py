# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the module oneflow_template does: make, copy, change, rename and remove service templates.

OneFlow checks little: parents and VM templates that do not exist, unknown keys and an empty role list are accepted
with 201, and the service hangs later. So these are checked here, before the first write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import differing
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import Resource, ensure
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotFound, about
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.bodies import (
    desired_body,
    merged_body,
    state_of,
    wanted_state,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import TEMPLATE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.limits import check_body, check_vm_templates
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import (
    Document,
    identity,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.versions import Version
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    VM_TEMPLATE,
    Objects,
    common_desired,
    is_id,
)


def facts(found: Document) -> dict[str, Any]:
    """Return a service template as the modules return it."""
    return {**identity(found), "body": found.body}


class Manager:
    """What the module oneflow_template does, for one set of its options.

    Args:
        params: the module's options.
        flow: the OneFlow endpoint.
        objects: the XML-RPC endpoint, for names of VM templates, users and groups, and for the version.
        warn: takes a warning for the user.
    """

    def __init__(self, params: Mapping[str, Any], flow: OneFlow, objects: Objects, warn: Callable[[str], None]) -> None:
        self.params = params
        self.flow = flow
        self.objects = objects
        self.warn = warn
        self.version = Version(objects.client)
        self.found: Document | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, Any], warn: Callable[[str], None]) -> Manager:
        """Make a manager of the module's options; raises InvalidInput for unusable endpoints."""
        return cls(params, OneFlow.from_params(params), Objects(Client.from_params(params)), warn)

    def ensure(self, *, check_mode: bool) -> dict[str, Any]:
        """Bring the service template to its state and return the module's result; raises OpenNebulaError."""
        with about(TEMPLATE.noun, self.params) as subject:
            self.found = self.flow.managed(TEMPLATE, self.params)
            if self.found is not None:
                subject.name, subject.id = self.found.name, self.found.id
            return self._ensure(check_mode)

    def _ensure(self, check_mode: bool) -> dict[str, Any]:
        params = self.params
        if params["state"] == "absent":
            outcome = ensure(
                Resource(self.label, self._current(), None, delete=self._delete, read=self._read), check_mode=check_mode
            )
            return outcome.result("service_template")
        if self.found is None and params.get("id") is not None:
            raise NotFound(
                f"{self.label} does not exist; a new one gets its id from OneFlow, so give its name alone.",
                details={"id": params["id"]},
            )
        common = common_desired(params)
        given = desired_body(params, lambda name: self._vm_template(name, check_mode))
        if "name" in common:
            given["name"] = common["name"]
        source = self._source() if self.found is None else None
        base = self.found.body if self.found else _without_time(source.body) if source else {}
        body = merged_body(base, given)
        wanted = {**common, **wanted_state(given, self._current())}
        if self.found is None or differing(self._current() or {}, wanted_state(given, self._current())):
            check_body(body, self.label)
            self._check_vm_templates(body, given)
        outcome = ensure(
            Resource(
                self.label,
                self._current(),
                wanted,
                create=lambda: self._create(body) if source is None else self._clone(source, common, given),
                update=lambda _current, changes: self._update(given, changes),
                read=self._read,
            ),
            check_mode=check_mode,
        )
        return outcome.result("service_template", lambda state: self._facts(state, body, predicted=check_mode))

    @property
    def label(self) -> str:
        """The service template for messages, with its endpoint."""
        name, number = self.params.get("name"), self.params.get("id")
        return f"service template {repr(name) if name is not None else f'(id {number})'} at {self.flow.endpoint}"

    def _vm_template(self, name: str, check_mode: bool) -> int | str:
        return self.objects.promised(VM_TEMPLATE, name, "roles.template", self.warn if check_mode else None)

    def _current(self) -> dict[str, Any] | None:
        return None if self.found is None else state_of(self.found, self.params)

    def _read(self, number: int) -> dict[str, Any] | None:
        self.found = self.flow.get(TEMPLATE, number)
        return self._current()

    def _create(self, body: Mapping[str, Any]) -> int:
        return self.flow.create_template(self.version.body(body)).id

    def _source(self) -> Document | None:
        """Return the service template that a new one is a copy of."""
        reference = self.params.get("clone_of")
        if reference is None:
            return None
        if not is_id(reference):
            return self.flow.referred(TEMPLATE, reference, "clone_of", "clone_of")
        found = self.flow.get(TEMPLATE, int(reference))
        if found is None:
            raise NotFound(
                f"{self.flow.endpoint}: there is no service template with id {reference} (clone_of).",
                details={"option": "clone_of", "id": int(reference)},
            )
        return found

    def _clone(self, source: Document, common: Mapping[str, Any], given: Mapping[str, Any]) -> int:
        made = self.flow.clone_template(source.id, common["name"], self.params["clone_vm_templates"])
        # The body still has the name of the source, which new services would get.
        body = merged_body(made.body, given)
        if body != made.body:
            self.flow.replace_template(made.id, self.version.body(body))
        return made.id

    def _update(self, given: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        found = cast(Document, self.found)
        body = merged_body(found.body, given)
        # A rename does not reach the name in the body, which is the default for new services.
        if changes.keys() - {"owner", "group", "mode"}:
            # With the registration_time that was read; OneFlow refuses another one.
            self.flow.replace_template(found.id, self.version.body(body))
        self.flow.apply_common(TEMPLATE, found, changes, self.objects)

    def _delete(self, current: Mapping[str, Any]) -> None:
        try:
            self.flow.delete_template(current["id"], self.params["delete_vm_templates"])
        except NotFound:
            return  # went away meanwhile

    def _check_vm_templates(self, body: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        """Raise NotFound for a given role whose VM template is not there, which OneFlow does not check."""
        if "roles" in given:
            check_vm_templates(body, self.objects, self.label)

    def _facts(self, state: Mapping[str, Any], body: Mapping[str, Any], *, predicted: bool) -> dict[str, Any]:
        if self.found is None:
            return {**{key: state[key] for key in ("name", "mode") if key in state}, "body": dict(body)}
        result = facts(self.found)
        if predicted:
            result.update(body=dict(body), name=state["name"], mode=state["mode"])
        return result


def _without_time(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body without the time of its making, which OneFlow sets and nobody else may."""
    return {key: value for key, value in body.items() if key != "registration_time"}
