# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Texts that files, shells, terminals and templates take for more than text, and where to put them into a value."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

NASTY = {
    "newline": "\n",
    "newline and directive": "\nExecStartPost=/bin/id\n",
    "carriage return": "\r",
    "tabulator": "\t",
    "escape": "\x1b[2J",
    "nul": "\0",
    "quote": "'",
    "double quote": '"',
    "backslash": "\\",
    "substitution": "$(id)",
    "variable": "${x}",
    "semicolon": ";",
    "ampersand": "&&",
    "pipe": "|",
    "redirection": ">x",
    "backtick": "`id`",
    "hash": " #",
    "brackets": "] } ) >",
    "specifier": "%h",
    "expression": "{{ 7*7 }}",
    "statement": "{% set x = 1 %}",
    "leading dash": "-",
    "option": "-oProxyCommand=id",
    "up": "../..",
    "space": " ",
    "64 kB": "x" * 65536,
    "not ascii": "é",
    "unicode digits": "٣",
    "line separator": "\u2028",
    "next line": "\x85",
    "no-break space": "\u00a0",
    "right to left": "\u202e",
    "zero width": "\u200b",
    "surrogate": "\ud800",
    "markup": "<script>alert(1)</script>",
    "cdata": "]]>",
}


def leaves(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Where texts are in a value, and the texts: elements of lists, values of dicts, and keys (path ends in None)."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, element in value.items():
            yield (*path, key, None), key
            yield from leaves(element, (*path, key))
    elif isinstance(value, list):
        for index, element in enumerate(value):
            yield from leaves(element, (*path, index))


def replaced(value: Any, path: tuple[Any, ...], text: str) -> Any:
    """A copy of a value with another text at one of its leaves."""
    if not path:
        return text
    made = copy.copy(value)
    if path[1:] == (None,):
        return {text if key == path[0] else key: element for key, element in value.items()}
    made[path[0]] = replaced(value[path[0]], path[1:], text)
    return made


def damaged(text: str) -> Iterator[tuple[str, str]]:
    """A text with each of `NASTY` before, in and after it, and instead of it, with the name of what was done."""
    middle = len(text) // 2
    for name, nasty in NASTY.items():
        yield f"{name} first", nasty + text
        yield f"{name} within", text[:middle] + nasty + text[middle:]
        yield f"{name} last", text + nasty
        yield f"{name} alone", nasty
