# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A build is whole or not there, is not done twice, and says what is in its way before anything is made."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from fact8ra_image import __main__ as command
from fact8ra_image import build, recipe
from fact8ra_image.system import ImageError

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A root file system that is as good as any, since nothing is installed."""
    root = tmp_path / "base"
    for name in ("etc", "root"):
        (root / name).mkdir(parents=True)
    (root / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\n')
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text("")
    return root


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> build.Options:
    """Output and cache below a temporary directory, as root with all tools; only a base of a directory is filled."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(build, "missing", lambda *tools: [])
    monkeypatch.setattr(build, "SHM", tmp_path / "shm")
    monkeypatch.setattr(build, "scratch_parent", lambda fallback, needed: fallback)
    monkeypatch.setattr(build.tree, "fill", lambda *args, **kwargs: None)
    monkeypatch.setattr(recipe, "collection_files", lambda *args: iter(()))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 0, 10**12))
    return build.Options(tmp_path / "output", tmp_path / "cache")


def image(base: Path) -> recipe.Recipe:
    """The recipe of a tree."""
    return recipe.recipe("flower-supernode", str(base), ["directory"])


def test_the_second_build_of_the_same_inputs_does_nothing(base: Path, options: build.Options) -> None:
    assert build.ensure(image(base), options, check=True)["changed"] is True
    assert not options.output.exists()
    first = build.ensure(image(base), options)
    assert first["changed"] is True
    directory = options.output / "flower-supernode"
    assert sorted(path.name for path in directory.iterdir()) == [
        "SHA256SUMS",
        "build.json",
        "packages.txt",
        "rootfs",
        "sbom.cdx.json",
    ]
    again = build.ensure(image(base), options)
    assert again == {**first, "changed": False}
    (base / "etc/other").write_text("")
    assert build.ensure(image(base), options, check=True)["changed"] is True
    assert build.ensure(image(base), options)["changed"] is True
    assert (directory / "rootfs/etc/other").exists()
    assert [path.name for path in options.output.iterdir() if path.name.startswith(".new")] == []


@pytest.mark.parametrize("lost", ["packages.txt", "sbom.cdx.json", "SHA256SUMS", "build.json", "rootfs/etc"])
def test_an_image_that_lost_a_part_is_not_taken_for_whole(base: Path, options: build.Options, lost: str) -> None:
    build.ensure(image(base), options)
    path = options.output / "flower-supernode" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert build.ensure(image(base), options, check=True)["changed"] is True


def test_a_build_that_is_interrupted_leaves_nothing(
    base: Path, options: build.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    build.ensure(image(base), options)
    before = (options.output / "flower-supernode/build.json").read_text()
    (base / "etc/other").write_text("")
    with monkeypatch.context() as patch:
        patch.setattr(build.tree, "fill", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build.ensure(image(base), options)
    # The image before stays, whole and of its own inputs.
    assert (options.output / "flower-supernode/build.json").read_text() == before
    assert [path.name for path in options.output.iterdir() if path.name.startswith(".new")] == []


def test_what_a_killed_build_left_is_removed(base: Path, options: build.Options) -> None:
    left = options.output / ".new-flower-supernode.x"
    left.mkdir(parents=True)
    build.ensure(image(base), options)
    assert not left.exists()


def test_what_is_of_another_image_or_of_somebody_else_is_no_leftover(tmp_path: Path, options: build.Options) -> None:
    mine = [options.output / ".new-flower-supernode.x", tmp_path / "shm/fact8ra-image-flower-supernode.x"]
    others = ("fact8ra-image-flower-supernode-edge.x", "fact8ra-image-flower-supernode-edge_x")
    for path in (*mine, *(tmp_path / "shm" / name for name in others)):
        path.mkdir(parents=True)
    (tmp_path / "shm/fact8ra-image-flower-supernode.link").symlink_to(tmp_path)
    (tmp_path / "shm/fact8ra-image-flower-supernode.file").touch()
    assert build.leftovers("flower-supernode", options.output, os.getuid()) == mine
    assert build.leftovers("flower-supernode", options.output, os.getuid() + 1) == []
    assert not any("." in name for name in recipe.FLAVOURS)


def test_an_image_over_its_bound_is_none(base: Path, options: build.Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build.clean, "used_bytes", lambda tree: 1_200_000_001)
    with pytest.raises(ImageError, match="flower-supernode has 1200000001 bytes uncompressed, and may have 1200000000"):
        build.ensure(image(base), options)
    assert not (options.output / "flower-supernode").exists()


def test_all_that_is_in_the_way_is_told_at_once(
    base: Path, tmp_path: Path, options: build.Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(build, "missing", lambda *tools: ["mke2fs"] if "mke2fs" in tools else ["tar"])
    monkeypatch.setattr(recipe, "collection_files", lambda *args: iter(()))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, 10**6))
    wrong = build.Options(options.output, options.cache, wheelhouse=str(tmp_path / "nothing"))
    found = "; ".join(build.problems(image(base), wrong))
    assert "start ansible-playbook as root" in found
    assert "missing on this computer: tar;" in found
    assert "has 1 MB free, and 3000 MB are needed" in found
    assert f"appliance_wheelhouse is {tmp_path / 'nothing'}; it must be a directory with wheels, or empty" in found


def test_the_command_line(base: Path, options: build.Options, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["flower-supernode", f"--base={base}", "--format=directory", f"--output={options.output}"]
    arguments.append(f"--cache={options.cache}")
    assert command.main([*arguments, "--check"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] is True
    assert command.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["images"][0]["build"]["appliance"]["kind"] == "supernode"
    assert command.main([*arguments, "--check"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] is False
    assert command.main(["flower-hub", f"--output={options.output}"]) == 1
    assert "there is no image 'flower-hub'" in capsys.readouterr().err
