# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML and SVG elements that cannot be broken out of: every text and every attribute is escaped where it is written."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TypeAlias

_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9:-]*")
# Characters that neither HTML nor XML may hold, and those that turn the direction of the text around them.
_UNFIT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)
_VOID = frozenset({"meta", "br", "col"})
_SPACED = frozenset(
    {"svg", "section", "table", "tr", "thead", "tbody", "div", "p", "h2", "figure", "main", "footer", "header"}
)

Value: TypeAlias = "str | int | float"


@dataclass(frozen=True)
class Markup:
    """Text that is HTML already; only `el` and `raw` make it."""

    text: str


Child: TypeAlias = "Markup | str | int | float | list[Child] | None"


def clean(text: object) -> str:
    """Return the text without characters that a page cannot show."""
    return _UNFIT.sub("\ufffd", str(text))


def number(value: float) -> str:
    """Return a coordinate with at most two decimals, the same on every machine."""
    return f"{value:.2f}".rstrip("0").rstrip(".") if value else "0"


def raw(text: str) -> Markup:
    """Take a constant of this package, such as the style sheet, as it is."""
    return Markup(text)


def _flat(children: tuple[Child, ...]) -> str:
    parts = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            parts.append(child.text)
        elif isinstance(child, list):
            parts.append(_flat(tuple(child)))
        else:
            parts.append(html.escape(clean(child), quote=False))
    return "".join(parts)


def el(tag: str, /, *children: Child, **attributes: Value | None) -> Markup:
    """Return an element.

    Attribute names lose a trailing underscore and get dashes for underscores, so `class_` and `text_anchor` can be
    written; numbers are coordinates. An attribute of None is left out. Raises ValueError for a tag that is none.
    """
    if not _NAME.fullmatch(tag):
        raise ValueError(f"{tag!r} is no name of an element")
    written = []
    for key, value in attributes.items():
        if value is None:
            continue
        shown = number(value) if isinstance(value, float) else clean(value)
        written.append(f' {key.removesuffix("_").replace("_", "-")}="{html.escape(shown)}"')
    start = f"<{tag}{''.join(written)}>"
    end = "" if tag in _VOID else f"</{tag}>"
    return Markup(f"{start}{_flat(children)}{end}" + ("\n" if tag in _SPACED else ""))


def short(text: object, most: int) -> str:
    """Return the text, with its middle left out if it is longer than `most` characters."""
    cleaned = clean(text)
    if len(cleaned) <= most:
        return cleaned
    head = (most - 1) // 2
    return f"{cleaned[: most - 1 - head]}\u2026{cleaned[len(cleaned) - head :]}"
