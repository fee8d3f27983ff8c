# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The one place that decides about changed, diff and check mode, on an object in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from module_runner import ModuleFailed
from module_runner import run_module as run_in_process

from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import (
    Outcome,
    Resource,
    State,
    ensure,
    run_module,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotFound, Refused


class Store:
    """An object with id 0, and every call that was made."""

    def __init__(self, state: State | None = None, *, lies: bool = False) -> None:
        self.state = state
        self.lies = lies
        self.calls: list[str] = []

    def resource(self, desired: Mapping[str, Any] | None, **more: Any) -> Resource:
        return Resource(
            label="thing 'x' at http://one",
            current=None if self.state is None else dict(self.state),
            desired=desired,
            create=lambda: self._create(desired or {}),
            update=self._update,
            delete=self._delete,
            read=self._read,
            **more,
        )

    def _create(self, desired: Mapping[str, Any]) -> int:
        self.calls.append("create")
        self.state = {"id": 0, "name": desired["name"], "mode": "600"}
        return 0

    def _update(self, current: State, changes: dict[str, Any]) -> None:
        self.calls.append(f"update {changes}")
        if not self.lies:
            self.state = {**current, **changes}

    def _delete(self, current: State) -> None:
        self.calls.append(f"delete {current['id']}")
        if not self.lies:
            self.state = None

    def _read(self, number: int) -> State | None:
        self.calls.append(f"read {number}")
        return None if self.state is None else dict(self.state)


WANTED = {"name": "x", "mode": "640"}


def test_create_applies_what_the_create_call_cannot() -> None:
    store = Store()
    outcome = ensure(store.resource(WANTED), check_mode=False)
    assert outcome == Outcome(True, {}, WANTED, {"id": 0, **WANTED})
    assert store.calls == ["create", "read 0", "update {'mode': '640'}", "read 0"]


def test_create_in_one_call_reads_once() -> None:
    store = Store()
    ensure(store.resource({"name": "x"}), check_mode=False)
    assert store.calls == ["create", "read 0"]


def test_no_difference_makes_no_call() -> None:
    store = Store({"id": 0, **WANTED, "more": 1})
    outcome = ensure(store.resource(WANTED), check_mode=False)
    assert (outcome.changed, outcome.before, outcome.after) == (False, WANTED, WANTED)
    assert store.calls == []


def test_update_gets_the_difference_alone() -> None:
    store = Store({"id": 0, "name": "x", "mode": "600"})
    outcome = ensure(store.resource(WANTED), check_mode=False)
    assert (outcome.before, outcome.after) == ({"name": "x", "mode": "600"}, WANTED)
    assert store.calls == ["update {'mode': '640'}", "read 0"]


def test_a_removed_key_is_gone_from_the_diff() -> None:
    state = {"id": 0, "template": {"A": "1", "B": "2"}}
    wanted = {"template": {"A": "1", "B": None}}
    predicted = ensure(Store(state).resource(wanted), check_mode=True)
    store = Store(state)
    resource = store.resource(wanted)
    resource.update = lambda current, changes: store.__setattr__("state", {"id": 0, "template": {"A": "1"}})
    happened = ensure(resource, check_mode=False)
    assert predicted.before == happened.before == {"template": {"A": "1", "B": "2"}}
    assert predicted.after == happened.after == {"template": {"A": "1"}}


def test_delete_and_delete_again() -> None:
    store = Store({"id": 0, "name": "x"})
    outcome = ensure(store.resource(None), check_mode=False)
    assert outcome == Outcome(True, {"id": 0, "name": "x"}, {}, None)
    assert store.calls == ["delete 0", "read 0"]
    assert ensure(store.resource(None), check_mode=False).changed is False


@pytest.mark.parametrize("state", [None, {"id": 0, "name": "x", "mode": "600"}])
@pytest.mark.parametrize("wanted", [None, WANTED])
def test_check_mode_predicts_the_same_and_calls_nothing(state: State | None, wanted: Mapping[str, Any] | None) -> None:
    checked, real = Store(state), Store(state)
    predicted = ensure(checked.resource(wanted), check_mode=True)
    happened = ensure(real.resource(wanted), check_mode=False)
    assert checked.calls == []
    assert checked.state == state
    assert (predicted.changed, predicted.before, predicted.after) == (
        happened.changed,
        happened.before,
        happened.after,
    )


def test_a_write_that_did_nothing_is_an_error() -> None:
    store = Store({"id": 0, "name": "x", "mode": "600"}, lies=True)
    with pytest.raises(
        Refused, match=r"thing 'x' at http://one: the server accepted .*'640'.*still has .*'600'"
    ) as caught:
        ensure(store.resource(WANTED), check_mode=False)
    assert caught.value.code == "not_applied"


def test_a_delete_that_did_nothing_is_an_error() -> None:
    with pytest.raises(Refused, match="it is still there"):
        ensure(Store({"id": 0}, lies=True).resource(None), check_mode=False)


def test_what_comes_later_is_not_verified() -> None:
    store = Store({"id": 0, "name": "x", "mode": "600"}, lies=True)
    assert ensure(store.resource(WANTED, verify=frozenset({"name"})), check_mode=False).changed


def test_a_deletion_under_way_may_count_as_deleted() -> None:
    store = Store({"id": 0, "state": "DELETING"}, lies=True)
    gone: Callable[[State | None], bool] = lambda seen: seen is None or seen["state"] == "DELETING"  # noqa: E731
    assert ensure(store.resource(None, gone=gone), check_mode=False).changed


def _module(function: Callable[[AnsibleModule], Mapping[str, Any]]) -> Any:
    spec: dict[str, Any] = {"password": {"type": "str", "no_log": True}}
    return SimpleNamespace(main=lambda: run_module(AnsibleModule(spec, supports_check_mode=True), function))


def test_diff_is_returned_only_on_demand() -> None:
    module = _module(lambda _module: Outcome(True, {"a": 1}, {"a": 2}, {"id": 0}).result("thing"))
    assert run_in_process(module, {}) == {
        "changed": True,
        "thing": {"id": 0},
        "invocation": {"module_args": {"password": None}},
    }
    assert run_in_process(module, {}, diff=True)["diff"] == {"before": {"a": 1}, "after": {"a": 2}}


def test_an_error_becomes_a_failure() -> None:
    def fail(_module: AnsibleModule) -> dict[str, Any]:
        raise NotFound("there is none", details={"id": 0})

    with pytest.raises(ModuleFailed, match="there is none") as caught:
        run_in_process(_module(fail), {})
    unknown = {"object": None, "operation": None, "server_message": None, "details": {}}
    assert caught.value.result["failure"] == {"code": "not_found", "id": 0, **unknown}


def test_a_defect_names_its_place_and_shows_no_traceback() -> None:
    def fail(_module: AnsibleModule) -> dict[str, Any]:
        raise KeyError("surprise")

    with pytest.raises(ModuleFailed, match=r"KeyError at test_ensure.py:\d+: 'surprise'.*defect") as caught:
        run_in_process(_module(fail), {})
    assert caught.value.result["failure"]["code"] == "internal_error"
    assert "File " not in json.dumps(caught.value.result)


def test_a_warning_of_a_module_fails_its_test() -> None:
    def warn(module: AnsibleModule) -> dict[str, Any]:
        module.warn("careful")
        return {"changed": False}

    with pytest.raises(AssertionError, match="careful"):
        run_in_process(_module(warn), {})
    assert run_in_process(_module(lambda _module: {"changed": False}), {})["changed"] is False
