# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Why an appliance does not go on: a state that the tenant sees, and a sentence that says what to do."""

from __future__ import annotations


class Trouble(Exception):
    """What stands between a SuperNode and its SuperLink.

    Attributes:
        state: name of a report.State.
        variable: variable of the context that it is about, empty for none.
        again: whether waiting may help; otherwise somebody has to change something.
    """

    def __init__(self, state: str, message: str, *, variable: str = "", again: bool = False) -> None:
        super().__init__(message)
        self.state = state
        self.variable = variable
        self.again = again
