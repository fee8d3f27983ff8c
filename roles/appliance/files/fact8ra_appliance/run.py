# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The run that a SuperLink does by itself: ``ONEAPP_FLOWER_RUN_APP=poc``, by the role run, once for each context.

A file remembers what was asked and what became of it, so that a reboot trains nothing twice; a run that goes on is
found again by its label. What it needs of the machine is in train.py, which fact8ra-run.service runs.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from .apply import COLLECTION, ApplyFailed

#: Below the root: results by run id, and what became of the run that the context asks for.
RUNS: Final = "var/lib/fact8ra/runs"
MARKER: Final = f"{RUNS}/marker.json"
#: How often a play that reached no run is played again, and seconds between.
_ATTEMPTS: Final = 5
_PAUSE: Final = 15.0


class RunState(enum.StrEnum):
    """FLOWER_RUN_STATE in OneGate."""

    WAITING_FOR_NODES = "WAITING_FOR_NODES"
    SUBMITTED = "SUBMITTED"
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Wanted:
    """What the context asks for."""

    app: str
    rounds: int
    min_nodes: int
    seed: int

    @property
    def digest(self) -> str:
        """Changes with any of it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Status:
    """What became of it; `number` counts the askings, `digest` is of the one that this is about."""

    digest: str
    number: int = 1
    state: str = RunState.WAITING_FOR_NODES
    run_id: str = ""
    rounds: str = ""
    accuracy: str = ""
    loss: str = ""
    message: str = ""

    @property
    def label(self) -> str:
        """Name of the submission, by which the run is found again."""
        return f"appliance-{self.digest[:12]}-{self.number}"

    def attributes(self) -> dict[str, str]:
        """For OneGate; each is there, so that nothing of an earlier run stays."""
        return {
            "FLOWER_RUN_STATE": str(self.state),
            "FLOWER_RUN_ID": self.run_id,
            "FLOWER_RUN_ROUNDS": self.rounds,
            "FLOWER_RUN_ACCURACY": self.accuracy,
            "FLOWER_RUN_LOSS": self.loss,
            "FLOWER_RUN_MESSAGE": self.message[:1000],
        }


class Store:
    """The file that remembers."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.path = root / MARKER

    def read(self) -> Status | None:
        """What is remembered, None for nothing; a damaged file is nothing, as labels find a run that goes on."""
        try:
            return Status(**json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, status: Status) -> None:
        """Remember; raises OSError."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self.path.with_name(f".{self.path.name}.new")
        draft.write_text(json.dumps(asdict(status)) + "\n", encoding="utf-8")
        draft.replace(self.path)

    def begin(self, wanted: Wanted, again: bool = False) -> Status:
        """The status to go on with; another context, or `again`, begins anew."""
        known = self.read()
        if known is None:
            return Status(wanted.digest)
        if known.digest == wanted.digest and not again:
            return known
        return Status(wanted.digest, known.number + 1)


#: Gives the names of the SuperNodes that are online, or a sentence why they are unknown, whenever they change.
Watch = Callable[[], contextlib.AbstractContextManager[Iterator[list[str] | str]]]
#: Plays the role with these variables and hands every line of progress on; raises ApplyFailed.
Play = Callable[[Mapping[str, Any], Callable[[Mapping[str, Any]], None]], None]


class Conductor:
    """From waiting for nodes to the end of the run.

    Args:
        wanted: what the context asks for.
        store: remembers.
        say: tells people.
        watch: the nodes.
        play: the role.
        runs: directory of the results.
    """

    def __init__(
        self,
        wanted: Wanted,
        store: Store,
        say: Callable[[Status], None],
        watch: Watch,
        play: Play,
        runs: Path = Path("/") / RUNS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.wanted = wanted
        self.store = store
        self.watch = watch
        self.play = play
        self.runs = runs
        self.status = Status(wanted.digest)
        self._say = say
        self._sleep = sleep

    def conduct(self, again: bool = False) -> Status:
        """Train what was asked for unless it has been trained, and return what became of it; raises OSError."""
        self.status = self.store.begin(self.wanted, again)
        if self.status.state in (RunState.FINISHED, RunState.FAILED):
            self._say(self.status)
            return self.status
        # A run that this process did not begin may have died with the machine: it gets one more submission.
        inherited = self.status.run_id
        failures = 0
        while True:
            nodes = self._nodes(1 if inherited else self.wanted.min_nodes)
            if not inherited:
                self._note(state=RunState.SUBMITTED, message=f"{', '.join(nodes)} online")
            try:
                self.play(self._variables(nodes, 0 if inherited else self.wanted.min_nodes), self._progress)
            except ApplyFailed as error:
                if inherited and self.status.run_id == inherited:
                    inherited = ""
                    self._note(state=RunState.WAITING_FOR_NODES, run_id="", message=f"Begun anew: {error}")
                elif self.status.run_id:
                    return self._note(state=RunState.FAILED, message=str(error))
                else:
                    failures += 1
                    if failures == _ATTEMPTS:
                        return self._note(state=RunState.FAILED, message=str(error))
                    self._note(state=RunState.WAITING_FOR_NODES, message=str(error))
                    self._sleep(_PAUSE)
            else:
                where = self.runs / self.status.run_id
                return self._note(state=RunState.FINISHED, message=f"Model and figures are in {where} of this VM")

    def _nodes(self, least: int) -> list[str]:
        """Wait until so many SuperNodes are online, and say what is missing."""
        with self.watch() as changes:
            for found in changes:
                if isinstance(found, list) and len(found) >= least:
                    return found
                if isinstance(found, list):
                    who = f" ({', '.join(found)})" if found else ""
                    message = f"{len(found)} of {least} SuperNodes are online{who}"
                else:
                    message = f"The SuperLink cannot be asked yet: {found}"
                if self.status.run_id:
                    self._note(message=message)
                else:
                    self._note(state=RunState.WAITING_FOR_NODES, message=message)
        raise OSError("what asks for the SuperNodes has ended")

    def _variables(self, nodes: Sequence[str], least: int) -> dict[str, Any]:
        """Variables of the role run; with 0 the nodes that are named are those that must be online."""
        return {
            "appliance_run_nodes": list(nodes),
            "run_app": str(COLLECTION / "apps" / self.wanted.app),
            "run_label": self.status.label,
            "run_config": {
                "num-server-rounds": self.wanted.rounds,
                "min-nodes": self.wanted.min_nodes,
                "seed": self.wanted.seed,
            },
            "run_min_nodes": least,
            # More than a run ever takes: the role's own limits for runs that are stuck are the ones that count.
            "run_timeout": 3600 + 900 * self.wanted.rounds,
            "run_required_files": ["model.npz", "metrics.json"],
            "run_results_directory": str(self.runs),
        }

    def _progress(self, seen: Mapping[str, Any]) -> None:
        """Take in what flower_run told."""
        rounds = [row for row in seen.get("rounds") or [] if isinstance(row, Mapping)]
        last = seen.get("metrics") or (rounds[-1] if rounds else {})
        total = seen.get("rounds_total") or self.wanted.rounds
        running = bool(rounds) or seen.get("status") == "running"
        self._note(
            state=RunState.RUNNING if running else RunState.SUBMITTED,
            run_id=str(seen["run_id"]),
            rounds=f"{len(rounds)}/{total}",
            accuracy=_figure(last.get("accuracy")),
            loss=_figure(last.get("loss")),
            message="",
        )

    def _note(self, **changes: Any) -> Status:
        """Remember and tell, where something changed."""
        fresh = replace(self.status, **changes)
        if fresh != self.status:
            self.status = fresh
            self.store.write(fresh)
            self._say(fresh)
        return fresh


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else ""
