# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes each role's README.md from its ``meta/argument_specs.yml``, and the lists of content in README.md.

With ``--check`` it writes nothing and fails where a file would change, and where ``defaults/main.yml`` and the
defaults of the argument specs differ.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import sys
from typing import Any

import yaml
from documentation import documentation_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLLECTION = "fact8ra.flower"
CONTENT_START = "<!-- content, written by `make docs` -->"
CONTENT_END = "<!-- end of content -->"
NOTE = "<!-- Written by `make docs` from meta/argument_specs.yml. -->"
# The macros of Ansible's documentation that role descriptions use, e.g. O(name=value), V(true), C(code), M(module).
MACRO = re.compile(r"\b(?:[OVCEMPI]|RV)\(((?:[^()\\]|\\.)+)\)")


class SpecError(Exception):
    """A role whose files cannot be read as what they are for."""


def load(path: pathlib.Path) -> Any:
    """Read a YAML file; empty ones are an empty dict."""
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: {error}") from error


def text(value: Any) -> str:
    """Turn a description, a string or a list of them, into one Markdown line."""
    parts = value if isinstance(value, list) else [value]
    joined = " ".join(" ".join(str(part).split()) for part in parts if part)
    return MACRO.sub(lambda found: f"`{found[1]}`", joined)


def cell(value: str) -> str:
    """Make a text fit for a cell of a table."""
    return value.replace("|", "\\|")


def code(value: Any) -> str:
    """A YAML value on one line, as code."""
    if isinstance(value, str) and value:
        shown = " ".join(value.split())
    else:
        shown = yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
    fence = "``" if "`" in shown else "`"
    return f"{fence}{shown}{fence}"


def type_of(option: dict[str, Any]) -> str:
    """The type of an option, with that of a list's elements."""
    kind = option.get("type", "str")
    return f"list of {option['elements']}" if kind == "list" and "elements" in option else str(kind)


def rows(options: dict[str, dict[str, Any]], prefix: str = "") -> list[str]:
    """The rows of the table of variables; those of nested options come after their parent."""
    found = []
    for name, option in options.items():
        default = "**required**" if option.get("required") else code(option["default"]) if "default" in option else ""
        described = text(option.get("description", ""))
        if choices := option.get("choices"):
            described += f" One of {', '.join(code(choice) for choice in choices)}."
        found.append(f"| `{prefix}{name}` | {type_of(option)} | {cell(default)} | {cell(described)} |")
        found += rows(option.get("options", {}), f"{prefix}{name}.")
    return found


def table(options: dict[str, dict[str, Any]]) -> list[str]:
    """The table of variables."""
    if not options:
        return ["It has no variables.", ""]
    return ["| Variable | Type | Default | Meaning |", "| --- | --- | --- | --- |", *rows(options), ""]


def example(role: str, entry: str, spec: dict[str, Any]) -> list[str]:
    """The example of an entry point: its own, or the shortest play that includes it."""
    given = spec.get("examples")
    if given:
        body = "\n".join(given) if isinstance(given, list) else str(given)
    else:
        lines = ["- name: " + spec["short_description"].rstrip("."), "  ansible.builtin.import_role:"]
        lines.append(f"    name: {COLLECTION}.{role}")
        if entry != "main":
            lines.append(f"    tasks_from: {entry}.yml")
        needed = [name for name, option in spec.get("options", {}).items() if option.get("required")]
        if needed:
            lines += ["  vars:", *(f"    {name}: ..." for name in needed)]
        body = "\n".join(lines)
    return ["```yaml", body.strip("\n"), "```", ""]


def readme(role: str, specs: dict[str, Any]) -> str:
    """The whole README of a role, from its entry points by name."""
    entries = sorted(specs, key=lambda entry: (entry != "main", entry))
    lines = [f"# {COLLECTION}.{role}", "", NOTE, ""]
    several = len(entries) > 1
    if several:
        lines += ["| Entry point | Does |", "| --- | --- |"]
        lines += [f"| [`{name}`](#{name}) | {cell(text(specs[name]['short_description']))} |" for name in entries]
        lines.append("")
    documented: dict[str, dict[str, dict[str, Any]]] = {}
    for name in entries:
        spec = specs[name]
        if several:
            lines += [f"## {name}", ""]
        lines += [f"{text(spec['short_description']).rstrip('.')}.", ""]
        lines += [line for part in as_list(spec.get("description")) for line in (text(part), "")]
        options = spec.get("options", {})
        same = next((other for other, known in documented.items() if options and known == options), None)
        if same:
            lines += [f"The variables are those of [`{same}`](#{same}).", ""]
        else:
            lines += table(options)
        documented[name] = options
        lines += example(role, name, spec)
    return "\n".join(lines).rstrip("\n") + "\n"


def as_list(value: Any) -> list[Any]:
    """Accept one or several."""
    return value if isinstance(value, list) else [] if value is None else [value]


