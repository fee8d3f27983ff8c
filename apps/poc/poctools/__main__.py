# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""``python -m poctools {partition,central,baseline,judge}``; each prints one JSON object. Exit status 1: see stderr."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from poctools import judge as judging
from poctools.common import ToolError, configuration, read_json, write_json


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    root = argparse.ArgumentParser(prog="poctools", description=__doc__)
    commands = root.add_subparsers(dest="command", required=True)

    partition = commands.add_parser("partition", help="write each node's share of the data, and the held-out examples")
    partition.add_argument("--out", type=Path, required=True, help="directory to write to")
    partition.add_argument("--node", dest="nodes", action="append", required=True, help="name of a node; once for each")
    partition.add_argument("--seed", type=int, default=7)
    partition.add_argument(
        "--alpha", type=float, default=0.7, help="of the Dirichlet distribution; small: unequal shares"
    )
    partition.add_argument("--held-out", type=float, default=0.2, help="share of the examples kept for evaluation")
    partition.add_argument("--minimum", type=int, default=50, help="examples that every node gets at least")
    partition.add_argument("--plant", metavar="NODE", help="node that gets one planted image")

    central = commands.add_parser("central", help="train the same model on the pooled data")
    baseline = commands.add_parser("baseline", help="run the app on bare Flower on loopback")
    for command in (central, baseline):
        command.add_argument("--data", type=Path, required=True, help="directory that `partition` wrote")
        command.add_argument(
            "--config", action="append", default=[], metavar="KEY=VALUE", help="key of the run configuration"
        )
        command.add_argument("--out", type=Path, help="write the result here, too")
    baseline.add_argument("--timeout", type=float, default=300.0, help="seconds that the run may take")

    judge = commands.add_parser("judge", help="hold a run against the criteria")
    for name in ("run", "manifest", "central"):
        judge.add_argument(f"--{name}", type=Path, required=True, help=f"{name}.json")
    judge.add_argument("--repeat", type=Path, help="run.json of the second run")
    judge.add_argument("--baseline", type=Path, help="result of `baseline`")
    judge.add_argument("--rounds", type=int, required=True)
    judge.add_argument("--accuracy", type=float, default=0.93, help="least accuracy")
    judge.add_argument("--gap", type=float, default=0.02, help="largest distance to the central model")
    judge.add_argument("--ratio", type=float, default=2.0, help="largest ratio to bare Flower's seconds")
    judge.add_argument("--out", type=Path, help="write the result here, too")
    return root


def execute(given: argparse.Namespace) -> dict[str, Any]:
    """Do what the command line asks for; the tools are imported only where they are needed."""
    if given.command == "partition":
        from poctools.partition import partition

        return partition(
            given.nodes,
            given.out.resolve(),
            seed=given.seed,
            alpha=given.alpha,
            held_out=given.held_out,
            minimum=given.minimum,
            plant=given.plant,
        )
    if given.command == "central":
        from poctools.central import central

        return central(given.data.resolve(), configuration(given.config))
    if given.command == "baseline":
        from poctools.baseline import baseline

        nodes = sorted(read_json(given.data / "manifest.json")["nodes"])
        config = configuration([*given.config, f"min-nodes={len(nodes)}"])
        return baseline(given.data.resolve(), nodes, config, given.timeout)
    result = judging.judge(
        read_json(given.run),
        read_json(given.manifest),
        read_json(given.central),
        judging.Limits(given.rounds, given.accuracy, given.gap, given.ratio),
        read_json(given.repeat) if given.repeat else None,
        read_json(given.baseline) if given.baseline else None,
    )
    return result | {"table": judging.table(result)}


def main() -> int:
    """Run one tool; return the exit status."""
    given = parser().parse_args()
    try:
        result = execute(given)
    except (ToolError, ValueError) as error:
        print(f"poctools {given.command}: {error}", file=sys.stderr)
        return 1
    if getattr(given, "out", None) and given.command != "partition":
        result["changed"] = write_json(given.out, result)
    print(json.dumps(result, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
