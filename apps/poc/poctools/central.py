# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The same model without federation: trained in one place on the examples of all nodes, for as many epochs."""

from __future__ import annotations

import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from digits import data, model

from poctools.common import TEST_FILE, TRAIN_FILE, ToolError


def central(directory: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Train on the pooled parts below ``directory`` (as ``partition`` wrote them) and evaluate on the held-out set.

    Returns accuracy (share of 1), loss (nats), epochs, examples, seconds and the digest of the weights.
    Raises ToolError if there are no parts or one is not what it should be.
    """
    began = time.monotonic()
    settings = model.Settings.of(config)
    epochs = int(config["num-server-rounds"]) * settings.local_epochs
    paths = sorted((directory / "nodes").glob(f"*/{TRAIN_FILE}"))
    if not paths:
        raise ToolError(f"{directory} has no parts nodes/*/{TRAIN_FILE}; run `partition` first")
    try:
        parts = [data.load(path) for path in paths]
        test_images, test_labels = data.load(directory / "server" / TEST_FILE)
    except data.DataError as error:
        raise ToolError(str(error)) from error
    features = model.Features.of(settings)
    labels = np.concatenate([part[1] for part in parts])
    weights = model.train(
        model.initial(settings),
        features(np.concatenate([part[0] for part in parts])),
        labels,
        settings,
        epochs,
        np.random.default_rng([settings.seed, zlib.crc32(b"central")]),
    )
    loss, accuracy = model.evaluate(weights, features(test_images), test_labels)
    return {
        "accuracy": accuracy,
        "loss": loss,
        "epochs": epochs,
        "examples": len(labels),
        "test_examples": len(test_labels),
        "seconds": round(time.monotonic() - began, 3),
        "digest": model.digest(weights),
    }
