# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the module oneflow_service does: make a service of a template, scale, recover, rename and remove it.

Instantiating succeeds before anything runs, removing before anything is gone; see ``watch`` for what comes after.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import Resource, ensure
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    InvalidInput,
    NotAuthorized,
    NotFound,
    OpenNebulaError,
    Refused,
    about,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import SERVICE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.facts import (
    facts,
    failed_on_the_way_up,
    node_ids,
    service_vms,
    state_of,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import Document, as_list, common_state
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.plan import (
    label_of,
    merge_template,
    service_template,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.roles import Roles, change_roles
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.states import (
    COMING_UP,
    FAILED_DOWN,
    GOING_DOWN,
    ServiceState,
    service_state_name,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.undeploy import Undeploy
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.values import drift
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.versions import Version
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.watch import (
    MEND_VMS,
    REMOVE_AND_REPEAT,
    RETRY_OR_REMOVE,
    Watch,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    VM_TEMPLATE,
    VNET,
    Objects,
    common_desired,
    promise,
)


class Manager:
    """What the module does for one set of its options.

    Args:
        params: the module's options.
        flow: the OneFlow endpoint.
        objects: the XML-RPC endpoint.
        warn: takes a warning for the user.
        clock, sleep: of the waits; given by tests.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        flow: OneFlow,
        objects: Objects,
        warn: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.params = params
        self.flow = flow
        self.objects = objects
        self.warn = warn
        self.watch = Watch(flow, objects.client, params["wait_timeout"], clock=clock, sleep=sleep)
        self.version = Version(objects.client)
        self.waits = bool(params["wait"])
        self.found: Document | None = None
        self.check_mode = False
        self.roles: Roles
        self.undeploy = Undeploy(flow, self.watch, warn, wait=self.waits, recover=bool(params.get("recover")))

    @classmethod
    def from_params(cls, params: Mapping[str, Any], warn: Callable[[str], None]) -> Manager:
        """Make a manager of the module's options; raises InvalidInput for unusable endpoints."""
        return cls(params, OneFlow.from_params(params), Objects(Client.from_params(params)), warn)

    @property
    def label(self) -> str:
        """The service for messages, with its endpoint."""
        if self.found is not None:
            return self.watch.label(self.found)
        name = self.params.get("name")
        return f"service {repr(name) if name is not None else self.params['id']} at {self.flow.endpoint}"

    @property
    def wanted_state(self) -> ServiceState:
        """The state that a service is to come to."""
        return ServiceState.HOLD if self.params.get("hold") else ServiceState.RUNNING

    def ensure(self, *, check_mode: bool) -> dict[str, Any]:
        """Bring the service to its state and return the module's result; raises OpenNebulaError."""
        self.check_mode = check_mode
        with about(SERVICE.noun, self.params) as subject:
            self.found = self.flow.managed(SERVICE, self.params)
            if self.found is not None:
                subject.name, subject.id = self.found.name, self.found.id
            if self.params["state"] == "absent":
                return self._ensure_absent(check_mode)
            return self._ensure_present(check_mode)

    # absent

    def _ensure_absent(self, check_mode: bool) -> dict[str, Any]:
        if self.found is not None and state_of(self.found.body) in GOING_DOWN:
            # A second DELETE would drop the document at once and leave the VMs running.
            if self.waits and not check_mode:
                self.found = self.undeploy.until_gone(self.found, may_return=True)
            else:
                self.found = None
        outcome = ensure(
            Resource(
                self.label,
                self._current(),
                None,
                delete=lambda _current: self.undeploy.run(cast(Document, self.found)),
                read=self._read if self.waits else lambda _number: None,
            ),
            check_mode=check_mode,
        )
        result = outcome.result("service")
        result["lingering_vms"] = self.undeploy.facts()
        return result

    # present

    def _ensure_present(self, check_mode: bool) -> dict[str, Any]:
        params = self.params
        self._settle(check_mode)
        if self.found is None and params.get("id") is not None:
            raise NotFound(
                f"{self.label} does not exist; a new one gets its id from OneFlow, so give its name alone.",
                details={"id": params["id"]},
            )
        wanted: dict[str, Any] = dict(common_desired(params))
        merged: dict[str, Any] = {}
        template: Document | None = None
        if self.found is None:
            try:
                template = service_template(params, self.flow, self.label)
            except NotFound as error:
                if not check_mode or error.details.get("option") != "template":
                    raise
                self.warn(promise(f"template names the service template {params['template']!r}", self.flow.endpoint))
                return self._predict_all(wanted)
            merged = self._plan(template)
            if self.waits:
                wanted["state"] = self.wanted_state.name
        else:
            self.roles = Roles(self.found.body, params.get("roles") or [], self._vm_template, self.label)
            self.roles.check(self.objects, self.warn, living=True)
            self._warn_of_drift(self.found)
            if self._state_counts(self.found):
                wanted["state"] = self.wanted_state.name
        wanted.update(self.roles.wanted())
        outcome = ensure(
            Resource(
                self.label,
                self._current(),
                wanted,
                create=lambda: self._create(template, merged),
                update=lambda _current, changes: self._update(changes),
                read=self._read,
                verify=None if self.waits else frozenset(wanted.keys() - {"state", "roles"}),
            ),
            check_mode=check_mode,
        )
        return outcome.result("service", lambda state: self._facts(state, predicted=check_mode))

    def _predict_all(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Return what check mode can say about a service whose template is still to be made."""
        roles = {
            role["name"]: {"cardinality": role["cardinality"]}
            for role in self.params.get("roles") or []
            if role.get("cardinality") is not None
        }
        whole = {**wanted, "state": self.wanted_state.name, "roles": roles}
        outcome = ensure(Resource(self.label, None, whole), check_mode=True)
        return outcome.result("service", lambda state: self._facts(state, predicted=True))

    def _state_counts(self, found: Document) -> bool:
        """Tell whether the state of a service that is there is one to be changed, or the wanted one."""
        state = state_of(found.body)
        return failed_on_the_way_up(found.body) or state is ServiceState.HOLD or state is self.wanted_state

    def _settle(self, check_mode: bool) -> None:
        """Come to a state from which one can go on, or say why not; an interrupted run is continued by waiting."""
        found = self.found
        if found is None:
            return
        state = state_of(found.body)
        may_wait = self.waits and not check_mode
        if state in GOING_DOWN:
            if not self.waits:
                raise Refused(
                    f"{self.label} is {service_state_name(found.body.get('state'))}; a new one can be made when it is "
                    "gone. Set wait to true, or run again later.",
                    code="busy",
                    details={"state": service_state_name(found.body.get("state"))},
                )
            self.found = self.undeploy.until_gone(found, may_return=True) if may_wait else None
        elif failed_on_the_way_up(found.body):
            if not self.params.get("recover"):
                raise self.watch.failed(found, "has failed", RETRY_OR_REMOVE)
        elif state in COMING_UP:
            if may_wait:
                self.found = self.watch.until_up(found, self.wanted_state)
        elif state in FAILED_DOWN:
            raise self.watch.failed(found, "failed while it, or a role of it, was removed", REMOVE_AND_REPEAT)
        elif state is ServiceState.WARNING:
            raise self.watch.failed(found, "has VMs that do not run", MEND_VMS, code="service_warning")
        elif state is ServiceState.HOLD and self.params.get("hold") is None:
            raise Refused(
                f"{self.label} is in HOLD; hold: false releases it, hold: true leaves it so.",
                code="service_on_hold",
                details={"state": "HOLD"},
            )
        elif state is ServiceState.RUNNING and self.params.get("hold"):
            self.warn(
                f"{self.label} is RUNNING and cannot be put on hold any more; hold only counts for a new service."
            )
        elif state is None:
            raise Refused(
                f"{self.label} is in state {found.body.get('state')!r}, which this release does not know.",
                details={"state": found.body.get("state")},
            )

    def _plan(self, template: Document) -> dict[str, Any]:
        """Return what is merged into the service template; raises for all that would fail, or hang, later."""
        where = label_of(template, self.flow)
        self.roles = Roles(template.body, self.params.get("roles") or [], self._vm_template, where)
        merged = merge_template(self.params, template, self.roles, self._network_id, self.objects, where)
        self.roles.check(self.objects, self.warn, living=False)
        if self.roles.changes_them and not self.waits:
            raise InvalidInput(
                f"{self.label} is new, and roles come to it or go only when it is RUNNING. Set wait to true.",
                details={"option": "wait"},
            )
        return merged

    def _vm_template(self, name: str) -> int | str:
        return self.objects.promised(VM_TEMPLATE, name, "roles.template", self.warn if self.check_mode else None)

    def _network_id(self, reference: str, option: str) -> int | str:
        return self.objects.promised(VNET, reference, option, self.warn if self.check_mode else None)

    def _warn_of_drift(self, found: Document) -> None:
        try:
            sentences = drift(found.body, self.params, self._network_id) + self.roles.drift()
        except NotFound as error:
            sentences = [error.message.rstrip(".")]
        if sentences:
            self.warn(
                f"{self.label} differs from what is asked in what OneFlow cannot change on a living service: "
                f"{'; '.join(sentences)}. Remove the service and run again to change that."
            )

    def _create(self, template: Document | None, merge_template: Mapping[str, Any]) -> int:
        try:
            made = self.flow.instantiate(cast(Document, template).id, self.version.merge(merge_template))
        except (Refused, NotAuthorized, NotFound) as error:
            raise self._not_instantiated(error) from None
        self.found = made
        if self.waits:
            self.watch.until_up(made, self.wanted_state)
        return made.id

    def _not_instantiated(self, error: OpenNebulaError) -> OpenNebulaError:
        """Name the dead document that an instantiation leaves whose networks could not be made."""
        dead = (ServiceState.PENDING, ServiceState.FAILED_DEPLOYING)
        left = [
            (one.id, state.name)
            for one in self.flow.all(SERVICE)
            if one.name == self.params["name"] and (state := state_of(one.body)) in dead and state is not None
        ]
        advice = "".join(f" OneFlow left service {one} in {state} behind; remove it by its id." for one, state in left)
        details = {**error.details, "left": [one for one, _state in left]}
        return type(error)(f"{error.message}.{advice}", code=error.code, details=details)

    def _update(self, changes: Mapping[str, Any]) -> None:
        found = cast(Document, self.found)
        if "state" in changes:
            self._bring_up(found)
        if "roles" in changes:
            change_roles(found, changes["roles"], self.roles, self.flow, self.watch, self.version, self.waits)
        self.flow.apply_common(SERVICE, found, changes, self.objects)

    def _bring_up(self, found: Document) -> None:
        self.watch.act(found, "release" if state_of(found.body) is ServiceState.HOLD else "recover")
        if self.waits:
            self.watch.until_up(found, self.wanted_state)

    # state and facts

    def _current(self) -> dict[str, Any] | None:
        if self.found is None:
            return None
        body = self.found.body
        return {
            **common_state(self.found, self.params),
            "state": service_state_name(body.get("state")),
            "roles": {
                str(role.get("name")): {"cardinality": int(role.get("cardinality") or 0)}
                for role in as_list(body.get("roles"))
            },
        }

    def _read(self, number: int) -> dict[str, Any] | None:
        self.found = self.flow.get(SERVICE, number)
        return self._current()

    def _facts(self, state: Mapping[str, Any], *, predicted: bool) -> dict[str, Any]:
        if self.found is None:
            roles = [{"name": name, **role} for name, role in (state.get("roles") or {}).items()]
            return {**{key: state[key] for key in ("name", "mode", "state") if key in state}, "roles": roles}
        result = facts(self.found, service_vms(self.objects.client, node_ids(self.found.body)))
        if predicted:
            result.update(name=state["name"], mode=state["mode"], state=state["state"])
            known = {role["name"]: role for role in result["roles"]}
            fresh: dict[str, Any] = {"state": None, "vms": []}
            result["roles"] = [
                {"name": name, **fresh, **known.get(name, {}), **role} for name, role in state["roles"].items()
            ]
        return result
