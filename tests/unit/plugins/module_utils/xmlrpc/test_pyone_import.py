# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""pyone's classes for answers are put off, and are what they always were when somebody uses them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[5]
IMPORT = (
    "import sys\n"
    "from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.pyone_import import import_pyone\n"
    "pyone = import_pyone()\n"
)


def _python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT + code],
        env={"PYTHONPATH": str(ROOT / ".collections"), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_generated_classes_are_not_loaded() -> None:
    assert _python("print(pyone.__name__, 'pyone.bindings.supbind' in sys.modules)") == "pyone False"


@pytest.mark.parametrize(
    "use",
    [
        "from pyone import bindings; print(bindings.parseString.__name__)",
        "import pyone.bindings; print(pyone.bindings.parseString.__name__)",
        "from pyone.bindings import parseString; print(parseString.__name__)",
    ],
)
def test_they_are_loaded_when_somebody_uses_them(use: str) -> None:
    assert _python(use) == "parseString"


def test_an_answer_that_somebody_else_asks_for_is_bound_to_them() -> None:
    answer = "print(pyone.bindings.parseString('<VM><ID>7</ID></VM>').ID)"
    assert _python(answer) == "7"


def test_pyone_that_was_imported_before_stays_as_it_is() -> None:
    code = (
        "import sys, pyone\n"
        "known = sys.modules['pyone.bindings']\n" + IMPORT + "print(sys.modules['pyone.bindings'] is known)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / ".collections"), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "True", done.stderr
