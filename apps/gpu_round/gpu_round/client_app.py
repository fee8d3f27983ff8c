# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""ClientApp: trains on the node's first GPU, times a product on each, and answers where it was."""

from __future__ import annotations

import time

from flwr.app import ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from gpu_round import task
from gpu_round.engines import Refused, engine_for

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Train the weights of the message; raises Refused, naming the node, when it has not what it promises."""
    name = str(context.node_config.get("name") or context.node_id)
    try:
        return _trained(message, context, name)
    except Refused as error:
        raise Refused(f"node {name} refuses to train: {error}") from error


def _trained(message: Message, context: Context, name: str) -> Message:
    began = time.monotonic()
    settings = task.Settings.of(context.run_config)
    engine = engine_for(context.node_config, str(context.run_config["framework"]))
    inputs, outputs = task.examples(settings, name)
    (weights,) = message.content.array_records["arrays"].to_numpy_ndarrays()
    before = task.loss(weights, inputs, outputs)
    weights, where = task.train(engine, weights, inputs, outputs, settings)
    products = [task.product(engine, index, settings) for index in range(max(1, len(engine.devices)))]
    metrics = {
        "num-examples": len(inputs),
        "loss-before": before,
        "loss-after": task.loss(weights, inputs, outputs),
        "seconds": time.monotonic() - began,
        "product-seconds": [seconds for seconds, _unused in products],
    }
    node = {
        "name": name,
        "framework": engine.framework,
        # A framework that was asked for where there is no GPU names none.
        "devices": list(engine.devices) or ["cpu"],
        "places": [where, *(place for _unused, place in products)],
    }
    content = {"arrays": ArrayRecord([weights]), "metrics": MetricRecord(metrics), "node": ConfigRecord(node)}
    return Message(RecordDict(content), reply_to=message)
