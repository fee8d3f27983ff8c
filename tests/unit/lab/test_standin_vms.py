# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""VMs, their driver, and the state that survives a restart."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fact8ra_lab.standin.drivers import DriverError, Machine
from fact8ra_lab.standin.testing import StandIn


class SlowDriver:
    """A driver whose calls take time, with machines that live or not."""

    def __init__(self) -> None:
        self.running: dict[int, Machine] = {}
        self.calls: list[tuple[str, int]] = []
        self.fail = ""
        self.gate = threading.Event()
        self.gate.set()

    def boot(self, machine: Machine) -> None:
        self.calls.append(("boot", machine.vm_id))
        self.gate.wait(5)
        if self.fail:
            raise DriverError(self.fail)
        self.running[machine.vm_id] = machine

    def shutdown(self, machine: Machine, hard: bool) -> None:
        self.calls.append(("hard" if hard else "soft", machine.vm_id))
        self.running.pop(machine.vm_id, None)

    def destroy(self, machine: Machine) -> None:
        self.calls.append(("destroy", machine.vm_id))
        self.running.pop(machine.vm_id, None)

    def alive(self, machine: Machine) -> bool:
        return machine.vm_id in self.running


TEMPLATE = (
    'NAME="t"\nCPU="0.5"\nMEMORY="256"\nVCPU="2"\nDISK=[IMAGE_ID="0"]\nNIC=[NETWORK_ID="0"]\n'
    'CONTEXT=[NETWORK="YES",TOKEN="YES",SSH_PUBLIC_KEY="$USER[SSH_PUBLIC_KEY]",WHO="$UNAME/$NAME",'
    'NET="$NETWORK[DESCRIPTION, NIC_ID=0]"]'
)
NET = (
    'NAME="n"\nVN_MAD="bridge"\nBRIDGE="br7"\nDESCRIPTION="lan"\nNETWORK_MASK="255.255.255.128"\nGATEWAY="10.0.0.1"\n'
    'DNS="10.0.0.2"\nAR=[TYPE="IP4",IP="10.0.0.10",SIZE="3"]'
)


def prepare(standin: StandIn) -> None:
    standin.one("one.vn.allocate", NET, -1, user=standin.tenant)
    standin.one("one.template.allocate", TEMPLATE, user=standin.tenant)
    standin.one("one.user.update", 2, 'SSH_PUBLIC_KEY="ssh-ed25519 AAAA me"', 1)


def state(standin: StandIn, vm: int) -> tuple[int, int]:
    xml = standin.one("one.vm.info", vm, False)
    found = re.search(r"<STATE>(\d+)</STATE><LCM_STATE>(\d+)</LCM_STATE>", xml)
    assert found
    return int(found[1]), int(found[2])


def reach(standin: StandIn, vm: int, *wanted: int) -> None:
    standin.until(lambda: state(standin, vm) == wanted)


def start(standin: StandIn, name: str = "vm", extra: str = "") -> int:
    number: int = standin.one("one.template.instantiate", 0, name, False, extra, False, user=standin.tenant)
    return number


def test_driver_gets_the_machine() -> None:
    driver = SlowDriver()
    with StandIn(driver=driver) as standin:
        prepare(standin)
        vm = start(standin)
        reach(standin, vm, 3, 3)
        machine = driver.running[vm]
        assert (machine.name, machine.memory_mb, machine.vcpu, machine.image_path) == ("vm", 256, 2, "/etc/hostname")
        (nic,) = machine.nics
        assert (nic.bridge, nic.mac, nic.address, nic.prefix) == ("br7", "02:00:0a:00:00:0a", "10.0.0.10", 25)
        assert (nic.gateway, nic.dns) == ("10.0.0.1", "10.0.0.2")
        context = machine.context
        assert context["SSH_PUBLIC_KEY"] == "ssh-ed25519 AAAA me"
        assert (context["WHO"], context["NET"], context["ETH0_IP"]) == ("flower/vm", "lan", "10.0.0.10")
        assert (context["ONEGATE_ENDPOINT"], context["VMID"]) == (standin.gate_endpoint, str(vm))
        assert context["TOKENTXT"]
        assert "TOKENTXT" not in standin.one("one.vm.info", vm, False), "the token is for the guest alone"


def test_states_of_a_driver_that_takes_time() -> None:
    driver = SlowDriver()
    driver.gate.clear()
    with StandIn(driver=driver) as standin:
        prepare(standin)
        vm = start(standin)
        reach(standin, vm, 3, 2)
        with pytest.raises(RuntimeError, match=r'Error performing action "poweroff": .* not available for state BOOT'):
            standin.one("one.vm.action", "poweroff", vm)
        driver.gate.set()
        reach(standin, vm, 3, 3)
        standin.one("one.vm.action", "poweroff", vm)
        reach(standin, vm, 8, 0)
        standin.one("one.vm.action", "resume", vm)
        reach(standin, vm, 3, 3)
        standin.one("one.vm.action", "reboot-hard", vm)
        standin.until(lambda: driver.calls[-2:] == [("hard", vm), ("boot", vm)] and vm in driver.running)
        assert state(standin, vm) == (3, 3)
        standin.one("one.vm.action", "terminate", vm)
        reach(standin, vm, 6, 0)
        assert driver.running == {}


def test_boot_failure_keeps_the_drivers_text() -> None:
    driver = SlowDriver()
    driver.fail = "no such image"
    with StandIn(driver=driver) as standin:
        prepare(standin)
        vm = start(standin)
        reach(standin, vm, 3, 36)
        assert re.search(
            r"<ERROR><!\[CDATA\[\w{3} .* \d{4}: no such image\]\]></ERROR>", standin.one("one.vm.info", vm)
        )
        driver.fail = ""
        standin.one("one.vm.recover", vm, 2)
        reach(standin, vm, 3, 3)
        assert "<ERROR>" not in standin.one("one.vm.info", vm)


