# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Flower itself reads the keys that `federation_pki` makes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import keys

pytestmark = pytest.mark.flwr

_REPOSITORY = Path(__file__).parents[3]
_PYTHON = os.environ.get("FACT8RA_FLWR_PYTHON", str(_REPOSITORY / ".venv-flwr" / "bin" / "python"))

_READ = """
import sys, types
from flwr.supernode.cli.flower_supernode import _try_setup_client_authentication as setup
arguments = types.SimpleNamespace(auth_supernode_private_key=sys.argv[1], auth_supernode_public_key=None)
private, public = setup(arguments)
from cryptography.hazmat.primitives import serialization as s
print(public.public_bytes(s.Encoding.OpenSSH, s.PublicFormat.OpenSSH).decode())
"""


def _read(path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "FLWR_TELEMETRY_ENABLED": "0", "FLWR_HOME": str(path.parent)}
    command = [_PYTHON, "-c", _READ, str(path)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_flower_reads_a_supernode_key(tmp_path: Path) -> None:
    key = keys.generate(keys.P384)
    path = tmp_path / "node.key"
    path.write_bytes(keys.to_openssh(key))
    done = _read(path)
    assert done.returncode == 0, done.stderr
    assert keys.public_line(key, "node").rsplit(" ", 1)[0] in done.stdout


def test_flower_refuses_what_the_module_refuses(tmp_path: Path) -> None:
    path = tmp_path / "node.key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    done = _read(path)
    assert done.returncode != 0
    assert "Exit Code: 302" in done.stdout + done.stderr
