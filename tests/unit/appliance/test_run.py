# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The run that a SuperLink does by itself. The role and the SuperNodes are fakes: the lab has both."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from fact8ra_appliance import train
from fact8ra_appliance.apply import COLLECTION, ApplyFailed
from fact8ra_appliance.onegate import OneGateUnreachable
from fact8ra_appliance.run import Conductor, RunState, Status, Store, Wanted

WANTED = Wanted("poc", rounds=3, min_nodes=2, seed=7)
Progress = Callable[[Mapping[str, Any]], None]


def look(rounds: int, run_id: str = "4711", status: str = "running") -> dict[str, Any]:
    """What flower_run tells after so many rounds."""
    rows = [{"round": at + 1, "loss": 1.0 / (at + 1), "accuracy": 0.9 + at / 100} for at in range(rounds)]
    return {"run_id": run_id, "status": status, "rounds": rows, "rounds_total": 3, "metrics": rows[-1] if rows else {}}


class Federation:
    """Plays a script: for each look at the nodes and for each play the next entry."""

    def __init__(self, root: Path, nodes: list[list[list[str] | str]], plays: list[Any]) -> None:
        self.root = root
        self.nodes = nodes
        self.plays = plays
        self.said: list[Status] = []
        self.variables: list[Mapping[str, Any]] = []
        self.slept: list[float] = []

    @contextlib.contextmanager
    def watch(self) -> Iterator[Iterator[list[str] | str]]:
        """The SuperNodes."""
        yield iter(self.nodes.pop(0))

    def play(self, variables: Mapping[str, Any], progress: Progress) -> None:
        """The role."""
        self.variables.append(variables)
        for step in self.plays.pop(0):
            if isinstance(step, Exception):
                raise step
            progress(step)

    def conduct(self, wanted: Wanted = WANTED, again: bool = False) -> Status:
        """Run until it is over."""
        store = Store(self.root)
        return Conductor(
            wanted, store, self.said.append, self.watch, self.play, self.root / "runs", self.slept.append
        ).conduct(again)

    @property
    def states(self) -> list[str]:
        """The states that were said, each once in a row."""
        found: list[str] = []
        for status in self.said:
            if found[-1:] != [str(status.state)]:
                found.append(str(status.state))
        return found


BOTH = [["a", "b"]]
GOOD = [look(0, status="pending"), look(1), look(2), look(3, status="finished:completed")]


