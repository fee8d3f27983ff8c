# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Whoever is connected by SSH does not lock himself out; a host that plays the role on itself has nobody to ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from playbooks import play_written

pytestmark = pytest.mark.slow

_ROLES = Path(__file__).parents[3] / "roles"
_ROLE = _ROLES / "firewall"
_ADMITTED, _STRANGER = "192.0.2.7 40000 192.0.2.1 22", "198.51.100.7 40000 192.0.2.1 22"
# Connection of Ansible, SSH_CONNECTION of its process, whether the role may go on, whether it goes without a trial.
_HOSTS = {
    "itself": ("local", "", True, True),
    "itself_by_hand": ("local", _ADMITTED, True, False),
    "itself_by_a_stranger": ("local", _STRANGER, False, False),
    "remote": ("ssh", _ADMITTED, True, False),
    "remote_stranger": ("ssh", _STRANGER, False, False),
    "remote_without_a_trace": ("ssh", "", True, False),
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Host to whether the role's own check failed, and whether the host counts as alone."""
    directory = tmp_path_factory.mktemp("alone")
    preflight = yaml.safe_load((_ROLE / "tasks" / "preflight.yml").read_text(encoding="utf-8"))
    check = next(task for task in preflight if "would let in" in task["name"])
    found = "{'refused': checked is failed, 'alone': _firewall_alone | bool}"
    every = "{{ dict(ansible_play_hosts | zip(ansible_play_hosts | map('extract', hostvars, 'found'))) | to_json }}"
    play = {
        "hosts": "superlink",
        "gather_facts": False,
        "vars_files": [str(_ROLE / "vars" / "main.yml")],
        "tasks": [
            {**check, "register": "checked", "ignore_errors": True},
            {"ansible.builtin.set_fact": {"found": f"{{{{ {found} }}}}"}},
            {
                "ansible.builtin.copy": {"content": every, "dest": str(directory / "found"), "mode": "0600"},
                "delegate_to": "localhost",
                "run_once": True,
            },
        ],
    }
    hosts = {
        name: {"ansible_connection": connection, "__firewall_look": {"stdout": json.dumps({"ssh": ssh, "onegate": ""})}}
        for name, (connection, ssh, _allowed, _alone) in _HOSTS.items()
    }
    defaults = yaml.safe_load((_ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    given = {**defaults, "firewall_admin_sources": ["192.0.2.0/24"], "firewall_fleet_sources": ["192.0.2.0/24"]}
    inventory = {"all": {"vars": given, "children": {"superlink": {"hosts": hosts}}}}
    play_written(directory, [play], inventory, "-f", "2").succeeded()
    read: dict[str, Any] = json.loads((directory / "found").read_text())
    return read


@pytest.mark.parametrize("name", _HOSTS)
def test_nobody_locks_himself_out(judged: dict[str, Any], name: str) -> None:
    _connection, _ssh, allowed, alone = _HOSTS[name]
    assert judged[name] == {"refused": not allowed, "alone": alone}


def test_the_trial_is_left_out_for_nobody_else() -> None:
    configure = yaml.safe_load((_ROLE / "tasks" / "configure.yml").read_text(encoding="utf-8"))
    trial = next(task for task in configure if "on trial" in task["name"])
    assert "not _firewall_alone" in trial["when"]
