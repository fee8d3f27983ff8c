# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Errors that modules and plugins of this collection raise.

Private to the collection: it may change without notice.

Every message names the endpoint and the object and quotes what the server said, so that it can be read alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

LIFTED = {"object": "object", "id": "id", "operation": "operation", "server_message": "server"}
"""Keys of C(failure) that are taken out of the details, to their names there."""


class OpenNebulaError(Exception):
    """Something that the user has to know about; never a defect of the collection.

    Attributes:
        message: text for people.
        code: word for programs, stable between releases.
        details: JSON-able facts behind the message (option, last state, candidates, ...). C(object) is the kind and the
            name of what it is about, C(id) its id, C(operation) the call that failed, C(server) the server's own text.
    """

    code: str = "error"

    def __init__(self, message: str, *, code: str | None = None, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code if code is not None else type(self).code
        self.details: dict[str, Any] = dict(details or {})

    def as_failure(self) -> dict[str, Any]:
        """Return the C(failure) value of a failed module.

        Returns:
            C({code, object, id, operation, server_message, details}); what is not known is None, and C(details) has
            whatever else there is.
        """
        lifted = {key: self.details.get(name) for key, name in LIFTED.items()}
        rest = {name: value for name, value in self.details.items() if name not in LIFTED.values()}
        return {"code": self.code, **lifted, "details": rest}


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


@dataclass
class Subject:
    """The object that a module is about, as far as it is known.

    Attributes:
        word: its kind, in the words of the errors: C(virtual network).
        name: its name.
        id: its id.
    """

    word: str
    name: str | None = None
    id: int | None = None

    @property
    def object(self) -> str:
        """Kind and name, for C(failure)."""
        return thing(self.word, self.name)


def thing(word: str, name: str | None) -> str:
    """Return kind and name of an object, or only its kind: C(virtual network 'x')."""
    return word if name is None else f"{word} {name!r}"


_ELSEWHERE = frozenset({"connection_failed", "authentication_failed", "missing_library"})
"""Errors that are about no object."""


@contextmanager
def about(word: str, params: Mapping[str, Any]) -> Iterator[Subject]:
    """Say of errors from within that they are about an object, where they name no other one.

    Args:
        word: its kind, in the words of the errors.
        params: C(id) and C(name) of a module; what is found out later is set in the yielded subject.
    """
    subject = Subject(word, params.get("name"), params.get("id"))
    try:
        yield subject
    except OpenNebulaError as error:
        have, number = error.details.get("object"), error.details.get("id")
        if have is None and error.code in _ELSEWHERE:
            raise
        if (have is None and subject.id is None) or (have in (None, word) and number in (None, subject.id)):
            error.details["object"] = subject.object
            if subject.id is not None:
                error.details["id"] = subject.id
        raise
