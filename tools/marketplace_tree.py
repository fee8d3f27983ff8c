# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Loads a tree of the community marketplace as those who use it do, and says what is wrong with it.

Who reads it, and what they ask of it:

- its workflow: yamllint of ``appliances`` (``.yamllint.yml``);
- its server (OpenNebula/appmarket-simple, src/lib/appliance.rb): files named by an id; attributes of a hash;
- OpenNebula's driver (src/market_mad/remotes/one/monitor): a template becomes text, all of whose values are strings,
  that are not escaped; a role and a disk name an app;
- OpenNebula's import (src/oca/ruby/opennebula/marketplaceapp_ext.rb): apps are found by name; a role is given a VM
  template by the attribute of 6.x, ``vm_template``, which OneFlow converts;
- its tests (lib/community/app_handler.rb, app_readiness.rb):
  ``metadata.yaml``, ``tests.yaml``, an image by the app's name.
"""

from __future__ import annotations

import copy
import dataclasses
import pathlib
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from marketplace_build import Image
from yamllint import linter
from yamllint.config import YamlLintConfig

from fact8ra_lab.standin.flow.errors import InvalidTemplate
from fact8ra_lab.standin.flow.schema import validate
from fact8ra_lab.standin.template import Template, TemplateError, parse

#: Their rules: yamllint's own, but for the length of lines and the indentation of lists.
LINT = "{extends: default, rules: {line-length: disable, indentation: {indent-sequences: whatever}}}"
TEXTS = ("name", "version", "publisher", "description", "short_description", "opennebula_version", "logo")
PNG = b"\x89PNG\r\n\x1a\n"
#: Letters that end the string that a command is in (lib/community/clitester/VM.rb: ``ssh user@address "command"``).
_UNQUOTED = re.compile(r'["$`]')
_COMMAND = re.compile(r"\.ssh\((?P<quote>['\"])(.*?)(?P=quote)\)")


@dataclasses.dataclass(frozen=True)
class App:
    """An app as the server reads it."""

    path: pathlib.Path
    data: dict[str, Any]

    @property
    def type(self) -> str:
        """IMAGE, VMTEMPLATE or SERVICE_TEMPLATE."""
        return str(self.data.get("type") or "IMAGE")

    @property
    def template(self) -> dict[str, Any]:
        """The template; empty where there is none."""
        return self.data.get("opennebula_template") or {}


def load(tree: pathlib.Path) -> list[App]:
    """The apps of a tree: files that an id names, as others are not apps. Raises yaml.YAMLError."""
    found = []
    for path in sorted(tree.glob("appliances/*/*.yaml")):
        try:
            uuid.UUID(path.stem)
        except ValueError:
            continue
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        found.append(App(path, data if isinstance(data, dict) else {}))
    return found


def text_of(template: Mapping[str, Any]) -> str:
    """The text that OpenNebula's driver makes of a template: names in capitals, values in quotes, none escaped."""
    lines = []
    for name, value in template.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                inner = ",".join(f'{key.upper()} ="{text}"' for key, text in one.items() if text)
                lines.append(f"{name.upper()} = [ {inner}]")
            elif one:
                lines.append(f'{name.upper()} = "{one}"')
    return "\n".join(lines)


def parsed(template: Mapping[str, Any]) -> Template:
    """A template as oned reads what the driver makes of it. Raises TemplateError."""
    return parse(text_of(template))


def faults(tree: pathlib.Path, images: Mapping[str, Image]) -> list[str]:
    """What is wrong with a tree, one line each.

    Args:
        tree: the directory that has ``appliances`` and ``logos``.
        images: of the build, by the name of the app.
    """
    found = list(_lint_faults(tree))
    if found:
        return found
    apps = load(tree)
    if not apps:
        return [f"{tree}: there is no app"]
    by_name: dict[str, App] = {}
    for app in apps:
        name = str(app.data.get("name"))
        if name in by_name:
            found.append(f"{app.path}: {by_name[name].path} has the same name, {name}")
        by_name[name] = app
    for app in apps:
        found += [f"{app.path}: {fault}" for fault in app_faults(tree, app, by_name, images)]
    for directory in sorted({app.path.parent for app in apps}):
        found += directory_faults(directory, [app for app in apps if app.path.parent == directory])
    return found


