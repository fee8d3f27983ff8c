# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as Markdown that reads well in a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .facts import MARKS, figure, moment_words, report
from .markup import clean

# What Markdown would take for markup, and an HTML renderer for a tag.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#])")


def word(value: object) -> str:
    """Escape a text for one cell or line of Markdown; names such as alpha-supernode-0 stay as they are."""
    return _SPECIAL.sub(r"\\\1", " ".join(clean(value).split()))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table whose columns stand in line."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    rule = ["-" * width for width in widths]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in [head, rule, *rows]]
    return [*("| " + " | ".join(cells) + " |" for cells in lines), ""]


def markdown(data: Mapping[str, Any]) -> str:
    """Return the summary; the same input gives the same text. Raises ReportError for input that lacks something."""
    told = report(data)
    words = told.verdict[1]
    run = told.run
    app = word(f"{run.get('app', 'an app')} {run.get('app_version', '')}")
    state = word(run.get("status", ""))
    lines = [
        f"# Federation {word(data.get('federation', ''))}: {words}",
        "",
        f"Run {word(run.get('run_id', ''))} of {app}, {state}, {moment_words(run.get('finished'))}",
        "",
    ]
    if told.criteria:
        rows = [[MARKS[each.get("passed")].upper(), word(each["title"]), word(each["found"])] for each in told.criteria]
        lines += table(["Result", "Criterion", "Found"], rows)
    rows = [
        [
            str(row["round"]),
            figure(row.get("accuracy"), ".4f"),
            figure(row.get("loss"), ".4f"),
            f"{figure(row.get('nodes'), 'd')} of {len(told.nodes)}",
            figure(row.get("failures"), "d"),
            figure(row.get("seconds"), ".1f"),
        ]
        for row in told.rounds
    ]
    if rows:
        lines += table(["Round", "Accuracy", "Loss", "Nodes", "Failures", "Seconds"], rows)
    if told.certificates:
        rows = [
            [word(each.what), each.until, "-" if each.days is None else str(each.days)] for each in told.certificates
        ]
        lines += table(["Certificate", "Valid until", "Days left"], rows)
    return "\n".join(lines).rstrip("\n") + "\n"
