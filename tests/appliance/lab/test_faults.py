# SPDX-License-Identifier: Apache-2.0
"""OneGate that is silent or refuses, a clock that is a year off, a disk that is full or cannot be written.

A host of the lab is a container: it has this computer's clock and kernel. So it is OneGate's clock that is a year off
here, and the disk is a file system that is laid over /var/lib/fact8ra; the boot under QEMU has a clock and a disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from appliance_lab import Service, Tenant, Vm, until

pytestmark = [pytest.mark.lab, pytest.mark.root]

YEAR = 366 * 86400


def alone(tenant: Tenant, deleted: Callable[[Service], Service]) -> Vm:
    """The SuperLink of a new service."""
    service = deleted(tenant.instantiate())
    until(lambda: bool(service.vms("superlink")), "the VM is made", service.told)
    service.superlink.until_running()
    return service.superlink


def page_says(vm: Vm, *states: str) -> str:
    """Wait for a state on the page in /run, for where OneGate cannot show one; returns the page."""
    page = "cat /run/fact8ra/status 2>/dev/null || true"
    until(
        lambda: any(f"Flower appliance: {state}\n" in vm.run(page) + "\n" for state in states),
        f"the page says {states}",
        vm.told,
    )
    return vm.run(page)


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"silence": "onegate"}, "ONEGATE_UNREACHABLE"),
        ({"drop": "onegate"}, "ONEGATE_UNREACHABLE"),
        ({"refuse": "PUT /vm", "code": 403, "text": "no"}, "ONEGATE_REFUSED"),
        ({"garbage": "onegate"}, "ONEGATE_FOREIGN"),
    ],
    ids=["silent", "closes", "refuses", "something else"],
)
def test_a_onegate_that_does_not_do_its_work(
    fault: Mapping[str, object], state: str, here: Tenant, deleted: Callable[[Service], Service]
) -> None:
    here.fault(fault)
    vm = alone(here, deleted)
    assert "OneGate" in page_says(vm, state)
    console = (vm.tenant.state / "machines" / f"{vm.tenant.site}-{vm.id}" / "console.log").read_text(errors="replace")
    assert f"fact8ra: {state}: " in console
    # Flower serves all the same, and OpenNebula is told as soon as OneGate is itself again.
    assert vm.run("systemctl is-active flower-superlink nginx").split() == ["active"] * 2
    assert vm.attributes.get("READY") != "YES"
    here.fault()
    assert vm.until("READY")["READY"] == "YES"


def test_a_clock_that_is_a_year_off(here: Tenant, deleted: Callable[[Service], Service]) -> None:
    here.fault({"skew": {"api": "onegate", "seconds": YEAR}})
    vm = alone(here, deleted)
    said = vm.until("CLOCK_WRONG")
    assert "OneGate" in said["FLOWER_MESSAGE"]
    assert vm.run("test -e /var/lib/fact8ra/pki/ca.crt && echo made || true") == ""
    here.fault()
    vm.until("READY")


DISKS = {
    "DISK_FULL": "mount -t tmpfs -o size=16m,mode=0700 tmpfs /var/lib/fact8ra",
    "DISK_READ_ONLY": "mount --bind /var/lib/fact8ra /var/lib/fact8ra && mount -o remount,bind,ro /var/lib/fact8ra",
}


@pytest.mark.parametrize("state", list(DISKS))
def test_a_disk_that_is_full_or_read_only(state: str, here: Tenant, deleted: Callable[[Service], Service]) -> None:
    vm = alone(here, deleted)
    vm.off()
    # The disk as it is when the VM boots again.
    unit = vm.disk / "etc/systemd/system/fact8ra-appliance.service.d/disk.conf"
    unit.parent.mkdir(parents=True)
    unit.write_text(f"[Service]\nExecStartPre=/bin/sh -c '{DISKS[state]}'\n", encoding="utf-8")
    vm.act("resume")
    said = vm.until(state)
    assert "/var/lib/fact8ra" in said["FLOWER_MESSAGE"]
    assert said.get("READY") != "YES"
    vm.off()
    unit.unlink()
    vm.act("resume")
    vm.until("READY")
