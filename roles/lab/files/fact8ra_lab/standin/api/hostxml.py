# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The parts of a host that monitoring fills in: the numbers of the recorded dummy hosts, with this host's sizes."""

from __future__ import annotations

from typing import Final

from ..cloud import now
from ..model import Host
from ..template import Template, cdata

_FEATURES: Final = (
    "vme,ds,acpi,ss,ht,tm,pbe,dtes64,monitor,ds_cpl,vmx,smx,est,tm2,xtpr,pdcm,osxsave,f16c,rdrand,arat,tsc_adjust,"
    "clflushopt,clwb,intel-pt,sha-ni,umip,pku,ospke,waitpkg,gfni,vaes,vpclmulqdq,rdpid,movdiri,movdir64b,pks,fsrm,"
    "md-clear,serialize,arch-lbr,stibp,arch-capabilities,core-capability,ssbd,avx-vnni,xsaveopt,xsavec,xgetbv1,xsaves,"
    "pdpe1gb,abm,invtsc,rdctl-no,ibrs-all,skip-l1dfl-vmentry,mds-no,pschange-mc-no"
)
_MODELS: Final = (
    "486 pentium pentium2 pentium3 pentiumpro coreduo n270 core2duo qemu32 kvm32 cpu64-rhel5 cpu64-rhel6 kvm64 Conroe"
    " Penryn Nehalem Nehalem-IBRS Westmere Westmere-IBRS SandyBridge SandyBridge-IBRS IvyBridge IvyBridge-IBRS"
    " SapphireRapids SapphireRapids-noTSX Opteron_G1"
)
_CORES: Final = 8
_THREADS: Final = 16


def _tags(values: dict[str, str]) -> str:
    return "".join(f"<{key}>{cdata(value)}</{key}>" for key, value in values.items())


def template(host: Host) -> Template:
    """What the host reports of itself."""
    values = {
        "ARCH": "x86_64", "CPUSPEED": "3200", "HOSTNAME": host.name, "HYPERVISOR": host.mad, "IM_MAD": host.mad,
        "KVM_CPU_FEATURES": _FEATURES, "KVM_CPU_MODELS": _MODELS, "MEMORY_ENCRYPTION": "SEV",
        "MODELNAME": "Dummy(R) Core @ 3.2GHz", "RESERVED_CPU": "", "RESERVED_MEM": "", "TOTALCPU": str(host.cpu),
        "TOTALMEMORY": str(host.mem_kb), "VM_MAD": host.mad,
    }  # fmt: skip
    return Template({key: [value] for key, value in values.items()})


def datastores() -> str:
    """The host's disks."""
    disks = {"DISK_USAGE": "0", "FREE_DISK": "20480", "MAX_DISK": "20480", "USED_DISK": "9720"}
    return f"<DATASTORES>{_tags(disks)}</DATASTORES>"


def pci_devices(host: Host) -> str:
    """The PCI devices with the VM that holds each (-1: none)."""
    inner = "".join(f"<PCI>{_tags({key: device[key] for key in sorted(device)})}</PCI>" for device in host.pci)
    return f"<PCI_DEVICES>{inner}</PCI_DEVICES>"


def numa_nodes(host: Host) -> str:
    """Two NUMA nodes that share cores and memory."""
    result = ""
    for node in (0, 1):
        cores = ""
        for core in range(node * _CORES, (node + 1) * _CORES):
            threads = ",".join(f"{core + step * _THREADS}:-1" for step in range(4))
            cores += f"<CORE>{_tags({'CPUS': threads, 'DEDICATED': 'NO', 'FREE': '4', 'ID': str(core)})}</CORE>"
        pages = "".join(
            f"<HUGEPAGE>{_tags({'PAGES': '1024', 'SIZE': size, 'USAGE': '0'})}</HUGEPAGE>"
            for size in ("2048", "1048576")
        )
        memory = {"DISTANCE": f"{node} {1 - node}", "TOTAL": str(host.mem_kb // 2), "USAGE": "0"}
        result += f"<NODE>{cores}{pages}<MEMORY>{_tags(memory)}</MEMORY>{_tags({'NODE_ID': str(node)})}</NODE>"
    return f"<NUMA_NODES>{result}</NUMA_NODES>"


def monitoring(host: Host, usage: tuple[int, int]) -> str:
    """The last sample."""
    memory, cpu = usage
    capacity = {
        "FREE_CPU": str(host.cpu - cpu), "FREE_MEMORY": str(host.mem_kb - memory), "USED_CPU": str(cpu),
        "USED_MEMORY": str(memory),
    }  # fmt: skip
    nodes = ""
    for node in (0, 1):
        pages = "".join(f"<HUGEPAGE>{_tags({'FREE': '1024', 'SIZE': size})}</HUGEPAGE>" for size in ("2048", "1048576"))
        half = {"FREE": str((host.mem_kb - memory) // 2), "USED": str(memory // 2)}
        nodes += f"<NUMA_NODE>{pages}<MEMORY>{_tags(half)}</MEMORY>{_tags({'NODE_ID': str(node)})}</NUMA_NODE>"
    return (
        f"<MONITORING><TIMESTAMP>{now()}</TIMESTAMP><ID>{host.id}</ID><CAPACITY>{_tags(capacity)}</CAPACITY>"
        f"<SYSTEM>{_tags({'NETRX': '0', 'NETTX': '0'})}</SYSTEM>{nodes}</MONITORING>"
    )
