# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""apps/gpu_round. The GPUs are mocks of the frameworks' modules, since there are none; NumPy computes in their place.

tests/gpu/test_round_frameworks.py has JAX itself, on the CPU.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Self

import pytest

pytestmark = pytest.mark.flwr

APP = Path(__file__).parents[3] / "apps" / "gpu_round"
CARD = "NVIDIA L40S"
NODE = {"gpu-count": 1, "gpu-name": CARD}
CONFIG = {"seed": 7, "local-steps": 1, "learning-rate": 0.5, "examples": 1024, "product-size": 64}


@pytest.fixture(scope="module")
def engines() -> Any:
    """gpu_round.engines"""
    sys.path.insert(0, str(APP))
    return importlib.import_module("gpu_round.engines")


@pytest.fixture(scope="module")
def task(engines: Any) -> Any:
    """gpu_round.task"""
    return importlib.import_module("gpu_round.task")


def fake_torch(count: int) -> ModuleType:
    """PyTorch with as many GPUs, of what the app asks for."""
    import numpy as np

    class Tensor(np.ndarray[Any, Any]):
        device = "cuda:0"

        def to(self, device: str) -> Self:
            self.device = device
            return self

        def cpu(self) -> SimpleNamespace:
            return SimpleNamespace(numpy=lambda: np.asarray(self))

    module = ModuleType("torch")
    module.cuda = SimpleNamespace(device_count=lambda: count, get_device_name=lambda _index: CARD)  # type: ignore[attr-defined]
    module.from_numpy = lambda array: array.view(Tensor)  # type: ignore[attr-defined]
    return module


def fake_jax(count: int) -> ModuleType:
    """JAX with as many GPUs, which raises when it has no GPU."""

    def devices(kind: str) -> list[SimpleNamespace]:
        if kind == "gpu" and not count:
            raise RuntimeError(
                "Unknown backend: 'gpu' requested, but no platforms that are instances of gpu are present."
            )
        return [SimpleNamespace(device_kind=CARD)] * count

    module = ModuleType("jax")
    module.devices = devices  # type: ignore[attr-defined]
    return module


def fake_tensorflow(count: int) -> ModuleType:
    """TensorFlow with as many GPUs."""
    module = ModuleType("tensorflow")
    module.config = SimpleNamespace(  # type: ignore[attr-defined]
        list_physical_devices=lambda _kind: [SimpleNamespace(name="/physical_device:GPU:0")] * count,
        experimental=SimpleNamespace(get_device_details=lambda _gpu: {"device_name": CARD}),
    )
    return module


FAKES: dict[str, Callable[[int], ModuleType]] = {"torch": fake_torch, "jax": fake_jax, "tensorflow": fake_tensorflow}


def test_a_node_without_gpus_computes_on_its_cpu(engines: Any) -> None:
    for node in ({}, {"gpu-count": 0}, {"gpu-framework": "torch"}):
        engine = engines.engine_for(node)
        assert (engine.framework, engine.devices) == ("numpy", ("cpu",))


@pytest.mark.parametrize("framework", FAKES)
def test_the_gpus_that_a_framework_sees_are_named(
    engines: Any, monkeypatch: pytest.MonkeyPatch, framework: str
) -> None:
    monkeypatch.setitem(sys.modules, framework, FAKES[framework](2))
    engine = engines.engine_for({**NODE, "gpu-framework": framework})
    assert (engine.framework, engine.devices) == (framework, (CARD, CARD))


@pytest.mark.parametrize("framework", FAKES)
def test_a_promised_gpu_that_the_framework_does_not_see_is_refused(
    engines: Any, monkeypatch: pytest.MonkeyPatch, framework: str
) -> None:
    monkeypatch.setitem(sys.modules, framework, FAKES[framework](0))
    with pytest.raises(engines.Refused, match=f"promises 1 x {CARD}, and {framework} sees no GPU: .* CUDA build"):
        engines.engine_for({**NODE, "gpu-framework": framework})
    monkeypatch.setitem(sys.modules, framework, FAKES[framework](1))
    with pytest.raises(engines.Refused, match=f"promises 2 x {CARD}, and {framework} sees 1:"):
        engines.engine_for({**NODE, "gpu-count": 2, "gpu-framework": framework})


