# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Reading and writing OpenNebula templates."""

from __future__ import annotations

import pytest

from fact8ra_lab.standin.template import Template, TemplateError, parse


def test_simple_and_vector_attributes() -> None:
    template = parse('NAME="a b"\nCPU=0.5\nEMPTY=\nNIC=[network="x", IP = "1.2.3.4"]\nNIC=[]\n# a comment\nLAST="z"')
    assert template["NAME"] == ["a b"]
    assert template["CPU"] == ["0.5"]
    assert template["EMPTY"] == [""]
    assert template["NIC"] == [{"NETWORK": "x", "IP": "1.2.3.4"}, {}]
    assert template["LAST"] == ["z"]


def test_quotes_and_lines_in_a_value() -> None:
    assert parse('A="say \\"hi\\", a=b"\nB="two\nlines"') == {"A": ['say "hi", a=b'], "B": ["two\nlines"]}


def test_lower_case_names_become_upper_case() -> None:
    assert parse('name="x"') == {"NAME": ["x"]}


def test_xml_form() -> None:
    template = parse("<TEMPLATE><NAME>n</NAME><NIC><IP><![CDATA[1.2.3.4]]></IP></NIC></TEMPLATE>")
    assert template == {"NAME": ["n"], "NIC": [{"IP": "1.2.3.4"}]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=[", "unexpected $end, expecting CBRACKET or VARIABLE at line 0, columns 3:4"),
        ('NAME="x\nB=[', "unexpected $end, expecting CBRACKET or VARIABLE at line 1"),
        ("A", "unexpected $end, expecting EQUAL or EQUAL_EMPTY at line 0"),
        ('A=[="x"]', "unexpected EQUAL, expecting CBRACKET or VARIABLE"),
        ('A=[B="x" C="y"]', "unexpected VARIABLE, expecting COMMA or CBRACKET"),
        ("=x", "unexpected EQUAL, expecting $end"),
        ("<A", "XML Error"),
    ],
)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse(text)
    assert message in str(caught.value)


def test_merge_replaces_all_values_of_a_name() -> None:
    template = parse('NIC=[A="1"]\nNIC=[A="2"]\nKEEP="k"')
    template.merge(parse('NIC=[A="3"]'))
    assert template == {"NIC": [{"A": "3"}], "KEEP": ["k"]}


def test_xml_is_sorted_and_survives_the_end_of_cdata() -> None:
    template = Template({"B": ["x]]>y"], "A": [{"Z": "1", "C": "2"}]})
    xml = template.xml()
    assert xml.index("<A>") < xml.index("<B>")
    assert xml.index("<C>") < xml.index("<Z>")
    assert parse(xml) == template
