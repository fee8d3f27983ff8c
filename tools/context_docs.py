# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/contextualization.md, between their marks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import context_forms
import role_docs

START = "<!-- variables, written by `make docs` -->"
END = "<!-- end of variables -->"
ASKED = {
    "service": "service",
    "role": "{kinds}",
    "vm": "a VM alone",
}
Must = Callable[[str, str], str]


class PageError(Exception):
    """The page lacks the marks that the tables stand between."""


def _allowed(entry: dict[str, Any], must: str) -> str:
    """What the text of a value may be, from what the rule says of the typed value."""
    if entry["type"] == "list":
        return "one or more with spaces or commas between them, each " + must.partition(", each ")[2]
    if entry["type"] == "dict":
        return "key=value, one or more with spaces or commas between them; true, false and numbers are taken as such"
    return "YES or NO" if entry["type"] == "bool" else must


def _row(name: str, entry: dict[str, Any], must: Must) -> str:
    kinds = " and ".join({"superlink": "SuperLink", "supernode": "SuperNode"}[kind] for kind in entry["becomes"])
    roles = {f"`{option}` ({role})": None for role, option in entry["becomes"].values()}
    allowed = _allowed(entry, must(*next(iter(entry["becomes"].values()))))
    if entry["secret"]:
        allowed += "; never shown"
    if entry["unit"]:
        allowed += f" ({entry['unit']})"
    cells = (
        f"`{name.removeprefix(context_forms.PREFIX)}`",
        entry["input"],
        f"`{entry['default']}`" if entry["default"] else "",
        entry["form"],
        allowed,
        kinds,
        ASKED[entry["ask"]].format(kinds=kinds),
        ", ".join(roles),
    )
    return "| " + " | ".join(role_docs.cell(cell) for cell in cells) + " |"


def page(found: str, table: dict[str, Any], must: Must) -> str:
    """The page with its tables made anew.

    Raises:
        PageError: When a mark is missing.
    """
    if START not in found or END not in found:
        raise PageError(f"docs/contextualization.md: the marks {START} and {END} are missing")
    before, rest = found.split(START, 1)
    after = rest.split(END, 1)[1]
    lines = [
        "| ONEAPP_FLOWER_ | Form | Default | Meaning | May be | Read by | Asked for by | Becomes |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(_row(name, entry, must) for name, entry in table["variables"].items()),
        "",
        "| Set by every VM template | Value |",
        "| --- | --- |",
        *(f"| `{name}` | `{value}` |" for name, value in table["standard"].items()),
    ]
    return f"{before}{START}\n\n" + "\n".join(lines) + f"\n\n{END}{after}"
