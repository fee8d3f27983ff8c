# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The criteria: each passes for the run it should, and fails for the run it should not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

pytestmark = pytest.mark.flwr

CRITERIA = ("participation", "accuracy", "parity", "repeatability", "time")
NODES = {"a": {"examples": 100}, "b": {"examples": 200}}
MANIFEST = {"nodes": NODES, "held_out": {"examples": 359}, "alpha": 0.7}
CENTRAL = {"accuracy": 0.97, "loss": 0.1, "seconds": 0.2, "epochs": 15, "examples": 300}


def rounds(count: int = 3, seconds: float = 6.0) -> list[dict[str, Any]]:
    """The rounds of a good run."""
    return [
        {
            "round": number,
            "loss": 1.0 / number,
            "accuracy": 0.93 + number / 100,
            "digest": f"digest {number}",
            "nodes": 2,
            "failures": 0,
            "participants": ["a", "b"],
            "training": {name: {"examples": node["examples"]} for name, node in NODES.items()},
            "seconds": seconds,
        }
        for number in range(1, count + 1)
    ]


@pytest.fixture
def files() -> dict[str, Any]:
    """The inputs of a good run."""
    return {
        "run": {"status": "finished:completed", "rounds": rounds(), "seconds": 20.0},
        "manifest": copy.deepcopy(MANIFEST),
        "central": dict(CENTRAL),
        "repeat": {"status": "finished:completed", "rounds": rounds(2)},
        "baseline": {"rounds": rounds(2, seconds=5.0)},
    }


def verdicts(load: Any, files: dict[str, Any]) -> dict[str, Any]:
    """passed by criterion, and the overall."""
    judge = load("poctools.judge")
    result = judge.judge(limits=judge.Limits(rounds=3, accuracy=0.93, gap=0.02, ratio=1.5), **files)
    lines = judge.table(result)
    assert len(lines) == 2 * len(result["criteria"])
    return {each["id"]: each for each in result["criteria"]} | {"all": result["passed"], "timings": result["timings"]}


def test_a_good_run_passes(load: Any, files: dict[str, Any]) -> None:
    found = verdicts(load, files)
    assert found["all"] is True
    assert {found[name]["passed"] for name in CRITERIA} == {True}
    assert found["timings"]["ratio"] == 1.2
    assert found["timings"]["training"] == 18.0
    assert found["timings"]["same_metrics_as_bare"] is True


def test_what_was_not_tried_neither_passes_nor_fails(load: Any, files: dict[str, Any]) -> None:
    found = verdicts(load, files | {"repeat": None, "baseline": None})
    assert (found["all"], found["repeatability"]["passed"], found["time"]["passed"]) == (True, None, None)
    assert found["repeatability"]["found"] == "not tried"


def change_status(files: dict[str, Any]) -> None:
    files["run"]["status"] = "finished:stopped"


def lose_a_node(files: dict[str, Any]) -> None:
    files["run"]["rounds"][1]["participants"] = ["a"]


def fail_once(files: dict[str, Any]) -> None:
    files["run"]["rounds"][2]["failures"] = 1


def lose_a_round(files: dict[str, Any]) -> None:
    files["run"]["rounds"].pop()


def strange_node(files: dict[str, Any]) -> None:
    files["run"]["rounds"][0]["participants"].append("z")


def foreign_data(files: dict[str, Any]) -> None:
    files["run"]["rounds"][0]["training"]["a"]["examples"] = 300


def low_accuracy(files: dict[str, Any]) -> None:
    files["run"]["rounds"][2]["accuracy"] = 0.929


def large_gap(files: dict[str, Any]) -> None:
    files["central"]["accuracy"] = 0.981


def other_bits(files: dict[str, Any]) -> None:
    files["repeat"]["rounds"][1]["digest"] = "another"


def no_digest(files: dict[str, Any]) -> None:
    for run in ("run", "repeat"):
        for row in files[run]["rounds"]:
            row["digest"] = None


def empty_repeat(files: dict[str, Any]) -> None:
    files["repeat"]["rounds"] = []


def slow(files: dict[str, Any]) -> None:
    files["run"]["rounds"][0]["seconds"] = 60.0


@pytest.mark.parametrize(
    ("damage", "criterion", "said"),
    [
        (change_status, "participation", "the run ended as finished:stopped"),
        (lose_a_node, "participation", "round 2: b did not take part"),
        (fail_once, "participation", "round 3: 1 failures"),
        (lose_a_round, "participation", "2 rounds were reported"),
        (strange_node, "participation", "round 1: z is not one of them"),
        (foreign_data, "participation", "round 1: a trained on 300 examples, not 100"),
        (low_accuracy, "accuracy", "0.929"),
        (large_gap, "parity", "2.10 points behind"),
        (other_bits, "repeatability", "round 2: digest 'digest 2' and 'another'"),
        (no_digest, "repeatability", "round 1: digest None and None"),
        (empty_repeat, "repeatability", "the second run reported 0 rounds"),
        (slow, "time", "6.60 times"),
    ],
)
def test_each_criterion_can_fail(load: Any, files: dict[str, Any], damage: Any, criterion: str, said: str) -> None:
    damage(files)
    found = verdicts(load, files)
    assert found[criterion]["passed"] is False
    assert said in found[criterion]["found"]
    assert found["all"] is False


def test_a_gap_of_exactly_the_limit_passes(load: Any, files: dict[str, Any]) -> None:
    files["central"]["accuracy"] = files["run"]["rounds"][2]["accuracy"] + 0.02
    assert verdicts(load, files)["parity"]["passed"] is True


def test_a_run_without_rounds_fails_and_says_so(load: Any, files: dict[str, Any]) -> None:
    files["run"] = {"status": "finished:failed", "rounds": []}
    found = verdicts(load, files)
    assert not found["all"]
    assert {found[name]["passed"] for name in ("participation", "accuracy", "parity", "time")} == {False}


def test_overrides_of_the_configuration(load: Any) -> None:
    common = load("poctools.common")
    config = common.configuration(["num-server-rounds=3", "train-file=other.npz", "learning-rate=0.5"])
    assert (config["num-server-rounds"], config["train-file"], config["learning-rate"]) == (3, "other.npz", 0.5)
    with pytest.raises(common.ToolError, match="no key rounds; it has num-server-rounds"):
        common.configuration(["rounds=3"])
    with pytest.raises(common.ToolError, match="has to be key=value"):
        common.configuration(["rounds"])
