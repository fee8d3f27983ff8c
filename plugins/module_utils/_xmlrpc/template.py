# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Writing and reading OpenNebula templates.

Private to the collection: it may change without notice.

The grammar is in src/parsers/template_parser.l and template_syntax.y of OpenNebula: C(NAME = "value") or
C(NAME = [ NAME = "value", ... ]), repeated names allowed. Inside double quotes only a double quote has to be escaped,
so C(]), commas, newlines, C(#) and C(=) need nothing. Two things cannot be written that way: a backslash at the end
of a value (it would escape the closing quote), for which the XML form is used, and C(]]>), which oned stores as XML
that nobody can read again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import canonical, scalar
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
# characters that XML 1.0 cannot carry, and with it no answer of the server
UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

Vector = dict[str, str]


def render(template: Mapping[str, Any]) -> str:
    """Return a template as text that oned reads back as the same values.

    Args:
        template: names to scalars, to dicts of scalars (vectors), or to lists of either (repeated names). None
            values are left out.

    Raises:
        InvalidInput: a name or value that OpenNebula cannot keep, or a vector inside a vector.
    """
    pairs = list(_pairs(template))
    values = [text for _name, item in pairs for text in (item.values() if isinstance(item, dict) else [item])]
    if any(text.endswith("\\") for text in values):
        return "<TEMPLATE>" + "".join(f"<{name}>{_xml(item)}</{name}>" for name, item in pairs) + "</TEMPLATE>"
    return "\n".join(f"{name}={_text(item)}" for name, item in pairs)


def _text(item: str | Vector) -> str:
    if isinstance(item, dict):
        return "[" + ",".join(f"{name}={_text(value)}" for name, value in item.items()) + "]"
    return '"' + item.replace('"', '\\"') + '"'


def _xml(item: str | Vector) -> str:
    if isinstance(item, dict):
        return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in item.items())
    return escape(item)


def _pairs(template: Mapping[str, Any]) -> Iterator[tuple[str, str | Vector]]:
    for name, value in template.items():
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(item, Mapping):
                yield (
                    _name(name),
                    {_name(key): _value(f"{name}.{key}", part) for key, part in item.items() if part is not None},
                )
            elif item is not None:
                yield _name(name), _value(str(name), item)


def _name(name: Any) -> str:
    if not NAME.match(str(name)):
        raise InvalidInput(
            f"{name!r} cannot be the name of a template attribute; use letters, digits and underscores.",
            details={"attribute": str(name)},
        )
    return str(name).upper()


def _value(name: str, value: Any) -> str:
    if isinstance(value, (Mapping, list, tuple)):
        raise InvalidInput(
            f"{name} is {value!r}; an OpenNebula template holds only text there.", details={"attribute": name}
        )
    text = scalar(value)
    if "]]>" in text:
        raise InvalidInput(
            f"{name} contains ']]>', which OpenNebula cannot store. Write it with a space in between, or encode the "
            "value (START_SCRIPT_BASE64 for a script).",
            details={"attribute": name},
        )
    if UNREADABLE.search(text):
        raise InvalidInput(
            f"{name} contains a control character, which OpenNebula cannot store.", details={"attribute": name}
        )
    return text


def from_options(params: Mapping[str, Any], names: Mapping[str, str], reserved: Mapping[str, str]) -> dict[str, Any]:
    """Return the template that a module's options ask for, normalised; only what the user gave.

    Args:
        params: the module's parameters, with free attributes in C(attributes).
        names: options to the attributes that they set.
        reserved: attributes that C(attributes) must not have, to the option that is for them.

    Raises:
        InvalidInput: C(attributes) sets something that has an option, or holds what OpenNebula cannot keep.
    """
    given = {str(name).upper(): value for name, value in (params.get("attributes") or {}).items()}
    typed = {attribute: params[option] for option, attribute in names.items() if params[option] is not None}
    taken = {**{attribute: option for option, attribute in names.items() if attribute in typed}, **reserved}
    for name in given:
        if name in taken:
            raise InvalidInput(
                f"attributes has {name}, which is set by the option {taken[name]}; give it there only.",
                details={"option": "attributes", "attribute": name},
            )
    wanted = normalise({**given, **typed})
    render(wanted)
    return wanted


def normalise(template: Any) -> dict[str, Any]:
    """Return a template, the user's or the server's, in the form in which two of them can be compared.

    Names are in capitals and scalars are text. Vectors are lists of dicts even when there is one, so that they are
    compared as a whole: OpenNebula replaces vectors, it does not merge them. A list of one text is that text, an empty
    vector an empty text, as the server answers them. None and empty lists are None: absent.
    """
    if not isinstance(template, Mapping):
        return {}
    result: dict[str, Any] = {}
    for name, value in canonical(template).items():
        if isinstance(value, dict):
            result[name] = _vectors([value])
        elif isinstance(value, list):
            result[name] = _vectors(value)
        else:
            result[name] = value
    return result


def _vectors(values: list[Any]) -> Any:
    """Return repeated values so that one text is as the server answers it, and an empty vector is an empty text."""
    items = [(_present(item) or "") if isinstance(item, dict) else item for item in values]
    if len(items) == 1 and isinstance(items[0], str):
        return items[0]
    return items or None


def _present(vector: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in vector.items() if value is not None}
