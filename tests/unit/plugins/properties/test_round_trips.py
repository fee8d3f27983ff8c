# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Any text comes back from OpenNebula as it was sent, or is refused before."""

from __future__ import annotations

import json
import re
import xmlrpc.client
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target, _parsed
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import (
    contents,
    legacy_body,
    parse_contents,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_plain
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import UNREADABLE, normalise, render
from fact8ra_lab.standin.template import parse
from fact8ra_lab.standin.testing import StandIn

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
# what the grammar of templates, XML and JSON care about comes often
AWKWARD = st.sampled_from(
    ['"', "\\", '\\"', "]", "[", ",", "=", "#", "\n", "\r", "\r\n", "\t", " ", "<", "&", "]]", ">"]
)
TEXTS = st.lists(AWKWARD | st.text(max_size=3), max_size=8).map("".join)
STORABLE = TEXTS.filter(lambda text: "]]>" not in text and not UNREADABLE.search(text))
VECTORS = st.dictionaries(NAMES, STORABLE, max_size=3)
TEMPLATES = st.dictionaries(NAMES, STORABLE | VECTORS | st.lists(STORABLE | VECTORS, max_size=3), max_size=4)


def _as_lists(template: dict[str, Any]) -> dict[str, list[Any]]:
    """A normalised template as the stand-in's parser has it."""
    lists = {name: value if isinstance(value, list) else [value] for name, value in template.items()}
    return {name: value for name, value in lists.items() if value != [None]}


@given(TEMPLATES)
@example({"A": "ends with \\"})
@example({"A": {"B": '\\"'}, "B": ["x\\", "]"]})
def test_a_template_is_read_as_it_was_written(template: dict[str, Any]) -> None:
    wanted = normalise(template)
    seen = {name: [value or "" for value in values] for name, values in parse(render(wanted)).items()}
    assert seen == _as_lists(wanted)


@given(TEMPLATES)
@example({"A": "CR\rLF"})
@example({"A": {}})
@example({"A": ["one"]})
def test_a_template_comes_back_through_xml_as_it_is_compared(template: dict[str, Any]) -> None:
    wanted = normalise(template)
    # once as oned stores it, and once as its answer is sent
    answered = xmlrpc.client.loads(xmlrpc.client.dumps((parse(render(wanted)).xml(),)))[0][0]
    seen = normalise(as_plain(ElementTree.fromstring(str(answered))))
    assert seen == {name: value for name, value in wanted.items() if value is not None}


@given(NAMES, TEXTS)
def test_what_cannot_be_stored_is_refused_and_named(name: str, text: str) -> None:
    kept = "]]>" not in text and not UNREADABLE.search(text)
    if kept:
        render({name: text})
        return
    with pytest.raises(InvalidInput, match=re.escape(name)):
        render({name: text})


@given(st.text())
def test_only_names_of_the_grammar_are_written(name: str) -> None:
    try:
        text = render({name: "value"})
    except InvalidInput:
        return
    assert parse(text) == {name.upper(): ["value"]}


@given(TEMPLATES)
@example({"A": '\\"'})
@example({"A": ["one", "two"]})
@example({"A": [{}, {"B": "\\"}]})
def test_the_contents_of_a_role_are_read_from_the_text_that_6_x_takes(template: dict[str, Any]) -> None:
    wanted = {name: value for name, value in normalise(template).items() if value is not None}
    try:
        text = legacy_body({"roles": [{"name": "web", "template_contents": wanted}]})["roles"][0][
            "vm_template_contents"
        ]
    except InvalidInput:
        assert any(value.endswith("\\") for value in _texts_of(wanted))
        return
    # OneFlow appends lines of its own
    assert normalise(parse(f"{text}\nSERVICE_ID = 7")) == {**wanted, "SERVICE_ID": "7"}
    assert normalise(parse_contents(text)) == wanted
    assert contents(text) == parse_contents(text)


def _texts_of(value: Any) -> list[str]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [text for each in inner for text in _texts_of(each)]


@given(
    st.dictionaries(
        TEXTS,
        st.recursive(TEXTS | st.integers(), lambda inner: st.lists(inner, max_size=2) | VECTORS, max_leaves=4),
        max_size=3,
    )
)
def test_a_body_comes_back_through_json_as_it_is(body: dict[str, Any]) -> None:
    assert _parsed(json.dumps(body).encode()) == body


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client of a stand-in that all examples share."""
    with StandIn() as standin:
        yield Client(Target(standin.endpoint, *standin.admin))


@limits(max_examples=40)
@given(STORABLE, TEMPLATES)
def test_an_object_has_the_texts_that_were_given(client: Client, description: str, template: dict[str, Any]) -> None:
    given_ = {f"X_{name.upper()}": value for name, value in template.items()}
    wanted = normalise({**given_, "DESCRIPTION": description})
    number = client.call("template.allocate", render({"NAME": "vm", **wanted}), what="create it")
    try:
        seen = normalise(client.call("template.info", number, False, False, what="read it")["TEMPLATE"])
    finally:
        client.call("template.delete", number, False, what="delete it")
    assert {name: seen.get(name) for name in wanted} == wanted


@limits(max_examples=40)
@given(TEXTS.filter(lambda text: bool(text.strip()) and len(text) < 100))
def test_a_name_is_the_one_that_was_given_or_refused(client: Client, name: str) -> None:
    number = client.call("template.allocate", render({"NAME": "first"}), what="create it")
    try:
        client.call("template.rename", number, name, what="rename it")
        # XML knows one end of a line only
        sent = name.replace("\r\n", "\n").replace("\r", "\n")
        assert client.call("template.info", number, False, False, what="read it")["NAME"] == sent
    except InvalidInput:
        assert UNREADABLE.search(name)
    except Refused as error:
        # the server's own rule for names, which is told
        if name.isalnum() or "Invalid NAME" not in error.message:
            raise
    finally:
        client.call("template.delete", number, False, what="delete it")
