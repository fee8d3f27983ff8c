# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""ServerApp of the smoke app: FedAvg that reports each round on a FLWR_RESULT line."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

app = ServerApp()


class ReportingFedAvg(FedAvg):
    """FedAvg that counts failed replies and prints one FLWR_RESULT line a round."""

    def __init__(self, context: Context, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.protocol = bool(context.run_config["protocol"])
        self.fault = str(context.run_config["fault"])
        self.began = time.monotonic()
        self.failures = 0
        self.rounds: list[dict[str, Any]] = []

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Count the replies that carry an error, then average."""
        replies = list(replies)
        self.failures = sum(1 for reply in replies if reply.has_error())
        return super().aggregate_train(server_round, replies)

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Average the metrics and report the round."""
        replies = list(replies)
        metrics = super().aggregate_evaluate(server_round, replies)
        now = time.monotonic()
        row = {
            "round": server_round,
            "loss": metrics["loss"] if metrics else None,
            "accuracy": metrics["accuracy"] if metrics else None,
            "nodes": sum(1 for reply in replies if not reply.has_error()),
            "failures": self.failures + sum(1 for reply in replies if reply.has_error()),
            "seconds": round(now - self.began, 2),
        }
        self.began = now
        self.rounds.append(row)
        if self.protocol:
            print("FLWR_RESULT", json.dumps(row), flush=True)
        if self.fault == "server":
            raise RuntimeError("the ServerApp was told to fail")
        return metrics


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train; with the run protocol on, leave model.npz and metrics.json in the results directory."""
    nodes = int(context.run_config["min-nodes"])
    strategy = ReportingFedAvg(context, min_train_nodes=nodes, min_evaluate_nodes=nodes, min_available_nodes=nodes)
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord([np.zeros(3)]),
        num_rounds=int(context.run_config["num-server-rounds"]),
    )
    if not strategy.protocol:
        return
    directory = Path(os.environ["FACT8RA_RESULTS_DIR"]) / str(context.run_id)
    directory.mkdir(parents=True, exist_ok=True)
    np.savez(directory / "model.npz", *result.arrays.to_numpy_ndarrays())
    metrics = {"rounds": strategy.rounds, "note": context.run_config["note"]}
    (directory / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    last = strategy.rounds[-1]
    print("FLWR_RESULT", json.dumps({"final": True, "loss": last["loss"], "accuracy": last["accuracy"]}), flush=True)