def default_faults(role: str, specs: dict[str, Any], defaults: dict[str, Any]) -> list[str]:
    """Where ``defaults/main.yml`` and the defaults of the specs differ, one line each."""
    faults = []
    specified: dict[str, Any] = {}
    known = set()
    for entry, spec in specs.items():
        for name, option in spec.get("options", {}).items():
            known.add(name)
            if "default" not in option:
                continue
            if option.get("required"):
                faults.append(f"roles/{role}: {entry}: {name} is required and has a default; it can have one of them")
            if name in specified and specified[name] != option["default"]:
                faults.append(f"roles/{role}: {entry}: {name} has another default than in another entry point")
            specified[name] = option["default"]
    for name, value in specified.items():
        if name not in defaults:
            faults.append(f"roles/{role}: {name} has the default {value!r} in argument_specs.yml, none in defaults")
        elif type(defaults[name]) is not type(value) or defaults[name] != value:
            faults.append(f"roles/{role}: {name} is {value!r} in argument_specs.yml and {defaults[name]!r} in defaults")
    for name in defaults:
        if name not in known:
            faults.append(f"roles/{role}: {name} of defaults/main.yml is not in argument_specs.yml")
        elif name not in specified:
            faults.append(f"roles/{role}: {name} has a default in defaults/main.yml, none in argument_specs.yml")
    return faults


def with_templated_defaults(specs: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """The specs, completed by the defaults that they cannot hold.

    Documentation tools want a default to be of the option's type, so the template of a number or a boolean stands in
    ``defaults/main.yml`` alone.
    """
    return {
        entry: {
            **spec,
            "options": {
                name: {**option, "default": defaults[name]} if is_templated(option, defaults.get(name)) else option
                for name, option in spec.get("options", {}).items()
            },
        }
        for entry, spec in specs.items()
    }


def is_templated(option: dict[str, Any], default: Any) -> bool:
    """Whether this is the default of an option whose spec cannot hold it."""
    return (
        isinstance(default, str) and "{{" in default and option.get("type", "str") != "str" and "default" not in option
    )


def process(directory: pathlib.Path, check: bool) -> list[str]:
    """Write (or check) one role; return what is wrong."""
    role = directory.name
    path = directory / "meta" / "argument_specs.yml"
    if not path.is_file():
        return [f"roles/{role}: meta/argument_specs.yml is missing"]
    specs = load(path).get("argument_specs")
    if not specs:
        return [f"roles/{role}: meta/argument_specs.yml has no argument_specs"]
    faults = [
        f"roles/{role}: {name} has no short_description" for name in specs if not specs[name].get("short_description")
    ]
    faults += [
        f"roles/{role}: there are no tasks for the entry point {name}"
        for name in specs
        if not (directory / "tasks" / f"{name}.yml").is_file()
    ]
    if faults:
        return faults
    path = directory / "defaults" / "main.yml"
    defaults = load(path) if path.is_file() else {}
    specs = with_templated_defaults(specs, defaults)
    target = directory / "README.md"
    wanted = readme(role, specs)
    found = target.read_text(encoding="utf-8") if target.is_file() else ""
    if found != wanted:
        if check:
            faults.append(f"roles/{role}: README.md is not what `make docs` would write")
        else:
            target.write_text(wanted, encoding="utf-8")
    return faults + default_faults(role, specs, defaults)


def listing(title: str, entries: list[tuple[str, str]]) -> list[str]:
    """A table of names and what they are for; nothing if there are none."""
    if not entries:
        return []
    return [f"| {title} | |", "| --- | --- |", *(f"| {name} | {cell(text(what))} |" for name, what in entries), ""]


def content(root: pathlib.Path) -> str:
    """The tables of modules, plugins and roles, from what they say about themselves."""
    lines: list[str] = []
    for title, pattern in (
        ("Module", "modules/[!_]*.py"),
        ("Inventory plugin", "inventory/[!_]*.py"),
        ("Filter", "filter/*.yml"),
        ("Lookup", "lookup/[!_]*.py"),
    ):
        found = [(path.stem, documentation_of(path)) for path in sorted((root / "plugins").glob(pattern))]
        lines += listing(title, [(f"`{name}`", about.get("short_description", "")) for name, about in found])
    roles = []
    for path in sorted((root / "roles").glob("[!_]*/meta/argument_specs.yml")):
        specs = load(path).get("argument_specs") or {}
        about = specs.get("main", {}).get("short_description", "")
        roles.append((f"[`{path.parts[-3]}`](roles/{path.parts[-3]}/README.md)", about))
    return "\n".join(lines + listing("Role", roles))


def readme_faults(root: pathlib.Path, check: bool) -> list[str]:
    """Write (or check) the lists of content between their marks in README.md."""
    target = root / "README.md"
    found = target.read_text(encoding="utf-8") if target.is_file() else ""
    if CONTENT_START not in found or CONTENT_END not in found:
        return [f"README.md: the marks {CONTENT_START} and {CONTENT_END} are missing"]
    before, rest = found.split(CONTENT_START, 1)
    after = rest.split(CONTENT_END, 1)[1]
    wanted = f"{before}{CONTENT_START}\n\n{content(root)}\n{CONTENT_END}{after}"
    if found == wanted:
        return []
    if check:
        return ["README.md: its lists of content are not what `make docs` would write"]
    target.write_text(wanted, encoding="utf-8")
    return []


def main(arguments: list[str] | None = None, root: pathlib.Path = ROOT) -> int:
    """Go through all roles; print what is wrong; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail where something would change")
    check = parser.parse_args(arguments).check
    faults = []
    for directory in sorted(path.parent for path in (root / "roles").glob("*/tasks")):
        try:
            faults += process(directory, check)
        except SpecError as error:
            faults.append(str(error))
    try:
        faults += readme_faults(root, check)
    except SpecError as error:
        faults.append(str(error))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
