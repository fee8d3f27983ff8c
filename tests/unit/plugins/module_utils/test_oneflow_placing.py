# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""VMs that no host takes: which message of the scheduler counts, and when."""

from __future__ import annotations

from typing import Any

import pytest
from clock import Clock
from flow import vm
from recording import RecordingClient

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import OpenNebulaError
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.placing import PAUSE, STANDING, Placing

CAUSE = "[HOST] Unavailable PCI devices on hosts: 0,1"
FIRST, SECOND = f"Tue Nov 24 03:49:45 2026: {CAUSE}", f"Tue Nov 24 03:50:45 2026: {CAUSE}"


class Asked(Placing):
    """Placing whose VMs the test changes, and whose time it moves."""

    def __init__(self) -> None:
        self.time = Clock()
        self.answer: Any = {"VM": []}
        self.recorder = RecordingClient({"vmpool.infoextended": lambda *_args: self.answer})
        super().__init__(self.recorder, self.time)

    def after(self, seconds: float, *messages: str | None, gpus: int = 1) -> list[str]:
        """What is certain some seconds later, when the VMs 10, 11, ... have these messages; None for one that runs."""
        self.time.now += seconds
        self.answer = {"VM": [waiting(10 + place, message, gpus) for place, message in enumerate(messages)]}
        return self.causes([10 + place for place in range(len(messages))])


def waiting(number: int, message: str | None, gpus: int = 1) -> dict[str, Any]:
    raw = vm(number, f"supernode_{number}_(service_7)")
    raw["TEMPLATE"] = {**raw["TEMPLATE"], "PCI": [{"VENDOR": "10de"}] * gpus}
    if message is None:
        return raw
    return {**raw, "STATE": "1", "LCM_STATE": "0", "USER_TEMPLATE": {"SCHED_MESSAGE": message} if message else ""}


def test_a_cause_that_the_scheduler_writes_twice_is_certain() -> None:
    asked = Asked()
    assert asked.after(PAUSE, FIRST) == []
    assert asked.after(PAUSE, FIRST) == []
    assert asked.after(PAUSE, SECOND) == [CAUSE]


def test_a_message_that_goes_away_is_none() -> None:
    asked = Asked()
    assert asked.after(PAUSE, FIRST) == []
    assert asked.after(60, None) == []
    assert asked.after(STANDING, None) == []


def test_another_cause_starts_anew() -> None:
    asked = Asked()
    assert asked.after(PAUSE, FIRST) == []
    assert asked.after(60, "Tue Nov 24 03:50:45 2026: [HOST] Not enough CPU on hosts: 0") == []
    assert asked.after(60, SECOND) == []


def test_each_cause_is_told_once_and_a_vm_without_a_message_waits() -> None:
    asked = Asked()
    assert asked.after(PAUSE, FIRST, FIRST, "") == []
    assert asked.after(PAUSE, SECOND, SECOND, "") == [CAUSE]


@pytest.mark.parametrize("message", [FIRST, CAUSE])
def test_a_cause_that_stands_long_counts_where_the_scheduler_is_silent(message: str) -> None:
    asked = Asked()
    assert asked.after(PAUSE, message) == []
    assert asked.after(STANDING - 1, message) == []
    assert asked.after(PAUSE, message) == [CAUSE]


def test_vms_are_asked_for_every_few_seconds_and_no_more_once_all_have_a_host() -> None:
    asked = Asked()
    for seconds in (0.0, PAUSE - 0.1, 0.2, 0.1, PAUSE):
        asked.after(seconds, FIRST, None)
    assert len(asked.recorder.calls) == 2
    for _unused in range(3):
        asked.after(PAUSE, None, None)
    assert len(asked.recorder.calls) == 3


def test_an_answer_that_fails_is_not_the_end_of_the_wait() -> None:
    asked = Asked()
    asked.recorder.answers["vmpool.infoextended"] = OpenNebulaError("down", code="connection_failed")
    asked.time.now += PAUSE
    assert asked.causes([10]) == []


@pytest.mark.parametrize(
    ("cause", "gpus", "ends"),
    [
        (CAUSE, 1, True),
        (CAUSE, 0, False),
        ("[HOST] Cannot allocate NUMA on hosts: 0", 1, True),
        ("[HOST] Cannot allocate NUMA on hosts: 0[HOST] Unavailable PCI devices on hosts: 1", 1, True),
        ("No host meets SCHED_REQUIREMENTS", 1, True),
        ("No host meets SCHED_REQUIREMENTS", 0, False),
        ("[HOST] Not enough MEMORY on hosts: 0,1", 1, False),
        ("[HOST] Not enough CPU on hosts: 0[HOST] Unavailable PCI devices on hosts: 1", 1, False),
        ("Cannot dispatch VM: No host meets capacity and SCHED_REQUIREMENTS: !(PUBLIC_CLOUD = YES)", 1, False),
        ("User is not authorized to use any host", 1, False),
    ],
)
def test_only_devices_that_no_host_has_end_a_wait_early(cause: str, gpus: int, ends: bool) -> None:
    asked = Asked()
    for minute in range(10):
        certain = asked.after(60, f"Tue Nov 24 03:{minute:02d}:45 2026: {cause}", gpus=gpus)
        assert certain == ([cause] if ends and minute else [])


def test_what_waits_for_memory_is_told_when_it_is_asked_for() -> None:
    asked = Asked()
    cause = "[HOST] Not enough MEMORY on hosts: 0"
    assert asked.after(PAUSE, f"Tue Nov 24 03:49:45 2026: {cause}", cause, None, "", gpus=0) == []
    assert asked.messages([10, 11, 12, 13]) == [cause]
    asked.recorder.answers["vmpool.infoextended"] = OpenNebulaError("down", code="connection_failed")
    assert asked.messages([10]) == []