class TestConductor:
    """From waiting to the end."""

    def test_a_run_is_told_step_by_step(self, tmp_path: Path) -> None:
        federation = Federation(tmp_path, [["not yet", [], ["a"], ["a", "b"]]], [GOOD])
        end = federation.conduct()
        assert federation.states == ["WAITING_FOR_NODES", "SUBMITTED", "RUNNING", "FINISHED"]
        assert [status.message for status in federation.said[:3]] == [
            "The SuperLink cannot be asked yet: not yet",
            "0 of 2 SuperNodes are online",
            "1 of 2 SuperNodes are online (a)",
        ]
        assert [status.rounds for status in federation.said if status.state == RunState.RUNNING] == [
            "1/3",
            "2/3",
            "3/3",
        ]
        assert end.attributes() == {
            "FLOWER_RUN_STATE": "FINISHED",
            "FLOWER_RUN_ID": "4711",
            "FLOWER_RUN_ROUNDS": "3/3",
            "FLOWER_RUN_ACCURACY": "0.9200",
            "FLOWER_RUN_LOSS": "0.3333",
            "FLOWER_RUN_MESSAGE": f"Model and figures are in {tmp_path}/runs/4711 of this VM",
        }

    def test_the_role_gets_what_the_context_asks_for(self, tmp_path: Path) -> None:
        federation = Federation(tmp_path, [BOTH], [GOOD])
        federation.conduct()
        given = federation.variables[0]
        assert given["run_config"] == {"num-server-rounds": 3, "min-nodes": 2, "seed": 7}
        assert (given["run_min_nodes"], given["appliance_run_nodes"]) == (2, ["a", "b"])
        assert Path(given["run_app"], "pyproject.toml").is_file()
        assert given["run_label"].startswith(f"appliance-{WANTED.digest[:12]}-1")

    @pytest.mark.parametrize("plays", [[GOOD], [[look(0), ApplyFailed("node b failed")]]])
    def test_a_reboot_trains_nothing_twice(self, tmp_path: Path, plays: list[Any]) -> None:
        first = Federation(tmp_path, [BOTH], plays).conduct()
        second = Federation(tmp_path, [], [])
        assert second.conduct() == first
        assert second.said == [first], "OneGate forgets nothing, but the page in /run is gone"

    def test_another_context_trains_anew(self, tmp_path: Path) -> None:
        Federation(tmp_path, [BOTH], [GOOD]).conduct()
        federation = Federation(tmp_path, [BOTH], [[look(3, "4712")]])
        end = federation.conduct(Wanted("poc", rounds=4, min_nodes=2, seed=7))
        assert (end.state, end.run_id, end.number) == ("FINISHED", "4712", 2)

    def test_asked_again_it_gets_another_label(self, tmp_path: Path) -> None:
        first, second = Federation(tmp_path, [BOTH], [GOOD]), Federation(tmp_path, [BOTH], [GOOD])
        first.conduct()
        second.conduct(again=True)
        assert first.variables[0]["run_label"] != second.variables[0]["run_label"]

    def test_a_run_that_fails_says_why_and_is_not_repeated(self, tmp_path: Path) -> None:
        cause = ApplyFailed("Run 4711: node b failed in round 2: no data")
        federation = Federation(tmp_path, [BOTH], [[look(1), cause]])
        end = federation.conduct()
        assert (end.state, end.message, end.rounds) == ("FAILED", str(cause), "1/3")
        assert federation.plays == []

    def test_a_play_that_reached_no_run_is_repeated_and_not_for_ever(self, tmp_path: Path) -> None:
        failing = [ApplyFailed("1 SuperNodes are online, 2 must be")]
        federation = Federation(tmp_path, [BOTH] * 5, [failing] * 5)
        assert federation.conduct().state == "FAILED"
        assert len(federation.slept) == 4
        healed = Federation(tmp_path / "other", [BOTH] * 2, [failing, GOOD])
        assert healed.conduct().state == "FINISHED"
        assert healed.said[1].message == "1 SuperNodes are online, 2 must be"

    def test_a_run_that_goes_on_is_found_by_its_label(self, tmp_path: Path) -> None:
        Store(tmp_path).write(Status(WANTED.digest, 3, RunState.RUNNING, "4711", "1/3"))
        federation = Federation(tmp_path, [["SuperLink is away", ["a"]]], [GOOD[1:]])
        end = federation.conduct()
        assert (end.state, end.run_id) == ("FINISHED", "4711")
        assert federation.states == ["RUNNING", "FINISHED"], "it never waited for nodes again"
        assert federation.variables[0]["run_label"] == Status(WANTED.digest, 3).label
        # Those that are online now are enough to follow it.
        assert (federation.variables[0]["run_min_nodes"], federation.variables[0]["appliance_run_nodes"]) == (0, ["a"])

    def test_a_run_that_died_with_the_machine_is_submitted_once_more(self, tmp_path: Path) -> None:
        Store(tmp_path).write(Status(WANTED.digest, 1, RunState.RUNNING, "4711", "1/3"))
        died = ApplyFailed("Run 4711 failed: No heartbeat received from the task")
        federation = Federation(tmp_path, [BOTH] * 2, [[look(1), died], [look(3, "4712")]])
        end = federation.conduct()
        assert (end.state, end.run_id) == ("FINISHED", "4712")
        twice = Federation(tmp_path / "twice", [BOTH] * 2, [[look(1), died], [look(1, "4712"), died]])
        Store(tmp_path / "twice").write(Status(WANTED.digest, 1, RunState.RUNNING, "4711", "1/3"))
        assert twice.conduct().state == "FAILED"

    def test_a_damaged_memory_is_none(self, tmp_path: Path) -> None:
        store = Store(tmp_path)
        store.write(Status(WANTED.digest))
        store.path.write_text('{"digest": 1, "what": 2}')
        assert store.read() is None

    def test_what_asks_for_the_nodes_may_end(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="has ended"):
            Federation(tmp_path, [["not yet"]], []).conduct()


