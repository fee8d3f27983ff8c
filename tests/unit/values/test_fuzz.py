# SPDX-License-Identifier: Apache-2.0
"""Every option of every role, damaged in every way: refused by name, or it arrives in the files as that value alone."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import rendering
from ansible.template import trust_as_template
from nasty import damaged, leaves, replaced

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import render as one_template
from ansible_collections.fact8ra.flower.plugins.plugin_utils._values import roles
from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.rules import Rule
from fact8ra_lab.standin import template as standin

ROLES = sorted(path.parents[1].name for path in roles.ROLES.glob("*/meta/argument_specs.yml"))
# Files whose writer escapes, so that any text comes out of them as it went in; into the others go plain words alone.
ESCAPED = (".env.j2", ".toml.j2")
# Files that have texts in double quotes.
QUOTED = (".nft.j2",)
PLAIN = re.compile(r"[A-Za-z0-9._:/@+,=*()\[\]~-]*")
# No character of these reaches a file of OpenNebula, nor an argument or a message, whatever the kind.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ud800-\udfff]")


@dataclass(frozen=True)
class Attempt:
    """A damaged value of a variable: what was done to the text at a path of a valid example."""

    variable: str
    what: str
    example: Any
    path: tuple[Any, ...]
    text: str
    bad: str

    @property
    def value(self) -> Any:
        """The damaged value."""
        return replaced(self.example, self.path, self.bad)


@functools.cache
def accepted(role: str) -> list[Attempt]:
    """Attempts that a role's rules let through; that every other was refused by name is asserted."""
    through = []
    for name, rule in roles.rules_of(role).items():
        for attempt in attempts(name, rule):
            refusals = list(rule.refusals(name, attempt.value))
            if not refusals:
                through.append(attempt)
            for refusal in refusals:
                sentence = refusal.sentence(rule.hidden)
                assert re.match(rf"(a key of )?{name}\b.* is ", sentence), (attempt.what, sentence)
                assert re.fullmatch("[ -~]{1,900}", sentence), (attempt.what, sentence)
    return through


def attempts(name: str, rule: Rule) -> Iterator[Attempt]:
    """Every valid example of a variable with every text in it damaged in every way."""
    for example in rule.examples:
        for path, text in leaves(example):
            for what, bad in damaged(text):
                yield Attempt(name, what, example, path, text, bad)


# Only what is a program of the operator's, a list, or a file of PEM may have several lines.
SEVERAL_LINES = {
    "site_context",
    "site_ssh_public_key",
    "appliance_tls_certificate",
    "appliance_tls_key",
    "appliance_tls_trust",
}


@pytest.mark.parametrize("role", ROLES)
def test_what_is_refused_is_named_and_what_is_not_has_no_control_characters(role: str) -> None:
    for attempt in accepted(role):
        assert not CONTROL.search(attempt.bad), attempt
        assert len(attempt.bad) < 60000, attempt.what
        assert "\n" not in attempt.bad or attempt.variable in SEVERAL_LINES, attempt


# What is looked up while a file is written, so that no mark can stand for it: a filter judges the parts of these rules
# again (test_firewall_render.py), and these name a host of the inventory and one whose address is taken out of it
# (test_superlink_join.py).
LOOKED_UP = {"firewall_inbound", "firewall_outbound", "transport_hub", "superlink_join_onegate_endpoint"}
# What is known to reach a file, so that the test does not look at nothing.
REACHED = {
    "flower": {("flower_environment", "flower.env.j2"), ("flower_ntp_servers", "chrony.sources.j2")},
    "nvidia_host": {("nvidia_host_blacklist", "modprobe.conf.j2"), ("nvidia_host_kernel_parameters", "grub.cfg.j2")},
    "superlink": {("federation_name", "flower-superlink.service.j2")},
    "supernode": {
        ("supernode_name", "flower-supernode.service.j2"),
        ("supernode_superlink_address", "flower-supernode.service.j2"),
        ("supernode_devices", "flower-superexec-client.service.j2"),
        ("supernode_node_config", "node.toml.j2"),
    },
}


@pytest.mark.parametrize("role", [role for role in ROLES if rendering.templates_of(role)])
def test_what_is_not_refused_arrives_in_the_files_as_that_value_alone(role: str) -> None:
    """A damaged value may change a file only where a harmless one stands, and only into itself."""
    reached = set()
    for template in rendering.templates_of(role):
        names = rendering.mentioned(role, template) - LOOKED_UP
        for bad, harmless, texts in batches([attempt for attempt in accepted(role) if attempt.variable in names]):
            [name] = bad
            before = rendering.parse(template, rendering.render(role, template, harmless, AROUND.get(role, {})))
            after = rendering.parse(template, rendering.render(role, template, bad, AROUND.get(role, {})))
            if before == after:
                continue
            reached.add((name, template))
            if not template.endswith(ESCAPED):
                plain = [text.replace(" ", "") if template.endswith(QUOTED) else text for text in texts.values()]
                assert [text for text in plain if not PLAIN.fullmatch(text)] == [], (name, template)
            want = [tuple(with_texts(part, texts) for part in entry) for entry in before]
            assert sorted(after) == sorted(want), (name, template)
    assert REACHED.get(role, set()) <= reached


