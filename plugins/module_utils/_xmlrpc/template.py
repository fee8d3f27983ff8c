# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Writing OpenNebula templates.

Private to the collection: it may change without notice.

The grammar (src/parsers/template_syntax.y and template_parser.l of OpenNebula) is C(NAME = value) or
C(NAME = [ NAME = value, ... ]), repeated names allowed. A value in double quotes may hold anything; inside it a
backslash is an escape character before a double quote only, so C(]), commas, newlines and = need nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import scalar
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*\Z")


def quote(value: Any) -> str:
    """Return a scalar in double quotes."""
    return '"' + scalar(value).replace('"', '\\"') + '"'


def render(template: Mapping[str, Any]) -> str:
    """Return a template as text.

    Args:
        template: names to scalars, to dicts of scalars (vectors), or to lists of either (repeated names). None
            values are left out, empty vectors too.

    Raises:
        InvalidInput: a name that OpenNebula cannot parse, or a vector inside a vector.
    """
    lines: list[str] = []
    for name, value in template.items():
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if item is None or item == {}:
                continue
            lines.append(f"{_name(name)}={_vector(name, item) if isinstance(item, Mapping) else quote(item)}")
    return "\n".join(lines)


def _vector(name: str, vector: Mapping[str, Any]) -> str:
    parts: list[str] = []
    for key, value in vector.items():
        if isinstance(value, (Mapping, list, tuple)):
            raise InvalidInput(
                f"{name}.{key} is {value!r}; an OpenNebula template holds only text inside a vector.",
                details={"attribute": f"{name}.{key}"},
            )
        if value is not None:
            parts.append(f"{_name(key)}={quote(value)}")
    return "[" + ",".join(parts) + "]"


def _name(name: Any) -> str:
    if not NAME.match(str(name)):
        raise InvalidInput(
            f"{name!r} cannot be the name of a template attribute; use letters, digits and underscores.",
            details={"attribute": str(name)},
        )
    return str(name).upper()
