# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module flower_federation_info."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from flower_fakes import FakeControl, a_run, key_line, run_main

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.endpoint import Endpoint
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.keys import ssh_to_pem
from ansible_collections.fact8ra.flower.plugins.modules import flower_federation_info


@pytest.fixture(name="control")
def _control(monkeypatch: pytest.MonkeyPatch) -> FakeControl:
    control = FakeControl()
    monkeypatch.setattr(flower_federation_info, "Control", lambda *_args: control)
    monkeypatch.setattr(flower_federation_info, "probe", lambda *_args: Endpoint(True, True, "", "ok", 200))
    for name, status in (("a", "online"), ("b", "offline"), ("c", "unregistered"), ("d", "online")):
        control.register(name, ssh_to_pem(name, key_line(name)), None)
        control.known[-1] = replace(control.known[-1], status=status)
    control.all_runs["7"] = a_run("7", "finished:completed")
    return control


def look(**arguments: Any) -> dict[str, Any]:
    """Run the module."""
    return run_main(flower_federation_info.main, arguments, check=True)


@pytest.mark.usefixtures("control")
def test_nodes_runs_and_health() -> None:
    info = look(expected=["a", "b", "x"])
    assert not info["changed"]
    assert [node["name"] for node in info["nodes"]] == ["a", "b", "d"]
    assert "public_key" not in info["nodes"][0]
    assert info["missing"] == ["b", "x"]
    assert info["unexpected"] == ["d"]
    assert info["runs"][0]["run_id"] == "7"
    assert info["flwr_version"] == "1.41.0"
    assert info["health"]["status"] == 200


@pytest.mark.usefixtures("control")
def test_with_and_without() -> None:
    info = look(unregistered=True, runs=0)
    assert [node["name"] for node in info["nodes"]] == ["a", "b", "c", "d"]
    assert info["runs"] == []
    assert info["unexpected"] == []


def test_a_missing_flwr_is_told() -> None:
    assert look()["failure"]["code"] == "flwr_missing"
