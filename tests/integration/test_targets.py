# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What is special to a module, as a user runs it: the playbook of its target, against a stand-in of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from target_playbooks import TARGETS, run_playbook

from fact8ra_lab.standin.testing import StandIn


def _targets() -> list[str]:
    return sorted(path.parents[1].name for path in TARGETS.glob("*/tasks/main.yml"))


def _plays(target: str, standin: StandIn) -> list[dict[str, Any]]:
    user, password = standin.tenant
    admin, admin_password = standin.admin
    return [
        {
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
    ]


@pytest.mark.parametrize("target", _targets())
def test_target(target: str, standin: StandIn, tmp_path: Path) -> None:
    run_playbook(_plays(target, standin), standin, tmp_path)


@pytest.mark.parametrize("target", _targets())
def test_a_target_uses_its_module(target: str) -> None:
    text = (TARGETS / target / "tasks" / "main.yml").read_text()
    assert f"fact8ra.flower.{target}:" in text or f"fact8ra.flower.{target.removeprefix('inventory_')}" in text
