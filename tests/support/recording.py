# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A client of oned that answers from a script and records what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client

Answer = Any | Callable[..., Any]


class RecordingClient(Client):
    """Stands in for C(Client): C(answers) maps methods to a value, an error, or a function of the parameters."""

    def __init__(self, answers: dict[str, Answer], username: str = "flower") -> None:
        # no call of the parent, which would load pyone
        self.target = Target("http://one:2633/RPC2", username, "secret")
        self.answers = answers
        self.calls: list[tuple[Any, ...]] = []

    def call(self, method: str, *params: Any, what: str) -> Any:
        """Record the call and answer it; a method without an answer fails the test."""
        assert what, "every call says what it is for"
        self.calls.append((method, *params))
        answer = self.answers[method]
        if isinstance(answer, Exception):
            raise answer
        return answer(*params) if callable(answer) else answer

    @property
    def methods(self) -> list[str]:
        """The methods that were called, in order."""
        return [call[0] for call in self.calls]


def pool_object(number: int, name: str, owner: str = "flower", **more: Any) -> dict[str, Any]:
    """An object as a pool has it: id, name, owner (uid 0 for oneadmin, 2 otherwise), group and the mode 600."""
    bits = {f"{who}_{right}": "0" for who in ("OWNER", "GROUP", "OTHER") for right in "UMA"}
    return {
        "ID": str(number),
        "NAME": name,
        "UID": "0" if owner == "oneadmin" else "2",
        "GID": "0" if owner == "oneadmin" else "100",
        "UNAME": owner,
        "GNAME": owner,
        "PERMISSIONS": {**bits, "OWNER_U": "1", "OWNER_M": "1"},
        "TEMPLATE": "",
        **more,
    }
