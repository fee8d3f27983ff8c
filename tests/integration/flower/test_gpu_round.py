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


def test_a_round_names_every_device_and_lowers_the_loss(federation: Any) -> None:
    done = trained(federation, "gpu-round")
    assert not done["failed"], done
    final, (row,) = done["metrics"], done["rounds"]
    assert final["devices"] == {"node-a": "cpu", "node-b": "cpu"}
    assert (final["nodes"], final["failures"]) == (2, 0)
    assert final["loss"] < final["initial_loss"]
    for node in row["training"].values():
        assert node["framework"] == "numpy"
        assert node["places"] == ["cpu", "cpu"]
        assert node["loss_after"] < node["loss_before"]
        assert len(node["product_seconds"]) == 1
    (path,) = [each["path"] for each in done["files"] if each["name"] == "metrics.json"]
    assert json.loads(Path(path).read_text())["final"] == final
    # The same seed gives the same weights, bit for bit.
    again = trained(federation, "gpu-round-again")
    assert again["metrics"]["digest"] == final["digest"]


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
