# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What services wait for, and what happens then. Source: LifeCycleManager.rb (callbacks), ServiceWatchDog.rb.

What upstream waits for in threads is a table of waits here; ``tick`` looks at them whenever something changed.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..access import Caller
from ..clock import Clock
from ..cloud import Cloud
from ..errors import CallError
from ..model import VM, Document, User, VNet
from ..rpc import Rpc
from ..vmstates import DONE
from . import deploy
from .deploy import RoleFailed
from .errors import RubyError
from .service import Role, Service

_LOG = logging.getLogger(__name__)
SERVICE = 100


@dataclass
class Wait:
    """One thing that a service waits for; ``role`` is "" for its networks."""

    kind: str
    service_id: int
    role: str
    caller: Caller
    vm_ids: list[int]
    until: float = 0.0


class Waits(ABC):
    """Waits of services, their outcomes, and the watch over running services."""

    def __init__(self, cloud: Cloud, rpc: Rpc, clock: Clock) -> None:
        self.cloud = cloud
        self.rpc = rpc
        self.clock = clock
        self._waits: dict[tuple[int, str], Wait] = {}
        self._watched: set[int] = set()

    # ------------------------------------------------------------------------------------------------------- looks

    def wake(self) -> None:
        """Has the services looked at soon."""
        self.clock.once("flow", self.cloud.timers.poll, self.tick)

    def tick(self) -> None:
        """Looks at every wait and at every running service."""
        with self.cloud.change():
            for wait in list(self._waits.values()):
                if self._waits.get((wait.service_id, wait.role)) is wait:
                    self._guarded(wait.service_id, lambda current=wait: self._look(current))  # type: ignore[misc]
            for service_id in list(self._watched):
                self._guarded(service_id, lambda number=service_id: self._watch(number))  # type: ignore[misc]

    def _guarded(self, service_id: int, step: Callable[[], None]) -> None:
        """A step that fails as an upstream thread dies: its work is lost, the service stays as it is."""
        try:
            step()
        except RubyError as error:
            _LOG.error("service %s: %s", service_id, error)

    def _load(self, service_id: int) -> Service | None:
        document = self.cloud.pool(Document).get(service_id)
        if document is None or document.type != SERVICE:
            return None
        return Service(self.cloud, document)

    def _wait(
        self, kind: str, service: Service, role: str, caller: Caller, vm_ids: Iterable[int], seconds: float = 0.0
    ) -> None:
        wait = Wait(kind, service.id, role, caller, list(vm_ids), time.monotonic() + seconds)
        self._waits[service.id, role] = wait
        self.wake()
        if seconds:
            self.clock.after(seconds, self.tick)

    def _cancel(self, service_id: int) -> None:
        for key in [key for key in self._waits if key[0] == service_id]:
            del self._waits[key]

    def _look(self, wait: Wait) -> None:
        service = self._load(wait.service_id)
        if service is None:
            self._cancel(wait.service_id)
            return
        if wait.kind == "nets":
            self._look_nets(service, wait)
            return
        role = service.roles.get(wait.role)
        if role is None:
            self._cancel_one(wait)
            return
        if wait.kind == "cooldown":
            if time.monotonic() >= wait.until:
                self._cancel_one(wait)
                self._cooled(service, role)
            return
        target = {"undeploy": "done", "scaledown": "done", "remove": "done", "hold": "hold"}.get(wait.kind, "running")
        vms = [self.cloud.pool(VM).get(number) for number in wait.vm_ids]
        reached, failed = deploy.look(vms, target, service.gated)
        if failed and wait.kind != "hold":
            self._cancel(service.id)
            self._failed(wait, service, role, reached)
        elif all(number in reached or number not in self.cloud.pool(VM) for number in wait.vm_ids):
            self._cancel_one(wait)
            self._reached(wait, service, role, reached)

    def _cancel_one(self, wait: Wait) -> None:
        if self._waits.get((wait.service_id, wait.role)) is wait:
            del self._waits[wait.service_id, wait.role]

    def _look_nets(self, service: Service, wait: Wait) -> None:
        nets = [self.cloud.pool(VNet).get(number) for number in wait.vm_ids]
        if any(net is not None and net.state == 5 for net in nets):
            self._cancel(service.id)
            service.state = "FAILED_DEPLOYING_NETS"
            service.save()
        elif all(net is None or net.state in (1, 6) for net in nets):
            self._cancel_one(wait)
            self._deploy(service, wait.caller)

    # ----------------------------------------------------------------------------------------------------- outcomes

    def _reached(self, wait: Wait, service: Service, role: Role, vm_ids: set[int]) -> None:
        if wait.kind in ("deploy", "release"):
            self._deployed(wait, service, role)
        elif wait.kind == "undeploy":
            self._undeployed(wait, service, role, vm_ids)
        elif wait.kind in ("scaleup", "scaledown"):
            if wait.kind == "scaledown":
                role.drop_nodes(vm_ids)
            service.state = "COOLDOWN"
            role.state = "COOLDOWN"
            role.body.pop("scale_way", None)
            seconds = float(role.body.get("cooldown") or 0) * self.cloud.timers.cooldown_scale
            service.save()
            self._wait("cooldown", service, role.name, wait.caller, [], seconds)
        elif wait.kind == "add":
            role.state = "RUNNING"
            service.state = "RUNNING"
            service.save()
            self._watch_from_now(service)
        elif wait.kind == "remove":
            self._removed(service, role)
        elif wait.kind == "hold":
            self._held(wait, service, role)

    def _failed(self, wait: Wait, service: Service, role: Role, reached: set[int]) -> None:
        if wait.kind in ("undeploy", "scaledown", "remove"):
            role.drop_nodes(reached)
        state = {
            "undeploy": "FAILED_UNDEPLOYING",
            "remove": "FAILED_UNDEPLOYING",
            "scaleup": "FAILED_SCALING",
            "scaledown": "FAILED_SCALING",
        }.get(wait.kind, "FAILED_DEPLOYING")
        service.state = state
        role.state = state
        service.save()

    def _deployed(self, wait: Wait, service: Service, role: Role) -> None:
        role.state = "RUNNING"
        if service.all_roles("RUNNING"):
            service.state = "RUNNING"
            service.save()
            self._watch_from_now(service)
            return
        if service.straight:
            if wait.kind == "release":
                self._release_roles(service, service.to_release(), wait.caller)
            else:
                self._deploy_roles(service, service.to_deploy(), wait.caller, "DEPLOYING", "deploy")
        service.save()

    def _undeployed(self, wait: Wait, service: Service, role: Role, vm_ids: set[int]) -> None:
        role.state = "DONE"
        role.drop_nodes(vm_ids)
        if service.all_roles("DONE"):
            self._delete_networks(service)
            self._forget(service)
            return
        if service.straight:
            self._undeploy_roles(service, service.to_shutdown(), wait.caller, "UNDEPLOYING", "undeploy")
        service.save()

    def _removed(self, service: Service, role: Role) -> None:
        service.body["roles"] = [item for item in service.body["roles"] if item["name"] != role.name]
        service.load_roles()
        if service.all_roles("DONE"):
            self._delete_networks(service)
            self._forget(service)
            return
        service.state = "RUNNING"
        service.save()
        self._watch_from_now(service)

    def _held(self, wait: Wait, service: Service, role: Role) -> None:
        role.state = "HOLD"
        if service.all_roles("HOLD"):
            if service.state != "HOLD":
                service.state = "HOLD"
        elif service.straight:
            self._deploy_roles(service, service.to_hold(), wait.caller, "DEPLOYING", "deploy")
        service.save()

    def _cooled(self, service: Service, role: Role) -> None:
        service.state = "RUNNING"
        role.state = "RUNNING"
        service.save()
        self._watch_from_now(service)
        self._delete_if_empty(service)

    def _forget(self, service: Service) -> None:
        self._cancel(service.id)
        self._watched.discard(service.id)
        self.cloud.remove(service.document)

    def _delete_networks(self, service: Service) -> None:
        for net in service.networks():
            if "template_id" in net or "reserve_from" in net:
                try:
                    self.rpc.call(self.cloud.oneadmin, "one.vn.delete", int(net.get("id") or -1))
                except CallError as error:
                    _LOG.info("service %s: network %s not deleted: %s", service.id, net.get("id"), error.text)

    # ----------------------------------------------------------------------------------------------------- watchdog

    def _watch_from_now(self, service: Service) -> None:
        self._watched.add(service.id)
        self.wake()

    def _watch(self, service_id: int) -> None:
        service = self._load(service_id)
        if service is None or service.state not in ("RUNNING", "WARNING"):
            self._watched.discard(service_id)
            return
        changed = False
        for role in service.roles.values():
            vms = {number: self.cloud.pool(VM).get(number) for number in role.vm_ids}
            for number, vm in vms.items():
                if vm is None or vm.state == DONE:
                    role.set_cardinality(max(role.cardinality - 1, 0))
                    role.drop_nodes({number})
                    changed = True
            left = [vm for vm in vms.values() if vm is not None and vm.state != DONE]
            wanted = "WARNING" if any(deploy.is_warning(vm) for vm in left) else "RUNNING"
            if role.state != wanted:
                role.state = wanted
                changed = True
        state = "RUNNING" if service.all_roles("RUNNING") else "WARNING"
        if service.state != state:
            service.state = state
            changed = True
        if changed:
            service.save()
            self._delete_if_empty(service)

    def _delete_if_empty(self, service: Service) -> None:
        if service.body.get("automatic_deletion") and not any(role.nodes for role in service.roles.values()):
            self.undeploy(self._owner(service.document), service.id)

    def _owner(self, document: Document) -> Caller:
        user = self.cloud.pool(User).get(document.uid)
        return self.cloud.caller(user) if user else self.cloud.oneadmin

    # ------------------------------------------------------------------------------------------------ role by role

    def _deploy_roles(
        self, service: Service, roles: dict[str, Role], caller: Caller, state: str, kind: str
    ) -> str | None:
        """Deploys roles; returns the error's text or None."""
        for name, role in roles.items():
            parents = [service.roles[parent] for parent in role.parents if parent in service.roles]
            held = service.on_hold or any(parent.body["on_hold"] for parent in parents)
            if role.state == "PENDING" and held:
                role.body["on_hold"] = True
            try:
                made = deploy.deploy(self.rpc, caller, role)
            except RoleFailed as error:
                role.state = f"FAILED_{state}"
                return f"Error deploying role {name}: {error}"
            if role.body["on_hold"] and role.state == "PENDING":
                role.state = "HOLD"
                self._wait("hold", service, name, caller, made)
            else:
                role.state = state
                self._wait(kind, service, name, caller, made)
        return None

    def _undeploy_roles(
        self, service: Service, roles: dict[str, Role], caller: Caller, state: str, kind: str
    ) -> str | None:
        for name, role in roles.items():
            try:
                ended = deploy.shutdown(self.rpc, caller, role, recover=False)
            except RoleFailed as error:
                role.state = f"FAILED_{state}"
                return f"Error undeploying role {name}: {error}"
            role.state = state
            self._wait(kind, service, name, caller, ended)
        return None

    def _release_roles(self, service: Service, roles: dict[str, Role], caller: Caller) -> str | None:
        for name, role in roles.items():
            try:
                released = deploy.release(self.rpc, caller, role)
            except RoleFailed as error:
                role.state = "FAILED_DEPLOYING"
                return f"Error releasing role {name}: {error}"
            role.state = "DEPLOYING"
            self._wait("release", service, name, caller, released)
        return None

    def _deploy(self, service: Service, caller: Caller) -> None:
        service.fill_contents()
        roles = service.to_deploy()
        if not roles:
            if service.all_roles("RUNNING"):
                service.state = "RUNNING"
                service.save()
                self._watch_from_now(service)
            return
        error = self._deploy_roles(service, roles, caller, "DEPLOYING", "deploy")
        if error:
            _LOG.error("service %s: %s", service.id, error)
            service.state = "FAILED_DEPLOYING"
        else:
            service.state = "HOLD" if service.on_hold else "DEPLOYING"
        service.save()

    @abstractmethod
    def undeploy(self, caller: Caller, service_id: int, force: bool = False) -> None:
        """Deletes a service, in its states. Raises FlowError."""
