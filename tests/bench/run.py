# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs benchmarks and prints their figures: ``run.py [NAME...]`` (default: all of them, the cheapest first).

Nothing here passes or fails by the clock. The exit status is 1 when something did not work or when a count that has to
stay the same did not, 130 after Ctrl-C; whatever a benchmark started is gone by then.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from measuring import Failed, NotMeasured, Options, load

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ("scale", "community", "flower_install", "converge", "links")


def _prepare() -> None:
    """Make the collection, the lab and the tests' helpers importable, and Ansible's settings those of the checkout."""
    sys.path[:0] = [str(ROOT / path) for path in ("roles/lab/files", "tests/support")]
    # A user's settings for a real OpenNebula must not reach a module that is measured.
    for name in [name for name in os.environ if name.startswith(("ONE_", "ONEFLOW_", "OPENNEBULA_", "ANSIBLE_"))]:
        del os.environ[name]
    os.environ |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
    # Reads the settings when it is imported. Without it before them, imports of the collection would hide its plugins.
    loader = importlib.import_module("ansible.plugins.loader")
    loader.init_plugin_loader([str(ROOT / ".collections")])


def _stop_once() -> None:
    """Turn the first SIGINT or SIGTERM into KeyboardInterrupt and ignore further ones, so that cleaning up ends."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _options() -> Options:
    parser = argparse.ArgumentParser(prog="run.py", description="Benchmarks of the collection; see README.md beside.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--runs", type=int, default=3, help="runs that a median is taken of (default: %(default)s)")
    parser.add_argument("--inventory", default="inventories/lab", help="converge: of the lab (default: %(default)s)")
    parser.add_argument(
        "--state",
        type=Path,
        default=Path("/var/lib/fact8ra-lab"),
        help="converge: state directory of the lab (default: %(default)s)",
    )
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"{', '.join(unknown)}: no such benchmark; there are {', '.join(BENCHMARKS)}")
    if given.runs < 1:
        parser.error(f"--runs {given.runs}: it has to be 1 or more")
    names = tuple(given.names) or BENCHMARKS
    return Options(ROOT, names, given.runs, str(Path(given.inventory).resolve()), given.state)


def main() -> int:
    """Run the benchmarks named; returns the exit status."""
    options = _options()
    _prepare()
    _stop_once()
    os.chdir(ROOT)
    faults = 0
    for name in options.names:
        print(f"\n== {name}: load average {load()} before", flush=True)
        try:
            importlib.import_module(name).measure(options)
        except NotMeasured as reason:
            print(f"not measured: {reason}")
        except Failed as fault:
            faults += 1
            print(f"FAILED: {fault}")
        except KeyboardInterrupt:
            print(f"\n{name} was stopped; what it had started is gone.")
            return 130
        print(f"== {name}: load average {load()} after", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
