# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs the linters, two at a time, and prints the output of those that found something.

Usage: ``tools/lint.py [NAME...]`` (default: all; see CHECKS). Needs ``make dev-venv``.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv-dev" / "bin"
COPY = ROOT / "build"
COLLECTION = COPY / "ansible_collections" / "fact8ra" / "flower"


@dataclasses.dataclass(frozen=True)
class Check:
    """One command: ``argv`` run in ``cwd``, with ``env`` on top of the environment."""

    argv: tuple[str, ...]
    cwd: pathlib.Path = ROOT
    env: tuple[tuple[str, str], ...] = ()


def mypy(*paths: str) -> Check:
    """Types of a part of the collection, by its import path (hence in the copy)."""
    config = str(ROOT / "pyproject.toml")
    return Check(("mypy", "--config-file", config, *(f"ansible_collections/fact8ra/flower/{p}" for p in paths)), COPY)


# The slowest first, so that two at a time end soonest.
CHECKS = {
    "ansible-lint": Check(
        ("ansible-lint", "--offline", "--nocolor"), env=(("ANSIBLE_COLLECTIONS_PATH", ".collections"),)
    ),
    "mypy": mypy("plugins"),
    "antsibull-docs": Check(
        (
            "antsibull-docs",
            "lint-collection-docs",
            "--plugin-docs",
            "--validate-collection-refs=self",
            "--skip-rstcheck",
            ".",
        ),
        COLLECTION,
    ),
    "mypy-lab": Check(
        ("mypy", "--config-file", "../../../pyproject.toml", "fact8ra_lab"), ROOT / "roles" / "lab" / "files"
    ),
    "mypy-appliance": Check(
        ("mypy", "--config-file", str(ROOT / "pyproject.toml"), "fact8ra_appliance", "fact8ra_image"),
        ROOT / "roles" / "appliance" / "files",
        env=(("MYPYPATH", str(COPY)),),
    ),
    "mypy-tools": Check(
        ("mypy", "--config-file", "pyproject.toml", "tools"), env=(("MYPYPATH", "tools:roles/lab/files"),)
    ),
    "antsibull-changelog": Check(("antsibull-changelog", "lint")),
    "reuse": Check(("reuse", "lint", "--quiet")),
    "yamllint": Check(("yamllint", "--strict", ".")),
    "shellcheck": Check(("tools/shellcheck.sh",)),
    "ruff-check": Check(("ruff", "check", "--quiet", ".")),
    "ruff-format": Check(("ruff", "format", "--check", "--quiet", ".")),
    "role-docs": Check(("python", "tools/role_docs.py", "--check")),
    "context-table": Check(("python", "tools/context_table.py", "--check")),
    "rules": Check(("python", "tools/rules.py")),
}


def run(name: str) -> tuple[str, bool, float, str]:
    """Run one check; return its name, whether it passed, its seconds and its output."""
    check = CHECKS[name]
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", **dict(check.env)}
    env.pop("ANSIBLE_CONFIG", None)
    started = time.monotonic()
    done = subprocess.run(
        check.argv,
        cwd=check.cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return name, done.returncode == 0, time.monotonic() - started, done.stdout.decode(errors="replace")


def main() -> int:
    """Run the checks named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checks", nargs="*", metavar="NAME", help=f"of {', '.join(CHECKS)}")
    names = parser.parse_args().checks or list(CHECKS)
    for name in names:
        if name not in CHECKS:
            parser.error(f"{name} is no check; there are {', '.join(CHECKS)}")
    subprocess.run([ROOT / "tools" / "collection_tree.sh"], check=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, name) for name in names]):
            name, ok, seconds, output = done.result()
            print(f"{'ok' if ok else 'FAILED':6s} {name} ({seconds:.1f} s)", flush=True)
            if not ok:
                failed += 1
                print("\n".join(f"    {line}" for line in output.splitlines()), flush=True)
    print(f"{len(names) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
