# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Following a run and judging it. Private to this collection; it may change without notice.

Flower calls a run completed when its ServerApp returned, even if no client trained; so the log is judged as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Run, seconds_between
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.runlog import RunLog

# A SuperLink that is restarted is back within half a minute, and its runs go on.
OUTAGE_SECONDS = 120.0

_EXIT_CAUSES = {
    201: "the ServerApp raised an exception",
    607: "a Python module of the app is missing in the SuperLink's environment; add it to flower_packages",
    608: "the app's dependencies could not be installed at run time; add them to flower_packages instead",
}


class Source(Protocol):
    """The part of the control client that is needed here."""

    def run(self, run_id: str) -> Run:
        """Return the state of the run."""

    def log(self, run_id: str, after: float) -> Any:
        """Yield pieces of the log."""


@dataclass(frozen=True)
class Limits:
    """Seconds that a run may stay without taking a step; 0 means without limit."""

    pending: float = 60.0
    nodes: float = 120.0


@dataclass
class Followed:
    """A run with its log as far as they were seen."""

    run: Run
    log: RunLog = field(default_factory=RunLog)
    reached: bool = False
    problem: FlowerFailure | None = None


def stuck(run: Run, log: RunLog, limits: Limits) -> FlowerFailure | None:
    """Return why a run that is not over will not move, None when it may."""
    begun = {"pending": run.pending_at, "starting": run.starting_at}.get(run.status, "")
    waited = seconds_between(begun, run.now) or 0.0
    if limits.pending and waited > limits.pending:
        return FlowerFailure(
            f"stuck_{run.status}",
            f"Run {run.run_id} has been {run.status} for {waited:.0f} s (pending_timeout {limits.pending:g}): no "
            "SuperExec took it. See the unit flower-superexec-server and its journal on the SuperLink's host.",
        )
    if limits.nodes and log.waiting and log.waiting_seconds > limits.nodes:
        connected, required = log.waiting
        return FlowerFailure(
            "waiting_for_nodes",
            f"Run {run.run_id} has been waiting for SuperNodes for {log.waiting_seconds} s (nodes_timeout "
            f"{limits.nodes:g}): {connected} connected, the app wants {required}. Bring SuperNodes online (role verify "
            "names those that are not), or ask for fewer in run_config; the run goes on by itself once they are there.",
            {"connected": connected, "required": required},
        )
    return None


def follow(
    source: Source,
    run_id: str,
    until: Callable[[Run, RunLog], bool],
    seconds: float,
    limits: Limits,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Followed:
    """Read a run from its beginning until `until` holds, it ends, it is stuck, or `seconds` have passed.

    Raises:
        FlowerFailure: the run is unknown, or the SuperLink stays away for OUTAGE_SECONDS.
    """
    deadline = clock() + seconds
    seen, after, away_since = None, 0.0, None
    while True:
        try:
            run = source.run(run_id)
            seen = seen or Followed(run)
            seen.run = run
            for piece, moment in source.log(run_id, after):
                after = moment
                seen.log.feed(piece)
                # An app that waits for SuperNodes logs every second, so the stream alone may never end.
                if until(seen.run, seen.log) or stuck(seen.run, seen.log, limits) or clock() > deadline:
                    break
            away_since = None
        except FlowerFailure as failure:
            away_since = clock() if away_since is None else away_since
            if not failure.details.get("unreachable") or clock() - away_since > min(OUTAGE_SECONDS, seconds):
                raise
            sleep(1.0)
            continue
        if seen.run.ended:
            seen.log.close()
            seen.reached = until(seen.run, seen.log)
            return seen
        if until(seen.run, seen.log):
            seen.reached = True
            return seen
        seen.problem = stuck(seen.run, seen.log, limits)
        if seen.problem:
            return seen
        if clock() >= deadline:
            return seen


@dataclass(frozen=True)
class Verdict:
    """Whether a run that is over brought what it was started for."""

    success: bool
    code: str
    cause: str


def judge(seen: Followed, names: dict[str, str], accept_failures: int, missing_files: list[str]) -> Verdict:
    """Judge a run that is over.

    Args:
        seen: The run with its whole log.
        names: Node id -> SuperNode name, to name those that failed.
        accept_failures: Failed replies that are accepted over all rounds.
        missing_files: Required result files that are not there.
    """
    run, log = seen.run, seen.log
    if run.status == "finished:stopped":
        return Verdict(False, "stopped", f"Run {run.run_id} was stopped{': ' + run.details if run.details else ''}.")
    if run.status != "finished:completed":
        return Verdict(False, *_failed(run, log))
    failures = log.failures()
    if failures > accept_failures:
        replies = "; ".join(f"{names.get(node, node)}: {reason}" for node, reason in sorted(log.reply_errors.items()))
        return Verdict(
            False,
            "clients_failed",
            f"Run {run.run_id} completed, but {failures} replies of SuperNodes failed (accept_failures "
            f"{accept_failures}){': ' + replies if replies else ''}. The traceback is in the journal of "
            "flower-superexec-client on these nodes.",
        )
    if not log.has_results():
        return Verdict(
            False,
            "no_results",
            f"Run {run.run_id} completed without a loss or an accuracy in any round; the ServerApp must print "
            "FLWR_RESULT lines or train through a Flower strategy.",
        )
    if missing_files:
        return Verdict(
            False,
            "no_files",
            f"Run {run.run_id} completed, but the ServerApp did not write {', '.join(missing_files)} into "
            f"$FACT8RA_RESULTS_DIR/{run.run_id}.",
        )
    return Verdict(True, "completed", f"Run {run.run_id} completed {log.last_round()} rounds without failures.")


def _failed(run: Run, log: RunLog) -> tuple[str, str]:
    cause = _EXIT_CAUSES.get(log.exit_code or 0, "")
    told = run.details or log.exception or "no reason was given"
    if "No heartbeat" in told:
        cause = "the ServerApp or the SuperLink died during the run"
    parts = [told.rstrip("."), cause] if cause else [told.rstrip(".")]
    if log.exception and log.exception not in told:
        parts.append(log.exception)
    code = {607: "module_missing", 608: "dependencies"}.get(log.exit_code or 0, "serverapp_failed")
    return code, f"Run {run.run_id} ended as {run.status} after round {log.last_round()}: {'; '.join(parts)}."
