# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Model and data of the smoke app."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]  # shape (3,): two coefficients and the intercept


def blobs(name: str, points: int = 200) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return features of shape (points, 3), the last column being 1, and labels of shape (points,) in {0, 1}."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    labels = rng.integers(0, 2, points).astype(np.float64)
    features = rng.normal(size=(points, 2)) + np.where(labels[:, None] > 0, 1.2, -1.2)
    return np.column_stack([features, np.ones(points)]), labels


def scores(weights: Weights, features: NDArray[np.float64], labels: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean log loss and the accuracy."""
    probability = np.clip(1.0 / (1.0 + np.exp(-features @ weights)), 1e-9, 1 - 1e-9)
    loss = -np.mean(labels * np.log(probability) + (1 - labels) * np.log(1 - probability))
    return float(loss), float(np.mean((probability > 0.5) == (labels > 0.5)))


def train(weights: Weights, features: NDArray[np.float64], labels: NDArray[np.float64], rate: float) -> Weights:
    """Return the weights after 20 full-batch gradient steps."""
    for _unused in range(20):
        probability = 1.0 / (1.0 + np.exp(-features @ weights))
        weights = weights - rate * features.T @ (probability - labels) / len(labels)
    return weights
