# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What holds for every module: it is tested, in the action group if it has the connection options, and it imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[4]
MODULES = sorted(path for path in (ROOT / "plugins" / "modules").glob("*.py") if path.stem != "__init__")
RUNTIME = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
GROUP = RUNTIME["action_groups"]["opennebula"]
PACKAGE = "ansible_collections.fact8ra.flower.plugins"


def _takes_the_connection(module: Path) -> bool:
    """Whether a module imports the connection options for its specification."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == f"{PACKAGE}.module_utils._argspec"
        and "CONNECTION" in {name.name for name in node.names}
        for node in ast.walk(ast.parse(module.read_text()))
    )


def _integration_tests() -> str:
    tests = (ROOT / "tests" / "integration").rglob("test_*.py")
    return "\n".join(path.read_text() for path in tests)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_it_has_unit_tests(module: Path) -> None:
    tests = ROOT / "tests" / "unit" / "plugins" / "modules" / f"test_{module.stem.removesuffix('_info')}.py"
    info = tests.with_name(f"test_{module.stem}.py")
    assert info.is_file() or (tests.is_file() and re.search(rf"\b{module.stem}\b", tests.read_text(encoding="utf-8")))


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_it_has_an_integration_test(module: Path) -> None:
    target = ROOT / "tests" / "integration" / "targets" / module.stem
    if module.stem in GROUP:
        assert (target / "sequence.yml").is_file(), "see tests/support/sequence.py"
    else:
        own = (target / "tasks" / "main.yml").is_file()
        assert own or re.search(rf"\b{module.stem}\b", _integration_tests())


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_it_is_in_the_action_group_when_it_takes_the_connection_options(module: Path) -> None:
    assert (module.stem in GROUP) == _takes_the_connection(module)


def test_the_action_group_names_modules_alone() -> None:
    assert set(GROUP) <= {path.stem for path in MODULES}
    assert sorted(GROUP) == GROUP


def test_modules_can_be_imported_without_the_libraries_that_they_need() -> None:
    names = [f"{PACKAGE}.modules.{path.stem}" for path in MODULES]
    code = (
        "import importlib, sys\n"
        "sys.modules.update(dict.fromkeys(['pyone', 'cryptography', 'flwr', 'requests']))\n"
        "[importlib.import_module(name) for name in sys.argv[1:]]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *names],
        env={"PYTHONPATH": str(ROOT / ".collections"), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