class TestTeller:
    """OneGate, the journal and the page."""

    def test_what_onegate_did_not_hear_is_told_later(self, tmp_path: Path) -> None:
        heard: list[Mapping[str, str]] = []
        silent = [True]

        def publish(attributes: Mapping[str, str]) -> None:
            if silent[0]:
                raise OneGateUnreachable("nobody there")
            heard.append(attributes)

        gate: Any = SimpleNamespace(publish=publish)
        gate.patient = lambda *_pauses: gate
        teller = train.Teller(gate, tmp_path)
        teller.say(Status("d", message="one"))
        teller.say(Status("d", message="two"))
        assert not teller.settle()
        silent[0] = False
        assert teller.settle()
        assert [attributes["FLOWER_RUN_MESSAGE"] for attributes in heard] == ["two"]
        page = tmp_path / train.PAGE
        assert json.loads(page.read_text())["FLOWER_RUN_MESSAGE"] == "two"
        assert page.stat().st_mode & 0o777 == 0o644


class TestPlay:
    """Ansible stands in as a script that writes what the callback would."""

    def test_progress_is_handed_on_while_it_plays(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[Mapping[str, Any]] = []

        def apply(playbook: str, group: str, name: str, variables: Mapping[str, Any], **more: Any) -> None:
            assert (playbook, group, name, variables["a"], variables["b"]) == (
                "appliance_run.yml",
                "superlink",
                "x",
                1,
                2,
            )
            assert more["environment"]["ANSIBLE_CALLBACKS_ENABLED"] == "fact8ra_run"
            assert more["patience"] > variables["run_timeout"]
            with open(more["environment"]["FACT8RA_PROGRESS"], "a", encoding="utf-8") as stream:
                stream.write('{"run_id": "1"}\n')
            with open(more["environment"]["FACT8RA_PROGRESS"], "a", encoding="utf-8") as stream:
                stream.write('{"run_id": "2"}\n')
            raise ApplyFailed("it failed")

        monkeypatch.setattr(train, "apply", apply)
        with pytest.raises(ApplyFailed, match="it failed"):
            train.play(tmp_path, "x", {"a": 1})({"b": 2, "run_timeout": 36000}, seen.append)
        assert [line["run_id"] for line in seen] == ["1", "2"]

    def test_a_disk_that_is_full_fails_the_run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def apply(*_arguments: Any, **more: Any) -> None:
            Path(more["environment"]["FACT8RA_PROGRESS"]).write_text('{"run_id": "1"}\n')

        def progress(_line: Mapping[str, Any]) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(train, "apply", apply)
        with pytest.raises(ApplyFailed, match=r"cannot be kept: .*No space left"):
            train.play(tmp_path, "x", {})({}, progress)

    def test_the_nodes_are_read_line_by_line(self, tmp_path: Path) -> None:
        python = tmp_path / train.FLOWER_PYTHON
        python.parent.mkdir(parents=True)
        python.write_text('#!/bin/sh\necho \'{"error": "away"}\'\necho \'{"online": ["a"]}\'\nexec sleep 60\n')
        python.chmod(0o755)
        with train.online(tmp_path) as changes:
            assert [next(changes), next(changes)] == ["away", ["a"]]


class TestCallback:
    """What goes from the module to the progress file."""

    @pytest.fixture
    def callback(self) -> Any:
        path = COLLECTION / "roles/appliance/files/callback/fact8ra_run.py"
        spec = importlib.util.spec_from_file_location("fact8ra_run", path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def test_tells_of_runs_alone(self, callback: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "progress"
        monkeypatch.setenv("FACT8RA_PROGRESS", str(path))
        told = callback.CallbackModule()
        failed = {"failure": {"details": {"run": look(1, "4712")}}, "msg": "failed"}
        for action, result in (
            ("fact8ra.flower.flower_federation_info", look(1)),
            ("fact8ra.flower.flower_run", {"changed": False}),
            ("fact8ra.flower.flower_run", look(2)),
            ("fact8ra.flower.flower_run", failed),
        ):
            told.v2_runner_on_ok(SimpleNamespace(_task=SimpleNamespace(action=action), _result=result))
        lines = [json.loads(text) for text in path.read_text().splitlines()]
        assert [(line["run_id"], len(line["rounds"])) for line in lines] == [("4711", 2), ("4712", 1)]


def test_the_playbook_is_one_that_ansible_reads(tmp_path: Path) -> None:
    playbook = COLLECTION / "playbooks/appliance_run.yml"
    assert [play["hosts"] for play in yaml.safe_load(playbook.read_text())] == ["superlink", "superlink"]
    inventory = tmp_path / "hosts"
    inventory.write_text("[superlink]\nx ansible_connection=local\n")
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "--syntax-check", "-i", inventory, playbook],
        capture_output=True,
        text=True,
        check=False,
        cwd=COLLECTION,
    )
    assert done.returncode == 0, done.stderr
