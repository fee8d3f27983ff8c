# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Pinned VMs: the virtual NUMA nodes that a template asks for, and the host's nodes that they get.

Source: VirtualMachine::parse_topology (src/vm/VirtualMachineParser.cc) and HostShareNUMA::make_topology of 7.4.0.
Modelled are homogeneous topologies; huge pages and NODE_AFFINITY are kept as they are given. The nodes of a host
have equal shares of its CPUs and memory.
"""

from __future__ import annotations

from collections.abc import Iterable

from .errors import ALLOCATE, OneError
from .model import VM, Host
from .template import Template, Vector

_POLICIES = ("CORE", "THREAD", "SHARED")


def pinned(template: Template) -> bool:
    """Whether a VM has its CPUs pinned, so that only hosts with PIN_POLICY=PINNED take it."""
    return any(vector.get("PIN_POLICY", "").upper() in _POLICIES for vector in template.vectors("TOPOLOGY"))


def parse_topology(template: Template) -> None:
    """Completes the template of a new VM: CPU of pinned ones, and their NUMA_NODEs. Raises OneError."""
    if not template.vectors("TOPOLOGY"):
        return
    topology = template.vectors("TOPOLOGY")[0]
    vcpu, memory = template.integer("VCPU") or 1, int(float(template.text("MEMORY", "0")))
    template.put("VCPU", str(vcpu))
    if not pinned(template):
        topology["PIN_POLICY"] = "NONE"
        if not any(topology.get(key) for key in ("SOCKETS", "CORES", "THREADS")):
            topology.update({"SOCKETS": "1", "CORES": str(vcpu), "THREADS": "1"})
        return
    if topology.get("NODE_AFFINITY"):
        raise OneError(ALLOCATE, "NUMA node affinity cannot be set for pinned VMs")
    template.put("CPU", str(vcpu))
    count = int(topology.get("SOCKETS") or 1)
    for what, amount in (("VCPU", vcpu), ("MEMORY", memory)):
        if amount % count:
            raise OneError(ALLOCATE, f"{what} is not multiple of the number of NUMA nodes")
    topology["SOCKETS"] = str(count)
    node = {"TOTAL_CPUS": str(vcpu // count), "MEMORY": str(memory // count * 1024)}
    template["NUMA_NODE"] = [dict(node) for _unused in range(count)]


def host_nodes(host: Host) -> int:
    """The number of NUMA nodes of a host: two, as the recorded hosts report, or as many as its devices name."""
    return 1 + max(1, *(int(device.get("NUMA_NODE") or 0) for device in host.pci), 0)


def place(host: Host, others: Iterable[VM], vm: VM, devices: Iterable[Vector]) -> list[tuple[Vector, int, list[int]]]:
    """Virtual node, node of the host and CPUs for each virtual node of a VM; none where it does not fit.

    A virtual node goes to the node of the same number where a device of the VM is there; else to the emptiest.
    """
    count = host_nodes(host)
    share, memory = host.cpu // 100 // count, host.mem_kb // count
    cpus = [set(range(number * share, (number + 1) * share)) for number in range(count)]
    free = [memory] * count
    for node in (node for other in others if other.id != vm.id for node in other.template.vectors("NUMA_NODE")):
        if node.get("NODE_ID"):
            cpus[int(node["NODE_ID"])] -= {int(part) for part in node["CPUS"].split(",")}
            free[int(node["NODE_ID"])] -= int(node["MEMORY"])
    near = {int(device["NUMA_NODE"]) for device in devices if device.get("NUMA_NODE")}
    result: list[tuple[Vector, int, list[int]]] = []
    for index, wanted in enumerate(vm.template.vectors("NUMA_NODE")):
        total, needed = int(wanted["TOTAL_CPUS"]), int(wanted["MEMORY"])
        fits = [number for number in range(count) if len(cpus[number]) >= total and free[number] >= needed]
        if not fits:
            return []
        best = index if index in fits and index in near else max((len(cpus[number]), number) for number in fits)[1]
        taken = sorted(cpus[best])[:total]
        cpus[best] -= set(taken)
        free[best] -= needed
        result.append((wanted, best, taken))
    return result
