# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The model: multinomial logistic regression on random Fourier features, in NumPy and float64.

The features approximate a Gaussian kernel (Rahimi and Recht, "Random Features for Large-Scale Kernel Machines", 2007).
Every party draws them from the seed, so only the coefficients travel. The loss is convex in them, and with features
this rich the optima of nodes with unequal shares of the classes lie close together: plain averaging is enough.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

CLASSES = 10
PIXELS = 64  # 8 x 8 grey values, scaled to [0, 1]

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Settings:
    """The keys of the run's configuration that decide what is learned; units and meaning are in pyproject.toml."""

    seed: int
    random_features: int
    kernel_gamma: float
    local_epochs: int
    batch_size: int
    learning_rate: float

    @classmethod
    def of(cls, config: Mapping[str, object]) -> Self:
        """Read the settings from a run's configuration.

        Raises ValueError naming the key, its value and what it may be.
        """
        return cls(
            seed=_integer(config, "seed", 0),
            random_features=_integer(config, "random-features", 1),
            kernel_gamma=_positive(config, "kernel-gamma"),
            local_epochs=_integer(config, "local-epochs", 1),
            batch_size=_integer(config, "batch-size", 1),
            learning_rate=_positive(config, "learning-rate"),
        )


def _integer(config: Mapping[str, object], key: str, least: int) -> int:
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"run configuration: {key} is {value!r}; it has to be an integer of at least {least}")
    return value


def _positive(config: Mapping[str, object], key: str) -> float:
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"run configuration: {key} is {value!r}; it has to be a number above 0")
    return float(value)


@dataclass(frozen=True)
class Features:
    """The random Fourier features: ``frequencies`` (PIXELS, F) and ``phases`` (F,)."""

    frequencies: Floats
    phases: Floats

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Draw the features that belong to the settings' seed."""
        rng = np.random.default_rng([settings.seed, zlib.crc32(b"features")])
        scale = np.sqrt(2.0 * settings.kernel_gamma)
        return cls(
            frequencies=rng.normal(0.0, scale, (PIXELS, settings.random_features)),
            phases=rng.uniform(0.0, 2.0 * np.pi, settings.random_features),
        )

    def __call__(self, images: Floats) -> Floats:
        """Map images (n, PIXELS) to features (n, F) of mean square 1."""
        angles: Floats = images @ self.frequencies + self.phases
        scaled: Floats = np.sqrt(2.0) * np.cos(angles)
        return scaled


def initial(settings: Settings) -> list[Floats]:
    """Return the untrained weights: coefficients (F, CLASSES) and intercepts (CLASSES,), all 0."""
    return [np.zeros((settings.random_features, CLASSES)), np.zeros(CLASSES)]


def generator(seed: int, server_round: int, name: str) -> np.random.Generator:
    """Return the randomness of one node in one round; it depends on nothing else, so a round can be repeated."""
    return np.random.default_rng([seed, server_round, zlib.crc32(name.encode())])


def probabilities(weights: list[Floats], features: Floats) -> Floats:
    """Return the probability of each class, shape (n, CLASSES)."""
    coefficients, intercepts = weights
    scores = features @ coefficients + intercepts
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def train(
    weights: list[Floats], features: Floats, labels: Labels, settings: Settings, epochs: int, rng: np.random.Generator
) -> list[Floats]:
    """Return the weights after ``epochs`` of mini-batch gradient descent on features (n, F) and labels (n,)."""
    coefficients, intercepts = (array.copy() for array in weights)
    targets = np.eye(CLASSES)[labels]
    for _unused in range(epochs):
        order = rng.permutation(len(labels))
        for start in range(0, len(order), settings.batch_size):
            batch = order[start : start + settings.batch_size]
            rows = features[batch]
            gradient = (probabilities([coefficients, intercepts], rows) - targets[batch]) / len(batch)
            coefficients -= settings.learning_rate * (rows.T @ gradient)
            intercepts -= settings.learning_rate * gradient.sum(axis=0)
    return [coefficients, intercepts]


def evaluate(weights: list[Floats], features: Floats, labels: Labels) -> tuple[float, float]:
    """Return the mean log loss (nats) and the accuracy (share of 1)."""
    found = probabilities(weights, features)
    likelihood = np.maximum(found[np.arange(len(labels)), labels], np.finfo(np.float64).tiny)
    return float(-np.log(likelihood).mean()), float((found.argmax(axis=1) == labels).mean())


def average(answers: Mapping[str, tuple[int, list[Floats]]]) -> list[Floats]:
    """Return the mean of the nodes' weights, weighted by their number of examples (McMahan et al. 2017, FedAvg).

    ``answers`` holds (examples, weights) by node name. Sums run in the order of the names and in float64, so that the
    result is the same to the last bit in whatever order the answers came in. Raises ValueError naming the node whose
    answer cannot be averaged.
    """
    if not answers:
        raise ValueError("there are no answers to average")
    names = sorted(answers)
    shapes = [array.shape for array in answers[names[0]][1]]
    for name in names:
        examples, weights = answers[name]
        if examples < 1:
            raise ValueError(f"node {name} says that it trained on {examples} examples; it has to be at least 1")
        if [array.shape for array in weights] != shapes:
            raise ValueError(f"node {name} answered arrays of other shapes than node {names[0]}")
        if not all(np.isfinite(array).all() for array in weights):
            raise ValueError(f"node {name} answered weights that are not finite; lower learning-rate")
    total = sum(answers[name][0] for name in names)
    mean = [np.zeros(shape) for shape in shapes]
    for name in names:
        examples, weights = answers[name]
        for into, array in zip(mean, weights, strict=True):
            into += np.asarray(array, dtype=np.float64) * (examples / total)
    return mean


def digest(weights: list[Floats]) -> str:
    """Return the SHA-256 of the weights' bytes (little-endian float64): equal only if every bit is."""
    checksum = hashlib.sha256()
    for array in weights:
        checksum.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return checksum.hexdigest()
