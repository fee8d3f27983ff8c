# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What docs/migration.md names of this collection is there, and its examples work."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.doc_fragments._inventory import ModuleDocFragment
from ansible_collections.fact8ra.flower.plugins.inventory import opennebula
from ansible_collections.fact8ra.flower.plugins.modules import oneflow_service, oneflow_template, vm_template, vnet
from fact8ra_lab.standin.testing import StandIn

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "migration.md").read_text(encoding="utf-8")
MODULES = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
PLUGIN = "opennebula"
# Of ansible.builtin.constructed.
_CONSTRUCTED: dict[str, Any] = {"compose": {}, "groups": {}, "keyed_groups": {}, "strict": {}}
# Attributes of OpenNebula, variables of the environment and commands.
_NO_OPTION = re.compile(r"[A-Z][A-Z_]*|one(vm|vnet|vdc|acl|user|group|host|_vm|_host)( hold)?")
# What else the column of ours has: variables and groups of the inventory, keywords, filters.
_WORDS = {
    *("id", "name", "host", "uname", "gname", "labels", "one_vm_id", "one_vm_user_template.PROJECT", "label_LABEL"),
    *("module_defaults", "check_mode: true", "selectattr('name', 'match', 'REGEX')"),
    "ansible_host: inventory_hostname",
    r"ansible_port: one_vm_user_template.SSH_PORT \| default(22)",
}
_OPTION = re.compile(r"^(?P<path>[a-z]\w*(\[\])?(\.[a-z]\w*(\[\])?)*)(: (?P<value>.+))?$")


class Named(NamedTuple):
    """An option that a table names, with the module in the table's heading."""

    module: str
    text: str


def _tables() -> Iterator[tuple[str, list[str]]]:
    """Yield the module or heading of the second column, and the cells below it."""
    for block in re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE):
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in block.splitlines()]
        assert all(len(row) == 2 for row in rows), block
        yield rows[0][1].strip().strip("`"), [row[1] for row in rows[2:]]


def _named() -> list[Named]:
    found = []
    for module, cells in _tables():
        if module in (*MODULES, PLUGIN, "ours"):
            found += [Named(module, text) for cell in cells for text in re.findall(r"`([^`]+)`", cell)]
    return found


def _spec(module: str) -> dict[str, Any]:
    if module == PLUGIN:
        own = yaml.safe_load(opennebula.DOCUMENTATION)["options"]
        return {**own, **yaml.safe_load(ModuleDocFragment.VMS)["options"], **_CONSTRUCTED}
    return dict(_module(module).SPEC.argument_spec)


def _module(name: str) -> Any:
    return importlib.import_module(f"ansible_collections.fact8ra.flower.plugins.modules.{name}")


def _is_option(named: Named) -> bool:
    """Whether this is an option of a module, and its value one that the option takes."""
    match = _OPTION.match(named.text)
    if match is None:
        return False
    path = match["path"].split(".")
    module = path.pop(0) if path[0] in MODULES and len(path) > 1 else named.module
    spec, option = _spec(module) if module != "ours" else {}, {}
    for step in path:
        option = spec.get(step.removesuffix("[]"))
        if option is None:
            return False
        spec = option.get("options") or option.get("suboptions") or {}
    choices = option.get("choices")
    value = match["value"]
    return value is None or choices is None or value in choices


@pytest.mark.parametrize("named", sorted(set(_named())), ids=lambda named: f"{named.module}: {named.text}")
def test_every_option_of_ours_is_there(named: Named) -> None:
    assert _is_option(named) or _NO_OPTION.fullmatch(named.text) or named.text in _WORDS


def test_the_tables_cover_the_modules() -> None:
    covered = {module for module, _cells in _tables()}
    assert {
        *("vnet", "vnet_address_range", "security_group", "vm_template", "image", "image_info"),
        *("oneflow_template", "oneflow_service", PLUGIN),
    } <= covered
    assert {"vnet_reservation", "oneflow_scale", "vnet_info"} <= {text.split(".")[0] for _module, text in _named()}


@pytest.mark.parametrize(
    "named", [Named("vnet", "bridges"), Named("vnet", "update_mode: merged"), Named("ours", "a.b")]
)
def test_what_is_not_there_is_noticed(named: Named) -> None:
    assert not _is_option(named)


def _blocks() -> list[Any]:
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]


def _tasks(module: str) -> list[dict[str, Any]]:
    key = f"fact8ra.flower.{module}"
    return [task[key] for block in _blocks() if isinstance(block, list) for task in block if key in task]


def _ours() -> list[tuple[str, Mapping[str, Any]]]:
    names = [(module, task) for module in sorted(MODULES) for task in _tasks(module)]
    assert len(names) == 2
    return names


@pytest.mark.parametrize(("module", "task"), _ours())
def test_the_examples_fit_the_argument_specification(module: str, task: Mapping[str, Any]) -> None:
    spec = _module(module).SPEC
    validator = ArgumentSpecValidator(
        dict(spec.argument_spec),
        mutually_exclusive=spec.mutually_exclusive,
        required_one_of=spec.required_one_of,
        required_if=spec.required_if,
        required_by=dict(spec.required_by),
    )
    connection = {"endpoint": "http://one:2633/RPC2", "username": "u", "password": "p"}
    assert validator.validate({**connection, **task}).error_messages == []


def test_the_inventory_of_the_examples_has_options_that_there_are() -> None:
    (config,) = [block for block in _blocks() if isinstance(block, dict) and "fact8ra" in block["plugin"]]
    spec = _spec(PLUGIN)
    assert config.keys() <= spec.keys()
    assert {key for entry in config["endpoints"] for key in entry} <= spec["endpoints"]["suboptions"].keys()
    for key in ("vms", "address_family", "group_by"):
        values = config[key] if isinstance(config[key], list) else [config[key]]
        assert set(values) <= set(spec[key]["choices"])


def test_the_examples_work(standin: StandIn) -> None:
    site = Site(standin, standin.tenant)
    (network,) = _tasks("vnet")
    assert site.run(vnet, check=True, **network)["changed"] is True
    assert site.run(vnet, **network)["changed"] is True
    assert site.run(vnet, **network)["changed"] is False
    assert site.writes == []
    site.run(vm_template, name="vm", cpu=0.1, memory=64)
    roles = [{"name": "worker", "template": "vm"}]
    site.run(oneflow_template, name="web", user_inputs={"VERSION": "M|text|Version"}, roles=roles)
    (service,) = _tasks("oneflow_service")
    made = site.run(oneflow_service, **service, wait_timeout=20)
    assert made["changed"] is True
    assert [len(role["vms"]) for role in made["service"]["roles"]] == [2]
    assert site.run(oneflow_service, **service)["changed"] is False
    assert site.writes == []
