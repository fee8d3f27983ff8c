# SPDX-License-Identifier: Apache-2.0
"""A SuperLink that comes after its SuperNodes, one at another address, and one that is another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from appliance_lab import FEDERATION, SITE, Service, Tenant, printed, until

pytestmark = [pytest.mark.lab, pytest.mark.root]

TOKEN = "a-token.of~the_tests-0123456789"
ADDRESS, JOIN_TOKEN = "ONEAPP_FLOWER_SUPERLINK_ADDRESS", "ONEAPP_FLOWER_JOIN_TOKEN"
FINGERPRINT = "ONEAPP_FLOWER_SUPERLINK_FINGERPRINT"


def test_a_superlink_that_comes_after_its_supernodes(
    here: Tenant, there: Tenant, deleted: Callable[[Service], Service]
) -> None:
    """The nodes wait for an address at which nothing is, and say so; then the SuperLink comes there."""
    address = f"10.71.{here.number}.209"
    inputs = {ADDRESS: address, JOIN_TOKEN: TOKEN, FINGERPRINT: ""}
    early = deleted(there.instantiate(SITE, inputs))
    until(lambda: bool(early.supernodes), "the VM is made", early.told)
    node = early.supernodes[0]
    assert address in node.until("WAITING_FOR_SUPERLINK")["FLOWER_MESSAGE"]
    assert node.attributes.get("READY") != "YES"
    _number, body = here.service_template(FEDERATION)
    roles = [
        role | {"template_contents": {"NIC": [{"NETWORK_ID": "$Private", "IP": address}]}} for role in body["roles"][:1]
    ]
    late = here.define("late", body | {"roles": roles})
    sources = f"10.71.{here.number}.0/24 10.71.{there.number}.0/24"
    try:
        federation = deleted(
            here.instantiate("late", {JOIN_TOKEN: TOKEN}, superlink={"ONEAPP_FLOWER_FLEET_SOURCES": sources})
        )
        until(lambda: bool(federation.vms("superlink")), "the VM is made", federation.told)
        federation.superlink.until("READY")
        assert federation.superlink.address == address
        printed("a node that was there first", [("online since it began", early.until_online(1))])
        early.until("RUNNING")
    finally:
        here.flow("DELETE", f"/service_template/{late}")


@pytest.fixture(scope="module")
def service(here: Tenant, kept: Callable[[Service], Service]) -> Service:
    """A federation of two nodes."""
    made = kept(here.instantiate())
    made.until_online(2)
    made.until("RUNNING")
    return made


def test_nodes_follow_a_superlink_to_another_address(service: Service) -> None:
    superlink, tenant = service.superlink, service.tenant
    before, fingerprint = superlink.address, superlink.attributes["FLOWER_FINGERPRINT"]
    superlink.off()
    tenant.one("one.vm.attachnic", superlink.id, f'NIC=[NETWORK_ID="{tenant.net}"]')
    tenant.one("one.vm.detachnic", superlink.id, 0)
    superlink.act("resume")
    address = superlink.address
    assert address != before
    until(
        lambda: superlink.attributes["FLOWER_ADDRESS"].startswith(f"{address}:"), "it says its address", superlink.told
    )
    assert superlink.attributes["FLOWER_FINGERPRINT"] == fingerprint
    for node in service.supernodes:
        until(
            lambda vm=node: vm.says == "ONLINE" and f"{address}:" in vm.attributes["FLOWER_MESSAGE"],  # type: ignore[misc]
            "the node followed",
            node.told,
        )
        assert address in node.run("systemctl cat flower-supernode")


def test_a_superlink_that_is_another_is_refused_by_those_who_pinned_the_first(service: Service) -> None:
    first = service.superlink
    pinned = service.supernodes[0].run("cat /var/lib/fact8ra/pin.json")
    first.act("terminate-hard")
    until(lambda: not service.vms("superlink"), "OneFlow knows that it is gone", service.told)
    assert service.scale("superlink", 1, force=True)[0] == 204
    until(lambda: bool(service.vms("superlink")), "another is made", service.told)
    second = service.superlink
    assert second.until("READY")["FLOWER_FINGERPRINT"]
    for node in service.supernodes:
        said = node.until("SUPERLINK_REPLACED")
        assert second.attributes["FLOWER_FINGERPRINT"][:11] in said["FLOWER_MESSAGE"]
        assert FINGERPRINT in said["FLOWER_MESSAGE"] + said["FLOWER_PROBLEMS"]
    node = service.supernodes[0]
    assert node.run("cat /var/lib/fact8ra/pin.json") == pinned
    # What the message says cures it.
    node.change(**{FINGERPRINT: second.attributes["FLOWER_FINGERPRINT"]})
    node.reboot()
    node.until("ONLINE")
    assert node.run("cat /var/lib/fact8ra/pin.json") != pinned
