# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What a Flower run has logged: rounds, failures, waits. Private to this collection; it may change without notice.

Sources: flwr 1.41 `serverapp/strategy/strategy.py`, `fedavg.py`, `strategy_utils.py` (the lines), `supercore/exit`
(the exit codes); the FLWR_RESULT lines are this collection's own run protocol.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from typing import Any

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_LEVEL = re.compile(r"^(?:DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL)\s*:\s?")
_RESULT = re.compile(r"FLWR_RESULT\s+(\{.*\})\s*$")
_TOTAL = re.compile(r"Number of rounds: (\d+)")
_ROUND = re.compile(r"\[ROUND (\d+)(?:/(\d+))?\]")
_RECEIVED = re.compile(r"aggregate_(train|evaluate): Received (\d+) results and (\d+) failures")
_REPLY_ERROR = re.compile(r"Received error in reply from node (\d+): (.*)")
_METRICS = re.compile(r"Aggregated MetricRecord: (\{.*\})\s*$")
_CENTRAL = re.compile(r"──> MetricRecord: (\{.*\})\s*$")
_FINISHED = re.compile(r"Strategy execution finished in ([0-9.]+)s")
_WAITING = re.compile(r"Waiting for nodes to connect: (\d+) connected \(minimum required: (\d+)\)")
_EXIT = re.compile(r"Exit Code: (\d+)")
_EXCEPTION = re.compile(r"^(?:[A-Za-z_][\w.]*\.)?[A-Za-z_]\w*(?:Error|Exception|Interrupt|Exit|Warning)\b:? ?.*$")


def clean(text: str) -> str:
    """Return `text` without terminal escapes."""
    return _ANSI.sub("", text)


