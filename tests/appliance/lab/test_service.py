# SPDX-License-Identifier: Apache-2.0
"""A tenant instantiates the service with nothing filled in, by OneFlow's REST API alone; then scales and reboots it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from appliance_lab import Service, Tenant, printed, until

pytestmark = [pytest.mark.lab, pytest.mark.root]


@pytest.fixture(scope="module")
def service(here: Tenant, kept: Callable[[Service], Service]) -> Service:
    """The service, running."""
    made = kept(here.instantiate())
    online = made.until_online(2)
    running = made.until("RUNNING")
    # The bounds are for an idle computer: 60 s to all nodes online, 25 s of the appliance's own work.
    printed("zero configuration, from instantiate", [("all online", online), ("RUNNING", running)])
    return made


def test_zero_configuration_runs_with_every_node_online(service: Service) -> None:
    assert service.state == "RUNNING"
    assert service.superlink.attributes["FLOWER_STATE"] == "READY"
    assert [vm.attributes["READY"] for vm in (service.superlink, *service.supernodes)] == ["YES"] * 3
    for vm in (service.superlink, *service.supernodes):
        printed(f"VM {vm.id} from the start of its unit", [(state, seconds) for seconds, state in vm.states()])


def test_the_superlink_was_ready_before_a_supernode_was_made(service: Service) -> None:
    superlink = json.loads(service.superlink.run("cat /run/fact8ra/state.json"))
    begun = min(int(vm.info().findtext("STIME") or 0) for vm in service.supernodes)
    born = int(service.superlink.info().findtext("STIME") or 0)
    assert superlink["state"] == "READY"
    assert born < begun


def test_states_are_on_the_page_and_the_console_too(service: Service) -> None:
    for vm, state in ((service.superlink, "READY"), (service.supernodes[0], "ONLINE")):
        assert f"Flower appliance: {state}" in vm.run("cat /run/fact8ra/status")
        console = (vm.tenant.state / "machines" / f"{vm.tenant.site}-{vm.id}" / "console.log").read_text(
            errors="replace"
        )
        assert f"fact8ra: {state}: " in console


def test_flower_itself_has_the_nodes_online(service: Service) -> None:
    names = {
        re.search(r"SuperNode (\S+) is online", vm.attributes["FLOWER_MESSAGE"]).group(1) for vm in service.supernodes
    }  # type: ignore[union-attr]
    assert len(names) == 2
    assert all(
        re.fullmatch(rf"vm-({'|'.join(str(vm.id) for vm in service.supernodes)})-[0-9a-f]{{6}}", name) for name in names
    )


def test_no_secret_is_in_opennebula_or_anywhere_that_others_read(service: Service) -> None:
    superlink = service.superlink
    passphrase = superlink.run("cat /var/lib/fact8ra/ca.passphrase")
    assert len(passphrase) > 20
    shown = json.dumps(service.body) + "".join(json.dumps(vm.attributes) for vm in (superlink, *service.supernodes))
    assert passphrase not in shown
    assert "PRIVATE KEY" not in shown
    assert superlink.run("stat -c %a /var/lib/fact8ra /var/lib/fact8ra/ca.passphrase").split() == ["700", "600"]
    # What the roles were told is gone with the boot.
    assert superlink.run("find /run/fact8ra/boot -name 'variables*' -o -path '*/tmp/*'") == ""


def test_a_reboot_changes_nothing_that_others_know(service: Service) -> None:
    node, superlink = service.supernodes[0], service.superlink
    before = [vm.attributes["FLOWER_MESSAGE"] for vm in (node, superlink)]
    pinned = node.run("cat /var/lib/fact8ra/pin.json")
    for vm in (superlink, node):
        vm.reboot()
    until(
        lambda: [state for _seconds, state in superlink.states()][-1:] == ["READY"], "it is ready again", superlink.told
    )
    until(
        lambda: [state for _seconds, state in node.states()][-1:] == ["ONLINE"], "the node is online again", node.told
    )
    assert [vm.attributes["FLOWER_MESSAGE"].split(" (")[0] for vm in (node, superlink)] == [
        text.split(" (")[0] for text in before
    ]
    assert node.run("cat /var/lib/fact8ra/pin.json") == pinned
    changed = superlink.run("journalctl --boot -u fact8ra-appliance -o cat | grep -c ^changed: || true")
    assert changed == "0", superlink.run("journalctl --boot -u fact8ra-appliance -o cat | grep ^changed:")
    service.until("RUNNING")


def test_scaling_up_and_down_and_never_under_the_minimum(service: Service) -> None:
    status, answer = service.scale("supernode", 1)
    assert (status, "Minimum cardinality is 2" in str(answer)) == (500, True), answer
    assert len(service.supernodes) == 2
    known = {vm.id for vm in service.supernodes}
    assert service.scale("supernode", 3)[0] == 204
    service.until_online(3)
    service.until("RUNNING")
    third = next(vm for vm in service.supernodes if vm.id not in known)
    assert third.attributes["READY"] == "YES"
    assert service.scale("supernode", 2)[0] == 204
    service.until("RUNNING")
    assert len(service.supernodes) == 2
    service.until_online(2)


def test_on_a_network_of_the_tenants_own(here: Tenant, deleted: Callable[[Service], Service]) -> None:
    """Behind a router of its own, from where OneGate is reached and nothing else of the site is."""
    net = here.network("own", "br-own", "10.80.0.10", 50, "10.80.0.1")
    service = deleted(here.instantiate(net=net))
    service.until_online(2)
    service.until("RUNNING")
    assert service.superlink.address.startswith("10.80.0.")
