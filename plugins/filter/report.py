# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that make the report of a federation and a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.fact8ra.flower.plugins.plugin_utils._report.facts import ReportError
from ansible_collections.fact8ra.flower.plugins.plugin_utils._report.page import page
from ansible_collections.fact8ra.flower.plugins.plugin_utils._report.summary import markdown


def _made(make: Callable[[Mapping[str, Any]], str], data: object) -> str:
    if not isinstance(data, Mapping):
        raise AnsibleFilterError(
            f"the report is made of a dict with run, sites and superlink; this is {type(data).__name__}"
        )
    try:
        return make(data)
    except ReportError as error:
        raise AnsibleFilterError(str(error)) from error
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise AnsibleFilterError(f"the report cannot be made: {type(error).__name__} {error}") from error


def report_html(data: object) -> str:
    """Return the report as an HTML page; raises AnsibleFilterError naming what the input lacks."""
    return _made(page, data)


def report_markdown(data: object) -> str:
    """Return the report as Markdown; raises AnsibleFilterError naming what the input lacks."""
    return _made(markdown, data)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"report_html": report_html, "report_markdown": report_markdown}
