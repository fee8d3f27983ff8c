# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The wheelhouse is filled once for its requirements, and a failure keeps what was there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fact8ra_lab.hosts import wheelhouse
from fact8ra_lab.hosts._system import LabError, Paths

PIP = """
import pathlib, sys
if "broken==1" in sys.argv:
    sys.exit("ERROR: No matching distribution found for broken==1")
destination = next(word for word in sys.argv if word.startswith("--dest=")).removeprefix("--dest=")
for word in sys.argv:
    if "==" in word:
        pathlib.Path(destination).mkdir(exist_ok=True)
        pathlib.Path(destination, word + ".whl").touch()
calls = pathlib.Path(__file__).with_name("calls")
calls.write_text((calls.read_text() if calls.exists() else "") + " ".join(sys.argv[1:]) + "\\n")
"""


@pytest.fixture
def pip(tmp_path: Path) -> list[str]:
    (tmp_path / "pip.py").write_text(PIP)
    return [sys.executable, str(tmp_path / "pip.py")]


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text().splitlines()


def test_filled_once_for_the_guests_python(tmp_path: Path, pip: list[str]) -> None:
    paths = Paths(tmp_path / "state", tmp_path / "cache")
    first = wheelhouse.ensure(paths, ["b==2", "a==1"], pip)
    second = wheelhouse.ensure(paths, ["a==1", "b==2"], pip)
    assert (first.changed, second.changed) == (True, False)
    assert sorted(path.name for path in first.directory.glob("*.whl")) == ["a==1.whl", "b==2.whl"]
    assert len(calls(tmp_path)) == 1
    for word in ("--only-binary=:all:", "--python-version=3.11", "--abi=cp311", "--platform=manylinux_2_36_x86_64"):
        assert word in calls(tmp_path)[0].split()


def test_other_requirements_take_its_place(tmp_path: Path, pip: list[str]) -> None:
    paths = Paths(tmp_path / "state", tmp_path / "cache")
    wheelhouse.ensure(paths, ["a==1"], pip)
    assert wheelhouse.ensure(paths, ["a==2"], pip, check=True).changed
    assert (paths.cache / "wheelhouse/a==1.whl").exists()
    wheelhouse.ensure(paths, ["a==2"], pip)
    assert [path.name for path in (paths.cache / "wheelhouse").glob("*.whl")] == ["a==2.whl"]


def test_a_failure_says_what_pip_said_and_keeps_the_old_one(tmp_path: Path, pip: list[str]) -> None:
    paths = Paths(tmp_path / "state", tmp_path / "cache")
    wheelhouse.ensure(paths, ["a==1"], pip)
    (paths.cache / ".wheelhouse-killed").mkdir()
    with pytest.raises(LabError, match="wheelhouse for broken==1: pip failed with 1: ERROR: No matching") as error:
        wheelhouse.ensure(paths, ["broken==1"], pip)
    assert "--platform" not in str(error.value)
    assert not wheelhouse.ensure(paths, ["a==1"], pip).changed
    assert sorted(path.name for path in paths.cache.iterdir()) == [".wheelhouse.lock", "wheelhouse"]
