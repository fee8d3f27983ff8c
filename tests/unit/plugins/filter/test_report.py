# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The report's filters: what they make, and how they fail. The report itself is tested in tests/unit/report."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.fact8ra.flower.plugins.filter.report import FilterModule, report_html, report_markdown

DATA: dict[str, Any] = {
    "federation": "poc",
    "run": {"run_id": "1", "status": "finished:completed", "rounds": []},
    "sites": [{"name": "alpha", "nodes": [{"name": "node", "address": "10.0.0.1", "online": True}]}],
    "superlink": {"name": "link", "site": "alpha"},
}


def test_both_forms_are_made() -> None:
    assert report_html(DATA).startswith("<!DOCTYPE html>")
    assert report_markdown(DATA).startswith("# Federation poc: run completed\n")
    assert set(FilterModule().filters()) == {"report_html", "report_markdown"}


@pytest.mark.parametrize("make", [report_html, report_markdown])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("text", "this is str"),
        ({}, "the report needs run"),
        (DATA | {"sites": [{"name": "alpha", "nodes": [{}]}]}, "cannot be made: KeyError 'name'"),
        (DATA | {"certificates": [{"what": "SuperLink", "pem": "x"}]}, "certificate of SuperLink"),
    ],
)
def test_wrong_input_is_named(make: Any, data: object, said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        make(data)


def test_figures_that_cannot_be_drawn_are_no_traceback() -> None:
    row = {"round": 1, "participants": ["node"], "training": {"node": {"loss": 1.7e308}}}
    with pytest.raises(AnsibleFilterError, match="cannot be made: OverflowError"):
        report_html(DATA | {"run": {"rounds": [row]}})
