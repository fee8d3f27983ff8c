# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The runner of ``make test``: what it counts, what it calls a failure, and that it ends what it started."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
import stages
from stages import Counts, Result


@pytest.mark.parametrize(
    ("output", "counts"),
    [
        ("===== 3 passed in 0.12s =====", Counts(3)),
        ("== 1 failed, 12 passed, 2 skipped in 8.01s ==", Counts(12, 1, 2)),
        ("==== 1 passed, 2 errors in 0.3s ====", Counts(1, 2)),
        ("3 passed in 0.12s\n13 passed, 0 failed", Counts(16)),
        ("=== 4 deselected in 0.1s ===", Counts()),
        ("ok: 3 passed by the gate\nrelease 1.2 passed\nno closing line", Counts()),
        ("", Counts()),
    ],
)
def test_closing_lines_are_added_up(output: str, counts: Counts) -> None:
    assert stages.count(output) == counts


@pytest.fixture
def makefile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Makefile in place of the repository's."""
    monkeypatch.setattr(stages, "ROOT", tmp_path)
    monkeypatch.setattr(stages, "_interrupted", threading.Event())
    monkeypatch.setattr(stages, "LOGS", tmp_path / "logs")
    (tmp_path / "logs").mkdir()
    return tmp_path / "Makefile"


@pytest.mark.parametrize(
    ("recipe", "ok", "reason"),
    [
        ("@echo 2 passed, 0 failed", True, ""),
        ("@echo 2 passed, 1 failed; exit 1", False, "exit status 2"),
        ("@echo 2 passed, 1 failed", False, "1 failed, though the exit status is 0"),
        ("@echo done", False, "ran no test"),
        ("@echo 0 passed, 0 failed", False, "ran no test"),
        ("@cat; echo 1 passed, 0 failed", True, ""),
    ],
)
def test_a_stage_passes_only_with_tests_and_without_failures(
    makefile: Path, recipe: str, ok: bool, reason: str
) -> None:
    makefile.write_text(f"units:\n\t{recipe}\n")
    result = stages.run_stage("units", 20)
    assert (result.ok, result.reason) == (ok, reason)


def test_a_stage_that_hangs_is_ended_with_all_that_it_started(makefile: Path) -> None:
    pid_file = makefile.parent / "pid"
    makefile.write_text(f"units:\n\t@setsid sleep 600 & echo $$! > {pid_file}; wait\n")
    result = stages.run_stage("units", 1)
    assert not result.ok
    assert "limit of 1 s" in result.reason
    deadline = time.monotonic() + 5
    while alive(int(pid_file.read_text())):
        assert time.monotonic() < deadline, "the child outlived its stage"
        time.sleep(0.05)


def test_stages_that_leave_a_core_idle_run_side_by_side(
    makefile: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stages, "STAGES", {"lint": 20, "sanity": 20, "units": 20, "contract": 20, "importer": 20})
    monkeypatch.setattr(stages, "BESIDE", {"contract": "sanity", "importer": "sanity"})
    met = makefile.parent / "met"
    makefile.write_text(
        "lint units contract:\n\t@echo 1 passed, 0 failed\n"
        f"importer:\n\t@touch {met}; echo 1 passed, 0 failed\n"
        f"sanity:\n\t@until [ -e {met} ]; do sleep 0.01; done; echo 2 passed, 0 failed\n"
    )
    assert stages.groups([*stages.STAGES]) == [[["lint"]], [["sanity"], ["contract", "importer"]], [["units"]]]
    assert stages.groups(["importer", "units"]) == [[["importer"]], [["units"]]]
    assert stages.main([]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("PASSED: 5 stages, 6 tests in ")


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be reaped does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_later_stages_run_after_a_failure_and_the_closing_line_names_it(
    makefile: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stages, "STAGES", {"lint": 20, "units": 20})
    makefile.write_text("lint:\n\t@echo broken here; exit 3\nunits:\n\t@echo 5 passed, 0 failed\n")
    assert stages.main([]) == 1
    said = capsys.readouterr().out
    assert "    broken here" in said
    assert said.splitlines()[-2] == "5 passed, 1 failed, 0 skipped"
    assert said.splitlines()[-1].startswith("FAILED: lint (2 stages, 5 tests in ")


def test_an_interruption_ends_the_stage_and_the_run(
    makefile: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    # a shell that starts a job in the background has it ignore the interruption
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    monkeypatch.setattr(stages, "STAGES", {"lint": 20, "units": 20})
    makefile.write_text(f"lint:\n\t@kill -INT {os.getpid()}; sleep 600\nunits:\n\t@echo 5 passed, 0 failed\n")
    started = time.monotonic()
    assert stages.main([]) == 130
    assert time.monotonic() - started < 15
    assert capsys.readouterr().out.splitlines()[-1].startswith("FAILED: interrupted in lint;")


def test_all_passed(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        stages.summarize([Result("lint", True, Counts(13), 20.0), Result("units", True, Counts(400, 0, 1), 30.0)], 50.0)
        == 0
    )
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "413 passed, 0 failed, 1 skipped",
        "PASSED: 2 stages, 413 tests in 50 s",
    ]


def test_an_unknown_stage_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        stages.main(["nonsense"])
    assert "nonsense is no stage; there are dev-venv" in capsys.readouterr().err


def test_every_stage_is_a_target() -> None:
    makefile = (Path(stages.__file__).parent.parent / "Makefile").read_text()
    for name in (*stages.STAGES, *stages.LONG_STAGES):
        assert f"\n{name}: " in makefile


def test_the_long_suites_run_only_when_asked_for(
    makefile: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stages, "STAGES", {"lint": 20})
    monkeypatch.setattr(stages, "LONG_STAGES", {"adversarial": 20})
    makefile.write_text("lint adversarial:\n\t@echo 1 passed, 0 failed\n")
    assert stages.main([]) == 0
    assert "PASSED: 1 stages" in capsys.readouterr().out
    assert stages.main(["--long"]) == 0
    assert "PASSED: 2 stages" in capsys.readouterr().out


def test_every_molecule_scenario_is_played() -> None:
    scenarios = {path.parent.name for path in (stages.ROOT / "extensions" / "molecule").glob("*/molecule.yml")}
    lines = (stages.ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    played = [
        name
        for line in lines
        if "tools/molecule.sh" in line
        for name in line.partition("$(ARGS),")[2].rstrip(")").split()
    ]
    assert sorted(played) == sorted(scenarios)
