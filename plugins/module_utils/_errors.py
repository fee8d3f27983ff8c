# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Errors that modules and plugins of this collection raise.

Private to the collection: it may change without notice.

Every message names the endpoint and the object and quotes what the server said, so that it can be read alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class OpenNebulaError(Exception):
    """Something that the user has to know about; never a defect of the collection.

    Attributes:
        message: text for people.
        code: word for programs, stable between releases.
        details: JSON-able facts behind the message (server text, last state, candidates, ...).
    """

    code: str = "error"

    def __init__(self, message: str, *, code: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code if code is not None else type(self).code
        self.details: dict[str, Any] = dict(details or {})

    def as_failure(self) -> dict[str, Any]:
        """Return the C(failure) value of a failed module: C({code, message, details})."""
        return {"code": self.code, "message": self.message, "details": self.details}


class ConnectionFailed(OpenNebulaError):
    """The endpoint could not be reached, its certificate was refused, or it does not speak the expected protocol."""

    code = "connection_failed"


class AuthenticationFailed(OpenNebulaError):
    """The server does not accept the user name and password."""

    code = "authentication_failed"


class NotAuthorized(OpenNebulaError):
    """The server knows the user but refuses the operation; exceeded quotas are reported this way as well."""

    code = "not_authorized"


class NotFound(OpenNebulaError):
    """An object that has to exist does not."""

    code = "not_found"


class Ambiguous(OpenNebulaError):
    """A name fits several objects; C(details["candidates"]) lists C({id, name, owner, group})."""

    code = "ambiguous"


class Refused(OpenNebulaError):
    """The server refused the operation, or reported success and did nothing; C(details["server"]) is its text."""

    code = "refused"


class InvalidInput(OpenNebulaError):
    """An option has a value that cannot work; the message says which and what would be right."""

    code = "invalid_input"


class MissingLibrary(OpenNebulaError):
    """A Python library that the module needs is not installed where the module runs."""

    code = "missing_library"


class ResourceTimeout(OpenNebulaError):
    """Waiting took longer than allowed; C(details["last_state"]) is what was seen last."""

    code = "timeout"

    def __init__(self, message: str, *, last_state: Any = None, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, details={**(details or {}), "last_state": last_state})
        self.last_state = last_state
