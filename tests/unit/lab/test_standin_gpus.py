# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""PCI devices, pinned CPUs and restricted attributes of a stand-in; the recorded cases are in tests/contract.

Where upstream has it is said in vmplace.py, vmnuma.py and vmrestricted.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from fact8ra_lab.standin import vmrestricted
from fact8ra_lab.standin.template import parse
from fact8ra_lab.standin.testing import StandIn, default_seed

SMALL = 'CPU="0.1"\nMEMORY="16"\n'
PIN = 'TOPOLOGY=[PIN_POLICY="THREAD"{more}]\n'


def node(*numas: int, pinned: bool = False, name: str = "node1") -> dict[str, Any]:
    """A host of 8 CPUs with an A100 on each of these NUMA nodes."""
    pci = [{"bus": f"{place + 1}1", "numa_node": numa} for place, numa in enumerate(numas)]
    return {"name": name, "cpu": 800, "mem_mb": 4096, "pci": pci, "pinned": pinned}


def cloud(*hosts: dict[str, Any], **more: Any) -> StandIn:
    return StandIn(seed={**default_seed(), "hosts": list(hosts)}, **more)


def vm(standin: StandIn, text: str, size: str = SMALL) -> int:
    return int(standin.one("one.vm.allocate", f'NAME="v"\n{size}{text}'))


def shown(standin: StandIn, number: int) -> ElementTree.Element:
    return ElementTree.fromstring(standin.one("one.vm.info", number))


def message(standin: StandIn, number: int) -> str:
    """What the scheduler says, without the time."""
    standin.until(lambda: bool(shown(standin, number).findtext("USER_TEMPLATE/SCHED_MESSAGE")))
    return str(shown(standin, number).findtext("USER_TEMPLATE/SCHED_MESSAGE"))[26:]


def placed(standin: StandIn, number: int) -> ElementTree.Element:
    standin.until(lambda: shown(standin, number).findtext("LCM_STATE") == "3")
    return shown(standin, number)


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        ('PCI=[VENDOR="10DE"]', ["11:00.0"]),
        ('PCI=[CLASS="302"]\nPCI=[DEVICE="20B5"]', ["11:00.0", "21:00.0"]),
        ('PCI=[SHORT_ADDRESS="21:00.0"]', ["21:00.0"]),
        ('PCI=[VENDOR="10de"]\nPCI=[SHORT_ADDRESS="11:00.0"]', ["21:00.0", "11:00.0"]),
    ],
)
def test_devices_are_given_in_the_order_of_their_addresses(wanted: str, taken: list[str]) -> None:
    with cloud(node(0, 0)) as standin:
        found = placed(standin, vm(standin, wanted))
        assert [device.findtext("SHORT_ADDRESS") for device in found.findall("TEMPLATE/PCI")] == taken


@pytest.mark.parametrize(
    ("size", "wanted", "text"),
    [
        (SMALL, 'PCI=[VENDOR="10de"]\n' * 3, "[HOST] Unavailable PCI devices on hosts: 0,1"),
        (SMALL, 'PCI=[VENDOR="1002"]', "[HOST] Unavailable PCI devices on hosts: 0,1"),
        ('CPU="9"\nMEMORY="16"\n', 'PCI=[VENDOR="1002"]', "[HOST] Not enough CPU on hosts: 0,1"),
        (
            'CPU="1"\nMEMORY="3000"\n',
            'PCI=[SHORT_ADDRESS="31:00.0"]',
            "[HOST] Not enough MEMORY on hosts: 1[HOST] Unavailable PCI devices on hosts: 0",
        ),
        (SMALL, PIN.format(more=""), "No host meets SCHED_REQUIREMENTS"),
    ],
)
def test_what_each_host_lacks(size: str, wanted: str, text: str) -> None:
    with cloud(node(0, 0), {**node(0, 0, name="node2"), "mem_mb": 2048}) as standin:
        assert message(standin, vm(standin, wanted, size)) == text


def test_a_host_is_for_pinned_vms_or_for_others() -> None:
    with cloud(node(0, pinned=True)) as standin:
        assert message(standin, vm(standin, 'PCI=[VENDOR="10de"]')) == "No host meets SCHED_REQUIREMENTS"
        found = placed(standin, vm(standin, 'VCPU="2"\nPCI=[VENDOR="10de"]\n' + PIN.format(more="")))
        assert "(PIN_POLICY = PINNED)" in str(found.findtext("TEMPLATE/AUTOMATIC_REQUIREMENTS"))
        assert found.findtext("TEMPLATE/CPU") == "2"
        assert found.findtext("TEMPLATE/NUMA_NODE/NODE_ID") == "0"
        assert len(str(found.findtext("TEMPLATE/NUMA_NODE/CPUS")).split(",")) == 2


