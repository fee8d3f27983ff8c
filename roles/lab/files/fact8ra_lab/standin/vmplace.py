# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler: it finds hosts for VMs, with their PCI devices. Source: the rank scheduler of 7.x, mm_sched of 6.x."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from . import vmnuma
from .access import MANAGE
from .clock import Clock
from .cloud import Cloud, now
from .model import VM, Host, User
from .template import Vector
from .vmstates import ACTIVE, PENDING, PROLOG, stamp


def _mem_kb(vm: VM) -> int:
    return int(float(vm.template.text("MEMORY", "0")) * 1024)


def _cpu_percent(vm: VM) -> int:
    return round(float(vm.template.text("CPU", "0")) * 100)


def host_usage(cloud: Cloud, host: Host) -> tuple[int, int]:
    """Memory in KB and CPU in per cent that the host's VMs hold."""
    vms = [cloud.pool(VM)[number] for number in host.vms if number in cloud.pool(VM)]
    return sum(_mem_kb(vm) for vm in vms), sum(_cpu_percent(vm) for vm in vms)


_IDS: Final = ("VENDOR", "DEVICE", "CLASS")


def _number(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None


def _pci_matches(device: Vector, wanted: Vector) -> bool:
    """Whether a free device is what a VM asks for. Source: HostSharePCI::test of 7.4.0.

    The ids are compared as hexadecimal numbers, and one that is not given fits all. An address alone is compared as it
    is; one beside an id is what a migration left, and does not count.
    """
    if device["VMID"] != "-1":
        return False
    given = [key for key in _IDS if wanted.get(key)]
    if any(_number(wanted[key]) is not None for key in given):
        return all(_number(wanted[key]) in (None, _number(device.get(key, ""))) for key in given)
    return bool(wanted.get("SHORT_ADDRESS")) and device.get("SHORT_ADDRESS") == wanted["SHORT_ADDRESS"]


def _pick_devices(host: Host, vm: VM) -> list[tuple[Vector, Vector]] | None:
    """A device of the host for each that the VM asks for, in the order of addresses; None where there are too few."""
    picked: list[tuple[Vector, Vector]] = []
    by_address = sorted(host.pci, key=lambda device: device.get("ADDRESS", ""))
    # Those that name an address come first, so that no other takes it.
    for wanted in sorted(vm.template.vectors("PCI"), key=lambda each: any(each.get(key) for key in _IDS)):
        free = [device for device in by_address if not any(device is taken for taken, _unused in picked)]
        device = next((item for item in free if _pci_matches(item, wanted)), None)
        if device is None:
            return None
        picked.append((device, wanted))
    return picked


def _is_pinned(host: Host) -> bool:
    return host.template.text("PIN_POLICY").upper() == "PINNED"


class Placing(ABC):
    """Places VMs that wait."""

    def __init__(self, cloud: Cloud, clock: Clock) -> None:
        self.cloud = cloud
        self.clock = clock

    @abstractmethod
    def _boot(self, vm: VM) -> None:
        """Starts a VM that has a host."""

    def schedule(self) -> None:
        """Has the scheduler look at the waiting VMs soon."""
        self.clock.once("schedule", self.cloud.timers.schedule, self._place_all)

    def _place_all(self) -> None:
        with self.cloud.change():
            waiting = [vm for vm in self.cloud.pool(VM).values() if vm.state == PENDING]
            for order, vm in enumerate(sorted(waiting, key=lambda item: item.id)):
                self._place(vm, order)
            if any(vm.state == PENDING for vm in waiting):
                self.clock.once("retry", self.cloud.timers.retry, self._place_all)

    def _place(self, vm: VM, order: int) -> None:
        like = self.cloud.personality
        owner = self.cloud.pool(User).get(vm.uid) or self.cloud.pool(User)[0]
        hosts = [host for host in self.cloud.pool(Host).values() if host.state == 2]
        if hosts and not any(self.cloud.permitted(self.cloud.caller(owner), MANAGE, host) for host in hosts):
            self._unplaced(vm, "User is not authorized to use any host")
            return
        if not hosts:
            self._unplaced(vm, like.no_hosts)
            return
        hosts = [host for host in hosts if _is_pinned(host) == vmnuma.pinned(vm.template)]
        if not hosts:
            requirements = vm.template.text("AUTOMATIC_REQUIREMENTS")
            self._unplaced(vm, like.no_match.format(requirements=requirements))
            return
        lacks = {host.id: self._lacks(host, vm) for host in sorted(hosts, key=lambda item: item.id)}
        able = [host for host in hosts if lacks[host.id] is None]
        if not able:
            self._unplaced(vm, self._why({number: lack for number, lack in lacks.items() if lack is not None}))
            return
        # The rank is the number of VMs; among equals the newest host, as in the recording.
        host = min(able, key=lambda item: (len(item.vms), -item.id))
        if vm.user_template.pop("SCHED_MESSAGE", None) and like.keeps_empty_message:
            vm.user_template.put("SCHED_MESSAGE", "")
        devices = _pick_devices(host, vm) or []
        self._pin(host, vm, [device for device, _wanted in devices])
        host.vms.append(vm.id)
        for index, (device, wanted) in enumerate(devices):
            device["VMID"] = str(vm.id)
            self._give_device(vm, device, wanted, index)
        when = now()
        record = {
            "OID": vm.id, "SEQ": len(vm.history), "HOSTNAME": host.name, "HID": host.id, "CID": host.cluster_id,
            "STIME": when, "ETIME": 0, "VM_MAD": host.mad, "TM_MAD": "dummy", "DS_ID": 0, "PLAN_ID": -1,
            "ACTION_ID": order, "PSTIME": when, "PETIME": when, "RSTIME": when, "RETIME": 0, "ESTIME": 0, "EETIME": 0,
            "ACTION": 0, "UID": -1, "GID": -1, "REQUEST_ID": -1,
        }  # fmt: skip
        if not like.history_plan:
            del record["PLAN_ID"], record["ACTION_ID"]
        vm.history.append(record)
        vm.host_id = host.id
        vm.template.put("TM_MAD_SYSTEM", "dummy")
        vm.go(ACTIVE, PROLOG)
        self.cloud.touch(host)
        self.cloud.touch(vm)
        self._boot(vm)

    def _lacks(self, host: Host, vm: VM) -> int | None:
        """What a host lacks for a VM, as a place in `Personality.reasons`; None where it takes it.

        Source: HostShareXML::test_capacity of the rank scheduler.
        """
        memory, cpu = host_usage(self.cloud, host)
        if cpu + _cpu_percent(vm) > host.cpu:
            return 0
        if memory + _mem_kb(vm) > host.mem_kb:
            return 1
        nodes = vm.template.vectors("NUMA_NODE")
        if nodes and not vmnuma.place(host, self._vms_of(host), vm, []):
            return 2
        return 3 if _pick_devices(host, vm) is None else None

    def _why(self, lacks: dict[int, int]) -> str:
        like = self.cloud.personality
        if like.reasons is None:
            return like.no_capacity
        texts = []
        for place, text in enumerate(like.reasons):
            numbers = ",".join(str(number) for number, lack in lacks.items() if lack == place)
            texts += [text.format(hosts=numbers)] if numbers else []
        return "".join(texts)

    def _vms_of(self, host: Host) -> list[VM]:
        return [self.cloud.pool(VM)[number] for number in host.vms if number in self.cloud.pool(VM)]

    def _pin(self, host: Host, vm: VM, devices: list[Vector]) -> None:
        """Gives the virtual nodes of a pinned VM nodes and CPUs of the host."""
        for wanted, node, cpus in vmnuma.place(host, self._vms_of(host), vm, devices):
            where = {"NODE_ID": str(node), "MEMORY_NODE_ID": str(node), "CPUS": ",".join(map(str, cpus))}
            wanted.update(where)

    def _unplaced(self, vm: VM, text: str) -> None:
        vm.user_template.put("SCHED_MESSAGE", f"{stamp()}: {text}")
        self.cloud.touch(vm)

    @staticmethod
    def _give_device(vm: VM, device: Vector, wanted: Vector, index: int) -> None:
        # A pinned VM has a PCIe expander bus for each NUMA node (HostSharePCI::set_pci_address).
        nodes, node = vm.template.vectors("NUMA_NODE"), int(device.get("NUMA_NODE") or 0)
        bus = 0x20 + 0x10 * node + 1 + index if nodes else index + 1
        wanted |= {
            key: device[key]
            for key in (
                "ADDRESS", "BUS", "CLASS", "DEVICE", "DOMAIN", "FUNCTION", "NUMA_NODE", "SHORT_ADDRESS", "SLOT",
                "VENDOR",
            )
        }  # fmt: skip
        wanted |= {
            "VM_ADDRESS": f"{bus:02x}:00.0", "VM_BUS": f"0x{bus:02x}", "VM_DOMAIN": "0x0000", "VM_FUNCTION": "0",
            "VM_SLOT": "0000",
        }  # fmt: skip
        for context in vm.template.vectors("CONTEXT"):
            context[f"PCI{index}_ADDRESS"] = wanted["VM_ADDRESS"]
