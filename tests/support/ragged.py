# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Recorded answers of OpenNebula, damaged: parts are missing, empty, repeated, nested, or something else."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hypothesis import strategies as st

RECORDING = Path(__file__).parents[1] / "contract" / "opennebula-7.4.0.jsonl"


@functools.cache
def _recorded() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RECORDING.read_text(encoding="utf-8").splitlines()]


@functools.cache
def answers(method: str) -> list[str]:
    """Return the XML that a method of oned answered, the longest first."""
    found = {str(each["result"]) for each in _recorded() if each.get("method") == method and each.get("ok")}
    assert found, f"nothing is recorded of {method}"
    return sorted(found, key=len, reverse=True)[:5]


@functools.cache
def documents(kind: str) -> list[str]:
    """Return the JSON texts of documents of OneFlow, the longest first."""
    texts = {json.dumps(found) for each in _recorded() for found in _documents_in(each)}
    kinds = [text for text in texts if json.loads(text)["TYPE"] == kind]
    assert kinds, f"no document of type {kind} is recorded"
    return sorted(kinds, key=lambda text: (len(text), text), reverse=True)[:5]


def _documents_in(value: Any) -> list[Any]:
    if isinstance(value, dict):
        here = [value] if {"ID", "NAME", "TYPE", "TEMPLATE"} <= value.keys() else []
        return here + [found for item in value.values() for found in _documents_in(item)]
    if isinstance(value, list):
        return [found for item in value for found in _documents_in(item)]
    return []


def _drop(parent: ElementTree.Element, at: int) -> None:
    parent.remove(parent[at])


def _empty(parent: ElementTree.Element, at: int) -> None:
    parent[at] = ElementTree.Element(parent[at].tag)


def _repeat(parent: ElementTree.Element, at: int) -> None:
    parent.insert(at, copy.deepcopy(parent[at]))


def _nest(parent: ElementTree.Element, at: int) -> None:
    outer = ElementTree.Element(parent[at].tag)
    outer.append(copy.deepcopy(parent[at]))
    parent[at] = outer


def _text(parent: ElementTree.Element, at: int) -> None:
    parent[at] = ElementTree.Element(parent[at].tag)
    parent[at].text = "text"


DAMAGE: tuple[Callable[[ElementTree.Element, int], None], ...] = (_drop, _empty, _repeat, _nest, _text)


@st.composite
def damaged_xml(draw: st.DrawFn, method: str, element: str) -> ElementTree.Element:
    """Return an answer in which anything may be damaged but the ID and the NAME of the objects."""
    root = ElementTree.fromstring(draw(st.sampled_from(answers(method))))
    for _time in range(draw(st.integers(0, 8))):
        places = [
            (parent, at)
            for parent in root.iter()
            for at, child in enumerate(parent)
            if child.tag != element and not (parent.tag == element and child.tag in ("ID", "NAME"))
        ]
        if places:
            draw(st.sampled_from(DAMAGE))(*draw(st.sampled_from(places)))
    return root


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "text", "7", 0, 7, -1, True, 1.5, [], {}, [[]], [{}], ["text"]]
)


@st.composite
def damaged_document(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Return a document of OneFlow in which anything below its body may be damaged."""
    found: dict[str, Any] = json.loads(draw(st.sampled_from(documents(kind))))
    body = found["TEMPLATE"]["BODY"]
    for _time in range(draw(st.integers(1, 8))):
        places = list(_places(body))
        parent, key = draw(st.sampled_from(places))
        damage = draw(st.sampled_from(["drop", "junk", "one", "many"]))
        if damage == "drop":
            del parent[key]
        elif damage == "junk":
            parent[key] = copy.deepcopy(draw(JUNK))
        elif damage == "one" and isinstance(parent[key], list) and parent[key]:
            parent[key] = parent[key][0]
        else:
            parent[key] = [parent[key], copy.deepcopy(parent[key])]
        if not body:
            break
    return found


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((value, key), *_places(value[key]))]
