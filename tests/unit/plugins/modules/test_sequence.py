# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The sequence of every module against the older releases; the playbooks of the sequences run against 7.4.0."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

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


INFO = {
    "kind": "info",
    "result": "images",
    "missing": {"without": ["endpoint"], "text": "missing required arguments: endpoint"},
    "pick": {"name": "flower-debian-12"},
    "zero": {"name": "flower-debian-12"},
    "unauthorised": {"options": {"name": "hidden"}},
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "thing"}, "kind is 'thing'"),
        ({"zero": None}, "give zero, or say under left_out why"),
        ({"left_out": {"zero": "not here"}}, "the reason to leave out zero is 'not here'; say why"),
        ({"left_out": {"quota": "OpenNebula has no quota on reading."}}, "left_out names 'quota'"),
        ({"that": {"created": ["true"]}}, "names ['created'], which are no steps of it"),
    ],
)
def test_what_is_missing_or_wrong_in_a_sequence_is_named(change: dict[str, Any], said: str) -> None:
    data = {key: value for key, value in {**INFO, **change}.items() if value is not None}
    with pytest.raises(sequence.BadSequence, match=re.escape(said)):
        sequence.Sequence("image_info", data)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"that": {"found": ["found.images == []"]}}, "not found.images == []"),
        ({"unauthorised": {"options": {"name": "flower-debian-12"}}}, "not hidden.images == []"),
        ({"missing": {"text": "missing required arguments"}}, "An option is missing"),
    ],
)
def test_a_step_that_does_not_hold_is_shown(
    change: dict[str, Any], said: str, where: dict[str, dict[str, str]], standin: StandIn
) -> None:
    with pytest.raises(AssertionError, match=re.escape(said)):
        sequence_inprocess.run(sequence.Sequence("image_info", {**INFO, **change}), standin, where)
