# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a role: from its table (meta/allowed_values.yml), and from its argument specs where they say enough.

Options of the types int, float and bool, and options with choices, need no entry in the table; one there narrows them.
Options with no_log are never shown.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.rules import BadTable, Refusal, Rule, rule_of

ROLES = Path(__file__).parents[3] / "roles"
_OF_TYPE = {"int": "integer", "float": "number", "bool": "boolean"}
# Reads a role's files in a tenth of the time, where PyYAML has it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8") as stream:
            loaded: dict[str, Any] = yaml.load(stream, Loader=_LOADER)
    except FileNotFoundError as error:
        raise BadTable(f"{path} does not exist") from error
    return loaded


def options_of(role: str, entry_point: str | None = None) -> dict[str, Mapping[str, Any]]:
    """Options of a role by name: of one entry point, or of all of them.

    Raises:
        BadTable: When the role or the entry point does not exist.
    """
    specs = _read(ROLES / role / "meta" / "argument_specs.yml")["argument_specs"]
    if entry_point is not None and entry_point not in specs:
        raise BadTable(f"role {role} has no entry point {entry_point}; it has {', '.join(sorted(specs))}")
    entry_points = specs.values() if entry_point is None else [specs[entry_point]]
    return {name: option for spec in entry_points for name, option in spec.get("options", {}).items()}


def table_of(role: str) -> dict[str, Any]:
    """The role's table as it is written.

    Raises:
        BadTable: When the role has none.
    """
    return _read(ROLES / role / "meta" / "allowed_values.yml") or {}


def _rule(option: Mapping[str, Any], entry: object) -> Rule | None:
    if entry is not None:
        rule = rule_of(entry)
    elif "choices" in option and option.get("type", "str") != "list":
        rule = rule_of({"words": {"allowed": list(option["choices"])}})
    elif option.get("type") in _OF_TYPE:
        rule = rule_of(_OF_TYPE[option["type"]])
    else:
        return None
    return replace(rule, hidden=True) if option.get("no_log") else rule


def _nothing(role: str) -> Rule:
    must = f"in roles/{role}/meta/allowed_values.yml, which does not say what it may be"

    def refusals(where: str, value: object) -> Iterator[Refusal]:
        yield Refusal(where, value, must)

    return Rule(must, refusals, (), hidden=True)


@functools.cache
def rules_of(role: str, entry_point: str | None = None) -> Mapping[str, Rule]:
    """Rules of a role's options by name; one that the table does not cover allows nothing.

    Raises:
        BadTable: When there is no such role, entry point or table, or the table cannot be read.
    """
    table = table_of(role)
    rules = {name: _rule(option, table.get(name)) for name, option in options_of(role, entry_point).items()}
    return {name: rule or _nothing(role) for name, rule in rules.items()}


def flaws_of(role: str) -> list[str]:
    """What is wrong with a role's table: options without a rule, and entries that are no options.

    Raises:
        BadTable: As `rules_of`.
    """
    every, table = options_of(role), table_of(role)
    return [f"{name} is no option" for name in sorted(set(table) - set(every))] + [
        f"{name} is not covered" for name, option in every.items() if _rule(option, table.get(name)) is None
    ]