def with_texts(part: str, texts: dict[str, str]) -> str:
    """A part of a file with the damaged texts in place of their marks."""
    return re.sub("|".join(map(re.escape, texts)), lambda mark: texts[mark[0]], part)


def batches(attempts: list[Attempt]) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, str]]]:
    """Many attempts in few values, since rendering takes time: elements of one list, entries of one dict.

    Yields the variable with damaged values, the same with a mark in place of each damaged text, and the texts by mark.
    """
    together: dict[tuple[str, int, type], list[Attempt]] = {}
    keys = set()
    for number, attempt in enumerate(attempts):
        if attempt.path[1:] == (None,):
            if (attempt.variable, attempt.bad) in keys:
                continue  # one dict has each key once
            keys.add((attempt.variable, attempt.bad))
        alone = number if isinstance(attempt.example, str) else 0
        together.setdefault((attempt.variable, alone, type(attempt.example)), []).append(attempt)
    for (name, _alone, kind), those in together.items():
        texts = {f"{attempt.text}Mark{number}x": attempt.bad for number, attempt in enumerate(those)}
        bad = [attempt.value for attempt in those]
        harmless = [replaced(attempt.example, attempt.path, mark) for attempt, mark in zip(those, texts, strict=True)]
        if kind is list:
            yield (
                {name: [value[attempt.path[0]] for value, attempt in zip(bad, those, strict=True)]},
                {name: [value[attempt.path[0]] for value, attempt in zip(harmless, those, strict=True)]},
                texts,
            )
        elif kind is dict:
            yield {name: merged(bad, those)}, {name: merged(harmless, those)}, texts
        else:
            yield {name: bad[0]}, {name: harmless[0]}, texts


def merged(values: list[Any], those: list[Attempt]) -> dict[str, Any]:
    """Dicts in one; keys that are not themselves damaged are made to differ."""
    made: dict[str, Any] = {}
    for number, (value, attempt) in enumerate(zip(values, those, strict=True)):
        for key, element in value.items():
            made[key if attempt.path[1:] == (None,) else f"key_{number}"] = element
    return made


AROUND: dict[str, dict[str, Any]] = {
    "access": {
        "_access_accounts": {
            "users": trust_as_template("{{ access_users | map('combine', {'address': '127.1.3.233'}) }}")
        },
        "item": trust_as_template(
            "{{ access_users[0] | default({'public_keys': []}) | combine({'address': '127.1.3.233'}) }}"
        ),
    },
    "firewall": {
        "_firewall_found": {
            "users": {"flower": 1, "flower-app": 2},
            "groups": {},
            "onegate": "",
            "ssh": "",
            "packages": [],
        }
    },
    "nvidia_guest": {
        "_nvidia_guest_choice": {"flavour": "open", "version": "535.261.03", "problem": ""},
        "_nvidia_guest_found": {
            "sources": [{"uri": "http://deb.example/", "release": "bookworm", "signed_by": ""}],
            "hosts": [],
        },
        # A part of a value, which holds none of what its rule refuses.
        "_nvidia_guest_repository_host": "mirror.example",
    },
    "nvidia_host": {
        "_nvidia_host_plan": {
            "binding": "modprobe",
            "devices": ["0000:41:00.0"],
            "ids": {"0000:41:00.0": "10de:20b0"},
            "parameters": {"own": trust_as_template("{{ nvidia_host_kernel_parameters }}")},
        }
    },
    "pki": {"_pki_ends": {"ca": 4102444800}},
    "transport": {
        "_transport_mtu": 1420,
        "_transport_found": {"ipv6": True},
        "_transport_own_addresses": ["10.199.0.1"],
        "_transport_config_peers": [{"name": "beta-supernode-0", "key": f"{'A' * 42}E=", "allowed": ["10.199.0.3/32"]}],
    },
}
"""What a role's templates need beside its own variables and what every role finds."""


def test_values_of_a_site_come_back_from_a_template_of_opennebula() -> None:
    """The modules' writer against a reader after oned's grammar; what cannot be kept is refused by name."""
    kept = 0
    for bad in sorted({attempt.bad for attempt in accepted("site")}):
        values = {"PLAIN": bad, "CONTEXT": {"INNER": bad, "NEXT": "1"}, "LAST": "2"}
        if "]]>" in bad:
            with pytest.raises(InvalidInput, match=r"PLAIN contains ']]>'"):
                one_template(values)
            continue
        written = one_template(values)
        read = standin.parse(written)
        kept += 1
        assert dict(read) == {"PLAIN": [bad], "CONTEXT": [{"INNER": bad, "NEXT": "1"}], "LAST": ["2"]}
    assert kept > 50
