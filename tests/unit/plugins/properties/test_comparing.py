# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The laws that changed, diff and check mode rest on."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import (
    canonical,
    differing,
    matches,
    overlay,
    project,
    scalar,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import normalise

# few keys and values, so that the two sides meet often
KEYS = st.sampled_from(["a", "b", "c"])
SCALARS = st.sampled_from([None, "", "1", "x", 0, True])
LISTS = st.lists(SCALARS, max_size=2)
STATES = st.dictionaries(
    KEYS,
    st.recursive(SCALARS | LISTS, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6),
    max_size=3,
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
TEMPLATES = st.dictionaries(
    st.sampled_from(["a", "A", "b", "C_1"]),
    st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)),
    max_size=4,
)


@given(STATES, STATES)
def test_nothing_differs_exactly_when_it_matches(current: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert (differing(current, wanted) == {}) == matches(current, wanted)


@given(STATES, STATES)
def test_what_was_applied_matches_and_is_not_applied_again(current: dict[str, Any], wanted: dict[str, Any]) -> None:
    after = overlay(current, wanted)
    assert matches(after, wanted)
    assert differing(after, wanted) == {}
    assert overlay(after, wanted) == after


@given(STATES, STATES)
def test_applying_only_what_differs_is_enough(current: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert matches(overlay(current, differing(current, wanted)), wanted)


@given(STATES, STATES)
def test_what_nobody_spoke_of_stays(current: dict[str, Any], wanted: dict[str, Any]) -> None:
    after = overlay(current, wanted)
    assert {key: value for key, value in after.items() if key not in wanted} == {
        key: value for key, value in current.items() if key not in wanted
    }


@given(STATES, STATES)
def test_a_projection_decides_as_the_whole_does(current: dict[str, Any], wanted: dict[str, Any]) -> None:
    part = project(current, wanted)
    assert part.keys() <= wanted.keys()
    assert project(part, wanted) == part
    assert differing(part, wanted) == differing(current, wanted)


@given(STATES, STATES)
def test_comparing_changes_neither_side(current: dict[str, Any], wanted: dict[str, Any]) -> None:
    before = repr(current), repr(wanted)
    differing(current, wanted)
    overlay(current, wanted)
    project(current, wanted)
    assert (repr(current), repr(wanted)) == before


@given(TEMPLATES)
def test_bringing_a_template_into_form_twice_changes_nothing(template: dict[str, Any]) -> None:
    once = normalise(template)
    assert normalise(once) == once
    assert canonical(canonical(template)) == canonical(template)


@given(VALUES)
def test_a_scalar_is_text_once_and_for_all(value: Any) -> None:
    assert isinstance(scalar(value), str)
    assert scalar(scalar(value)) == scalar(value)
    assert "\r" not in scalar(value)
