# SPDX-License-Identifier: Apache-2.0
"""The lab that is attacked, and the table of promises, attempts and outcomes that is printed at the end.

With FACT8RA_LAB=running the tests use what runs and leave it running, which is for working on a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import promises
import pytest
from adversary import World
from promises import Attempt

PAGE = Path(__file__).parents[2] / "build" / "adversarial.md"
_made: list[Attempt] = []
_of_item = pytest.StashKey[Attempt]()


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Federations of two tenants over three sites, and a stranger on the WAN."""
    with World.started() as running:
        yield running


@pytest.fixture(autouse=True)
def attempt(request: pytest.FixtureRequest) -> Attempt:
    """What this test attempts; it has to note a control and an outcome."""
    made = promises.attempt_of(request.node)
    assert made is not None, "a test in here names the promise that it attacks: @promise(...)"
    request.node.stash[_of_item] = made
    _made.append(made)
    return made


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    """Fail a test that passed without having shown that it could fail."""
    result = yield
    made = pyfuncitem.stash[_of_item]
    assert not made.faults(), "; ".join(made.faults())
    made.held = True
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table and write it as a page."""
    if not _made:
        return
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(promises.markdown(_made), encoding="utf-8")
    terminalreporter.section("promises, attempts, outcomes")
    terminalreporter.write_line(promises.table(_made))
    broken = sum(1 for each in _made if not each.held)
    terminalreporter.write_line(f"{len(_made)} attempts, {broken} of them broke a promise or proved nothing")
