# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The page and the summary: complete, the same for the same input, and safe with hostile names."""

from __future__ import annotations

import copy
import html.parser
import itertools
import json
import re
from typing import Any

import pytest

from ansible_collections.fact8ra.flower.plugins.plugin_utils._report.facts import ReportError, moment_words, size
from ansible_collections.fact8ra.flower.plugins.plugin_utils._report.page import page
from ansible_collections.fact8ra.flower.plugins.plugin_utils._report.summary import markdown

VOID = {"meta", "br"}
FETCHING = {"script", "link", "img", "iframe", "object", "embed", "form", "a", "base"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "]]></style><script>alert(1)</script>",
    "</title></svg><iframe src=//example.org>",
    "javascript:alert(1)",
    "| cell | breaks | out |\n# heading",
    "{{ lookup('pipe', 'id') }}",
    "\u202eright to left\x00",
]


class Reader(html.parser.HTMLParser):
    """Reads a page strictly: what is opened is closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the element."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the element that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text.append(data)


def read(text: str) -> Reader:
    """Parse a page."""
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def test_everything_is_told(data: dict[str, Any]) -> None:
    text = " ".join(read(page(data)).text)
    for wanted in (
        "Federation poc", "1 of 1 criteria met", "93.00%", "1.00 pt", "2 of 2", "18.0 s", "1.10\u00d7", "alpha", "beta",
        "alpha-superlink-0", "SuperLink 10.71.1.10:8443", "beta-supernode-0", "SuperNode 10.71.2.10", "not tried",
        "central training, 94.00%", "CN=link", "2026-12-01", "6 days", "1.41.0", "3.0 MiB", "2026-11-24 07:21 UTC",
    ):  # fmt: skip
        assert wanted in text, wanted
    assert "results-path" not in text


def test_nothing_is_fetched_or_run(data: dict[str, Any]) -> None:
    reader = read(page(data))
    assert not {tag for tag, _attributes in reader.tags} & FETCHING
    for tag, attributes in reader.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in {"src", "href", "xlink:href", "style", "action"}, (tag, name)
            assert name != "content" or "http" not in (value or "")
    style = page(data).split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    policies = [each["content"] for _tag, each in reader.tags if each.get("http-equiv") == "Content-Security-Policy"]
    assert [(policy or "").split(";")[0] for policy in policies] == ["default-src 'none'"]


def test_light_dark_and_paper_are_provided_for(data: dict[str, Any]) -> None:
    text = page(data)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    used = set(re.findall(r"var\((--[\w-]+)\)", text))
    light = set(re.findall(r"(--[\w-]+):", text.split("@media")[0]))
    assert used <= light


def test_the_same_input_gives_the_same_text(data: dict[str, Any]) -> None:
    again = json.loads(json.dumps(copy.deepcopy(data)))
    for make in (page, markdown):
        assert make(data) == make(again)


def names_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all texts in the input, but the certificate's."""
    if isinstance(value, str):
        return [] if path[-1] == "pem" else [path]
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [found for key, each in pairs for found in names_of(each, (*path, key))]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_of_the_input_becomes_markup(data: dict[str, Any], hostile: str) -> None:
    wanted = [tag for tag, _attributes in read(page(data)).tags]
    for path in names_of(data):
        poisoned = copy.deepcopy(data)
        place = poisoned
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = hostile
        reader = read(page(poisoned))
        tags = {tag for tag, _attributes in reader.tags}
        assert tags <= {*wanted, "p"}, path
        assert not [name for _tag, attributes in reader.tags for name in attributes if name.startswith("on")], path
        lines = markdown(poisoned).splitlines()
        assert "# heading" not in lines, path
        assert not [line for line in lines if re.search(r"(?<!\\)<", line)], path


def test_a_hostile_node_is_shown_by_its_name(data: dict[str, Any]) -> None:
    data["sites"][1]["nodes"][0]["name"] = "<b>node</b>"
    for row in data["run"]["rounds"]:
        row["participants"][1] = "<b>node</b>"
    reader = read(page(data))
    assert "<b>node</b>" in "".join(reader.text)
    assert page(data).count("&lt;b&gt;node&lt;/b&gt;") >= 4


def test_tables_of_the_summary_have_as_many_cells_in_each_line(data: dict[str, Any]) -> None:
    data["criteria"]["criteria"][0]["found"] = "a | b \\ c `d`"
    blocks = [block for block in markdown(data).split("\n\n") if block.startswith("|")]
    assert len(blocks) == 3
    for block in blocks:
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.strip().splitlines()}
        assert len(counts) == 1


