# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Who submitted which run, from log, runs and journal."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flower_fakes import a_run

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.audit import (
    attribute,
    parse,
    read_log,
    sessions,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Run
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure

BEGIN = 1_795_529_000.0
ENTRY = '{"event": "begin", "msec": 1795529000.0}'


def line(user: str, at: float, took: float | None = 0.1, verb: str = "start-run", status: int = 200) -> str:
    """A line of the audit log; `at` is in seconds after BEGIN, and None for `took` means that no answer was seen."""
    found = {
        "time": "2026-11-24T14:16:00+00:00",
        "msec": BEGIN + at,
        "user": user,
        "role": "submit",
        "verb": verb,
        "method": "POST",
        "status": status,
        "received": 144,
        "sent": 123,
        "seconds": 2.0,
        "handled": "" if took is None else f"{BEGIN + at:.3f} {took:.3f}",
        "id": "90920c420c7457e1",
    }
    return json.dumps(found)


def run(run_id: str, at: float) -> Run:
    """A run that began so many seconds after BEGIN."""
    return a_run(run_id, pending_at=datetime.fromtimestamp(BEGIN + at, UTC).isoformat())


def told(lines: list[str], *runs: Run, seen: list[dict[str, Any]] | None = None) -> dict[str, tuple[str, list[str]]]:
    """User and candidates by run."""
    found = attribute(runs, parse([ENTRY, *lines]), sessions(seen or []))
    return {one["run_id"]: (one["user"], one["candidates"]) for one in found}


def test_each_run_is_of_whose_submission_was_at_the_superlink_when_it_began() -> None:
    lines = [line("alice", 10.0), line("bob", 11.0), line("alice", 12.0, verb="list-runs")]
    assert told(lines, run("1", 9.95), run("2", 10.93), run("3", 11.99)) == {
        "1": ("alice", ["alice"]),
        "2": ("bob", ["bob"]),
        "3": ("operator", ["operator"]),
    }


def test_the_wait_in_the_queue_is_not_the_users() -> None:
    """bob's request lasts 2 s, but the SuperLink had it for the last 0.1 s."""
    assert told([line("bob", 10.0)], run("1", 9.0))["1"] == ("operator", ["operator"])


@pytest.mark.parametrize(
    ("at", "user"), [(9.8951, "alice"), (10.0049, "alice"), (9.894, "operator"), (10.006, "operator")]
)
def test_the_edges(at: float, user: str) -> None:
    assert told([line("alice", 10.0)], run("1", at))["1"][0] == user


def test_a_submission_on_the_host_at_the_same_time_leaves_both_open() -> None:
    both = ("", ["alice", "operator"])
    assert told([line("alice", 10.0)], run("1", 9.93), run("2", 9.97)) == {"1": both, "2": both}


def test_submissions_that_overlap_leave_both_open_unless_they_are_one_users() -> None:
    assert told([line("alice", 10.0), line("bob", 10.05)], run("1", 9.97), run("2", 9.98)) == {
        "1": ("", ["alice", "bob"]),
        "2": ("", ["alice", "bob"]),
    }
    assert told([line("alice", 10.0), line("alice", 10.05)], run("1", 9.97), run("2", 9.98))["2"][0] == "alice"


def test_a_submission_without_an_answer_may_be_the_run() -> None:
    lost = line("alice", 10.0, took=None, status=504)
    assert told([lost], run("1", 8.5), run("2", 200.0), run("3", 7.0), run("4", 311.0)) == {
        "1": ("", ["alice", "operator"]),
        "2": ("", ["alice", "operator"]),
        "3": ("operator", ["operator"]),
        "4": ("operator", ["operator"]),
    }


@pytest.mark.parametrize("status", [403, 404, 413, 429])
def test_a_submission_that_was_refused_is_nobodys_run(status: int) -> None:
    assert told([line("mallory", 10.0, took=None, status=status)], run("1", 9.97))["1"][0] == "operator"


def test_a_submission_that_flower_refused_is_nobodys_run() -> None:
    assert told([line("mallory", 10.0, status=400)], run("1", 9.97))["1"][0] == "operator"


def test_before_the_log_begins_nothing_is_known() -> None:
    assert told([], run("1", -1.0))["1"] == ("", [])
    (found,) = attribute([run("1", 1.0)], parse([]), [])
    assert (found["user"], found["candidates"]) == ("", [])


def test_lines_that_are_cut_or_strange_are_counted() -> None:
    log = parse([ENTRY, line("alice", 1.0)[:50], "[]", '"x"', "{}", "", line("bob", 2.0)])
    assert [one.user for one in log.requests] == ["bob"]
    assert log.unreadable == 5
    assert log.since == BEGIN


def test_rotated_logs_are_read_and_others_are_not(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text(line("c", 3.0) + "\n")
    (tmp_path / "audit.jsonl.1").write_text(line("b", 2.0) + "\n")
    (tmp_path / "audit.jsonl.2.gz").write_bytes(gzip.compress(f"{ENTRY}\n{line('a', 1.0)}\n".encode()))
    (tmp_path / "other.jsonl").write_text(line("x", 1.0))
    log = read_log(path)
    assert [one.user for one in log.requests] == ["a", "b", "c"]
    assert (log.since, log.unreadable) == (BEGIN, 0)
    assert read_log(tmp_path / "none").since is None
    (tmp_path / "audit.jsonl.3.gz").write_bytes(b"no gzip")
    with pytest.raises(FlowerFailure, match=r"audit\.jsonl\.3\.gz cannot be read"):
        read_log(path)


def entry(at: float, pid: int, message: Any) -> dict[str, Any]:
    """An entry of the journal."""
    return {"__REALTIME_TIMESTAMP": str(int((BEGIN + at) * 1e6)), "_PID": str(pid), "MESSAGE": message}


def test_the_sources_are_those_of_the_sessions_at_that_time() -> None:
    journal = [
        entry(1, 7, "Accepted publickey for alice from 192.0.2.1 port 40 ssh2: ED25519 SHA256:x"),
        entry(2, 8, "Accepted publickey for alice from 2001:db8::2 port 41 ssh2: ED25519 SHA256:x"),
        entry(2, 9, "Accepted publickey for bob from 192.0.2.9 port 42 ssh2: ED25519 SHA256:y"),
        entry(3, 1, [255, 254]),
        entry(5, 7, "pam_unix(sshd:session): session closed for user alice"),
        entry(20, 7, "Accepted publickey for alice from 192.0.2.3 port 43 ssh2: ED25519 SHA256:x"),
    ]
    found = attribute(
        [run("1", 9.95), run("2", 3.95)], parse([ENTRY, line("alice", 10.0), line("alice", 4.0)]), sessions(journal)
    )
    assert [one["sources"] for one in found] == [["2001:db8::2"], ["192.0.2.1", "2001:db8::2"]]
