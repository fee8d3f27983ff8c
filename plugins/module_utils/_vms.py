# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Facts of virtual machines out of one answer of ``one.vmpool.infoextended`` (or ``one.vm.info``).

The data is ragged: a VM may have no NIC, a NIC no address, a pending VM no history. Nothing here raises for that.
State numbers: ``include/VirtualMachine.h`` of OpenNebula 7.4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_list

VmState = IntEnum(
    "VmState",
    "INIT PENDING HOLD ACTIVE STOPPED SUSPENDED DONE FAILED POWEROFF UNDEPLOYED CLONING CLONING_FAILURE",
    start=0,
)

LcmState = IntEnum(
    "LcmState",
    "LCM_INIT PROLOG BOOT RUNNING MIGRATE SAVE_STOP SAVE_SUSPEND SAVE_MIGRATE PROLOG_MIGRATE PROLOG_RESUME "
    "EPILOG_STOP EPILOG SHUTDOWN CANCEL FAILURE CLEANUP_RESUBMIT UNKNOWN HOTPLUG SHUTDOWN_POWEROFF BOOT_UNKNOWN "
    "BOOT_POWEROFF BOOT_SUSPENDED BOOT_STOPPED CLEANUP_DELETE HOTPLUG_SNAPSHOT HOTPLUG_NIC HOTPLUG_SAVEAS "
    "HOTPLUG_SAVEAS_POWEROFF HOTPLUG_SAVEAS_SUSPENDED SHUTDOWN_UNDEPLOY EPILOG_UNDEPLOY PROLOG_UNDEPLOY "
    "BOOT_UNDEPLOY HOTPLUG_PROLOG_POWEROFF HOTPLUG_EPILOG_POWEROFF BOOT_MIGRATE BOOT_FAILURE BOOT_MIGRATE_FAILURE "
    "PROLOG_MIGRATE_FAILURE PROLOG_FAILURE EPILOG_FAILURE EPILOG_STOP_FAILURE EPILOG_UNDEPLOY_FAILURE "
    "PROLOG_MIGRATE_POWEROFF PROLOG_MIGRATE_POWEROFF_FAILURE PROLOG_MIGRATE_SUSPEND PROLOG_MIGRATE_SUSPEND_FAILURE "
    "BOOT_UNDEPLOY_FAILURE BOOT_STOPPED_FAILURE PROLOG_RESUME_FAILURE PROLOG_UNDEPLOY_FAILURE "
    "DISK_SNAPSHOT_POWEROFF DISK_SNAPSHOT_REVERT_POWEROFF DISK_SNAPSHOT_DELETE_POWEROFF DISK_SNAPSHOT_SUSPENDED "
    "DISK_SNAPSHOT_REVERT_SUSPENDED DISK_SNAPSHOT_DELETE_SUSPENDED DISK_SNAPSHOT DISK_SNAPSHOT_REVERT "
    "DISK_SNAPSHOT_DELETE PROLOG_MIGRATE_UNKNOWN PROLOG_MIGRATE_UNKNOWN_FAILURE DISK_RESIZE DISK_RESIZE_POWEROFF "
    "DISK_RESIZE_UNDEPLOYED HOTPLUG_NIC_POWEROFF HOTPLUG_RESIZE HOTPLUG_SAVEAS_UNDEPLOYED HOTPLUG_SAVEAS_STOPPED "
    "BACKUP BACKUP_POWEROFF RESTORE",
    start=0,
)

_ADDRESS_KEYS = ("IP", "IP6", "IP6_GLOBAL", "IP6_ULA")
_TRAILING_NUMBER = re.compile(r"_(\d+)_\(service_\d+\)$")


@dataclass(frozen=True)
class Nic:
    """A network interface: its number, the network's name and id ("" while unknown), its addresses, IPv4 first."""

    id: int
    network: str
    network_id: str
    mac: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Pci:
    """A PCI device that was asked for, as OpenNebula writes it; addresses and the node are "" until the VM has a host.

    ``profile`` is that of a vGPU, "" for a whole device.
    """

    vendor: str
    device: str
    class_: str
    address: str
    vm_address: str
    numa_node: str
    profile: str


