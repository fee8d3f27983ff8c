# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Waiting, on a clock of its own."""

from __future__ import annotations

import pytest
from clock import Clock

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import Refused, ResourceTimeout
from ansible_collections.fact8ra.flower.plugins.module_utils._waiting import MAX_DELAY, wait_for


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


def test_what_is_there_at_once_costs_no_time(clock: Clock) -> None:
    assert wait_for(lambda: 1, lambda seen: seen == 1, what="it", timeout=0, clock=clock, sleep=clock.sleep) == 1
    assert clock.naps == []


def test_pauses_grow_up_to_a_limit(clock: Clock) -> None:
    wait_for(lambda: clock.now, lambda now: now > 1030, what="it", timeout=60, clock=clock, sleep=clock.sleep)
    assert clock.naps == sorted(clock.naps)
    assert clock.naps[0] == 0.1
    assert clock.naps[-1] == MAX_DELAY


def test_a_timeout_says_what_was_waited_for_and_seen(clock: Clock) -> None:
    with pytest.raises(
        ResourceTimeout, match=r"^Waited 5 s for x to be READY; the last state seen was INIT\.$"
    ) as caught:
        wait_for(lambda: "INIT", lambda seen: False, what="x to be READY", timeout=5, clock=clock, sleep=clock.sleep)
    assert caught.value.details["last_state"] == "INIT"
    assert clock.now == pytest.approx(1005)


def test_the_last_look_is_at_the_deadline(clock: Clock) -> None:
    looks: list[float] = []

    def look() -> bool:
        looks.append(clock.now)
        return clock.now >= 1003

    assert wait_for(look, bool, what="it", timeout=3, clock=clock, sleep=clock.sleep)
    assert looks[-1] == pytest.approx(1003)


def test_a_hopeless_state_ends_the_wait_at_once(clock: Clock) -> None:
    def check(seen: str) -> None:
        raise Refused(f"it is {seen}")

    with pytest.raises(Refused, match="it is ERROR"):
        wait_for(
            lambda: "ERROR", lambda seen: False, what="it", timeout=600, check=check, clock=clock, sleep=clock.sleep
        )
    assert clock.naps == []
