# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""apps/gpu_round on real Flower processes: nodes without GPUs train on the CPU and say so; promises are held."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

APP = str(Path(__file__).parents[3] / "apps" / "gpu_round")

pytestmark = [pytest.mark.flwr, pytest.mark.slow, pytest.mark.xdist_group("flower")]


def trained(federation: Any, label: str, **config: Any) -> dict[str, Any]:
    """Submit the app and wait for its end."""
    config = {"product-size": 256, "examples": 1024, "min-nodes": 2, **config}
    submitted = federation.module("flower_run", app=APP, label=label, run_config=config)
    assert not submitted["failed"], submitted
    return federation.module(
        "flower_run",
        state="finished",
        label=label,
        wait_timeout=240,
        required_files=["model.npz", "metrics.json"],
    )


def test_gpu_validate_trains_a_round_and_names_every_device(federation: Any, tmp_path: Path) -> None:
    inventory = federation.inventory(tmp_path)
    played = federation.playbook(inventory, "gpu_validate.yml", "-e", "gpu_validate_allow_cpu=true")
    assert played.returncode == 0, played.stdout
    path = tmp_path / "controller" / "gpu" / "validate.json"
    assert path.stat().st_mode & 0o777 == 0o600
    judged = json.loads(path.read_text())
    assert (judged["version"], judged["federation"], judged["passed"]) == (1, "loop", True)
    assert judged["devices"] == {"node-a": "cpu", "node-b": "cpu"}
    told = {(row["layer"], row["host"], row["check"]): row["result"] for row in judged["rows"]}
    assert (
        told["flower", "node-a", "SuperNode"] == told["round", "node-a", "device"] == told["round", "-", "loss"] == "ok"
    )
    assert told["host", "-", "hypervisors"] == "not checked"
    assert told["federation", "-", "GPUs"] == "warning"
    (row,) = json.loads((tmp_path / "controller" / "runs" / judged["run_id"] / "run.json").read_text())["rounds"]
    for node in row["training"].values():
        assert node["framework"] == "numpy"
        assert node["places"] == ["cpu", "cpu"]
        assert node["loss_after"] < node["loss_before"]


def test_the_refusal_of_a_federation_without_gpus_submits_nothing(federation: Any, tmp_path: Path) -> None:
    played = federation.playbook(federation.inventory(tmp_path), "gpu_validate.yml")
    assert played.returncode != 0
    judged = json.loads((tmp_path / "controller" / "gpu" / "validate.json").read_text())
    assert judged["passed"] is False
    assert [row["layer"] for row in judged["rows"] if row["result"] == "FAILED"] == ["federation"]
    assert "site_supernode_gpus: 1" in played.stdout
    assert not (tmp_path / "controller" / "runs").exists()


def test_the_refusal_of_a_node_that_promises_a_gpu_is_a_failure_with_its_cause(cold: Any, federation: Any) -> None:
    cold.module("flower_supernode", supernodes=[{"name": "node-c", "public_key": cold.keys["node-c"][1]}])
    cold.start_supernode("node-c", more='gpu-count=1 gpu-name="NVIDIA L40S" gpu-framework="numpy"')
    try:
        info = federation.module("flower_federation_info", expected=["node-c"], wait_timeout=90)
        assert info["missing"] == [], info
        done = trained(federation, "gpu-refused", **{"min-nodes": 3})
    finally:
        cold.stop("node-c")
    assert done["failed"]
    run = done["failure"]["details"]["run"]
    (error,) = run["reply_errors"]
    assert error["name"] == "node-c"
    assert "node node-c refuses to train: it promises 1 x NVIDIA L40S, and NumPy uses no GPU" in error["reason"]
    assert run["metrics"]["devices"] == {"node-a": "cpu", "node-b": "cpu"}
