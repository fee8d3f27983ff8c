# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""ServerApp: federated averaging that says after each round who took part and how good the model is.

It evaluates on examples that lie on the SuperLink host and that no node has, so a round has no phase of evaluation at
the nodes, which would double its time.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from logging import INFO
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MessageType, MetricRecord, RecordDict
from flwr.common.logger import log
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from digits import data, model

app = ServerApp()


def say(result: dict[str, Any]) -> None:
    """Print one line of the protocol that role run reads."""
    print("FLWR_RESULT", json.dumps(result, sort_keys=True), flush=True)


class Averaging(FedAvg):
    """FedAvg over every node that is online, in the order of their names, with a record of who answered."""

    def __init__(self, context: Context, features: model.Floats, labels: model.Labels) -> None:
        config = context.run_config
        self.least = int(config["min-nodes"])
        self.patience = float(config["nodes-timeout"])
        super().__init__(fraction_evaluate=0.0, min_train_nodes=self.least, min_available_nodes=self.least)
        self.features = features
        self.labels = labels
        self.names: dict[int, str] = {}
        self.asked: list[int] = []
        self.began = 0.0
        self.row: dict[str, Any] = {}
        self.rounds: list[dict[str, Any]] = []

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Ask every node that is online; raises RuntimeError if too few are within nodes-timeout."""
        self.began = time.monotonic()
        while len(online := sorted(grid.get_node_ids())) < self.least:
            if time.monotonic() - self.began > self.patience:
                raise RuntimeError(
                    f"round {server_round}: {len(online)} SuperNodes are online; min-nodes asks for {self.least}, "
                    f"and they did not come within the {self.patience:g} seconds of nodes-timeout"
                )
            time.sleep(0.5)
        self.asked = online
        log(INFO, "configure_train: Sampled %s nodes (out of %s)", len(online), len(online))
        config["server-round"] = server_round
        record = RecordDict({self.arrayrecord_key: arrays, self.configrecord_key: config})
        return self._construct_messages(record, online, MessageType.TRAIN)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average the answers by node name; raises RuntimeError where nothing can be averaged."""
        good, bad = self._check_and_log_replies(list(replies), is_train=True)
        answers: dict[str, tuple[int, list[model.Floats]]] = {}
        details: dict[str, dict[str, Any]] = {}
        for reply in good:
            name = str(reply.content.config_records["node"]["name"])
            if name in answers:
                raise RuntimeError(f"round {server_round}: two nodes answered as {name}; names have to be unique")
            metrics = reply.content.metric_records["metrics"]
            examples = int(metrics["num-examples"])  # type: ignore[arg-type]
            answers[name] = (examples, reply.content.array_records["arrays"].to_numpy_ndarrays())
            details[name] = {
                "examples": examples,
                "loss": metrics["train-loss"],
                "seconds": round(float(metrics["train-seconds"]), 3),  # type: ignore[arg-type]
            }
            self.names[reply.metadata.src_node_id] = name
        answered = {reply.metadata.src_node_id for reply in good}
        failed = sorted(self.names.get(node, f"node {node}") for node in self.asked if node not in answered)
        if not answers:
            reasons = "; ".join(sorted({str(reply.error.reason) for reply in bad})) or "no answer within round-timeout"
            raise RuntimeError(f"round {server_round}: none of {len(self.asked)} nodes trained: {reasons}")
        self.row = {
            "round": server_round,
            "nodes": len(answers),
            "failures": len(failed),
            "participants": sorted(answers),
            "failed": failed,
            "training": {name: details[name] for name in sorted(details)},
        }
        weights = model.average(answers)
        total = sum(examples for examples, _unused in answers.values())
        loss = sum(details[name]["loss"] * (answers[name][0] / total) for name in sorted(answers))
        return ArrayRecord(list(weights)), MetricRecord({"train-loss": loss})

    def evaluate(self, server_round: int, arrays: ArrayRecord) -> MetricRecord:
        """Evaluate on the held-out examples and report the round."""
        weights = arrays.to_numpy_ndarrays()
        loss, accuracy = model.evaluate(weights, self.features, self.labels)
        if server_round:
            seconds = round(time.monotonic() - self.began, 3)
            result = {"loss": loss, "accuracy": accuracy, "seconds": seconds, "digest": model.digest(weights)}
            self.rounds.append(self.row | result)
            say(self.rounds[-1])
        return MetricRecord({"loss": loss, "accuracy": accuracy})


def results_directory(context: Context) -> Path:
    """Return the run's own directory of results, made if need be.

    Raises DataError if nothing says where results belong or the directory cannot be made.
    """
    base = os.environ.get("FACT8RA_RESULTS_DIR") or str(context.run_config["results-path"])
    if not base:
        raise data.DataError(
            "set FACT8RA_RESULTS_DIR where the ServerApp runs, or results-path in the run's configuration"
        )
    directory = Path(base) / str(context.run_id)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise data.DataError(f"the results cannot be written to {directory}: {error.strerror}") from error
    return directory


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train, and leave model.npz and metrics.json in the run's directory of results."""
    config = context.run_config
    began = time.monotonic()
    settings = model.Settings.of(config)
    rounds = int(config["num-server-rounds"])
    # Before any node trains: a run that cannot be evaluated or kept is refused at once.
    path = data.locate(
        os.environ.get("FACT8RA_DATA_DIR") or str(config["server-data-path"]),
        str(config["test-file"]),
        "the SuperLink host",
        "role poc places the held-out examples in FACT8RA_DATA_DIR",
    )
    images, labels = data.load(path)
    directory = results_directory(context)
    features = model.Features.of(settings)
    strategy = Averaging(context, features(images), labels)
    result = strategy.start(
        grid=grid,
        initial_arrays=ArrayRecord(list(model.initial(settings))),
        num_rounds=rounds,
        timeout=float(config["round-timeout"]),
        evaluate_fn=strategy.evaluate,
    )
    coefficients, intercepts = result.arrays.to_numpy_ndarrays()
    np.savez(
        directory / "model.npz",
        coefficients=coefficients,
        intercepts=intercepts,
        frequencies=features.frequencies,
        phases=features.phases,
    )
    last = strategy.rounds[-1]
    final = {
        "final": True,
        "rounds": rounds,
        "loss": last["loss"],
        "accuracy": last["accuracy"],
        "digest": last["digest"],
        "nodes": min(row["nodes"] for row in strategy.rounds),
        "failures": sum(row["failures"] for row in strategy.rounds),
        "seconds": round(time.monotonic() - began, 3),
        "test_examples": len(labels),
    }
    metrics = {"run_id": str(context.run_id), "config": dict(config), "rounds": strategy.rounds, "final": final}
    (directory / "metrics.json").write_text(json.dumps(metrics, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    say(final)
