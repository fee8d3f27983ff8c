# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What stands between a card and a VM, in words; private to the collection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Problem = dict[str, str]
"""C(code) is stable between releases; C(kind) is C(blocks), C(role) (role nvidia_host puts it right) or C(warning)."""

BLOCKS, ROLE, WARNING = "blocks", "role", "warning"


def problem(code: str, kind: str, message: str, cure: str) -> Problem:
    """Return a problem."""
    return {"code": code, "kind": kind, "message": message, "cure": cure}


def blocked(problems: Iterable[Problem]) -> bool:
    """Whether one of the problems needs somebody's hand."""
    return any(one["kind"] == BLOCKS for one in problems)


def clear(problems: Iterable[Problem]) -> bool:
    """Whether nothing is left to do, by hand or by the role."""
    return all(one["kind"] == WARNING for one in problems)


def listed(items: Iterable[Any]) -> str:
    """Return items as a list in a sentence, at most eight of them."""
    names: list[str] = [str(item) for item in items]
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more
