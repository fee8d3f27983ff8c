# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""ClientApp of the smoke app."""

from __future__ import annotations

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from smoke import task

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train on this node's blobs; answer with the weights and the training loss."""
    if context.run_config["fault"] == "clients":
        raise ValueError("no data at data-path")
    features, labels = task.blobs(str(context.node_config["name"]))
    (weights,) = message.content["arrays"].to_numpy_ndarrays()
    weights = task.train(weights, features, labels, float(context.run_config["learning-rate"]))
    loss, _unused = task.scores(weights, features, labels)
    content = {
        "arrays": ArrayRecord([weights]),
        "metrics": MetricRecord({"train_loss": loss, "num-examples": len(labels)}),
    }
    return Message(RecordDict(content), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    """Score the global weights on this node's blobs."""
    features, labels = task.blobs(str(context.node_config["name"]))
    (weights,) = message.content["arrays"].to_numpy_ndarrays()
    loss, accuracy = task.scores(weights, features, labels)
    metrics = MetricRecord({"loss": loss, "accuracy": accuracy, "num-examples": len(labels)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
