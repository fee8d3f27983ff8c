# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The app on real Flower processes, without TLS: its figures, and what it does when data is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.flwr, pytest.mark.slow, pytest.mark.xdist_group("poc")]

NODES = ("node-b", "node-a", "node-c")
# The same rounds without Flower: nothing but model and data decides the figures, in whatever order answers come in.
SIMULATION = """
from pathlib import Path
from digits import data, model
from poctools.common import configuration
settings = model.Settings.of(configuration([]))
features = model.Features.of(settings)
parts = {path.parent.name: data.load(path) for path in Path(DATA).glob("nodes/*/*.npz")}
weights = model.initial(settings)
for number in (1, 2):
    answers = {}
    for name in sorted(parts, reverse=True):
        images, labels = parts[name]
        trained = model.train(
            weights,
            features(images),
            labels,
            settings,
            settings.local_epochs,
            model.generator(settings.seed, number, name),
        )
        answers[name] = (len(labels), trained)
    weights = model.average(answers)
    print(model.digest(weights))
"""


@pytest.fixture
def data(tools: Any, tmp_path: Path) -> Path:
    """Data for three nodes."""
    flags = [flag for name in NODES for flag in ("--node", name)]
    tools("partition", "--out", str(tmp_path / "data"), *flags)
    return tmp_path / "data"


def leftovers(data: Path) -> list[str]:
    """Processes that still know the data."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if f"{data}/nodes" in line]


def test_every_round_is_what_the_model_says(tools: Any, data: Path) -> None:
    found = tools("baseline", "--data", str(data), "--config", "num-server-rounds=2")
    assert [row["participants"] for row in found["rounds"]] == [sorted(NODES)] * 2
    assert [row["failures"] for row in found["rounds"]] == [0, 0]
    own = {name: each["examples"] for name, each in json.loads((data / "manifest.json").read_text())["nodes"].items()}
    assert {name: each["examples"] for name, each in found["rounds"][0]["training"].items()} == own
    simulated = tools.python_code(f"DATA = {str(data)!r}\n{SIMULATION}").split()
    assert [row["digest"] for row in found["rounds"]] == simulated
    assert found["final"]["accuracy"] >= 0.93
    assert found["final"]["digest"] == simulated[-1]
    assert leftovers(data) == []


def test_a_node_without_data_is_a_failure_that_is_counted(tools: Any, data: Path) -> None:
    (data / "nodes" / "node-c" / "digits.npz").unlink()
    found = tools("baseline", "--data", str(data), "--config", "num-server-rounds=1")
    (row,) = found["rounds"]
    assert (row["nodes"], row["failures"], len(row["failed"])) == (2, 1, 1)
    assert row["participants"] == ["node-a", "node-b"]
    assert found["final"]["failures"] == 1


def test_a_run_that_cannot_train_fails_with_the_cause(tools: Any, data: Path) -> None:
    shutil.rmtree(data / "nodes")
    done = tools.run("baseline", "--data", str(data), "--config", "num-server-rounds=1")
    assert done.returncode == 1
    assert "none of 3 nodes trained" in done.stderr
    assert "node node-a has no data" in done.stderr
    assert "supernode_data_src" in done.stderr
    assert leftovers(data) == []


def test_a_run_that_cannot_be_evaluated_is_refused_before_it_trains(tools: Any, data: Path) -> None:
    (data / "server" / "digits-test.npz").unlink()
    done = tools.run("baseline", "--data", str(data), "--config", "num-server-rounds=1")
    assert done.returncode == 1
    assert "the SuperLink host has no data" in done.stderr
    assert "configure_train" not in done.stderr
