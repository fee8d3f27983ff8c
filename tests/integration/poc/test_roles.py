# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the roles poc and report do on the controller, as playbooks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.flwr, pytest.mark.slow, pytest.mark.xdist_group("poc")]


def test_prepare_is_idempotent_and_works_in_check_mode(play: Any, flwr_python: Path, tmp_path: Path) -> None:
    # The tests' environment of Flower is taken for the tools', so that nothing is downloaded.
    variables = {"poc_venv": str(flwr_python.parents[1]), "poc_planted_sample": True}
    checked = play("poc", "prepare", "--check", "--diff", **variables)
    assert checked.returncode == 0, checked.output
    assert not (tmp_path / "federation").exists()
    first = play("poc", "prepare", **variables)
    assert first.returncode == 0, first.output
    assert first.changed == 2, first.output
    manifest = json.loads((tmp_path / "federation/poc/data/manifest.json").read_text())
    assert sorted(manifest["nodes"]) == ["node-a", "node-b"]
    assert manifest["planted"]["node"] == "node-a"
    assert json.loads((tmp_path / "federation/poc/central.json").read_text())["epochs"] == 10
    again = play("poc", "prepare", **variables)
    assert (again.returncode, again.changed) == (0, 0), again.output


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"poc_alpha": 0}, "poc_alpha (0) above 0"),
        ({"poc_repeat_rounds": 9}, "poc_repeat_rounds (9)"),
        ({"poc_planted_node": "node-z"}, "poc_planted_node (node-z) empty or one of node-a, node-b"),
        ({"poc_rounds": "five"}, "poc_rounds"),
        ({"poc_uv": "/nonexistent/uv"}, "poc_uv (/nonexistent/uv) is no file on the controller"),
    ],
)
def test_wrong_variables_are_named_before_anything_is_done(
    play: Any, tmp_path: Path, variables: dict[str, Any], said: str
) -> None:
    played = play("poc", "prepare", **variables)
    assert played.returncode != 0
    assert said in " ".join(played.output.split())
    assert "Traceback" not in played.output
    assert not (tmp_path / "federation").exists()


def test_the_report_is_written_once(play: Any, tmp_path: Path) -> None:
    row = {"round": 1, "loss": 0.5, "accuracy": 0.9, "seconds": 6.0, "nodes": 2, "failures": 0}
    run = {
        "run_id": "42",
        "app": "@fact8ra/<b>digits</b> {{ 7 * 6 }}",
        "status": "finished:completed",
        "finished": "2026-11-24T07:00:00+00:00",
        "rounds": [row | {"participants": ["node-a", "node-b"]}],
        "nodes": [{"name": "node-a", "node_id": "1", "status": "online"}, {"name": "node-b", "status": "offline"}],
        "versions": {"flwr": "1.41.0"},
    }
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    variables = {"report_run": str(tmp_path / "run.json")}
    directory = tmp_path / "federation" / "report"
    checked = play("report", "main", "--check", "--diff", **variables)
    assert checked.returncode == 0, checked.output
    assert not directory.exists()
    first = play("report", "main", **variables)
    assert first.returncode == 0, first.output
    assert "node-b, not online" not in first.output
    written = (directory / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;digits&lt;/b&gt; {{ 7 * 6 }}" in written
    assert "SuperNode" in written
    assert "not online" in written
    assert "Federation small" in (directory / "report.md").read_text(encoding="utf-8")
    again = play("report", "main", **variables)
    assert (again.returncode, again.changed) == (0, 0), again.output
