# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Every module as a user runs it: the playbook of its target, by ansible-playbook, against a stand-in of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TARGETS = Path(__file__).parent / "targets"
ACTION_GROUP = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["opennebula"]
TIMEOUT = 300


def _targets() -> list[str]:
    return sorted(path.parents[1].name for path in TARGETS.glob("*/tasks/main.yml"))


def _playbook(directory: Path, target: str, standin: Any) -> Path:
    user, password = standin.tenant
    admin, admin_password = standin.admin
    play = {
        "name": f"Target {target}",
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "standin_admin": {"username": admin, "password": admin_password},
            "standin_tenant": {"username": user, "password": password},
            "standin_endpoints": {"endpoint": standin.endpoint, "flow_endpoint": standin.flow_endpoint},
        },
        "module_defaults": {
            "group/fact8ra.flower.opennebula": {
                "endpoint": standin.endpoint,
                "flow_endpoint": standin.flow_endpoint,
                "username": user,
                "password": password,
                "connect_timeout": 5,
                "read_timeout": 20,
            },
        },
        "tasks": [
            {
                "name": "Run the target",
                "ansible.builtin.import_tasks": {"file": str(TARGETS / target / "tasks" / "main.yml")},
            }
        ],
    }
    path = directory / f"{target}.yml"
    path.write_text(json.dumps([play]))
    return path


@pytest.mark.parametrize("target", _targets())
def test_target(target: str, standin: Any, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": host}}}))
    program = Path(sys.executable).with_name("ansible-playbook")
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not re.match(r"(ONE|ONEFLOW|OPENNEBULA|ANSIBLE)_", name)
        },
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"),
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [str(program), "-i", str(inventory), str(_playbook(tmp_path, target, standin))],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    tail = done.stdout[-6000:]
    assert done.returncode == 0, tail
    for unwanted in ("WARNING", "Traceback", standin.tenant[1], standin.admin[1]):
        assert unwanted not in done.stdout, tail


def test_every_module_of_the_action_group_has_a_target() -> None:
    assert set(ACTION_GROUP) <= set(_targets())


@pytest.mark.parametrize("target", _targets())
def test_a_target_uses_its_module(target: str) -> None:
    text = (TARGETS / target / "tasks" / "main.yml").read_text()
    assert f"fact8ra.flower.{target}:" in text or f"fact8ra.flower.{target.removeprefix('inventory_')}" in text
