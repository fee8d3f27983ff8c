# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The file pci.conf of a front-end: entries come and go, whatever form the file has, and all else stays."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.fact8ra.flower.plugins.filter.pci_conf import pci_conf, pci_conf_device_names, pci_lent
from ansible_collections.fact8ra.flower.plugins.plugin_utils._pci_conf import MARK, takes

GPU = "10de:20b5:0302"
# the settings of the file that comes with OpenNebula, with some of its comments
SHIPPED = """\
# This option specifies the main filters for PCI card monitoring.
#   :filter:
#     - '10de:*'      # all NVIDIA VGA cards
:filter: '0:0'

# exact PCI addresses
:short_address: []

:device_name: []

:nvidia_vendors:
  - '10de'
"""


def read(text: str, key: str = ":filter") -> Any:
    """A value as the probe has it: all its entries."""
    value = yaml.safe_load(text)[key]
    return [part.strip() for item in ([value] if isinstance(value, str) else value) for part in str(item).split(",")]


def test_the_file_that_comes_with_opennebula() -> None:
    edited = pci_conf(SHIPPED, [GPU], ["41:00.0"])
    assert edited == SHIPPED.replace(":filter: '0:0'\n", f"{MARK}{GPU}\n:filter: '0:0,{GPU}'\n")
    assert pci_conf(edited, [GPU], ["41:00.0"]) == edited
    assert pci_conf(edited, [], [], "absent") == SHIPPED


