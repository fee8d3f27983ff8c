# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the marketplace gets: a build becomes a tree that OpenNebula imports; the build here is disks of a few bytes."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import marketplace
import marketplace_tree
import pytest
from marketplace_build import BuildError, read, virtual_size
from marketplace_fakes import SIZE, SOURCE, URL, app_of, build, disk

from fact8ra_lab.standin.flow.schema import validate
from fact8ra_lab.standin.template import parse

VM_TEMPLATES = [app for app in SOURCE["apps"] if app["template"].endswith(".vm")]
SERVICES = [app for app in SOURCE["apps"] if app["template"].endswith(".json")]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> marketplace.Release:
    return marketplace.release_of(build(tmp_path_factory.mktemp("build")), URL + "/", SOURCE["apps"])


@pytest.fixture(scope="module")
def tree(release: marketplace.Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tree")
    marketplace.write(path, release, SOURCE)
    return path


def test_a_build_becomes_a_tree_that_those_who_read_it_take(release: marketplace.Release, tree: Path) -> None:
    assert marketplace_tree.faults(tree, release.images) == []
    assert [app.data["name"] for app in marketplace_tree.load(tree)] == [
        app["name"] for app in sorted(SOURCE["apps"], key=lambda each: (each["directory"], each["id"]))
    ]


def test_the_command_writes_the_tree_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--build", str(build(tmp_path / "build")), "--url", URL, "--output", str(tmp_path / "out")]
    assert marketplace.main(arguments) == 0
    assert f"{len(SOURCE['apps'])} apps, version 1.1.0-" in capsys.readouterr().out
    first = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    (tmp_path / "out" / "appliances" / "flower-superlink" / "old.yaml").write_text("left over", encoding="utf-8")
    assert marketplace.main(arguments) == 0
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == first


def test_an_image_is_what_the_build_is(release: marketplace.Release, tree: Path) -> None:
    image = app_of(tree, "fact8ra Flower SuperLink").data["images"][0]
    content = disk("flower-superlink")
    assert image["size"] == SIZE
    assert image["checksum"] == {
        "md5": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert image["url"] == f"{URL}/flower-superlink.qcow2"


@pytest.mark.parametrize(
    "app", [app for app in SOURCE["apps"] if app["template"].endswith(".vm")], ids=lambda a: a["id"]
)
def test_a_vm_template_of_the_marketplace_is_that_of_the_file(tree: Path, app: dict[str, Any]) -> None:
    imported = marketplace_tree.parsed(app_of(tree, app["name"]).template)
    ours = parse((marketplace.TEMPLATES / app["template"]).read_text(encoding="utf-8"))
    for name in marketplace.IMPORTED:
        ours.pop(name, None)
    for name in app.get("mandatory", ()):
        inputs = ours.vectors("USER_INPUTS")[0]
        assert inputs[name].startswith("O|")
        inputs[name] = "M" + inputs[name][1:]
    assert imported == ours


@pytest.mark.parametrize("app", SERVICES, ids=lambda app: app["directory"])
def test_a_service_of_the_marketplace_is_that_of_the_file(tree: Path, app: dict[str, Any]) -> None:
    ours = json.loads((marketplace.TEMPLATES / app["template"]).read_text(encoding="utf-8"))
    assert app_of(tree, app["name"]).template == ours


@pytest.mark.parametrize("app", SERVICES, ids=lambda app: app["directory"])
def test_a_service_that_was_imported_is_the_one_that_was_uploaded(tree: Path, app: dict[str, Any]) -> None:
    """The import knows 6.x's name of a role's VM template alone; what OneFlow keeps of it is the same."""
    uploaded = json.loads((marketplace.TEMPLATES / app["template"]).read_text(encoding="utf-8"))
    imported = copy.deepcopy(app_of(tree, app["name"]).template)
    for number, (ours, theirs) in enumerate(zip(uploaded["roles"], imported["roles"], strict=True)):
        ours["template_id"] = theirs["vm_template"] = number
    validate(uploaded)
    validate(imported)
    assert imported == uploaded


def test_an_optional_image_may_be_left_out_of_a_build(tmp_path: Path) -> None:
    release = marketplace.release_of(build(tmp_path / "b", "flower-supernode-pytorch"), URL, SOURCE["apps"])
    marketplace.write(tmp_path / "out", release, SOURCE)
    assert marketplace_tree.faults(tmp_path / "out", release.images) == []
    assert not (tmp_path / "out" / "appliances" / "flower-supernode-pytorch").exists()


def test_ids_are_unique_and_stay() -> None:
    assert {app["name"]: app["id"] for app in SOURCE["apps"]} == {
        "fact8ra Flower SuperLink": "ebf417a7-0789-452e-a944-494df6feee90",
        "fact8ra Flower SuperNode": "cad272b1-a65c-41e7-b2bd-c49a1bc69e3a",
        "fact8ra Flower SuperNode scikit-learn": "a9270c0b-342c-467e-ab68-f9119de1dc2a",
        "fact8ra Flower SuperNode edge": "ad00fd0c-2f48-4298-850d-ae770f53ca8d",
        "fact8ra Flower SuperNode PyTorch": "adf5b698-30e8-44e2-82c3-a71da086e500",
        "fact8ra Flower SuperNode of another site": "6ee3724c-bf03-4418-943a-0ceea90f1a20",
        "fact8ra Flower federation": "cee6c092-c8f4-4c40-916e-441846b0d340",
        "fact8ra Flower site": "34726b20-29b0-4a63-80a4-be494961720f",
    }


NO_BUILD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "none": (lambda root: [path.unlink() for path in root.glob("flower-supernode/*")], "is not there; the build is"),
    "no-disk": (lambda root: (root / "flower-superlink/flower-superlink.qcow2").unlink(), "qcow2 is not there"),
    "changed": (
        lambda root: (root / "flower-superlink/flower-superlink.qcow2").write_bytes(disk("another")),
        "has the checksum .*, and SHA256SUMS says",
    ),
    "unnamed": (
        lambda root: (root / "flower-superlink/SHA256SUMS").write_text("torn\n", encoding="utf-8"),
        "SHA256SUMS says nothing of it",
    ),
    "no-version": (
        lambda root: (root / "flower-superlink/build.json").write_text("{}", encoding="utf-8"),
        "does not tell the version",
    ),
    "no-json": (
        lambda root: (root / "flower-superlink/build.json").write_text("{", encoding="utf-8"),
        "is no JSON",
    ),
    "mixed": (
        lambda root: (root / "flower-superlink/build.json").write_text(
            '{"appliance": {"version": "1.2.0", "flower_version": "1.41.0"}}', encoding="utf-8"
        ),
        "several values of version: 1.1.0, 1.2.0",
    ),
}


@pytest.mark.parametrize("case", NO_BUILD)
def test_without_a_whole_build_there_is_no_tree(tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str) -> None:
    spoil, message = NO_BUILD[case]
    spoil(build(tmp_path / "build"))
    assert marketplace.main(["--build", str(tmp_path / "build"), "--url", URL, "--output", str(tmp_path / "out")]) == 1
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("content", "message"), [(b"raw", "is no disk"), (disk("x", 0), "of no bytes")])
def test_a_disk_is_qcow2(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "disk").write_bytes(content)
    with pytest.raises(BuildError, match=message):
        virtual_size(tmp_path / "disk")


