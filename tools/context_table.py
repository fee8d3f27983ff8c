# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes what a tenant may set in the context, from ``roles/appliance/meta/context.yml`` and the roles' argument specs.

That is the table that the image reads, the VM templates, the OneFlow services, and the tables of
docs/contextualization.md. With ``--check`` it writes nothing and fails where a file would change.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import pathlib
import re
import sys
from typing import Any

import context_docs
import context_forms
import role_docs

ROOT = pathlib.Path(__file__).resolve().parent.parent
APPLIANCE = pathlib.Path("roles/appliance")
INPUTS = ("text", "text64", "password", "number", "number-float", "range", "range-float", "list", "boolean")
# What OpenNebula's templates, OneFlow and the forms carry unchanged; a bar would end the description.
FORM = re.compile(r"[A-Za-z0-9 .,:;()/_=~'-]{3,140}")


class TableError(Exception):
    """context.yml says what cannot be; the text says where."""


@functools.cache
def options(role: str) -> dict[str, dict[str, Any]]:
    """The options of a role by name, of all its entry points. Raises TableError."""
    path = ROOT / "roles" / role / "meta" / "argument_specs.yml"
    if not path.is_file():
        raise TableError(f"there is no role {role}")
    specs = role_docs.load(path).get("argument_specs", {})
    return {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}


def must(role: str, option: str) -> str:
    """What a value must be, in the words of the roles' tables of allowed values."""
    collections = str(ROOT / ".collections")
    if collections not in sys.path:
        sys.path.insert(0, collections)
    rules = importlib.import_module("ansible_collections.fact8ra.flower.plugins.plugin_utils._values.roles")
    return str(rules.rules_of(role)[option].must).removeprefix("empty or ")


def form_of(option: dict[str, Any]) -> str:
    """The first sentence of an option's description."""
    described = role_docs.text(role_docs.as_list(option["description"])[0]).replace("`", "")
    return re.split(r"\.(?: |$)", described)[0]


def default_of(option: dict[str, Any], kind: str) -> str:
    """What the form begins with; OpenNebula's command line takes no empty number, list or boolean."""
    default = option.get("default", "")
    if option.get("type") == "bool":
        return "YES" if default else "NO"
    plain = isinstance(default, (str, int, float)) and "{{" not in str(default)
    return str(default) if plain and kind not in ("text64", "password") else ""


def choices_of(raw: dict[str, Any], option: dict[str, Any]) -> str:
    """What the form offers; a space for nothing, as Sunstone writes it."""
    if raw["input"] == "list":
        return ",".join(option["choices"])
    return "..".join(str(bound) for bound in raw["range"]) if raw["input"].startswith("range") else " "


def entry_of(name: str, raw: dict[str, Any]) -> dict[str, Any]:
    """One variable as table.json has it.

    Raises:
        TableError: When what context.yml says cannot be.
    """
    becomes = raw["becomes"] if isinstance(raw["becomes"], dict) else dict.fromkeys(raw["kinds"], raw["becomes"])
    for target in becomes.values():
        if target.count(".") != 1:
            raise TableError(f"{name}: becomes is {target}; it must be role.option")
    targets = {kind: target.split(".") for kind, target in becomes.items()}
    for role, option in targets.values():
        if option not in options(role):
            raise TableError(f"{name}: role {role} has no option {option}")
    role, option_name = next(iter(targets.values()))
    option = options(role)[option_name]
    form = raw.get("form") or form_of(option)
    if raw["input"] not in INPUTS:
        raise TableError(f"{name}: input is {raw['input']}; it must be one of {', '.join(INPUTS)}")
    if not FORM.fullmatch(form):
        raise TableError(f"{name}: the text of the form is {form!r}; it must be {FORM.pattern}")
    if raw["ask"] not in ("service", "role", "vm"):
        raise TableError(f"{name}: ask is {raw['ask']}; it must be service, role or vm")
    entry = {
        "becomes": targets,
        "ask": raw["ask"],
        "type": option.get("type", "str"),
        "input": raw["input"],
        "form": form,
        "options": choices_of(raw, option),
        "default": str(raw["default"]) if "default" in raw else default_of(option, raw["input"]),
        "initial": option.get("default")
        if role == "appliance"
        else raw.get("default")
        if option.get("required")
        else None,
        "unit": raw.get("unit", ""),
        "secret": bool(option.get("no_log")),
    }
    if entry["default"] == "" and raw["input"] not in ("text", "text64", "password"):
        raise TableError(f"{name}: an input of the type {raw['input']} needs a default")
    return entry


def table() -> dict[str, Any]:
    """The content of table.json, and what the templates and services are made of."""
    raw = role_docs.load(ROOT / APPLIANCE / "meta" / "context.yml")
    variables = {f"{context_forms.PREFIX}{name}": entry_of(name, entry) for name, entry in raw["variables"].items()}
    return {"variables": variables, **{key: raw[key] for key in ("standard", "templates", "services")}}


def written() -> dict[pathlib.Path, str]:
    """The content of every file that is made, by its path."""
    found = table()
    files = APPLIANCE / "files"
    image = {"variables": found["variables"], "standard": found["standard"]}
    vms = context_forms.vm_templates(found)
    made = {
        files / "fact8ra_appliance" / "table.json": json.dumps(image, indent=1) + "\n",
        files / "templates" / "vm-templates.json": json.dumps(vms, indent=1) + "\n",
    }
    for name, options_ in vms.items():
        made[files / "templates" / f"{name}.vm"] = context_forms.vm_text(options_)
    for name, service in context_forms.services(found).items():
        made[files / "templates" / f"{name}.json"] = json.dumps(service, indent=1) + "\n"
    page = pathlib.Path("docs/contextualization.md")
    made[page] = context_docs.page((ROOT / page).read_text(encoding="utf-8"), found, must)
    return made


def main(arguments: list[str] | None = None, root: pathlib.Path = ROOT) -> int:
    """Write or check every file; print what is wrong; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail where something would change")
    check = parser.parse_args(arguments).check
    try:
        made = written()
    except (TableError, role_docs.SpecError, context_docs.PageError) as error:
        print(error, file=sys.stderr)
        return 1
    status = 0
    for path, content in made.items():
        target = root / path
        if target.is_file() and target.read_text(encoding="utf-8") == content:
            continue
        if check:
            print(f"{path} is not what `make docs` would write", file=sys.stderr)
            status = 1
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content, encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
