# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The templates of the roles, written as Ansible writes them, and read back as their readers do."""

from __future__ import annotations

import functools
import importlib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).parents[2] / "roles"
# What the roles ask of hosts and of the inventory before they write.
_AROUND: dict[str, Any] = {
    "inventory_hostname": "alpha-superlink-0",
    "federation_name": "poc",
    "site_name": "alpha",
    "superlink_address": "192.0.2.10",
    "groups": {"superlink": ["alpha-superlink-0"], "supernodes": ["alpha-supernode-0"], "sites": ["alpha"]},
    "ansible_managed": "Ansible",
    "ansible_check_mode": False,
    "ansible_playbook_python": "/usr/bin/python3",
    "__flower_look": {"stdout": json.dumps({"ipv6": True})},
}

Parsed = list[tuple[str, ...]]


@functools.cache
def _variables(role: str) -> dict[str, Any]:
    loader = DataLoader()
    found: dict[str, Any] = {}
    for part in ("defaults", "vars"):
        path = ROLES / role / part / "main.yml"
        if path.is_file():
            found |= loader.load_from_file(str(path), trusted_as_template=True)
    return found


def templates_of(role: str) -> list[str]:
    """Names of the templates of a role's files; what ends in .txt is a message."""
    paths = (ROLES / role / "templates").glob("*.j2")
    return sorted(path.name for path in paths if not path.name.endswith(".txt.j2"))


def mentioned(role: str, template: str) -> set[str]:
    """Names that a template may depend on: those in it, and those in the role's own variables that it names."""
    variables = {key: json.dumps(value, default=str) for key, value in _variables(role).items()}
    texts, seen = [_source(role, template)], set[str]()
    while texts:
        words = set(re.findall(r"\w+", texts.pop())) - seen
        seen |= words
        texts += [variables[word] for word in words if word in variables]
    return seen


def render(role: str, template: str, variables: Mapping[str, Any], around: Mapping[str, Any]) -> str:
    """Text of a file with variables of the role, as the operator might give them: not as templates."""
    given = {**_AROUND, **_variables(role), **around, "role_path": str(ROLES / role), **variables}
    given["hostvars"] = dict.fromkeys(("alpha-superlink-0", "alpha-supernode-0", "alpha"), given)
    made = templar()
    made.available_variables = given
    return str(made.template(_source(role, template), escape_backslashes=False))


@functools.cache
def _source(role: str, template: str) -> str:
    return trust_as_template((ROLES / role / "templates" / template).read_text(encoding="utf-8"))


@functools.cache
def templar() -> Templar:
    """What renders; it knows the collection's own filters, which Ansible finds in playbooks alone."""
    templar = Templar(loader=DataLoader(), variables={})
    for path in sorted((ROLES.parent / "plugins" / "filter").glob("*.py")):
        module = importlib.import_module(f"ansible_collections.fact8ra.flower.plugins.filter.{path.stem}")
        for name, function in module.FilterModule().filters().items():
            templar.environment.filters[f"fact8ra.flower.{name}"] = function
    return templar


def parse(template: str, text: str) -> Parsed:
    """What the reader of a file makes of it; the form of most is lines."""
    name = template.removesuffix(".j2")
    if name.endswith(".env"):
        return _environment(text)
    if name.endswith(".toml"):
        return [(key, str(value), type(value).__name__) for key, value in tomllib.loads(text).items()]
    return [(line,) for line in text.split("\n")]


def _environment(text: str) -> Parsed:
    """Lines of an EnvironmentFile, systemd.exec(5): a backslash escapes itself, `"`, `$` and the backtick."""
    found: Parsed = []
    for line in re.findall(r'[^\n"]*(?:"(?:\\.|[^"\\])*"[^\n"]*)*\n', text, re.DOTALL):
        if line.strip() and not line.startswith(("#", ";")):
            match = re.fullmatch(r'([A-Za-z_][A-Za-z0-9_]*)="((?:\\.|[^"\\])*)"\n', line, re.DOTALL)
            assert match, f"not an assignment: {line!r}"
            found.append((match[1], re.sub(r'\\(["\\`$])', r"\1", match[2])))
    return found
