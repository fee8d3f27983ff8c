# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A hypervisor with an IOMMU of AMD, where the card is bound by the rule of modprobe, and a VM holds it.

As in test_passthrough.py, the tests are the life of one machine, in this order.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypervisor import CARD, DISPLAY, DRIVERS, SCRIPTS, SHARED, Hypervisor

pytestmark = pytest.mark.root

# bochs is to these cards what nouveau is to real ones
WANTED: dict[str, Any] = {
    "devices": [{**DISPLAY, "address": CARD}],
    "binding": "modprobe",
    "blacklist": ["bochs"],
}


def test_an_amd_host_needs_no_parameter_and_modprobe_binds_before_other_drivers(amd: Hypervisor) -> None:
    facts = amd.facts({**DISPLAY, "address": CARD}, {**DISPLAY, "address": SHARED})
    assert facts["iommu"]["cpu"] == "amd"
    assert facts["iommu"]["firmware"]
    assert facts["iommu"]["enabled"]
    assert facts["iommu"]["parameters_needed"] == []
    assert [(gpu["address"], gpu["isolated"]) for gpu in facts["gpus"]] == [(CARD, True), (SHARED, False)]
    before = amd.state()
    amd.play(**WANTED, allow_reboot=True).succeeded()
    after = amd.state()
    assert after["boot"] != before["boot"]
    assert after["command_line"] == before["command_line"]
    assert {one for one, driver in after["drivers"].items() if driver == "vfio-pci"} == set(DRIVERS)
    log = amd.machine.run("dmesg")
    assert "vfio" in log.lower()
    for address, driver in DRIVERS.items():
        assert not re.search(f"{driver}.*{address}", log), "another driver had the device first"
    assert amd.script("take", after["groups"][CARD], CARD)["viable"]


def test_what_a_vm_uses_is_not_taken_away(amd: Hypervisor) -> None:
    """A process of QEMU's name holds the card as a VM would; QEMU itself would need a machine in the machine."""
    machine, before = amd.machine, amd.state()
    group = before["groups"][CARD]
    machine.run("cat > /opt/take.py", (SCRIPTS / "take.py").read_text(encoding="utf-8"))
    program = f"/opt/qemu-system-x86_64 /opt/take.py {group} {CARD} /opt/taken -name guest=one-7"
    machine.run(f"cp /usr/bin/python3 /opt/qemu-system-x86_64 && systemd-run -q --unit=one-7 {program}")
    try:
        machine.run("timeout 60 sh -c 'while systemctl -q is-active one-7 && ! [ -e /opt/taken ]; do sleep 0.2; done'")
        assert json.loads(machine.run("cat /opt/taken || { journalctl -u one-7 >&2; false; }"))["viable"]
        (gpu,) = amd.facts(*WANTED["devices"])["gpus"]
        assert any(user.startswith("vm one-7 (pid ") for user in gpu["users"])
        undo = amd.play("-e", "gpu_hosts_state=absent", allow_reboot=True)
        undo.failed_with(CARD, "vm one-7", "Nothing was changed")
        assert undo.changed == 0
    finally:
        machine.run("systemctl stop one-7; rm -f /opt/*")
    assert amd.state() == before
