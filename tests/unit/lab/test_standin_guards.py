# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Which rules the driver is told for a VM's interfaces, and when."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fact8ra_lab.standin.drivers import DriverError, Machine
from fact8ra_lab.standin.drivers.none import NoneDriver
from fact8ra_lab.standin.testing import StandIn

PORT = 'RULE=[PROTOCOL="TCP",RULE_TYPE="inbound",RANGE="{}"]'
NET = 'NAME="{0}"\nVN_MAD="{0}"\nBRIDGE="b"\nPHYDEV="e"\nVLAN_ID="7"\nAR=[TYPE="IP4",IP="10.0.0.9",SIZE="9"]\n{1}'
VM = 'NAME="vm"\nCPU="0.1"\nMEMORY="16"\nNIC=[NETWORK="{0}",SECURITY_GROUPS="{1}"]'


class Recorder(NoneDriver):
    """Keeps the machine that it was told last; refuses rules on request."""

    told: Machine
    guarded = 0
    broken = False

    def boot(self, machine: Machine) -> None:
        self.told = machine
        super().boot(machine)

    def guard(self, machine: Machine) -> None:
        self.told = machine
        self.guarded += 1
        if self.broken:
            raise DriverError("no br_netfilter")

    def ports(self) -> list[str] | None:
        rules = self.told.nics[0].rules
        return None if rules is None else [rule.get("RANGE", rule["PROTOCOL"]) for rule in rules]


@pytest.fixture
def driver() -> Recorder:
    return Recorder()


@pytest.fixture
def standin(driver: Recorder) -> Iterator[StandIn]:
    """With security groups 100 (port 22) and 101 (port 80)."""
    with StandIn(driver=driver) as running:
        for name, port in (("a", 22), ("b", 80)):
            running.one("one.secgroup.allocate", f'NAME="{name}"\n{PORT.format(port)}')
        yield running


def boot(standin: StandIn, vn_mad: str, network: str, own: str, more: str = "") -> int:
    net = standin.one("one.vn.allocate", NET.format(vn_mad, more), -1)
    standin.one("one.vn.update", net, f'SECURITY_GROUPS="{network}"', 1)
    number: int = standin.one("one.vm.allocate", VM.format(vn_mad, own))
    standin.until(lambda: "<LCM_STATE>3<" in standin.one("one.vm.info", number))
    return number


@pytest.mark.parametrize("vn_mad", ["fw", "802.1Q", "vxlan"])
def test_groups_of_the_vm_and_of_its_network_together(standin: StandIn, driver: Recorder, vn_mad: str) -> None:
    boot(standin, vn_mad, network="101", own="100")
    assert driver.ports() == ["22", "80"]
    assert (driver.told.nics[0].filter_mac, driver.told.nics[0].filter_ip) == (False, False)


@pytest.mark.parametrize("vn_mad", ["bridge", "ovswitch"])
def test_drivers_that_know_no_groups(standin: StandIn, driver: Recorder, vn_mad: str) -> None:
    boot(standin, vn_mad, network="101", own="100")
    assert driver.ports() is None


def test_the_default_group_admits_everything(standin: StandIn, driver: Recorder) -> None:
    boot(standin, "fw", network="0", own="100")
    assert driver.ports() == ["ALL", "ALL", "22"]


def test_a_rule_that_names_a_network_means_its_addresses(standin: StandIn, driver: Recorder) -> None:
    boot(standin, "fw", network="100", own="")
    rule = 'RULE=[PROTOCOL="TCP",RULE_TYPE="inbound",RANGE="1",NETWORK_ID="{}"]'
    standin.one("one.secgroup.update", 100, rule.format(0), 0)
    standin.until(lambda: driver.ports() == ["1"])
    assert driver.told.nics[0].rules is not None
    assert (driver.told.nics[0].rules[0]["IP"], driver.told.nics[0].rules[0]["SIZE"]) == ("10.0.0.9", "9")
    standin.one("one.secgroup.update", 100, rule.format(99), 0)
    standin.until(lambda: driver.ports() == [])


def test_spoofing_filters_of_the_network(standin: StandIn, driver: Recorder) -> None:
    boot(standin, "fw", network="100", own="", more='FILTER_MAC_SPOOFING="YES"\nFILTER_IP_SPOOFING="YES"')
    assert (driver.told.nics[0].filter_mac, driver.told.nics[0].filter_ip) == (True, True)


def test_new_rules_reach_a_running_vm(standin: StandIn, driver: Recorder) -> None:
    number = boot(standin, "fw", network="101", own="")
    standin.one("one.secgroup.update", 101, PORT.format(443), 0)
    standin.until(lambda: f"<UPDATED_VMS><ID>{number}<" in standin.one("one.secgroup.info", 101))
    assert driver.ports() == ["443"]
    assert driver.guarded == 1
    standin.one("one.secgroup.update", 100, PORT.format(23), 0)  # no VM has it
    standin.one("one.secgroup.commit", 101, False)
    standin.until(lambda: driver.guarded == 2)


def test_a_host_that_cannot_filter_leaves_the_vm_in_error(standin: StandIn, driver: Recorder) -> None:
    number = boot(standin, "fw", network="101", own="")
    driver.broken = True
    standin.one("one.secgroup.commit", 101, False)
    standin.until(lambda: f"<ERROR_VMS><ID>{number}<" in standin.one("one.secgroup.info", 101))
    driver.broken = False
    standin.one("one.secgroup.commit", 101, True)
    standin.until(lambda: f"<UPDATED_VMS><ID>{number}<" in standin.one("one.secgroup.info", 101))
