# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes what a pull request to OpenNebula's community marketplace holds, and checks it.

Usage: ``tools/marketplace.py --build DIRECTORY --url URL [--output DIRECTORY]``, by
``make marketplace ARGS=...``. Apps are those of
``marketplace/apps.yml``; templates and user inputs those that the appliances are tested with
(``roles/appliance/files/templates``); sizes, checksums and versions those of a build. Without a build there is no app.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import pathlib
import shutil
import sys
from collections.abc import Callable, Mapping
from typing import Any

import jinja2
import marketplace_build
import marketplace_tree
import yaml
from marketplace_build import BuildError, Image

from fact8ra_lab.standin.template import parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = ROOT / "marketplace"
TEMPLATES = ROOT / "roles" / "appliance" / "files" / "templates"
OUTPUT = ROOT / "build" / "marketplace"
#: What the import adds by itself, and NICs, which every cloud has its own of.
IMPORTED = {"NAME", "DISK", "NIC"}
#: Of the tests alone, at no federation; long enough to be taken.
TEST_TOKEN = "example-join-token-of-tests"
#: Files of an app by its first words, in the order that they are asked for.
TESTS = {"flower-superlink": "00-superlink.rb", "flower-supernode": "00-supernode.rb"}


class SourceError(Exception):
    """A file of the repository that cannot become an app."""


@dataclasses.dataclass(frozen=True)
class Release:
    """What the build is, for all of its apps.

    Args:
        version: that of the collection.
        flower_version: that of Flower.
        created: seconds of the epoch, of the newest image.
        url: where the images will be, without a slash at the end.
        images: by the name of the app.
    """

    version: str
    flower_version: str
    created: int
    url: str
    images: Mapping[str, Image]

    @property
    def date(self) -> datetime.datetime:
        """When the newest image was made, in UTC."""
        return datetime.datetime.fromtimestamp(self.created, datetime.UTC)

    @property
    def app_version(self) -> str:
        """The version of the apps; it changes with every build, so that clouds look again."""
        return f"{self.version}-{self.date:%Y%m%d}"


class _Dumper(yaml.SafeDumper):
    """YAML as their linter wants it: lists are indented, texts of several lines are blocks."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def dump(value: Any) -> str:
    """YAML of a value, keys in their order."""
    return yaml.dump(value, Dumper=_Dumper, explicit_start=True, sort_keys=False, allow_unicode=True, width=10_000)


def vm_template(path: pathlib.Path, mandatory: tuple[str, ...] = ()) -> dict[str, Any]:
    """The template of an app, in small letters, from a file in OpenNebula's notation.

    Args:
        path: the file.
        mandatory: user inputs that have to be given.

    Raises:
        SourceError: where one of them is not in the template.
    """
    template = parse(path.read_text(encoding="utf-8"))
    result: dict[str, Any] = {}
    for name, values in template.items():
        if name in IMPORTED:
            continue
        found = [
            {key.lower(): text for key, text in value.items() if text} if isinstance(value, dict) else value
            for value in values
        ]
        result[name.lower()] = found[0] if len(found) == 1 else found
    inputs = result.get("user_inputs", {})
    for name in (each.lower() for each in mandatory):
        if name not in inputs:
            raise SourceError(f"{path.name} has no user input {name.upper()}, which an app makes mandatory")
        inputs[name] = "M" + inputs[name][1:]
    return result


def service_template(path: pathlib.Path) -> dict[str, Any]:
    """The service of an app: that of the file, without the ids of VM templates, which the import adds."""
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for role in body["roles"]:
        role.pop("template_id", None)
    return body


def entry(app: dict[str, Any], common: dict[str, Any], release: Release) -> dict[str, Any]:
    """An app as the marketplace's server reads it."""
    kind, path = app["type"], TEMPLATES / app["template"]
    values = {
        "name": app["name"],
        "version": release.app_version,
        "publisher": common["publisher"],
        "description": _render("description.md.j2", app, common, release).rstrip("\n"),
        "short_description": app["short_description"],
        "tags": app["tags"],
        "format": common["format"],
        "creation_time": release.created,
        **{key: common[key] for key in ("os-id", "os-release", "os-arch", "hypervisor", "opennebula_version")},
    }
    if kind == "SERVICE_TEMPLATE":
        return values | {
            "type": kind,
            "roles": app["roles"],
            "opennebula_template": service_template(path),
            "logo": common["logo"],
            "images": [],
        }
    values["opennebula_template"] = vm_template(path, tuple(app.get("mandatory", ())))
    values["logo"] = common["logo"]
    if kind == "VMTEMPLATE":
        return values | {"type": kind, "disks": app["disks"], "images": []}
    image = release.images[app["name"]]
    return values | {
        "images": [
            {
                "name": app["image"],
                "url": f"{release.url}/{image.path.name}",
                "type": "OS",
                "dev_prefix": "vd",
                "driver": "qcow2",
                "size": image.size,
                "checksum": {"md5": image.md5, "sha256": image.sha256},
            }
        ]
    }


