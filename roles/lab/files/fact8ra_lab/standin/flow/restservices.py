# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneFlow's routes of services. Source: src/flow/oneflow-server.rb of release-7.4.0."""

from __future__ import annotations

import json
from typing import Final

from ..access import Caller
from ..errors import CallError
from . import schema
from .answers import NO_CONTENT, Answer
from .documents import Documents, permission_bits
from .errors import FlowError, RubyError
from .schema import Body, to_integer
from .service import Service
from .waits import SERVICE

_SCHEDULED: Final = (
    "terminate", "terminate-hard", "undeploy", "undeploy-hard", "hold", "release", "stop", "suspend", "resume",
    "reboot", "reboot-hard", "poweroff", "poweroff-hard", "snapshot-create", "snapshot-revert", "snapshot-delete",
    "disk-snapshot-create", "disk-snapshot-revert", "disk-snapshot-delete",
)  # fmt: skip


class ServiceRoutes(Documents):
    """Answers what is asked of services."""

    def _list_services(self, caller: Caller, body: str) -> Answer:
        return self._list(caller, SERVICE)

    def _get_service(self, caller: Caller, body: str, number: str) -> Answer:
        return self.show(self._document(caller, number, SERVICE), 200)

    def _delete_service(self, caller: Caller, body: str, number: str) -> Answer:
        self.lcm.undeploy(caller, to_integer(number))
        return NO_CONTENT

    def _update_service(self, caller: Caller, body: str, number: str) -> Answer:
        new = schema.parse_json(body)
        append = False
        if "append" in new:
            if "template" not in new:
                raise FlowError(400, "Missing template to append")
            append = bool(new["append"])
            new = schema.parse_json(new["template"])
        if not append:
            schema.validate(new, self.cloud.personality)
        self.lcm.update(caller, to_integer(number), new, append)
        return NO_CONTENT

    def _service_action(self, caller: Caller, body: str, number: str) -> Answer:
        perform, options = self._action_of(body)
        given = options or {}
        service_id = to_integer(number)
        if perform == "recover":
            self.lcm.recover(caller, service_id, bool(given.get("delete")))
        elif perform in ("chown", "chgrp"):
            key, word = ("owner_id", "UID") if perform == "chown" else ("group_id", "GID")
            if given.get(key) is None:
                raise FlowError(500, f"Action {perform}: You have to specify a {word}")
            uid = to_integer(given["owner_id"]) if perform == "chown" else -1
            gid = -1 if given.get("group_id") is None else to_integer(given["group_id"])
            service = self.lcm.get(caller, service_id)
            self.rpc.call(caller, "one.document.chown", service_id, uid, gid)
            for role in service.roles.values():
                for vm_id in role.vm_ids:
                    self.rpc.call(caller, "one.vm.chown", vm_id, uid, gid)
        elif perform == "chmod":
            if given.get("octet") is None:
                raise FlowError(500, "Action chmod: You have to specify an OCTET")
            self.lcm.get(caller, service_id)
            self.rpc.call(caller, "one.document.chmod", service_id, *permission_bits(given["octet"]))
        elif perform == "rename":
            if given.get("name") is None:
                raise FlowError(500, "Action rename: You have to specify a name")
            self.lcm.get(caller, service_id)
            self.rpc.call(caller, "one.document.rename", service_id, given["name"])
        elif perform == "release":
            self.lcm.release(caller, service_id)
        elif perform in _SCHEDULED:
            if options is None:
                raise RubyError("undefined method `[]' for nil")
            service = self.lcm.get(caller, service_id)
            for name in service.roles:
                self._schedule(caller, service, name, perform, options)
        else:
            raise FlowError(500, f"Action {perform} not supported")
        return NO_CONTENT

    def _schedule(self, caller: Caller, service: Service, role: str, action: str, options: Body) -> None:
        """Has an action done on the VMs of a role, so many a period."""
        period = to_integer(options.get("period") or 60)
        count = to_integer(options.get("number") or 1)

        def run(vm_id: int) -> None:
            try:
                self.rpc.call(caller, "one.vm.action", action, vm_id)
            except CallError:
                return

        for index, vm_id in enumerate(service.roles[role].vm_ids):
            offset = index // count * period if period > 0 and count > 0 else 0
            self.clock.after(offset + self.cloud.timers.schedule, lambda number=vm_id: run(number))  # type: ignore[misc]

    def _scheduled_role_action(self, caller: Caller, body: str, number: str, role: str) -> Answer:
        perform, options = self._action_of(body)
        if options is None:
            raise RubyError("undefined method `[]' for nil")
        service = self.lcm.get(caller, to_integer(number))
        if role not in service.roles:
            raise FlowError(500, f"Role '{role}' not found")
        self._schedule(caller, service, role, perform, options)
        return NO_CONTENT

    def _scale(self, caller: Caller, body: str, number: str) -> Answer:
        try:
            given = json.loads(body)
        except ValueError as error:
            raise RubyError(f"unexpected token at '{body}'") from error
        cardinality = to_integer(given.get("cardinality"))
        service = self.lcm.get(caller, to_integer(number))
        usable = service.state == "RUNNING" and given.get("role_name") in service.roles
        if "force" not in given and usable:
            # Upstream builds JSON from text here, and an absent value leaves a hole in it.
            text = f'{{ "cardinality" : {cardinality},\n  "force" :  }}'
            raise RubyError(f"unexpected token at '{text}'")
        self.lcm.scale(
            caller, to_integer(number), number, given.get("role_name") or "", cardinality, given.get("force")
        )
        return NO_CONTENT

    def _role_action(self, caller: Caller, body: str, number: str) -> Answer:
        perform, options = self._action_of(body)
        if perform == "add_role":
            given = options["role"]
            like = self.cloud.personality
            if isinstance(given, dict) and not like.flow_role_as_object:
                raise RubyError("no implicit conversion of Hash into String")
            role = given if isinstance(given, dict) else schema.parse_json(given)
            schema.validate_role(role, like)
            self.lcm.add_role(caller, to_integer(number), role)
        elif perform == "remove_role":
            self.lcm.remove_role(caller, to_integer(number), options["role"])
        else:
            raise FlowError(500, f"Action {perform} not supported")
        return NO_CONTENT

    def _purge(self, caller: Caller, body: str) -> Answer:
        return NO_CONTENT
