# SPDX-License-Identifier: Apache-2.0
"""Every option of every role says what its values may be, and the operator is told which is not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import constants as C
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.fact8ra.flower.plugins.lookup.refused_values import DOCUMENTATION, LookupModule
from ansible_collections.fact8ra.flower.plugins.plugin_utils._values import roles
from ansible_collections.fact8ra.flower.plugins.plugin_utils._values.rules import BadTable, Rule, rule_of

HUGE = 1 << 20000
"""More digits than Python writes."""
ROLES = sorted(path.parents[1].name for path in roles.ROLES.glob("*/meta/argument_specs.yml"))


def refused(variables: dict[str, Any], *terms: str, **options: Any) -> list[str]:
    """What the lookup says of a play's variables."""
    C.config.initialize_plugin_configuration_definitions(
        "lookup", "fact8ra.flower.refused_values", yaml.safe_load(DOCUMENTATION)["options"]
    )
    lookup = LookupModule(loader=None, templar=Templar(loader=DataLoader(), variables=variables))
    lookup._load_name = "fact8ra.flower.refused_values"
    return lookup.run(list(terms), variables, **options)


@pytest.mark.parametrize("role", ROLES)
def test_every_option_of_a_role_is_in_its_table_and_every_entry_is_an_option(role: str) -> None:
    assert roles.flaws_of(role) == [], f"see roles/{role}/meta/allowed_values.yml"


@pytest.mark.parametrize("role", [role for role in ROLES if role != "preflight"])
def test_every_role_judges_its_variables(role: str) -> None:
    """In a task, or in a variable that a task asserts on."""
    files = [*(roles.ROLES / role / "tasks").glob("*.yml"), roles.ROLES / role / "vars" / "main.yml"]
    assert any(f"'fact8ra.flower.refused_values', '{role}'" in path.read_text(encoding="utf-8") for path in files)


def test_preflight_judges_the_variables_of_every_role_of_a_federation() -> None:
    variables = yaml.safe_load((roles.ROLES / "preflight" / "vars" / "main.yml").read_text(encoding="utf-8"))
    # The lab and the hypervisors have playbooks of their own, which judge their variables.
    assert sorted(variables["_preflight_roles"]) == sorted(set(ROLES) - {"appliance", "lab", "nvidia_host"})
    assert "'fact8ra.flower.refused_values', *_preflight_roles" in variables["_preflight_refused"]


@pytest.mark.parametrize("role", ROLES)
def test_the_examples_of_every_rule_are_accepted(role: str) -> None:
    for name, rule in roles.rules_of(role).items():
        assert rule.examples, name
        assert [refusal for example in rule.examples for refusal in rule.refusals(name, example)] == []


@pytest.mark.parametrize("role", ROLES)
def test_the_defaults_of_a_role_are_allowed(role: str) -> None:
    options, rules = roles.options_of(role), roles.rules_of(role)
    for name, option in options.items():
        default = option.get("default")
        if default is not None and "{{" not in str(default):
            assert list(rules[name].refusals(name, default)) == []


@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_left_unjudged(role: str) -> None:
    """A rule `any` has a reason; name it here with the variable, so that it is not written unseen."""
    assert [name for name, rule in roles.rules_of(role).items() if rule.reason] == []


def test_variable_value_and_what_is_right_are_named() -> None:
    assert refused({"superlink_max_body_size": "64m;"}, "superlink") == [
        "superlink_max_body_size is '64m;'; it must be a number with k, m or g"
    ]


def test_several_roles_are_judged_at_once_and_what_they_share_is_told_once() -> None:
    found = refused({"federation_name": "a b", "verify_timeout": "1\n"}, "superlink", "supernode", "verify")
    assert [sentence.split(";")[0] for sentence in found] == [
        "federation_name is 'a b'",
        "verify_timeout is '1\\n'",
    ]


def test_elements_are_named_by_their_place() -> None:
    found = refused({"flower_ntp_servers": ["ntp.example.eu", "x\ny"], "flower_environment": {"A": "1\n2"}}, "flower")
    assert [sentence.split(" is ")[0] for sentence in found] == ["flower_environment.A", "flower_ntp_servers[1]"]


@pytest.mark.parametrize(
    ("role", "name"),
    [
        (role, name)
        for role in ROLES
        for name, option in roles.options_of(role).items()
        if option.get("no_log") or name in {"site_context", "poc_index_url"}
    ],
)
def test_secrets_are_judged_and_never_shown(role: str, name: str) -> None:
    value: object = {"ROOT_PASSWORD": "hunter2\0"} if name == "site_context" else "hunter2\0"
    [sentence] = refused({name: value}, role)
    assert sentence.startswith(name)
    assert "hunter2" not in sentence


def test_values_are_judged_as_the_play_sees_them() -> None:
    variables = {
        "supernode_name": trust_as_template("{{ inventory_hostname }}"),
        "inventory_hostname": "a;b",
        "supernode_site": "{{ 7*7 }}",
    }
    found = refused(variables, "supernode")
    assert [sentence.split(";")[0] for sentence in found] == ["supernode_name is 'a", "supernode_site is '{{ 7*7 }}'"]


