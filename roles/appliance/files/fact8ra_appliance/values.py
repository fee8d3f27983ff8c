# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Judges the variables of a context, all of them, and gives the roles' variables that they become.

What a value may be is what the roles say (meta/allowed_values.yml); here is how a text becomes a value of the option's
type, and what has to hold between the variables. An empty text means not given: OneFlow sends one for each input that
nobody filled in.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.kinds import number
from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.roles import rules_of
from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.rules import Rule, shortened

from . import relations
from .table import KINDS, PREFIX, Entry, table

_TRUE, _FALSE = frozenset({"yes", "true"}), frozenset({"no", "false"})
_NUMBER = number()
_WHOLE = re.compile(r"-?[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True)
class Problem:
    """What is wrong with one variable; the message names it, its value unless secret, and what would be right."""

    variable: str
    message: str


@dataclass
class Validated:
    """What came of a context.

    Attributes:
        variables: The roles' variables by name, of the option's type. Those of the role appliance, and what a role
            requires, are all there, with their default where nothing is given; others only where they are given.
        problems: Everything that is wrong. With any, the variables are not to be used.
        notes: What is right, but may not be what was meant.
    """

    variables: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Refused(Exception):
    """A text that cannot be a value of the option's type; the text says what it must be."""


def _elements(text: str) -> list[str]:
    found = [element for element in re.split(r"[, \t\r\n]+", text) if element]
    if not found:
        raise _Refused("one or more values with spaces or commas between them")
    return found


def _scalar(text: str) -> bool | int | float | str:
    """A value of the apps' configuration, of the type that it looks like (as Flower reads key=value)."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.accepts(text) else text


def _pairs(text: str) -> dict[str, bool | int | float | str]:
    pairs: dict[str, bool | int | float | str] = {}
    for element in _elements(text):
        key, equals, value = element.partition("=")
        if not equals or not key:
            raise _Refused("key=value, one or more with spaces or commas between them")
        if key in pairs:
            raise _Refused("key=value, each key once")
        pairs[key] = _scalar(value)
    return pairs


def _decoded(text: str) -> str:
    """The text in base64, which is what OpenNebula's forms make of an input of the type text64."""
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode().replace("\r\n", "\n")
    except (binascii.Error, ValueError) as error:
        raise _Refused("a file in base64") from error


def _boolean(text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise _Refused("YES or NO")
    return text.lower() in _TRUE


def _from_text(entry: Entry, text: str) -> Any:
    """A value for the rule: of the option's type, except for numbers, which the rule judges as they are written.

    Raises:
        _Refused: When the text cannot be one.
    """
    if entry.input == "text64":
        return _decoded(text)
    convert = {"list": _elements, "dict": _pairs, "bool": _boolean}.get(entry.type)
    return convert(text) if convert else text


def _typed(entry: Entry, value: Any) -> Any:
    if entry.type == "int":
        return int(value)
    return float(value) if entry.type == "float" else value


def _rule(entry: Entry, kind: str) -> Rule:
    role, option = entry.becomes[kind]
    return rules_of(role)[option]


def _sentences(entry: Entry, rule: Rule, text: str) -> tuple[Any, list[str]]:
    """The value that a text is, and what is wrong with it."""
    hidden = entry.secret or rule.hidden
    try:
        value = _from_text(entry, text)
    except _Refused as refused:
        shown = "refused, and not shown since it may be a secret" if hidden else shortened(text)
        return None, [f"{entry.name} is {shown}; it must be {refused}"]
    return value, [refusal.sentence(hidden) for refusal in rule.refusals(entry.name, value)]


def _unknown(name: str, kind: str) -> Problem:
    """A name of ours that there is not; often a slip of the pen."""
    short = name.removeprefix(PREFIX).upper()
    every = [known.removeprefix(PREFIX) for known in table()]
    own = [known.removeprefix(PREFIX) for known, entry in table().items() if kind in entry.becomes]
    near = difflib.get_close_matches(short, own, 1, 0.7) or difflib.get_close_matches(short, every, 1, 0.0)
    shown = name if re.fullmatch(r"[A-Za-z0-9_]{1,80}", name) else shortened(name)
    return Problem(name, f"{shown} is no variable of this appliance; did you mean {PREFIX}{near[0]}?")


def _defaults(kind: str) -> Iterator[tuple[str, object]]:
    for entry in table().values():
        role, option = entry.becomes.get(kind, ("", ""))
        if role == "appliance" or (option and entry.initial is not None):
            yield option, entry.initial


def validate(context: Mapping[str, str], kind: str, flavour: str = "") -> Validated:
    """Judge every variable of a context whose name begins with ONEAPP_FLOWER_; others are not ours.

    Args:
        context: Names and values.
        kind: Of VM, superlink or supernode.
        flavour: Of the image; empty when it is not known, which judges nothing by it.

    Raises:
        ValueError: When there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; it must be one of {', '.join(KINDS)}")
    found = Validated(variables=dict(_defaults(kind)))
    given: dict[str, Any] = {}
    for name, text in sorted(context.items()):
        if not name.startswith(PREFIX) or not text:
            continue
        entry = table().get(name)
        if entry is None:
            found.problems.append(_unknown(name, kind))
        elif kind not in entry.becomes:
            found.notes.append(f"{name} is for a {next(iter(entry.becomes))} and means nothing to a {kind}")
        else:
            value, sentences = _sentences(entry, _rule(entry, kind), text)
            found.problems += [Problem(name, sentence) for sentence in sentences]
            # A variable that is wrong counts as given, so that nothing says that it is missing.
            given[name.removeprefix(PREFIX)] = None if sentences else _typed(entry, value)
            if not sentences:
                found.variables[entry.becomes[kind][1]] = given[name.removeprefix(PREFIX)]
    for name, message in relations.problems(given, kind, flavour):
        found.problems.append(Problem(PREFIX + name, message))
    found.notes += relations.notes(given, kind)
    return found
