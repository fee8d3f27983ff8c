# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Role run against a SuperLink's host in foreign hands, which answers what it likes: nothing but the run's own folder
on the controller is written. And roles run and verify without any SuperNode.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from playbooks import Played, play

pytestmark = pytest.mark.slow

SMOKE = Path(__file__).parents[2] / "apps" / "smoke"
# Stands in for the interpreter that has Flower: whatever module it is to run, it prints the next of its answers.
INTERPRETER = """#!{python}
import pathlib
answers = pathlib.Path({answers!r})
first, *rest = answers.read_text().splitlines()
answers.write_text("\\n".join(rest or [first]))
print(first)
"""
FEDERATION = {"nodes": [], "missing": [], "unexpected": [], "flwr_version": "1.41.0"}
RUN = {
    "run_id": "77",
    "label": "poisoned",
    "status": "finished:completed",
    "ended": True,
    "reached": True,
    "rounds": [],
    "rounds_total": 0,
    "metrics": {},
    "failures": 0,
    "seconds": 1.0,
    **dict.fromkeys(("app", "app_version", "fab_hash", "started", "finished"), ""),
    **dict.fromkeys(("bytes_sent", "bytes_received"), 0),
    "config": {},
    "reply_errors": [],
    "files": [],
}


def inventory(directory: Path, supernodes: list[str]) -> Path:
    """Write an inventory whose hosts are this computer."""
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "federation_name": "small",
        "federation_directory": str(directory / "controller"),
        "run_app": str(SMOKE),
        "run_python": str(directory / "python"),
        "run_state_directory": str(directory / "state"),
    }
    groups = {"superlink": {"hosts": {"link": {}}}, "supernodes": {"hosts": {name: {} for name in supernodes}}}
    path = directory / "hosts.json"
    path.write_text(json.dumps({"all": {"vars": variables, "children": groups}}), encoding="utf-8")
    return path


def train(directory: Path, *runs: dict[str, Any]) -> Played:
    """Play run.yml; the host answers for the federation and then with `runs`, the last of them for ever."""
    answers = directory / "answers"
    answers.write_text("\n".join(json.dumps({"changed": False, **each}) for each in (FEDERATION, *runs)))
    (directory / "python").write_text(INTERPRETER.format(python=sys.executable, answers=str(answers)))
    (directory / "python").chmod(0o755)
    inventory_file = inventory(directory, ["node-a"])
    return play("run", inventory=inventory_file, environment={"ANSIBLE_CALLBACK_RESULT_FORMAT": "json"})


def written(directory: Path) -> set[str]:
    """What there is on the controller, and anywhere else that it could be led to."""
    own = ("answers", "python", "hosts.json", "state", "offered")
    found = {path.relative_to(directory) for path in directory.rglob("*") if path.is_file()}
    return {str(path) for path in found if path.parts[0] not in own}


def offer(directory: Path, *names: str) -> list[dict[str, Any]]:
    """The files of a run: one file, under these names."""
    (directory / "offered").write_text("offered")
    return [{"name": name, "path": str(directory / "offered"), "size": 7} for name in names]


ARCHIVE = "controller/runs/.smoke.tar.gz"


def test_names_that_fit_are_collected(tmp_path: Path) -> None:
    files = offer(tmp_path, "model.npz", "log_1-a.txt")
    train(tmp_path, {**RUN, "files": files}).succeeded()
    run = {f"controller/runs/77/{name}" for name in ("run.json", "model.npz", "log_1-a.txt")}
    assert written(tmp_path) == {ARCHIVE, *run}


def test_names_that_lead_away_are_refused(tmp_path: Path) -> None:
    names = ["../../../escaped", f"{tmp_path}/escaped", "..", ".bashrc", "sub/file", "-rf", "line\n", "", "caf\u00e9"]
    played = train(tmp_path, {**RUN, "files": offer(tmp_path, "model.npz", *names)})
    played.failed_with("Nothing of this run was written to the controller")
    told = re.search(r'"msg": ("link names its run or files of it .*")', played.output)
    assert told, played.tail()
    listed = re.search(r"of it (.*)\. A run is", json.loads(told.group(1)))
    assert listed
    assert json.loads(f"[{listed.group(1)}]") == names
    assert written(tmp_path) == {ARCHIVE}


def test_a_run_that_fails_is_looked_at_as_well(tmp_path: Path) -> None:
    run = {**RUN, "files": offer(tmp_path, "../../escaped")}
    failure = {"failed": True, "msg": "it failed", "failure": {"code": "x", "details": {"run": run}}}
    train(tmp_path, RUN, RUN, failure).failed_with("../../escaped", "Nothing of this run was written")
    assert written(tmp_path) == {ARCHIVE}


def test_a_number_of_rounds_beyond_reason_costs_nothing(tmp_path: Path) -> None:
    train(tmp_path, {**RUN, "rounds_total": 10**15, "reached": False}).succeeded()


@pytest.mark.parametrize("run_id", ["../../escaped", "/escaped", "77\n", "", "\u0667"])
def test_a_run_that_is_no_number_is_refused(tmp_path: Path, run_id: str) -> None:
    run = {**RUN, "run_id": run_id, "files": offer(tmp_path, "model.npz")}
    train(tmp_path, run).failed_with("link names its run or files of it", "A run is a decimal number")
    assert written(tmp_path) == {ARCHIVE}


@pytest.mark.parametrize("playbook", ["run", "verify"])
def test_no_supernode_is_no_federation(tmp_path: Path, playbook: str) -> None:
    played = play(playbook, inventory=inventory(tmp_path, []))
    played.failed_with("has no SuperNode", "site.yml first")
    assert written(tmp_path) == set()
