# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement as a whole and as a table for a terminal. Private to this collection."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from . import above, below
from .row import FAILED, OK, UNCHECKED, WARNING, Row

WIDTH = 92  # of a terminal's 100 columns; Ansible indents what it prints by 8
_HEAD = ("LAYER", "HOST", "CHECK", "RESULT", "FOUND, AND -> WHAT TO DO")
_KEYS = ("layer", "host", "check", "result", "found")
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
    """Return the rows as lines of at most WIDTH characters; what to do stands below its row, after an arrow."""
    widths = [
        min(limit, max(map(len, [head, *(row[key] for row in rows)])))
        for head, key, limit in zip(_HEAD, _KEYS, _LIMITS, strict=False)
    ]
    widths.append(WIDTH - sum(widths) - 2 * len(widths))
    below = " " * (widths[0] + 2)
    lines = _line(_HEAD, widths)
    lines += ["  ".join("-" * width for width in widths)]
    layer = ""
    for row in rows:
        lines += _line([row["layer"] if row["layer"] != layer else "", *(row[key] for key in _KEYS[1:])], widths)
        layer = row["layer"]
        if row["cure"]:
            lines += textwrap.wrap(row["cure"], WIDTH, initial_indent=f"{below}-> ", subsequent_indent=f"{below}   ")
    return lines


def _line(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, widths, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in itertools.zip_longest(*wrapped, fillvalue="")
    ]
