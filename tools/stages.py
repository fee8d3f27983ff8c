# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs the stages of ``make test``, with ``--long`` those of ``make test-all``, and sums them up.

They run one after the other, but for those that leave a core idle (see BESIDE). A stage that fails does not stop the
ones after it; the exit status is 1 if any failed. Each stage's output goes to ``build/logs/<stage>.log``, and its end
to the terminal if the stage failed. A stage that ran no test has failed.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "logs"
TAIL_LINES = 80
# In the order of what it costs to find a mistake; the limits (seconds) end a stage that hangs.
STAGES = {
    "dev-venv": 600,
    "flwr-venv": 600,
    "lint": 600,
    "sanity": 900,
    "units": 600,
    "contract": 300,
    "integration": 900,
    "importer": 300,
    "faults": 600,
    "molecule": 900,
    "e2e": 1200,
}
# What only `make test-all` runs.
LONG_STAGES = {
    "refusals": 900,
    "lab-networks": 900,
    "molecule-trust": 1800,
    "test-gpu": 2700,
    "molecule-gpu": 600,
    "test-appliance": 5400,
    "test-containers": 2700,
    "adversarial": 7200,
}
# Stages that run, one after the other, at the side of another: that one mostly keeps one core busy, and so do they.
BESIDE = {"contract": "sanity", "importer": "sanity"}
# These make something and hold no tests.
WITHOUT_TESTS = ("dev-venv", "flwr-venv")
COUNT = re.compile(r"(?<![\w.])(\d+) (passed|failed|errors?|skipped)\b")


@dataclasses.dataclass(frozen=True)
class Counts:
    """How many tests of a stage ended how."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)


@dataclasses.dataclass(frozen=True)
class Result:
    """What became of a stage."""

    name: str
    ok: bool
    counts: Counts
    seconds: float
    reason: str = ""


def count(output: str) -> Counts:
    """Add up the closing lines of the test runners in ``output``.

    A closing line is pytest's (``=== 3 passed, 1 skipped in 0.1s ===``) or the plain ``N passed, N failed``; the
    decoration and the order do not matter.
    """
    total = Counts()
    for line in output.splitlines():
        bare = line.strip(" =")
        if not re.match(r"\d+ (passed|failed|errors?|skipped|deselected|xfailed|warnings?)\b", bare):
            continue
        found = {kind.rstrip("s"): int(number) for number, kind in COUNT.findall(bare)}
        failed = found.get("failed", 0) + found.get("error", 0)
        total += Counts(found.get("passed", 0), failed, found.get("skipped", 0))
    return total


def run_stage(name: str, limit: float) -> Result:
    """Run ``make <name>`` for at most ``limit`` seconds, with no input."""
    log = LOGS / f"{name}.log"
    started = time.monotonic()
    reason = ""
    mark = f"FACT8RA_STAGE={uuid.uuid4()}"
    with log.open("wb") as stream:
        # In a group of its own, so that whatever it started ends with it.
        process = subprocess.Popen(
            ["make", "--no-print-directory", name],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**os.environ, **dict([mark.split("=")])},
        )
        _running[name] = process, mark
        try:
            status = process.wait(timeout=limit)
        except subprocess.TimeoutExpired:
            end(process, mark)
            status, reason = -1, f"ended after its limit of {limit:.0f} s"
        finally:
            del _running[name]
    counts = count(log.read_text(encoding="utf-8", errors="replace"))
    if status != 0 and not reason:
        reason = f"exit status {status}"
    elif status == 0 and counts.failed:
        reason = f"{counts.failed} failed, though the exit status is 0"
    elif status == 0 and not counts.passed and name not in WITHOUT_TESTS:
        reason = "ran no test"
    return Result(name, not reason, counts, time.monotonic() - started, reason)


# The stages that run now, each with its process and what is in the environment of everything that it starts.
_running: dict[str, tuple[subprocess.Popen[bytes], str]] = {}
_interrupted = threading.Event()


def end(process: subprocess.Popen[bytes], mark: str) -> None:
    """End a stage and everything that it started: first by asking, after ten seconds by force."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    # Workers of tests put what they start into sessions of its own.
    for pid in marked(mark):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def marked(mark: str) -> Iterator[int]:
    """Yield the processes that have ``NAME=value`` in their environment (proc(5))."""
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (directory / "environ").read_bytes().split(b"\0"):
                yield int(directory.name)


