# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""ServerApp: federated averaging that says after each round which device every node trained on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from gpu_round import task
from gpu_round.engines import named

app = ServerApp()


def say(result: dict[str, Any]) -> None:
    """Print one line of the protocol that role run reads."""
    print("FLWR_RESULT", json.dumps(result, sort_keys=True), flush=True)


class Naming(FedAvg):
    """FedAvg over every node that is online, with a record of the devices."""

    def __init__(self, context: Context) -> None:
        least = int(context.run_config["min-nodes"])
        super().__init__(fraction_evaluate=0.0, min_train_nodes=least, min_available_nodes=least)
        self.held_out = task.examples(task.Settings.of(context.run_config), "server")
        self.asked = 0
        self.began = 0.0
        self.initial_loss = 0.0
        self.row: dict[str, Any] = {}
        self.rounds: list[dict[str, Any]] = []

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask every node that is online."""
        self.began = time.monotonic()
        messages = list(super().configure_train(server_round, arrays, config, grid))
        self.asked = len(messages)
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average the weights and keep what each node says of itself; raises RuntimeError where nobody trained."""
        good, bad = self._check_and_log_replies(list(replies), is_train=True)
        if not good:
            reasons = "; ".join(sorted({str(reply.error.reason) for reply in bad})) or "no answer within round-timeout"
            raise RuntimeError(f"round {server_round}: none of {self.asked} nodes trained: {reasons}")
        nodes: dict[str, dict[str, Any]] = {}
        weights: dict[str, Any] = {}
        for reply in good:
            node, metrics = reply.content.config_records["node"], reply.content.metric_records["metrics"]
            name = str(node["name"])
            if name in nodes:
                raise RuntimeError(f"round {server_round}: two nodes answered as {name}; names have to be unique")
            nodes[name] = {key: node[key] for key in ("framework", "devices", "places")} | {
                key.replace("-", "_"): metrics[key]
                for key in ("loss-before", "loss-after", "seconds", "product-seconds")
            }
            (weights[name],) = reply.content.array_records["arrays"].to_numpy_ndarrays()
        self.row = {
            "round": server_round,
            "nodes": len(nodes),
            "failures": self.asked - len(nodes),
            "participants": sorted(nodes),
            "devices": {name: named(nodes[name]["devices"]) for name in sorted(nodes)},
            "training": {name: nodes[name] for name in sorted(nodes)},
        }
        # By name, so that the result does not depend on who answered first; all have as many examples.
        mean = np.mean([weights[name] for name in sorted(weights)], axis=0, dtype=np.float64)
        return ArrayRecord([mean.astype(np.float32)]), MetricRecord({"nodes": len(nodes)})

    def evaluate(self, server_round: int, arrays: ArrayRecord) -> MetricRecord:
        """Compute the loss on examples that no node has, and report the round."""
        (weights,) = arrays.to_numpy_ndarrays()
        loss = task.loss(weights, *self.held_out)
        if server_round:
            seconds = round(time.monotonic() - self.began, 3)
            self.rounds.append(self.row | {"loss": loss, "seconds": seconds, "digest": task.digest(weights)})
            say(self.rounds[-1])
        else:
            self.initial_loss = loss
        return MetricRecord({"loss": loss})


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train, and leave model.npz and metrics.json in the run's directory of results."""
    config = context.run_config
    began = time.monotonic()
    base = os.environ.get("FACT8RA_RESULTS_DIR") or str(config["results-path"])
    if not base:
        raise ValueError("set FACT8RA_RESULTS_DIR where the ServerApp runs, or results-path in the run's configuration")
    directory = Path(base) / str(context.run_id)
    directory.mkdir(parents=True, exist_ok=True)
    strategy = Naming(context)
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord([task.initial()]),
        num_rounds=int(config["num-server-rounds"]),
        timeout=float(config["round-timeout"]),
        evaluate_fn=strategy.evaluate,
    )
    np.savez(directory / "model.npz", weights=result.arrays.to_numpy_ndarrays()[0])
    last = strategy.rounds[-1]
    final = {key: last[key] for key in ("loss", "devices", "digest")} | {
        "final": True,
        "initial_loss": strategy.initial_loss,
        "rounds": len(strategy.rounds),
        "nodes": min(row["nodes"] for row in strategy.rounds),
        "failures": sum(row["failures"] for row in strategy.rounds),
        "seconds": round(time.monotonic() - began, 3),
    }
    metrics = {"run_id": str(context.run_id), "config": dict(config), "rounds": strategy.rounds, "final": final}
    (directory / "metrics.json").write_text(json.dumps(metrics, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    say(final)
