# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Running the steps of a sequence in this process: no playbook, but the same options and the same conditions."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from module_runner import ModuleFailed
from opennebula_site import Site
from sequence import Sequence
from sequence_model import Step
from sequence_world import Variables, holds, module_named, prepared, rendered

from fact8ra_lab.standin.testing import StandIn

STEP_SECONDS = 10


@dataclass
class _Site(Site):
    without: tuple[str, ...] = ()

    @property
    def connection(self) -> dict[str, Any]:
        """The connection options, but for those that a step leaves out."""
        return {name: value for name, value in super().connection.items() if name not in self.without}


def run(sequence: Sequence, standin: StandIn, where: dict[str, dict[str, str]]) -> None:
    """Run all steps; fails the test at the first condition that does not hold."""
    variables = prepared(sequence, standin, where)
    for step in sequence.steps:
        _step(sequence.module, step, standin, variables)


def _step(module: str, step: Step, standin: StandIn, variables: Variables) -> None:
    for fault in step.faults:
        standin.faults.add(rendered(dict(fault), variables))
    for method, *params in rendered(list(step.calls), variables):
        standin.one(method, *params)
    site = _Site(standin, standin.admin if step.admin else standin.tenant, without=step.without)
    options = rendered(dict(step.options), variables)
    started = time.monotonic()
    result: dict[str, Any]
    try:
        result = site.run(module_named(module), check=step.check, diff=True, **options)
    except ModuleFailed as failed:
        result = failed.result
    taken = time.monotonic() - started
    standin.faults.clear()
    variables[step.name] = {"failed": False, **result}
    variables["traffic"] = {"calls": site.calls + site.flow_calls, "writes": site.writes}
    shown = f"{module}: {step.title} ({step.name}) returned {result} by {variables['traffic']['calls']}"
    assert bool(result.get("failed")) == step.fails, shown
    assert taken < STEP_SECONDS, shown
    for condition in step.that:
        assert holds(condition, variables), f"not {condition}\n{shown}"
