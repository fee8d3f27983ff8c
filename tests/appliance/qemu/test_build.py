# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What builds of the same inputs have in common, and an image that is made of a given one: make test-appliance."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from pathlib import Path

import pytest

from fact8ra_image import base, build, clean, given, recipe, tree

pytestmark = [pytest.mark.root, pytest.mark.slow]

CACHE = Path("/var/cache/fact8ra-appliance")
# What two builds of the same inputs may differ in, and why.
MAY_DIFFER = {
    ".pyc": "CPython's marshal writes references by how often an object is in use while it compiles",
}


def inventory(root: Path) -> dict[str, tuple[object, ...]]:
    """Type, mode, owner, size or target, time and content of everything in a tree."""
    found: dict[str, tuple[object, ...]] = {}
    for path, status in clean.walk(root):
        content = ""
        if stat.S_ISREG(status.st_mode):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        elif stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)
        found[str(path.relative_to(root))] = (
            status.st_mode,
            status.st_uid,
            status.st_gid,
            int(status.st_mtime),
            content,
        )
    return found


def test_two_builds_of_the_same_inputs_are_the_same_tree(tmp_path: Path) -> None:
    wanted = recipe.recipe("flower-supernode", formats=["directory"])
    lists = []
    trees = []
    # Of Debian, too, each has an archive of its own; the wheels are the same files.
    other = tmp_path / "cache"
    other.mkdir()
    for wheels in CACHE.glob("wheels-*"):
        (other / wheels.name).symlink_to(wheels)
    for name, cache in (("first", CACHE), ("second", other)):
        options = build.Options(tmp_path / name, cache)
        build.ensure(wanted, options)
        directory = options.output / "flower-supernode"
        lists.append([(directory / part).read_text() for part in ("packages.txt", "sbom.cdx.json")])
        trees.append(inventory(directory / "rootfs"))
    assert recipe.recipe("flower-supernode", formats=["directory"]).digest == wanted.digest, "the checkout was changed"
    assert lists[0] == lists[1]
    assert trees[0].keys() == trees[1].keys()
    different = [name for name in trees[0] if trees[0][name] != trees[1][name]]
    unexplained = [name for name in different if not any(part in name for part in MAY_DIFFER)]
    print(f"\n{len(trees[0])} files, {len(different)} differ in what they may")
    assert unexplained == []


def test_no_trace_of_this_computer_is_inside(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    wanted = recipe.recipe("flower-supernode", formats=["directory"])
    base.make(wanted, root, CACHE)
    tree.fill(wanted, root, CACHE)
    clean.clean(root)
    words = (str(tmp_path), str(recipe.COLLECTION), os.uname().nodename)
    found = [
        str(path.relative_to(root))
        for path, status in clean.walk(root)
        if stat.S_ISREG(status.st_mode) and any(word.encode() in path.read_bytes() for word in words if len(word) > 3)
    ]
    assert found == []
    assert list((root / "etc/ssh").glob("ssh_host_*")) == []


def test_a_given_image_keeps_its_disk_and_becomes_another_appliance(tmp_path: Path) -> None:
    options = build.Options(Path("~/.fact8ra/appliances").expanduser(), CACHE)
    first = Path(build.ensure(recipe.recipe("flower-superlink"), options)["directory"]) / "flower-superlink.qcow2"
    wanted = recipe.recipe("flower-supernode-edge", str(first))
    built = build.ensure(wanted, build.Options(tmp_path, CACHE))
    image = Path(built["directory"]) / "flower-supernode-edge.qcow2"
    tables = []
    for path in (first, image):
        raw = tmp_path / "disk.raw"
        subprocess.run(["qemu-img", "convert", "-O", "raw", str(path), str(raw)], check=True)
        tables.append(json.loads(subprocess.check_output(["sfdisk", "--json", str(raw)])))
    assert tables[0] == tables[1]
    root = given.find_root(raw, "disk.raw")
    subprocess.run(["e2fsck", "-f", "-n", f"{raw}?offset={root.offset}"], check=True)
    command = ["debugfs", "-R", "cat /etc/fact8ra/appliance.json", f"{raw}?offset={root.offset}"]
    assert json.loads(subprocess.check_output(command))["flavour"] == "edge"
    # The one that it was made of was a SuperLink, whose server stays installed and starts nothing.
    assert built["build"]["uncompressed_bytes"] < 2_000_000_000
