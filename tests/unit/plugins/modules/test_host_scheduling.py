# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module host_scheduling against the stand-in: a host is closed to the scheduler and opened again."""

from __future__ import annotations

from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.modules import host_scheduling


def test_a_host_is_disabled_and_enabled(admin: Site) -> None:
    for state, shown in (("disabled", ("DISABLED",)), ("enabled", ("INIT", "MONITORED"))):
        predicted = admin.run(host_scheduling, check=True, diff=True, name="dummyhost0", state=state)
        assert admin.writes == []
        done = admin.run(host_scheduling, diff=True, name="dummyhost0", state=state)
        assert admin.calls == ["hostpool.info", "host.status", "host.info"]
        assert done["changed"] is predicted["changed"] is True
        assert done["diff"] == predicted["diff"]
        assert (done["host"]["name"], done["host"]["vms"]) == ("dummyhost0", [])
        assert done["host"]["state"] in shown
        assert admin.run(host_scheduling, id=0, state=state)["changed"] is False
        assert admin.calls == ["host.info"]


def test_the_vms_that_are_there_are_told(admin: Site) -> None:
    vm = admin.standin.one("one.vm.allocate", 'CPU="0.1"\nMEMORY="64"\nPCI=[VENDOR="10de"]', False)

    def told() -> list[int]:
        hosts = [admin.run(host_scheduling, check=True, id=number, state="enabled")["host"] for number in (0, 1)]
        return [number for host in hosts for number in host["vms"]]

    admin.standin.until(lambda: told() == [vm])


def test_a_host_that_is_offline_is_closed_already(admin: Site) -> None:
    admin.standin.one("one.host.status", 0, 2)
    result = admin.run(host_scheduling, id=0, state="disabled")
    assert (result["changed"], result["host"]["state"], admin.writes) == (False, "OFFLINE", [])


def test_a_host_that_is_not_there_and_a_tenant(admin: Site, tenant: Site) -> None:
    assert "There are: dummyhost0, dummyhost1" in admin.fail(host_scheduling, name="kvm9", state="disabled")["msg"]
    tenant.standin.one("one.acl.addrule", "200000064", "2100000000", "1", "400000000")
    refused = tenant.fail(host_scheduling, id=0, state="disabled")["failure"]
    assert (refused["code"], refused["operation"]) == ("not_authorized", "one.host.status")
