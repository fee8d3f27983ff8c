# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""One shape for everything that OneFlow answers: documents, bodies of 6.x and 7.x, VM template contents.

OneFlow 6.x calls things ``vm_template``, ``vm_template_contents`` (a string in OpenNebula's template language) and
``custom_attrs``; 7.x calls them ``template_id``, ``template_contents`` (an object) and ``user_inputs``. Envelope values
are strings, body values have JSON types, numbers may come as either. Source: live 7.4.0 and its ``convert_template``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import scalar
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import is_id, mode_of
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import render

TYPE_SERVICE = 100
TYPE_TEMPLATE = 101

# 6.x name -> 7.x name, of the body and of its roles.
_BODY_NAMES = {"custom_attrs": "user_inputs", "custom_attrs_values": "user_inputs_values"}
_ROLE_NAMES = {"vm_template": "template_id", "vm_template_contents": "template_contents", **_BODY_NAMES}

_NAME = re.compile(r"[\w.-]+")
# Between quotes only a quote is escaped, and a backslash before anything else is one (template_parser.l of oned).
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<comment>\#[^\n]*)
      | (?P<vector>[\w.-]+)\s*=\s*\[
      | (?P<key>[\w.-]+)[^\S\n]*=[^\S\n]*(?P<value>"(?:\\"|[^"])*"|[^\n]*)
    )""",
    re.VERBOSE | re.DOTALL,
)
_PAIR = re.compile(r"""[\s,]*(?P<key>[\w.-]+)\s*=\s*(?P<value>"(?:\\"|[^"])*"|[^,\]\n]*)""", re.DOTALL)


@dataclass(frozen=True)
class Document:
    """A service or a service template, its body in the 7.x form; ``mode`` is three octal digits ("640")."""

    id: int
    name: str
    type: int
    uid: int
    gid: int
    uname: str
    gname: str
    mode: str
    body: dict[str, Any]


def document(data: Any) -> Document:
    """Return the document in an answer ``{"DOCUMENT": {...}}`` or in an element of a pool.

    :raises ValueError: if this is no OneFlow document; the text names what is missing.
    """
    if isinstance(data, Mapping) and isinstance(data.get("DOCUMENT"), Mapping):
        data = data["DOCUMENT"]
    if not isinstance(data, Mapping):
        raise ValueError(f"expected a document, got {type(data).__name__}")
    template = data.get("TEMPLATE")
    body = template.get("BODY") if isinstance(template, Mapping) else None
    try:
        return Document(
            id=int(data["ID"]),
            name=str(data.get("NAME", "")),
            type=int(data.get("TYPE", -1)),
            uid=int(data.get("UID", -1)),
            gid=int(data.get("GID", -1)),
            uname=str(data.get("UNAME", "")),
            gname=str(data.get("GNAME", "")),
            mode=mode_of(dict(data)),
            body=canonical_body(body if isinstance(body, Mapping) else {}),
        )
    except (KeyError, ValueError) as error:
        raise ValueError(f"a document without a usable ID, UID, GID or TYPE ({error})") from error


def common_state(found: Document, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return id, name, owner, group and mode as a state for ``ensure``.

    Owner and group are given in the form that the user chose, id or name.
    """
    return {
        "id": found.id,
        "name": found.name,
        "owner": str(found.uid) if is_id(params.get("owner")) else found.uname,
        "group": str(found.gid) if is_id(params.get("group")) else found.gname,
        "mode": found.mode,
    }


def identity(found: Document) -> dict[str, Any]:
    """Return what the modules return of every document."""
    return {
        "id": found.id,
        "name": found.name,
        "uid": found.uid,
        "gid": found.gid,
        "uname": found.uname,
        "gname": found.gname,
        "mode": found.mode,
    }


def pool(data: Any) -> list[Document]:
    """Return the documents in ``{"DOCUMENT_POOL": {...}}``, by id; an empty pool has no DOCUMENT key.

    :raises ValueError: if this is no pool.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("DOCUMENT_POOL"), Mapping):
        raise ValueError("expected a DOCUMENT_POOL")
    return sorted((document(element) for element in as_list(data["DOCUMENT_POOL"].get("DOCUMENT"))), key=lambda d: d.id)


def as_list(value: Any) -> list[Any]:
    """Return a list for what is a list, one element, or nothing."""
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def canonical_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body in the 7.x form: 7.x names, contents as objects, ``type`` on every role."""
    result = {_BODY_NAMES.get(key, key): value for key, value in body.items()}
    result["roles"] = [canonical_role(role) for role in as_list(body.get("roles")) if isinstance(role, Mapping)]
    return result


def canonical_role(role: Mapping[str, Any]) -> dict[str, Any]:
    """Return a role in the 7.x form."""
    result = {_ROLE_NAMES.get(key, key): value for key, value in role.items()}
    result.setdefault("type", "vm")
    if "template_contents" in result:
        result["template_contents"] = contents(result["template_contents"])
    return result


def legacy_body(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a 7.x body in the form that 6.x takes (it refuses the new one).

    :raises InvalidInput: if a value in the contents of a role cannot be written in that form.
    """
    result = _renamed(body, _BODY_NAMES)
    result["roles"] = [legacy_role(role) for role in as_list(body.get("roles"))]
    return result


def legacy_role(role: Mapping[str, Any]) -> dict[str, Any]:
    """Return a 7.x role in the form that 6.x takes; it has roles of VMs only and no ``type``."""
    result = _renamed({key: value for key, value in role.items() if key != "type"}, _ROLE_NAMES)
    if "vm_template_contents" in result:
        result["vm_template_contents"] = _legacy_contents(result["vm_template_contents"])
    return result


def _legacy_contents(value: Any) -> str:
    text = render(contents(value))
    if text.startswith("<"):
        raise InvalidInput(
            "template_contents has a value that ends with a backslash, which OneFlow before 7.0 cannot write, since it "
            "appends lines to the text.",
            details={"option": "roles"},
        )
    return text


def legacy_merge(merge_template: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is merged into a template in the words of OpenNebula 6."""
    result = _renamed(merge_template, _BODY_NAMES)
    if "roles" in result:
        result["roles"] = [_renamed(role, _BODY_NAMES) for role in result["roles"]]
    return result


def _renamed(part: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    back = {new: old for old, new in names.items()}
    return {back.get(key, key): value for key, value in part.items()}


def contents(value: Any) -> dict[str, Any]:
    """Return VM template contents as ``{"MEMORY": "32", "NIC": [{"NETWORK_ID": "0"}]}``.

    Keys are upper case as oned makes them, vectors are lists.

    :param value: an object of 7.x, a string of 6.x in OpenNebula's template language, or nothing.
    """
    if isinstance(value, str):
        return parse_contents(value)
    if not isinstance(value, Mapping):
        return {}
    result: dict[str, Any] = {}
    for name, element in value.items():
        key = str(name).upper() if _NAME.fullmatch(str(name)) else str(name)
        if isinstance(element, Mapping | list | tuple):
            result[key] = [
                {str(part).upper(): scalar(item) for part, item in vector.items()}
                if isinstance(vector, Mapping)
                else scalar(vector)
                for vector in ([element] if isinstance(element, Mapping) else element)
            ]
        else:
            result[key] = scalar(element)
    return result


def parse_contents(text: str) -> dict[str, Any]:
    """Return a string in OpenNebula's template language as :func:`contents` does.

    A line that cannot be read is kept as a key without a value.
    """
    result: dict[str, Any] = {}
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            # Kept, not dropped: a difference must show even in what this parser does not understand.
            line, _newline, _rest = text[position:].partition("\n")
            if line.strip():
                result[line.strip()] = ""
            position += len(line) + 1
            continue
        position = match.end()
        if match["vector"]:
            vector, position = _vector(text, position)
            _add(result, match["vector"].upper(), [vector])
        elif match["key"]:
            _add(result, match["key"].upper(), _unquote(match["value"]))
    return result


def _add(result: dict[str, Any], name: str, value: Any) -> None:
    """Add a value to those of its name: repeated names are a list, and so is even one vector."""
    if name in result:
        values = [each if isinstance(each, list) else [each] for each in (result[name], value)]
        value = [item for each in values for item in each]
    result[name] = value


def _vector(text: str, position: int) -> tuple[dict[str, str], int]:
    """Read the pairs of a vector from behind its ``[``; return them and the position behind its ``]``."""
    vector: dict[str, str] = {}
    while match := _PAIR.match(text, position):
        vector[match["key"].upper()] = _unquote(match["value"])
        position = match.end()
    end = text.find("]", position)
    return vector, len(text) if end < 0 else end + 1


def _unquote(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"')
    return value


def comparable(value: Any) -> Any:
    """Return a body value so that equal meanings are equal: 2 and "2", true and "true", nothing and empty."""
    if isinstance(value, Mapping):
        return {str(key): comparable(element) for key, element in value.items()}
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return [comparable(element) for element in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
