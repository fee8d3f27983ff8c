# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Who submitted which run: the audit log of role access, Flower's list of runs and sshd's journal laid side by side.

Private to this collection; it may change without notice. Flower's open-source build gives every run to one account
(flwr/superlink/auth_plugin/noop_auth_plugin.py), and the answer that holds the id of a run is not in nginx's log. But
nginx lets one submission at a time through to the SuperLink, on the clock of the same host, and logs when it was
there; a run whose C(pending_at) is in that time is that submission's.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Run
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure

OPERATOR = "operator"
"""Who submits on the host itself, past nginx; a user of role access may not be called so."""

# nginx counts in milliseconds, on a clock that it reads once for all that happens at the same time.
_SLACK = 0.005
# A submission whose answer nginx did not see may become a run for as long.
_LATE = 300.0


@dataclass(frozen=True)
class Request:
    """One line of the audit log; times are seconds of the epoch.

    Attributes:
        handled: Begin and end of the time that the SuperLink had a submission; None when its answer was not seen.
    """

    user: str
    role: str
    verb: str
    status: int
    at: float
    seconds: float
    handled: tuple[float, float] | None


@dataclass(frozen=True)
class Log:
    """What could be read of the audit log; `since` is the time of its oldest line, None when it has none."""

    requests: tuple[Request, ...]
    since: float | None
    unreadable: int


@dataclass(frozen=True)
class Session:
    """An SSH session of a user; `end` is infinite while it lasts."""

    user: str
    source: str
    begin: float
    end: float


def read_log(path: Path) -> Log:
    """Read the log and those that logrotate has put aside.

    Raises:
        FlowerFailure: A file is there and cannot be read.
    """
    lines: list[str] = []
    for file in sorted(path.parent.glob(f"{path.name}*")):
        try:
            data = file.read_bytes()
            data = gzip.decompress(data) if file.suffix == ".gz" else data
        except (OSError, EOFError) as error:
            raise FlowerFailure("audit_log", f"The audit log {file} cannot be read: {error}.") from error
        lines += data.decode(errors="replace").splitlines()
    return parse(lines)


def parse(lines: Iterable[str]) -> Log:
    """Read the lines of a log; a line that is cut short, or is none of ours, is counted and left."""
    requests, times, unreadable = [], [], 0
    for line in lines:
        try:
            found = json.loads(line)
            times.append(float(found["msec"]))
            if found.get("event") != "begin":
                requests.append(_request(found))
        except (ValueError, KeyError, TypeError, AttributeError):
            unreadable += 1
    return Log(tuple(sorted(requests, key=lambda one: one.at)), min(times, default=None), unreadable)


def _request(found: Mapping[str, Any]) -> Request:
    handled = None
    if re.fullmatch(r"[0-9.]+ [0-9.]+", found["handled"]):
        end, took = (float(word) for word in found["handled"].split())
        handled = (end - took, end)
    return Request(
        user=str(found["user"]),
        role=str(found["role"]),
        verb=str(found["verb"]),
        status=int(found["status"]),
        at=float(found["msec"]),
        seconds=float(found["seconds"]),
        handled=handled,
    )


def sessions(entries: Iterable[Mapping[str, Any]]) -> list[Session]:
    """Read sshd's sessions from entries of the journal (C(journalctl --output=json)), oldest first.

    sshd writes C(Accepted publickey for USER from ADDRESS port N ...) and PAM C(session closed for user USER), both
    from one process.
    """
    opened: dict[str, Session] = {}
    closed: list[Session] = []
    for entry in entries:
        message, pid = entry.get("MESSAGE"), str(entry.get("_PID"))
        # A message that is no UTF-8 comes as a list of numbers.
        if not isinstance(message, str):
            continue
        at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        accepted = re.match(r"Accepted \S+ for (\S+) from (\S+) port ", message)
        if accepted:
            opened[pid] = Session(accepted[1], accepted[2], at, float("inf"))
        elif pid in opened and re.search(r"\bsession closed for user ", message):
            begun = opened.pop(pid)
            closed.append(Session(begun.user, begun.source, begun.begin, at))
    return [*closed, *opened.values()]


def attribute(runs: Iterable[Run], log: Log, seen: Iterable[Session]) -> list[dict[str, Any]]:
    """Say of each run who submitted it, from where, or who may have.

    Returns:
        What the module flower_audit_info returns of each run, in the order of the runs. `user` is empty when it is not
        certain: `candidates` has everybody who may have, and is empty too when the log does not reach so far back.
    """
    known, starts = list(runs), [one for one in log.requests if one.verb == "start-run"]
    exact = [one for one in starts if one.handled is not None and one.status == 200]
    late = [one for one in starts if one.handled is None and one.status >= 499]
    times = {run.run_id: datetime.fromisoformat(run.pending_at).timestamp() for run in known if run.pending_at}
    open_sessions = list(seen)
    told = []
    for run in known:
        at = times.get(run.run_id)
        candidates: list[str] = []
        if at is not None and log.since is not None and at >= log.since:
            candidates = _candidates(at, exact, late, times)
        user = candidates[0] if len(candidates) == 1 else ""
        told.append(
            {
                "run_id": run.run_id,
                "user": user,
                "candidates": candidates,
                "submitted_at": run.pending_at,
                "sources": sorted(
                    {one.source for one in open_sessions if at and one.user == user and one.begin <= at <= one.end}
                ),
                "status": run.status,
                "app": run.app,
                "app_version": run.app_version,
                "fab_hash": run.fab_hash,
            }
        )
    return told


def _candidates(at: float, exact: list[Request], late: list[Request], times: Mapping[str, float]) -> list[str]:
    submissions = [one for one in exact if _during(at, one.handled)]
    users = {one.user for one in submissions}
    # More runs than submissions in the same time: somebody on the host itself submitted as well.
    begun = sum(any(_during(other, one.handled) for one in submissions) for other in times.values())
    if begun > len(submissions) or not submissions:
        users.add(OPERATOR)
    if not submissions:
        users |= {one.user for one in late if one.at - one.seconds - _SLACK <= at <= one.at + _LATE}
    return sorted(users)


def _during(at: float, handled: tuple[float, float] | None) -> bool:
    return handled is not None and handled[0] - _SLACK <= at <= handled[1] + _SLACK
