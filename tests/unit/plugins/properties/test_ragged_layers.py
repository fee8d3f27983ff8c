# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Whatever a layer answers of its GPUs is judged, and fits a terminal."""

from __future__ import annotations

import json
from typing import Any

from gpu_layers import whole
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.fact8ra.flower.plugins.filter.gpu_validate import FilterModule

rows_of = FilterModule().filters()["gpu_validate_rows"]
table_of = FilterModule().filters()["gpu_validate_table"]

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats()
ANY = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
)


def paths(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places in nested data."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [before, *(path for key, child in children for path in paths(child, (*before, key)))][bool(not before) :]


@settings(max_examples=150)
@given(path=st.sampled_from(paths(whole())), value=ANY)
def test_whatever_a_host_answers_is_judged(path: tuple[Any, ...], value: Any) -> None:
    data: Any = whole()
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    rows = rows_of(data)
    assert rows
    json.dumps(rows)
    assert max(map(len, table_of(rows))) <= 92
