# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that judge what the layers of a federation tell of its GPUs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.fact8ra.flower.plugins.plugin_utils._gpu_validation.row import Row
from ansible_collections.fact8ra.flower.plugins.plugin_utils._gpu_validation.table import judge, table

_CELLS = ("layer", "host", "check", "result", "found", "cure")


def gpu_validate_rows(data: object) -> list[Row]:
    """Return a row for each check of each layer; raises AnsibleFilterError if the input is no dictionary."""
    if not isinstance(data, Mapping):
        raise AnsibleFilterError(f"gpu_validate_rows takes a dictionary of the layers; this is {type(data).__name__}")
    return judge(data)


def gpu_validate_table(rows: object) -> list[str]:
    """Return rows as lines of at most 92 columns; raises AnsibleFilterError if they lack a cell."""
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) and {*_CELLS} <= {*row} for row in rows):
        raise AnsibleFilterError(f"gpu_validate_table takes rows that have {', '.join(_CELLS)}")
    return table([{cell: str(row[cell]) for cell in _CELLS} for row in rows])


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"gpu_validate_rows": gpu_validate_rows, "gpu_validate_table": gpu_validate_table}