def test_deleted_while_it_boots() -> None:
    driver = SlowDriver()
    driver.gate.clear()
    with StandIn(driver=driver) as standin:
        prepare(standin)
        vm = start(standin)
        reach(standin, vm, 3, 2)
        standin.one("one.vm.recover", vm, 3)
        assert state(standin, vm) == (6, 0)
        driver.gate.set()
        standin.until(lambda: ("destroy", vm) in driver.calls)
        standin.until(lambda: not driver.running)


def test_machine_that_dies_powers_the_vm_off() -> None:
    driver = SlowDriver()
    with StandIn(driver=driver, timers={"monitor": 0.05}) as standin:
        prepare(standin)
        vm = start(standin)
        reach(standin, vm, 3, 3)
        driver.running.clear()
        reach(standin, vm, 8, 0)


def test_state_survives_a_restart(tmp_path: Path, make_flow: Callable[[StandIn], Any]) -> None:
    with StandIn(state_dir=str(tmp_path)) as standin:
        flow = make_flow(standin)
        service = flow.run()
        flow.reach(service, 2)
        vms = flow.vm_ids(service, "supernode")
        before = {number: flow.vm(number) for number in vms}
        net = standin.one("one.vn.info", flow.net, False)
        acls = standin.one("one.acl.info")
    with StandIn(state_dir=str(tmp_path)) as standin:
        flow.standin = standin
        assert flow.body(service)["state"] == 2
        plain = {number: re.sub(r"http://127.0.0.1:\d+", "", xml) for number, xml in before.items()}
        assert {number: re.sub(r"http://127.0.0.1:\d+", "", flow.vm(number)) for number in vms} == plain
        assert standin.one("one.vn.info", flow.net, False) == net
        assert standin.one("one.acl.info") == acls
        assert standin.one("one.template.instantiate", flow.template, "x", True, "", False) > max(vms), "ids go on"
        flow.rest("DELETE", f"/service/{service}")
        flow.reach(service, None)


def test_restart_reconciles_with_the_driver(tmp_path: Path) -> None:
    driver = SlowDriver()
    with StandIn(driver=driver, state_dir=str(tmp_path), timers={"shutdown": 60.0}) as standin:
        prepare(standin)
        kept, lost, ending = (start(standin, name) for name in ("kept", "lost", "ending"))
        for vm in (kept, lost, ending):
            reach(standin, vm, 3, 3)
        standin.one("one.vm.action", "terminate-hard", ending)
        assert state(standin, ending) == (3, 12)
    del driver.running[lost]
    with StandIn(driver=driver, state_dir=str(tmp_path)) as standin:
        assert state(standin, kept) == (3, 3)
        assert state(standin, lost) == (8, 0)
        reach(standin, ending, 6, 0)


def test_restart_goes_on_with_what_was_under_way(tmp_path: Path, make_flow: Callable[[StandIn], Any]) -> None:
    driver = SlowDriver()
    driver.gate.clear()
    with StandIn(driver=driver, state_dir=str(tmp_path)) as standin:
        flow = make_flow(standin)
        service = flow.run()
        standin.until(lambda: bool(driver.calls))
    driver.gate.set()
    with StandIn(driver=driver, state_dir=str(tmp_path)) as standin:
        flow.standin = standin
        flow.reach(service, 2)
        assert len(flow.vm_ids(service, "superlink")) == 1


def test_addresses_run_out_and_come_back() -> None:
    with StandIn() as standin:
        prepare(standin)
        vms = [start(standin, f"vm{number}") for number in range(3)]
        with pytest.raises(RuntimeError, match=r"Cannot get IP/MAC lease from virtual network 0\."):
            start(standin, "late")
        for vm in vms:
            reach(standin, vm, 3, 3)
        standin.one("one.vm.action", "terminate-hard", vms[0])
        reach(standin, vms[0], 6, 0)
        late = start(standin, "late")
        assert "10.0.0.10" in standin.one("one.vm.info", late)


def test_vm_waits_for_capacity() -> None:
    seed = {"oneadmin_password": StandIn.admin[1], "hosts": [{"name": "small", "cpu": 100, "mem_mb": 512}]}
    with StandIn(seed=seed) as standin:
        standin.one("one.template.allocate", 'NAME="big"\nCPU="0.6"\nMEMORY="300"')
        first, second = (standin.one("one.template.instantiate", 0, name, False, "", False) for name in "ab")
        reach(standin, first, 3, 3)
        standin.until(lambda: "Not enough CPU on hosts: 0" in standin.one("one.vm.info", second))
        assert state(standin, second) == (1, 0)
        standin.one("one.vm.action", "terminate-hard", first)
        reach(standin, second, 3, 3)


def test_hundreds_of_vms_are_cheap() -> None:
    hosts = [{"name": "large", "cpu": 100000, "mem_mb": 10000000}]
    with StandIn(seed={"oneadmin_password": StandIn.admin[1], "hosts": hosts}) as standin:
        standin.one("one.vn.allocate", NET.replace('SIZE="3"', 'SIZE="400"'), -1)
        standin.one("one.template.allocate", 'NAME="t"\nCPU="0.1"\nMEMORY="64"\nNIC=[NETWORK_ID="0"]')
        begin = time.monotonic()
        for number in range(300):
            standin.one("one.template.instantiate", 0, f"vm{number}", False, "", False)
        standin.until(lambda: standin.one("one.vmpool.info", -2, -1, -1, -1).count("<LCM_STATE>3<") == 300, 30)
        assert time.monotonic() - begin < 20
