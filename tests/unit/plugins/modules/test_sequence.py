# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The sequence of every module against the older releases; 7.4.0 is what the playbooks of the sequences run against."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sequence
import sequence_inprocess
import sequence_world

from fact8ra_lab.standin.testing import StandIn

OLDER = ("6.8.0", "6.10.0")


@pytest.fixture(scope="module")
def where(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, str]]]:
    """A silent server and one that is not trusted."""
    with sequence_world.places(tmp_path_factory.mktemp("places")) as found:
        yield found


@pytest.mark.parametrize("version", OLDER)
@pytest.mark.parametrize("module", sequence.modules())
def test_sequence(
    module: str, version: str, where: dict[str, dict[str, str]], standin_of: Callable[[str], StandIn]
) -> None:
    sequence_inprocess.run(sequence.load(module), standin_of(version), where)
