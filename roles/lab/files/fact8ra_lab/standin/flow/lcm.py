# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What is asked of services: start, scale, recover, delete. Source: LifeCycleManager.rb of OpenNebula 7.4."""

from __future__ import annotations

import logging

from ..access import MANAGE, Caller
from ..errors import CallError, OneError
from ..model import Document
from . import deploy
from .deploy import RoleFailed
from .errors import FlowError, RubyError, of_call
from .schema import Body
from .service import TRANSIENT, Role, Service
from .waits import Waits

_LOG = logging.getLogger(__name__)
TEMPLATE = 101


class Lcm(Waits):
    """Moves services through their states."""

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