FORMS = {
    "text": ":filter: '8086:*'\n",
    "text with a comment": ':filter: "8086:*,1000:*"   # network cards\n',
    "plain text": ":filter: 8086:10fb\n",
    "a number for YAML": ":filter: 0:0\n",
    "list": ":filter:\n  - '8086:*'   # one\n  - '*:10d3'  # two\n:short_address: []\n",
    "list that is not indented": ":filter:\n- '8086:*'\n- '*:10d3,1000:*'\n",
    "list at the end without a newline": ":short_address: []\n:filter:\n    - 8086:*",
    "list with a comment behind": ":filter:\n  - '8086:*'\n  # - '10de:*'\n\n# more\n:device_name: []\n",
    "flow": ":filter: ['8086:*', \"1000:*\"] # both\n",
    "empty flow": ":filter: []\n",
    "flow over lines": ":filter: [\n  '8086:*', # one\n  '1000:*', # two\n]\n:short_address: []\n",
    "twice": ":filter: '0:0'\n:filter: '8086:*'\n",
    "commented": "# :filter: '10de:*'\n:device_name: []\n",
    "no symbol": "filter: '10de:*'\n':filter': '10de:*'\n",
    "nothing": "",
    "only comments": "# nothing here\n#:filter: '10de:*'",
    "a document": "---\n:filter: '8086:*'\n...\n",
    "end of a document": "%YAML 1.1\n---\n:device_name: []\n...\n",
    "two documents": ":device_name: []\n---\n:filter: '10de:*'\n",
    "CRLF": "# cards\r\n:filter:\r\n  - '8086:*' # one\r\n:short_address: []\r\n",
    "CRLF without a key": ":short_address: []\r\n",
    "byte order mark": "\ufeff:filter: '8086:*'\n",
    "quotes": ":filter: '8086:*'\n:device_name:\n  - 'it''s'\n  - \"USB.*\\\"\"\n",
    "tagged": ":filter: !!str 8086:*\n:other: !ruby/regexp '/x/'\n",
    "not ASCII": ":filter: '8086:*' # Karten für Netze\n",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_forms(text: str) -> None:
    edited = pci_conf(text, [GPU, "10de:2330:0302"], [])
    first = next(iter(yaml.compose_all(edited.removeprefix("\ufeff"), Loader=yaml.SafeLoader)))
    value = [node for key, node in first.value if key.value == ":filter" and not key.style][-1]
    entries = [value.value] if isinstance(value, yaml.ScalarNode) else [item.value for item in value.value]
    split = [part for entry in entries for part in entry.split(",")]
    assert split[-2:] == [GPU, "10de:2330:0302"]
    for line in text.splitlines():
        if "#" in line:
            assert any(line[line.index("#") :] in each for each in edited.splitlines()), "comments stay"
    assert ("\r" in edited) == ("\r" in text)
    assert edited.count("\r") in (0, edited.count("\n")), "all lines end alike"
    assert pci_conf(edited, [GPU, "10de:2330:0302"]) == edited, "once is enough"
    undone = pci_conf(edited, [], [], "absent")
    assert GPU not in undone
    assert MARK not in undone
    assert pci_conf(undone, [], [], "absent") == undone


RESTORED = ("text with a comment", "list", "list that is not indented", "list with a comment behind", "CRLF", "quotes")


@pytest.mark.parametrize("form", RESTORED)
def test_undo_restores_the_entries(form: str) -> None:
    before = read(FORMS[form])
    assert read(pci_conf(pci_conf(FORMS[form], [GPU]), [], [], "absent")) == before


@pytest.mark.parametrize("form", ["list", "list with a comment behind", "CRLF"])
def test_undo_of_a_list_restores_the_file(form: str) -> None:
    assert pci_conf(pci_conf(FORMS[form], [GPU]), [], [], "absent") == FORMS[form]


@pytest.mark.parametrize(
    "have", ["10de:*", "*:*", "10de:20b5", "10DE:20B5:0302", "8086:*, 10de::0302", "::0302", ":", GPU]
)
def test_what_is_let_through_is_not_added(have: str) -> None:
    text = f":filter: '{have}'\n"
    assert pci_conf(text, [GPU]) == text
    assert pci_conf(text, [], [], "absent") == text, "the operator's entry is not ours"


@pytest.mark.parametrize("have", ["10de", "0:0", "10de:20b5:0300", "10de:20b50"])
def test_what_lspci_would_not_take_is_no_help(have: str) -> None:
    assert read(pci_conf(f":filter: '{have}'\n", [GPU])) == [have, GPU]
    assert not takes(have, GPU)


@pytest.mark.parametrize("text", [":filter:\n", ":filter: ~\n:short_address: []\n", ":filter: null # all\n"])
def test_no_filter_at_all_means_every_device(text: str) -> None:
    assert pci_conf(text, [GPU]) == text


def test_addresses_only_where_addresses_narrow() -> None:
    text = ":filter: '10de:*'\n:short_address:\n  - '07:00.0'\n"
    edited = pci_conf(text, [GPU], ["41:00.0", "07:00.0"])
    assert edited == f"{MARK}41:00.0\n:filter: '10de:*'\n:short_address:\n  - '07:00.0'\n  - '41:00.0'\n"
    assert pci_conf(edited, [], [], "absent") == text
    alone = edited.replace("  - '07:00.0'\n", "")
    assert yaml.safe_load(pci_conf(alone, [], [], "absent"))[":short_address"] == []


def test_a_second_host_joins_the_first() -> None:
    edited = pci_conf(pci_conf(SHIPPED, [GPU]), [GPU, "10de:26b9:0302"])
    assert f"{MARK}{GPU},10de:26b9:0302\n" in edited
    assert pci_conf(edited, [], [], "absent") == SHIPPED


def test_what_nobody_lends_any_more_goes() -> None:
    text = SHIPPED.replace(":short_address: []", ":short_address: ['05:00.0']")
    both = pci_conf(text, [GPU, "10de:26b9:0302"], ["41:00.0", "81:00.0"])
    assert pci_conf(both, [GPU], ["41:00.0"]) == both, "others may lend it"
    left = pci_conf(both, [GPU], ["41:00.0"], "only")
    assert left == pci_conf(text, [GPU], ["41:00.0"])
    assert pci_conf(left, [GPU], ["41:00.0"], "only") == left
    assert pci_conf(left, [], [], "only") == text
    wide = pci_conf(SHIPPED, ["10de:*"])
    assert read(pci_conf(wide, [GPU], [], "only")) == ["0:0", GPU], "a narrower entry takes its place"
    own = ":filter: '10de:*,8086:*'\n"
    assert pci_conf(own, [GPU], [], "only") == own, "what is not ours stays"


def test_entries_that_are_removed_by_hand_do_no_harm_to_undo() -> None:
    edited = pci_conf(SHIPPED, [GPU]).replace(f"'0:0,{GPU}'", "'8086:*'")
    assert pci_conf(edited, [], [], "absent") == SHIPPED.replace("0:0", "8086:*")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (":filter: '10de:*\n", "no YAML"),
        (":filter:\n\t- '10de:*'\n", "no YAML (line 2"),
        ("{':a': 1, :filter: '0:0'}\n", "no YAML|not one a line"),
        ("- ':filter'\n", "not one a line"),
        (":filter:\n  a: b\n", "neither a text nor a list"),
        (":filter:\n  - [a]\n", "no text on one line"),
        (":filter: |\n  8086:*\n", "no text on one line"),
        (":a: &x '8086:*'\n:filter: *x\n", "is an alias"),
    ],
)
def test_what_cannot_be_edited_is_said(text: str, said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said.replace("(", r"\(")):
        pci_conf(text, [GPU])


