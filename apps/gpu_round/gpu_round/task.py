# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What is learned: a linear map, by gradient descent on synthetic examples. And the product that is timed."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from gpu_round.engines import Array, Engine, Refused

INPUTS = 256
OUTPUTS = 16
NOISE = 0.1
# Graphics cards multiply float32 with as few as 10 bits of mantissa (TF32).
TOLERANCE = 5e-3


@dataclass(frozen=True)
class Settings:
    """The keys of the run's configuration that decide what is computed; pyproject.toml tells their meaning."""

    seed: int
    local_steps: int
    learning_rate: float
    examples: int
    product_size: int

    @classmethod
    def of(cls, config: Mapping[str, object]) -> Self:
        """Read the settings from a run's configuration; raises ValueError naming key, value and what it may be."""
        rate = config.get("learning-rate")
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 0.8:
            raise ValueError(f"run configuration: learning-rate is {rate!r}; it has to be above 0 and at most 0.8")
        return cls(
            seed=_integer(config, "seed", 0, 2**32 - 1),
            local_steps=_integer(config, "local-steps", 1, 10_000),
            learning_rate=float(rate),
            # With fewer for each input, or larger steps, the steps may grow instead of shrink.
            examples=_integer(config, "examples", 4 * INPUTS, 10_000_000),
            product_size=_integer(config, "product-size", 16, 65_536),
        )


def _integer(config: Mapping[str, object], key: str, least: int, most: int) -> int:
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"run configuration: {key} is {value!r}; it has to be an integer from {least} to {most}")
    return value


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def initial() -> Array:
    """Return the untrained map (INPUTS, OUTPUTS), all 0."""
    return np.zeros((INPUTS, OUTPUTS), dtype=np.float32)


def examples(settings: Settings, name: str) -> tuple[Array, Array]:
    """Return the inputs (n, INPUTS) and outputs (n, OUTPUTS) of a node; they depend on the seed and its name alone."""
    truth = _generator(settings.seed, "").normal(size=(INPUTS, OUTPUTS))
    own = _generator(settings.seed, name)
    inputs = own.normal(size=(settings.examples, INPUTS))
    outputs = inputs @ truth + own.normal(scale=NOISE, size=(settings.examples, OUTPUTS))
    return inputs.astype(np.float32), outputs.astype(np.float32)


def loss(weights: Array, inputs: Array, outputs: Array) -> float:
    """Return the mean square error, computed by NumPy."""
    return float(np.square(inputs @ weights - outputs, dtype=np.float64).mean())


def train(engine: Engine, weights: Array, inputs: Array, outputs: Array, settings: Settings) -> tuple[Array, str]:
    """Return the weights after the steps of a round, and where the last of them was computed."""
    tensor, rows, columns, wanted = (engine.put(each, 0) for each in (weights, inputs, inputs.T, outputs))
    scale = settings.learning_rate / len(inputs)
    for _unused in range(settings.local_steps):
        tensor = tensor - (columns @ (rows @ tensor - wanted)) * scale
    return np.asarray(engine.get(tensor), dtype=np.float32), engine.where(tensor)


def product(engine: Engine, index: int, settings: Settings) -> tuple[float, str]:
    """Return the seconds of a matrix product on a device, the best of three, and where it was computed.

    Raises Refused if the device computes it wrong.
    """
    own = _generator(settings.seed, "product")
    size = settings.product_size
    left, right = (own.normal(size=(size, size)).astype(np.float32) for _unused in range(2))
    first, second = engine.put(left, index), engine.put(right, index)
    seconds = []
    # The one before the three pays for compilation and for the start of the libraries.
    for number in range(4):
        began = time.perf_counter()
        result = first @ second
        found = engine.get(result)
        if number:
            seconds.append(time.perf_counter() - began)
    wanted = left[0].astype(np.float64) @ right.astype(np.float64)
    error = float(np.abs(found[0] - wanted).max() / np.abs(wanted).max())
    if np.isnan(error) or error > TOLERANCE:
        raise Refused(f"{engine.devices[index]} computes a matrix product wrong, by {error:.2g} of the largest value")
    return min(seconds), engine.where(result)


def digest(weights: Array) -> str:
    """Return the SHA-256 of the weights' bytes: equal only if every bit is."""
    return hashlib.sha256(np.ascontiguousarray(weights, dtype="<f4").tobytes()).hexdigest()
