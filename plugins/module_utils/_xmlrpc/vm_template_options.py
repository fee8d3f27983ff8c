# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Options of module vm_template, and the attributes that they set.

Private to the collection: it may change without notice.

The attributes are in the reference "Virtual Machine Template" of OpenNebula's documentation. The documentation of the
options is in plugins/doc_fragments/_vm_template.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput

Option = Mapping[str, Any]


def _text(*choices: str) -> Option:
    return {"type": "str", "choices": list(choices)} if choices else {"type": "str"}


_INT: Option = {"type": "int"}
_BOOL: Option = {"type": "bool"}
_WORDS: Option = {"type": "list", "elements": "str"}

SCALARS: Mapping[str, Option] = {
    "cpu": {"type": "float"},
    "vcpu": _INT,
    "vcpu_max": _INT,
    "memory": _INT,
    "memory_max": _INT,
    "memory_slots": _INT,
    "memory_resize_mode": _text("BALLOONING", "HOTPLUG"),
    "cpu_cost": {"type": "float"},
    "memory_cost": {"type": "float"},
    "disk_cost": {"type": "float"},
    "hypervisor": _text(),
    "sched_requirements": _text(),
    "sched_rank": _text(),
    "sched_ds_requirements": _text(),
    "sched_ds_rank": _text(),
    "description": _text(),
    "logo": _text(),
    "labels": _WORDS,
}
"""Options that are one attribute with their name in capitals."""

NUMBERS = tuple(name.upper() for name, option in SCALARS.items() if option["type"] in ("int", "float"))
"""Attributes that are compared as numbers: others may have written 1.0 for 1."""

VECTORS: Mapping[str, Mapping[str, Option]] = {
    "os": {
        "arch": _text(),
        "machine": _text(),
        "firmware": _text(),
        "firmware_secure": _BOOL,
        "boot": _text(),
        "kernel": _text(),
        "initrd": _text(),
        "kernel_cmd": _text(),
        "root": _text(),
        "bootloader": _text(),
        "sd_disk_bus": _text("scsi", "sata"),
        "uuid": _text(),
    },
    "cpu_model": {"model": _text(), "features": _WORDS},
    "topology": {
        "sockets": _INT,
        "cores": _INT,
        "threads": _INT,
        "pin_policy": _text("NONE", "CORE", "THREAD", "SHARED"),
        "node_affinity": _INT,
        "hugepage_size": _INT,
        "memory_access": _text("shared", "private"),
    },
    "features": {
        "acpi": _BOOL,
        "apic": _BOOL,
        "pae": _BOOL,
        "hyperv": _BOOL,
        "localtime": _BOOL,
        "guest_agent": _BOOL,
        "virtio_scsi_queues": _text(),
        "virtio_blk_queues": _text(),
        "iothreads": _INT,
    },
    "graphics": {
        "type": _text(),
        "listen": _text(),
        "port": _INT,
        "keymap": {"type": "str", "no_log": False},
        "passwd": {"type": "str", "no_log": True},
        "random_passwd": {"type": "bool", "no_log": False},
    },
    "raw": {"type": _text(), "data": _text(), "data_vmx": _text(), "validate": _BOOL},
}
"""Options that are one vector, with their suboptions beside C(attributes)."""

LISTS: Mapping[str, Mapping[str, Option]] = {
    "disks": {
        "image": _text(),
        "image_id": _INT,
        "type": _text("fs", "swap"),
        "size": _INT,
        "format": _text("raw", "qcow2"),
        "fs": _text(),
        "target": _text(),
        "dev_prefix": _text(),
        "driver": _text(),
        "cache": _text("default", "none", "writethrough", "writeback", "directsync", "unsafe"),
        "io": _text("threads", "native", "io_uring"),
        "discard": _text("ignore", "unmap"),
        "readonly": _BOOL,
    },
    "nics": {
        "network": _text(),
        "network_id": _INT,
        "network_mode": _text("auto"),
        "sched_requirements": _text(),
        "sched_rank": _text(),
        "security_groups": _WORDS,
        "name": _text(),
        "model": _text(),
        "mac": _text(),
        "ip": _text(),
        "ip6": _text(),
        "method": _text("static", "dhcp", "skip"),
        "virtio_queues": _text(),
    },
    "pci": {
        "vendor": _text(),
        "device": _text(),
        "class": _text(),
        "short_address": _text(),
        "profile": _text(),
        "type": _text("NIC"),
        "network": _text(),
        "network_id": _INT,
    },
    "inputs": {"type": _text("tablet", "mouse"), "bus": _text("usb", "ps2")},
    "numa_nodes": {"total_cpus": _INT, "memory": _INT},
}
"""Options that are a list of vectors, with the suboptions of each beside C(attributes)."""