def _lint_faults(tree: pathlib.Path) -> Iterator[str]:
    config = YamlLintConfig(LINT)
    for path in sorted(tree.glob("appliances/**/*.yaml")):
        for problem in linter.run(path.read_text(encoding="utf-8"), config, str(path)):
            yield f"{path}:{problem.line}: {problem.desc}"


def app_faults(tree: pathlib.Path, app: App, by_name: Mapping[str, App], images: Mapping[str, Image]) -> Iterator[str]:
    """What is wrong with one app; the others are those that it may refer to, by name."""
    for key in TEXTS:
        if not isinstance(app.data.get(key), str) or not app.data[key].strip():
            yield f"{key} is no text"
    if not isinstance(app.data.get("creation_time"), int):
        yield "creation_time is no number of seconds"
    logo = tree / "logos" / str(app.data.get("logo"))
    if not logo.is_file() or not logo.read_bytes().startswith(PNG):
        yield f"there is no logo {logo.name}"
    if app.type == "SERVICE_TEMPLATE":
        yield from _service_faults(app, by_name)
    elif app.type == "VMTEMPLATE":
        yield from _template_faults(app)
        yield from (
            f"the disk {disk} is no app with an image"
            for disk in app.data.get("disks") or [""]
            if disk not in by_name or by_name[disk].type != "IMAGE"
        )
    elif app.type == "IMAGE":
        yield from _template_faults(app)
        yield from _image_faults(app, images)
    else:
        yield f"OpenNebula knows no app of type {app.type}"


def _template_faults(app: App) -> Iterator[str]:
    for where, value in _values(app.template):
        if not isinstance(value, str):
            yield f"{where} is {value!r}; OpenNebula drops the template unless every value is a string"
        elif '"' in value:
            yield f"{where} has a double quote, which OpenNebula does not escape"
    try:
        template = parsed(app.template)
    except TemplateError as error:
        yield f"the template: {error}"
        return
    context = (template.vectors("CONTEXT") or [{}])[0]
    for name in (template.vectors("USER_INPUTS") or [{}])[0]:
        if context.get(name) != f"${name}":
            yield f"the user input {name} does not reach the context"
    if not template.text("CPU") or not template.text("MEMORY"):
        yield "the template has no CPU or no MEMORY"
    if "DISK" in template or "NAME" in template:
        yield "the template has a disk or a name, which the import adds"
    if "REPORT_READY" in context:
        yield "REPORT_READY lets the context agent tell OneFlow that the VM is ready, and not the appliance"


def _values(value: Any, where: str = "opennebula_template") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _values(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, where)
    else:
        yield where, value


def _image_faults(app: App, images: Mapping[str, Image]) -> Iterator[str]:
    listed = app.data.get("images")
    if not isinstance(listed, list) or len(listed) != 1:
        yield "there is not exactly one image"
        return
    image, built = listed[0], images.get(app.data["name"])
    if built is None:
        yield "the build has no image of this app"
        return
    if image.get("size") != built.size:
        yield f"size is {image.get('size')!r}; the disk has {built.size} bytes"
    if image.get("checksum") != {"md5": built.md5, "sha256": built.sha256}:
        yield f"the checksums are not those of {built.path.name}"
    if not re.fullmatch(r"https?://\S+/" + re.escape(built.path.name), str(image.get("url"))):
        yield f"url is {image.get('url')!r}; it leads to {built.path.name}, by http or https"
    for key, value in (("type", "OS"), ("dev_prefix", "vd"), ("driver", "qcow2"), ("name", built.path.stem)):
        if image.get(key) != value:
            yield f"{key} of the image is {image.get(key)!r}, not {value}"


