# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a tree for the marketplace is found: each fault is put into a tree that has none."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import marketplace
import marketplace_tree
import pytest
from marketplace_fakes import SOURCE, URL, app_of, build
from marketplace_tree import App

SUPERLINK = "flower-superlink"
FAULTS: dict[str, tuple[str, Callable[[dict[str, Any]], Any], str]] = {
    # What is spoilt: app, how, the fault.
    "no-name": ("fact8ra Flower SuperLink", lambda app: app.update(name=""), "name is no text"),
    "no-time": ("fact8ra Flower SuperLink", lambda app: app.pop("creation_time"), "creation_time is no number"),
    "no-logo": ("fact8ra Flower SuperLink", lambda app: app.update(logo="other.png"), "there is no logo other.png"),
    "no-type": ("fact8ra Flower SuperLink", lambda app: app.update(type="ISO"), "knows no app of type ISO"),
    "a-number": (
        "fact8ra Flower SuperLink",
        lambda app: app["opennebula_template"].update(cpu=1),
        "opennebula_template.cpu is 1; OpenNebula drops the template",
    ),
    "a-quote": (
        "fact8ra Flower SuperLink",
        lambda app: app["opennebula_template"].update(description='a "word"'),
        "has a double quote",
    ),
    "unparseable": (
        "fact8ra Flower SuperLink",
        lambda app: app["opennebula_template"].update({"a b": "c"}),
        "the template: Parse error",
    ),
    "no-cpu": ("fact8ra Flower SuperLink", lambda app: app["opennebula_template"].pop("cpu"), "has no CPU"),
    "a-disk": (
        "fact8ra Flower SuperLink",
        lambda app: app["opennebula_template"].update(disk={"size": "1"}),
        "has a disk or a name",
    ),
    "report-ready": (
        "fact8ra Flower SuperLink",
        lambda app: app["opennebula_template"]["context"].update(report_ready="YES"),
        "REPORT_READY lets the context agent",
    ),
    "not-in-context": (
        "fact8ra Flower SuperLink",
        lambda app: app["opennebula_template"]["context"].pop("oneapp_flower_join_token"),
        "the user input ONEAPP_FLOWER_JOIN_TOKEN does not reach the context",
    ),
    "size": ("fact8ra Flower SuperLink", lambda app: app["images"][0].update(size=1), "size is 1; the disk has"),
    "checksum": (
        "fact8ra Flower SuperLink",
        lambda app: app["images"][0]["checksum"].update(md5="0" * 32),
        "the checksums are not those",
    ),
    "url": (
        "fact8ra Flower SuperLink",
        lambda app: app["images"][0].update(url="https://example.org/flower-supernode.qcow2"),
        "it leads to flower-superlink.qcow2",
    ),
    "driver": (
        "fact8ra Flower SuperLink",
        lambda app: app["images"][0].update(driver="raw"),
        "driver of the image is 'raw', not qcow2",
    ),
    "no-image": ("fact8ra Flower SuperLink", lambda app: app.update(images=[]), "there is not exactly one image"),
    "other-disk": (
        "fact8ra Flower SuperNode of another site",
        lambda app: app.update(disks=["fact8ra Flower federation"]),
        "the disk fact8ra Flower federation is no app with an image",
    ),
    "no-app-of-role": (
        "fact8ra Flower federation",
        lambda app: app["roles"].update(supernode="Something"),
        "the role supernode is Something, which is no app",
    ),
    "no-template-of-role": (
        "fact8ra Flower federation",
        lambda app: app["roles"].update(supernode="fact8ra Flower federation"),
        "which has no VM template",
    ),
    "roles": (
        "fact8ra Flower federation",
        lambda app: app["roles"].pop("supernode"),
        "roles names superlink, and the service has superlink, supernode",
    ),
    "id": (
        "fact8ra Flower federation",
        lambda app: app["opennebula_template"]["roles"][0].update(template_id=7),
        "has an id of a VM template",
    ),
    "oneflow": (
        "fact8ra Flower federation",
        lambda app: app["opennebula_template"].update(deployment="parallel"),
        "OneFlow refuses the service: KEY: 'deployment' must be one of none, straight;",
    ),
    "images-of-service": ("fact8ra Flower federation", lambda app: app.pop("images"), "images is not an empty list"),
}
FILES: dict[str, tuple[str, str, str, str]] = {
    # File of flower-superlink, what is replaced, by what, the fault.
    "name": (
        "metadata.yaml",
        ":name: flower-superlink",
        ":name: service_superlink",
        "another directory than its tests",
    ),
    "no-params": ("metadata.yaml", ":params:", ":parameters:", "metadata.yaml has no ':params'"),
    "context": ("context.yaml", "context-kvm", "context-lxc", "context.yaml is not what the tests write"),
    "tests": ("tests.yaml", "00-superlink.rb", "01.rb", "tests.yaml names 01.rb"),
    "command": ("tests/00-superlink.rb", "cat /run", "cat $HOME", "a command has a letter that the shell"),
    "handler": ("tests/00-superlink.rb", "include_context('vm_handler')", "", "does not use the machine"),
}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> marketplace.Release:
    return marketplace.release_of(build(tmp_path_factory.mktemp("build")), URL, SOURCE["apps"])


