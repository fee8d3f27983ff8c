# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that hold an inventory against the argument specs of the collection's roles."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError

_ROLES = Path(__file__).parents[2] / "roles"

# Below this likeness (difflib's ratio) a name is taken for the operator's own variable and left alone.
_MISTYPED = 0.85


@functools.cache
def _specs(role: str) -> dict[str, dict[str, Any]]:
    path = _ROLES / role / "meta" / "argument_specs.yml"
    if not path.is_file():
        raise AnsibleFilterError(f"role {role} has no argument specs at {path}")
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    specs: dict[str, dict[str, Any]] = loaded["argument_specs"]
    return specs


def role_options(role: str, entry_point: str = "main") -> dict[str, Any]:
    """Options of a role's entry point, without their defaults.

    Args:
        role: Short name of a role of this collection.
        entry_point: Name of the entry point.

    Returns:
        Option name to its specification. Defaults are left out: they may be templates, which only the role can resolve.

    Raises:
        AnsibleFilterError: When the role or the entry point does not exist.
    """
    specs = _specs(role)
    if entry_point not in specs:
        raise AnsibleFilterError(f"role {role} has no entry point {entry_point}; it has {', '.join(sorted(specs))}")
    return {
        name: {key: value for key, value in option.items() if key != "default"}
        for name, option in specs[entry_point].get("options", {}).items()
    }


def mistyped_variables(names: Iterable[str]) -> list[str]:
    """Names that are so near to a variable of the collection, without being one, that they can only be mistyped.

    Args:
        names: Names of the variables that the inventory defines.

    Returns:
        Sentences for the operator, in the order of the names; empty when no name looks mistyped.

    Raises:
        AnsibleFilterError: When the names are not a list of strings.
    """
    if isinstance(names, str):
        raise AnsibleFilterError("mistyped_variables takes a list of names, not a string")
    roles = sorted(path.parents[1].name for path in _ROLES.glob("*/meta/argument_specs.yml"))
    declared = sorted({name for role in roles for spec in _specs(role).values() for name in spec.get("options", {})})
    prefixes = tuple({name.partition("_")[0] + "_" for name in declared if not name.startswith("_")})
    messages: list[str] = []
    for name in sorted(set(names) - set(declared)):
        near = difflib.get_close_matches(name, declared, n=1, cutoff=_MISTYPED) if name.startswith(prefixes) else []
        messages.extend(f"{name} is not a variable of this collection; did you mean {known}?" for known in near)
    return messages


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names of the filters and the functions behind them."""
        return {"mistyped_variables": mistyped_variables, "role_options": role_options}
