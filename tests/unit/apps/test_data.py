# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Partition of the data, and what the app says of data that is missing or wrong."""

from __future__ import annotations

import ast
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

APP = Path(__file__).parents[3] / "apps" / "poc"


def split(partition: Any, out: Path, **changes: Any) -> Any:
    """Partition with defaults."""
    options = {"seed": 7, "alpha": 0.7, "held_out": 0.2, "minimum": 50, "plant": None} | changes
    return partition.partition(options.pop("nodes", ["b", "a", "c"]), out, **options)


def rows(path: Path) -> list[tuple[bytes, int]]:
    """The examples of a file, comparable."""
    import numpy as np

    with np.load(path) as archive:
        pairs = zip(archive["images"], archive["labels"], strict=True)
        return [(image.tobytes(), int(label)) for image, label in pairs]


@pytest.mark.flwr
def test_parts_are_disjoint_and_complete(partition: Any, tmp_path: Path) -> None:
    manifest = split(partition, tmp_path)["manifest"]
    images, labels = partition.pooled()
    dealt = rows(tmp_path / "server/digits-test.npz")
    for name, counted in manifest["nodes"].items():
        part = rows(tmp_path / f"nodes/{name}/digits.npz")
        assert len(part) == counted["examples"] == sum(counted["classes"]) >= 50
        dealt += part
    everything = [(image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)]
    # Sorted lists and not sets: nothing twice, nothing missing.
    assert sorted(dealt) == sorted(everything)
    assert manifest == json.loads((tmp_path / "manifest.json").read_text())


@pytest.mark.flwr
def test_shares_are_unequal(partition: Any, tmp_path: Path) -> None:
    nodes = split(partition, tmp_path)["manifest"]["nodes"].values()
    for digit in range(10):
        share = [node["classes"][digit] for node in nodes]
        assert max(share) > sum(share) / len(share)
    assert any(min(node["classes"]) < max(node["classes"]) / 4 for node in nodes)


@pytest.mark.flwr
def test_the_same_seed_writes_the_same_files_whatever_the_order(partition: Any, tmp_path: Path) -> None:
    assert split(partition, tmp_path)["changed"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert not split(partition, tmp_path, nodes=["c", "b", "a"])["changed"]
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert split(partition, tmp_path, seed=8)["changed"]


@pytest.mark.flwr
def test_a_node_that_left_leaves_no_data_behind(partition: Any, tmp_path: Path) -> None:
    split(partition, tmp_path)
    assert split(partition, tmp_path, nodes=["a", "b"])["changed"]
    assert sorted(path.name for path in (tmp_path / "nodes").iterdir()) == ["a", "b"]


@pytest.mark.flwr
def test_files_are_for_the_owner_alone(partition: Any, tmp_path: Path) -> None:
    split(partition, tmp_path / "data")
    for path in (tmp_path / "data").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.flwr
def test_the_planted_image_is_in_one_part_and_in_the_manifest(partition: Any, tmp_path: Path) -> None:
    planted = split(partition, tmp_path, plant="b")["manifest"]["planted"]
    wanted = bytes.fromhex(planted["float64_hex"])
    assert len(wanted) == 64 * 8
    found = {path: path.read_bytes().count(wanted) for path in tmp_path.rglob("*.npz")}
    assert found.pop(tmp_path / "nodes/b/digits.npz") == 1
    assert set(found.values()) == {0}
    assert "planted" not in split(partition, tmp_path)["manifest"]


@pytest.mark.flwr
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nodes": ["a", "../b"]}, r"node name '\.\./b'"),
        ({"nodes": ["a", "a"]}, "name each node"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"held_out": 1.0}, "held-out is 1.0"),
        ({"plant": "z"}, "no such node; there are a, b, c"),
        ({"minimum": 900}, "raise alpha or lower the minimum"),
    ],
)
def test_wrong_arguments_are_named(load: Any, partition: Any, tmp_path: Path, changes: Any, said: str) -> None:
    with pytest.raises(load("poctools.common").ToolError, match=said):
        split(partition, tmp_path, **changes)
    assert not list(tmp_path.iterdir())


def archive(**arrays: Any) -> bytes:
    """An .npz file."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.flwr
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda np: b"no archive", "cannot be read"),
        (lambda np: archive(images=np.zeros((2, 64))), "has no array 'labels'"),
        (lambda np: archive(images=np.zeros((2, 60)), labels=np.zeros(2, np.int64)), r"float64\(n, 64\)"),
        (lambda np: archive(images=np.zeros((2, 64)), labels=np.zeros(3, np.int64)), r"int64\(2,\)"),
        (lambda np: archive(images=np.zeros((0, 64)), labels=np.zeros(0, np.int64)), "no examples"),
        (lambda np: archive(images=np.full((1, 64), np.nan), labels=np.zeros(1, np.int64)), "outside of 0 to 1"),
        (lambda np: archive(images=np.zeros((1, 64)), labels=np.array([10])), "not digits"),
        (lambda np: archive(images=np.array([{}], dtype=object), labels=np.zeros(1, np.int64)), "cannot be read"),
    ],
)
def test_wrong_data_is_named(data: Any, tmp_path: Path, content: Any, said: str) -> None:
    import numpy as np

    path = tmp_path / "digits.npz"
    path.write_bytes(content(np))
    with pytest.raises(data.DataError, match=said) as caught:
        data.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.flwr
def test_missing_data_says_where_and_what_to_do(data: Any, tmp_path: Path) -> None:
    with pytest.raises(data.DataError, match=rf"node a has no data: {tmp_path}/digits.npz does not exist; do this"):
        data.locate(str(tmp_path), "digits.npz", "node a", "do this")
    with pytest.raises(data.DataError, match="node a does not know where its data is"):
        data.locate("", "digits.npz", "node a", "do this")
    (tmp_path / "digits.npz").write_bytes(b"")
    assert data.locate(str(tmp_path), "digits.npz", "", "") == tmp_path / "digits.npz"
    assert data.locate(str(tmp_path / "digits.npz"), "digits.npz", "", "") == tmp_path / "digits.npz"


def test_what_travels_to_the_nodes_imports_no_pooled_data() -> None:
    """Only the standard library, NumPy, Flower and the app itself: nothing that could hold the data."""
    allowed = {*sys.stdlib_module_names, "numpy", "flwr", "digits"}
    for path in (APP / "digits").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, path


@pytest.mark.flwr
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # typer uses what click deprecates
def test_the_bundle_holds_the_app_and_no_tools() -> None:
    import zipfile

    from flwr.cli.build import build_fab_from_disk

    with zipfile.ZipFile(io.BytesIO(build_fab_from_disk(APP))) as bundle:
        names = [name for name in bundle.namelist() if name.endswith(".py")]
    assert sorted(names) == [f"digits/{name}.py" for name in ("__init__", "client_app", "data", "model", "server_app")]


@pytest.mark.flwr
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # typer uses what click deprecates
def test_flower_accepts_the_configuration() -> None:
    from flwr.cli.config_utils import load_and_validate

    config, warnings = load_and_validate(APP / "pyproject.toml")
    assert warnings == []
    assert config["tool"]["flwr"]["app"]["publisher"]
