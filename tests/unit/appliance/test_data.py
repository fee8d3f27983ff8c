# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A node's share of the digits. The app's tool is a fake but where it is said: it needs scikit-learn."""

from __future__ import annotations

import importlib
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fact8ra_appliance import data
from fact8ra_appliance.data import Share
from fact8ra_appliance.trouble import Trouble


def service(*vms: int, cardinality: int | None = None) -> SimpleNamespace:
    """A service whose role supernode has these VMs."""
    nodes = [SimpleNamespace(vm_id=vm, index=index) for index, vm in enumerate(vms)]
    found = SimpleNamespace(roles={"superlink": [SimpleNamespace(vm_id=1, index=0)], "supernode": nodes})
    if cardinality is not None:
        found.cardinalities = {"superlink": 1, "supernode": cardinality}
    return found


class Tool:
    """Stands for poctools: notes its command and writes the files that it would, each with its own name in it."""

    def __init__(self, error: str = "") -> None:
        self.error = error
        self.commands: list[list[str]] = []

    def __call__(self, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run."""
        self.commands.append(list(command))
        names = [word for before, word in itertools.pairwise(command) if before == "--node"]
        out = Path(command[command.index("--out") + 1])
        for name in names:
            (out / "nodes" / name).mkdir(parents=True)
            (out / "nodes" / name / "digits.npz").write_text(f"{name} of {len(names)}")
        (out / "server").mkdir()
        (out / "server/digits-test.npz").write_text("held out")
        assert environment["PYTHONPATH"].endswith("/apps/poc")
        return subprocess.CompletedProcess(command, int(bool(self.error)), "", self.error)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system with the appliance's directory."""
    (tmp_path / "var/lib/fact8ra").mkdir(parents=True)
    return tmp_path


def share_of(root: Path) -> str:
    """What the node got."""
    return (root / "var/lib/fact8ra/data/digits.npz").read_text()


class TestSupernode:
    """Its share, once."""

    def test_the_position_in_the_role_is_the_share(self, root: Path) -> None:
        variables = data.supernode({}, lambda: service(11, 12, 13), 12, root, Tool())
        assert variables == {"supernode_data_src": str(root / "var/lib/fact8ra/data")}
        assert share_of(root) == "node-0001 of 3"
        kept = json.loads((root / "var/lib/fact8ra/data.json").read_text())
        assert (kept["index"], kept["number"], kept["by"], kept["seed"]) == (1, 3, "onegate", 7)
        assert (root / "var/lib/fact8ra/data.json").stat().st_mode & 0o777 == 0o600
        assert (root / "var/lib/fact8ra/data/digits.npz").stat().st_mode & 0o777 == 0o600

    def test_it_stays_when_the_role_is_scaled(self, root: Path) -> None:
        tool = Tool()
        data.supernode({}, lambda: service(11, 12, 13), 12, root, tool)
        data.supernode({}, lambda: service(12, 13, 14, 15), 12, root, tool)
        assert share_of(root) == "node-0001 of 3"
        assert len(tool.commands) == 1

    def test_nothing_else_is_left(self, root: Path) -> None:
        data.supernode({}, lambda: service(11, 12), 12, root, Tool())
        names = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
        assert names == {"var/lib/fact8ra/data.json", "var/lib/fact8ra/data/digits.npz"}

    def test_a_lost_or_changed_file_is_made_again_as_it_was(self, root: Path) -> None:
        data.supernode({}, lambda: service(11, 12, 13), 12, root, Tool())
        path = root / "var/lib/fact8ra/data/digits.npz"
        for spoil in (path.unlink, lambda: path.write_text("something else")):
            spoil()
            data.supernode({}, lambda: service(12), 12, root, Tool())
            assert share_of(root) == "node-0001 of 3"

    def test_the_context_goes_first_and_needs_no_onegate(self, root: Path) -> None:
        data.supernode({"partition-id": 2, "num-partitions": 5}, None, 12, root, Tool())
        assert share_of(root) == "node-0002 of 5"

    def test_a_changed_context_deals_anew_and_one_that_is_silent_again_does_not(self, root: Path) -> None:
        data.supernode({}, lambda: service(11, 12), 12, root, Tool())
        data.supernode({"partition-id": 2, "num-partitions": 5}, None, 12, root, Tool())
        assert share_of(root) == "node-0002 of 5"
        data.supernode({"other": "key"}, lambda: service(11, 12), 12, root, Tool())
        assert share_of(root) == "node-0002 of 5"

    @pytest.mark.parametrize(
        "config",
        [
            {"partition-id": 0},
            {"num-partitions": 3},
            {"partition-id": 3, "num-partitions": 3},
            {"partition-id": -1, "num-partitions": 3},
            {"partition-id": "0", "num-partitions": 3},
            {"partition-id": False, "num-partitions": 3},
            {"partition-id": 0, "num-partitions": 201},
            {"partition-id": 0.0, "num-partitions": 2},
        ],
    )
    def test_half_or_wrong_partitions_name_the_variable(self, root: Path, config: dict[str, Any]) -> None:
        with pytest.raises(Trouble, match="ONEAPP_FLOWER_NODE_CONFIG has partition-id=") as caught:
            data.supernode(config, lambda: service(11, 12), 12, root, Tool())
        assert (caught.value.state, caught.value.variable) == ("CONTEXT_INVALID", "ONEAPP_FLOWER_NODE_CONFIG")

    def test_without_any_service_the_context_must_say(self, root: Path) -> None:
        with pytest.raises(Trouble, match="partition-id=0 num-partitions=3") as caught:
            data.supernode({}, None, 12, root, Tool())
        assert (caught.value.state, caught.value.variable) == ("CONTEXT_INVALID", "ONEAPP_FLOWER_DATA")

    def test_an_image_without_scikit_learn_says_which_one_has_it(self, root: Path) -> None:
        with pytest.raises(Trouble, match=r"no scikit-learn.*flower-supernode-sklearn or -edge") as caught:
            data.supernode({}, lambda: service(12), 12, root, Tool("ImportError: No module named 'sklearn'"))
        assert (caught.value.state, caught.value.variable) == ("CONTEXT_INVALID", "ONEAPP_FLOWER_DATA")
        assert not (root / "var/lib/fact8ra/data.json").exists()

    def test_another_failure_of_the_tool_is_quoted(self, root: Path) -> None:
        with pytest.raises(Trouble, match="cannot be dealt out: poctools partition: what went wrong") as caught:
            data.supernode({}, lambda: service(12), 12, root, Tool("poctools partition: what went wrong"))
        assert caught.value.state == "CONFIGURE_FAILED"

    def test_what_is_kept_is_never_guessed_anew(self, root: Path) -> None:
        (root / "var/lib/fact8ra/data.json").write_text("{")
        with pytest.raises(Trouble, match=r"data\.json cannot be read .* what share"):
            data.supernode({}, lambda: service(12), 12, root, Tool())

    def test_every_node_of_a_role_gets_another_share_of_the_same_deal(self, tmp_path: Path) -> None:
        commands = set()
        shares = set()
        for vm in (11, 12, 13):
            root = tmp_path / str(vm)
            (root / "var/lib/fact8ra").mkdir(parents=True)
            tool = Tool()
            data.supernode({}, lambda: service(11, 12, 13), vm, root, tool)
            shares.add(share_of(root))
            line = tool.commands[0][1:]
            line[line.index("--out") + 1] = "OUT"
            commands.add(" ".join(line))
        assert len(shares) == 3
        assert commands == {
            "-m poctools partition --out OUT --seed 7 --alpha 0.7 --minimum 50"
            " --node node-0000 --node node-0001 --node node-0002"
        }


class TestOnegate:
    """A role that is still being made."""

    def test_the_rest_of_the_role_is_waited_for(self) -> None:
        answers = [service(11, cardinality=3), service(11, 12, cardinality=3), service(11, 12, 13, cardinality=3)]
        waits: list[float] = []
        share = data.from_onegate(lambda: answers.pop(0), 11, clock=lambda: 0.0, sleep=waits.append)
        assert share == Share(0, 3, "onegate")
        assert len(waits) == 2

    def test_a_vm_that_is_not_listed_yet_waits(self) -> None:
        answers = [service(11), service(11, 12)]
        share = data.from_onegate(lambda: answers.pop(0), 12, clock=lambda: 0.0, sleep=lambda _seconds: None)
        assert share == Share(1, 2, "onegate")

    def test_not_for_ever(self) -> None:
        times = iter(range(0, 1000, 5))
        share = data.from_onegate(
            lambda: service(11, 12, cardinality=4), 12, clock=lambda: next(times), sleep=lambda _seconds: None
        )
        assert share == Share(1, 4, "onegate")

    def test_more_nodes_than_digits(self) -> None:
        with pytest.raises(Trouble, match="201 VMs; the digits are enough for 200"):
            data.from_onegate(lambda: service(*range(201)), 5)


class TestSuperlink:
    """The examples held out."""

    def test_are_made_once(self, root: Path) -> None:
        tool = Tool()
        for _unused in range(2):
            assert data.superlink(root, tool) == {"superlink_data_src": str(root / "var/lib/fact8ra/data")}
        assert (root / "var/lib/fact8ra/data/digits-test.npz").read_text() == "held out"
        assert len(tool.commands) == 1

    def test_an_image_without_scikit_learn_names_its_own_variable(self, root: Path) -> None:
        with pytest.raises(Trouble, match="ONEAPP_FLOWER_RUN_APP is poc") as caught:
            data.superlink(root, Tool("No module named 'sklearn'"))
        assert caught.value.variable == "ONEAPP_FLOWER_RUN_APP"


@pytest.mark.flwr
def test_the_apps_own_tool_deals_shares_that_do_not_overlap(tmp_path: Path) -> None:
    np = importlib.import_module("numpy")

    def here(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command[1:]], env=dict(environment), capture_output=True, text=True, check=False
        )

    seen: list[bytes] = []
    for index in range(3):
        root = tmp_path / str(index)
        (root / "var/lib/fact8ra").mkdir(parents=True)
        data.supernode({"partition-id": index, "num-partitions": 3}, None, 9, root, here)
        seen += [image.tobytes() for image in np.load(root / "var/lib/fact8ra/data/digits.npz")["images"]]
    data.superlink(tmp_path / "0", here)
    seen += [image.tobytes() for image in np.load(tmp_path / "0/var/lib/fact8ra/data/digits-test.npz")["images"]]
    assert len(seen) == 1797
    assert len(set(seen)) == 1797, "an example stands twice"
    assert re.fullmatch("[0-9a-f]{64}", json.loads((tmp_path / "0/var/lib/fact8ra/data.json").read_text())["sha256"])
