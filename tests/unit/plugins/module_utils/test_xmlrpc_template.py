# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Templates are written so that oned's grammar, as the stand-in has it, reads the same values back."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import from_options, normalise, render
from fact8ra_lab.standin.template import parse

NASTY = [
    "plain",
    "",
    " blanks around ",
    'say "hi", a=b',
    "two\nlines\n",
    "brackets [x] and ]",
    "# no comment",
    "back\\slash",
    'a backslash before \\" a quote',
    "C:\\",
    "\\",
    'ends in \\"',
    "<xml attr='1'>&amp;</xml>",
    "$USER[SSH_PUBLIC_KEY]",
    "O|text|Role| |supernode",
    "ünïcödé ✓",
    "\ttab",
    'A=[B="C"]',
]


def test_the_text_is_what_the_recorded_calls_have() -> None:
    assert (
        render({"NAME": "flower-a", "vn_mad": "dummy", "AR": [{"type": "IP4", "ip": "10.9.1.10", "size": 50}]})
        == 'NAME="flower-a"\nVN_MAD="dummy"\nAR=[TYPE="IP4",IP="10.9.1.10",SIZE="50"]'
    )
    assert render({"DESCRIPTION": 'say "hi", a=b'}) == 'DESCRIPTION="say \\"hi\\", a=b"'


@pytest.mark.parametrize("value", NASTY)
def test_values_survive_the_way_to_the_server(value: str) -> None:
    template = {"FIRST": value, "VECTOR": {"A": value, "B": "x"}, "RULE": [{"A": value}, {"A": "y"}], "LAST": "z"}
    read = parse(render(template))
    assert dict(read) == {
        "FIRST": [value],
        "VECTOR": [{"A": value, "B": "x"}],
        "RULE": [{"A": value}, {"A": "y"}],
        "LAST": ["z"],
    }


def test_repeated_names_scalars_and_none() -> None:
    assert render({"A": [1, True], "B": None, "C": {"X": None, "Y": 0}, "D": []}) == 'A="1"\nA="YES"\nC=[Y="0"]'


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ({"BAD NAME": 1}, "'BAD NAME' cannot be the name"),
        ({"A": {"B-C": 1}}, "'B-C' cannot be the name"),
        ({"": 1}, "'' cannot be the name"),
        ({"1ST": 1}, "'1ST' cannot be the name"),
        ({"A": {"B": {"C": 1}}}, r"A\.B is \{'C': 1\}; an OpenNebula template holds only text there"),
        ({"A": [[1]]}, r"A is \[1\]; an OpenNebula"),
        ({"SCRIPT": "if [[ a ]]>b"}, r"SCRIPT contains '\]\]>'"),
        ({"A": {"B": "nul\0"}}, r"A\.B contains a control character"),
    ],
)
def test_what_opennebula_cannot_keep_is_refused(template: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        render(template)


def test_templates_are_compared_in_one_form() -> None:
    users = {"cpu": 0.1, "context": {"network": True, "x": None}, "nic": [{"network_id": 0}], "disk": []}
    servers = {"CPU": "0.1", "CONTEXT": {"NETWORK": "YES"}, "NIC": {"NETWORK_ID": "0"}, "DISK": ""}
    assert normalise(users) == {
        "CPU": "0.1",
        "CONTEXT": [{"NETWORK": "YES"}],
        "NIC": [{"NETWORK_ID": "0"}],
        "DISK": None,
    }
    assert {**normalise(servers), "DISK": None} == normalise(users)
    assert normalise("") == {}


OPTIONS = {"mtu": "MTU", "dns": "DNS"}


def test_options_and_attributes_make_one_template() -> None:
    params = {"mtu": 1450, "dns": None, "attributes": {"Description": "x", "gone": None, "Dns": "1.1.1.1"}}
    assert from_options(params, OPTIONS, {}) == {"MTU": "1450", "DESCRIPTION": "x", "GONE": None, "DNS": "1.1.1.1"}
    assert from_options({"mtu": None, "dns": None, "attributes": None}, OPTIONS, {}) == {}


@pytest.mark.parametrize("attribute", ["mtu", "Mtu", "NAME"])
def test_an_attribute_that_has_an_option_is_refused(attribute: str) -> None:
    params = {"mtu": 1450, "dns": None, "attributes": {attribute: 1}}
    with pytest.raises(InvalidInput, match=rf"attributes has {attribute.upper()}, which is set by the option"):
        from_options(params, OPTIONS, {"NAME": "name"})