@dataclass(frozen=True)
class Vm:
    """A virtual machine.

    ``service_id`` and ``role`` are None outside of OneFlow; ``error`` is what oned or the scheduler wrote, or "".
    ``host`` and ``cluster_id`` are those that it runs on or ran on last, None for a VM that never ran.
    """

    id: int
    name: str
    uname: str
    gname: str
    state: int
    lcm_state: int
    nics: tuple[Nic, ...]
    pci: tuple[Pci, ...]
    user_template: dict[str, Any]
    service_id: int | None
    role: str | None
    error: str
    host: str | None
    cluster_id: int | None

    @property
    def state_name(self) -> str:
        """ACTIVE, POWEROFF, ..."""
        return _name(VmState, self.state)

    @property
    def lcm_state_name(self) -> str:
        """RUNNING, BOOT_FAILURE, ...; LCM_INIT outside of ACTIVE."""
        return _name(LcmState, self.lcm_state)

    @property
    def running(self) -> bool:
        """ACTIVE and RUNNING: the guest is up as far as the hypervisor can tell."""
        return self.state_name == "ACTIVE" and self.lcm_state_name == "RUNNING"

    @property
    def gone(self) -> bool:
        """DONE: terminated, its disks removed."""
        return self.state_name == "DONE"

    @property
    def addresses(self) -> list[str]:
        """All addresses, in the order of the NICs, each once."""
        return list(dict.fromkeys(address for nic in self.nics for address in nic.addresses))

    @property
    def labels(self) -> list[str]:
        """The labels in its user template, such as ``prod/web``, without empty parts, each once."""
        paths = (
            [part.strip() for part in label.split("/")] for label in _text(self.user_template, "LABELS").split(",")
        )
        return list(dict.fromkeys(label for path in paths if (label := "/".join(filter(None, path)))))

    @property
    def ordinal(self) -> str:
        """The N of OneFlow's VM name ``ROLE_N_(service_ID)``; the VM's id where the name is another one."""
        match = _TRAILING_NUMBER.search(self.name)
        return match[1] if match else str(self.id)

    def describe(self) -> str:
        """``supernode_0_(service_6) (id 7, ACTIVE/BOOT_FAILURE: text)`` for messages."""
        state = self.state_name if self.state_name != "ACTIVE" else f"ACTIVE/{self.lcm_state_name}"
        return f"{self.name} (id {self.id}, {state}{': ' + self.error if self.error else ''})"


def vms_of(answer: Any) -> list[Vm]:
    """Return the VMs of an answer of ``one.vmpool.infoextended``, by id; one without an id is left out."""
    numbered = [(number, data) for data in as_list(answer, "VM") if (number := _number(data.get("ID"))) is not None]
    return [_vm(number, data) for number, data in sorted(numbered, key=lambda pair: pair[0])]


def _vm(number: int, data: Mapping[str, Any]) -> Vm:
    user_template = as_dict(data, "USER_TEMPLATE")
    nics = [*as_list(data, "TEMPLATE", "NIC"), *as_list(data, "TEMPLATE", "NIC_ALIAS")]
    records = [record for record in as_list(data, "HISTORY_RECORDS", "HISTORY") if isinstance(record, Mapping)]
    # a pool's answer has the last one, that of one VM has them all
    last: Mapping[str, Any] = max(records, key=lambda record: _state(record.get("SEQ")), default={})
    cluster = _state(last.get("CID"))
    return Vm(
        id=number,
        name=_text(data, "NAME"),
        uname=_text(data, "UNAME"),
        gname=_text(data, "GNAME"),
        state=_state(data.get("STATE")),
        lcm_state=_state(data.get("LCM_STATE")),
        nics=tuple(_nic(place, nic) for place, nic in enumerate(nics) if isinstance(nic, Mapping)),
        pci=tuple(_pci(device) for device in as_list(data, "TEMPLATE", "PCI") if isinstance(device, Mapping)),
        user_template=user_template,
        service_id=_number(user_template.get("SERVICE_ID")),
        role=_text(user_template, "ROLE_NAME") or None,
        error=_text(user_template, "ERROR") or _text(user_template, "SCHED_MESSAGE"),
        host=_text(last, "HOSTNAME") or None,
        cluster_id=cluster if cluster >= 0 else None,
    )


def _nic(place: int, data: Mapping[str, Any]) -> Nic:
    number = _number(data.get("NIC_ID"))
    addresses = (_text(data, key) for key in _ADDRESS_KEYS)
    return Nic(
        id=place if number is None else number,
        network=_text(data, "NETWORK"),
        network_id=_text(data, "NETWORK_ID"),
        mac=_text(data, "MAC"),
        addresses=tuple(dict.fromkeys(address for address in addresses if address)),
    )


def _pci(data: Mapping[str, Any]) -> Pci:
    keys = ("VENDOR", "DEVICE", "CLASS", "ADDRESS", "VM_ADDRESS", "NUMA_NODE", "PROFILE")
    return Pci(*(_text(data, key) for key in keys))


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _state(value: Any) -> int:
    number = _number(value)
    return -1 if number is None else number


def _name(states: type[IntEnum], number: int) -> str:
    try:
        return states(number).name
    except ValueError:
        return f"UNKNOWN({number})"