def _service_faults(app: App, by_name: Mapping[str, App]) -> Iterator[str]:
    roles = app.data.get("roles") or {}
    if app.data.get("images") != []:
        yield "images is not an empty list"
    body = copy.deepcopy(app.template)
    names = [role.get("name") for role in body.get("roles") or []]
    if sorted(roles) != sorted(names):
        yield f"roles names {', '.join(sorted(roles))}, and the service has {', '.join(map(str, names))}"
    for role, name in roles.items():
        target = by_name.get(name)
        if target is None:
            yield f"the role {role} is {name}, which is no app of the tree"
        elif target.type == "SERVICE_TEMPLATE" or not target.template:
            yield f"the role {role} is {name}, which has no VM template"
    # What the import does, and then OneFlow.
    for number, role in enumerate(body.get("roles") or []):
        if "template_id" in role:
            yield f"the role {role.get('name')} has an id of a VM template, which only one cloud has"
        role["vm_template"] = number
    try:
        validate(body)
    except InvalidTemplate as error:
        yield f"OneFlow refuses the service: {error}"


def directory_faults(directory: pathlib.Path, apps: list[App]) -> Iterator[str]:
    """What is wrong with the files beside the apps of one directory."""
    for name in ("README.md", "CHANGELOG.md"):
        if not (directory / name).is_file():
            yield f"{directory}: there is no {name}"
    if not any(app.type == "IMAGE" for app in apps):
        return
    missing = [name for name in ("metadata.yaml", "context.yaml", "tests.yaml") if not (directory / name).is_file()]
    if missing:
        yield f"{directory}: there is no {', '.join(missing)}"
        return
    yield from (f"{directory}: {fault}" for fault in _test_faults(directory))


def _test_faults(directory: pathlib.Path) -> Iterator[str]:
    metadata = yaml.safe_load((directory / "metadata.yaml").read_text(encoding="utf-8"))
    try:
        name, context = metadata[":app"][":name"], metadata[":app"][":context"]
        system, hypervisor = metadata[":app"][":os"][":type"], metadata[":app"][":hypervisor"]
        template, disk = metadata[":one"][":template"]["NAME"], metadata[":infra"][":disk_format"]
        parameters, prefixed = context[":params"], context[":prefixed"]
    except (KeyError, TypeError) as error:
        yield f"metadata.yaml has no {error}"
        return
    if not template or not isinstance(parameters, dict) or not isinstance(prefixed, bool):
        yield "metadata.yaml: the template has no name, or the context no parameters"
    # After its tests an app writes context.yaml into the directory of what comes after the last underscore of its name.
    if directory.name != name or "_" in name:
        yield f"the app {name} is in another directory than its tests write to"
    known = yaml.safe_load((directory / "context.yaml").read_text(encoding="utf-8"))
    wanted = {":image_name": f"{name}.{disk}", ":type": system, ":microenvs": [f"context-{hypervisor.lower()}"]}
    if {key: known[":tests"].get(name, {}).get(key) for key in wanted} != wanted:
        yield "context.yaml is not what the tests write from metadata.yaml"
    tests = yaml.safe_load((directory / "tests.yaml").read_text(encoding="utf-8"))
    if not tests:
        yield "tests.yaml has no tests"
    for test in tests or []:
        path = directory / "tests" / test
        if not path.is_file():
            yield f"tests.yaml names {test}, which is not there"
            continue
        text = path.read_text(encoding="utf-8")
        if (
            "require_relative '../../../lib/community/app_handler'" not in text
            or "include_context('vm_handler')" not in text
        ):
            yield f"{test} does not use the machine that the library makes"
        yield from (
            f"{test}: a command has a letter that the shell on the way reads: {command}"
            for command in (found[2] for found in _COMMAND.finditer(text))
            if _UNQUOTED.search(command)
        )