@pytest.fixture(scope="module")
def tree(release: marketplace.Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests, which change copies."""
    path = tmp_path_factory.mktemp("tree")
    marketplace.write(path, release, SOURCE)
    return path


@pytest.fixture(scope="module")
def apps(tree: Path) -> dict[str, App]:
    return {app.data["name"]: app for app in marketplace_tree.load(tree)}


@pytest.fixture
def directory(tree: Path, tmp_path: Path) -> Path:
    """A copy of the files of one app."""
    copied = tmp_path / SUPERLINK
    shutil.copytree(tree / "appliances" / SUPERLINK, copied)
    return copied


def faults_of(directory: Path, apps: dict[str, App]) -> list[str]:
    return list(marketplace_tree.directory_faults(directory, [apps["fact8ra Flower SuperLink"]]))


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_of_an_app(release: marketplace.Release, tree: Path, apps: dict[str, App], case: str) -> None:
    name, spoil, fault = FAULTS[case]
    app = App(apps[name].path, copy.deepcopy(apps[name].data))
    assert list(marketplace_tree.app_faults(tree, app, apps, release.images)) == []
    spoil(app.data)
    found = list(marketplace_tree.app_faults(tree, app, apps, release.images))
    assert any(fault in line for line in found), found


@pytest.mark.parametrize("case", FILES)
def test_a_fault_of_a_file(apps: dict[str, App], directory: Path, case: str) -> None:
    name, old, new, fault = FILES[case]
    assert faults_of(directory, apps) == []
    text = (directory / name).read_text(encoding="utf-8")
    assert old in text
    (directory / name).write_text(text.replace(old, new), encoding="utf-8")
    assert any(fault in line for line in faults_of(directory, apps))


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "metadata.yaml", "context.yaml", "tests.yaml"])
def test_a_file_that_is_not_there(apps: dict[str, App], directory: Path, name: str) -> None:
    (directory / name).unlink()
    assert faults_of(directory, apps) == [f"{directory}: there is no {name}"]


def test_a_name_that_two_apps_have(release: marketplace.Release, tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree / "logos", tmp_path / "logos")
    shutil.copytree(tree / "appliances" / SUPERLINK, tmp_path / "appliances" / SUPERLINK)
    assert marketplace_tree.faults(tmp_path, release.images) == []
    app = app_of(tmp_path, "fact8ra Flower SuperLink")
    shutil.copyfile(app.path, app.path.with_name("00000000-0000-0000-0000-000000000000.yaml"))
    found = marketplace_tree.faults(tmp_path, release.images)
    assert len(found) == 1
    assert "has the same name, fact8ra Flower SuperLink" in found[0]


def test_yaml_that_their_workflow_refuses(tmp_path: Path) -> None:
    path = tmp_path / "appliances" / SUPERLINK / "tests.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("- a \n", encoding="utf-8")
    found = marketplace_tree.faults(tmp_path, {})
    assert found == [f'{path}:1: missing document start "---"', f"{path}:1: trailing spaces"]


def test_a_tree_of_nothing(tmp_path: Path) -> None:
    assert marketplace_tree.faults(tmp_path, {}) == [f"{tmp_path}: there is no app"]