def metadata(app: dict[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    """What their tests ask of an app: its image, and the context that it is tested with."""
    template = vm_template(TEMPLATES / app["template"])
    return {
        ":app": {
            ":name": app["directory"],
            ":type": "service",
            ":os": {":type": "linux", ":base": f"{common['os-id'].lower()}{common['os-release']}"},
            ":hypervisor": common["hypervisor"],
            # Not prefixed by the tests, as TOKEN is no variable of the appliance.
            ":context": {":prefixed": False, ":params": {":TOKEN": "YES", ":ONEAPP_FLOWER_JOIN_TOKEN": TEST_TOKEN}},
        },
        ":one": {
            ":template": {
                "NAME": "base",
                "TEMPLATE": {
                    "ARCH": common["os-arch"],
                    "CONTEXT": {"NETWORK": "YES", "SSH_PUBLIC_KEY": "$USER[SSH_PUBLIC_KEY]"},
                    "CPU": template["cpu"],
                    "MEMORY": template["memory"],
                    "GRAPHICS": {"LISTEN": "0.0.0.0", "TYPE": "vnc"},
                    "NIC": {"NETWORK": "service"},
                    "NIC_DEFAULT": {"MODEL": "virtio"},
                },
            },
            ":datastore_name": "default",
            ":timeout": "90",
        },
        ":infra": {":disk_format": common["format"], ":apps_path": "/var/tmp"},
    }


def context(app: dict[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    """What their tests write after they ran, for the tests of the context."""
    return {
        ":tests": {
            app["directory"]: {
                ":image_name": f"{app['directory']}.{common['format']}",
                ":type": "linux",
                ":microenvs": [f"context-{common['hypervisor'].lower()}"],
                ":slow": True,
                ":enable_netcfg_common": True,
                ":enable_netcfg_ip_methods": True,
            }
        }
    }


def _render(name: str, app: dict[str, Any], common: dict[str, Any], release: Release, **more: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(SOURCES / "pages"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(app=app, common=common, release=release, **more)


def inputs_of(app: dict[str, Any]) -> list[dict[str, str]]:
    """The user inputs of an app: name, role (of a service), whether mandatory, what it is, default."""
    path = TEMPLATES / app["template"]
    if app["type"] == "SERVICE_TEMPLATE":
        body = service_template(path)
        given = {"": body.get("user_inputs", {})} | {
            role["name"]: role.get("user_inputs", {}) for role in body["roles"]
        }
    else:
        given = {"": vm_template(path, tuple(app.get("mandatory", ())))["user_inputs"]}
    found = []
    for role, inputs in given.items():
        for name, text in inputs.items():
            parts = [part.strip() for part in text.split("|")] + [""] * 5
            found.append({"name": name.upper(), "role": role, "form": parts[0], "about": parts[2], "default": parts[4]})
    return found


def sections(release: Release) -> list[tuple[str, dict[str, list[str]]]]:
    """Titles and changes of the changelog, newest first; raises SourceError where the build's version has none."""
    log = yaml.safe_load((SOURCES / "changelog.yml").read_text(encoding="utf-8"))
    newest = release.version if release.version in log else "next"
    if not log.get(newest):
        raise SourceError(f"marketplace/changelog.yml says nothing of {release.version}")
    title = f"[{release.app_version}] - {release.date:%Y-%m-%d}"
    older = [(f"[{version}]", found) for version, found in log.items() if version not in (newest, "next")]
    return [(title, log[newest]), *older]


def release_of(build: pathlib.Path, url: str, apps: list[dict[str, Any]]) -> Release:
    """The images of a build. Raises BuildError."""
    images = {
        app["name"]: marketplace_build.read(build, app["image"])
        for app in apps
        if app["type"] == "IMAGE" and not (app.get("optional") and not (build / app["image"]).is_dir())
    }
    for what in ("version", "flower_version"):
        if len(found := sorted({getattr(image, what) for image in images.values()})) > 1:
            raise BuildError(f"the images have several values of {what}: {', '.join(found)}")
    one = next(iter(images.values()))
    created = max(image.created for image in images.values())
    return Release(one.version, one.flower_version, created, url.rstrip("/"), images)


def write(output: pathlib.Path, release: Release, source: Mapping[str, Any]) -> None:
    """The tree, anew. Raises SourceError."""
    common, apps = source["common"], source["apps"]
    apps = [app for app in apps if app["type"] != "IMAGE" or app["name"] in release.images]
    for part in ("appliances", "logos"):
        shutil.rmtree(output / part, ignore_errors=True)
    (output / "logos").mkdir(parents=True)
    shutil.copyfile(SOURCES / "logos" / common["logo"], output / "logos" / common["logo"])
    for app in apps:
        directory = output / "appliances" / app["directory"]
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{app['id']}.yaml").write_text(dump(entry(app, common, release)), encoding="utf-8")
        # The last app of a directory is the one that its pages are about.
        page = _render("README.md.j2", app, common, release, apps=apps, inputs=inputs_of(app))
        (directory / "README.md").write_text(page, encoding="utf-8")
        log = _render("CHANGELOG.md.j2", app, common, release, sections=sections(release))
        (directory / "CHANGELOG.md").write_text(log, encoding="utf-8")
        if app["type"] == "IMAGE":
            _write_tests(directory, app, common)


def _write_tests(directory: pathlib.Path, app: dict[str, Any], common: dict[str, Any]) -> None:
    test = next(TESTS[start] for start in sorted(TESTS, key=len, reverse=True) if app["directory"].startswith(start))
    makers: dict[str, Callable[[], Any]] = {
        "metadata.yaml": lambda: metadata(app, common),
        "context.yaml": lambda: context(app, common),
        "tests.yaml": lambda: [test],
    }
    for name, make in makers.items():
        (directory / name).write_text(dump(make()), encoding="utf-8")
    (directory / "tests").mkdir(exist_ok=True)
    shutil.copyfile(SOURCES / "tests" / test, directory / "tests" / test)


def main(arguments: list[str] | None = None) -> int:
    """Write and check; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="what `make appliance` left")
    parser.add_argument("--url", required=True, help="where the images will be, for example https://example.org/1.1.0")
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT, help="directory that gets the tree")
    given = parser.parse_args(arguments)
    if not given.url.startswith(("https://", "http://")):
        parser.error(f"--url={given.url} is no address that starts with https:// or http://")
    source = yaml.safe_load((SOURCES / "apps.yml").read_text(encoding="utf-8"))
    try:
        release = release_of(given.build, given.url, source["apps"])
        write(given.output, release, source)
    except (BuildError, SourceError) as error:
        print(error, file=sys.stderr)
        return 1
    faults = marketplace_tree.faults(given.output, release.images)
    for fault in faults:
        print(fault, file=sys.stderr)
    if not faults:
        print(f"{given.output}: {len(marketplace_tree.load(given.output))} apps, version {release.app_version}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
