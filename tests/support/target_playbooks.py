# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Running a playbook on the controller itself, against a stand-in, as a user would."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from fact8ra_lab.standin.testing import StandIn

ROOT = Path(__file__).parents[2]
TARGETS = ROOT / "tests" / "integration" / "targets"
ACTIONS = ROOT / "tests" / "integration" / "plugins" / "action"
ACTION_GROUP: list[str] = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["opennebula"]
TIMEOUT = 300
UNWANTED = ("WARNING", "Traceback")


def run_playbook(plays: list[dict[str, Any]], standin: StandIn, directory: Path) -> None:
    """Run plays; fails the test when they fail, warn, or show a traceback or a password."""
    inventory = directory / "hosts.yml"
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"hosts": {"localhost": host}}}))
    path = directory / "playbook.yml"
    path.write_text(json.dumps(plays))
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not re.match(r"(ONE|ONEFLOW|OPENNEBULA|ANSIBLE)_", name)
        },
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_ACTION_PLUGINS": str(ACTIONS),
        "ANSIBLE_LOCAL_TEMP": str(directory / "local"),
        "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), str(path)],
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
    for unwanted in (*UNWANTED, standin.tenant[1], standin.admin[1]):
        assert unwanted not in done.stdout, tail
