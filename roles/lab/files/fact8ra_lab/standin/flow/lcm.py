# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The life cycle of services. Source: LifeCycleManager.rb and ServiceWatchDog.rb of OpenNebula 7.4.

What upstream waits for in threads is a table of waits here; ``tick`` looks at them whenever something changed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..access import MANAGE, Caller
from ..clock import Clock
from ..cloud import Cloud
from ..errors import CallError, OneError
from ..model import VM, Document, User, VNet
from ..rpc import Rpc
from ..vmlife import DONE
from . import deploy
from .deploy import RoleFailed
from .errors import FlowError, RubyError, of_call
from .schema import Body
from .service import TRANSIENT, Role, Service

_LOG = logging.getLogger(__name__)
SERVICE, TEMPLATE = 100, 101


@dataclass
class Wait:
    """One thing that a service waits for; ``role`` is "" for its networks."""

    kind: str
    service_id: int
    role: str
    caller: Caller
    vm_ids: list[int]
    until: float = 0.0


class Lcm:
    """Moves services through their states."""

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

    # ------------------------------------------------------------------------------------------------------ requests

    def get(self, caller: Caller, service_id: int) -> Service:
        """The service, if the caller may use it. Raises FlowError."""
        try:
            self.rpc.read(caller, "one.document.info", Document, service_id)
        except CallError as error:
            raise of_call(error) from error
        service = self._load(service_id)
        if service is None:
            raise FlowError(500, f"[DocumentInfo] Error getting document [{service_id}].")
        return service

    def _writable(self, caller: Caller, service: Service) -> None:
        """Raises FlowError where the caller may not change the document, as its update would."""
        try:
            self.cloud.allowed(caller, Document, service.id, MANAGE)
        except OneError as error:
            raise of_call(CallError("one.document.update", error)) from error

    def start(self, caller: Caller, service: Service) -> None:
        """Makes the networks of a new service and waits for them. Raises FlowError, RubyError."""
        try:
            for entry in service.body.get("networks_values") or []:
                for name, net in entry.items():
                    if "id" not in net:
                        net["id"] = self._make_network(caller, service, name, net)
        except CallError as error:
            service.state = "FAILED_DEPLOYING"
            service.save()
            raise of_call(error) from error
        service.state = "DEPLOYING_NETS"
        if any(net.get("id") is False for net in service.networks()):
            raise RubyError("undefined method `to_i' for false")
        self._wait("nets", service, "", caller, service.network_ids())
        service.save()

    def _make_network(self, caller: Caller, service: Service, name: str, net: Body) -> int | bool | None:
        own = f"{name}-{service.id}"
        if "template_id" in net:
            number: int = self.rpc.call(
                caller, "one.vntemplate.instantiate", int(net["template_id"]), own, net.get("extra") or ""
            )
            return number
        if "reserve_from" in net:
            if not net.get("extra"):
                return False
            net["extra"] = f'{net["extra"]}\nNAME="{own}"\n'
            reserved: int = self.rpc.call(caller, "one.vn.reserve", int(net["reserve_from"]), net["extra"])
            return reserved
        return None

    def undeploy(self, caller: Caller, service_id: int, force: bool = False) -> None:
        """Deletes a service, in its states. Raises FlowError."""
        service = self.get(caller, service_id)
        if not service.can_undeploy and not force:
            raise FlowError(500, f"Service cannot be undeployed in state: {service.state}")
        self._writable(caller, service)
        self._watched.discard(service_id)
        roles = service.to_shutdown()
        if not roles:
            self._forget(service)
            return
        error = self._undeploy_roles(service, roles, caller, "UNDEPLOYING", "undeploy")
        service.state = "FAILED_UNDEPLOYING" if error else "UNDEPLOYING"
        service.save()
        if error:
            raise FlowError(500, error)
        if not any(wait.vm_ids for wait in self._waits.values() if wait.service_id == service_id):
            self.tick()  # roles without VMs are done at once

    def scale(self, caller: Caller, service_id: int, text_id: str, name: str, cardinality: int, force: object) -> None:
        """Scales a role. Raises FlowError."""
        service = self.get(caller, service_id)
        if service.state != "RUNNING":
            raise FlowError(500, f"Service cannot be scaled in state: {service.state}")
        role = service.roles.get(name)
        if role is None:
            raise FlowError(500, f"Role {name} not found")
        difference = cardinality - role.cardinality
        if force is not True:
            low, high = role.body.get("min_vms"), role.body.get("max_vms")
            if cardinality < int(low or 0):
                raise FlowError(500, f"Can't scale service {text_id}: Minimum cardinality is {low or ''}")
            if high is not None and cardinality > int(high):
                raise FlowError(500, f"Can't scale service {text_id}: Maximum cardinality is {high}")
        if difference == 0:
            raise FlowError(500, f"Cardinality of {name} is already at {cardinality}")
        self._writable(caller, service)
        self._watched.discard(service_id)
        role.set_cardinality(cardinality)
        role.body["scale_way"] = 0 if difference > 0 else 1
        if difference > 0:
            error = self._deploy_roles(service, {name: role}, self._owner(service.document), "SCALING", "scaleup")
        else:
            error = self._undeploy_roles(service, {name: role}, caller, "SCALING", "scaledown")
        service.state = "FAILED_SCALING" if error else "SCALING"
        service.save()
        if error:
            raise FlowError(500, error)

    def recover(self, caller: Caller, service_id: int, delete: bool) -> None:
        """Recovers or deletes a service. Raises FlowError."""
        service = self.get(caller, service_id)
        self._cancel(service_id)
        if delete:
            self.undeploy(caller, service_id, force=True)
            return
        state = service.state
        if state in ("FAILED_DEPLOYING", "DEPLOYING", "PENDING"):
            for role in service.roles.values():
                deployable = role.state in ("FAILED_DEPLOYING", "DEPLOYING") or (
                    role.state == "PENDING"
                    and all(
                        service.roles[parent].state == "RUNNING" for parent in role.parents if parent in service.roles
                    )
                )
                if deployable:
                    self._retry(service, role, caller, "deploy")
        elif state in ("FAILED_UNDEPLOYING", "UNDEPLOYING", "FAILED_UNDEPLOYING_NETS"):
            for role in service.roles.values():
                children = (item for item in service.roles.values() if role.name in item.parents)
                passing = role.state in ("FAILED_UNDEPLOYING", "UNDEPLOYING")
                if passing or all(child.state == "DONE" for child in children):
                    try:
                        ended = deploy.shutdown(self.rpc, caller, role, recover=True)
                    except RoleFailed as error:
                        raise FlowError(500, str(error)) from error
                    self._wait("undeploy", service, role.name, caller, ended)
        elif state in ("FAILED_SCALING", "SCALING"):
            owner = self._owner(service.document)
            for role in service.roles.values():
                if role.state not in ("FAILED_SCALING", "SCALING"):
                    continue
                if role.body.get("scale_way") == 0:
                    self._retry(service, role, owner, "scaleup")
                else:
                    ended = deploy.shutdown(self.rpc, owner, role, recover=True)
                    self._wait("scaledown", service, role.name, caller, ended)
        elif state in ("DEPLOYING_NETS", "FAILED_DEPLOYING_NETS"):
            self._wait("nets", service, "", caller, service.network_ids())
        elif state == "UNDEPLOYING_NETS":
            self._forget(service)
            return
        elif state == "COOLDOWN":
            service.state = "RUNNING"
            for role in service.roles.values():
                role.state = "RUNNING"
            self._watch_from_now(service)
        else:
            raise FlowError(500, f"Service cannot be recovered in state: {state}")
        service.save()

    def _retry(self, service: Service, role: Role, caller: Caller, kind: str) -> None:
        try:
            waiting = deploy.recover_deploy(self.rpc, caller, role)
        except RoleFailed as error:
            _LOG.error("service %s: %s", service.id, error)
            return
        self._wait(kind, service, role.name, caller, waiting)

    def release(self, caller: Caller, service_id: int) -> None:
        """Releases a service that was made on hold. Raises FlowError."""
        service = self.get(caller, service_id)
        roles = service.to_release()
        if not roles:
            raise FlowError(500, "Service has no roles in HOLD")
        error = self._release_roles(service, roles, caller)
        service.state = "FAILED_DEPLOYING" if error else "DEPLOYING"
        service.save()
        if error:
            raise FlowError(500, error)

    def add_role(self, caller: Caller, service_id: int, body: Body) -> None:
        """Adds a role to a running service. Raises FlowError."""
        service = self.get(caller, service_id)
        if service.state != "RUNNING":
            raise FlowError(500, f"Cannot modify roles in state: {service.state}")
        if body["name"] in service.roles:
            raise FlowError(500, f"Role {body['name']} already exists")
        service.body["roles"].append(body)
        service.load_roles()
        service.fill_contents()
        service.save()
        self._watched.discard(service_id)
        role = service.roles[body["name"]]
        error = self._deploy_roles(service, {role.name: role}, caller, "DEPLOYING", "add")
        service.state = "FAILED_DEPLOYING" if error else "DEPLOYING"
        service.save()
        if error:
            raise FlowError(500, error)

    def remove_role(self, caller: Caller, service_id: int, name: str) -> None:
        """Removes a role from a running service. Raises FlowError."""
        service = self.get(caller, service_id)
        if service.state != "RUNNING":
            raise FlowError(500, f"Cannot modify roles in state: {service.state}")
        if name not in service.roles:
            raise FlowError(500, f"Role {name} does not exist")
        self._watched.discard(service_id)
        error = self._undeploy_roles(service, {name: service.roles[name]}, caller, "UNDEPLOYING", "remove")
        service.state = "FAILED_UNDEPLOYING" if error else "UNDEPLOYING"
        service.save()
        if error:
            raise FlowError(500, error)

    def update(self, caller: Caller, service_id: int, new: Body, append: bool) -> None:
        """Replaces or completes the body. Raises FlowError."""
        service = self.get(caller, service_id)
        if service.state in TRANSIENT or service.state.startswith("FAILED_"):
            raise FlowError(500, f"Service cannot be updated in state: {service.state}")
        changed = service.immutable_change(new, append)
        if changed == "name":
            raise FlowError(500, "To change `service/name` use rename operation")
        if changed:
            raise FlowError(500, f"Immutable value: `{changed}` can not be changed")
        self._writable(caller, service)
        service.body = service.body | new if append else new
        service.load_roles()
        service.save()

    def reconcile(self) -> None:
        """After a restart: services in a passing state go on, running ones are watched."""
        with self.cloud.change():
            for document in list(self.cloud.pool(Document).values()):
                service = self._load(document.id)
                if service is None:
                    continue
                if service.state in TRANSIENT:
                    try:
                        self.recover(self._owner(document), document.id, delete=False)
                    except (FlowError, RubyError) as error:
                        _LOG.error("service %s: %s", document.id, error)
                elif service.state in ("RUNNING", "WARNING"):
                    self._watch_from_now(service)
