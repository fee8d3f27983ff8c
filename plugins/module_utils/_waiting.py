# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for an object to come to a state.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import ResourceTimeout

T = TypeVar("T")

FIRST_DELAY = 0.1
"""Seconds before the second look."""
MAX_DELAY = 2.0
"""Most seconds between two looks."""


def wait_for(
    poll: Callable[[], T],
    done: Callable[[T], bool],
    *,
    what: str,
    timeout: float,
    state: Callable[[T], object] = lambda seen: seen,
    check: Callable[[T], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Poll until C(done) is true and return what was seen then.

    The first look is at once, the pauses grow from 0.1 to 2 seconds and the last look is at the deadline.

    Args:
        poll: looks at the object; what it raises ends the wait.
        done: whether what was seen is what is waited for.
        what: what is waited for, as in "virtual network 'x' (7) at http://one:2633/RPC2 to become READY".
        timeout: seconds on the monotonic clock; 0 or less means one look.
        state: the part of what was seen that a timeout shows; must be JSON-able.
        check: raises an error for a state from which C(done) cannot be reached any more.

    Raises:
        ResourceTimeout: C(timeout) passed; C(last_state) is what C(state) made of the last look.
    """
    deadline = clock() + timeout
    delay = FIRST_DELAY
    while True:
        seen = poll()
        if done(seen):
            return seen
        if check is not None:
            check(seen)
        left = deadline - clock()
        if left <= 0:
            last = state(seen)
            raise ResourceTimeout(f"Waited {timeout:g} s for {what}; the last state seen was {last}.", last_state=last)
        sleep(min(delay, left))
        delay = min(delay * 1.5, MAX_DELAY)