def _mapping(text: str, reader: Any) -> dict[str, Any] | None:
    """Read a JSON or Python mapping; None when it is none, for a log line promises nothing."""
    try:
        value = reader(text)
    except (ValueError, SyntaxError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _pick(metrics: dict[str, Any], words: tuple[str, ...]) -> float | None:
    """Return the first number whose key holds one of `words`, exact keys before others."""
    numbers = {key.lower(): value for key, value in metrics.items() if isinstance(value, (int, float))}
    for word in words:
        if word in numbers:
            return float(numbers[word])
    for key, value in numbers.items():
        if any(word in key for word in words):
            return float(value)
    return None


@dataclass
class _Seen:
    """What Flower's own lines say of one round."""

    nodes: int | None = None
    failures: int = 0
    train: dict[str, Any] = field(default_factory=dict)
    evaluate: dict[str, Any] = field(default_factory=dict)
    central: dict[str, Any] = field(default_factory=dict)

    def row(self, number: int) -> dict[str, Any]:
        """Return the round in the shape of a FLWR_RESULT object, as far as Flower told."""
        metrics = self.central or self.evaluate
        loss = _pick(metrics, ("loss",))
        return {
            "round": number,
            "loss": _pick(self.train, ("loss",)) if loss is None else loss,
            "accuracy": _pick(metrics, ("accuracy", "acc")),
            "nodes": self.nodes,
            "failures": self.failures,
            "seconds": None,
        }


@dataclass
class RunLog:
    """Log of one run, fed in pieces as the SuperLink hands them out."""

    lines: list[str] = field(default_factory=list)
    total: int | None = None
    final: dict[str, Any] = field(default_factory=dict)
    reply_errors: dict[str, str] = field(default_factory=dict)
    strategy_seconds: float | None = None
    exit_code: int | None = None
    exception: str | None = None
    waiting: tuple[int, int] | None = None
    waiting_seconds: int = 0
    _rest: str = ""
    _round: int = 0
    _seen: dict[int, _Seen] = field(default_factory=dict)
    _reported: dict[int, dict[str, Any]] = field(default_factory=dict)
    _closed: int = 0

    def feed(self, text: str) -> None:
        """Take the next piece; it may end inside a line."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._line(line)

    def close(self) -> None:
        """Take what is left when no more will come."""
        rest, self._rest = self._rest, ""
        if rest:
            self._line(rest)

    def rounds(self) -> list[dict[str, Any]]:
        """Return the finished rounds in order, FLWR_RESULT objects where the app prints them.

        Each has at least `round`, `loss`, `accuracy`, `nodes`, `failures` (failed replies of training and evaluation)
        and `seconds`; a value that nobody told is None.
        """
        numbers = sorted(set(self._reported) | set(range(1, self._closed + 1)))
        rows = []
        for number in numbers:
            row = self._seen.get(number, _Seen()).row(number)
            counted = row["failures"]
            row.update(self._reported.get(number, {}))
            told = row["failures"]
            # The app may not count what Flower counts, so the worse of the two holds.
            row["failures"] = max(counted, told) if isinstance(told, int) else counted
            rows.append(row)
        return rows

    def failures(self) -> int:
        """Return the failed replies of all rounds, the unfinished one included."""
        counted = {number: seen.failures for number, seen in self._seen.items()}
        counted.update({row["round"]: row["failures"] for row in self.rounds()})
        return sum(counted.values())

    def last_round(self) -> int:
        """Return the number of the last finished round, 0 before the first."""
        return max([self._closed, *self._reported], default=0)

    def has_results(self) -> bool:
        """Whether any round brought a number that a model could have produced."""
        return bool(self.final) or any(row["loss"] is not None or row["accuracy"] is not None for row in self.rounds())

    def tail(self, count: int) -> list[str]:
        """Return the last `count` lines that are not blank."""
        return [line for line in self.lines if _LEVEL.sub("", line).strip()][-count:] if count else []

    def _line(self, raw: str) -> None:
        line = clean(raw).rstrip()
        self.lines.append(line)
        text = _LEVEL.sub("", line)
        if not text.strip():
            return
        waiting = _WAITING.search(text)
        if waiting:
            # Flower prints this once a second for as long as it waits.
            self.waiting = (int(waiting[1]), int(waiting[2]))
            self.waiting_seconds += 1
            return
        self.waiting, self.waiting_seconds = None, 0
        result = _RESULT.search(text)
        if result:
            self._take_result(_mapping(result[1], json.loads))
            return
        self._take_flower(text)

    def _take_result(self, row: dict[str, Any] | None) -> None:
        if row is None:
            return
        if row.get("final"):
            self.final = row
        elif isinstance(row.get("round"), int) and not isinstance(row["round"], bool):
            self._reported[row["round"]] = row
        total = row.get("rounds_total")
        if isinstance(total, int):
            self.total = total

    def _take_flower(self, text: str) -> None:
        seen = self._seen.setdefault(self._round, _Seen()) if self._round else _Seen()
        if found := _ROUND.search(text):
            self._closed = max(self._closed, self._round)
            self._round = int(found[1])
            self.total = int(found[2]) if found[2] else self.total
        elif found := _RECEIVED.search(text):
            if found[1] == "train" or seen.nodes is None:
                seen.nodes = int(found[2])
            seen.failures += int(found[3])
            self._phase = found[1]
        elif found := _REPLY_ERROR.search(text):
            self.reply_errors[found[1]] = found[2].strip()
        elif found := _METRICS.search(text):
            metrics = _mapping(found[1], ast.literal_eval) or {}
            setattr(seen, self._phase, metrics)
        elif found := _CENTRAL.search(text):
            seen.central = _mapping(found[1], ast.literal_eval) or {}
        elif found := _FINISHED.search(text):
            self._closed = max(self._closed, self._round)
            self.strategy_seconds = float(found[1])
        elif found := _TOTAL.search(text):
            self.total = int(found[1])
        elif found := _EXIT.search(text):
            self.exit_code = int(found[1])
        elif _EXCEPTION.match(text):
            self.exception = text.strip()

    _phase: str = "train"
