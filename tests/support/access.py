# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What role access writes, written by Ansible below a directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROLE = Path(__file__).parents[2] / "roles" / "access"
TEMPLATES = ("sshd.conf", "flower-control.conf", "control-only", "logrotate")


def write(directory: Path, users: list[dict[str, Any]], **variables: Any) -> None:
    """Write the files of the role for users as `accounts.py` gives them, and `keys-NAME` for each of them."""
    tasks = [
        {"ansible.builtin.template": {"src": str(ROLE / "templates" / f"{name}.j2"), "dest": str(directory / name)}}
        for name in TEMPLATES
    ]
    keys = {
        "ansible.builtin.template": {
            "src": str(ROLE / "templates" / "authorized_keys.j2"),
            "dest": f"{directory}/keys-{{{{ item.name }}}}",
        },
        "loop": "{{ _access_accounts.users }}",
    }
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [str(ROLE / part / "main.yml") for part in ("defaults", "vars")],
        "tasks": [*tasks, keys],
    }
    (directory / "play.yml").write_text(yaml.safe_dump([play]))
    given = {
        "ansible_python_interpreter": sys.executable,
        "__access_accounts": {"stdout": json.dumps({"users": users})},
        **variables,
    }
    (directory / "variables.json").write_text(json.dumps(given))
    program = str(Path(sys.executable).parent / "ansible-playbook")
    subprocess.run(
        [program, "-i", "localhost,", "play.yml", "-e", "@variables.json"],
        cwd=directory,
        env={**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
