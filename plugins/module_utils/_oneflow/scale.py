# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the module oneflow_scale does: bring a role to a number of VMs, or without the VMs that were named.

OneFlow itself picks the VMs of a role that shrinks: the first ones of its list, which are the oldest
(``VMRole#shutdown_nodes``). The only way to choose is to terminate VMs in oned; OneFlow's watchdog then takes them off
the list and lowers the cardinality (``ServiceLCM#done_wd_cb``). It looks at RUNNING and WARNING services alone, takes
no heed of ``min_vms``, and deletes a service with ``automatic_deletion`` that has no VM left. 6.8 to 7.4 are alike in
that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import Resource, ensure
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, NotFound, Refused, about
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import SERVICE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.facts import (
    facts,
    failed_on_the_way_up,
    node_ids,
    role_vms,
    service_vms,
    state_of,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.limits import check_cardinality, check_scalable
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import Document, as_list
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.removal import Removal
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.states import (
    COMING_UP,
    ServiceState,
    service_state_name,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.watch import MEND_VMS, Watch
from ansible_collections.fact8ra.flower.plugins.module_utils._vms import Vm
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client

_TRY_AGAIN = "oneflow_service with recover: true tries again"


class Manager:
    """What the module does for one set of its options.

    Args:
        params: the module's options.
        flow: the OneFlow endpoint.
        client: the XML-RPC endpoint.
        warn: takes a warning for the user.
        clock, sleep: of the waits; given by tests.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        flow: OneFlow,
        client: Client,
        warn: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.params = params
        self.flow = flow
        self.client = client
        self.warn = warn
        self.watch = Watch(flow, client, params["wait_timeout"], clock=clock, sleep=sleep)
        self.found: Document
        self._vms: dict[int, Vm] = {}

    @classmethod
    def from_params(cls, params: Mapping[str, Any], warn: Callable[[str], None]) -> Manager:
        """Make a manager of the module's options; raises InvalidInput for unusable endpoints."""
        return cls(params, OneFlow.from_params(params), Client.from_params(params), warn)

    @property
    def label(self) -> str:
        """The role for messages, with its service and the endpoint."""
        return f"role {self.params['role']!r} of {self.watch.label(self.found)}"

    def ensure(self, *, check_mode: bool) -> dict[str, Any]:
        """Bring the role to its cardinality and return the module's result; raises OpenNebulaError."""
        with about(SERVICE.noun, {"name": self.params.get("service"), "id": self.params.get("service_id")}) as subject:
            self.found = self._service()
            subject.name, subject.id = self.found.name, self.found.id
            return self._ensure(check_mode)

    def _ensure(self, check_mode: bool) -> dict[str, Any]:
        params = self.params
        role = self._role()
        if params["wait"] and not check_mode and state_of(self.found.body) in COMING_UP:
            self._check_failed()
            # Somebody else scales it, or an earlier run did not wait.
            self.found = self.watch.until_up(self.found, ServiceState.RUNNING)
            role = self._role()
        self._check_failed()
        self._look()
        before = self._side(role)
        removal = Removal(self.client, self.watch, self.found, role, self._vms, params.get("remove_vms") or [])
        wanted = self._wanted(role, removal)
        outcome = ensure(
            Resource(
                self.label,
                self._state(role, removal),
                wanted,
                update=lambda _current, _changes: self._change(removal),
                read=lambda _number: self._reread(removal),
                verify=None if params["wait"] else frozenset() if removal.given else frozenset({"cardinality"}),
            ),
            check_mode=check_mode,
        )
        after = self._predicted(before, removal, wanted) if check_mode else self._side(self._role())
        return {**outcome.result("service", lambda _state: facts(self.found, self._vms)), **_sides(before, after)}

    # what there is

    def _service(self) -> Document:
        number, name = self.params.get("service_id"), self.params.get("service")
        if number is None:
            return self.flow.referred(SERVICE, cast(str, name), "service")
        found = self.flow.get(SERVICE, number)
        if found is None:
            raise NotFound(
                f"{self.flow.endpoint}: there is no service with id {number} (service_id).",
                details={"option": "service_id", "id": number},
            )
        return found

    def _role(self) -> dict[str, Any]:
        roles = {str(role.get("name")): role for role in as_list(self.found.body.get("roles"))}
        name = self.params["role"]
        if name not in roles:
            raise InvalidInput(
                f"role: {self.watch.label(self.found)} has no role {name!r}; it has "
                f"{', '.join(map(repr, roles)) or 'none'}.",
                details={"option": "role", "role": name, "roles": list(roles)},
            )
        found: dict[str, Any] = roles[name]
        return found

    def _look(self) -> None:
        self._vms.update(service_vms(self.client, node_ids(self.found.body)))

    def _state(self, role: Mapping[str, Any], removal: Removal) -> dict[str, Any]:
        state: dict[str, Any] = {"id": self.found.id, "cardinality": int(role.get("cardinality") or 0)}
        if removal.given:
            state["vms"] = removal.named(role)
        return state

    def _reread(self, removal: Removal) -> dict[str, Any]:
        found = self.flow.get(SERVICE, self.found.id)
        if found is None:
            raise Refused(f"{self.watch.label(self.found)} went away while it was scaled.", code="gone")
        self.found = found
        self._look()
        return self._state(self._role(), removal)

    # what is wanted

    def _wanted(self, role: Mapping[str, Any], removal: Removal) -> dict[str, Any]:
        """Return the wanted state; raises for what OneFlow would refuse, or undo."""
        have = int(role.get("cardinality") or 0)
        given = self.params.get("cardinality")
        target = have - len(removal.ids) if removal.given else cast(int, given)
        if removal.given and given is not None and given != target:
            raise InvalidInput(
                f"cardinality is {given}, but {self.label} has {have} VMs and remove_vms takes {len(removal.ids)} of "
                f"them, which leaves {target}. Give cardinality: {target}, or leave it out.",
                details={"option": "cardinality", "cardinality": given, "would_be": target},
            )
        wanted: dict[str, Any] = {"cardinality": target}
        if removal.given:
            wanted["vms"] = dict.fromkeys(map(str, removal.ids))
        if target != have:
            self._check(role, target, removal)
        return wanted

    def _check(self, role: Mapping[str, Any], target: int, removal: Removal) -> None:
        if target < 0:
            raise InvalidInput(f"cardinality is {target}; give 0 or more.", details={"option": "cardinality"})
        if not self.params["force"]:
            check_cardinality(role, target, self.watch.label(self.found), "; force: true goes beyond that")
        elif target < int(role.get("min_vms") or 0):
            # ServiceAutoScaler, at its next interval
            self.warn(f"{self.label} goes below its min_vms; OneFlow scales it up again by itself.")
        check_scalable(self.found.body, role, target, self.watch.label(self.found))
        self._check_state(removal)

    def _check_state(self, removal: Removal) -> None:
        state = state_of(self.found.body)
        if state is ServiceState.RUNNING or (state is ServiceState.WARNING and removal.given):
            return
        name = service_state_name(self.found.body.get("state"))
        if state in COMING_UP and self.params["wait"]:
            return  # check mode; a run has waited
        advice = "Set wait to true." if state in COMING_UP else "Only a service that is RUNNING can be scaled."
        raise Refused(
            f"{self.label} cannot be scaled now, since the service is {name}. {advice}",
            code="busy" if state in COMING_UP else "refused",
            details={"state": name},
        )

    def _check_failed(self) -> None:
        if failed_on_the_way_up(self.found.body):
            raise self.watch.failed(self.found, "has failed", _TRY_AGAIN)
        if state_of(self.found.body) is ServiceState.WARNING and not self.params.get("remove_vms"):
            raise self.watch.failed(self.found, "has VMs that do not run", MEND_VMS, code="service_warning")

    def _change(self, removal: Removal) -> None:
        if removal.given:
            removal.run(wait=self.params["wait"])
            return
        self.flow.scale(self.found.id, self.params["role"], self.params["cardinality"], force=self.params["force"])
        if self.params["wait"]:
            self.watch.until_up(self.found, ServiceState.RUNNING)

    # what is returned

    def _side(self, role: Mapping[str, Any]) -> dict[str, Any]:
        return {"cardinality": int(role.get("cardinality") or 0), "vms": role_vms(role, self._vms)}

    def _predicted(self, before: Mapping[str, Any], removal: Removal, wanted: Mapping[str, Any]) -> dict[str, Any]:
        if removal.given:
            vms = [vm for vm in before["vms"] if vm["id"] not in removal.ids]
        else:
            vms = before["vms"][max(len(before["vms"]) - wanted["cardinality"], 0) :]
        return {"cardinality": wanted["cardinality"], "vms": vms}


def _sides(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    old, new = ({vm["id"]: vm for vm in side["vms"]} for side in (before, after))
    return {
        "before": before,
        "after": after,
        "added": [vm for number, vm in new.items() if number not in old],
        "removed": [vm for number, vm in old.items() if number not in new],
    }
