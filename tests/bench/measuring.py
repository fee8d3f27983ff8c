# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: their options, running commands, tables."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_STOP_SECONDS = 10
_TAIL = 25


class NotMeasured(Exception):
    """Something that the benchmark needs is not there; the text says what, and how to get it."""


class Failed(Exception):
    """What was to be measured did not work, or a count is not what it has to be."""


@dataclass(frozen=True)
class Options:
    """What the benchmarks were asked for.

    Attributes:
        root: of the checkout.
        names: the benchmarks, in order.
        runs: how many runs a median is taken of.
        inventory: of the running lab.
        state: state directory of the running lab.
    """

    root: Path
    names: tuple[str, ...]
    runs: int
    inventory: str
    state: Path


@dataclass(frozen=True)
class Done:
    """A command that has ended: exit status, standard output, standard output and error together, wall seconds."""

    status: int
    output: str
    errors: str
    seconds: float

    def succeeded(self) -> Done:
        """This command, when it ended well.

        Raises:
            Failed: with its last lines.
        """
        if self.status:
            lines = [*self.output.splitlines(), *self.errors.splitlines()][-_TAIL:]
            raise Failed(f"exit status {self.status}:\n" + "\n".join(lines))
        return self


def command(
    words: Sequence[str], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None, limit: float = 900
) -> Done:
    """Run a command in a session of its own; when this process is stopped meanwhile, all of the session ends first.

    Raises:
        Failed: it took longer than C(limit) seconds.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        words,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        raise Failed(f"`{' '.join(words)}` did not end within {limit:g} s") from None
    finally:
        if process.returncode is None:
            _end(process)
    return Done(process.returncode, output, errors, time.perf_counter() - started)


def _end(process: subprocess.Popen[str]) -> None:
    """Ask all of a command's session to end, and make it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_STOP_SECONDS)


def load() -> str:
    """The load averages of 1, 5 and 15 minutes and the number of processors that they are for."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg()) + f" on {os.cpu_count()} CPUs"


def spread(seconds: Sequence[float], digits: int = 1) -> str:
    """The smallest and the largest of several runs."""
    return f"{min(seconds):.{digits}f}-{max(seconds):.{digits}f}" if len(seconds) > 1 else ""


def median(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def verdict(seconds: float, target: float) -> str:
    """Whether a figure holds the target, in words."""
    return f"target {target:g} s: {'held' if seconds <= target else 'MISSED'}, {seconds / target:.2f} of it"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; the first column is set left, all others right."""
    cells = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
    for number, row in enumerate(cells):
        padded = [
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  " + "  ".join(padded).rstrip())
        if number == 0:
            print("  " + "  ".join("-" * width for width in widths), flush=True)
