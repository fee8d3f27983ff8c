# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A sequence as a playbook: every step is a task of the module, what it called, and what has to be true."""

from __future__ import annotations

from typing import Any

from sequence import Sequence
from sequence_model import Step
from sequence_world import Variables

from fact8ra_lab.standin.testing import StandIn

Task = dict[str, Any]
STEP_SECONDS = 10
COLLECTION = "fact8ra.flower"


def playbook(sequence: Sequence, standin: StandIn, variables: Variables) -> list[dict[str, Any]]:
    """The playbook of a sequence, for a stand-in with what C(sequence_world.prepared) made and returned."""
    user, password = standin.tenant
    connection = {"endpoint": standin.endpoint, "flow_endpoint": standin.flow_endpoint}
    admin = dict(zip(("username", "password"), standin.admin, strict=True))
    return [
        {
            "name": f"Sequence of {sequence.module}",
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {**variables, "standin_admin": {**connection, **admin}},
            "module_defaults": {
                f"group/{COLLECTION}.opennebula": {**connection, "username": user, "password": password},
                "standin": {**connection, **admin},
            },
            "tasks": [{"name": "Forget the calls so far", "standin": {}}]
            + [task for step in sequence.steps for task in _tasks(sequence.module, step, admin)],
        }
    ]


def _tasks(module: str, step: Step, admin: dict[str, str]) -> list[Task]:
    tasks: list[Task] = []
    if step.faults or step.calls:
        given = {"faults": list(step.faults), "calls": [list(call) for call in step.calls]}
        tasks.append({"name": f"{step.title}: tell the stand-in", "standin": given})
    options = {
        **dict.fromkeys(step.without, "{{ omit }}"),
        **(admin if step.admin else {}),
        **step.options,
    }
    tasks.append(
        {
            "name": step.title,
            f"{COLLECTION}.{module}": options,
            "check_mode": step.check,
            "diff": True,
            "timeout": STEP_SECONDS,
            "ignore_errors": step.fails,
            "register": step.name,
        }
    )
    tasks.append({"name": f"{step.title}: ask what it called", "standin": {}, "register": "traffic"})
    conditions = [f"{step.name}.failed == {step.fails}", *step.that]
    tasks.append({"name": f"{step.title}: compare", "ansible.builtin.assert": {"that": conditions, "quiet": True}})
    return tasks
