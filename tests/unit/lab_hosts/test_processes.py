# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Background processes: started once, stopped, and never mistaken for another of the same pid."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fact8ra_lab.hosts import processes
from fact8ra_lab.hosts._system import wait_until

SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(60)",
]


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    pid_file, log = tmp_path / "run/test.pid", tmp_path / "log/test.log"
    yield pid_file, log
    processes.stop(pid_file, timeout=0)


def started(files: tuple[Path, Path], command: list[str]) -> int:
    pid, fresh = processes.start(*files, command)
    assert fresh
    assert wait_until(lambda: files[1].read_text() == "here\n", 10)
    return pid


def test_started_once_in_a_session_of_its_own(files: tuple[Path, Path]) -> None:
    pid = started(files, SLEEP)
    assert processes.start(*files, SLEEP) == (pid, False)
    assert processes.running(files[0]) == pid
    assert os.getsid(pid) == pid


def test_stop(files: tuple[Path, Path]) -> None:
    started(files, SLEEP)
    assert processes.stop(files[0])
    assert not files[0].exists()
    assert not processes.stop(files[0])


def test_stop_kills_what_ignores_the_polite_signal(files: tuple[Path, Path]) -> None:
    pid = started(files, STUBBORN)
    assert processes.stop(files[0], timeout=0.2)
    assert processes._identity(pid) is None


def test_after_a_kill_it_is_started_again(files: tuple[Path, Path]) -> None:
    pid = started(files, SLEEP)
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: processes.running(files[0]) is None, 10)
    again, fresh = processes.start(*files, SLEEP)
    assert fresh
    assert again != pid


@pytest.mark.parametrize("change", [{"start": 1}, {"boot": "of yesterday"}])
def test_another_process_of_that_pid_is_not_ours(files: tuple[Path, Path], change: dict[str, object]) -> None:
    processes.record(files[0], os.getpid())
    assert processes.running(files[0]) == os.getpid()
    files[0].write_text(json.dumps({**json.loads(files[0].read_text()), **change}))
    assert processes.running(files[0]) is None
    assert not processes.stop(files[0])  # this very process would be gone


@pytest.mark.parametrize("text", ["", "12", "{}", "null", '{"pid": "x"}'])
def test_a_broken_pid_file_names_nobody(files: tuple[Path, Path], text: str) -> None:
    files[0].parent.mkdir()
    files[0].write_text(text)
    assert processes.running(files[0]) is None


def test_tail(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert "no " in processes.tail(log)
    log.write_text("".join(f"{number}\n" for number in range(50)))
    assert processes.tail(log, lines=2) == "48\n49"
