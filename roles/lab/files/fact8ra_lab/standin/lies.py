# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers of the fault ``lie``: success with what a change would answer, while nothing is done."""

from __future__ import annotations

import copy
import json
from typing import Any, Final

from .access import Caller
from .cloud import Cloud
from .flow.answers import NO_CONTENT, Answer
from .flow.rest import FlowRest
from .model import Document

#: Of which kind the id is that a method answers, where it makes an object of another kind than its own.
_MAKES: Final = {"one.template.instantiate": "VM", "one.vntemplate.instantiate": "NET", "one.vn.reserve": "NET"}
_KINDS: Final = {
    "vn": "NET", "vntemplate": "VNTEMPLATE", "template": "TEMPLATE", "image": "IMAGE", "secgroup": "SECGROUP",
    "vm": "VM", "user": "USER", "group": "GROUP", "document": "DOCUMENT", "acl": "ACL",
}  # fmt: skip


def rpc_answer(cloud: Cloud, method: str, params: list[Any]) -> int:
    """The id that the method would answer: that of the object, or the next one of its kind."""
    _one, kind, verb = method.split(".", 2)
    if method in _MAKES or verb in ("allocate", "clone", "addrule"):
        return cloud.last_ids.get(_MAKES.get(method, _KINDS.get(kind, kind.upper())), -1) + 1
    return next((int(value) for value in params if isinstance(value, int) and not isinstance(value, bool)), 0)


def flow_answer(flow: FlowRest, caller: Caller, verb: str, path: str, body: str) -> Answer:
    """The status, and for what answers a document one that looks as if it were done."""
    try:
        given = json.loads(body) if body else {}
    except ValueError:
        given = {}
    parts = path.strip("/").split("/")
    action = given.get("action") or {}
    known = flow.cloud.pool(Document).get(int(parts[1])) if len(parts) > 1 and parts[1].isdigit() else None
    if verb == "PUT" and parts[0] == "service_template" and known:
        changed = copy.copy(known)
        changed.body = (known.body or {}) | given
        return flow.show(changed, 200)
    makes = (verb, parts) == ("POST", ["service_template"]) or action.get("perform") in ("instantiate", "clone")
    if not makes:
        return NO_CONTENT
    params = action.get("params") or {}
    content = copy.deepcopy((known.body if known else given) or {}) | (params.get("merge_template") or {})
    number = flow.cloud.last_ids.get("DOCUMENT", -1) + 1
    kind = 100 if action.get("perform") == "instantiate" else 101
    name = str(params.get("name") or content.get("name") or f"document-{number}")
    return flow.show(Document(number, name, caller.uid, caller.gid, type=kind, body=content), 201)
