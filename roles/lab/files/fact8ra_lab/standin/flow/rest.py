# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneFlow's REST routes. Source: src/flow/oneflow-server.rb of OpenNebula 7.4.

Errors are plain text with the content type text/html, as the recording shows; so is JSON.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ..access import CREATE, MANAGE, Caller, Request
from ..clock import Clock
from ..cloud import Cloud, now
from ..errors import CallError, OneError
from ..model import PERMISSION_NAMES, Document, VMTemplate
from ..rpc import Rpc
from . import schema
from .errors import FlowError, InvalidTemplate, RubyError, of_call
from .lcm import TEMPLATE, Lcm
from .schema import Body, to_integer
from .service import Service
from .waits import SERVICE

HTML: Final = "text/html;charset=utf-8"
_SCHEDULED: Final = (
    "terminate", "terminate-hard", "undeploy", "undeploy-hard", "hold", "release", "stop", "suspend", "resume",
    "reboot", "reboot-hard", "poweroff", "poweroff-hard", "snapshot-create", "snapshot-revert", "snapshot-delete",
    "disk-snapshot-create", "disk-snapshot-revert", "disk-snapshot-delete",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; no body and no content type with 204."""

    status: int
    text: str = ""
    content_type: str | None = HTML


NO_CONTENT: Final = Answer(204, "", None)


def unknown_route(verb: str, path: str, host: str) -> Answer:
    """Sinatra's page for a route that it does not know."""
    route = html.escape(path, quote=True).replace("/", "&#x2F;")
    page = (
        '<!DOCTYPE html>\n<html>\n<head>\n  <style type="text/css">\n'
        "  body { text-align:center;font-family:helvetica,arial;font-size:22px;\n    color:#888;margin:20px}\n"
        "  #c {margin:0 auto;width:500px;text-align:left}\n  </style>\n</head>\n<body>\n"
        "  <h2>Sinatra doesn\u2019t know this ditty.</h2>\n"
        f"  <img src='http://{host}/__sinatra__/404.png'>\n"
        f'  <div id="c">\n    Try this:\n    <pre>{verb.lower()} &#x27;{route}&#x27; do\n'
        "  &quot;Hello World&quot;\nend\n</pre>\n  </div>\n</body>\n</html>\n"
    )
    return Answer(404, page)


def _bits(octet: Any) -> list[int]:
    """The permissions of chmod_octet: the first three characters of a string; a number gives none, as in Ruby."""
    digits = [to_integer(octet[index : index + 1]) for index in range(3)] if isinstance(octet, str) else [0, 0, 0]
    return [digit >> shift & 1 for digit in digits for shift in (2, 1, 0)]


class FlowRest:
    """Answers requests."""

    def __init__(self, cloud: Cloud, rpc: Rpc, lcm: Lcm, clock: Clock) -> None:
        self.cloud = cloud
        self.rpc = rpc
        self.lcm = lcm
        self.clock = clock
        one = r"/service/([^/]+)"
        template = r"/service_template/([^/]+)"
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
            ("GET", re.compile("/service"), self._list_services),
            ("GET", re.compile(one), self._get_service),
            ("DELETE", re.compile(one), self._delete_service),
            ("PUT", re.compile(one), self._update_service),
            ("POST", re.compile(one + "/action"), self._service_action),
            ("POST", re.compile(one + "/scale"), self._scale),
            ("POST", re.compile(one + "/role_action"), self._role_action),
            ("POST", re.compile(one + "/role/([^/]+)/action"), self._scheduled_role_action),
            ("POST", re.compile("/service_pool/purge_done"), self._purge),
            ("GET", re.compile("/service_template"), self._list_templates),
            ("POST", re.compile("/service_template"), self._create_template),
            ("GET", re.compile(template), self._get_template),
            ("PUT", re.compile(template), self._update_template),
            ("DELETE", re.compile(template), self._delete_template),
            ("POST", re.compile(template + "/action"), self._template_action),
        ]

    def handle(self, caller: Caller, verb: str, path: str, body: str, host: str) -> Answer:
        """The answer to an authenticated request."""
        for method, pattern, handler in self._routes:
            found = pattern.fullmatch(path)
            if method == verb and found:
                try:
                    with self.cloud.change():
                        return handler(caller, body, *found.groups())
                except FlowError as error:
                    return Answer(error.status, error.text)
                except InvalidTemplate as error:
                    return Answer(400, str(error))
                except CallError as error:
                    failure = of_call(error)
                    return Answer(failure.status, failure.text)
                except RubyError as error:
                    return Answer(500, json.dumps({"message": "Internal server error", "reason": str(error)}))
                except (KeyError, TypeError, AttributeError) as error:
                    reason = f"undefined method for nil: {error}"
                    return Answer(500, json.dumps({"message": "Internal server error", "reason": reason}))
        return unknown_route(verb, path, host)

    # ---------------------------------------------------------------------------------------------------- documents

    def _document_json(self, document: Document) -> Body:
        content: Body = {"BODY": document.body} if document.body is not None else {}
        result: Body = {
            "ID": str(document.id),
            "UID": str(document.uid),
            "GID": str(document.gid),
            "UNAME": self.cloud.user_name(document.uid),
            "GNAME": self.cloud.group_name(document.gid),
            "NAME": document.name,
            "TYPE": str(document.type),
        }
        bits = (str(bit) for bit in document.perms)
        result["PERMISSIONS"] = dict(zip(PERMISSION_NAMES, bits, strict=True))
        result["TEMPLATE"] = content
        return result

    def show(self, document: Document, status: int) -> Answer:
        """A document as an answer."""
        return Answer(status, json.dumps({"DOCUMENT": self._document_json(document)}, ensure_ascii=False))

    def _list(self, caller: Caller, kind: int) -> Answer:
        documents = [item for item in self.cloud.visible(caller, Document, -2) if item.type == kind]
        pool: Body = {"DOCUMENT": [self._document_json(item) for item in documents]} if documents else {}
        return Answer(200, json.dumps({"DOCUMENT_POOL": pool}, ensure_ascii=False))

    def _document(self, caller: Caller, number: str, kind: int) -> Document:
        wanted = to_integer(number)
        document = self.rpc.read(caller, "one.document.info", Document, wanted)
        if document.type != kind:
            raise FlowError(500, f"[DocumentInfo] Error getting document [{wanted}].")
        return document

    def _allocate(self, caller: Caller, kind: int, body: Body) -> Document:
        try:
            self.cloud.authorize(caller, Request(CREATE, "DOCUMENT"))
        except OneError as error:
            raise CallError("one.document.allocate", error) from error
        number = self.cloud.new_id("DOCUMENT")
        name = str(body["name"]) or f"document-{number}"
        return self.cloud.insert(Document(number, name, caller.uid, caller.gid, type=kind, body=body))

    def _writable(self, caller: Caller, document: Document, method: str) -> None:
        try:
            self.cloud.allowed(caller, Document, document.id, MANAGE)
        except OneError as error:
            raise CallError(method, error) from error

    # ----------------------------------------------------------------------------------------------------- services

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
            schema.validate(new)
        self.lcm.update(caller, to_integer(number), new, append)
        return NO_CONTENT

    @staticmethod
    def _action_of(body: str) -> tuple[str, Any]:
        try:
            action = json.loads(body)["action"]
        except ValueError as error:
            raise RubyError(f"unexpected token at '{body}'") from error
        return action["perform"], action.get("params")

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
            self.rpc.call(caller, "one.document.chmod", service_id, *_bits(given["octet"]))
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
            role = options["role"] if isinstance(options["role"], dict) else schema.parse_json(options["role"])
            schema.validate_role(role)
            self.lcm.add_role(caller, to_integer(number), role)
        elif perform == "remove_role":
            self.lcm.remove_role(caller, to_integer(number), options["role"])
        else:
            raise FlowError(500, f"Action {perform} not supported")
        return NO_CONTENT

    def _purge(self, caller: Caller, body: str) -> Answer:
        return NO_CONTENT

    # ---------------------------------------------------------------------------------------------------- templates

    def _list_templates(self, caller: Caller, body: str) -> Answer:
        return self._list(caller, TEMPLATE)

    def _create_template(self, caller: Caller, body: str) -> Answer:
        template = schema.parse_json(body)
        schema.validate(template)
        template["registration_time"] = now()
        return self.show(self._allocate(caller, TEMPLATE, template), 201)

    def _get_template(self, caller: Caller, body: str, number: str) -> Answer:
        return self.show(self._document(caller, number, TEMPLATE), 200)

    def _change_template(self, caller: Caller, document: Document, new: Any, append: bool) -> None:
        known = document.body or {}
        if append and new.get("registration_time") is not None:
            raise FlowError(500, "Immutable value: `service_template/registration_time` can not be changed")
        if not append:
            if new.get("registration_time") is None:
                new["registration_time"] = known.get("registration_time")
            if new["registration_time"] != known.get("registration_time"):
                raise FlowError(500, "Immutable value: `service_template/registration_time` can not be changed")
        new = known | new if append else new
        schema.validate(new)
        self._writable(caller, document, "one.document.update")
        document.body = new
        self.cloud.touch(document)

    def _update_template(self, caller: Caller, body: str, number: str) -> Answer:
        document = self._document(caller, number, TEMPLATE)
        self._change_template(caller, document, schema.parse_json(body), append=False)
        return self.show(document, 200)

    def _delete_template(self, caller: Caller, body: str, number: str) -> Answer:
        try:
            kind = json.loads(body)["delete_type"]
        except (ValueError, KeyError, TypeError):
            kind = None
        wanted = to_integer(number)
        if kind in ("all", "templates"):
            document = self._document(caller, number, TEMPLATE)
            for template_id in {role["template_id"] for role in (document.body or {})["roles"]}:
                self.rpc.call(caller, "one.template.delete", template_id, kind == "all")
        try:
            self.rpc.call(caller, "one.document.delete", wanted)
        except CallError as error:
            # The wrapper reads the document first, so a missing one is an error of info.
            if error.code == 0x400:
                raise FlowError(404, error.text.replace("one.document.delete", "one.document.info")) from error
            raise
        return NO_CONTENT

    def _template_action(self, caller: Caller, body: str, number: str) -> Answer:
        perform, options = self._action_of(body)
        given = options or {}
        wanted = to_integer(number)
        if perform == "instantiate":
            return self._instantiate(caller, number, given)
        if perform == "clone":
            return self._clone(caller, number, given)
        if perform == "update" and ("template_json" in given or "template_raw" in given):
            return self._action_update(caller, number, given)
        if perform == "rename":
            return self._unheard(lambda: self.rpc.call(caller, "one.document.rename", wanted, given.get("name") or ""))
        if perform == "chmod" and given.get("octet") is not None:
            return self._unheard(lambda: self.rpc.call(caller, "one.document.chmod", wanted, *_bits(given["octet"])))
        if perform == "chown" and given.get("owner_id") is not None:
            uid, gid = to_integer(given["owner_id"]), to_integer(given.get("group_id"))
            return self._unheard(lambda: self.rpc.call(caller, "one.document.chown", wanted, uid, gid))
        if perform == "chgrp" and given.get("group_id") is not None:
            gid = to_integer(given["group_id"])
            return self._unheard(lambda: self.rpc.call(caller, "one.document.chown", wanted, -1, gid))
        return Answer(200)

    @staticmethod
    def _unheard(call: Callable[[], Any]) -> Answer:
        """These actions answer 204 whatever OpenNebula says."""
        try:
            call()
        except (CallError, FlowError):
            return NO_CONTENT
        return NO_CONTENT

    def _action_update(self, caller: Caller, number: str, given: Body) -> Answer:
        def change() -> None:
            if "template_json" in given:
                document = self._document(caller, number, TEMPLATE)
                new = schema.parse_json(given["template_json"])
                self._change_template(caller, document, new, given.get("append") is True)

        return self._unheard(change)

    def _clone(self, caller: Caller, number: str, given: Body) -> Answer:
        try:
            document = self._document(caller, number, TEMPLATE)
        except CallError as error:
            raise FlowError(500, error.text.replace("one.document.info", "one.document.clone")) from error
        body = json.loads(json.dumps(document.body))
        body["registration_time"] = now()
        if given.get("recursive") != "none":
            cloned: dict[int, int] = {}
            for role in body["roles"]:
                old = role["template_id"]
                if old not in cloned:
                    name = f"{self._template_name(old)}-{given.get('name')}"
                    cloned[old] = self.rpc.call(
                        caller, "one.template.clone", old, name, given.get("recursive") == "all"
                    )
                role["template_id"] = cloned[old]
        copy = self._allocate(caller, TEMPLATE, body)
        copy.name = str(given.get("name"))
        return self.show(copy, 201)

    def _template_name(self, number: int) -> str:
        template = self.cloud.pool(VMTemplate).get(number)
        return template.name if template else str(number)

    # ---------------------------------------------------------------------------------------------------- instances

    @staticmethod
    def _check_inputs(inputs: Any, values: Any) -> None:
        if not inputs:
            return
        if values is None:
            raise FlowError(400, "The Service template specifies User Inputs but no values have been found")
        if not isinstance(inputs, dict) or not isinstance(values, dict):
            raise FlowError(400, "Wrong User Inputs or User Inputs Values format")
        if set(inputs) - set(values):
            raise FlowError(400, "Verify that every User Input have its corresponding value defined")

    def _check_role_inputs(self, role: Body, merge: Body) -> None:
        if not isinstance(role.get("template_contents", {}), dict):
            raise FlowError(
                400,
                f"Error validating template_contents object for therole {role['name']}."
                " The object must be a valid hash.",
            )
        if role.get("user_inputs") is None:
            return
        roles = merge.get("roles")
        if roles is None:
            raise FlowError(
                400,
                f"The Service template specifies user inputs for the role {role['name']} but no values have been found",
            )
        if not isinstance(roles, list) or not roles:
            raise FlowError(400, "The role user inputs are empty or do not have a valid format")
        found = next((item for item in roles if item.get("name") == role["name"]), None)
        if found:
            if "custom_attrs_values" in found:
                found["user_inputs_values"] = found.pop("custom_attrs_values")
            self._check_inputs(role["user_inputs"], found.get("user_inputs_values"))

    @staticmethod
    def _check_networks(networks: Any, merge: Body) -> None:
        values = merge.get("networks_values")
        if networks is not None and values is None:
            try:
                values = []
                for name, text in networks.items():
                    kind, *number = text.split("|")[4].strip().split(":")
                    values.append({name: {kind: number[0] if number and number[0] else None}})
            except (AttributeError, IndexError) as error:
                raise FlowError(400, "Wrong networks format") from error
            merge["networks_values"] = values
        if networks and not isinstance(networks, dict):
            raise FlowError(400, "Wrong networks format")
        if values and not all(isinstance(value, dict) for value in values):
            raise FlowError(400, "Wrong networks_values format")
        if networks and set(networks) - {name for value in values or [] for name in value}:
            raise FlowError(400, "Every network key must have its value defined at networks_value")
        for entry in values or []:
            for net in entry.values():
                for key, value in net.items():
                    if isinstance(value, str):
                        net[key] = value.replace('\\"', "")

    def _instantiate(self, caller: Caller, number: str, given: Body) -> Answer:
        document = self._document(caller, number, TEMPLATE)
        merge: Body = given.get("merge_template") or {}
        template = document.body or {}
        if "custom_attrs_values" in merge:
            merge["user_inputs_values"] = merge.pop("custom_attrs_values")
        self._check_inputs(template.get("user_inputs"), merge.get("user_inputs_values"))
        for role in template["roles"]:
            self._check_role_inputs(role, merge)
        self._check_networks(template.get("networks"), merge)
        body = schema.instance_body(template, merge)
        try:
            schema.validate(body)
        except InvalidTemplate as error:
            raise FlowError(500, str(error)) from error
        body["state"] = 0
        for role in body["roles"]:
            if not role.get("state"):
                role["state"] = 0
        body["start_time"] = now()
        made = self._allocate(caller, SERVICE, body)
        # The answer shows the service as it was made, before its networks are.
        answer = self.show(made, 201)
        self.lcm.start(caller, Service(self.cloud, made))
        return answer
