# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules of role firewall: what becomes a statement, what is refused, and that nothing else reaches the ruleset."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.fact8ra.flower.plugins.filter.firewall import (
    firewall_admits,
    firewall_dialled,
    firewall_problems,
    firewall_statements,
)
from ansible_collections.fact8ra.flower.plugins.plugin_utils._firewall import CHAINS, BadRule, rule_of, statements
from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.roles import rules_of as values_of

_ROLE = Path(__file__).parents[4] / "roles" / "firewall"
_SSH = {"chain": "input", "protocol": "tcp", "ports": [22], "sources": ["192.0.2.0/24"], "reason": "SSH"}
_OUT = {
    "chain": "output",
    "protocol": "tcp",
    "ports": ["443"],
    "destinations": ["any"],
    "user": "root",
    "reason": "web",
}
_EVIL = [
    "x\ny",
    'x" accept comment "',
    "22; accept",
    "22 } accept",
    "{ 22 }",
    "$(id)",
    "`id`",
    "x\0y",
    "1" * 65536,
    "x" * 65536,
    "192.0.2.1\n",
    "192.0.2.1, 0.0.0.0/0",
    "fe80::1%eth0",
    "192.0.2.1/33",
    "größe",
    "٢٢",
    "a\u2028b",
    "\\",
    "#",
    "",
    -1,
    65536,
    True,
    1.5,
    None,
    [],
    {},
]
# All that a statement may consist of, but for what quotes hold.
_TOKENS = re.compile(
    r"(iifname \"[A-Za-z0-9._-]+\" )?(meta (skuid|nfproto) [a-z0-9_, {}-]+ )*(ip6? [sd]addr [0-9a-f.:/, {}]+ )?"
    r"(icmp(v6)? type [a-z0-9, {}-]+ )?(ip6 hoplimit 255 )?(tcp|udp|[sd]port|[0-9, {}-]| )*"
    r"(limit rate 5/second burst 10 packets )?counter accept comment \"[A-Za-z0-9 .,:/()_+@=-]{3,100}\""
)


def _one(rule: dict[str, Any], users: dict[str, int] | None = None) -> list[str]:
    return statements([rule_of(rule)], {"root": 0} if users is None else users)[rule["chain"]]


def test_a_rule_becomes_a_statement_for_each_version_of_ip() -> None:
    rule = {
        **_SSH,
        "sources": ["2001:db8::1", "192.0.2.77/24", "192.0.2.0/25", "198.51.100.0/24"],
        "ports": [22, "20-21", 23, 80],
    }
    assert _one(rule) == [
        'ip saddr { 192.0.2.0/24, 198.51.100.0/24 } tcp dport { 20-23, 80 } counter accept comment "SSH"',
        'ip6 saddr 2001:db8::1 tcp dport { 20-23, 80 } counter accept comment "SSH"',
    ]
    assert _one({**_SSH, "sources": []}) == []
    assert _one({**_SSH, "sources": ["any", "192.0.2.1"]}) == ['tcp dport 22 counter accept comment "SSH"']
    assert _one({**_SSH, "sources": ["0.0.0.0/0"]}) == ['meta nfproto ipv4 tcp dport 22 counter accept comment "SSH"']


def test_a_rule_for_a_user_that_is_not_there_opens_nothing() -> None:
    assert _one(_OUT) == ['meta skuid 0 tcp dport 443 counter accept comment "web"']
    assert _one(_OUT, {"flower": 7}) == []
    both = {key: value for key, value in _OUT.items() if key != "user"} | {"users": ["root", "flower"]}
    assert _one(both, {"flower": 7}) == ['meta skuid 7 tcp dport 443 counter accept comment "web"']
    # Check mode, before there are users.
    assert statements([rule_of(both)], None)["output"] == [
        'meta skuid { flower, root } tcp dport 443 counter accept comment "web"'
    ]