def test_an_address_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        marketplace.main(["--build", str(tmp_path), "--url", "example.org"])
    assert "no address that starts with https://" in capsys.readouterr().err


def test_a_version_has_its_changes(
    release: marketplace.Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marketplace, "SOURCES", tmp_path)
    (tmp_path / "changelog.yml").write_text("'1.0.0': {added: [The first]}\n", encoding="utf-8")
    with pytest.raises(marketplace.SourceError, match=r"says nothing of 1\.1\.0"):
        marketplace.sections(release)
    (tmp_path / "changelog.yml").write_text("next: {fixed: [It]}\n'1.0.0': {added: [The first]}\n", encoding="utf-8")
    titles = [title for title, changes in marketplace.sections(release) if changes]
    assert titles == [f"[{release.app_version}] - {release.date:%Y-%m-%d}", "[1.0.0]"]


def test_an_input_that_becomes_mandatory_is_there(tmp_path: Path) -> None:
    (tmp_path / "one.vm").write_text('CPU = "1"\nUSER_INPUTS = [ A = "O|text|a" ]\n', encoding="utf-8")
    assert marketplace.vm_template(tmp_path / "one.vm", ("A",))["user_inputs"] == {"a": "M|text|a"}
    with pytest.raises(marketplace.SourceError, match=r"one\.vm has no user input B"):
        marketplace.vm_template(tmp_path / "one.vm", ("B",))


def test_reading_an_image_needs_no_other_program(tmp_path: Path) -> None:
    image = read(build(tmp_path), "flower-superlink")
    assert (image.size, image.version, image.flower_version) == (SIZE, "1.1.0", "1.41.0")
