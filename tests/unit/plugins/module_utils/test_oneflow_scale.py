# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Scaling, call by call: what is sent, what is waited for, and which VMs may be named."""

from __future__ import annotations

from typing import Any

import pytest
from flow import FlowScript, Step, get, missing, pool, service, vm
from recording import RecordingClient

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    Ambiguous,
    InvalidInput,
    OpenNebulaError,
    Refused,
    ResourceTimeout,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.scale import Manager

ONE = "/service/7"
DONE = 6
VMS = [vm(10, "superlink_0", role="superlink"), vm(11, "supernode_0"), vm(12, "supernode_1")]


class Run:
    """One run of the module against a script."""

    def __init__(self, *steps: Step, vms: list[Any] | None = None, check: bool = False, **given: Any) -> None:
        self.flow = FlowScript(*steps)
        answers = {"VM": VMS if vms is None else vms}
        self.client = RecordingClient({"vmpool.infoextended": answers, "vm.action": 0, **given.pop("answers", {})})
        self.warnings: list[str] = []
        self.now = 0.0
        base = {"service": "fed", "service_id": None, "role": "supernode", "cardinality": None, "remove_vms": None}
        params = {**base, "force": False, "wait": True, "wait_timeout": 600, "username": "flower", **given}
        manager = Manager(
            params, self.flow, self.client, self.warnings.append, clock=lambda: self.now, sleep=self._sleep
        )
        self.result = manager.ensure(check_mode=check)
        self.flow.done()

    def _sleep(self, seconds: float) -> None:
        self.now += seconds


def _scale(cardinality: int, force: bool, status: int = 204, answer: Any = None) -> Step:
    body = {"role_name": "supernode", "cardinality": cardinality, "force": force}
    return Step("POST", f"{ONE}/scale", status, answer, body)


def _found(state: int = 2, cardinality: int = 2, **more: Any) -> Step:
    return get("/service", pool(service(7, state, cardinality=cardinality, **more)))


def _seen(state: int = 2, cardinality: int = 2, **more: Any) -> Step:
    return get(ONE, service(7, state, cardinality=cardinality, **more))


@pytest.mark.parametrize(("cardinality", "force"), [(3, False), (9, True)])
def test_force_is_always_sent_and_scaling_and_cooldown_are_waited_for(cardinality: int, force: bool) -> None:
    states = [_seen(state, cardinality) for state in (8, 8, 10, 2, 2)]
    run = Run(_found(), _scale(cardinality, force), *states, cardinality=cardinality, force=force)
    assert run.result["diff"] == {"before": {"cardinality": 2}, "after": {"cardinality": cardinality}}
    assert [one["id"] for one in run.result["added"]] == list(range(13, 11 + cardinality))
    assert run.client.methods == ["vmpool.infoextended"] * 2
    assert run.now > 0


@pytest.mark.parametrize("state", [0, 1, 8, 10, 11])
def test_a_busy_service_is_waited_for_and_looked_at_again(state: int) -> None:
    assert not Run(_found(state, 1), _seen(state, 1), _seen(2, 3), cardinality=3).result["changed"]


@pytest.mark.parametrize("state", [8, 10])
def test_a_busy_service_in_check_mode_is_not_waited_for(state: int) -> None:
    assert Run(_found(state), cardinality=3, check=True).result["changed"]


@pytest.mark.parametrize("state", [1, 8, 10, 11])
def test_a_busy_service_cannot_be_scaled_without_waiting(state: int) -> None:
    with pytest.raises(Refused, match="Set wait to true") as raised:
        Run(_found(state), cardinality=3, wait=False)
    assert raised.value.code == "busy"
    assert not Run(_found(state), cardinality=2, wait=False).result["changed"], "nothing is to be done"


@pytest.mark.parametrize("state", [3, 12, 15])
@pytest.mark.parametrize("given", [{"cardinality": 3}, {"remove_vms": ["11"]}])
def test_other_states_are_refused_with_the_reason(state: int, given: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="Only a service that is RUNNING can be scaled"):
        Run(_found(state), **given)


@pytest.mark.parametrize("state", [6, 7, 9, 13, 14])
def test_failed_states_are_errors_even_with_nothing_to_do(state: int) -> None:
    client = {"answers": {"vn.info": {"STATE": "1"}, "templatepool.info": {"VMTEMPLATE": {"ID": "2", "NAME": "vm"}}}}
    with pytest.raises(Refused):
        Run(_found(state), cardinality=3, **client)


def test_the_servers_refusal_is_quoted() -> None:
    refused = _scale(3, False, 500, "Service cannot be scaled in state: SCALING")
    with pytest.raises(Refused, match="Service cannot be scaled in state: SCALING"):
        Run(_found(), refused, cardinality=3)


def test_success_that_changes_nothing() -> None:
    with pytest.raises(Refused) as raised:
        Run(_found(), _scale(3, False), _seen(), _seen(), cardinality=3)
    assert raised.value.code == "not_applied"


def test_a_cooldown_that_takes_too_long_says_that_it_counts() -> None:
    with pytest.raises(ResourceTimeout, match="COOLDOWN after each scaled role"):
        Run(_found(), _scale(3, False), *[_seen(10, 3)] * 9, cardinality=3, wait_timeout=3)


def test_without_waiting_more() -> None:
    run = Run(_found(), _scale(3, False), _seen(8, 3), cardinality=3, wait=False)
    assert (run.result["service"]["state"], len(run.result["added"])) == ("SCALING", 1)