def test_rules_of_other_kinds_of_hosts_are_left_out() -> None:
    rules = [{**_SSH, "hosts": ["hub"]}, {**_SSH, "hosts": ["node", "link"], "ports": [23]}]
    assert firewall_statements(rules, ["link"], {})["input"] == [
        'ip saddr 192.0.2.0/24 tcp dport 23 counter accept comment "SSH"'
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reason": None}, "reason"),
        ({"chain": "prerouting"}, "chain is 'prerouting'"),
        ({"protocol": "sctp"}, "protocol is 'sctp'"),
        ({"ports": []}, "ports is empty"),
        ({"ports": [0]}, "ports has 0"),
        ({"ports": ["9-8"]}, "ports has '9-8'"),
        ({"ports": "22"}, "ports is '22'; it must be a list"),
        ({"sources": ["example.eu"]}, "sources has 'example.eu'"),
        ({"destinations": ["any"]}, "destinations has no meaning here"),
        ({"user": "root"}, "user has a meaning for what leaves"),
        ({"interface": "a b"}, "interface is 'a b'"),
        ({"protocol": "icmp"}, "types is"),
        ({"types": ["redirect"]}, "types is"),
        ({"protocol": "all"}, "ports has no meaning for all"),
        ({"verdict": "accept"}, "the key 'verdict'"),
    ],
)
def test_a_wrong_rule_is_named(change: dict[str, Any], said: str) -> None:
    [problem] = firewall_problems([_SSH | change], "firewall_inbound")
    assert problem.startswith("firewall_inbound[0]: ")
    assert said in problem
    assert problem.isprintable()
    with pytest.raises(AnsibleFilterError):
        firewall_statements([_SSH | change], [], {})


def _judged(rule: dict[str, Any]) -> tuple[str, list[str]]:
    """Why a rule is refused, and the statements that it becomes."""
    try:
        return "", [line for lines in statements([rule_of(rule)], {"root": 0}).values() for line in lines]
    except BadRule as error:
        return str(error), []


@pytest.mark.parametrize("value", _EVIL, ids=lambda value: ascii(value)[:24])
def test_nothing_of_an_evil_value_reaches_the_ruleset(value: Any) -> None:
    for rule in (_SSH, _OUT):
        for key in {*rule, "interface", "types", "source_ports", "users", "limit", "verdict"}:
            for given in (value, [value]):
                [said, lines] = _judged({**rule, key: given})
                assert said.isprintable()
                assert len(said) < 400
                assert all(_TOKENS.fullmatch(line) for line in lines), (key, given, lines)


@pytest.mark.parametrize("name", sorted(values_of("firewall")))
def test_the_allow_list_of_each_variable_refuses_what_is_evil(name: str) -> None:
    rule = values_of("firewall")[name]
    harmless = {"firewall_enabled", "firewall_log", "firewall_onegate_endpoint"}
    for value in (value for value in _EVIL if isinstance(value, str)):
        wrapped = [value] if name not in harmless | {"firewall_ssh_port"} else value
        if name in ("firewall_inbound", "firewall_outbound"):
            wrapped = [{"protocol": "tcp", "ports": [value], "reason": "right"}]
            # A reason is free text, of harmless characters.
            assert not re.search(r"[^ -~]|[\"\\;{}`$#]", value) or list(rule.refusals(name, [{"reason": value}])), value
        if value == "" and name == "firewall_onegate_endpoint":
            continue
        refused = list(rule.refusals(name, wrapped))
        assert refused, (name, value)
        assert refused[0].where.startswith(name)


