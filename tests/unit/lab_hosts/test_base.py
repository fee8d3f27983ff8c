# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The base system is built once a recipe, and an interrupted build never counts."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fact8ra_lab.hosts import base
from fact8ra_lab.hosts._system import LabError, Paths


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setattr(base, "SHM", tmp_path / "shm")
    monkeypatch.setattr(base, "require", lambda *tools: None)
    (tmp_path / "shm").mkdir()
    return Paths(tmp_path / "state", tmp_path / "cache")


class Builder:
    """Stands for the commands: mmdebstrap makes a tree with what Debian has there, or fails."""

    def __init__(self, fail: str = "") -> None:
        self.fail = fail
        self.commands: list[list[str]] = []

    def __call__(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(list(command))
        if command[0] == self.fail:
            raise LabError(f"{command[0]} failed")
        if command[0] == "mmdebstrap":
            tree = Path(command[-2])
            for name in ("etc/systemd/system/multi-user.target.wants", "etc/ssh", "etc/default", "root", "var/log"):
                (tree / name).mkdir(parents=True)
            (tree / "etc/systemd/system/multi-user.target.wants/nginx.service").symlink_to("/lib/systemd/system/nginx")
            (tree / "etc/ssh/ssh_host_rsa_key").write_text("secret of every host")
        if command[0] == "cp":
            subprocess.run(command, check=True)
        return subprocess.CompletedProcess(command, 0, "", "")


def build(paths: Paths, monkeypatch: pytest.MonkeyPatch, fail: str = "") -> Builder:
    builder = Builder(fail)
    monkeypatch.setattr(base, "run", builder)
    return builder


def test_a_change_of_the_recipe_is_another_base_but_the_mirror_is_not() -> None:
    plain = base.Recipe()
    assert dataclasses.replace(plain, packages=(*plain.packages, "less")).digest != plain.digest
    assert dataclasses.replace(plain, files="0").digest != plain.digest
    assert dataclasses.replace(plain, units="[]").digest != plain.digest
    assert dataclasses.replace(plain, mirror="http://mirror.example.eu/debian").digest == plain.digest


def test_a_guest_file_and_its_mode_are_part_of_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "GUEST_FILES", tmp_path)
    script = tmp_path / "script"
    script.write_text("one")
    script.chmod(0o644)
    digests = [base.Recipe().digest]
    script.write_text("two")
    digests.append(base.Recipe().digest)
    script.chmod(0o755)
    digests.append(base.Recipe().digest)
    assert len(set(digests)) == 3


def test_built_once_and_then_found(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    build(paths, monkeypatch)
    first = base.ensure(paths, base.Recipe())
    again = build(paths, monkeypatch)
    second = base.ensure(paths, base.Recipe())
    assert (first.changed, second.changed) == (True, False)
    assert first.rootfs == second.rootfs == base.current(paths)
    assert not again.commands


def test_a_host_has_no_key_or_identity_of_the_base_and_runs_nothing_by_default(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(paths, monkeypatch)
    rootfs = base.ensure(paths, base.Recipe()).rootfs
    assert not list((rootfs / "etc/ssh").glob("ssh_host_*"))
    assert (rootfs / "etc/machine-id").read_text() == ""
    wants = rootfs / "etc/systemd/system/multi-user.target.wants"
    assert not (wants / "nginx.service").is_symlink()
    assert (wants / "one-context-online.service").is_symlink()
    assert (rootfs / "usr/local/sbin/one-context").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("fail", ["mmdebstrap", "cp", "sync"])
def test_a_failed_build_leaves_nothing(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fail: str
) -> None:
    build(paths, monkeypatch, fail)
    with pytest.raises(LabError, match=fail):
        base.ensure(paths, base.Recipe())
    left = [path.name for parent in (paths.bases, tmp_path / "shm") for path in parent.iterdir()]
    assert left == [".lock"]
    with pytest.raises(LabError, match="is not built"):
        base.current(paths)


def test_what_a_killed_build_left_is_removed_by_the_next(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (paths.bases / ".new-killed/base/rootfs").mkdir(parents=True)
    (tmp_path / "shm" / f"{base.SCRATCH_PREFIX}killed").mkdir()
    build(paths, monkeypatch)
    base.ensure(paths, base.Recipe())
    assert sorted(path.name for path in paths.bases.iterdir()) == [".lock", base.Recipe().digest]
    assert not list((tmp_path / "shm").iterdir())


def test_check_builds_nothing(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = build(paths, monkeypatch)
    assert base.ensure(paths, base.Recipe(), check=True).changed
    assert not builder.commands
    assert not paths.bases.exists()


def test_too_little_space_is_said_before_the_build(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = build(paths, monkeypatch)
    monkeypatch.setattr(base, "NEEDED_BYTES", 10**18)
    with pytest.raises(LabError, match="MB free"):
        base.ensure(paths, base.Recipe())
    assert not builder.commands