@pytest.mark.parametrize("entry", ["nvidia", "10de:*'\n:x: y", "10de:20b5:0302:1", "10de: *"])
def test_an_entry_that_is_none_is_refused(entry: str) -> None:
    with pytest.raises(AnsibleFilterError, match="is no filter"):
        pci_conf(SHIPPED, [entry])


def test_patterns_of_names() -> None:
    assert pci_conf_device_names(SHIPPED) == []
    assert pci_conf_device_names(":device_name:\n  - 'USB.*'\n  - ^Mega\n") == ["USB.*", "^Mega"]
    assert pci_conf_device_names("") == []


def host(name: str, *gpus: dict[str, str], **more: Any) -> dict[str, Any]:
    facts = {"fact8ra_gpu_host": {"gpus": list(gpus), "kept": []}}
    return {"inventory_hostname": name, "ansible_facts": facts, **more}


def test_what_hypervisors_lend() -> None:
    a100 = {"vendor": "10de", "device": "20b5", "class": "0302", "address": "0000:41:00.0"}
    far = {**a100, "device": "26b9", "address": "0001:01:00.0"}
    hosts = [
        host("kvm1", a100, nvidia_host_site="madrid", nvidia_host_one_host="10.0.0.1"),
        host("kvm2", a100, far, nvidia_host_pci_filters=["10de:*:0302"]),
        host("kvm3", far, nvidia_host_site="paris"),
        {"inventory_hostname": "kvm4", "ansible_facts": {}},
    ]
    lent = pci_lent(hosts, "madrid")
    assert lent["filters"] == [GPU, "10de:*:0302"]
    assert lent["addresses"] == ["41:00.0", "0001:01:00.0"]
    assert lent["hosts"] == [{"name": "kvm1", "one_host": "10.0.0.1"}, {"name": "kvm2", "one_host": "kvm2"}]
    assert lent["unknown"] == ["kvm4"]
    assert pci_lent([host("kvm5", a100, nvidia_host_pci_filters=["10de:*:0302"])])["kept"] == []
    kept = {"kept": [{**far, "class": "0302"}, {**far, "class": "0403"}]}
    facts = {"gpus": [a100], **kept}
    wide = host("kvm6", nvidia_host_pci_filters=["10de:*:0302"], ansible_facts={"fact8ra_gpu_host": facts})
    assert pci_lent([wide])["kept"] == ["0001:01:00.0"], "the audio function is not let through"
    assert pci_lent([{**wide, "nvidia_host_pci_filters": [GPU]}])["kept"] == []
    assert [each["name"] for each in pci_lent(hosts)["hosts"]] == ["kvm1", "kvm2", "kvm3"]
