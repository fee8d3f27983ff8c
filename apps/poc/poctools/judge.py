# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Holds a run against what the proof of concept promises: each criterion with its figures, passed or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# What two runs must have in common to the last bit.
EXACT = ("loss", "accuracy", "digest")


@dataclass(frozen=True)
class Criterion:
    """One promise: ``wanted`` and ``found`` are for people, ``passed`` is None where it was not tried."""

    id: str
    title: str
    wanted: str
    found: str
    passed: bool | None


@dataclass(frozen=True)
class Limits:
    """What is promised: accuracies as shares of 1, the ratio as a factor."""

    rounds: int
    accuracy: float
    gap: float
    ratio: float


def judge(
    run: Mapping[str, Any],
    manifest: Mapping[str, Any],
    central: Mapping[str, Any],
    limits: Limits,
    repeat: Mapping[str, Any] | None = None,
    baseline: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return ``criteria`` (list), ``passed`` (all that were tried) and ``timings`` (seconds, ratio).

    ``run`` and ``repeat`` are run.json files of role run; ``manifest`` is that of ``partition``; ``central`` and
    ``baseline`` are results of the tools of these names.
    """
    rounds: list[Mapping[str, Any]] = list(run.get("rounds") or [])
    timing, timings = time_taken(rounds, baseline, limits)
    criteria = [
        participation(run, rounds, manifest, limits),
        accuracy(rounds, limits),
        parity(rounds, central, limits),
        repeatability(rounds, repeat),
        timing,
    ]
    return {
        "criteria": [asdict(criterion) for criterion in criteria],
        "passed": all(criterion.passed is not False for criterion in criteria),
        "timings": timings | {"run": run.get("seconds"), "central": central["seconds"]},
        "central": dict(central),
        "data": {"nodes": manifest["nodes"], "held_out": manifest["held_out"], "alpha": manifest["alpha"]},
    }


def participation(
    run: Mapping[str, Any], rounds: Sequence[Mapping[str, Any]], manifest: Mapping[str, Any], limits: Limits
) -> Criterion:
    """Every node of the manifest trained in every round, on all the examples that are its own."""
    names = sorted(manifest["nodes"])
    faults = []
    if run.get("status") != "finished:completed":
        faults.append(f"the run ended as {run.get('status')}")
    if len(rounds) != limits.rounds:
        faults.append(f"{len(rounds)} rounds were reported")
    for row in rounds:
        missing = sorted(set(names) - set(row.get("participants") or []))
        strange = sorted(set(row.get("participants") or []) - set(names))
        faults += [f"round {row['round']}: {name} did not take part" for name in missing]
        faults += [f"round {row['round']}: {name} is not one of them" for name in strange]
        if row.get("failures"):
            faults.append(f"round {row['round']}: {row['failures']} failures")
        for name, training in (row.get("training") or {}).items():
            own = manifest["nodes"].get(name, {}).get("examples")
            if own is not None and training["examples"] != own:
                faults.append(f"round {row['round']}: {name} trained on {training['examples']} examples, not {own}")
    shares = ", ".join(f"{name} {manifest['nodes'][name]['examples']}" for name in names)
    return Criterion(
        id="participation",
        title="Every node trains in every round",
        wanted=f"{len(names)} nodes in {limits.rounds} rounds, no failures",
        found="; ".join(faults) or f"{len(names)} of {len(names)} in each of {len(rounds)} (examples: {shares})",
        passed=not faults,
    )


def accuracy(rounds: Sequence[Mapping[str, Any]], limits: Limits) -> Criterion:
    """The last round's accuracy on the held-out examples."""
    last = rounds[-1]["accuracy"] if rounds else None
    return Criterion(
        id="accuracy",
        title="The model is good",
        wanted=f"accuracy of at least {limits.accuracy:.3f} on examples no node has",
        found="no round was reported" if last is None else f"{last:.4f}",
        passed=last is not None and last >= limits.accuracy,
    )


def parity(rounds: Sequence[Mapping[str, Any]], central: Mapping[str, Any], limits: Limits) -> Criterion:
    """The distance to the model that saw all the data."""
    last = rounds[-1]["accuracy"] if rounds else None
    # Accuracies are multiples of 1/examples: what is left of a binary fraction must not decide.
    gap = None if last is None else round(central["accuracy"] - last, 9)
    if gap is None:
        found = "no round was reported"
    else:
        distance = f"{abs(gap) * 100:.2f} points {'behind' if gap > 0 else 'ahead'}" if gap else "the same"
        found = f"{last:.4f} against {central['accuracy']:.4f}: {distance}"
    return Criterion(
        id="parity",
        title="Federation costs next to no accuracy",
        wanted=f"at most {limits.gap * 100:g} points behind the same model trained on pooled data",
        found=found,
        passed=gap is not None and gap <= limits.gap,
    )


def repeatability(rounds: Sequence[Mapping[str, Any]], repeat: Mapping[str, Any] | None) -> Criterion:
    """Whether a second run with the same seed gave the same rounds to the last bit."""
    title, wanted = "A run can be repeated", "the same seed gives the same loss, accuracy and weights, bit for bit"
    if repeat is None:
        return Criterion("repeatability", title, wanted, "not tried", None)
    again: list[Mapping[str, Any]] = list(repeat.get("rounds") or [])
    faults = [
        f"round {one['round']}: {key} {one.get(key)!r} and {two.get(key)!r}"
        for one, two in zip(rounds, again, strict=False)
        for key in EXACT
        if one.get(key) is None or one.get(key) != two.get(key)
    ]
    if not again or len(again) > len(rounds):
        faults.append(f"the second run reported {len(again)} rounds, the first {len(rounds)}")
    found = "; ".join(faults) or f"rounds 1 to {len(again)} of a second run are equal to those of the first"
    return Criterion("repeatability", title, wanted, found, not faults)


def time_taken(
    rounds: Sequence[Mapping[str, Any]], baseline: Mapping[str, Any] | None, limits: Limits
) -> tuple[Criterion, dict[str, Any]]:
    """The rounds' seconds, against as many rounds of bare Flower on the controller."""
    title = "Deployment costs little time"
    wanted = f"rounds take at most {limits.ratio:g} times as long as on bare flwr without TLS and keys"
    training = round(sum(row["seconds"] for row in rounds), 3)
    timings: dict[str, Any] = {"training": training, "round": round(training / len(rounds), 3) if rounds else None}
    if baseline is None:
        return Criterion("time", title, wanted, f"{training:.1f} s of training; bare flwr was not tried", None), timings
    count = min(len(rounds), len(baseline["rounds"]))
    if not count:
        return Criterion("time", title, wanted, "there are no rounds to compare", False), timings
    ours = sum(row["seconds"] for row in rounds[:count])
    bare = sum(row["seconds"] for row in baseline["rounds"][:count])
    ratio = ours / bare
    same = all(
        one.get(key) == two.get(key)
        for one, two in zip(rounds[:count], baseline["rounds"][:count], strict=True)
        for key in EXACT
    )
    timings |= {
        "compared_rounds": count,
        "compared": round(ours, 3),
        "bare": round(bare, 3),
        "ratio": round(ratio, 3),
        "same_metrics_as_bare": same,
    }
    compared = f"{ours:.1f} s against {bare:.1f} s for rounds 1 to {count}"
    found = f"{compared}: {ratio:.2f} times; all {len(rounds)} rounds took {training:.1f} s"
    return Criterion("time", title, wanted, found, ratio <= limits.ratio), timings


def table(judgement: Mapping[str, Any]) -> list[str]:
    """Return the criteria as lines of text, one or two a criterion."""
    marks = {True: "PASS", False: "FAIL", None: "----"}
    lines = []
    for criterion in judgement["criteria"]:
        lines.append(f"{marks[criterion['passed']]}  {criterion['title']}: {criterion['wanted']}")
        lines.append(f"      {criterion['found']}")
    return lines