def test_a_failed_criterion_decides(data: dict[str, Any]) -> None:
    data["criteria"]["criteria"][0]["passed"] = False
    assert "0 of 1 criteria met" in page(data)
    assert 'class="badge bad"' in page(data)
    assert "FAILED" in markdown(data)


def test_without_criteria_the_run_decides(data: dict[str, Any]) -> None:
    data["criteria"] = {}
    assert "run completed" in page(data)
    data["run"]["status"] = "finished:failed"
    assert "run finished:failed" in page(data)
    assert 'class="badge bad"' in page(data)


def test_who_missed_a_round_is_marked(data: dict[str, Any]) -> None:
    assert "missing" not in read(page(data)).text
    data["run"]["rounds"][1]["participants"] = ["alpha-supernode-0"]
    assert read(page(data)).text.count("missing") == 1
    titles = [attributes.get("title") for _tag, attributes in read(page(data)).tags]
    assert "beta-supernode-0 did not take part in round 2" in titles


def test_who_is_not_online_is_said_in_words(data: dict[str, Any]) -> None:
    data["sites"][1]["nodes"][0]["online"] = False
    assert "10.71.2.10, not online" in "".join(read(page(data)).text)


@pytest.mark.parametrize("sizes", [[1], [9], [0, 1], [3, 4, 30], [1, 1, 1, 1, 1, 1, 1, 1]])
def test_no_host_lies_upon_another(data: dict[str, Any], sizes: list[int]) -> None:
    data["sites"] = [
        {"name": f"s{i}", "nodes": [{"name": f"s{i}-{k}", "address": "10.0.0.1", "online": True} for k in range(size)]}
        for i, size in enumerate(sizes)
    ]
    data["superlink"]["site"] = "s0"
    boxes = []
    width = height = 0.0
    for tag, attributes in read(page(data)).tags:
        if tag == "svg" and attributes.get("class") == "diagram":
            width, height = (float(part) for part in (attributes["viewbox"] or "").split()[2:])
        if tag == "rect" and attributes.get("class") in {"node", "link"}:
            x, y, w, h = (float(attributes[key] or "") for key in ("x", "y", "width", "height"))
            assert x >= 0
            assert y >= 0
            assert x + w <= width
            assert y + h <= height
            boxes.append((x, y, x + w, y + h))
    assert len(boxes) == 1 + sum(min(size, 8) for size in sizes)
    for one, two in itertools.combinations(boxes, 2):
        assert one[2] <= two[0] or two[2] <= one[0] or one[3] <= two[1] or two[3] <= one[1]


def test_a_run_without_rounds_is_reported(data: dict[str, Any]) -> None:
    data["run"].update(rounds=[], status="finished:failed")
    data["criteria"] = None
    read(page(data))
    assert "run finished:failed" in markdown(data)


def test_an_app_that_knows_nothing_of_the_protocol_is_reported(data: dict[str, Any]) -> None:
    data["run"]["rounds"] = [{"round": 1, "nodes": 2, "failures": 0, "loss": None, "accuracy": None, "seconds": None}]
    text = "".join(read(page(data)).text)
    assert "No round reported a value." in text
    assert "Who took part" not in text


@pytest.mark.parametrize("key", ["run", "sites", "superlink"])
def test_what_is_missing_is_named(data: dict[str, Any], key: str) -> None:
    del data[key]
    with pytest.raises(ReportError, match=f"the report needs {key}"):
        page(data)


def test_a_certificate_that_is_none_is_named(data: dict[str, Any]) -> None:
    data["certificates"][0]["pem"] = "nothing"
    with pytest.raises(ReportError, match="certificate of SuperLink"):
        page(data)


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 1024**3, "3.0 GiB"), (None, "\u2013")]
)
def test_sizes(value: object, words: str) -> None:
    assert size(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("2026-11-24T08:21:44+01:00", "2026-11-24 07:21 UTC"),
        ("2026-11-24 07:21:44.123456+00:00", "2026-11-24 07:21 UTC"),
        ("2026-11-24T07:21:44", "2026-11-24 07:21 UTC"),
        ("", "time not known"),
        (None, "time not known"),
    ],
)
def test_times(value: object, words: str) -> None:
    assert moment_words(value) == words
