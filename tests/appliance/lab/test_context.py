# SPDX-License-Identifier: Apache-2.0
"""A context that is wrong, and one that changes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from appliance_lab import Service, Tenant, until

pytestmark = [pytest.mark.lab, pytest.mark.root]

WRONG = {
    "ONEAPP_FLOWER_FLEET_PORT": "99999",
    "ONEAPP_FLOWER_MAX_BODY_SIZE": "large",
    "ONEAPP_FLOWER_RUN_ROUNDS": "many",
    "ONEAPP_FLOWER_FLEET_SOURCES": "10.0.0.0/33",
    "ONEAPP_FLOWER_TLS_KEY": "bm8ga2V5",
}


def test_everything_that_is_wrong_is_named_in_opennebula(here: Tenant, deleted: Callable[[Service], Service]) -> None:
    service = deleted(here.instantiate(inputs={"ONEAPP_FLOWER_JOIN_TOKEN": "short"}, superlink=WRONG))
    until(lambda: bool(service.vms("superlink")), "the VM is made", service.told)
    vm = service.superlink
    said = vm.until("CONTEXT_INVALID")
    missing = [name for name in (*WRONG, "ONEAPP_FLOWER_JOIN_TOKEN") if name not in said["FLOWER_PROBLEMS"]]
    assert not missing, said["FLOWER_PROBLEMS"]
    assert "bm8ga2V5" not in said["FLOWER_PROBLEMS"]
    assert "short" not in said["FLOWER_PROBLEMS"].replace("shortest", "")
    assert said.get("READY") != "YES"
    assert service.state == "DEPLOYING"
    page = vm.run("cat /run/fact8ra/status")
    console = (vm.tenant.state / "machines" / f"{vm.tenant.site}-{vm.id}" / "console.log").read_text(errors="replace")
    journal = vm.run("journalctl --boot -u fact8ra-appliance -o cat")
    for name in WRONG:
        assert all(name in text for text in (page, console, journal))
    assert vm.run("systemctl is-active flower-superlink nginx || true").split() == ["inactive"] * 2
    # Nobody gets in meanwhile.
    assert "policy drop" in vm.run("nft list chain inet fact8ra_closed input")


def test_a_context_that_is_mended_and_a_reboot(here: Tenant, deleted: Callable[[Service], Service]) -> None:
    service = deleted(here.instantiate(superlink={"ONEAPP_FLOWER_MAX_BODY_SIZE": "large"}))
    until(lambda: bool(service.vms("superlink")), "the VM is made", service.told)
    superlink = service.superlink
    assert "ONEAPP_FLOWER_MAX_BODY_SIZE" in superlink.until("CONTEXT_INVALID")["FLOWER_PROBLEMS"]
    superlink.change(ONEAPP_FLOWER_MAX_BODY_SIZE="32m")
    superlink.reboot()
    said = superlink.until("READY")
    assert said["FLOWER_PROBLEMS"] == ""
    assert superlink.run("nft list tables").splitlines() == ["table inet fact8ra"]
    assert "client_max_body_size 32m;" in superlink.run("cat /etc/nginx/conf.d/flower-fleet.conf")
    service.until_online(2)
    service.until("RUNNING")

    # Once more, with nodes that know it: nothing that they pinned is new.
    pins = [node.run("cat /var/lib/fact8ra/pin.json") for node in service.supernodes]
    superlink.change(ONEAPP_FLOWER_MAX_BODY_SIZE="16m", ONEAPP_FLOWER_LOG_LEVEL="DEBUG")
    superlink.reboot()
    until(lambda: "READY" in [state for _seconds, state in superlink.states()], "it is ready again", superlink.told)
    assert "client_max_body_size 16m;" in superlink.run("cat /etc/nginx/conf.d/flower-fleet.conf")
    assert re.search('^FLWR_LOG_LEVEL="?DEBUG', superlink.run("cat /etc/flower/flower.env"), re.MULTILINE)
    assert superlink.attributes["FLOWER_FINGERPRINT"] == said["FLOWER_FINGERPRINT"]
    service.until_online(2)
    assert [node.run("cat /var/lib/fact8ra/pin.json") for node in service.supernodes] == pins
