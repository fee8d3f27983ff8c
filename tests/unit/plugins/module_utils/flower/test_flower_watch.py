# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Following a run, and judging its end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from flower_fakes import FakeControl, a_run

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Run
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.runlog import RunLog
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.watch import (
    OUTAGE_SECONDS,
    Followed,
    Limits,
    follow,
    judge,
    stuck,
)

LOGS = Path(__file__).parent / "logs"
WAITING = "Waiting for nodes to connect: 1 connected (minimum required: 2).\n"


class Flaky(FakeControl):
    """A SuperLink that is away for some calls."""

    def __init__(self, away: int) -> None:
        super().__init__()
        self.away = away

    def run(self, run_id: str) -> Run:
        """Return the run once the SuperLink is back."""
        self.away -= 1
        if self.away >= 0:
            raise FlowerFailure("refused", "nothing listens there", {"unreachable": True})
        return super().run(run_id)


def ended(run: Run, _log: RunLog) -> bool:
    """Whether the run is over."""
    return run.ended


def followed(name: str, **changes: Any) -> Followed:
    """Return a finished run with a recorded log."""
    control = FakeControl()
    control.all_runs["7"] = a_run("7", **{"status": "finished:completed", **changes})
    control.logs["7"] = [(LOGS / f"{name}.txt").read_text(encoding="utf-8")]
    return follow(control, "7", ended, 0, Limits())


def test_the_round_is_reached_before_the_end() -> None:
    control = FakeControl()
    control.all_runs["7"] = a_run("7")
    control.logs["7"] = ['FLWR_RESULT {"round": 1}\n', 'FLWR_RESULT {"round": 2}\n']
    seen = follow(control, "7", lambda _run, log: log.last_round() >= 1, 10, Limits())
    assert seen.reached
    assert seen.log.last_round() == 1


def test_time_runs_out() -> None:
    control, clock = FakeControl(), Clock()
    control.all_runs["7"] = a_run("7")
    seen = follow(control, "7", ended, 0, Limits(), clock, clock.sleep)
    assert not seen.reached
    assert seen.problem is None


def test_an_outage_is_ridden_out() -> None:
    control, clock = Flaky(30), Clock()
    control.all_runs["7"] = a_run("7", "finished:completed")
    seen = follow(control, "7", ended, 3600, Limits(), clock, clock.sleep)
    assert seen.reached
    assert clock.now == 30


def test_an_outage_that_lasts() -> None:
    control, clock = Flaky(10000), Clock()
    with pytest.raises(FlowerFailure, match="nothing listens"):
        follow(control, "7", ended, 3600, Limits(), clock, clock.sleep)
    assert clock.now == OUTAGE_SECONDS + 1


def test_a_run_that_is_unknown_is_not_waited_for() -> None:
    clock = Clock()
    with pytest.raises(FlowerFailure) as caught:
        follow(FakeControl(), "7", ended, 3600, Limits(), clock, clock.sleep)
    assert (caught.value.code, clock.now) == ("run_not_found", 0)


@pytest.mark.parametrize(
    ("status", "now", "limit", "code"),
    [
        ("pending", "2026-11-24T06:01:01+00:00", 60, "stuck_pending"),
        ("pending", "2026-11-24T06:00:59+00:00", 60, None),
        ("starting", "2026-11-24T06:05:00+00:00", 60, "stuck_starting"),
        ("pending", "2026-11-24T09:00:00+00:00", 0, None),
        ("running", "2026-11-24T09:00:00+00:00", 60, None),
    ],
)
def test_a_run_that_nobody_takes(status: str, now: str, limit: float, code: str | None) -> None:
    problem = stuck(a_run("7", status, now=now), RunLog(), Limits(pending=limit))
    assert (problem and problem.code) == code
    assert problem is None or "flower-superexec-server" in problem.message


def test_an_app_that_waits_for_nodes_ends_the_following_though_it_logs() -> None:
    control, clock = FakeControl(), Clock()
    control.all_runs["7"] = a_run("7")
    control.logs["7"] = [WAITING] * 100
    seen = follow(control, "7", ended, 3600, Limits(nodes=10), clock, clock.sleep)
    assert seen.problem is not None
    assert seen.problem.code == "waiting_for_nodes"
    assert seen.log.waiting_seconds == 11
    assert seen.problem.details == {"connected": 1, "required": 2}


def test_success() -> None:
    verdict = judge(followed("ok"), {}, 0, [])
    assert verdict.success
    assert "2 rounds" in verdict.cause


def test_completed_is_not_success_when_clients_failed() -> None:
    verdict = judge(followed("clients"), {"10018447900657206494": "alpha-supernode-0"}, 0, [])
    assert (verdict.success, verdict.code) == (False, "clients_failed")
    assert "alpha-supernode-0: <class 'ValueError'>" in verdict.cause
    assert judge(followed("clients"), {}, 1, []).code == "clients_failed"
    assert judge(followed("clients"), {}, 2, []).success


def test_completed_without_results_or_files() -> None:
    seen = followed("ok")
    assert judge(replace(seen, log=RunLog()), {}, 0, []).code == "no_results"
    verdict = judge(seen, {}, 0, ["model.npz"])
    assert (verdict.success, verdict.code) == (False, "no_files")
    assert "model.npz" in verdict.cause


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"status": "finished:failed", "details": "ServerApp failed with exception: x"}, "serverapp_failed", "raised"),
        ({"status": "finished:failed", "details": "No heartbeat received from the task"}, "serverapp_failed", "died"),
        ({"status": "finished:stopped"}, "stopped", "was stopped"),
    ],
)
def test_other_ends(changes: dict[str, str], code: str, words: str) -> None:
    verdict = judge(followed("server", **changes), {}, 0, [])
    assert (verdict.success, verdict.code) == (False, code)
    assert words in verdict.cause


@pytest.mark.parametrize(("exit_code", "code"), [(607, "module_missing"), (608, "dependencies")])
def test_exit_codes_tell_the_remedy(exit_code: int, code: str) -> None:
    seen = followed("server", status="finished:failed", details="No module named 'torch'")
    seen.log.exit_code = exit_code
    verdict = judge(seen, {}, 0, [])
    assert verdict.code == code
    assert "flower_packages" in verdict.cause