# chosen VMs


def _without(number: int, state: int = 2) -> Step:
    """The service when OneFlow has taken a VM off the role."""
    seen = service(7, state, cardinality=2)
    role = seen["DOCUMENT"]["TEMPLATE"]["BODY"]["roles"][1]
    role["nodes"] = [node for node in role["nodes"] if node["deploy_id"] != number]
    role["cardinality"] = len(role["nodes"])
    return get(ONE, seen)


@pytest.mark.parametrize(
    ("role_action", "service_action", "sent"),
    [
        (None, None, "terminate"),
        (None, "terminate-hard", "terminate-hard"),
        ("terminate", "terminate-hard", "terminate"),
        ("shutdown-hard", None, "terminate-hard"),
    ],
)
def test_a_chosen_vm_is_terminated_as_oneflow_would(role_action: Any, service_action: Any, sent: str) -> None:
    found = service(7, 2, cardinality=2)
    body = found["DOCUMENT"]["TEMPLATE"]["BODY"]
    body["shutdown_action"], body["roles"][1]["shutdown_action"] = service_action, role_action
    run = Run(get("/service", pool(found)), _seen(), _without(12), _without(12), remove_vms=["supernode_1", "12"])
    assert run.client.calls[1] == ("vm.action", sent, 12)
    assert run.client.methods == ["vmpool.infoextended", "vm.action", "vmpool.infoextended"]
    assert [one["id"] for one in run.result["removed"]] == [12]
    assert run.flow.writes == []
    assert run.result["diff"] == {
        "before": {"cardinality": 2, "vms": {"12": "supernode_1"}},
        "after": {"cardinality": 1, "vms": {}},
    }


def test_chosen_vms_in_check_mode() -> None:
    run = Run(_found(), remove_vms=["11"], check=True)
    assert run.client.methods == ["vmpool.infoextended"]
    assert [one["name"] for one in run.result["removed"]] == ["supernode_0"]
    assert run.result["after"]["cardinality"] == 1


def test_a_vm_that_leaves_already_is_waited_for_only() -> None:
    vms = [vm(10, "superlink_0", role="superlink"), vm(11, "supernode_0"), vm(12, "supernode_1", lcm_state=12)]
    run = Run(_found(), _without(12), _without(12), vms=vms, remove_vms=["12"])
    assert "vm.action" not in run.client.methods


def test_a_vm_that_the_user_does_not_see_is_named_by_its_id() -> None:
    run = Run(_found(), _without(12), _without(12), vms=VMS[:2], remove_vms=["12"])
    assert run.result["removed"][0]["name"] == "supernode_1_(service_7)"


def test_without_waiting_a_vm_may_still_be_there() -> None:
    run = Run(_found(), _seen(), remove_vms=["12"], wait=False)
    assert (run.result["changed"], run.result["removed"]) == (True, [])


def test_a_broken_vm_is_taken_out_while_the_service_is_in_warning() -> None:
    run = Run(_found(4), _without(12, 4), _without(12, 4), remove_vms=["12"])
    assert run.result["service"]["state"] == "WARNING"


def test_a_name_that_fits_several_vms() -> None:
    vms = [vm(10, "superlink_0", role="superlink"), vm(11, "twin"), vm(12, "twin")]
    with pytest.raises(Ambiguous, match="with the ids 11, 12"):
        Run(_found(), vms=vms, remove_vms=["twin"])


@pytest.mark.parametrize("reference", ["supernode_9", "99"])
def test_a_vm_that_was_in_the_role_and_is_done_is_no_error(reference: str) -> None:
    done = vm(99, "supernode_9", state=DONE)

    def look(who: int, first: int, last: int, state: int, text: str) -> Any:
        assert (who, text) == (-2, "")
        asked.append((first, last, state))
        return {"VM": [*VMS, done] if state in (DONE, -2) else VMS}

    asked: list[tuple[int, int, int]] = []
    run = Run(_found(), remove_vms=[reference], answers={"vmpool.infoextended": look})
    assert not run.result["changed"]
    assert asked[1:] == [(99, 99, -2) if reference == "99" else (-1, -1, DONE)]


@pytest.mark.parametrize(
    "other",
    [
        vm(99, "supernode_9", state=DONE, service_id=8),
        vm(99, "supernode_9", state=DONE, role="superlink"),
        vm(99, "supernode_9", state=DONE, service_id=None),
        vm(99, "supernode_9"),
    ],
)
@pytest.mark.parametrize("reference", ["supernode_9", "99"])
def test_a_vm_of_something_else_is_refused(other: dict[str, Any], reference: str) -> None:
    with pytest.raises(InvalidInput, match="it is VM supernode_9") as raised:
        Run(_found(), vms=[*VMS, other], remove_vms=[reference])
    assert raised.value.details["vms"] == {11: "supernode_0", 12: "supernode_1"}


def test_the_service_goes_while_its_vms_do() -> None:
    with pytest.raises(Refused, match="is being removed"):
        Run(_found(), missing(ONE), remove_vms=["12"])


def test_oneds_refusal_is_told() -> None:
    refused = Refused("could not terminate VM supernode_1: This action is not available for state PROLOG")
    with pytest.raises(OpenNebulaError, match="not available for state PROLOG"):
        Run(_found(), remove_vms=["12"], answers={"vm.action": refused})
