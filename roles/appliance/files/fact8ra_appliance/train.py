# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""``python -m fact8ra_appliance.train [--again]``, by fact8ra-run.service: what run.py needs of the machine.

The SuperNodes are asked for by nodes.py in Flower's environment, the role run is played by Ansible, and what becomes of
the run is told to OneGate, the journal and a file in /run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from .apply import COLLECTION, ApplyFailed, apply
from .boot import SUPERLINK
from .context import ContextMissing, read
from .machine import Image, gate
from .onegate import OneGate, OneGateError
from .run import RUNS, Conductor, Status, Store, Wanted
from .trouble import Trouble
from .values import validate

#: Below the root: what became of the run, for people and programs on the VM, and what Ansible needs for it.
PAGE: Final = "run/fact8ra/run.json"
SCRATCH: Final = "run/fact8ra/run.d"
FLOWER_PYTHON: Final = "opt/flower/venv/bin/python"
#: Seconds between attempts to tell OneGate the end of a run, and how many.
_PAUSE: Final = 30.0
_ATTEMPTS: Final = 20


class Teller:
    """Tells a status; OneGate is told when it can be, and never waited for while a run goes on."""

    def __init__(self, gate: OneGate | None, root: Path = Path("/")) -> None:
        self.gate = gate
        self.root = root
        self.owed: Status | None = None

    def say(self, status: Status) -> None:
        """Say it everywhere."""
        print(" ".join(f"{name}={value!r}" for name, value in status.attributes().items() if value), flush=True)
        path = self.root / PAGE
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            draft = path.with_name(f".{path.name}.new")
            draft.write_text(json.dumps(status.attributes(), indent=1) + "\n", encoding="utf-8")
            draft.chmod(0o644)
            draft.replace(path)
        self.owed = status
        self.settle(patient=False)

    def settle(self, patient: bool = True) -> bool:
        """Tell OneGate what it does not know yet; returns whether it knows all."""
        if self.gate is None or self.owed is None:
            return True
        try:
            (self.gate if patient else self.gate.patient()).publish(self.owed.attributes())
        except OneGateError as error:
            print(f"OneGate could not be told of the run: {error}", file=sys.stderr, flush=True)
            return False
        self.owed = None
        return True


@contextlib.contextmanager
def online(root: Path = Path("/")) -> Iterator[Iterator[list[str] | str]]:
    """The SuperNodes that are online, whenever that changes."""
    command = [str(root / FLOWER_PYTHON), "-m", "fact8ra_appliance.nodes"]
    # The collection lies in ansible_collections/fact8ra of what Python is to search.
    path = f"{Path(__file__).resolve().parents[1]}:{COLLECTION / '../../..'}"
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/root", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = process.stdout
        try:
            yield (found.get("online", found.get("error", "")) for found in map(json.loads, lines))
        finally:
            process.terminate()


def play(root: Path, name: str, more: Mapping[str, Any]) -> Callable[..., None]:
    """What plays the role run, with variables for every play."""

    def conduct(variables: Mapping[str, Any], progress: Callable[[Mapping[str, Any]], None]) -> None:
        path = root / SCRATCH / "progress"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
        ended = threading.Event()
        problems: list[OSError] = []

        def tail() -> None:
            with path.open(encoding="utf-8") as stream:
                last = False
                while not last:
                    # One more look after the play, whose end wrote the figures.
                    last = ended.wait(0.5)
                    for text in stream.readlines():
                        try:
                            progress(json.loads(text))
                        except OSError as error:
                            problems.append(error)

        follower = threading.Thread(target=tail)
        follower.start()
        try:
            apply(
                "appliance_run.yml",
                "superlink",
                name,
                {**more, **variables},
                root=root,
                scratch=SCRATCH,
                environment={"ANSIBLE_CALLBACKS_ENABLED": "fact8ra_run", "FACT8RA_PROGRESS": str(path)},
                # The role's own limit comes first.
                patience=float(variables.get("run_timeout", 3600)) + 1800,
            )
        finally:
            ended.set()
            follower.join()
        if problems:
            raise ApplyFailed(f"what became of the run cannot be kept: {problems[0]}")

    return conduct


def main(arguments: list[str] | None = None, root: Path = Path("/")) -> int:
    """Do the run that the context asks for; exit 0 when there is none, or when it is over, whatever came of it."""
    parser = argparse.ArgumentParser(prog="fact8ra-run", description=__doc__)
    parser.add_argument("--again", action="store_true", help="train once more what has been trained")
    again = parser.parse_args(arguments).again
    try:
        image, context = Image.read(root), read(root).variables
    except (ContextMissing, Trouble) as error:
        # The boot has told so, too.
        print(error, file=sys.stderr)
        return 0
    judged = validate(context, image.kind, image.flavour)
    variables = judged.variables
    app = str(variables.get("appliance_run_app", "none"))
    if image.kind != "superlink" or judged.problems or app == "none":
        return 0
    wanted = Wanted(
        app,
        int(variables["appliance_run_rounds"]),
        int(variables["appliance_run_min_nodes"]),
        int(variables["appliance_run_seed"]),
    )
    teller = Teller(gate(context), root)
    name = str(variables.get("federation_name", "flower"))
    conductor = Conductor(
        wanted,
        Store(root),
        teller.say,
        lambda: online(root),
        play(root, SUPERLINK, {"federation_name": name}),
        root / RUNS,
    )
    status = conductor.conduct(again)
    for _unused in range(_ATTEMPTS):
        if teller.settle():
            break
        time.sleep(_PAUSE)
    print(f"{status.state}: {status.message}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