@pytest.mark.parametrize(
    ("numa", "more", "nodes", "address"),
    [(0, "", ["0"], "21:00.0"), (1, "", ["0"], "31:00.0"), (1, ',SOCKETS="2"', ["0", "1"], "31:00.0")],
)
def test_a_virtual_node_is_near_a_device_of_its_own_number_alone(
    numa: int, more: str, nodes: list[str], address: str
) -> None:
    with cloud(node(numa, pinned=True)) as standin:
        # the first VM is put on node 1, as both are empty, so that node 0 is the emptier one
        first = placed(standin, vm(standin, PIN.format(more="")))
        assert first.findtext("TEMPLATE/NUMA_NODE/NODE_ID") == "1"
        found = placed(standin, vm(standin, 'VCPU="2"\nPCI=[VENDOR="10de"]\n' + PIN.format(more=more)))
        assert [each.findtext("NODE_ID") for each in found.findall("TEMPLATE/NUMA_NODE")] == nodes
        assert found.findtext("TEMPLATE/PCI/VM_ADDRESS") == address


def test_pinned_cpus_run_out() -> None:
    with cloud(node(pinned=True)) as standin:
        pin = 'VCPU="3"\n' + PIN.format(more="")
        placed(standin, vm(standin, pin))
        placed(standin, vm(standin, pin))
        assert message(standin, vm(standin, pin.replace("3", "2"))) == "[HOST] Cannot allocate NUMA on hosts: 0"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('VCPU="3"\n' + PIN.format(more=',SOCKETS="2"'), "VCPU is not multiple of the number of NUMA nodes"),
        (PIN.format(more=',NODE_AFFINITY="0"'), "NUMA node affinity cannot be set for pinned VMs"),
    ],
)
def test_topologies_that_oned_refuses(text: str, why: str) -> None:
    with cloud(node(pinned=True)) as standin, pytest.raises(RuntimeError, match=why):
        vm(standin, text)


def test_the_scheduler_tries_again_and_writes_again() -> None:
    with cloud(node(0), timers={"retry": 0.05}) as standin:
        first = vm(standin, 'PCI=[VENDOR="10de"]')
        placed(standin, first)
        second = vm(standin, 'PCI=[VENDOR="10de"]')
        message(standin, second)
        before = shown(standin, second).findtext("USER_TEMPLATE/SCHED_MESSAGE")
        standin.until(lambda: shown(standin, second).findtext("USER_TEMPLATE/SCHED_MESSAGE") != before)
        standin.one("one.vm.action", "terminate-hard", first)
        assert placed(standin, second).find("USER_TEMPLATE/SCHED_MESSAGE") is None


# ---------------------------------------------------------------------------------------------------------- restricted


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('PCI=[VENDOR="10de"]', ""),
        ('PCI="10de"', "PCI"),
        ('TOPOLOGY=[PIN_POLICY="CORE"]', "PIN_POLICY"),
        ('TOPOLOGY=[SOCKETS="1"]', ""),
        ('OS=[FIRMWARE="UEFI"]\nCPU_MODEL=[MODEL="host-passthrough"]', ""),
        ('RAW=[DATA="x"]', "DATA"),
        ('NIC=[NETWORK_ID="1"]', ""),
    ],
)
def test_what_a_tenants_template_may_not_have(text: str, name: str) -> None:
    assert vmrestricted.first(parse(text)) == name
    with cloud(node()) as standin:
        given = f'NAME="t"\n{SMALL}{text}'
        if not name:
            standin.one("one.template.allocate", given, user=standin.tenant)
            return
        with pytest.raises(RuntimeError, match=rf"User \[2\] : VM Template includes a restricted attribute {name}\."):
            standin.one("one.template.allocate", given, user=standin.tenant)
        standin.one("one.template.allocate", given)


def test_an_administrators_template_is_a_tenants_to_use_but_not_to_change() -> None:
    with cloud(node(0, pinned=True)) as standin:
        text = f'NAME="gpu"\n{SMALL}PCI=[VENDOR="10de"]\nTOPOLOGY=[PIN_POLICY="CORE"]'
        number = standin.one("one.template.allocate", text)
        standin.one("one.template.chmod", number, -1, -1, -1, -1, -1, -1, 1, -1, -1)
        merged = f'{SMALL}PCI=[VENDOR="10de"]\nTOPOLOGY=[PIN_POLICY="CORE"]\nVCPU="2"'
        placed(standin, standin.one("one.template.instantiate", number, "v", False, merged, user=standin.tenant))
        other = merged.replace("CORE", "THREAD")
        with pytest.raises(RuntimeError, match="User Template includes a restricted attribute TOPOLOGY"):
            standin.one("one.template.instantiate", number, "v", False, other, user=standin.tenant)


def test_devices_are_added_to_a_cloud_that_is_there(tmp_path: Path) -> None:
    def devices(standin: StandIn) -> list[str | None]:
        pool = ElementTree.fromstring(standin.one("one.hostpool.info"))
        return [device.findtext("SHORT_ADDRESS") for device in pool.findall("HOST/HOST_SHARE/PCI_DEVICES/PCI")]

    for numas, expected in (((), []), ((0, 0), ["11:00.0", "21:00.0"]), ((0,), ["11:00.0"])):
        with cloud(node(*numas), state_dir=str(tmp_path)) as standin:
            assert devices(standin) == expected
    with cloud(node(0), state_dir=str(tmp_path)) as standin:
        placed(standin, vm(standin, 'PCI=[VENDOR="10de"]'))
    with cloud(node(), state_dir=str(tmp_path)) as standin:
        assert devices(standin) == ["11:00.0"], "a VM has it"
