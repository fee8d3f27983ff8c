# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a node computes: NumPy on the CPU, or the GPUs that PyTorch, JAX or TensorFlow see.

An engine puts arrays on a device and takes them back; what is between are the operators ``@``, ``*`` and ``-`` of the
framework's own tensors. A framework is imported only when its engine is opened.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
FRAMEWORKS = ("torch", "jax", "tensorflow")


class Refused(Exception):
    """The node does not have what it promises; the text is for the operator."""


@dataclass(frozen=True)
class Engine:
    """A way to compute on the devices of this node.

    Attributes:
        framework: numpy, torch, jax or tensorflow.
        devices: Name of each device as the framework tells it, such as ``NVIDIA L40S``; ``cpu`` for NumPy.
        put: Bring an array to the device of that number.
        get: Wait for a tensor and bring it back.
        where: Which device a tensor is on, in the framework's words, such as ``cuda:0``.
    """

    framework: str
    devices: tuple[str, ...]
    put: Callable[[Array, int], Any]
    get: Callable[[Any], Array]
    where: Callable[[Any], str]


def _numpy() -> Engine:
    return Engine("numpy", ("cpu",), lambda array, _index: array, np.asarray, lambda _tensor: "cpu")


def _torch() -> Engine:
    import torch

    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return Engine(
        "torch",
        tuple(names),
        # from_numpy wants memory in rows, which a transposed array is not.
        lambda array, index: torch.from_numpy(np.ascontiguousarray(array)).to(f"cuda:{index}" if names else "cpu"),
        lambda tensor: tensor.cpu().numpy(),
        lambda tensor: str(tensor.device),
    )


def _jax() -> Engine:
    import jax

    try:
        gpus = jax.devices("gpu")
    except RuntimeError:  # so JAX says that no plug-in has any
        gpus = []
    return Engine(
        "jax",
        tuple(str(gpu.device_kind) for gpu in gpus),
        lambda array, index: jax.device_put(array, (gpus or jax.devices("cpu"))[index]),
        np.asarray,
        lambda tensor: ", ".join(sorted(str(device) for device in tensor.devices())),
    )


def _tensorflow() -> Engine:
    import tensorflow

    gpus = tensorflow.config.list_physical_devices("GPU")
    details = [tensorflow.config.experimental.get_device_details(gpu) for gpu in gpus]

    def put(array: Array, index: int) -> Any:
        with tensorflow.device(f"/GPU:{index}" if gpus else "/CPU:0"):
            return tensorflow.identity(tensorflow.constant(array))

    return Engine(
        "tensorflow",
        tuple(str(each.get("device_name", gpu.name)) for each, gpu in zip(details, gpus, strict=True)),
        put,
        lambda tensor: tensor.numpy(),
        lambda tensor: str(tensor.device).rpartition("device:")[2],
    )


_OPEN: Mapping[str, Callable[[], Engine]] = {
    "numpy": _numpy,
    "torch": _torch,
    "jax": _jax,
    "tensorflow": _tensorflow,
}


def named(devices: list[str]) -> str:
    """Return the devices of a node in one text, such as ``2 x NVIDIA A100-PCIE-40GB``."""
    counts = {name: devices.count(name) for name in devices}
    return ", ".join(name if count == 1 else f"{count} x {name}" for name, count in counts.items())


def engine_for(node: Mapping[str, object], framework: str = "") -> Engine:
    """Return the engine of a node, by its node configuration: gpu-count, gpu-name and gpu-framework.

    ``framework`` of the run's configuration goes before gpu-framework. Where neither says one, the first that is
    installed is taken; a node without GPUs computes with NumPy. Raises Refused when the node promises GPUs that the
    framework does not see, since a run would else be slow and say nothing.
    """
    promised = node.get("gpu-count", 0)
    if isinstance(promised, bool) or not isinstance(promised, int) or promised < 0:
        raise Refused(f"gpu-count of its node configuration is {promised!r}; it has to be an integer of at least 0")
    wanted = framework or str(node.get("gpu-framework", ""))
    if wanted and wanted not in _OPEN:
        raise Refused(f"the framework {wanted!r} is not one of {', '.join(_OPEN)}")
    if not promised:
        return _opened(wanted) if framework else _numpy()
    card = f"{promised} x {node.get('gpu-name') or 'GPU'}"
    if wanted == "numpy":
        raise Refused(f"it promises {card}, and NumPy uses no GPU; leave the run's framework empty")
    wanted = wanted or next((name for name in FRAMEWORKS if importlib.util.find_spec(name)), "")
    if not wanted:
        raise Refused(f"it promises {card}, and none of {', '.join(FRAMEWORKS)} is installed: nvidia_guest_frameworks")
    engine = _opened(wanted)
    if len(engine.devices) < promised:
        raise Refused(
            f"it promises {card}, and {wanted} sees {len(engine.devices) or 'no GPU'}: "
            "is this the framework's CUDA build, and may the app open the devices? playbooks/gpu_validate.yml says more"
        )
    return engine


def _opened(name: str) -> Engine:
    try:
        return _OPEN[name]()
    except (ImportError, OSError) as error:  # OSError: a library of CUDA that does not load
        raise Refused(f"{name} cannot be imported: {error}; add it to nvidia_guest_frameworks") from error
