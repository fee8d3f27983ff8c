# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one HTML page: no script, nothing fetched, fit for light, dark and paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .charts import Line, bar_chart, line_chart
from .diagram import diagram
from .facts import MARKS, Report, figure, moment_words, report, size
from .markup import Child, Markup, el, raw, short
from .style import STYLE

# Rounds that are shown with their figures.
SMALL = 10
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def badge(state: bool | None, words: str) -> Markup:
    """A word with a sign, so that it does not need colour."""
    signs = {True: "\u2713", False: "\u2717", None: "\u2013"}
    kinds = {True: "good", False: "bad", None: "open"}
    return el("span", el("b", signs[state]), " ", words, class_=f"badge {kinds[state]}")


def section(title: str, *children: Child, note: str | None = None) -> Markup:
    """A part of the page."""
    return el("section", el("h2", title), el("p", note, class_="note") if note else None, *children)


def grid(head: Sequence[Child], rows: Sequence[Sequence[Child]], numbers: int = 0, kind: str | None = None) -> Markup:
    """A table; its last `numbers` columns stand to the right."""
    first = len(head) - numbers

    def cells(name: str, row: Sequence[Child]) -> list[Child]:
        return [el(name, cell, class_="number" if index >= first else None) for index, cell in enumerate(row)]

    body: list[Child] = [el("tr", cells("td", row)) for row in rows]
    # Wide tables scroll by themselves, so that the page does not.
    return el(
        "div", el("table", el("thead", el("tr", cells("th", head))), el("tbody", body), class_=kind), class_="scroll"
    )


def tile(label: str, value: str, note: str) -> Markup:
    """One figure that matters."""
    return el(
        "div", el("p", label, class_="label"), el("p", value, class_="big"), el("p", note, class_="note"), class_="tile"
    )


def tiles(told: Report) -> Markup:
    """The figures that matter."""
    last, timings = told.last, told.timings
    central = (told.data.get("criteria") or {}).get("central") or {}
    accuracy = last.get("accuracy")
    gap = None
    if isinstance(accuracy, int | float) and isinstance(central.get("accuracy"), int | float):
        gap = round((central["accuracy"] - accuracy) * 100, 6)
    steady = min((row.get("nodes") or 0 for row in told.rounds), default=0)
    failures = sum(row.get("failures") or 0 for row in told.rounds)
    training = timings.get("training", sum(row.get("seconds") or 0 for row in told.rounds))
    each = training / len(told.rounds) if told.rounds and isinstance(training, int | float) else None
    found = [
        tile("Accuracy", f"{figure(accuracy, '.2%')}", f"after {len(told.rounds)} rounds, on examples no node has"),
        tile("In every round", f"{steady} of {len(told.nodes)}", f"nodes took part, {failures or 'no'} failures"),
        tile("Training", f"{figure(training, '.1f')} s", f"{figure(each, '.1f')} s a round"),
    ]
    if gap is not None:
        price = f"{gap:.2f} pt" if gap > 0 else "none"
        words = "of accuracy behind" if gap > 0 else f"{-gap:.2f} points ahead of" if gap else "the same accuracy as"
        found.insert(1, tile("Price of federation", price, f"{words} central training"))
    if timings.get("ratio") is not None:
        found.append(
            tile(
                "Against bare Flower",
                f"{figure(timings['ratio'], '.2f')}\u00d7",
                f"time of rounds 1 to {timings.get('compared_rounds')}",
            )
        )
    elif told.run.get("bytes_sent") is not None:
        found.append(tile("Traffic", size(told.run["bytes_sent"]), "sent by the SuperLink"))
    return el("div", list[Child](found), class_="tiles")


def criteria(told: Report) -> Markup | None:
    """What was promised, and what came of it."""
    if not told.criteria:
        return None
    rows: list[list[Child]] = [
        [
            badge(each.get("passed"), MARKS[each.get("passed")]),
            [el("strong", each["title"]), el("br"), el("span", each["wanted"], class_="note")],
            each["found"],
        ]
        for each in told.criteria
    ]
    return section("What was promised", grid(["Result", "Promise", "Found"], rows, kind="criteria"))


def charts(told: Report) -> Markup:
    """Accuracy, loss and time by round."""
    labels = [str(row["round"]) for row in told.rounds]
    central = (told.data.get("criteria") or {}).get("central") or {}

    def values(key: str) -> list[float | None]:
        found = [row.get(key) for row in told.rounds]
        return [
            float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None for value in found
        ]

    lines = []
    if isinstance(central.get("accuracy"), int | float):
        lines.append(Line(float(central["accuracy"]), f"central training, {central['accuracy']:.2%}", "reference"))
    figures = [
        ("Accuracy", line_chart("Accuracy by round", labels, values("accuracy"), _percent, lines, (0.0, 1.0), 0.1)),
        ("Loss", line_chart("Loss by round", labels, values("loss"), lambda value: f"{value:.3g}")),
        ("Seconds", bar_chart("Seconds by round", labels, values("seconds"), lambda value: f"{value:.1f}")),
    ]
    key = el("span", f" \u2013 dashed: {lines[0].words}", class_="note") if lines else None
    drawn: list[Child] = [
        el("figure", el("figcaption", title, key if title == "Accuracy" else None), chart) for title, chart in figures
    ]
    return section("Round by round", el("div", drawn, class_="charts"))


def _percent(value: float) -> str:
    return f"{value * 100:.4g}%"


