# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module flower_run, state by state, against a SuperLink in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flower_fakes import FakeControl, a_run, run_main

from ansible_collections.fact8ra.flower.plugins.module_utils._flower import run_states, runs
from ansible_collections.fact8ra.flower.plugins.modules import flower_run

SMOKE = str(Path(__file__).parents[3] / "apps" / "smoke")
LOGS = Path(__file__).parents[1] / "module_utils" / "flower" / "logs"


@pytest.fixture(name="control")
def _control(monkeypatch: pytest.MonkeyPatch) -> FakeControl:
    control = FakeControl()
    monkeypatch.setattr(run_states, "Control", lambda *_args: control)
    monkeypatch.setattr(runs, "build_fab", lambda _app: (b"fab", "aa" * 32))
    return control


@pytest.fixture(name="module")
def _module(control: FakeControl, tmp_path: Path) -> Any:
    def run(check: bool = False, diff: bool = False, **arguments: Any) -> dict[str, Any]:
        directories = {"state_directory": str(tmp_path / "state"), "results_directory": str(tmp_path / "results")}
        return run_main(flower_run.main, {**directories, **arguments}, check=check, diff=diff)

    return run


def end(control: FakeControl, run_id: str, log: str, status: str = "finished:completed") -> None:
    """End a run with a recorded log."""
    control.all_runs[run_id] = replace(control.all_runs[run_id], status=status)
    control.logs[run_id] = [(LOGS / f"{log}.txt").read_text(encoding="utf-8")]


def test_submitting(control: FakeControl, module: Any) -> None:
    planned = module(check=True, diff=True, app=SMOKE, label="one")
    assert planned["changed"]
    assert planned["diff"] == {
        "before": {},
        "after": {"label": "one", "app": "fact8ra/smoke", "fab_hash": "aa" * 32, "config": {}},
    }
    assert control.calls == []
    first = module(app=SMOKE, label="one", run_config={"num-server-rounds": "4"})
    assert first["changed"]
    assert first["rounds_total"] == 4
    assert first["config"] == {"num-server-rounds": 4}
    assert "diff" not in first
    again = module(app=SMOKE, label="one", run_config={"num-server-rounds": 4})
    assert (again["changed"], again["run_id"]) == (False, first["run_id"])
    assert control.calls == [("start", first["run_id"])]


def test_a_run_whose_clients_failed_is_submitted_again(control: FakeControl, module: Any) -> None:
    run_id = module(app=SMOKE, label="one")["run_id"]
    end(control, run_id, "clients")
    assert module(app=SMOKE, label="one", check=True)["changed"]
    assert not module(app=SMOKE, label="one", check=True, accept_failures=2)["changed"]
    assert module(app=SMOKE, label="one")["run_id"] != run_id


def test_waiting_for_a_round_and_for_the_begin(control: FakeControl, module: Any) -> None:
    run_id = module(app=SMOKE, label="one")["run_id"]
    control.all_runs[run_id] = a_run(run_id)
    early = module(state="waited", label="one", wait_timeout=0)
    assert (early["reached"], early["ended"]) == (False, False)
    control.logs[run_id] = ["Number of rounds: 2\n"]
    assert module(state="waited", run_id=run_id, wait_timeout=0)["reached"]
    assert not module(state="waited", label="one", until_round=1, wait_timeout=0)["reached"]
    end(control, run_id, "ok", "running")
    seen = module(state="waited", label="one", until_round=2, wait_timeout=0, log_lines=1)
    assert seen["reached"]
    assert len(seen["rounds"]) == 2
    assert seen["label"] == "one"
    assert len(seen["log"]) == 1


def test_a_stuck_run_carries_what_is_known(control: FakeControl, module: Any) -> None:
    run_id = module(app=SMOKE, label="one")["run_id"]
    control.all_runs[run_id] = a_run(run_id, "pending", now="2026-11-24T07:00:00+00:00")
    result = module(state="waited", label="one")
    assert result["failure"]["code"] == "stuck_pending"
    assert result["failure"]["details"]["run"]["run_id"] == run_id


def test_the_end(control: FakeControl, module: Any, tmp_path: Path) -> None:
    run_id = module(app=SMOKE, label="one")["run_id"]
    early = module(state="finished", label="one", wait_timeout=0)
    assert early["failure"]["code"] == "timeout"
    assert early["failure"]["details"]["run"]["status"] == "pending"
    end(control, run_id, "ok")
    (tmp_path / "results" / run_id).mkdir(parents=True)
    (tmp_path / "results" / run_id / "model.npz").write_text("model")
    assert not (tmp_path / "state" / run_id).exists()
    looked = module(state="finished", label="one", check=True)
    assert not looked["changed"]
    assert not (tmp_path / "state" / run_id).exists()
    done = module(state="finished", label="one", required_files=["model.npz"], keep=5)
    assert done["changed"]
    assert [item["name"] for item in done["files"]] == ["log.txt", "model.npz"]
    assert done["metrics"]["final"]
    assert not module(state="finished", label="one")["changed"]


def test_the_end_of_a_run_whose_clients_failed_names_them(control: FakeControl, module: Any) -> None:
    run_id = module(app=SMOKE, label="one")["run_id"]
    end(control, run_id, "clients")
    result = module(state="finished", label="one")
    assert result["failed"]
    assert result["failure"]["code"] == "clients_failed"
    assert result["failure"]["details"]["run"]["files"][0]["name"] == "log.txt"


def test_stopping(control: FakeControl, module: Any) -> None:
    run_id = module(app=SMOKE, label="one")["run_id"]
    assert module(state="stopped", label="one", check=True)["changed"]
    assert ("stop", run_id) not in control.calls
    stopped = module(state="stopped", label="one")
    assert (stopped["changed"], stopped["status"]) == (True, "finished:stopped")
    assert not module(state="stopped", label="one")["changed"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "app"),
        ({"app": "/nonexistent"}, "/nonexistent is no directory"),
        ({"state": "waited"}, "label, run_id"),
        ({"state": "waited", "label": "a", "run_id": "1"}, "mutually exclusive"),
        ({"state": "waited", "label": "a"}, "label a has no run"),
        ({"state": "waited", "run_id": "x"}, "run_id 'x' is no run id"),
        ({"state": "finished", "run_id": "1"}, "no run 1"),
        ({"app": SMOKE, "run_config": {"x": 1}}, "x not declared by app smoke"),
    ],
)
def test_what_cannot_be(module: Any, arguments: dict[str, Any], words: str) -> None:
    result = module(**arguments)
    assert result["failed"]
    assert words in result["msg"]


def test_a_missing_flwr_is_told() -> None:
    result = run_main(flower_run.main, {"app": SMOKE})
    assert result["failure"]["code"] == "flwr_missing"
    assert "/opt/flower/venv/bin/python" in result["msg"]
