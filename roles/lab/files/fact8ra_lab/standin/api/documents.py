# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Documents: OneFlow's services (100) and service templates (101), and any other type."""

from __future__ import annotations

import json
from typing import Any

from ..access import Caller
from ..model import Document
from ..template import Template
from ..xmlout import field, header_xml, permissions_xml
from .base import Handler, PoolApi


class DocumentApi(PoolApi[Document]):
    prefix, pool_prefix, kind = "one.document", "one.documentpool", Document

    def methods(self) -> dict[str, Handler]:
        return super().methods() | {"one.document.allocate": self.allocate}

    def pool_xml(self, item: Document) -> str:
        template = item.template.clone()
        if item.body is not None:
            template.put("BODY", json.dumps(item.body))
        head = header_xml(self.cloud, item, permissions=False)
        return f"<DOCUMENT>{head}{field('TYPE', item.type)}{permissions_xml(item)}{template.xml()}</DOCUMENT>"

    def allocate(self, caller: Caller, text: str, kind: int) -> int:
        template = self.cloud.parse(text)
        self.cloud.authorize(caller, self.cloud.may_create(caller, "DOCUMENT"))
        number = self.cloud.new_id("DOCUMENT")
        name = template.text("NAME") or f"document-{number}"
        template.pop("NAME", None)
        item = Document(number, name, caller.uid, caller.gid, template=template, type=kind)
        self._take_body(item)
        return self.cloud.insert(item).id

    def updated(self, item: Document) -> None:
        self._take_body(item)

    @staticmethod
    def _take_body(item: Document) -> None:
        """OneFlow's JSON is kept parsed, not as text."""
        if item.type in (100, 101) and item.template.text("BODY"):
            item.body = json.loads(item.template.text("BODY"))
            item.template.pop("BODY", None)

    def check_update(self, caller: Caller, item: Document, new: Template) -> None:
        if item.type in (100, 101) and "BODY" not in new and item.body is not None:
            new.put("BODY", json.dumps(item.body))

    def pool_info(self, caller: Caller, flag: int = -2, start: int = -1, end: int = -1, kind: int = 0, *_: Any) -> str:
        items = [item for item in self.cloud.visible(caller, Document, flag, start, end) if item.type == kind]
        return f"<DOCUMENT_POOL>{''.join(self.pool_xml(item) for item in items)}</DOCUMENT_POOL>"
