# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What counts as a difference."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fact8ra.flower.plugins.module_utils import _compare as compare


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1450, "1450"),
        (True, "YES"),
        (False, "NO"),
        (2.0, "2"),
        (0.1, "0.1"),
        ("1.10", "1.10"),
        (None, ""),
        ("a\r\nb", "a\nb"),
    ],
)
def test_scalars_are_text_as_the_server_keeps_it(value: Any, text: str) -> None:
    assert compare.scalar(value) == text


def test_names_are_in_capitals_and_none_stays() -> None:
    assert compare.canonical({"mtu": 1450, "Nic": [{"network_id": 0}], "gone": None}) == {
        "MTU": "1450",
        "NIC": [{"NETWORK_ID": "0"}],
        "GONE": None,
    }


@pytest.mark.parametrize(
    ("current", "wanted", "fits"),
    [
        ({"a": "1", "b": "2"}, {"a": "1"}, True),
        ({"a": "1"}, {"a": "2"}, False),
        ({}, {"a": ""}, False),
        ({}, {"a": None}, True),
        ({"a": ""}, {"a": None}, True),
        ({"a": "0"}, {"a": None}, False),
        ({"a": 0}, {"a": None}, False),
        ({"a": False}, {"a": None}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
        ({"a": "text"}, {"a": {"b": "1"}}, False),
        ({"a": {"b": "1", "c": "2"}}, {"a": {"b": "1"}}, True),
    ],
)
def test_only_what_is_wanted_is_compared(current: Any, wanted: Any, fits: bool) -> None:
    assert compare.matches(current, wanted) is fits
    assert (compare.differing(current, wanted) == {}) is fits


def test_differences_are_as_small_as_possible() -> None:
    current = {"t": {"A": "1", "B": "2"}, "n": "x", "l": [1]}
    wanted = {"t": {"A": "1", "B": "3"}, "n": "x", "l": [2]}
    assert compare.differing(current, wanted) == {"t": {"B": "3"}, "l": [2]}


def test_projection_shows_the_part_that_is_spoken_of() -> None:
    assert compare.project({"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"x": 9}, "c": 1}) == {"a": {"x": 1}}


def test_overlay_applies_and_removes() -> None:
    current = {"a": {"x": 1, "y": 2}, "b": 3}
    assert compare.overlay(current, {"a": {"y": None, "z": 4}, "b": None, "c": {"d": 0}}) == {
        "a": {"x": 1, "z": 4},
        "c": {"d": 0},
    }
    assert current == {"a": {"x": 1, "y": 2}, "b": 3}
