# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Comparing what the user gave with what the server has.

Private to the collection: it may change without notice.

OpenNebula keeps template values as text and attribute names in capitals, and adds defaults of its own. So both
sides are brought to that form, and only what the user gave is compared. A wanted value of C(None) means absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def scalar(value: Any) -> str:
    """Return a template value as the server keeps it: text; booleans are YES and NO, 2.0 is 2, None is empty.

    A CR LF is a LF, and so is a CR, because the answers of the server are XML, which does not know the difference.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "YES" if value else "NO"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).replace("\r\n", "\n").replace("\r", "\n")


def canonical(value: Any) -> Any:
    """Return a template (dict, list or scalar) with names in capitals and all scalars as text.

    None stays None at the places where it means absent: as a value of a dict.
    """
    if isinstance(value, Mapping):
        return {str(name).upper(): None if item is None else canonical(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(item) for item in value]
    return scalar(value)


def matches(current: Any, wanted: Any) -> bool:
    """Whether C(current) has all that C(wanted) asks for.

    Dicts are compared by the keys of C(wanted) alone, a wanted None fits what is missing or empty; all else,
    lists with their order too, has to be equal.
    """
    if isinstance(wanted, Mapping):
        return isinstance(current, Mapping) and all(matches(current.get(key), item) for key, item in wanted.items())
    if wanted is None:
        return current is None or current == "" or current == [] or current == {}
    return bool(current == wanted)


def differing(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of C(wanted) that C(current) does not match; inside a dict only its differing keys."""
    changes: dict[str, Any] = {}
    for key, item in wanted.items():
        have = current.get(key)
        if matches(have, item):
            continue
        changes[key] = differing(have, item) if isinstance(item, Mapping) and isinstance(have, Mapping) else item
    return changes


def project(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of C(current) that C(wanted) speaks of; what is missing is left out."""
    part: dict[str, Any] = {}
    for key, item in wanted.items():
        if key not in current:
            continue
        have = current[key]
        part[key] = project(have, item) if isinstance(item, Mapping) and isinstance(have, Mapping) else have
    return part


def overlay(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return C(current) as it looks when C(wanted) has been applied; a None removes the key."""
    result = dict(current)
    for key, item in wanted.items():
        have = result.get(key)
        if item is None:
            result.pop(key, None)
        elif isinstance(item, Mapping):
            result[key] = overlay(have if isinstance(have, Mapping) else {}, item)
        else:
            result[key] = item
    return result
