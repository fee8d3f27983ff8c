# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Errors of the OpenNebula API: a code and a text, as XML-RPC answers carry them."""

from __future__ import annotations

from typing import Final

AUTHENTICATION: Final = 0x0100
AUTHORIZATION: Final = 0x0200
NO_EXISTS: Final = 0x0400
ACTION: Final = 0x0800
RPC_API: Final = 0x1000
INTERNAL: Final = 0x2000
ALLOCATE: Final = 0x4000


class OneError(Exception):
    """A refused call: ``code`` is the errno of the answer, ``text`` its message without the method's name."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class CallError(Exception):
    """A refused call as a client sees it: the text is led by the method's name in brackets."""

    def __init__(self, method: str, error: OneError) -> None:
        self.code = error.code
        self.text = f"[{method}] {error.text}"
        super().__init__(self.text)


def missing(label: str, object_id: int) -> OneError:
    """The answer for an object that does not exist, e.g. "Error getting virtual network [4242]."."""
    return OneError(NO_EXISTS, f"Error getting {label} [{object_id}].")
