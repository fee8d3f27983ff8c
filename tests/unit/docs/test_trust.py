# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""docs/security.md on the mode without a controller names tests that exist, and limits that are those of the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import promises

from fact8ra_appliance import admission, glance, joiner, wire

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
FILES = [*(ROOT / "tests/unit/appliance").glob("test_*.py"), ROOT / "tests/integration/flower/test_join.py"]


def _tests() -> Iterator[str]:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield node.name


def test_every_attack_is_one_that_a_test_tries() -> None:
    rows = promises.rows(TEXT, "Who, without a controller")
    assert len(rows) >= 15
    known = set(_tests())
    for who, tries, _by, tests in rows:
        named = re.findall(r"`(test_\w+)`", tests)
        assert named, (who, tries)
        assert set(named) <= known, (who, tries, set(named) - known)


def test_the_limits_are_those_of_the_code() -> None:
    (row,) = [row for row in promises.rows(TEXT, "Who, without a controller") if "OneGate, memory or disk" in row[1]]
    assert f"{admission.MOST_NONCES} nonces, {admission.MOST} SuperNodes, {joiner._THREADS} threads" in row[2]
    assert glance.PAUSE == 1
    assert (wire.WINDOW, wire.LARGEST) == (300, 4096)
    nginx = (ROOT / "roles/superlink/templates/flower-fleet.conf.j2").read_text(encoding="utf-8")
    assert "client_max_body_size 4k;" in nginx