_LIST_ATTRIBUTES = {"disks": "DISK", "nics": "NIC", "pci": "PCI", "inputs": "INPUT", "numa_nodes": "NUMA_NODE"}
_DICTS = {"context": "CONTEXT", "user_inputs": "USER_INPUTS"}

ATTRIBUTES: Mapping[str, str] = {
    **{option: option.upper() for option in (*SCALARS, *VECTORS)},
    **_LIST_ATTRIBUTES,
    **_DICTS,
}
"""Options to the attributes that they set."""

_EXCLUSIVE = {
    "disks": [("image", "image_id", "type")],
    "nics": [("network", "network_id", "network_mode")],
    "pci": [("network", "network_id"), ("short_address", "vendor"), ("short_address", "device")],
}
_HEXADECIMAL = {
    "vendor": (re.compile(r"[0-9a-fA-F]{4}\Z"), "four hexadecimal digits, such as 10de"),
    "device": (re.compile(r"[0-9a-fA-F]{4}\Z"), "four hexadecimal digits, such as 20b5"),
    "class": (re.compile(r"[0-9a-fA-F]{4}\Z"), "four hexadecimal digits, such as 0302"),
    "short_address": (re.compile(r"[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]\Z"), "a PCI address, such as 0a:00.0"),
}


def argument_spec() -> dict[str, dict[str, Any]]:
    """Return the specification of all options that set attributes, in the form of AnsibleModule."""
    free: Option = {"type": "dict"}
    spec: dict[str, dict[str, Any]] = {name: dict(option) for name, option in SCALARS.items()}
    for name, options in VECTORS.items():
        spec[name] = {"type": "dict", "options": {**options, "attributes": free}}
    for name, options in LISTS.items():
        spec[name] = {"type": "list", "elements": "dict", "options": {**options, "attributes": free}}
        if name in _EXCLUSIVE:
            spec[name]["mutually_exclusive"] = _EXCLUSIVE[name]
    return {**spec, **{name: dict(free) for name in _DICTS}, "attributes": dict(free)}


def vector(given: Mapping[str, Any], place: str, references: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the suboptions and free attributes of a vector together; what was not given is left out.

    Args:
        given: the suboptions, with the free ones in C(attributes).
        place: the option, for messages.
        references: suboptions that exclude free attributes of the same names even when they were not given.

    Raises:
        InvalidInput: a free attribute has an option that was given too.
    """
    result = {name: value for name, value in given.items() if name != "attributes" and value is not None}
    taken = {*result, *references}
    for name, value in (given.get("attributes") or {}).items():
        if str(name).lower() in taken:
            raise InvalidInput(
                f"{place}.attributes has {name}, for which there is an option; give it there only.",
                details={"option": place.removesuffix("[]")},
            )
        result[str(name)] = value
    return {name: ",".join(map(str, value)) if isinstance(value, list) else value for name, value in result.items()}


def check_disk(disk: Mapping[str, Any]) -> None:
    """See that a disk is an image or a volatile disk with a size; raises InvalidInput."""
    if disk.get("image") is None and disk.get("image_id") is None and disk.get("type") is None:
        raise InvalidInput(
            "disks[] has a disk without image, image_id and type; name an image, or give type fs or swap and a size "
            "for a volatile disk.",
            details={"option": "disks"},
        )
    if disk.get("type") is not None and disk.get("size") is None:
        raise InvalidInput(
            f"disks[].size is needed for a volatile disk of type {disk['type']}, in MB.", details={"option": "disks"}
        )


def check_topology(topology: Mapping[str, Any]) -> None:
    """See that a node is not named for pinned CPUs, which oned refuses on instantiation; raises InvalidInput."""
    policy = topology.get("pin_policy")
    if topology.get("node_affinity") is not None and policy not in (None, "NONE"):
        raise InvalidInput(
            f"topology.node_affinity cannot be given with pin_policy {policy}, OpenNebula chooses the node of pinned "
            "CPUs itself; leave one of the two out.",
            details={"option": "topology"},
        )


def check_pci(device: Mapping[str, Any]) -> None:
    """See that a PCI device is described, in the form in which OpenNebula compares; raises InvalidInput."""
    for name, (form, right) in _HEXADECIMAL.items():
        value = device.get(name)
        if value is not None and not form.match(value):
            raise InvalidInput(f"pci[].{name} is {value!r}; it has to be {right}.", details={"option": "pci"})
    if not any(device.get(name) for name in _HEXADECIMAL) and not device.get("attributes"):
        raise InvalidInput(
            "pci[] has an entry that describes no device; give vendor, device and class, or short_address.",
            details={"option": "pci"},
        )
    if (device.get("network") is not None or device.get("network_id") is not None) and device.get("type") != "NIC":
        raise InvalidInput("pci[].network is only for a device with type: NIC.", details={"option": "pci"})
