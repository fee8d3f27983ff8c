# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneFlow's routes of service templates. Source: src/flow/oneflow-server.rb of release-7.4.0."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..access import Caller
from ..cloud import now
from ..errors import CallError
from ..model import Document, VMTemplate
from . import schema
from .answers import NO_CONTENT, Answer
from .documents import permission_bits
from .errors import FlowError
from .instantiate import Instances
from .lcm import TEMPLATE
from .schema import Body, to_integer


class TemplateRoutes(Instances):
    """Answers what is asked of service templates."""

    def _list_templates(self, caller: Caller, body: str) -> Answer:
        return self._list(caller, TEMPLATE)

    def _create_template(self, caller: Caller, body: str) -> Answer:
        template = schema.parse_json(body)
        schema.validate(template, self.cloud.personality)
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
        schema.validate(new, self.cloud.personality)
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
        key = self.cloud.personality.flow_template_key
        if kind in ("all", "templates"):
            document = self._document(caller, number, TEMPLATE)
            for template_id in {role[key] for role in (document.body or {})["roles"]}:
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
            return self._unheard(
                lambda: self.rpc.call(caller, "one.document.chmod", wanted, *permission_bits(given["octet"]))
            )
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
            key = self.cloud.personality.flow_template_key
            for role in body["roles"]:
                old = role[key]
                if old not in cloned:
                    name = f"{self._template_name(old)}-{given.get('name')}"
                    cloned[old] = self.rpc.call(
                        caller, "one.template.clone", old, name, given.get("recursive") == "all"
                    )
                role[key] = cloned[old]
        copy = self._allocate(caller, TEMPLATE, body)
        copy.name = str(given.get("name"))
        return self.show(copy, 201)

    def _template_name(self, number: int) -> str:
        template = self.cloud.pool(VMTemplate).get(number)
        return template.name if template else str(number)
