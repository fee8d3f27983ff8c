# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""How new rules of a security group reach its VMs. Expectations are from OpenNebula's source, release-7.4.0:
SecurityGroup.cc (post_update_template, commit), LifeCycleActions.cc (trigger_updatesg), SecurityGroupAPI.cc (drop)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from fact8ra_lab.standin.testing import StandIn

RULE = 'RULE=[PROTOCOL="TCP",RULE_TYPE="inbound",RANGE="{}"]'
NET = 'NAME="n"\nVN_MAD="bridge"\nBRIDGE="b"\nAR=[TYPE="IP4",IP="10.0.0.9",SIZE="9"]\nSECURITY_GROUPS="100"'
VM = 'NAME="{}"\nCPU="0.1"\nMEMORY="16"\nNIC=[NETWORK_ID="0"]'


class Group:
    """A security group with two running VMs, whose updates take a while."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        assert standin.one("one.secgroup.allocate", 'NAME="s"\n' + RULE.format(22)) == 100
        assert standin.one("one.vn.allocate", NET, -1) == 0
        self.vms = [standin.one("one.vm.allocate", VM.format(name)) for name in "ab"]
        for number in self.vms:
            standin.until(lambda vm=number: "<LCM_STATE>3<" in standin.one("one.vm.info", vm))  # type: ignore[misc]

    @property
    def lists(self) -> tuple[list[int], ...]:
        """The VMs that are updated, outdated, updating and in error."""
        group = ElementTree.fromstring(self.standin.one("one.secgroup.info", 100))
        names = ("UPDATED_VMS", "OUTDATED_VMS", "UPDATING_VMS", "ERROR_VMS")
        return tuple([int(item.text or "") for item in group.findall(f"{name}/ID")] for name in names)

    def reach(self, *lists: list[int]) -> None:
        """Waits until the VMs are so."""
        self.standin.until(lambda: self.lists == lists)


@pytest.fixture
def group() -> Iterator[Group]:
    """The group."""
    with StandIn(timers={"secgroup": 0.15}) as standin:
        yield Group(standin)


def test_an_update_makes_every_vm_outdated_and_brings_it_the_rules_one_by_one(group: Group) -> None:
    first, second = group.vms
    assert group.lists == ([first, second], [], [], [])
    group.standin.one("one.secgroup.update", 100, RULE.format(80), 0)
    assert group.lists == ([], [first, second], [], [])
    group.reach([], [second], [first], [])
    group.reach([first], [], [second], [])
    group.reach([first, second], [], [], [])


def test_commit_does_the_same_and_with_recover_only_for_those_that_lack_the_rules(group: Group) -> None:
    first, second = group.vms
    group.standin.faults.add({"secgroup_error": "s", "times": 1})
    group.standin.one("one.secgroup.commit", 100, False)
    group.reach([second], [], [], [first])
    group.standin.one("one.secgroup.commit", 100, True)
    assert group.lists == ([second], [first], [], [])
    group.reach([first, second], [], [], [])


def test_a_vm_that_does_not_run_is_updated_without_its_host(group: Group) -> None:
    first, second = group.vms
    group.standin.one("one.vm.action", "poweroff-hard", first)
    group.standin.until(lambda: "<STATE>8<" in group.standin.one("one.vm.info", first))
    group.standin.one("one.secgroup.commit", 100, False)
    group.reach([first], [], [second], [])


def test_a_vm_that_cannot_take_rules_is_in_error(group: Group) -> None:
    first, second = group.vms
    group.standin.faults.add({"boot_failure": "c"})
    broken = group.standin.one("one.vm.allocate", VM.format("c"))
    group.standin.until(lambda: "<LCM_STATE>36<" in group.standin.one("one.vm.info", broken))
    group.standin.one("one.secgroup.commit", 100, False)
    group.reach([first, second], [], [], [broken])


def test_a_group_with_vms_is_kept_and_one_that_networks_name_is_not(group: Group) -> None:
    with pytest.raises(RuntimeError, match=r"Cannot delete security group\. The security group has VMs using it"):
        group.standin.one("one.secgroup.delete", 100)
    with pytest.raises(RuntimeError, match=r"The default security group \(ID 0\) cannot be deleted"):
        group.standin.one("one.secgroup.delete", 0)
    for number in group.vms:
        group.standin.one("one.vm.action", "terminate-hard", number)
    group.reach([], [], [], [])
    assert group.standin.one("one.secgroup.delete", 100) == 100
    assert "<SECURITY_GROUPS><![CDATA[0,100]]>" in group.standin.one("one.vn.info", 0)
