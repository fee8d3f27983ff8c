# SPDX-License-Identifier: Apache-2.0
"""A tenant gets a trained model out of a service, with no other tool than OneFlow's API, which asks for all of it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from appliance_lab import Service, Tenant, printed, until

pytestmark = [pytest.mark.lab, pytest.mark.root]

ROUNDS = 3
SECONDS = 900


@pytest.fixture(scope="module")
def service(here: Tenant, kept: Callable[[Service], Service]) -> Service:
    """A service that trains the proof of concept."""
    superlink = {"ONEAPP_FLOWER_RUN_APP": "poc", "ONEAPP_FLOWER_RUN_ROUNDS": str(ROUNDS)}
    return kept(here.instantiate(superlink=superlink, supernode={"ONEAPP_FLOWER_DATA": "poc"}))


def test_a_service_trains_and_says_how_well(service: Service) -> None:
    seen: list[str] = []

    def ended() -> bool:
        nodes = [vm.attributes for vm in service.vms("superlink")]
        state = nodes[0].get("FLOWER_RUN_STATE", "") if nodes else ""
        if state and state not in seen:
            seen.append(state)
        return state in ("FINISHED", "FAILED")

    until(ended, "the run has ended", service.told, SECONDS)
    printed("trained, from instantiate", [("finished", time.monotonic() - service.started)])
    said = service.superlink.attributes
    assert said["FLOWER_RUN_STATE"] == "FINISHED", said.get("FLOWER_RUN_MESSAGE")
    assert (said["FLOWER_RUN_ROUNDS"].split("/")[0], said["FLOWER_RUN_ID"].isdigit()) == (str(ROUNDS), True)
    assert 0.8 <= float(said["FLOWER_RUN_ACCURACY"]) <= 1
    assert float(said["FLOWER_RUN_LOSS"]) >= 0
    print(f"accuracy {said['FLOWER_RUN_ACCURACY']} after {ROUNDS} rounds; states {', '.join(seen)}")


def test_the_result_is_on_the_superlink(service: Service) -> None:
    run = service.superlink.attributes["FLOWER_RUN_ID"]
    listed = service.superlink.run(f"ls /var/lib/fact8ra/runs/{run}").split()
    assert {"run.json", "model.npz"} <= set(listed)


def test_every_node_made_another_share_of_the_data(service: Service) -> None:
    shares = [vm.run("sha256sum /var/lib/flower/data/*.npz | cut -d' ' -f1") for vm in service.supernodes]
    assert len(set(shares)) == 2
    assert all(shares)


def test_a_reboot_trains_nothing_twice(service: Service) -> None:
    superlink = service.superlink
    run = superlink.attributes["FLOWER_RUN_ID"]
    superlink.reboot()
    until(
        lambda: (
            superlink.run("systemctl is-active fact8ra-run || true") in ("inactive", "active")
            and "READY" in [state for _seconds, state in superlink.states()]
        ),
        "the SuperLink is ready again",
        superlink.told,
    )
    assert superlink.attributes["FLOWER_RUN_ID"] == run
    assert superlink.run("ls -d /var/lib/fact8ra/runs/[0-9]* | wc -l") == "1"
