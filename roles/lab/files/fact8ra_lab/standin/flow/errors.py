# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""How OneFlow fails."""

from __future__ import annotations

from ..errors import AUTHENTICATION, AUTHORIZATION, NO_EXISTS, CallError


class FlowError(Exception):
    """A refused request: HTTP status and the plain text of the body."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class RubyError(Exception):
    """What is an uncaught exception in OneFlow: answered with 500 and JSON. In its own threads it ends the work."""


class InvalidTemplate(Exception):
    """A template that its schema does not allow (Validator::ParseException)."""


def of_call(error: CallError) -> FlowError:
    """The answer to a call that OpenNebula refused: 401 for a lacking right, 403 for a bad password, 404, else 500."""
    status = {AUTHORIZATION: 401, AUTHENTICATION: 403, NO_EXISTS: 404}.get(error.code, 500)
    return FlowError(status, error.text)