def describe(result: Result) -> str:
    """One line about a stage."""
    tests = f"{result.counts.passed:5d} passed" if result.counts != Counts() else " " * 12
    skipped = f", {result.counts.skipped} skipped" if result.counts.skipped else ""
    verdict = "ok" if result.ok else f"FAILED ({result.reason})"
    return f"{result.name:12s} {result.seconds:7.1f} s {tests}{skipped}  {verdict}"


def tail(name: str) -> str:
    """The end of a stage's log."""
    lines = (LOGS / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])


def main(arguments: list[str] | None = None) -> int:
    """Run the stages named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    limits = {**STAGES, **LONG_STAGES}
    parser.add_argument(
        "stages", nargs="*", metavar="STAGE", help=f"of {', '.join(limits)} (default: {', '.join(STAGES)})"
    )
    parser.add_argument("--long", action="store_true", help=f"{', '.join(LONG_STAGES)} as well")
    options = parser.parse_args(arguments)
    names = options.stages or [*STAGES, *(LONG_STAGES if options.long else ())]
    for name in names:
        if name not in limits:
            parser.error(f"{name} is no stage; there are {', '.join(limits)}")
    LOGS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    results: list[Result] = []
    try:
        for group in groups(names):
            results += run_group(group, limits)
    except KeyboardInterrupt:
        _interrupted.set()
        interrupted = " and ".join(_running)
        for process, mark in list(_running.values()):
            end(process, mark)
        print(f"FAILED: interrupted in {interrupted}; `make clean` removes what it may have left", flush=True)
        return 130
    return summarize(results, time.monotonic() - started)


def groups(names: list[str]) -> list[list[list[str]]]:
    """Put stages into groups that run one after the other, each with lanes that run at the same time."""
    aside = {name: BESIDE[name] for name in names if BESIDE.get(name) in names}
    return [
        [[name], *([others] if (others := [other for other in names if aside.get(other) == name]) else [])]
        for name in names
        if name not in aside
    ]


def run_group(lanes: list[list[str]], limits: dict[str, int]) -> list[Result]:
    """Run the lanes of a group at the same time, the stages of a lane one after the other, and tell of each."""
    results = []

    def run_lane(names: list[str]) -> None:
        for name in names:
            print(f"{name} ...", flush=True)
            result = run_stage(name, limits[name])
            if _interrupted.is_set():
                return
            results.append(result)
            told = [f"        {describe(result)}"]
            if not result.ok:
                told += [tail(name), f"        The whole of it: build/logs/{name}.log"]
            print("\n".join(told), flush=True)

    # No context, which would wait for every lane when this is interrupted.
    pool = concurrent.futures.ThreadPoolExecutor(len(lanes))
    futures = [pool.submit(run_lane, lane) for lane in lanes]
    try:
        for future in futures:
            future.result()
    finally:
        for future in futures:
            future.cancel()
        pool.shutdown(wait=False)
    return results


def summarize(results: list[Result], seconds: float) -> int:
    """Print the table, the counts and the closing line; return the exit status."""
    total = sum((result.counts for result in results), Counts())
    broken = [result.name for result in results if not result.ok]
    print("\n" + "\n".join(describe(result) for result in results) + "\n")
    # The form that a CI runner reads. A stage that broke without counting a failure counts as one.
    failed = total.failed + sum(1 for result in results if not result.ok and not result.counts.failed)
    print(f"{total.passed} passed, {failed} failed, {total.skipped} skipped")
    tests = total.passed + total.failed
    if broken:
        print(f"FAILED: {', '.join(broken)} ({len(results)} stages, {tests} tests in {seconds:.0f} s)", flush=True)
        return 1
    print(f"PASSED: {len(results)} stages, {tests} tests in {seconds:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
