# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The sequence of every module of the action group, by ansible-playbook, against a stand-in of its own.

The steps come from C(tests/support/sequence.py) and from the module's C(sequence.yml).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sequence
import sequence_world
from sequence_playbook import playbook
from target_playbooks import ACTION_GROUP, run_playbook

from fact8ra_lab.standin.testing import StandIn


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """A silent server and one that is not trusted."""
    with sequence_world.places(tmp_path_factory.mktemp("places")) as found:
        yield found


@pytest.mark.parametrize("module", sequence.modules())
def test_sequence(module: str, where: dict[str, dict[str, str]], standin: StandIn, tmp_path: Path) -> None:
    described = sequence.load(module)
    variables = sequence_world.prepared(described, standin, where)
    run_playbook(playbook(described, standin, variables), standin, tmp_path)


def test_every_module_of_the_action_group_has_a_sequence(capsys: pytest.CaptureFixture[str]) -> None:
    assert sequence.modules() == sorted(ACTION_GROUP)
    with capsys.disabled():
        print("\nSteps that a module's sequence leaves out:")
        for module in sequence.modules():
            for step, reason in sequence.load(module).left_out.items():
                print(f"  {module}: {step}: {reason}")
