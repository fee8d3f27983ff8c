# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Apps: rules, types, archives."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.fact8ra.flower.plugins.module_utils._flower import app as apps
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure

SMOKE = Path(__file__).parents[4] / "apps" / "smoke"

PROJECT = """
[project]
name = "demo"
version = "1.0.0"
[tool.flwr.app]
publisher = "fact8ra"
[tool.flwr.app.components]
serverapp = "demo.server:app"
clientapp = "demo.client:app"
[tool.flwr.app.config]
rounds = 3
rate = 0.5
quick = false
name = "x"
[tool.flwr.app.config.model]
width = 8
"""


@pytest.fixture(name="demo")
def _demo(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    (folder / "demo").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "demo" / "server.py").write_text("app = 1\n")
    return folder


def test_reading(demo: Path) -> None:
    app = apps.read_app(str(demo))
    assert app.public() == {
        "name": "demo",
        "version": "1.0.0",
        "publisher": "fact8ra",
        "id": "fact8ra/demo",
        "config": {"rounds": 3, "rate": 0.5, "quick": False, "name": "x", "model.width": 8},
    }


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "demo"', 'name = "my_app"', "'my_app'; it must begin with a letter"),
        ('name = "demo"', f'name = "{"a" * 33}"', "at most 32"),
        ('name = "demo"\n', "", "name is None"),
        ('version = "1.0.0"', "", "version is missing"),
        ('publisher = "fact8ra"', "", "publisher is None"),
        ('serverapp = "demo.server:app"', "", "serverapp is None"),
        ('clientapp = "demo.client:app"', 'clientapp = "demo"', "clientapp is 'demo'"),
        ("[project]", "[projects]", "section [project] is missing"),
        ("rounds = 3", "rounds = [3]", "rounds is [3] of type list"),
        ("[project]", "[project", "cannot be read"),
    ],
)
def test_what_is_wrong_with_an_app(demo: Path, old: str, new: str, words: str) -> None:
    (demo / "pyproject.toml").write_text(PROJECT.replace(old, new, 1))
    with pytest.raises(FlowerFailure) as caught:
        apps.read_app(str(demo))
    assert words in caught.value.message
    assert str(demo) in caught.value.message


def test_every_problem_is_told_at_once(demo: Path) -> None:
    (demo / "pyproject.toml").write_text("[project]\nname = '1'\n[tool.flwr.app]\n")
    with pytest.raises(FlowerFailure) as caught:
        apps.read_app(str(demo))
    assert len(caught.value.details["problems"]) == 5


def test_no_flower_app(demo: Path) -> None:
    (demo / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "1"\n')
    with pytest.raises(FlowerFailure, match="no Flower app"):
        apps.read_app(str(demo))
    (demo / "pyproject.toml").unlink()
    with pytest.raises(FlowerFailure, match=r"no pyproject\.toml"):
        apps.read_app(str(demo))
    with pytest.raises(FlowerFailure, match="no directory"):
        apps.read_app(str(demo / "demo" / "server.pyc"))


@pytest.mark.parametrize(
    ("given", "typed"),
    [
        ({"rounds": 5}, {"rounds": 5}),
        ({"rounds": "5"}, {"rounds": 5}),
        ({"rounds": 5.0}, {"rounds": 5}),
        ({"rate": 1}, {"rate": 1.0}),
        ({"rate": "1e-3"}, {"rate": 0.001}),
        ({"quick": True}, {"quick": True}),
        ({"quick": "yes"}, {"quick": True}),
        ({"quick": "False"}, {"quick": False}),
        ({"name": 'a "quoted" = x'}, {"name": 'a "quoted" = x'}),
        ({"name": ""}, {"name": ""}),
        ({"model": {"width": 16}}, {"model.width": 16}),
        ({"model.width": "16"}, {"model.width": 16}),
        ({"rounds": 0}, {"rounds": 0}),
        ({}, {}),
    ],
)
def test_overrides_get_the_declared_type(demo: Path, given: dict[str, Any], typed: dict[str, Any]) -> None:
    result = apps.fuse(apps.read_app(str(demo)), given)
    assert result == typed
    assert [type(value) for value in result.values()] == [type(value) for value in typed.values()]


@pytest.mark.parametrize(
    "given",
    [
        {"rounds": "many"},
        {"rounds": 1.5},
        {"rounds": True},
        {"rate": False},
        {"rate": "fast"},
        {"quick": 1},
        {"quick": "perhaps"},
        {"name": 5},
        {"rounds": 1 << 63},
        {"rounds": [1]},
        {"rounds": None},
        {"round": 1},
    ],
)
def test_overrides_that_do_not_fit(demo: Path, given: dict[str, Any]) -> None:
    with pytest.raises(FlowerFailure) as caught:
        apps.fuse(apps.read_app(str(demo)), given)
    assert caught.value.code == "config"
    assert next(iter(given)) in caught.value.message


def test_the_archive_holds_what_flower_takes_and_is_deterministic(demo: Path) -> None:
    for name in ("data.npz", ".env", ".git/config.toml", "__pycache__/x.py", "venv/x.py", "a.egg-info/x.toml"):
        (demo / name).parent.mkdir(exist_ok=True)
        (demo / name).write_text("junk")
    (demo / "link.py").symlink_to("/etc/passwd")
    (demo / ".gitignore").write_text("secret.py\n")
    packed, members = apps.archive(apps.read_app(str(demo)))
    assert [str(path) for path in members] == [".gitignore", "demo/server.py", "pyproject.toml"]
    os.utime(demo / "pyproject.toml", (1, 1))
    (demo / "pyproject.toml").chmod(0o600)
    assert apps.archive(apps.read_app(str(demo)))[0] == packed


def test_limits_of_the_archive(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = demo.joinpath(*"abcdefghijk")
    deep.mkdir(parents=True)
    (deep / "x.py").write_text("")
    with pytest.raises(FlowerFailure, match="deeper than 10"):
        apps.archive(apps.read_app(str(demo)))
    (deep / "x.py").unlink()
    monkeypatch.setattr(apps, "_MAX_BYTES", 10)
    with pytest.raises(FlowerFailure, match="Data does not belong in an app"):
        apps.archive(apps.read_app(str(demo)))


def test_an_archive_is_read_like_its_directory(tmp_path: Path) -> None:
    app = apps.read_app(str(SMOKE))
    path = tmp_path / "smoke.tar.gz"
    path.write_bytes(apps.archive(app)[0])
    with apps.opened(str(path)) as unpacked:
        assert unpacked.public() == app.public()
        assert apps.archive(unpacked)[0] == path.read_bytes()
        folder = unpacked.directory
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "kind"), [("../x.py", tarfile.REGTYPE), ("/x.py", tarfile.REGTYPE), ("x", tarfile.SYMTYPE)]
)
def test_an_archive_that_would_escape(tmp_path: Path, name: str, kind: bytes) -> None:
    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.type = kind
        info.linkname = "/etc/passwd"
        tar.addfile(info, io.BytesIO(b""))
    with pytest.raises(FlowerFailure, match="not a plain file"), apps.opened(str(path)):
        pass
    path.write_text("no archive")
    with pytest.raises(FlowerFailure, match="no archive of an app"), apps.opened(str(path)):
        pass
