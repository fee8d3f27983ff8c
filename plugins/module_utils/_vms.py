# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Facts of virtual machines out of one answer of ``one.vmpool.infoextended`` (or ``one.vm.info``).

The data is ragged: a VM may have no NIC, a NIC no address, a pending VM no history. Nothing here raises for that.
State numbers: ``include/VirtualMachine.h`` of OpenNebula 7.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from xml.etree.ElementTree import Element

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
    """A network interface: the network's name and id ("" while unknown), its addresses, IPv4 first."""

    network: str
    network_id: str
    mac: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Vm:
    """A virtual machine.

    ``service_id`` and ``role`` are None outside of OneFlow; ``error`` is what oned or the scheduler wrote, or "".
    """

    id: int
    name: str
    uname: str
    gname: str
    state: int
    lcm_state: int
    nics: tuple[Nic, ...]
    user_template: dict[str, Any]
    service_id: int | None
    role: str | None
    error: str

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
    def ordinal(self) -> str:
        """The N of OneFlow's VM name ``ROLE_N_(service_ID)``; the VM's id where the name is another one."""
        match = _TRAILING_NUMBER.search(self.name)
        return match[1] if match else str(self.id)

    def describe(self) -> str:
        """``supernode_0_(service_6) (id 7, ACTIVE/BOOT_FAILURE: text)`` for messages."""
        state = self.state_name if self.state_name != "ACTIVE" else f"ACTIVE/{self.lcm_state_name}"
        return f"{self.name} (id {self.id}, {state}{': ' + self.error if self.error else ''})"


def vms_of(root: Element) -> list[Vm]:
    """Return the VMs of a ``VM_POOL`` (or the one VM of a ``VM``), by id; an element without an id is left out."""
    elements = [root] if root.tag == "VM" else root.findall("VM")
    numbered = [(number, element) for element in elements if (number := _number(element.findtext("ID"))) is not None]
    return [_vm(number, element) for number, element in sorted(numbered, key=lambda pair: pair[0])]


def in_service(vms: Iterable[Vm], service_id: int) -> list[Vm]:
    """Return the VMs that OneFlow made for a service (``USER_TEMPLATE/SERVICE_ID``)."""
    return [vm for vm in vms if vm.service_id == service_id]


def _vm(number: int, element: Element) -> Vm:
    user = element.find("USER_TEMPLATE")
    user_template = _tree(user) if user is not None else {}
    template = element.find("TEMPLATE")
    nics = [*template.findall("NIC"), *template.findall("NIC_ALIAS")] if template is not None else []
    error = user_template.get("ERROR") or user_template.get("SCHED_MESSAGE") or ""
    role = user_template.get("ROLE_NAME")
    return Vm(
        id=number,
        name=element.findtext("NAME") or "",
        uname=element.findtext("UNAME") or "",
        gname=element.findtext("GNAME") or "",
        state=_state(element.findtext("STATE")),
        lcm_state=_state(element.findtext("LCM_STATE")),
        nics=tuple(_nic(nic) for nic in nics),
        user_template=user_template,
        service_id=_number(user_template.get("SERVICE_ID")),
        role=role if isinstance(role, str) and role else None,
        error=error if isinstance(error, str) else "",
    )


def _nic(element: Element) -> Nic:
    addresses = (element.findtext(key) for key in _ADDRESS_KEYS)
    return Nic(
        network=element.findtext("NETWORK") or "",
        network_id=element.findtext("NETWORK_ID") or "",
        mac=element.findtext("MAC") or "",
        addresses=tuple(dict.fromkeys(address for address in addresses if address)),
    )


def _tree(element: Element) -> dict[str, Any]:
    """Return the children as a dict: text, nested dict, or a list where a name comes more than once."""
    result: dict[str, Any] = {}
    for child in element:
        value: Any = _tree(child) if len(child) else child.text or ""
        if child.tag not in result:
            result[child.tag] = value
        elif isinstance(result[child.tag], list):
            result[child.tag].append(value)
        else:
            result[child.tag] = [result[child.tag], value]
    return result


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _state(text: str | None) -> int:
    number = _number(text)
    return -1 if number is None else number


def _name(states: type[IntEnum], number: int) -> str:
    try:
        return states(number).name
    except ValueError:
        return f"UNKNOWN({number})"
