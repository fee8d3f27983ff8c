# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Links of a tree lead to files of the tree: what is outside survives whatever is written and removed in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fact8ra_image import base, clean, disk, paths, recipe
from fact8ra_image.system import ImageError


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A directory that no tree may touch, with the file `kept`."""
    directory = tmp_path / "host"
    directory.mkdir()
    (directory / "kept").write_text("host")
    return directory


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "etc").mkdir(parents=True)
    (root / "var").mkdir()
    return root


def test_links_are_followed_as_the_tree_sees_them(tree: Path) -> None:
    (tree / "run/lock").mkdir(parents=True)
    (tree / "var/run").symlink_to("/run")
    (tree / "var/lock").symlink_to("../run/lock")
    assert paths.within(tree, "var/run/x") == tree / "run/x"
    assert paths.within(tree, "/var/lock", follow=True) == tree / "run/lock"
    assert paths.within(tree, "var/lock") == tree / "var/lock"


@pytest.mark.parametrize("target", ["../../host", "../..", "/../host"])
def test_a_link_out_of_the_tree_is_refused(tree: Path, host: Path, target: str) -> None:
    (tree / "var/tmp").symlink_to(target)
    for refused in (lambda: paths.write(tree, "var/tmp/kept", "x"), lambda: clean.clean(tree)):
        with pytest.raises(ImageError, match=r"var/tmp.* of the base leads out of it by a link"):
            refused()
    assert (host / "kept").read_text() == "host"


def test_links_in_a_circle_are_refused(tree: Path) -> None:
    (tree / "var/a").symlink_to("b")
    (tree / "var/b").symlink_to("a")
    with pytest.raises(ImageError, match="var/a/x of the base has links in a circle"):
        paths.within(tree, "var/a/x")


@pytest.mark.parametrize("name", ["var/tmp", "run", "var/log", "usr/share/doc", "etc/ssh", "root", "var/lib/chrony"])
def test_cleaning_leaves_the_host_its_files(tree: Path, host: Path, name: str) -> None:
    (host / "ssh_host_key").write_text("host")
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).symlink_to(host)
    clean.clean(tree)
    assert sorted(path.name for path in host.iterdir()) == ["kept", "ssh_host_key"]


def test_a_link_is_replaced_and_not_written_through(tree: Path, host: Path) -> None:
    for name in ("machine-id", "resolv.conf"):
        (tree / "etc" / name).symlink_to(host / "kept")
    clean.clean(tree)
    assert (host / "kept").read_text() == "host"
    assert not (tree / "etc/machine-id").is_symlink()
    assert (tree / "etc/machine-id").read_text() == ""


def test_modules_of_grub_are_not_written_through_links(tree: Path, host: Path) -> None:
    source = tree / "usr/lib/grub/i386-pc"
    source.mkdir(parents=True)
    (source / "kept").write_text("grub")
    (tree / "boot/grub").mkdir(parents=True)
    (tree / "boot/grub/i386-pc").symlink_to(host)
    disk.copy_modules(tree)
    assert (host / "kept").read_text() == "host"
    assert (tree / "boot/grub/i386-pc/kept").read_text() == "grub"


def test_an_image_has_the_sources_of_debian(tree: Path) -> None:
    base.write_sources(tree, base.sources("http://mirror.example/debian", "http://mirror.example/security"))
    (tree / "etc/apt/sources.list.d").mkdir()
    (tree / "etc/apt/sources.list.d/mirror.list").write_text("deb http://mirror.example/debian bookworm main\n")
    base.write_sources(tree, base.sources())
    assert (tree / "etc/apt/sources.list").read_text() == (
        "deb http://deb.debian.org/debian bookworm main\n"
        "deb http://deb.debian.org/debian bookworm-updates main\n"
        "deb http://deb.debian.org/debian-security bookworm-security main\n"
    )
    assert list((tree / "etc/apt/sources.list.d").iterdir()) == []


def test_a_base_that_is_a_link_is_copied(tmp_path: Path, host: Path) -> None:
    (tmp_path / "base/etc").mkdir(parents=True)
    (tmp_path / "base/etc/os-release").write_text('ID=debian\nVERSION_ID="12"\n')
    (tmp_path / "link").symlink_to("base")
    made = recipe.recipe("flower-supernode", str(tmp_path / "link"), ["directory"])
    base.make(made, tmp_path / "copy", tmp_path)
    assert not (tmp_path / "copy").is_symlink()
    assert (tmp_path / "copy/etc/os-release").exists()