@pytest.mark.parametrize(
    ("node", "framework", "said"),
    [
        ({**NODE, "gpu-framework": "torch"}, "", "torch cannot be imported: .*nvidia_guest_frameworks"),
        (NODE, "", "none of torch, jax, tensorflow is installed: nvidia_guest_frameworks"),
        (NODE, "numpy", "NumPy uses no GPU"),
        ({**NODE, "gpu-framework": "theano"}, "", "'theano' is not one of numpy, torch, jax, tensorflow"),
        ({"gpu-count": "1"}, "", "gpu-count of its node configuration is '1'"),
        ({"gpu-count": True}, "", "gpu-count of its node configuration is True"),
        ({}, "jax", "jax cannot be imported"),
    ],
)
def test_what_cannot_be_is_refused(engines: Any, node: dict[str, object], framework: str, said: str) -> None:
    with pytest.raises(engines.Refused, match=said):
        engines.engine_for(node, framework)


def test_without_gpu_framework_the_first_that_is_installed_is_taken(
    engines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "jax" or None)
    monkeypatch.setitem(sys.modules, "jax", fake_jax(1))
    assert engines.engine_for(NODE).framework == "jax"


def test_training_is_the_same_every_time_and_lowers_the_loss(engines: Any, task: Any) -> None:
    settings = task.Settings.of(CONFIG)
    inputs, outputs = task.examples(settings, "node-a")
    assert (inputs == task.examples(settings, "node-a")[0]).all()
    assert (inputs != task.examples(settings, "node-b")[0]).any()
    before = task.loss(task.initial(), inputs, outputs)
    weights, where = task.train(engines.engine_for({}), task.initial(), inputs, outputs, settings)
    assert where == "cpu"
    assert task.loss(weights, inputs, outputs) < before / 2
    again, _unused = task.train(engines.engine_for({}), task.initial(), inputs, outputs, settings)
    assert task.digest(again) == task.digest(weights)


@pytest.mark.parametrize("rate", [0.01, 0.8])
def test_no_permitted_rate_lets_the_loss_grow(engines: Any, task: Any, rate: float) -> None:
    settings = task.Settings.of({**CONFIG, "learning-rate": rate, "local-steps": 50})
    inputs, outputs = task.examples(settings, "node-a")
    weights, _unused = task.train(engines.engine_for({}), task.initial(), inputs, outputs, settings)
    assert task.loss(weights, inputs, outputs) < task.loss(task.initial(), inputs, outputs)


def test_the_tensor_says_where_it_was(engines: Any, task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", fake_torch(1))
    settings = task.Settings.of(CONFIG)
    engine = engines.engine_for({**NODE, "gpu-framework": "torch"})
    _unused, where = task.train(engine, task.initial(), *task.examples(settings, "n"), settings)
    assert where == "cuda:0"


def test_a_device_that_computes_wrong_is_refused(engines: Any, task: Any) -> None:
    settings = task.Settings.of(CONFIG)
    seconds, where = task.product(engines.engine_for({}), 0, settings)
    assert (seconds > 0, where) == (True, "cpu")
    broken = engines.Engine("torch", (CARD,), lambda array, _index: array, lambda tensor: tensor * 1.01, str)
    with pytest.raises(engines.Refused, match=f"{CARD} computes a matrix product wrong, by 0.01"):
        task.product(broken, 0, settings)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", -1),
        ("local-steps", 0),
        ("learning-rate", 0.9),
        ("learning-rate", True),
        ("examples", 10),
        ("product-size", "64"),
    ],
)
def test_settings_that_do_not_fit_are_named(task: Any, key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"run configuration: {key} is {value!r}; it has to be"):
        task.Settings.of({**CONFIG, key: value})


def test_devices_are_counted_in_words(engines: Any) -> None:
    assert engines.named(["cpu"]) == "cpu"
    assert engines.named([CARD, CARD, "NVIDIA A100"]) == f"2 x {CARD}, NVIDIA A100"
