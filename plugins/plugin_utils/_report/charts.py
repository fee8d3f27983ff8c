# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small charts as inline SVG; colours come from the page's style sheet, so they follow light, dark and print."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .markup import Child, Markup, el, number

WIDTH, HEIGHT = 380.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 16.0, 16.0, 36.0


@dataclass(frozen=True)
class Line:
    """A horizontal line to compare with: its value, its words, and its class in the style sheet."""

    value: float
    words: str
    kind: str


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round values that cover low to high, at most `most` steps apart by 1, 2 or 5 times a power of ten."""
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"an axis from {low} to {high} cannot be drawn")
    if high <= low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999999)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _frame(
    labels: Sequence[str], marks: Sequence[float], words: Callable[[float], str], x: Callable[[int], float]
) -> tuple[Callable[[float], float], list[Child]]:
    low, high = marks[0], marks[-1]

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - (value - low) / (high - low))

    parts: list[Child] = []
    for mark in marks:
        parts.append(el("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(mark), y2=y(mark), class_="grid"))
        parts.append(el("text", words(mark), x=LEFT - 8, y=y(mark) + 4, text_anchor="end", class_="tick"))
    # With many rounds only some are named, always the first and the last.
    every = max(1, math.ceil(len(labels) / 12))
    for index, label in enumerate(labels):
        left = len(labels) - 1 - index
        if not left or (index % every == 0 and left >= every):
            parts.append(el("text", label, x=x(index), y=HEIGHT - BOTTOM + 18, text_anchor="middle", class_="tick"))
    parts.append(el("text", "round", x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 2, text_anchor="middle", class_="tick"))
    return y, parts


def _svg(title: str, parts: list[Child]) -> Markup:
    return el(
        "svg",
        el("title", title),
        parts,
        viewBox=f"0 0 {number(WIDTH)} {number(HEIGHT)}",
        role="img",
        aria_label=title,
        class_="chart",
    )


def line_chart(
    title: str,
    labels: Sequence[str],
    values: Sequence[float | None],
    words: Callable[[float], str],
    lines: Sequence[Line] = (),
    bounds: tuple[float, float] | None = None,
    span: float = 0.0,
) -> Markup:
    """Draw one value a round; a round without a value is a gap.

    The axis stays within `bounds` and is at least `span` long, so that noise does not look like a trend. Without bounds
    it begins at 0.
    """
    known = [value for value in values if value is not None]
    if not known:
        return el("p", "No round reported a value.", class_="none")
    everything = [*known, *(line.value for line in lines)]
    low, high = min(everything), max(everything)
    margin = (high - low) * 0.12
    if bounds is None:
        low, high = min(0.0, low), max(high + margin, span)
    else:
        low, high = max(bounds[0], low - margin), min(bounds[1], high + margin)
        low = max(bounds[0], min(low, high - span))
        high = min(bounds[1], max(high, low + span))
    width = WIDTH - LEFT - RIGHT

    def x(index: int) -> float:
        return LEFT + width * ((index + 0.5) / len(labels))

    marks = ticks(low, high)
    if bounds is not None:
        marks = [mark for mark in marks if bounds[0] - 1e-9 <= mark <= bounds[1] + 1e-9]
    y, parts = _frame(labels, marks, words, x)
    for line in lines:
        level = y(line.value)
        parts.append(
            el("line", el("title", line.words), x1=LEFT, x2=WIDTH - RIGHT, y1=level, y2=level, class_=line.kind)
        )
    strokes: list[list[str]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            strokes.append([])
        else:
            strokes[-1].append(f"{number(x(index))},{number(y(value))}")
    parts += [el("polyline", points=" ".join(stroke), class_="series") for stroke in strokes if len(stroke) > 1]
    for index, value in enumerate(values):
        if value is not None:
            told = f"round {labels[index]}: {words(value)}"
            parts.append(el("circle", el("title", told), cx=x(index), cy=y(value), r=4, class_="dot"))
    return _svg(title, parts)


def bar_chart(
    title: str,
    labels: Sequence[str],
    values: Sequence[float | None],
    words: Callable[[float], str],
) -> Markup:
    """Draw one bar a round, from 0."""
    known = [value for value in values if value is not None]
    if not known:
        return el("p", "No round reported a value.", class_="none")
    width = WIDTH - LEFT - RIGHT

    def x(index: int) -> float:
        return LEFT + width * ((index + 0.5) / len(labels))

    high = max(known)
    y, parts = _frame(labels, ticks(0.0, (high or 1.0) * 1.08), lambda value: f"{value:.3g}", x)
    bar_width = min(44.0, width / len(labels) * 0.6)
    for index, value in enumerate(values):
        if value is None:
            continue
        top = y(max(value, 0.0))
        told = f"round {labels[index]}: {words(value)}"
        parts.append(
            el(
                "rect",
                el("title", told),
                x=x(index) - bar_width / 2,
                y=top,
                width=bar_width,
                height=max(y(0.0) - top, 0.5),
                rx=3,
                class_="bar",
            )
        )
        if len(labels) <= 12:
            parts.append(el("text", words(value), x=x(index), y=top - 5, text_anchor="middle", class_="value"))
    return _svg(title, parts)
