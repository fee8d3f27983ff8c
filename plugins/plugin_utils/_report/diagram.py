# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The federation as a picture: the SuperLink's site on the left, the other sites on the right, and who reaches whom."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .markup import Child, Markup, el, number, short

WIDTH = 980.0
NODE_HEIGHT, STEP = 50.0, 60.0
LINK_HEIGHT = 74.0
PAD, HEAD = 16.0, 42.0
LEFT_WIDTH = 288.0
GAP = 18.0
# Room between the SuperLink and the node below it.
DROP = 46.0
# Nodes of a site that are drawn; the rest is counted.
MOST = 8
# Up to so many nodes a site stand in one column.
COLUMN = 3

WORDS = {True: "online", False: "not online", None: "not known"}
KINDS = {True: "on", False: "off", None: "unknown"}
TLS = "TLS, own key each"


def _box(
    x: float, y: float, width: float, height: float, kind: str, name: object, line: str, state: bool | None
) -> Markup:
    # Not by colour alone: what is not online says so.
    line = line if state else f"{line}, {WORDS[state]}"
    letters = int((width - 44) / 8.2)
    return el(
        "g",
        el("title", f"{name}: {line}"),
        el("rect", x=x, y=y, width=width, height=height, rx=8, class_=kind),
        el("text", short(name, letters), x=x + 14, y=y + height / 2 - 4, class_="name"),
        el("text", short(line, letters + 4), x=x + 14, y=y + height / 2 + 14, class_="line"),
        el("circle", cx=x + width - 16, cy=y + height / 2, r=5, class_=f"state {KINDS[state]}"),
    )


