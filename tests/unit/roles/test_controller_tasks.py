# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Tasks that a role does on the controller never become root there, whatever the play says of its hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).parents[3] / "roles"


def becoming(tasks: list[dict[str, Any]], here: bool = False, become: Any = None) -> Iterator[str]:
    """Names of the tasks that are delegated to the controller and take over the play's `become`."""
    for task in tasks:
        local, own = here or task.get("delegate_to") == "localhost", task.get("become", become)
        children = [child for key in ("block", "rescue", "always") for child in task.get(key) or []]
        if children:
            yield from becoming(children, local, own)
        elif local and own is not False:
            yield task["name"]


@pytest.mark.parametrize("role", sorted(path.name for path in ROLES.iterdir() if (path / "tasks").is_dir()))
def test_no_role_becomes_root_on_the_controller(role: str) -> None:
    files = sorted((ROLES / role / "tasks").glob("*.yml"))
    assert files
    assert [name for file in files for name in becoming(yaml.safe_load(file.read_text(encoding="utf-8")))] == []


def test_a_task_that_would_is_found() -> None:
    task = {"name": "one", "delegate_to": "localhost"}
    nested = {"delegate_to": "localhost", "block": [{"name": "two"}, {"name": "three", "become": False}]}
    assert list(becoming([task, nested, {"name": "four"}, {**task, "become": False}])) == ["one", "two"]
