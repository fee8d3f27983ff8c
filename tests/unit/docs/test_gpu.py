# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""docs/gpu.md names commands, variables and promises that there are; every promise has a test or asks for hardware."""

from __future__ import annotations

import ast
import functools
import json
import re
import shlex
from pathlib import Path
from typing import Any

import gpu_promises
import promises
import pytest
import yaml

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")
# What playbooks read that is no role's.
PLAYBOOKS = {"gpu_hosts_state"}
PREFIXES = ("site_", "nvidia_host_", "nvidia_guest_", "gpu_validate_", "supernode_", "flower_")
SWITCHES = {"--check", "--diff", "--ask-vault-pass"}
LINES = {"make venv && . .venv/bin/activate"}


@functools.cache
def options() -> frozenset[str]:
    """The options of all roles."""
    found: set[str] = set()
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            found |= set(entry.get("options") or {})
    return frozenset(found)


def commands(text: str) -> list[str]:
    """The lines of the console blocks, and what is written like one of them elsewhere."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    inline = re.findall(r"`((?:ansible-playbook|ansible|make) [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [line for block in blocks for line in block.splitlines() if line] + [
        line for line in inline if line not in LINES
    ]


def tags(playbook: Path) -> set[str]:
    """The tags of the plays of a playbook."""
    return {tag for each in yaml.safe_load(playbook.read_text(encoding="utf-8")) for tag in each.get("tags", [])}


def faults(line: str) -> list[str]:
    """What of a command does not exist."""
    program, *words = shlex.split(line)
    if program == "make":
        targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        return [f"there is no target {word}" for word in words if word not in targets]
    if program == "ansible":
        return ad_hoc_faults(words)
    if program != "ansible-playbook":
        return [f"{program} is not known here"]
    found, playbook = [], ROOT
    while words:
        word = words.pop(0)
        if word in ("-i", "-e", "--tags", "--limit"):
            found += value_faults(word, words.pop(0), playbook)
        elif word.endswith(".yml"):
            playbook = ROOT / word
            found += [] if playbook.is_file() else [f"there is no playbook {word}"]
        elif word not in SWITCHES:
            found.append(f"{word} is not known here")
    return found if playbook != ROOT else [*found, "no playbook is named"]


def ad_hoc_faults(words: list[str]) -> list[str]:
    """What of a command of one module does not exist: inventory, hosts, switches, and the module, if it is ours."""
    found: list[str] = []
    hosts = []
    while words:
        word = words.pop(0)
        if word == "-i":
            found += value_faults(word, words.pop(0), ROOT)
        elif word == "-m":
            name = words.pop(0).removeprefix("fact8ra.flower.")
            ours = (ROOT / "plugins" / "modules" / f"{name}.py").is_file()
            found += [] if ours or name.startswith("ansible.builtin.") else [f"there is no module {name}"]
        elif word == "-a":
            words.pop(0)
        elif word != "-b":
            hosts.append(word)
    return found if hosts in (["gpu_hosts"], ["supernodes"]) else [*found, f"{' '.join(hosts)} is no group"]


def value_faults(flag: str, value: str, playbook: Path) -> list[str]:
    """What of the value of a flag does not exist."""
    if flag == "-i":
        return [] if (ROOT / value).is_dir() else [f"there is no inventory {value}"]
    if flag == "-e":
        given = json.loads(value) if value.startswith("{") else {value.partition("=")[0]: None}
        return [f"no role has {name}" for name in given if name not in options() | PLAYBOOKS]
    if flag == "--tags":
        return [f"{playbook.name} has no tag {tag}" for tag in set(value.split(",")) - tags(playbook)]
    return []


def keys(value: Any) -> set[str]:
    """The keys of nested data."""
    if isinstance(value, dict):
        return set(value) | {key for each in value.values() for key in keys(each)}
    return {key for each in value for key in keys(each)} if isinstance(value, list) else set()


def variables(text: str) -> set[str]:
    """What is written like a variable of a role, in blocks of YAML, in words and in the texts of the table."""
    found = {key for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) for key in keys(yaml.safe_load(block))}
    found |= {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"\b[a-z][a-z0-9_]*\b", code)}
    return {name for name in found if name.startswith(PREFIXES)}


@pytest.mark.parametrize("line", commands(TEXT))
def test_every_command_can_be_given(line: str) -> None:
    assert faults(line) == []


def test_every_variable_is_an_option_of_a_role() -> None:
    named = variables(TEXT)
    assert len(named) >= 20
    assert sorted(named - options()) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("make test-gpus", "no target test-gpus"),
        ("ansible-playbook -i inventories/none playbooks/site.yml", "no inventory inventories/none"),
        ("ansible-playbook playbooks/gpu.yml", "no playbook playbooks/gpu.yml"),
        ("ansible-playbook playbooks/site.yml -e site_gpus=1", "no role has site_gpus"),
        ("""ansible-playbook playbooks/site.yml -e '{"site_gpu": 1}'""", "no role has site_gpu"),
        ("ansible-playbook playbooks/site.yml --tags gpus", "has no tag gpus"),
        ("ansible-playbook playbooks/site.yml --dif", "--dif is not known"),
        ("ansible-playbook --check", "no playbook is named"),
        ("onehost sync", "onehost is not known"),
        ("ansible -i inventories/none gpu_hosts -b", "no inventory inventories/none"),
        ("ansible gpu_hosts -m fact8ra.flower.gpu_facts", "there is no module gpu_facts"),
        ("ansible gpus -m ansible.builtin.command -a 'lspci'", "gpus is no group"),
    ],
)
def test_what_does_not_exist_is_noticed(line: str, fault: str) -> None:
    told = faults(line)
    assert len(told) == 1
    assert fault in told[0]


def test_a_variable_that_is_none_is_noticed() -> None:
    assert variables("`site_gpus: 1`, ```yaml\n") - options() == {"site_gpus"}


def test_the_symptoms_name_layer_cause_and_cure() -> None:
    rows = promises.rows(TEXT, "You see")
    assert len(rows) >= 15
    layers = {"host", "opennebula", "vm", "guest", "flower", "round", "federation"}
    assert {row[1] for row in rows} == layers
    assert all(len(row) == 4 and all(row) for row in rows)


def hardware() -> list[str]:
    """The promises of the table "Needs hardware"."""
    rows = promises.rows(TEXT, "Promise")
    assert all(command.startswith(("`ansible-playbook ", "`ansible ")) for _promise, command in rows)
    return [row[0] for row in rows]


def test_what_needs_hardware_is_what_the_promises_ask_for() -> None:
    asked = {name for promise in gpu_promises.PROMISES for name in promise.hardware}
    assert sorted(hardware()) == sorted(asked)


@pytest.mark.parametrize("promise", gpu_promises.PROMISES, ids=lambda promise: promise.sentence)
def test_every_promise_has_tests_that_exist(promise: gpu_promises.Promise) -> None:
    assert promise.tests or promise.hardware
    for test in promise.tests:
        path, _colons, function = test.partition("::")
        assert (ROOT / path).is_file(), path
        if function:
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def test_the_table_of_the_guide_is_one_that_the_filter_writes() -> None:
    (block,) = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
    assert block.startswith("LAYER       HOST")
    assert max(map(len, block.splitlines())) <= 100


def test_the_guide_is_linked() -> None:
    for name in ("README.md", "docs/your_cloud.md"):
        assert "gpu.md)" in (ROOT / name).read_text(encoding="utf-8"), name