def test_the_template_writes_nothing_but_statements_numbers_and_words_of_its_own() -> None:
    text = (_ROLE / "templates" / "firewall.nft.j2").read_text(encoding="utf-8")
    assert set(re.findall(r"{{ (.*?) }}", text)) == {
        "line",
        "reason",
        "rules('input')",
        "rules('forward')",
        "rules('output')",
        "rules('apps')",
        "rules('control')",
        "rules('control_api')",
        "refuse('dropped inbound')",
        "refuse('refused outbound')",
        "_firewall_app_user",
        "_firewall_control_group",
        "_firewall_answering_ports | join(', ')",
    }
    variables = yaml.safe_load((_ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    assert re.findall(r"\[(\S+) \| int\]", variables["_firewall_answering_ports"]) == [
        "firewall_ssh_port",
        "_firewall_fleet_port",
    ]


@pytest.mark.parametrize(
    ("source", "port", "admitted"),
    [
        ("192.0.2.9", 22, True),
        ("192.0.2.9", 23, False),
        ("192.0.3.9", 22, False),
        ("2001:db8::9", 22, False),
        ("fe80::1%eth0", 22, True),
        ("nonsense", 22, False),
    ],
)
def test_a_connection_is_admitted_by_address_and_port(source: str, port: int, admitted: bool) -> None:
    rules = [{**_SSH, "sources": ["192.0.2.0/24", "fe80::/10"]}]
    assert firewall_admits(rules, source, port, []) is admitted


@pytest.mark.parametrize(
    "change", [{"interface": "fact8ra0"}, {"protocol": "udp"}, {"source_ports": [22]}, {"limit": True}]
)
def test_what_lets_in_only_some_connections_admits_none(change: dict[str, Any]) -> None:
    assert firewall_admits([_SSH | change], "192.0.2.9", 22, []) is False


def test_where_a_url_leads() -> None:
    assert firewall_dialled("http://192.0.2.1:5030", "x") == {"destinations": ["192.0.2.1"], "port": 5030}
    assert firewall_dialled("https://u:p@[2001:db8::1]/simple", "x") == {"destinations": ["2001:db8::1"], "port": 443}
    assert firewall_dialled("http://index.example.eu", "x") == {"destinations": ["any"], "port": 80}
    for url in (
        "",
        "ftp://x",
        "http://",
        "http://x:0x5",
        "http://x:99999",
        "http://a b",
        "http://s3cret@/",
        "http://x;y",
    ):
        with pytest.raises(AnsibleFilterError, match="ONEGATE_ENDPOINT is no URL") as raised:
            firewall_dialled(url, "ONEGATE_ENDPOINT")
        assert "s3cret" not in str(raised.value)


def test_every_rule_of_the_role_says_what_and_why() -> None:
    rules = yaml.safe_load((_ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))["_firewall_rules"]
    assert len({rule["name"] for rule in rules}) == len(rules)
    for rule in rules:
        assert {"hosts", "shown", "peer", "chain", "protocol", "reason"} <= set(rule), rule["name"]
        assert rule["chain"] in CHAINS
        assert "{" not in rule["shown"] + rule["peer"] + rule["reason"]


def test_the_script_on_the_host_tells_a_ruleset_that_is_loaded_from_one_that_is_not(tmp_path: Path) -> None:
    # In a network of its own, where nothing is loaded.
    ruleset = tmp_path / "firewall.nft"
    ruleset.write_text(
        "table inet fact8ra\ndelete table inet fact8ra\ntable inet fact8ra { chain x { counter accept; }; }\n"
    )
    program = (
        f"import sys; sys.path.insert(0, {str(_ROLE / 'files')!r}); import look; print(look.loaded({str(ruleset)!r}))"
    )
    steps = {
        "true": "(False, False)",
        f"nft -f {ruleset}": "(True, True)",
        f"nft -f {ruleset}; nft add rule inet fact8ra x accept": "(True, False)",
        f"nft -f {ruleset}; nft add chain inet fact8ra y": "(True, False)",
        f"nft -f {ruleset}; nft add table ip mine": "(True, True)",
        f"nft -f {ruleset}; rm {ruleset}": "(True, False)",
    }
    for step, found in steps.items():
        command = ["unshare", "--net", "sh", "-c", f'{step} && /usr/bin/python3 -B -c "$1"', "sh", program]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == found, f"{step}: {done.stderr}"
