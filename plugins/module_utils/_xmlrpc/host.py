# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Hosts: states, what modules return, PCI devices, forced monitoring, waiting for devices.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    InvalidInput,
    NotFound,
    OpenNebulaError,
    Refused,
    ResourceTimeout,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._waiting import wait_for
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import (
    Client,
    as_dict,
    as_dicts,
    as_int,
    as_ints,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import HOST, Objects, Raw, label, named

STATES = {
    0: "INIT",
    1: "MONITORING_MONITORED",
    2: "MONITORED",
    3: "ERROR",
    4: "DISABLED",
    5: "MONITORING_ERROR",
    6: "MONITORING_INIT",
    7: "MONITORING_DISABLED",
    8: "OFFLINE",
}
"""States of a host (include/Host.h; 1, 5, 6 and 7 are of servers before 6)."""

ENABLED, DISABLED, OFFLINE = 0, 1, 2
"""What C(one.host.status) takes (src/rm/api/HostAPI.h)."""

OFFLINE_SECONDS = 0.5
"""How long OpenNebula's own tools leave a host offline to force monitoring (src/oca/ruby/opennebula/host.rb)."""
ENABLE_TRIES = 3
"""How often a host is brought back from OFFLINE before that is an error."""

_ADDRESS = re.compile(r"(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}):([0-9a-fA-F]{2})[.:]([0-7])\Z")


def address_of(text: str) -> str | None:
    """Return a PCI address as the kernel writes it, C(0000:41:00.0), or None for what is none.

    OpenNebula has C(41:00.0) as its SHORT_ADDRESS, or C(0000:41:00.0) on hosts with several domains, and
    C(0000:41:00:0) as its ADDRESS (src/im_mad/remotes/node-probes.d/pci.rb).
    """
    match = _ADDRESS.match(text.strip())
    return None if match is None else f"{match[1] or '0000'}:{match[2]}:{match[3]}.{match[4]}".lower()


def checked_addresses(given: Iterable[str], option: str) -> list[str]:
    """Return PCI addresses in the kernel's form, each once.

    Raises:
        InvalidInput: one is no PCI address.
    """
    found: dict[str, None] = {}
    for text in given:
        address = address_of(str(text))
        if address is None:
            raise InvalidInput(
                f"{option} has {text!r}, which is no PCI address; write it as lspci -D does, such as 0000:41:00.0.",
                details={"option": option},
            )
        found[address] = None
    return list(found)


def state_of(raw: Raw) -> str:
    """Return the name of the state of a host."""
    number = as_int(raw.get("STATE"))
    return f"UNKNOWN({raw.get('STATE')})" if number is None or number not in STATES else STATES[number]


def find(objects: Objects, params: Mapping[str, Any]) -> Raw | None:
    """Return the host of C(id) or C(name), or None; names of hosts are unique."""
    if params["id"] is not None:
        return objects.by_id(HOST, params["id"])
    return next((raw for raw in objects.pool(HOST) if raw["NAME"] == params["name"]), None)


def not_found(objects: Objects, params: Mapping[str, Any]) -> NotFound:
    """Return the error that there is no such host, with the names that there are."""
    client = objects.client
    who = label(client, HOST, params["name"], params["id"])
    names = sorted(raw["NAME"] for raw in objects.pool(HOST))
    there = (
        f"There are: {', '.join(names)}."
        if names
        else "It may see no host at all; that needs USE on hosts, which members of a VDC do not have."
    )
    return NotFound(
        f"There is no {who} that user {client.target.username!r} may use. {there}",
        details={"endpoint": client.endpoint, "names": names},
    )


def device_facts(device: Mapping[str, Any]) -> dict[str, Any]:
    """Return a PCI device as modules return it."""
    vm = as_int(device.get("VMID"))
    node = as_int(device.get("NUMA_NODE"))
    return {
        "address": address_of(str(device.get("ADDRESS"))) or device.get("ADDRESS"),
        "short_address": device.get("SHORT_ADDRESS"),
        **{name: device.get(name.upper()) or None for name in ("vendor", "device", "class")},
        **{f"{name}_name": device.get(f"{name.upper()}_NAME") or None for name in ("vendor", "device", "class")},
        "numa_node": None if node is None or node < 0 else node,
        "profiles": [each.strip() for each in str(device.get("PROFILES") or "").split(",") if each.strip()],
        "vm": None if vm is None or vm < 0 else vm,
    }


def devices_of(raw: Raw) -> list[dict[str, Any]]:
    """Return the PCI devices of a host that OpenNebula knows, by address."""
    devices = as_dicts(as_dict(raw, "HOST_SHARE"), "PCI_DEVICES", "PCI")
    return sorted((device_facts(each) for each in devices), key=lambda each: str(each["address"]))


def facts(raw: Raw) -> dict[str, Any]:
    """Return a host as modules return it; memory in KB, CPU in per cent of one, as OpenNebula has them."""
    share, template = as_dict(raw, "HOST_SHARE"), as_dict(raw, "TEMPLATE")
    return {
        "id": int(raw["ID"]),
        "name": raw["NAME"],
        "state": state_of(raw),
        "error": template.get("ERROR") or None,
        "cluster_id": as_int(raw.get("CLUSTER_ID")),
        "cluster": raw.get("CLUSTER") or None,
        "im_mad": raw.get("IM_MAD") or None,
        "vm_mad": raw.get("VM_MAD") or None,
        **{
            kind: {name: as_int(share.get(form.format(key))) for name, form in _AMOUNTS.items()}
            for kind, key in (("cpu", "CPU"), ("memory", "MEM"))
        },
        "running_vms": as_int(share.get("RUNNING_VMS")),
        "vms": sorted(as_ints(raw, "VMS", "ID")),
        "pci_devices": devices_of(raw),
        "numa_nodes": [_node(each) for each in as_dicts(share, "NUMA_NODES", "NODE")],
        "template": template,
    }


_AMOUNTS = {"total": "TOTAL_{}", "max": "MAX_{}", "used": "{}_USAGE"}


def _node(node: Mapping[str, Any]) -> dict[str, Any]:
    memory = as_dict(node, "MEMORY")
    return {
        "id": as_int(node.get("NODE_ID")),
        "memory": {"total": as_int(memory.get("TOTAL")), "used": as_int(memory.get("USAGE"))},
        "distance": [int(each) for each in str(memory.get("DISTANCE") or "").split() if each.isdecimal()],
        "cores": [
            {
                "id": as_int(core.get("ID")),
                "cpus": [_thread(each) for each in str(core.get("CPUS") or "").split(",") if each],
                "free": as_int(core.get("FREE")),
                "dedicated": core.get("DEDICATED") == "YES",
            }
            for core in as_dicts(node, "CORE")
        ],
        "hugepages": [
            {name: as_int(page.get(name.upper())) for name in ("size", "pages", "usage")}
            for page in as_dicts(node, "HUGEPAGE")
        ],
    }


def _thread(text: str) -> dict[str, int | None]:
    """Return a thread of a core, which OpenNebula writes as C(id:vm), with -1 for no VM."""
    number, _colon, vm = text.partition(":")
    holder = as_int(vm)
    return {"id": as_int(number), "vm": None if holder is None or holder < 0 else holder}


def missing_devices(raw: Raw, addresses: Sequence[str]) -> list[str]:
    """Return those of the PCI addresses that the host's pool has not."""
    have = {device["address"] for device in devices_of(raw)}
    return [address for address in addresses if address not in have]


def present_devices(raw: Raw, addresses: Sequence[str]) -> list[dict[str, Any]]:
    """Return those of the devices in the host's pool whose addresses are given."""
    return [device for device in devices_of(raw) if device["address"] in addresses]


def refuse_offline(client: Client, raw: Raw) -> None:
    """Raise Refused for a host that is OFFLINE, since nothing monitors it."""
    if state_of(raw) != "OFFLINE":
        return
    number = int(raw["ID"])
    raise Refused(
        f"{client.endpoint}: {named(HOST, raw)} is OFFLINE, so OpenNebula does not monitor it and learns of no device. "
        f"Enable it with onehost enable {number}, then run again.",
        code="failed_state",
        details={"endpoint": client.endpoint, "id": number, "last_state": "OFFLINE"},
    )


def force_monitoring(client: Client, raw: Raw, sleep: Callable[[float], None] = time.sleep) -> None:
    """Have a host monitored at once, as C(onehost forceupdate) does: offline for a moment, then as it was.

    A host that is disabled is disabled again, which OpenNebula's tool forgets. Running VMs are not touched.

    Raises:
        Refused: the host is OFFLINE, so that nothing monitors it; or it could not be brought back.
    """
    refuse_offline(client, raw)
    number, who = int(raw["ID"]), named(HOST, raw)
    back = DISABLED if state_of(raw) in ("DISABLED", "MONITORING_DISABLED") else ENABLED
    client.call("host.status", number, OFFLINE, what=f"set {who} offline, to have it monitored")
    sleep(OFFLINE_SECONDS)
    for left in reversed(range(ENABLE_TRIES)):
        try:
            client.call("host.status", number, back, what=f"bring {who} back from being offline")
        except OpenNebulaError as error:
            if left:
                sleep(OFFLINE_SECONDS)
                continue
            word = "disable" if back == DISABLED else "enable"
            raise Refused(
                f"{error.message} The host is left OFFLINE; run onehost {word} {number}.",
                code="left_offline",
                details=error.details,
            ) from None
        return


def wait_devices(
    objects: Objects, number: int, addresses: Sequence[str], timeout: float, gone: Sequence[str] = ()
) -> Raw:
    """Wait until a host's pool has all devices, and none of those that shall be gone, and return the host.

    Raises:
        Refused: the host is OFFLINE or went away.
        ResourceTimeout: the time is over; C(details["missing"]) are the addresses.
    """
    client = objects.client

    def look() -> Raw:
        raw = objects.by_id(HOST, number)
        if raw is None:
            raise Refused(f"{label(client, HOST, None, number)} went away while its devices were waited for.")
        return raw

    seen: list[Raw] = []

    def poll() -> Raw:
        seen[:] = [look()]
        return seen[0]

    try:
        return wait_for(
            poll,
            lambda raw: not missing_devices(raw, addresses) and not present_devices(raw, gone),
            what=f"the PCI devices of {label(client, HOST, None, number)}",
            timeout=timeout,
            state=state_of,
            check=lambda raw: refuse_offline(client, raw),
        )
    except ResourceTimeout:
        late = _late if missing_devices(seen[0], addresses) else _there
        raise late(client, seen[0], addresses if late is _late else gone, timeout) from None


def _there(client: Client, raw: Raw, gone: Sequence[str], timeout: float) -> ResourceTimeout:
    there = present_devices(raw, gone)
    words = [str(each["address"]) + ("" if each["vm"] is None else f" (VM {each['vm']} has it)") for each in there]
    own = str(as_dict(raw, "TEMPLATE").get("PCI_SHORT_ADDRESS") or "")
    return ResourceTimeout(
        f"{client.endpoint}: waited {timeout:g} s, and {named(HOST, raw)} has {', '.join(words)} in its PCI pool, "
        "which shall not be there: VMs may get what the host keeps. End the VMs that have one, and take its address "
        f"out of PCI_SHORT_ADDRESS of the host and its cluster (the host's own is {own!r}; an empty one takes every "
        "address; OpenNebula reads it since 7.0) and out of :short_address: in the front-end's pci.conf; or lend it.",
        last_state=state_of(raw),
        details={"endpoint": client.endpoint, "id": int(raw["ID"]), "there": [each["address"] for each in there]},
    )


def _late(client: Client, raw: Raw, addresses: Sequence[str], timeout: float) -> ResourceTimeout:
    missing = missing_devices(raw, addresses)
    have = [device["address"] for device in devices_of(raw)]
    template = as_dict(raw, "TEMPLATE")
    details = {"endpoint": client.endpoint, "id": int(raw["ID"]), "missing": missing, "have": have}
    reasons = [f"its state is {state_of(raw)}" + (f" ({template['ERROR']})" if template.get("ERROR") else "")]
    reasons += [
        f"its own {key} is {template[key]!r}" for key in ("PCI_FILTER", "PCI_SHORT_ADDRESS") if template.get(key)
    ]
    return ResourceTimeout(
        f"{client.endpoint}: waited {timeout:g} s, and {named(HOST, raw)} still has no {', '.join(missing)} in its PCI "
        f"pool (it has {', '.join(have) or 'none'}); {'; '.join(reasons)}. Look at :filter:, :short_address: and "
        ":device_name: in /var/lib/one/remotes/etc/im/kvm-probes.d/pci.conf of the front-end (the default '0:0' shows "
        "no device), whether onehost sync --force brought that file to the host, PCI_FILTER and PCI_SHORT_ADDRESS of "
        "the host and its cluster, what lspci -mmnn says on the host, and /var/log/one/monitor.log. The probe leaves "
        "out a physical function whose virtual functions are on.",
        last_state=state_of(raw),
        details=details,
    )
