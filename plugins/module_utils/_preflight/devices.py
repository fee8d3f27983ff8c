# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""PCI devices of hosts, matched as OpenNebula matches them (src/host/HostSharePCI.cc of 7.4).

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_dicts, as_int, as_list

IDS = ("VENDOR", "DEVICE", "CLASS")
HOST_MONITORED = 2
Device = Mapping[str, Any]


def _hexadecimal(value: object) -> int | None:
    try:
        return int(str(value), 16)
    except ValueError:
        return None


def matches(device: Device, wanted: Device) -> bool:
    """Whether a device is one that an entry PCI of a VM template asks for, free or not.

    Ids are compared as hexadecimal numbers, and one that is empty or missing fits all; an entry without any id names
    the device by its address. A profile has to be among those that the device offers.
    """
    given = [name for name in IDS if wanted.get(name)]
    if given:
        fits = all(_hexadecimal(wanted[name]) == _hexadecimal(device.get(name)) for name in given)
    else:
        fits = bool(wanted.get("SHORT_ADDRESS")) and wanted["SHORT_ADDRESS"] == device.get("SHORT_ADDRESS")
    profile = str(wanted.get("PROFILE") or "")
    if not fits or not profile:
        return fits
    # node-probes.d/pci.rb writes "nvidia-35" of mediated devices and "557 (NVIDIA L40S-4Q)" of virtual functions
    offered = [each.strip() for each in str(device.get("PROFILES") or "").split(",")]
    return profile in offered or profile in [each.partition(" ")[0] for each in offered]


def passed_through(template: Device) -> list[Device]:
    """Return the entries PCI of a VM or a VM template, but for network devices, which are NICs."""
    return [each for each in as_dicts(template, "PCI") if str(each.get("TYPE") or "").upper() != "NIC"]


def label(wanted: Sequence[Device]) -> str:
    """Return what is asked for in short, "10de:20b5", each kind once."""
    texts = []
    for each in wanted:
        ids = [str(each.get(name) or "*") for name in IDS]
        text = ":".join(ids if ids[2] != "*" else ids[:2]).lower()
        if not any(each.get(name) for name in IDS):
            text = f"at {each.get('SHORT_ADDRESS')}"
        texts.append(text + (f" with profile {each['PROFILE']}" if each.get("PROFILE") else ""))
    return " and ".join(dict.fromkeys(texts))


@dataclass(frozen=True)
class Host:
    """A host with those of its devices that are asked for.

    Attributes:
        name: of the host.
        monitored: whether the scheduler takes it into account.
        pinned: whether it takes VMs with pinned CPUs, and no others.
        devices: that fit an entry, free or not, in the order in which OpenNebula gives them away.
    """

    name: str
    monitored: bool
    pinned: bool
    devices: tuple[Device, ...]

    def holders(self, own: frozenset[int]) -> list[int]:
        """Return the VMs that hold devices, but for the own ones."""
        return sorted({number for device in self.devices if (number := holder(device)) != -1 and number not in own})

    def free(self) -> list[Device]:
        """Return the devices that no VM has."""
        return [device for device in self.devices if holder(device) == -1]

    def room(self, wanted: Sequence[Device]) -> int:
        """Return for how many VMs, each with all that is wanted, the free devices are enough."""
        left, count = self.free(), 0
        while (taken := _taken(left, wanted)) is not None:
            left = [device for device in left if not any(device is one for one in taken)]
            count += 1
        return count


def holder(device: Device) -> int:
    """Return the id of the VM that has a device, -1 for none."""
    number = as_int(device.get("VMID"))
    return -1 if number is None else number


def _taken(free: Sequence[Device], wanted: Sequence[Device]) -> list[Device] | None:
    """Return the devices that a VM would get; None where there are too few. Those named by address come first."""
    taken: list[Device] = []
    for each in sorted(wanted, key=lambda one: any(one.get(name) for name in IDS)):
        fit = next((one for one in free if not any(one is it for it in taken) and matches(one, each)), None)
        if fit is None:
            return None
        taken.append(fit)
    return taken if taken else None


def hosts_with(hosts: Iterable[Mapping[str, Any]], wanted: Sequence[Device]) -> list[Host]:
    """Return all hosts of a pool, by name, each with its devices that fit an entry of what is wanted."""
    result = []
    for raw in hosts:
        found = [device for device in as_list(raw, "HOST_SHARE", "PCI_DEVICES", "PCI") if isinstance(device, Mapping)]
        found = [device for device in found if any(matches(device, each) for each in wanted)]
        policy = str(as_dict(raw, "TEMPLATE").get("PIN_POLICY") or "")
        result.append(
            Host(
                name=str(raw.get("NAME")),
                monitored=as_int(raw.get("STATE")) == HOST_MONITORED,
                pinned=policy.upper() == "PINNED",
                devices=tuple(sorted(found, key=lambda device: str(device.get("ADDRESS")))),
            )
        )
    return sorted(result, key=lambda host: host.name)
