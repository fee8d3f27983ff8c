# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The tools of the proof of concept, run with Flower's interpreter, and its roles, played on this computer."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]
APP = REPOSITORY / "apps" / "poc"


@pytest.fixture(scope="session")
def flwr_python() -> Path:
    """Flower's interpreter; without it these tests fail, they do not skip."""
    python = Path(os.environ.get("FACT8RA_FLWR_PYTHON", str(REPOSITORY / ".venv-flwr" / "bin" / "python")))
    if not (python.parent / "flower-superlink").exists():
        pytest.fail(f"{python} has no flower-superlink beside it: run `make flwr-venv`, or set FACT8RA_FLWR_PYTHON")
    return python


@dataclass(frozen=True)
class Tools:
    """`python -m poctools`."""

    python: Path

    def python_code(self, code: str) -> str:
        """Run a program that may import the app; return what it prints."""
        return self._run("-c", code).stdout

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a tool, whatever it returns."""
        return self._run("-m", "poctools", *arguments)

    def __call__(self, *arguments: str) -> dict[str, Any]:
        """Run a tool that has to succeed; return its result."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(APP), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [str(self.python), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="session")
def tools(flwr_python: Path) -> Tools:
    """The tools."""
    return Tools(flwr_python)


@dataclass(frozen=True)
class Played:
    """What ansible-playbook did."""

    returncode: int
    output: str

    @property
    def changed(self) -> int:
        """The number of changes on all hosts."""
        return sum(int(number) for number in re.findall(r"changed=(\d+)", self.output))


@pytest.fixture
def play(tmp_path: Path) -> Any:
    """Play tasks on the group superlink of a small inventory, every host being this computer."""
    nodes = ["node-a", "node-b"]
    hosts = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {
        "all": {
            "vars": {**hosts, "federation_name": "small", "federation_directory": str(tmp_path / "federation")},
            "children": {
                "sites": {"hosts": {"here": {}}},
                "superlink": {"hosts": {"link": {"site_name": "here"}}},
                "supernodes": {"hosts": {name: {"site_name": "here"} for name in nodes}},
            },
        }
    }
    (tmp_path / "hosts.json").write_text(json.dumps(inventory), encoding="utf-8")

    def played(role: str, entry: str, *flags: str, **variables: Any) -> Played:
        task = {"ansible.builtin.include_role": {"name": f"fact8ra.flower.{role}", "tasks_from": entry}}
        book = [{"hosts": "superlink", "gather_facts": False, "tasks": [task | {"vars": variables}]}]
        (tmp_path / "play.json").write_text(json.dumps(book), encoding="utf-8")
        program = Path(sys.executable).parent / "ansible-playbook"
        done = subprocess.run(
            [str(program), "-i", str(tmp_path / "hosts.json"), str(tmp_path / "play.json"), *flags],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".collections"),
                "ANSIBLE_NOCOLOR": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return Played(done.returncode, done.stdout)

    return played
