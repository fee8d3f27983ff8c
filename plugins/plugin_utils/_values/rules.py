# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for whole values: a kind, and lists and dicts of rules, as the tables of the roles write them.

| In a table | Means |
| --- | --- |
| `port` | the kind of this name |
| `{line: {longest: 64}}` | the kind, with parameters |
| `{list: RULE}` | a list, each element by the rule |
| `{dict: {keys: RULE, values: RULE}}` | a dict |
| `{fields: {name: RULE}}` | a dict with these keys and no others |
| `{optional: RULE}` | by the rule, or empty |
| `{either: [RULE, RULE]}` | by one of the rules |
| `{hidden: RULE}` | by the rule, but the value is never shown |
| `{any: REASON}` | anything; the reason says why it can do no harm |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.kinds import Kind
from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.named import KINDS

MOST = 4096
"""Most elements of a list or dict."""
_SHOWN = 60


class BadTable(Exception):
    """A table of a role is wrong: a mistake of its author, not of the operator."""


@dataclass(frozen=True)
class Refusal:
    """One value that is refused: where it stands (`flower_ntp_servers[1]`), the value, and what it must be."""

    where: str
    value: object
    must: str

    def sentence(self, hidden: bool = False) -> str:
        """The refusal for the operator, without its value if that is a secret."""
        shown = "refused, and not shown since it may be a secret" if hidden else shortened(self.value)
        return f"{self.where} is {shown}; it must be {self.must}"


@dataclass(frozen=True)
class Rule:
    """What a value must be.

    Attributes:
        must: Ends the sentence `it must be ...`.
        refusals: Yields what is refused in a value that stands at a place; raises nothing, whatever the value is.
        examples: Valid values.
        hidden: Whether the value must not be shown.
        reason: Why nothing is judged; empty when something is.
    """

    must: str
    refusals: Callable[[str, object], Iterator[Refusal]]
    examples: tuple[Any, ...]
    hidden: bool = False
    reason: str = ""


def shortened(value: object) -> str:
    """A value for a message: ASCII, so that no character of it acts on a terminal, and short."""
    if isinstance(value, (str, int, float)):
        written = ascii(str(value) if isinstance(value, str) else value) if not _is_huge(value) else "a huge number"
        return written if len(written) <= _SHOWN else f"{written[:_SHOWN]}... ({len(written)} characters)"
    if value is None:
        return "empty"
    if isinstance(value, Mapping):
        return f"a dict of {len(value)}"
    if isinstance(value, Sequence):
        return f"a list of {len(value)}"
    return f"of type {type(value).__name__}"


def _is_huge(value: object) -> bool:
    return isinstance(value, int) and abs(value) >= 10**18


def _at(where: str, key: object) -> str:
    """Where the value of a key stands; the key may be any text that is allowed."""
    return f"{where}.{key}" if re.fullmatch(r"[\w.-]{1,60}", str(key), re.ASCII) else f"{where}[{shortened(key)}]"


def of_kind(kind: Kind) -> Rule:
    """A rule for one value."""

    def refusals(where: str, value: object) -> Iterator[Refusal]:
        if not kind.accepts(value):
            yield Refusal(where, value, kind.must)

    return Rule(kind.must, refusals, kind.examples)


def _list(inner: Rule) -> Rule:
    must = f"a list of at most {MOST} elements, each {inner.must}"

    def refusals(where: str, value: object) -> Iterator[Refusal]:
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)) or len(value) > MOST:
            yield Refusal(where, value, must)
            return
        for index, element in enumerate(value):
            yield from inner.refusals(f"{where}[{index}]", element)

    return Rule(must, refusals, ([], list(inner.examples)), inner.hidden)


def _dict(keys: Rule, values: Rule) -> Rule:
    must = f"a dict of at most {MOST} entries, each key {keys.must}, each value {values.must}"

    def refusals(where: str, value: object) -> Iterator[Refusal]:
        if not isinstance(value, Mapping) or len(value) > MOST:
            yield Refusal(where, value, must)
            return
        for key, element in value.items():
            refused = list(keys.refusals(f"a key of {where}", key))
            yield from refused
            if not refused:
                yield from values.refusals(_at(where, key), element)

    examples = ({}, *({keys.examples[0]: example} for example in values.examples))
    return Rule(must, refusals, examples, keys.hidden or values.hidden)


def _fields(fields: Mapping[str, Rule]) -> Rule:
    must = f"a dict with the keys {', '.join(fields)}"

    def refusals(where: str, value: object) -> Iterator[Refusal]:
        if not isinstance(value, Mapping):
            yield Refusal(where, value, must)
            return
        for key, element in value.items():
            if isinstance(key, str) and key in fields:
                yield from fields[key].refusals(f"{where}.{key}", element)
            else:
                yield Refusal(f"a key of {where}", key, f"one of {', '.join(fields)}")

    example = {name: rule.examples[-1] for name, rule in fields.items()}
    return Rule(must, refusals, (example,), any(rule.hidden for rule in fields.values()))


def _optional(inner: Rule) -> Rule:
    must = f"empty or {inner.must}"

    def refusals(where: str, value: object) -> Iterator[Refusal]:
        if value is None or (isinstance(value, str) and not value):
            return
        for refusal in inner.refusals(where, value):
            yield Refusal(where, refusal.value, must) if refusal.where == where else refusal

    return Rule(must, refusals, ("", *inner.examples), inner.hidden)


def _either(inner: Sequence[Rule]) -> Rule:
    must = " or ".join(rule.must for rule in inner)

    def refusals(where: str, value: object) -> Iterator[Refusal]:
        if all(next(rule.refusals(where, value), None) for rule in inner):
            yield Refusal(where, value, must)

    examples = tuple(example for rule in inner for example in rule.examples)
    return Rule(must, refusals, examples, any(rule.hidden for rule in inner))


def _any(reason: str) -> Rule:
    return Rule("anything", lambda _where, _value: iter(()), ("anything",), reason=reason)


def rule_of(entry: object) -> Rule:
    """The rule that an entry of a table describes.

    Raises:
        BadTable: When the entry describes none.
    """
    if isinstance(entry, str):
        return rule_of({entry: None})
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise BadTable(f"{entry!r} is neither the name of a kind nor one key with what belongs to it")
    [(word, inner)] = entry.items()
    try:
        if word == "list":
            return _list(rule_of(inner))
        if word == "dict":
            return _dict(rule_of(inner["keys"]), rule_of(inner["values"]))
        if word == "fields":
            return _fields({name: rule_of(field) for name, field in inner.items()})
        if word == "optional":
            return _optional(rule_of(inner))
        if word == "either":
            return _either([rule_of(one) for one in inner])
        if word == "hidden":
            rule = rule_of(inner)
            return Rule(rule.must, rule.refusals, rule.examples, hidden=True)
        if word == "any":
            if not isinstance(inner, str) or len(inner) < 10:
                raise BadTable(f"any needs a reason, not {inner!r}")
            return _any(inner)
        kind = KINDS[word](**(inner or {}))
    except (KeyError, TypeError, AttributeError) as error:
        raise BadTable(f"{entry!r}: {type(error).__name__} {error}") from error
    rule = of_kind(kind)
    return Rule(rule.must, rule.refusals, rule.examples, hidden=True) if word == "secret" else rule
