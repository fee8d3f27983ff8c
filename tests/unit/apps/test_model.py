# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Model, averaging and the promise of accuracy, with the federation simulated in process."""

from __future__ import annotations

import dataclasses
import itertools
import zlib
from typing import Any

import pytest

pytestmark = pytest.mark.flwr

ROUNDS = 5


def federate(model: Any, partition: Any, settings: Any, nodes: int, alpha: float) -> tuple[float, float]:
    """Return the accuracies of the federated and of the central model, on the data of `settings.seed`."""
    import numpy as np

    images, labels = partition.pooled()
    rng = np.random.default_rng([settings.seed, zlib.crc32(b"partition")])
    held, rest = partition.hold_out(labels, 0.2, rng)
    parts = partition.deal(rest, nodes, alpha, 50, rng)
    features = model.Features.of(settings)(images)
    weights = model.initial(settings)
    for number in range(1, ROUNDS + 1):
        answers = {}
        for index, part in enumerate(parts):
            random = model.generator(settings.seed, number, f"node-{index}")
            trained = model.train(weights, features[part], labels[part], settings, settings.local_epochs, random)
            answers[f"node-{index}"] = (len(part), trained)
        weights = model.average(answers)
    everything = np.concatenate(parts)
    central = model.train(
        model.initial(settings),
        features[everything],
        labels[everything],
        settings,
        ROUNDS * settings.local_epochs,
        np.random.default_rng([settings.seed, zlib.crc32(b"central")]),
    )
    test = features[held], labels[held]
    return model.evaluate(weights, *test)[1], model.evaluate(central, *test)[1]


@pytest.mark.parametrize("nodes", [2, 3, 5, 8])
@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_accuracy_holds_for_other_sizes_shares_and_seeds(
    model: Any, partition: Any, settings: Any, nodes: int, alpha: float
) -> None:
    for seed in (7, 1, 2):
        federated, central = federate(model, partition, dataclasses.replace(settings, seed=seed), nodes, alpha)
        assert federated >= 0.93, seed
        assert central - federated <= 0.02, seed


def test_without_averaging_a_node_alone_does_not_reach_it(model: Any, partition: Any, settings: Any) -> None:
    """The promise is not met by any single share: federation is what meets it."""
    import numpy as np

    images, labels = partition.pooled()
    rng = np.random.default_rng([7, zlib.crc32(b"partition")])
    held, rest = partition.hold_out(labels, 0.2, rng)
    features = model.Features.of(settings)(images)
    for part in partition.deal(rest, 5, 0.5, 50, rng):
        alone = model.train(
            model.initial(settings), features[part], labels[part], settings, 25, np.random.default_rng(0)
        )
        assert model.evaluate(alone, features[held], labels[held])[1] < 0.93


def test_average_does_not_depend_on_the_order_of_the_answers(model: Any) -> None:
    import numpy as np

    rng = np.random.default_rng(3)
    answers = {f"n{i}": (int(rng.integers(1, 999)), [rng.normal(size=(40, 10)), rng.normal(size=10)]) for i in range(4)}
    digests = {model.digest(model.average(dict(order))) for order in itertools.permutations(answers.items())}
    assert len(digests) == 1


def test_average_weighs_by_examples(model: Any) -> None:
    import numpy as np

    mean = model.average({"a": (1, [np.array([0.0])]), "b": (3, [np.array([4.0])])})
    assert mean[0].tolist() == [3.0]


@pytest.mark.parametrize(
    ("examples", "value", "said"),
    [
        (0, [1.0], "b says that it trained on 0"),
        (1, [1.0, 2.0], "b answered arrays"),
        (1, [float("nan")], "b answered weights"),
    ],
)
def test_average_names_the_node_that_is_wrong(model: Any, examples: int, value: list[float], said: str) -> None:
    import numpy as np

    with pytest.raises(ValueError, match=said):
        model.average({"a": (1, [np.array([1.0])]), "b": (examples, [np.array(value)])})


def test_digest_sees_one_bit(model: Any) -> None:
    import numpy as np

    one = np.array([0.1, 0.2])
    two = one.copy()
    two[1] = np.nextafter(two[1], 1)
    assert model.digest([one]) == model.digest([one.copy()])
    assert model.digest([one]) != model.digest([two])


def test_randomness_belongs_to_seed_round_and_name(model: Any) -> None:
    draws = [model.generator(*key).integers(0, 2**63) for key in [(7, 1, "a"), (7, 1, "b"), (7, 2, "a"), (8, 1, "a")]]
    assert len(set(draws)) == 4
    assert model.generator(7, 1, "a").integers(0, 2**63) == draws[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", -1),
        ("seed", "7"),
        ("random-features", 0),
        ("kernel-gamma", 0),
        ("local-epochs", True),
        ("learning-rate", -0.1),
    ],
)
def test_settings_name_key_and_value(load: Any, model: Any, key: str, value: object) -> None:
    config = load("poctools.common").configuration([]) | {key: value}
    with pytest.raises(ValueError, match=f"{key} is {value!r}"):
        model.Settings.of(config)
