# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""gpu_validate.yml where no layer answers: each is tried and told nevertheless, and nothing is written to any host."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest
from playbooks import play


@pytest.fixture
def closed_port() -> int:
    """A TCP port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def test_no_layer_that_fails_hides_another(tmp_path: Path, closed_port: int) -> None:
    away = {"ansible_host": "127.0.0.1", "ansible_port": closed_port, "ansible_ssh_retries": 0}
    endpoint = f"http://127.0.0.1:{closed_port}/RPC2"
    site = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "one_endpoint": endpoint,
        "one_flow_endpoint": endpoint,
        "one_username": "u",
        "one_password": "secret-of-madrid",
        "site_supernode_gpus": 1,
        "site_supernodes": 2,
    }
    groups = {
        "sites": {"hosts": {"madrid": site}},
        "gpu_hosts": {"hosts": {"kvm1": away}},
        "superlink": {"hosts": {"madrid-superlink-0": away}},
        "supernodes": {"hosts": {"madrid-supernode-0": {**away, "site_name": "madrid", "one_pci": []}}},
    }
    variables = {"federation_name": "small", "federation_directory": str(tmp_path / "controller")}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"vars": variables, "children": groups}}))
    played = play("gpu_validate", inventory=tmp_path / "hosts.json")
    played.failed_with("checks FAILED, in the layers host, opennebula, vm, flower, round.")
    path = tmp_path / "controller" / "gpu" / "validate.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    judged = json.loads(path.read_text())
    assert judged["passed"] is False
    failed = {(row["layer"], row["host"]): row for row in judged["rows"] if row["result"] == "FAILED"}
    assert {*failed} == {
        ("host", "kvm1"),
        ("opennebula", "madrid"),
        ("vm", "madrid-supernode-0"),
        ("vm", "madrid"),
        ("flower", "-"),
        ("round", "-"),
    }
    assert all(row["cure"] for row in failed.values())
    assert "Connection refused" in failed["host", "kvm1"]["found"]
    assert str(closed_port) in failed["opennebula", "madrid"]["found"]
    assert played.changed == 0 or [host for host, counts in played.recap.items() if counts["changed"]] == ["localhost"]
    # The table stands in the output line by line, whole at 100 columns.
    lines = played.output.splitlines()
    (head,) = [number for number, line in enumerate(lines) if line.split()[:3] == ["LAYER", "HOST", "CHECK"]]
    table = lines[head : lines.index("", head)]
    assert sum("FAILED" in line for line in table) == len(failed)
    assert max(map(len, table)) <= 100
