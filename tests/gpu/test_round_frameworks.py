# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""apps/gpu_round with JAX itself, on the CPU: its tensors compute what NumPy does, and a promised GPU is refused.

PyPI's PyTorch for Linux is the CUDA build, gigabytes with its libraries, and TensorFlow is 1.4 GB, so that their
engines are tested with mocks only (tests/unit/apps/test_gpu_round.py). No device of a framework here is a GPU.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import json, sys
import numpy
from gpu_round import engines, task
settings = task.Settings(7, 3, 0.5, 1024, 256)
examples = task.examples(settings, "node-a")
wanted, _place = task.train(engines.engine_for({}), task.initial(), *examples, settings)
engine = engines.engine_for({}, "jax")
found, place = task.train(engine, task.initial(), *examples, settings)
seconds, product_place = task.product(engine, 0, settings)
try:
    engines.engine_for({"gpu-count": 1, "gpu-name": "NVIDIA L40S"})
    refused = ""
except engines.Refused as error:
    refused = str(error)
print(json.dumps({
    "difference": float(numpy.abs(found - wanted).max()), "place": place, "product_place": product_place,
    "seconds": seconds, "devices": engine.devices, "type": type(engine.put(wanted, 0)).__module__, "refused": refused,
}))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the app says in an environment of its own, which has JAX from the package index."""
    venv = tmp_path_factory.mktemp("jax") / "venv"
    uv, python = ROOT / ".venv" / "bin" / "uv", venv / "bin" / "python"
    for arguments in (
        ["venv", "--quiet", "--python", sys.executable, str(venv)],
        ["pip", "install", "--quiet", "--python", str(python), "jax", "numpy>=2"],
    ):
        subprocess.run([str(uv), *arguments], check=True, timeout=600)
    done = subprocess.run(
        [str(python), "-c", PROGRAM],
        env={"PYTHONPATH": str(ROOT / "apps" / "gpu_round"), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_jax_computes_what_numpy_does(answers: dict[str, Any]) -> None:
    assert answers["type"].startswith("jax")
    assert answers["difference"] < 1e-5
    assert answers["place"] == answers["product_place"]
    assert answers["place"].lower().startswith(("cpu", "tfrt_cpu"))
    assert answers["seconds"] > 0
    assert answers["devices"] == []


def test_jax_without_a_gpu_refuses_what_the_node_promises(answers: dict[str, Any]) -> None:
    assert "it promises 1 x NVIDIA L40S, and jax sees no GPU" in answers["refused"]
