# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""ClientApp: trains on the files of this node's data-path, and answers weights and two numbers."""

from __future__ import annotations

import time

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, MetricRecordValues, RecordDict
from flwr.clientapp import ClientApp

from digits import data, model

app = ClientApp()


def node_name(context: Context) -> str:
    """Return the name that the SuperNode's configuration gives to this node.

    Raises DataError if it has none.
    """
    name = context.node_config.get("name")
    if not isinstance(name, str) or not name:
        raise data.DataError(
            "the node configuration has no name; start the SuperNode with --node-config 'name=\"...\"'"
        )
    return name


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train the weights of the message on this node's own examples."""
    began = time.monotonic()
    name = node_name(context)
    path = data.locate(
        str(context.node_config.get("data-path", "")),
        str(context.run_config["train-file"]),
        f"node {name}",
        "role supernode places it (entry point data, variable supernode_data_src) in the node's data-path",
    )
    images, labels = data.load(path)
    settings = model.Settings.of(context.run_config)
    server_round = int(message.content.config_records["config"]["server-round"])  # type: ignore[arg-type]
    features = model.Features.of(settings)(images)
    weights = model.train(
        message.content.array_records["arrays"].to_numpy_ndarrays(),
        features,
        labels,
        settings,
        settings.local_epochs,
        model.generator(settings.seed, server_round, name),
    )
    loss, _unused = model.evaluate(weights, features, labels)
    metrics: dict[str, MetricRecordValues] = {"num-examples": len(labels), "train-loss": loss}
    metrics["train-seconds"] = time.monotonic() - began
    content = RecordDict(
        {
            "arrays": ArrayRecord(list(weights)),
            "metrics": MetricRecord(metrics),
            "node": ConfigRecord({"name": name}),
        }
    )
    return Message(content, reply_to=message)
