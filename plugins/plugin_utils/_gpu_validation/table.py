# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement as a whole and as a table for a terminal. Private to this collection."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from . import above, below
from .row import FAILED, OK, UNCHECKED, WARNING, Row

WIDTH = 92  # of a terminal's 100 columns; Ansible indents what it prints by 8
_HEAD = ("LAYER", "HOST", "CHECK", "RESULT", "FOUND, AND WHAT TO DO")
_KEYS = ("layer", "host", "check", "result")
_LIMITS = (10, 18, 14, 11)
_LAYERS = (
    below.hosts,
    below.opennebula,
    below.vms,
    above.guests,
    above.flower,
    above.trained,
    above.federation,
)


def judge(data: Mapping[str, Any]) -> list[Row]:
    """Return the rows of all layers, in the order of the way of a GPU to a round."""
    return [row for layer in _LAYERS for row in layer(data)]


def summary(rows: Sequence[Row]) -> dict[str, int]:
    """Return how many rows have which result."""
    return {result: sum(row["result"] == result for row in rows) for result in (OK, WARNING, FAILED, UNCHECKED)}


def table(rows: Sequence[Row]) -> list[str]:
    """Return the rows as lines of at most WIDTH characters, long texts wrapped within their column."""
    widths = [
        min(limit, max(map(len, [head, *(row[key] for row in rows)])))
        for head, key, limit in zip(_HEAD, _KEYS, _LIMITS, strict=False)
    ]
    widths.append(WIDTH - sum(widths) - 2 * len(widths))
    lines = _line(_HEAD, widths)
    lines += ["  ".join("-" * width for width in widths)]
    before = ""
    for row in rows:
        told = row["found"] + (f" -> {row['cure']}" if row["cure"] else "")
        layer = row["layer"] if row["layer"] != before else ""
        before = row["layer"]
        lines += _line([layer, *(row[key] for key in _KEYS[1:]), told], widths)
    return lines


def _line(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, widths, strict=True)]
    height = max(map(len, wrapped))
    return [
        "  ".join(
            (column[number] if number < len(column) else "").ljust(width)
            for column, width in zip(wrapped, widths, strict=True)
        ).rstrip()
        for number in range(height)
    ]