@pytest.mark.parametrize("template", ["{{ nowhere }}", "{{ nowhere.at_all }}", "{{ omit }}"])
def test_what_is_undefined_or_omitted_is_left_out(template: str) -> None:
    variables = {"flower_wheelhouse": trust_as_template(template), "flower_packages": [trust_as_template(template)]}
    assert refused(variables, "flower") == []


def test_what_cannot_be_resolved_is_named_but_not_if_it_is_a_secret() -> None:
    with pytest.raises(AnsibleLookupError, match=r"flower_python cannot be resolved: .*zero"):
        refused({"flower_python": trust_as_template("{{ 1 / 0 }}")}, "flower")
    with pytest.raises(AnsibleLookupError, match=r"pki_ca_passphrase cannot be resolved$"):
        refused({"pki_ca_passphrase": trust_as_template("{{ 'geheim' / 0 }}")}, "pki")


def test_an_entry_point_may_be_judged_alone() -> None:
    variables = {"superlink_supernodes": [{"name": "a b", "public_key": "x"}], "superlink_fleet_port": 0}
    found = refused(variables, "superlink", entry_point="register")
    assert [sentence.split(" is ")[0] for sentence in found] == [
        "superlink_supernodes[0].name",
        "superlink_supernodes[0].public_key",
    ]
    with pytest.raises(AnsibleLookupError, match="no entry point nowhere; it has data, "):
        refused({}, "superlink", entry_point="nowhere")


@pytest.fixture
def own_role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Writes the table of a role `own`, which has two options."""
    meta = tmp_path / "own" / "meta"
    meta.mkdir(parents=True)
    specs = "argument_specs: {main: {options: {own_port: {type: int}, own_name: {type: str}}}}"
    (meta / "argument_specs.yml").write_text(specs, encoding="utf-8")
    monkeypatch.setattr(roles, "ROLES", tmp_path)
    roles.rules_of.cache_clear()

    def write(table: str) -> None:
        (meta / "allowed_values.yml").write_text(table, encoding="utf-8")

    yield write
    roles.rules_of.cache_clear()


def test_a_variable_that_its_table_does_not_cover_is_refused(own_role: Callable[[str], None]) -> None:
    own_role("{own_port: port, own_nmae: name}")
    assert refused({"own_name": "harmless", "own_port": 0}, "own") == [
        "own_port is 0; it must be a whole number from 1 to 65535",
        "own_name is refused, and not shown since it may be a secret; it must be in roles/own/meta/allowed_values.yml, "
        "which does not say what it may be",
    ]
    assert roles.flaws_of("own") == ["own_nmae is no option", "own_name is not covered"]


def test_a_role_without_a_table_judges_nothing_by_accident(own_role: Callable[[str], None]) -> None:
    with pytest.raises(AnsibleLookupError, match=r"own/meta/allowed_values\.yml does not exist"):
        refused({}, "own")


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("own_name: nmae", "nmae"),
        ("own_name: {any: ''}", "any needs a reason"),
        ("own_name: {line: {most: 3}}", "most"),
        ("own_name: [name, port]", "neither the name of a kind"),
    ],
)
def test_a_wrong_table_is_told(own_role: Callable[[str], None], table: str, complaint: str) -> None:
    own_role(table)
    with pytest.raises(BadTable, match=complaint):
        roles.rules_of("own")


@pytest.mark.parametrize(
    ("entry", "value", "complaint"),
    [
        ({"list": "port"}, "1,2", "x is '1,2'; it must be a list of at most 4096 elements, each a whole number"),
        ({"list": "port"}, [1] * 4097, "x is a list of 4097; it must be a list of at most 4096 elements"),
        ({"dict": {"keys": "name", "values": "port"}}, {"a": 1, "\n": 2}, "a key of x is '\\\\n'; it must be 1 to 200"),
        ({"dict": {"keys": "name", "values": "port"}}, [], "x is a list of 0; it must be a dict"),
        ({"fields": {"a": "port"}}, {"a": 1, "b": 2}, "a key of x is 'b'; it must be one of a"),
        ({"fields": {"a": "port"}}, {"a": 0}, "x.a is 0; it must be a whole number from 1 to 65535"),
        ({"optional": "port"}, " ", "x is ' '; it must be empty or a whole number"),
        (
            {"either": ["port", {"words": {"allowed": ["auto"]}}]},
            "no",
            "x is 'no'; it must be a whole number .* or one of auto",
        ),
        ({"hidden": "port"}, HUGE, "x is .* secret; it must be a whole number"),
        ("port", HUGE, "x is a huge number; it must be a whole number from 1 to 65535"),
        ("name", "a" * 65536, "x is 'aaa.*... \\(65538 characters\\); it must be"),
        ("name", "\u202ea\ud800", "x is '.u202ea.ud800'; it must be"),
        ("name", None, "x is empty; it must be"),
        ("name", object(), "x is of type object; it must be"),
    ],
    ids=[str(index) for index in range(14)],
)
def test_composed_rules(entry: object, value: object, complaint: str) -> None:
    rule: Rule = rule_of(entry)
    [refusal] = rule.refusals("x", value)
    sentence = refusal.sentence(rule.hidden)
    assert re.match(complaint, sentence), sentence
    assert sentence.isascii()
