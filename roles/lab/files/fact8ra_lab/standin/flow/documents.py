# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What routes of services and of service templates share: documents as JSON, found and made."""

from __future__ import annotations

import json
from typing import Any

from ..access import CREATE, MANAGE, Caller, Request
from ..clock import Clock
from ..cloud import Cloud
from ..errors import CallError, OneError
from ..model import PERMISSION_NAMES, Document
from ..rpc import Rpc
from .answers import Answer
from .errors import FlowError, RubyError
from .lcm import Lcm
from .schema import Body, to_integer


def permission_bits(octet: Any) -> list[int]:
    """The permissions of chmod_octet: the first three characters of a string; a number gives none, as in Ruby."""
    digits = [to_integer(octet[index : index + 1]) for index in range(3)] if isinstance(octet, str) else [0, 0, 0]
    return [digit >> shift & 1 for digit in digits for shift in (2, 1, 0)]


class Documents:
    """Documents of OneFlow, as the caller may see and change them."""

    def __init__(self, cloud: Cloud, rpc: Rpc, lcm: Lcm, clock: Clock) -> None:
        self.cloud = cloud
        self.rpc = rpc
        self.lcm = lcm
        self.clock = clock

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

    @staticmethod
    def _action_of(body: str) -> tuple[str, Any]:
        try:
            action = json.loads(body)["action"]
        except ValueError as error:
            raise RubyError(f"unexpected token at '{body}'") from error
        return action["perform"], action.get("params")
