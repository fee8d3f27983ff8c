# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Waiting for services, and saying why they do not come.

A state says little: the reason of a failure is in the log of the service's body and in the VMs, some hangs have no
reason anywhere but known causes. So every error here carries the last log lines and the VMs that do not run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import OpenNebulaError, Refused, ResourceTimeout
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.causes import nets_causes, unmade_networks
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import SERVICE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.facts import (
    failed_on_the_way_up,
    failed_roles,
    log_of,
    node_ids,
    service_vms,
    state_of,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import Document
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.placing import Placing
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.states import (
    FAILED_DOWN,
    GOING_DOWN,
    ServiceState,
    service_state_name,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.values import networks_of
from ansible_collections.fact8ra.flower.plugins.module_utils._vms import Vm, vms_of
from ansible_collections.fact8ra.flower.plugins.module_utils._waiting import wait_for
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client

NETS_STUCK = 120.0
"""Seconds in DEPLOYING_NETS, with no network to make, after which nothing comes; a slow step of OneFlow takes 30."""
ACTION_GRACE = 10.0
"""Seconds for which the old state may still be read after a recover or release; it was some 100 ms."""

RETRY_OR_REMOVE = "recover: true tries again, state: absent removes it"
REMOVE_AND_REPEAT = "remove it with state: absent, and run again; a recover would go on removing all of it"
MEND_VMS = "bring them back, or remove them"
MAKE_ROOM = (
    "give the hosts what the message names, as by freeing a card, and run again; it goes on from here. Or remove the "
    "service (state: absent; a site's by teardown.yml with --limit SITE:superlink) and ask for less, such as "
    "site_supernode_gpus: 0; what its VMs ask for stays until then"
)

PLACING = frozenset({ServiceState.DEPLOYING, ServiceState.SCALING})
"""States in which VMs wait for hosts."""
LEAVING = frozenset({"SHUTDOWN", "EPILOG", "CANCEL", "CLEANUP_DELETE"})
"""What a VM does on its way to DONE."""
_CORRECT = "remove the service with state: absent and correct its template"
_NETS_UNKNOWN = (
    "nothing is found wrong with its parents, VM templates and networks; the log of the OneFlow server may tell more"
)
_COOLDOWN = (
    "The time of SCALING and of the COOLDOWN after each scaled role is part of wait_timeout; the cooldown is an option "
    "of the role in the service template, OneFlow's default is 300 s."
)
_REASONS = {
    ServiceState.PENDING: (
        "Nothing was started; an instantiation that failed leaves such a service behind. Remove it with state: absent."
    ),
    ServiceState.SCALING: _COOLDOWN,
    ServiceState.COOLDOWN: _COOLDOWN,
    ServiceState.UNDEPLOYING: "A VM that cannot be shut down leaves the service so; it is not deleted a second time.",
}


class Watch:
    """Looks at services of one endpoint until they come to a state; all waits together have one timeout.

    Args:
        flow: the OneFlow endpoint.
        client: the XML-RPC endpoint, for the VMs.
        timeout: seconds for all waits, from now.
        clock, sleep: given by tests.
    """

    def __init__(
        self,
        flow: OneFlow,
        client: Client,
        timeout: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.flow = flow
        self.client = client
        self.timeout = timeout
        self.clock = clock
        self.sleep = sleep
        self._deadline = clock() + timeout
        self._acted: tuple[Any, float] | None = None
        self._nets_since: float | None = None
        self._placing = Placing(client, clock)

    def label(self, found: Document) -> str:
        """Return a service for messages, with its endpoint."""
        return f"service {found.name!r} (id {found.id}) at {self.flow.endpoint}"

    def act(self, found: Document, perform: str, **params: Any) -> None:
        """Perform an action that takes the service out of its state; that may be seen a little later only."""
        self.flow.act(SERVICE, found.id, perform, params)
        self._acted = (found.body.get("log"), self.clock() + ACTION_GRACE)

    def until_up(
        self, found: Document, wanted: ServiceState, *, passing: frozenset[ServiceState] = frozenset()
    ) -> Document:
        """Wait until a service is RUNNING, or in another wanted state, and return it.

        Args:
            passing: states on the way that otherwise mean that it goes.

        Raises:
            Refused: the service failed, lost VMs, is on hold, was removed or hangs.
            ResourceTimeout: it took too long; the message says what for.
        """
        last = found

        def look() -> Document:
            nonlocal last
            seen = self.flow.get(SERVICE, found.id)
            if seen is None:
                raise Refused(
                    f"{self.label(found)} went away while it was waited for; somebody else removed it.",
                    code="gone",
                    details={"id": found.id},
                )
            last = seen
            return seen

        try:
            return wait_for(
                look,
                lambda seen: state_of(seen.body) in (ServiceState.RUNNING, wanted),
                what=f"{self.label(found)} to become {wanted.name}",
                timeout=self.left(),
                state=lambda seen: service_state_name(seen.body.get("state")),
                check=lambda seen: None if state_of(seen.body) in passing else self._check_coming_up(seen),
                clock=self.clock,
                sleep=self.sleep,
            )
        except ResourceTimeout as error:
            raise self._timeout(error, last, wanted.name) from None

    def _check_coming_up(self, seen: Document) -> None:
        state = state_of(seen.body)
        if self._just_acted(seen):
            return
        if state in FAILED_DOWN:
            raise self.failed(seen, "failed while it, or a role of it, was removed", REMOVE_AND_REPEAT)
        if failed_on_the_way_up(seen.body):
            raise self.failed(seen, "has failed", RETRY_OR_REMOVE)
        if state is ServiceState.WARNING:
            raise self.failed(seen, "has VMs that do not run", MEND_VMS, code="service_warning")
        if state in GOING_DOWN:
            raise Refused(
                f"{self.label(seen)} is being removed by somebody else (it is {service_state_name(state)}).",
                code="gone",
                details={"id": seen.id},
            )
        if state is ServiceState.HOLD:
            raise Refused(
                f"{self.label(seen)} is in HOLD; hold: false releases it, hold: true leaves it so.",
                code="service_on_hold",
                details={"id": seen.id},
            )
        self._check_nets(seen, state)
        causes = self._placing.causes(node_ids(seen.body)) if state in PLACING else []
        if causes:
            said = _in_the_schedulers_words(causes)
            raise self.failed(seen, "has VMs that no host takes", MAKE_ROOM, code="vm_unplaced", causes=said)

    def _check_nets(self, seen: Document, state: ServiceState | None) -> None:
        if state is not ServiceState.DEPLOYING_NETS:
            self._nets_since = None
            return
        if self._nets_since is None:
            self._nets_since = self.clock()
        to_make = any("id" not in network for network in networks_of(seen.body).values())
        if not to_make and self.clock() - self._nets_since > NETS_STUCK:
            what = f"hangs: {NETS_STUCK:g} s in DEPLOYING_NETS without a network to make"
            raise self.failed(seen, what, _CORRECT, code="service_stuck")

    def until_gone(self, found: Document, *, recover: bool, may_return: bool = False) -> list[Vm] | Document:
        """Wait until a service that is being removed is gone, and return those of its VMs that are not.

        OneFlow may drop a service while VMs of it run on; nobody would look for them there again.

        Args:
            recover: remove what is left when the removal fails.
            may_return: whether the service may be back in RUNNING, because only a role of it was removed by somebody
                else; it is returned then.

        Raises:
            Refused: the removal failed.
            ResourceTimeout: it took too long; the message names the VMs that remain.
        """
        last = found

        def look() -> Document | None:
            nonlocal last
            seen = self.flow.get(SERVICE, found.id)
            last = seen or last
            return seen

        def check(seen: Document | None) -> None:
            if seen is None or state_of(seen.body) not in FAILED_DOWN or self._just_acted(seen):
                return
            if not recover or self._acted is not None:
                raise self.failed(seen, "could not be removed", "recover: true removes what is left")
            self.act(seen, "recover", delete=True)

        try:
            seen = wait_for(
                look,
                lambda seen: seen is None or (may_return and state_of(seen.body) is ServiceState.RUNNING),
                what=f"{self.label(found)} to be gone",
                timeout=self.left(),
                state=lambda seen: "gone" if seen is None else service_state_name(seen.body.get("state")),
                check=check,
                clock=self.clock,
                sleep=self.sleep,
            )
        except ResourceTimeout as error:
            raise self._timeout(error, last, "gone") from None
        if seen is not None:
            return seen
        return self._lingering(found.id, {*node_ids(found.body), *node_ids(last.body)})

    def _lingering(self, service_id: int, ids: set[int]) -> list[Vm]:
        def look() -> list[Vm]:
            what = f"look for VMs left of service {service_id}"
            answer = self.client.call("vmpool.infoextended", -2, -1, -1, -1, "", what=what)
            return [vm for vm in vms_of(answer) if (vm.service_id == service_id or vm.id in ids) and not vm.gone]

        try:
            return wait_for(
                look,
                lambda vms: not any(vm.lcm_state_name in LEAVING for vm in vms),
                what=f"the VMs of service {service_id} to leave",
                timeout=self.left(),
                state=lambda vms: [vm.describe() for vm in vms],
                clock=self.clock,
                sleep=self.sleep,
            )
        except ResourceTimeout:
            return look()

    def failed(
        self, seen: Document, what: str, advice: str, code: str = "service_failed", causes: Sequence[str] = ()
    ) -> Refused:
        """Return the error for a service that will not come: with its state, its VMs that do not run, its log."""
        state = service_state_name(seen.body.get("state"))
        log, vms, causes = log_of(seen.body), self._troubled(seen), [*causes, *self._causes(seen)]
        roles = failed_roles(seen.body)
        parts = [f"{self.label(seen)} {what} (it is {state})", *causes]
        parts += [f"failed roles: {', '.join(roles)}"] if roles else []
        parts += [f"VMs: {', '.join(vms)}"] if vms else []
        parts += [f"its log ends with: {' / '.join(log)}"] if log else []
        details = {"id": seen.id, "state": state, "roles": roles, "log": log, "vms": vms, "causes": causes}
        return Refused(f"{'; '.join(parts)}. To go on: {advice}.", code=code, details=details)

    def _timeout(self, error: ResourceTimeout, seen: Document, wanted: str) -> ResourceTimeout:
        state = state_of(seen.body)
        reason = _REASONS.get(state, "") if state is not None else ""
        causes = self._causes(seen)
        if causes:
            reason = f"Causes: {'; '.join(causes)}. To go on: {_CORRECT}."
        if state is ServiceState.DEPLOYING and seen.body.get("ready_status_gate"):
            reason = "The template has ready_status_gate: each VM has to report READY=YES to OneGate."
        said = self._placing.messages(node_ids(seen.body)) if state in PLACING else []
        if said:
            causes = _in_the_schedulers_words(said)
            reason = f"It has VMs that no host takes; {'; '.join(causes)}. To go on: {MAKE_ROOM}."
        log, vms = log_of(seen.body), self._troubled(seen, every=wanted == "gone")
        parts = [
            f"{self.label(seen)} was not {wanted} after wait_timeout={self.timeout:g} s; "
            f"it is {service_state_name(seen.body.get('state'))}.",
            reason,
            f"VMs: {', '.join(vms)}." if vms else "",
            f"Its log ends with: {' / '.join(log)}." if log else "",
        ]
        return ResourceTimeout(
            " ".join(part for part in parts if part),
            last_state=error.last_state,
            details={"id": seen.id, "log": log, "vms": vms, "causes": causes},
        )

    def _troubled(self, seen: Document, *, every: bool = False) -> list[str]:
        """Return the VMs of a service that do not run (or every one that is there), with what oned wrote about them."""
        ids = node_ids(seen.body)
        try:
            vms = service_vms(self.client, ids)
        except OpenNebulaError:
            return []  # the failure that is reported matters more
        if every:
            return [vm.describe() for vm in vms.values() if not vm.gone]
        gone = [f"id {number} (gone)" for number in ids if number not in vms]
        return [vm.describe() for vm in vms.values() if not vm.running or vm.user_template.get("ERROR")] + gone

    def _causes(self, seen: Document) -> list[str]:
        """Return what keeps a service from its networks, or from what comes after them."""
        state = state_of(seen.body)
        if state is ServiceState.DEPLOYING_NETS:
            return nets_causes(seen.body, self.client) or [_NETS_UNKNOWN]
        if state is ServiceState.FAILED_DEPLOYING_NETS:
            return nets_causes(seen.body, self.client)
        return unmade_networks(seen.body) if state is ServiceState.FAILED_DEPLOYING else []

    def _just_acted(self, seen: Document) -> bool:
        """Tell whether the state may be the one from before an action; a new log line means that it is a new one."""
        if self._acted is None:
            return False
        log, until = self._acted
        return bool(seen.body.get("log") == log and self.clock() < until)

    def left(self) -> float:
        """Return the seconds that remain of the timeout."""
        return max(self._deadline - self.clock(), 0.0)


def _in_the_schedulers_words(causes: Sequence[str]) -> list[str]:
    return [f"the scheduler says: {cause}" for cause in causes]
