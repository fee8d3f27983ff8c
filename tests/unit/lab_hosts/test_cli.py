# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line says in one line what is wrong, and JSON when all is well."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[3] / "roles/lab/files"


def hosts(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fact8ra_lab.hosts", *map(str, arguments)]
    environment = {"PYTHONPATH": str(PACKAGE), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_a_fresh_state_has_no_machines(tmp_path: Path) -> None:
    result = hosts("--state", tmp_path, "machine", "list")
    assert json.loads(result.stdout) == {"machines": []}


def test_base_status_builds_nothing(tmp_path: Path) -> None:
    result = hosts("--cache", tmp_path / "cache", "base", "status")
    assert json.loads(result.stdout)["changed"] is True
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["network", "up", "--site", "alpha"], "site `alpha` is not NAME:NUMBER"),
        (["network", "up", "--site", "Alpha:1"], "site name `Alpha`"),
        (
            ["machine", "up", "a", "b", "--site", "alpha", "--address", "10.71.1.9"],
            "--address 10.71.1.9 is for one host",
        ),
        (["machine", "up", "a", "--site", "alpha", "--ssh-key", "/nonexistent.pub"], "No such file or directory"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    result = hosts("--state", tmp_path, *arguments)
    assert result.returncode == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_a_private_key_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "id"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    result = hosts("machine", "up", "a", "--site", "alpha", "--ssh-key", key)
    assert result.returncode == 1
    assert "is a private key" in result.stderr
