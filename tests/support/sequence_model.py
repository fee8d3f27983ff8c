# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What C(sequence.yml) says of a module, and what a step is; see C(sequence)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OBJECT_STEPS = (
    "missing",
    "create",
    "update",
    "zero",
    "lie",
    "rename",
    "owner",
    "unauthorised",
    "silent",
    "wrong_ca",
    "delete",
    "quota",
)
INFO_STEPS = ("missing", "read", "zero", "absent", "unauthorised", "silent", "wrong_ca")
CHECK_STEPS = ("missing", "read", "unauthorised", "silent", "wrong_ca")
STEPS = {"object": OBJECT_STEPS, "info": INFO_STEPS, "check": CHECK_STEPS}
SHORTEST_REASON = 20


class BadSequence(Exception):
    """A C(sequence.yml) that lacks something; the text says what."""


@dataclass(frozen=True)
class Step:
    """One run of a module and what has to be true afterwards.

    Attributes:
        name: also the name of its result.
        title: what the step shows.
        options: of the module, beside the connection.
        without: options of the connection that are not given.
        that: conditions in Jinja on the results of this and of earlier steps, and on C(traffic) (C(calls) and
            C(writes) of this step).
        admin: whether oneadmin runs it; otherwise the tenant.
        check: whether it runs in check mode.
        fails: whether the module has to fail.
        faults: faults of the stand-in while it runs.
        calls: XML-RPC methods with parameters that oneadmin calls before.
    """

    name: str
    title: str
    options: Mapping[str, Any]
    that: tuple[str, ...]
    without: tuple[str, ...] = ()
    admin: bool = False
    check: bool = False
    fails: bool = False
    faults: tuple[Mapping[str, Any], ...] = ()
    calls: tuple[tuple[Any, ...], ...] = ()


@dataclass(frozen=True)
class Description:
    """What the C(sequence.yml) of a module says."""

    module: str
    data: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """C(object), C(info) or C(check)."""
        return str(self.data["kind"])

    @property
    def admin(self) -> bool:
        """Whether oneadmin owns the object from the start."""
        return bool(self.data.get("admin", False))

    @property
    def left_out(self) -> Mapping[str, str]:
        """The steps that do not apply, each with its reason."""
        found: Mapping[str, str] = self.data.get("left_out", {})
        return found

    @property
    def prepare(self) -> list[tuple[str, dict[str, Any], bool]]:
        """Module, options and whether oneadmin runs it, for what is made before."""
        made = []
        for entry in self.data.get("prepare", []):
            ((module, options),) = ((key, value) for key, value in entry.items() if key != "admin")
            made.append((module, options, bool(entry.get("admin", False))))
        return made

    def of(self, step: str) -> Any:
        """The data of a step.

        Raises:
            BadSequence: there is none.
        """
        if step not in self.data:
            raise BadSequence(f"{self.module}: give {step}, or say under left_out why it does not apply")
        return self.data[step]

    def seen(self, step: str) -> str:
        """The object in the result of a step, in Jinja."""
        return f"{step}.{self.data['result']}"

    @property
    def by_id(self) -> dict[str, Any]:
        """The options that pick the created object by its id."""
        default = {"id": f"{{{{ {self.seen('created')}.id }}}}"}
        found: dict[str, Any] = self.data.get("by_id", default)
        return found
