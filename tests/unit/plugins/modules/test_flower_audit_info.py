# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module flower_audit_info."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flower_fakes import FakeControl, a_run, run_main

from ansible_collections.fact8ra.flower.plugins.modules import flower_audit_info


def line(verb: str, status: int, at: float, handled: str = "") -> str:
    """A line of the audit log."""
    found: dict[str, Any] = {"msec": at, "user": "alice", "role": "submit", "verb": verb, "status": status}
    return json.dumps({**found, "seconds": 0.1, "handled": handled}) + "\n"


@pytest.fixture(name="control")
def _control(monkeypatch: pytest.MonkeyPatch) -> FakeControl:
    control = FakeControl()
    monkeypatch.setattr(flower_audit_info, "Control", lambda *_args: control)
    monkeypatch.setattr(flower_audit_info, "journal", lambda _module: [])
    control.all_runs["7"] = a_run("7", "finished:completed", pending_at="2026-11-24T14:16:00.500000+00:00")
    control.all_runs["8"] = a_run("8", pending_at="2026-11-24T14:17:00+00:00")
    return control


@pytest.mark.usefixtures("control")
def test_runs_refusals_and_begin(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_text(
        '{"event": "begin", "msec": 1795529000.0}\n'
        + line("start-run", 200, 1795529760.6, "1795529760.600 0.200")
        + line("register-node", 403, 1795529761.0)
        + line("list-runs", 200, 1795529762.0)
        + "{\n"
    )
    told = run_main(flower_audit_info.main, {"log": str(log)}, check=True)
    assert not told["changed"]
    assert [(run["run_id"], run["user"], run["status"]) for run in told["runs"]] == [
        ("8", "operator", "running"),
        ("7", "alice", "finished:completed"),
    ]
    assert [(one["user"], one["verb"], one["status"], one["at"]) for one in told["refused"]] == [
        ("alice", "register-node", 403, "2026-11-24T14:16:01.000+00:00")
    ]
    assert told["since"] == "2026-11-24T14:03:20.000+00:00"
    assert told["unreadable_lines"] == 1
    told = run_main(flower_audit_info.main, {"log": str(log), "runs": 1, "refused": 0})
    assert [run["run_id"] for run in told["runs"]] == ["8"]
    assert told["refused"] == []


@pytest.mark.usefixtures("control")
def test_without_a_log_nothing_is_certain(tmp_path: Path) -> None:
    told = run_main(flower_audit_info.main, {"log": str(tmp_path / "none")})
    assert [(run["user"], run["candidates"]) for run in told["runs"]] == [("", []), ("", [])]
    assert told["since"] == ""


@pytest.mark.usefixtures("control")
def test_a_log_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    told = run_main(flower_audit_info.main, {"log": str(tmp_path / "audit.jsonl")})
    assert told["failed"]
    assert told["failure"]["code"] == "audit_log"


def test_a_missing_flwr_is_told(tmp_path: Path) -> None:
    told = run_main(flower_audit_info.main, {"log": str(tmp_path / "none")})
    assert told["failure"]["code"] == "flwr_missing"


def test_the_journal_is_asked_for_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    class Module:
        """Enough of an AnsibleModule."""

        answer = (0, '{"MESSAGE": "x"}\n', "")

        def get_bin_path(self, name: str) -> str | None:
            """Where a program is."""
            return f"/usr/bin/{name}" if self.answer[0] >= 0 else None

        def run_command(self, command: list[str]) -> tuple[int, str, str]:
            """Run a program."""
            assert command[0] == "/usr/bin/journalctl"
            return self.answer

    module: Any = Module()
    assert flower_audit_info.journal(module) == [{"MESSAGE": "x"}]
    monkeypatch.setattr(Module, "answer", (1, "", "no entries"))
    assert flower_audit_info.journal(module) == []
    monkeypatch.setattr(Module, "answer", (-1, "", ""))
    assert flower_audit_info.journal(module) == []