def _nodes(
    nodes: Sequence[Mapping[str, Any]], x: float, y: float, width: float, columns: int
) -> tuple[list[Child], float]:
    """Return the boxes of the nodes, in columns that fill the width, and their height."""
    shown = list(nodes[: MOST - 1]) if len(nodes) > MOST else list(nodes)
    each = (width - PAD * (columns - 1)) / columns
    parts: list[Child] = []

    def place(index: int) -> tuple[float, float, float, float]:
        return x + (index % columns) * (each + PAD), y + (index // columns) * STEP, each, NODE_HEIGHT

    for index, node in enumerate(shown):
        kind = "SuperNode " if node.get("online") else ""
        line = f"{kind}{node.get('address') or ''}".strip()
        parts.append(_box(*place(index), "node", node["name"], line, node.get("online")))
    count = len(shown)
    if rest := nodes[count:]:
        online = sum(1 for node in rest if node.get("online"))
        words = f"{online} of them online"
        parts.append(_box(*place(count), "node", f"and {len(rest)} more", words, online == len(rest)))
        count += 1
    return parts, math.ceil(count / columns) * STEP


def _panel(x: float, y: float, width: float, height: float, name: object, nodes: Sequence[object]) -> list[Child]:
    words = f"{len(nodes)} SuperNode{'' if len(nodes) == 1 else 's'}"
    return [
        el("rect", x=x, y=y, width=width, height=height, rx=12, class_="site"),
        el("text", short(name, 20), x=x + PAD, y=y + 27, class_="sitename"),
        el("text", words, x=x + width - PAD, y=y + 27, text_anchor="end", class_="line"),
    ]


def _edge(start: tuple[float, float], end: tuple[float, float]) -> Markup:
    """A line from a site's panel to the SuperLink, level at both ends."""
    middle = number((start[0] + end[0]) / 2)
    (x1, y1), (x2, y2) = ((number(x), number(y)) for x, y in (start, end))
    return el("path", d=f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}", class_="edge", marker_end="url(#arrow)")


def _several(home: Mapping[str, Any], others: Sequence[Mapping[str, Any]], link_y: float) -> tuple[list[Child], float]:
    """The sites of a federation that spans more than one, and its height."""
    own: Sequence[Mapping[str, Any]] = home.get("nodes") or []
    columns = 1 if max(len(site["nodes"]) for site in others) <= COLUMN else 2
    width = LEFT_WIDTH if columns == 1 else 506.0
    x, y = WIDTH - width, 0.0
    local, used = _nodes(own, PAD, link_y + LINK_HEIGHT + DROP, LEFT_WIDTH - 2 * PAD, 1)
    least = link_y + LINK_HEIGHT + (DROP + used if own else PAD)
    panels: list[Child] = []
    edges: list[Child] = []
    for index, site in enumerate(others):
        boxes, used = _nodes(site["nodes"], x + PAD, y + HEAD + 8, width - 2 * PAD, columns)
        # One other site is as high as the SuperLink's own: two that face each other.
        height = max(HEAD + 8 + used, least if len(others) == 1 else 0.0)
        panels += [*_panel(x, y, width, height, site["name"], site["nodes"]), *boxes]
        # Each line has a place of its own at the SuperLink, so that they do not run into one.
        target = link_y + LINK_HEIGHT * (index + 1) / (len(others) + 1)
        entry = target if len(others) == 1 else y + height / 2
        edges.append(_edge((x, entry), (LEFT_WIDTH - PAD, target)))
        y += height + GAP
    total = max(least, y - GAP)
    # Above the first line, where no other passes.
    high = link_y + LINK_HEIGHT / 2 - 10 if len(others) == 1 else link_y - 8
    edges.append(el("text", TLS, x=(LEFT_WIDTH + x) / 2, y=high, text_anchor="middle", class_="line"))
    if own:
        middle, top = LEFT_WIDTH / 2, link_y + LINK_HEIGHT
        down = f"M{number(middle)} {number(top + DROP)} V{number(top)}"
        edges.append(el("path", d=down, class_="edge", marker_end="url(#arrow)"))
        edges.append(el("text", TLS, x=middle + 12, y=top + DROP / 2 + 8, class_="line"))
    return [*_panel(0.0, 0.0, LEFT_WIDTH, total, home["name"], own), *panels, *edges, *local], total


def _single(home: Mapping[str, Any], link_y: float) -> tuple[list[Child], float]:
    """The one site of a federation, and its height."""
    own: Sequence[Mapping[str, Any]] = home.get("nodes") or []
    columns = 1 if len(own) <= COLUMN else 2
    width = LEFT_WIDTH - 2 * PAD if columns == 1 else 480.0
    x = WIDTH - PAD - width
    boxes, used = _nodes(own, x, HEAD + 8, width, columns)
    total = max(HEAD + 8 + used, link_y + LINK_HEIGHT + PAD)
    parts = _panel(0.0, 0.0, WIDTH, total, home["name"], own)
    if own:
        centre = link_y + LINK_HEIGHT / 2
        middle = HEAD + 8 + (used - STEP + NODE_HEIGHT) / 2
        parts.append(_edge((x - 10, middle), (LEFT_WIDTH - PAD, centre)))
        between = (x - 10 + LEFT_WIDTH - PAD) / 2
        parts.append(el("text", TLS, x=between, y=min(centre, middle) - 12, text_anchor="middle", class_="line"))
    return [*parts, *boxes], total


def diagram(sites: Sequence[Mapping[str, Any]], superlink: Mapping[str, Any]) -> Markup:
    """Draw the federation.

    Args:
        sites: Sites with `name` and `nodes`, each node with `name`, `address` and `online` (true, false or null).
        superlink: `name`, `site`, `address`, `port` and `online` of the SuperLink.

    Returns:
        An SVG element.
    """
    nowhere = {"name": superlink.get("site") or ""}
    home = next((site for site in sites if site["name"] == superlink.get("site")), nowhere)
    others = [site for site in sites if site is not home and site.get("nodes")]
    link_y = HEAD + 8
    parts, total = _several(home, others, link_y) if others else _single(home, link_y)
    where = f"{superlink.get('address') or ''}:{superlink.get('port') or ''}".strip(":")
    words, state = f"SuperLink {where}", superlink.get("online")
    width = LEFT_WIDTH - 2 * PAD
    parts.append(_box(PAD, link_y, width, LINK_HEIGHT, "link", superlink.get("name") or "", words, state))
    arrow = el("path", d="M0 0 L8 4 L0 8 z", class_="tip")
    marker = el(
        "marker", arrow, id="arrow", viewBox="0 0 8 8", refX=7, refY=4, markerWidth=5, markerHeight=5, orient="auto"
    )
    return el(
        "svg",
        el("title", "The sites of the federation, their hosts and the connections between them"),
        el("defs", marker),
        parts,
        viewBox=f"-1 -1 {number(WIDTH + 2)} {number(total + 2)}",
        role="img",
        class_="diagram",
    )
