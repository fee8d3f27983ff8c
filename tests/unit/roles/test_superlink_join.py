# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The unit that lets SuperNodes join, judged by systemd, and what role superlink writes with and without it.

What passes nginx is tried in tests/integration/flower/test_join.py.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rendering
import yaml
from joining import TOKEN

ROLE = rendering.ROLES / "superlink"
ONEGATE = {
    "superlink_join": True,
    "superlink_join_onegate_endpoint": "http://192.0.2.1:5030",
    "superlink_join_onegate_token": "b25lZ2F0ZQ==",
    "superlink_join_vm_id": 7,
}
BY_TOKEN = {"superlink_join": True, "superlink_join_token": TOKEN}


def _unit(**variables: Any) -> str:
    return rendering.render("superlink", "fact8ra-join.service.j2", variables, {})


def _settings(text: str, *names: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(names)]


@pytest.mark.parametrize(
    "variables", [BY_TOKEN, ONEGATE, {**ONEGATE, "superlink_join_onegate_endpoint": "http://gate:1"}]
)
def test_systemd_finds_little_exposure(tmp_path: Path, variables: dict[str, Any]) -> None:
    system = tmp_path / "etc" / "systemd" / "system"
    system.mkdir(parents=True)
    (system / "fact8ra-join.service").write_text(_unit(**variables))
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=30", "--no-pager", f"--root={tmp_path}"]
    judged = subprocess.run([*command, "fact8ra-join.service"], capture_output=True, text=True, check=False)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert "✓ ProtectProc=" in judged.stdout


def test_secrets_are_credentials_and_in_no_unit() -> None:
    token, onegate = _unit(**BY_TOKEN), _unit(**ONEGATE)
    assert TOKEN not in token
    assert ONEGATE["superlink_join_onegate_token"] not in onegate
    assert _settings(token, "LoadCredential") == ["LoadCredential=join.token:/etc/flower/join.token"]
    assert _settings(onegate, "LoadCredential") == ["LoadCredential=onegate.token:/etc/flower/onegate.token"]
    assert "--onegate" not in token
    assert " --onegate http://192.0.2.1:5030 --vm-id 7\n" in onegate
    # Both given: OneGate's is not used, so it is not handed over.
    assert _unit(**ONEGATE, superlink_join_token=TOKEN) == token


@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        ("http://192.0.2.1:5030", ["IPAddressAllow=localhost 192.0.2.1", "IPAddressDeny=any"]),
        ("https://[2001:db8::1]/onegate", ["IPAddressAllow=localhost 2001:db8::1", "IPAddressDeny=any"]),
        ("http://onegate.example.eu:5030", []),
    ],
)
def test_it_reaches_this_host_and_onegate_alone(endpoint: str, allowed: list[str]) -> None:
    assert _settings(_unit(**{**ONEGATE, "superlink_join_onegate_endpoint": endpoint}), "IPAddress") == allowed
    assert _settings(_unit(**BY_TOKEN), "IPAddress") == ["IPAddressAllow=localhost", "IPAddressDeny=any"]


def test_nginx_knows_the_ways_to_join_only_where_they_are_asked_for() -> None:
    closed = rendering.render("superlink", "flower-fleet.conf.j2", {}, {})
    assert "join" not in closed
    assert "limit_req" not in closed
    opened = rendering.render("superlink", "flower-fleet.conf.j2", BY_TOKEN, {})
    fleet, runtime = opened.split("\nserver {")[1:]
    assert [line.strip() for line in fleet.splitlines() if "location" in line] == [
        "location @nothing {",
        "location / {",
        "location = /join {",
        "location = /join/status {",
        "location /v1/fleet/ {",
    ]
    assert "join" not in runtime


def test_no_digest_of_a_token_that_a_person_made_up_goes_to_the_host_in_a_command_line() -> None:
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    for secret in variables["_superlink_join_all_secrets"]:
        assert sorted(secret) == ["content", "path", "wanted"]
    asked = json.dumps({name: text for name, text in variables.items() if name.endswith("_request")})
    assert "secrets" not in asked


def test_the_firewall_lets_it_to_onegate_exactly_where_it_asks_there() -> None:
    text = (rendering.ROLES / "firewall" / "vars" / "main.yml").read_text(encoding="utf-8")
    expression = yaml.safe_load(text)["_firewall_lets_join"]
    assert "superlink_join | default(false) | bool and not superlink_join_token | default('')" in expression
