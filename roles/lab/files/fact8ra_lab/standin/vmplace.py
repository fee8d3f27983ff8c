# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The scheduler: it finds hosts for VMs, with their PCI devices. Source: the rank scheduler of 7.x, mm_sched of 6.x."""

from __future__ import annotations

from abc import ABC, abstractmethod

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


def _pci_matches(device: Vector, wanted: Vector) -> bool:
    return device["VMID"] == "-1" and all(
        device.get(key, "").lower() == wanted[key].lower()
        for key in ("VENDOR", "DEVICE", "CLASS", "SHORT_ADDRESS")
        if wanted.get(key)
    )


def _pick_devices(host: Host, vm: VM) -> list[tuple[Vector, Vector]] | None:
    picked: list[tuple[Vector, Vector]] = []
    for wanted in vm.template.vectors("PCI"):
        free = [device for device in host.pci if not any(device is taken for taken, _unused in picked)]
        device = next((item for item in free if _pci_matches(item, wanted)), None)
        if device is None:
            return None
        picked.append((device, wanted))
    return picked


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

    def _place(self, vm: VM, order: int) -> None:
        like = self.cloud.personality
        owner = self.cloud.pool(User).get(vm.uid) or self.cloud.pool(User)[0]
        hosts = [host for host in self.cloud.pool(Host).values() if host.state == 2]
        names = ",".join(str(host.id) for host in sorted(hosts, key=lambda item: item.id))
        if hosts and not any(self.cloud.permitted(self.cloud.caller(owner), MANAGE, host) for host in hosts):
            self._unplaced(vm, "User is not authorized to use any host")
            return
        able = [host for host in hosts if _pick_devices(host, vm) is not None]
        if not able:
            self._unplaced(vm, (like.no_pci if hosts else like.no_hosts).format(hosts=names))
            return
        able = [host for host in able if self._fits(host, vm)]
        if not able:
            self._unplaced(vm, like.no_capacity.format(hosts=names))
            return
        # The rank is the number of VMs; among equals the newest host, as in the recording.
        host = min(able, key=lambda item: (len(item.vms), -item.id))
        if vm.user_template.pop("SCHED_MESSAGE", None) and like.keeps_empty_message:
            vm.user_template.put("SCHED_MESSAGE", "")
        host.vms.append(vm.id)
        for index, (device, wanted) in enumerate(_pick_devices(host, vm) or []):
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

    def _fits(self, host: Host, vm: VM) -> bool:
        memory, cpu = host_usage(self.cloud, host)
        return memory + _mem_kb(vm) <= host.mem_kb and cpu + _cpu_percent(vm) <= host.cpu

    def _unplaced(self, vm: VM, text: str) -> None:
        vm.user_template.put("SCHED_MESSAGE", f"{stamp()}: {text}")
        self.cloud.touch(vm)

    @staticmethod
    def _give_device(vm: VM, device: Vector, wanted: Vector, index: int) -> None:
        bus = index + 1
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
