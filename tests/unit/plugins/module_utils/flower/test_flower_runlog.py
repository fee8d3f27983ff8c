# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Logs of real runs of flwr 1.41 (tests/apps/smoke), read piece by piece."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.runlog import RunLog, clean

LOGS = Path(__file__).parent / "logs"


def read(name: str, size: int = 7) -> RunLog:
    """Feed a recorded log in pieces of `size` characters."""
    text = (LOGS / f"{name}.txt").read_text(encoding="utf-8")
    log = RunLog()
    for start in range(0, len(text), size):
        log.feed(text[start : start + size])
    log.close()
    return log


@pytest.mark.parametrize("size", [1, 7, 100000])
def test_rounds_of_the_protocol(size: int) -> None:
    log = read("ok", size)
    assert log.total == 2
    assert [row["round"] for row in log.rounds()] == [1, 2]
    assert log.rounds()[1] == {
        "round": 2,
        "loss": pytest.approx(0.14658639652704702),
        "accuracy": 0.9575,
        "nodes": 2,
        "failures": 0,
        "seconds": 9.31,
    }
    assert log.final["final"] is True
    assert log.failures() == 0
    assert log.last_round() == 2
    assert log.strategy_seconds == pytest.approx(22.96)
    assert log.has_results()


def test_rounds_of_flowers_own_lines() -> None:
    log = read("plain")
    assert [(row["round"], row["accuracy"], row["nodes"], row["seconds"]) for row in log.rounds()] == [
        (1, 0.9575, 2, None),
        (2, 0.9575, 2, None),
    ]
    assert log.final == {}
    assert log.has_results()


def test_failed_replies_are_counted_and_attributed() -> None:
    log = read("clients")
    assert log.failures() == 2
    assert log.rounds()[0]["failures"] == 2
    assert log.reply_errors == {
        "10018447900657206494": "<class 'ValueError'>:<'no data at data-path'>",
        "10553489435518519632": "<class 'ValueError'>:<'no data at data-path'>",
    }


def test_an_exception_of_the_serverapp() -> None:
    log = read("server")
    assert log.exit_code == 201
    assert log.exception == "RuntimeError: the ServerApp was told to fail"
    assert log.last_round() == 1


def test_failures_hold_even_if_the_app_denies_them() -> None:
    log = RunLog()
    log.feed("[ROUND 1/1]\naggregate_train: Received 1 results and 3 failures\n")
    assert log.failures() == 3  # in the round that is not over
    log.feed('FLWR_RESULT {"round": 1, "loss": 1.0, "failures": 0}\n')
    assert log.rounds()[0]["failures"] == 3
    assert log.failures() == 3


def test_waiting_counts_until_another_line() -> None:
    log = RunLog()
    line = "\x1b[92mINFO \x1b[0m:      Waiting for nodes to connect: 1 connected (minimum required: 2).\n"
    log.feed(line * 5)
    assert (log.waiting, log.waiting_seconds) == ((1, 2), 5)
    log.feed("INFO :      \n")
    assert log.waiting_seconds == 5  # blank lines say nothing
    log.feed("INFO :      configure_train: Sampled 2 nodes (out of 2)\n")
    assert (log.waiting, log.waiting_seconds) == (None, 0)


@pytest.mark.parametrize(
    "line",
    [
        "FLWR_RESULT {broken",
        "FLWR_RESULT {'round': 1}",
        "FLWR_RESULT {}",
        'FLWR_RESULT {"round": "1"}',
        'FLWR_RESULT {"round": true}',
        "Aggregated MetricRecord: {oops}",
        "Aggregated MetricRecord: {'loss': nan_}",
        "Aggregated MetricRecord: {" + "[" * 3000,
    ],
)
def test_lines_that_only_look_like_results(line: str) -> None:
    log = RunLog()
    log.feed(line + "\n")
    assert log.rounds() == []
    assert not log.has_results()


def test_a_result_within_a_logger_line() -> None:
    log = RunLog()
    log.feed('\x1b[92mINFO \x1b[0m:      FLWR_RESULT {"round": 4, "loss": 0.5, "rounds_total": 9}\n')
    assert log.total == 9
    assert log.rounds()[0]["loss"] == 0.5


def test_tail_leaves_out_blank_lines() -> None:
    log = read("ok")
    assert log.tail(1) == ['FLWR_RESULT {"final": true, "loss": 0.14658639652704702, "accuracy": 0.9575}']
    assert log.tail(0) == []
    assert clean("\x1b[91mERROR \x1b[0m: x") == "ERROR : x"