def participation(told: Report) -> Markup | None:
    """Who trained in which round."""
    if not any(row.get("participants") for row in told.rounds):
        return None
    trained = [(row, row.get("training") or {}) for row in told.rounds]
    losses = [
        each["loss"] for _row, nodes in trained for each in nodes.values() if isinstance(each.get("loss"), int | float)
    ]
    high = max(losses, default=0.0)
    # With many rounds there is room for the shades only; the figures are in the titles.
    small = len(told.rounds) > SMALL
    rows: list[list[Child]] = []
    for name in told.nodes:
        cells: list[Child] = [el("span", short(name, 40), title=name)]
        for row, nodes in trained:
            if name not in (row.get("participants") or []):
                where = f"{name} did not take part in round {row['round']}"
                cells.append(el("span", "\u2717" if small else "missing", class_="cell missed", title=where))
                continue
            own = nodes.get(name) or {}
            words = figure(own.get("loss"), ".3f", "\u2713")
            told_more = f"loss {words}, {figure(own.get('seconds'), '.2f')} s on {own.get('examples', '?')} examples"
            cells.append(
                el("span", "" if small else words, class_=f"cell s{shade(own.get('loss'), high)}", title=told_more)
            )
        rows.append(cells)
    note = "The node\u2019s own loss after training in that round; darker is higher." if losses else None
    head: list[Child] = ["SuperNode", *(str(row["round"]) for row in told.rounds)]
    return section("Who took part", grid(head, rows, len(told.rounds), "heat small" if small else "heat"), note=note)


def shade(value: object, high: float) -> int:
    """Return one of four steps of shade: enough to see a slope, and text stays legible on each."""
    return 1 + min(3, int(4 * value / high)) if high > 0 and isinstance(value, int | float) and value >= 0 else 1


def shares(told: Report) -> Markup | None:
    """How the examples lie at the nodes."""
    data = (told.data.get("criteria") or {}).get("data") or {}
    nodes = data.get("nodes") or {}
    if not nodes or not all(isinstance(each.get("classes"), list) for each in nodes.values()):
        return None
    high = max((count for each in nodes.values() for count in each["classes"]), default=0) or 1
    rows: list[list[Child]] = []
    for name in sorted(nodes):
        cells: list[Child] = [el("span", short(name, 40), title=name)]
        for count in nodes[name]["classes"]:
            cells.append(el("span", count, class_=f"cell s{shade(count, high + 1) if count else 0}"))
        cells.append(nodes[name]["examples"])
        rows.append(cells)
    classes = len(next(iter(nodes.values()))["classes"])
    alpha = figure(data.get("alpha"), "g")
    note = f"Examples by class; unequal on purpose (Dirichlet, alpha {alpha}). None lies at two nodes."
    head: list[Child] = ["SuperNode", *(str(index) for index in range(classes)), "all"]
    return section("Where the data lies", grid(head, rows, classes + 1, "heat"), note=note)


def certificates(told: Report) -> Markup | None:
    """Until when the certificates are valid."""
    if not told.certificates:
        return None
    rows: list[list[Child]] = [
        [
            each.what,
            el("span", short(each.subject, 60), title=each.subject),
            each.until,
            "\u2013" if each.days is None else badge(each.days > 30, f"{each.days} days"),
        ]
        for each in told.certificates
    ]
    return section("Certificates", grid(["Of", "Subject", "Valid until", "Left"], rows))


def facts(told: Report) -> Markup:
    """Versions, times and traffic."""
    run, timings = told.run, told.timings
    pairs: list[tuple[str, str]] = [
        (str(name), str(value)) for name, value in (told.data.get("versions") or {}).items()
    ]
    times = [
        ("Run, from submission to end", figure(run.get("seconds"), ".1f") + " s"),
        (
            "Central training",
            figure(timings.get("central"), ".1f") + " s" if timings.get("central") is not None else "",
        ),
        ("Sent by the SuperLink", size(run.get("bytes_sent")) if run.get("bytes_sent") is not None else ""),
        ("Received from SuperNodes", size(run.get("bytes_received")) if run.get("bytes_received") is not None else ""),
    ]
    pairs += [(name, value) for name, value in times if value]
    config = [(str(name), str(value)) for name, value in sorted((run.get("config") or {}).items()) if value != ""]
    parts: list[Child] = [listing(pairs)]
    if config:
        parts += [el("h3", "Configuration of the run"), listing(config)]
    return section("Versions and figures", *parts)


def listing(pairs: Sequence[tuple[str, str]]) -> Markup:
    """Names and values side by side."""
    terms: list[Child] = [el("div", el("dt", name), el("dd", short(value, 60)), class_="pair") for name, value in pairs]
    return el("dl", terms, class_="pairs")


def page(data: Mapping[str, Any]) -> str:
    """Return the page; the same input gives the same text. Raises ReportError for input that lacks something."""
    told = report(data)
    good, words = told.verdict
    run = told.run
    name = str(data.get("federation", ""))
    title = f"Federation {name}"
    app = f"{run.get('app', 'app')} {run.get('app_version', '')}".strip()
    head = el(
        "header",
        el(
            "div",
            el("p", data.get("title") or "Report", class_="label"),
            el("h1", short(title, 60)),
            el("p", f"{app}, run {run.get('run_id', '')}, {moment_words(run.get('finished'))}", class_="note"),
        ),
        badge(good, words),
    )
    count = len(data["sites"])
    where = f"{count} site{'' if count == 1 else 's'}, {len(told.nodes)} SuperNodes, which dial the SuperLink."
    note = f"{where} Nothing dials a SuperNode but SSH, and its data stays with it."
    picture = section("The federation", diagram(data["sites"], data["superlink"]), note=note)
    body = el(
        "main",
        head,
        tiles(told),
        picture,
        criteria(told),
        charts(told),
        participation(told),
        shares(told),
        certificates(told),
        facts(told),
    )
    top: list[Child] = [
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title}: {words}"),
        el("style", raw(STYLE)),
    ]
    return "<!DOCTYPE html>\n" + el("html", el("head", top), el("body", body), lang="en").text + "\n"
