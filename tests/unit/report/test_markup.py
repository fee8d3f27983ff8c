# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Elements that cannot be broken out of, and charts whose figures are right."""

from __future__ import annotations

import re

import pytest

from ansible_collections.fact8ra.flower.plugins.plugin_utils._report.charts import Line, bar_chart, line_chart, ticks
from ansible_collections.fact8ra.flower.plugins.plugin_utils._report.markup import Markup, el, number, short


def test_texts_and_attributes_are_escaped() -> None:
    made = el("span", "<b>&", title='"><script>').text
    assert made == '<span title="&quot;&gt;&lt;script&gt;">&lt;b&gt;&amp;</span>'


def test_what_a_page_cannot_show_is_replaced() -> None:
    assert el("span", "a\x00b\x1b[31m\u202ec\ud800").text == "<span>a\ufffdb\ufffd[31m\ufffdc\ufffd</span>"


def test_children_and_attributes_of_none_are_left_out() -> None:
    made = el("text", None, [Markup("<i/>"), 3], x=1.0, y=None, class_="a", text_anchor="end").text
    assert made == '<text x="1" class="a" text-anchor="end"><i/>3</text>'


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no name of an element"):
        el("a b")


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0"), (-0.0, "0"), (1.0, "1"), (1.5, "1.5"), (2 / 3, "0.67"), (100.0, "100")]
)
def test_numbers_are_short(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(("text", "shown"), [("abc", "abc"), ("abcdefgh", "ab\u2026gh"), ("", "")])
def test_long_names_lose_their_middle(text: str, shown: str) -> None:
    assert short(text, 5) == shown


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.88, 1.0, [0.85, 0.9, 0.95, 1.0]),
        (0.0, 7.0, [0.0, 2.0, 4.0, 6.0, 8.0]),
        (3.0, 3.0, [3.0, 4.0, 5.0, 6.0]),
    ],
)
def test_ticks_are_round_and_cover_the_values(low: float, high: float, wanted: list[float]) -> None:
    found = ticks(low, high)
    assert found == pytest.approx(wanted)
    assert found[0] <= low
    assert found[-1] >= high - 1e-9


@pytest.mark.parametrize("high", [float("nan"), float("inf")])
def test_an_axis_without_end_is_refused(high: float) -> None:
    with pytest.raises(ValueError, match="cannot be drawn"):
        ticks(0.0, high)


def points(svg: str) -> list[tuple[float, float]]:
    """The points of the chart's lines."""
    found = " ".join(re.findall(r'points="([^"]*)"', svg)).split()
    return [(float(x), float(y)) for x, y in (point.split(",") for point in found)]


def test_a_better_value_stands_higher() -> None:
    svg = line_chart("t", ["1", "2", "3"], [0.2, 0.5, 0.9], str, bounds=(0.0, 1.0)).text
    heights = [y for _x, y in points(svg)]
    assert heights == sorted(heights, reverse=True)
    assert [x for x, _y in points(svg)] == sorted(x for x, _y in points(svg))


def test_a_missing_round_is_a_gap() -> None:
    svg = line_chart("t", ["1", "2", "3", "4"], [0.1, 0.2, None, 0.4], str).text
    assert len(points(svg)) == 2
    assert svg.count("<circle") == 3


def test_the_reference_is_drawn_where_its_value_is() -> None:
    svg = line_chart("t", ["1", "2"], [0.5, 0.5], str, [Line(0.5, "central", "reference")], (0.0, 1.0)).text
    (height,) = re.findall(r'y1="([0-9.]+)"[^>]*class="reference"', svg)
    assert {y for _x, y in points(svg)} == {float(height)}


def test_small_changes_do_not_fill_the_chart() -> None:
    svg = line_chart("t", ["1", "2"], [0.990, 0.992], str, bounds=(0.0, 1.0), span=0.1).text
    (_unused, first), (_unused, second) = points(svg)
    assert 0 < first - second < 10


def test_bars_begin_at_0() -> None:
    svg = bar_chart("t", ["1", "2"], [2.0, 4.0], str).text
    low, high = sorted(float(height) for height in re.findall(r'<rect[^>]* height="([0-9.]+)"', svg))
    assert high == pytest.approx(2 * low, abs=0.02)


@pytest.mark.parametrize("chart", [line_chart, bar_chart])
def test_without_values_there_are_words(chart: object) -> None:
    assert callable(chart)
    assert "No round reported a value" in chart("t", ["1"], [None], str).text
