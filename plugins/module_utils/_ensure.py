# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The one place that decides about changed, diff and check mode.

Private to the collection: it may change without notice.

A module describes what is there, what the user wants and how to create, update and delete; C(ensure) plans, applies
unless in check mode, reads again and verifies, because some OpenNebula calls report success and do nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import differing, overlay, project
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import OpenNebulaError, Refused

State = dict[str, Any]
"""A normalised object: keys as in C(desired), plus C(id) and whatever else the module returns."""


def _unsupported(what: str) -> Callable[..., Any]:
    def refuse(*_args: Any) -> NoReturn:
        raise NotImplementedError(what)

    return refuse


@dataclass
class Resource:
    """An object as it is and as it should be.

    Attributes:
        label: the object in messages, with its endpoint: "virtual network 'x' at http://one:2633/RPC2".
        current: what is there, or None.
        desired: what the user gave, and nothing else, or None for absent. Nested dicts are compared by their given
            keys; a None value means that the key has to be absent. Lists are compared as they are, so the module
            brings both sides into one order and form.
        create: makes the object from C(desired) and returns its id. What a create call cannot set may be left out:
            it is found missing after the re-read and given to C(update).
        update: gets C(current) and the differing part of C(desired).
        delete: gets C(current); returns when the object is gone or, when not waiting, going.
        read: reads the object by id again; returns None when it is gone.
        verify: top-level keys of C(desired) that a re-read must show; None means all. Leave out what the server
            reaches only later.
        gone: whether a re-read after C(delete) counts as deleted.
        view: what the diff shows of an object that is deleted.
    """

    label: str
    current: State | None
    desired: Mapping[str, Any] | None
    create: Callable[[], int] = field(default_factory=lambda: _unsupported("create"))
    update: Callable[[State, dict[str, Any]], None] = field(default_factory=lambda: _unsupported("update"))
    delete: Callable[[State], None] = field(default_factory=lambda: _unsupported("delete"))
    read: Callable[[int], State | None] = field(default_factory=lambda: _unsupported("read"))
    verify: frozenset[str] | None = None
    gone: Callable[[State | None], bool] = lambda seen: seen is None
    view: Callable[[State], State] = lambda state: state


@dataclass(frozen=True)
class Outcome:
    """What C(ensure) did or, in check mode, would do.

    Attributes:
        changed: whether anything differs.
        before: the compared part before ({} when there was no object).
        after: the compared part after ({} when there is no object any more).
        state: the object now (in check mode: as it would be), or None when absent.
    """

    changed: bool
    before: State
    after: State
    state: State | None

    def result(self, name: str, render: Callable[[State], Any] = lambda state: state) -> dict[str, Any]:
        """Return the module's result: C(changed), C(diff) and the object, made by C(render), under C(name)."""
        return {
            "changed": self.changed,
            "diff": {"before": self.before, "after": self.after},
            name: None if self.state is None else render(self.state),
        }


def ensure(resource: Resource, *, check_mode: bool) -> Outcome:
    """Bring C(resource) to its desired state and say what that changed.

    Raises:
        Refused: with code C(not_applied), when the server reported success but a re-read shows the old value.
        OpenNebulaError: whatever the callables raise.
    """
    if resource.desired is None:
        return _absent(resource, check_mode)
    if resource.current is None:
        return _created(resource, resource.desired, check_mode)
    return _updated(resource, resource.current, resource.desired, check_mode)


def _absent(resource: Resource, check_mode: bool) -> Outcome:
    current = resource.current
    if current is None:
        return Outcome(False, {}, {}, None)
    if not check_mode:
        resource.delete(current)
        left = resource.read(current["id"])
        if not resource.gone(left):
            raise _not_applied(resource, "deleting it", "it is still there", left)
    return Outcome(True, resource.view(current), {}, None)


def _created(resource: Resource, desired: Mapping[str, Any], check_mode: bool) -> Outcome:
    if check_mode:
        state = overlay({}, desired)
        return Outcome(True, {}, state, state)
    seen = _reread(resource, resource.create())
    rest = differing(seen, desired)
    if rest:
        resource.update(seen, rest)
        seen = _reread(resource, seen["id"])
    _verify(resource, desired, seen)
    return Outcome(True, {}, project(seen, desired), seen)


def _updated(resource: Resource, current: State, desired: Mapping[str, Any], check_mode: bool) -> Outcome:
    before = project(current, desired)
    changes = differing(current, desired)
    if not changes:
        return Outcome(False, before, before, current)
    if check_mode:
        return Outcome(True, before, overlay(before, desired), overlay(current, desired))
    resource.update(current, changes)
    seen = _reread(resource, current["id"])
    _verify(resource, desired, seen)
    # over what was wanted too, since a projection does not show what was removed
    return Outcome(True, before, overlay(overlay(before, desired), project(seen, desired)), seen)


def _reread(resource: Resource, number: int) -> State:
    seen = resource.read(number)
    if seen is None:
        raise _not_applied(resource, "writing it", f"no object has id {number} any more", None)
    return seen


def _verify(resource: Resource, desired: Mapping[str, Any], seen: State) -> None:
    wanted = {key: item for key, item in desired.items() if resource.verify is None or key in resource.verify}
    wrong = differing(seen, wanted)
    if wrong:
        have = project(seen, wrong)
        raise _not_applied(resource, f"setting {wrong}", f"it still has {have}", {"wanted": wrong, "have": have})


def _not_applied(resource: Resource, action: str, instead: str, details: Any) -> Refused:
    return Refused(
        f"{resource.label}: the server accepted {action}, but {instead}.",
        code="not_applied",
        details={"seen": details},
    )


def run_module(module: AnsibleModule, function: Callable[[AnsibleModule], Mapping[str, Any]]) -> NoReturn:
    """Run C(function) and end the module with its result, or with a message and C(failure).

    C(diff) is returned only when the user asked for it. An exception that is no OpenNebulaError is a defect: the user
    gets its text and place, without a traceback.
    """
    try:
        result = dict(function(module))
        error = None
    except OpenNebulaError as raised:
        error = raised
    except Exception as raised:  # noqa: BLE001 - the last resort, a traceback must not reach a user
        error = _defect(raised)
    if error is not None:
        module.fail_json(msg=error.message, failure=error.as_failure())
    if not module._diff:
        result.pop("diff", None)
    module.exit_json(**result)
    raise AssertionError("exit_json returned")


def _defect(raised: Exception) -> OpenNebulaError:
    trace = raised.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "unknown place"
    if trace is not None:
        place = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
    return OpenNebulaError(
        f"Unexpected {type(raised).__name__} at {place}: {raised}. This is a defect of fact8ra.flower; report it.",
        code="internal_error",
        details={"type": type(raised).__name__, "place": place},
    )
