# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""VMs that no host takes: told by the scheduler's own message, and told apart from a message that goes away.

A VM without a host stays PENDING for ever, and its service DEPLOYING. The scheduler writes why into SCHED_MESSAGE,
"<time>: <cause>", and tries again after SCHED_RETRY_TIME of oned.conf, 60 s as OpenNebula comes (6.x: 15 s); in between
a device may have become free. So a cause counts when the scheduler has written it a second time. SchedulerManager.cc.

Memory and CPUs are given back by others all the time, so a wait for them ends with its timeout alone. A VM that asks
for PCI devices, and lacks these, NUMA nodes for them or a host that meets its requirements, hardly gains by waiting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import OpenNebulaError
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.facts import service_vms
from ansible_collections.fact8ra.flower.plugins.module_utils._vms import Vm
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client

PAUSE = 3.0
"""Least seconds between two looks at the VMs."""
STANDING = 120.0
"""Seconds after which a cause counts that was written once, where the scheduler does not try again."""

# The reasons of SchedulerManager of 7.4, "[HOST] <reason> on hosts: <ids>" one after the other; 6.x names no reason.
_STAYS = re.compile(r"PCI device|NUMA|REQUIREMENTS")
_PASSES = re.compile(r"not enough|capacity", re.IGNORECASE)
_MESSAGE = re.compile(r"(?P<time>\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}): (?P<cause>.*)", re.DOTALL)


class Placing:
    """Looks at VMs that wait for a host, with one call every few seconds until all have one.

    Args:
        client: the XML-RPC endpoint.
        clock: seconds, monotonic.
    """

    def __init__(self, client: Client, clock: Callable[[], float]) -> None:
        self.client = client
        self.clock = clock
        self._next = clock() + PAUSE
        self._placed: set[int] = set()
        self._told: dict[int, tuple[str, str, float]] = {}

    def causes(self, ids: Sequence[int]) -> list[str]:
        """Return why no host takes VMs with these ids, each cause once; empty while a wait may help."""
        now = self.clock()
        if now < self._next or self._placed.issuperset(ids):
            return []
        self._next = now + PAUSE
        vms = self._vms(ids)
        waiting = _waiting(vms)
        self._placed = set(vms) - {vm.id for vm in waiting}
        return list(dict.fromkeys(cause for vm in waiting if (cause := self._certain(vm, now))))

    def messages(self, ids: Sequence[int]) -> list[str]:
        """Return what the scheduler says of those of the VMs that wait for a host, each once, with one call."""
        return list(dict.fromkeys(cause for vm in _waiting(self._vms(ids)) if (cause := _said(vm)[1])))

    def _vms(self, ids: Sequence[int]) -> dict[int, Vm]:
        try:
            return service_vms(self.client, list(ids))
        except OpenNebulaError:
            return {}  # the service is what is waited for; the next look may do

    def _certain(self, vm: Vm, now: float) -> str:
        time, cause = _said(vm)
        before = self._told.get(vm.id)
        if before is None or before[1] != cause:
            self._told[vm.id] = (time, cause, now)
            return ""
        if not vm.pci or not _STAYS.search(cause) or _PASSES.search(cause):
            return ""
        return cause if before[0] != time or now - before[2] >= STANDING else ""


def _waiting(vms: Mapping[int, Vm]) -> list[Vm]:
    return [vm for vm in vms.values() if vm.state_name == "PENDING"]


def _said(vm: Vm) -> tuple[str, str]:
    """Return the time and the cause of the scheduler's message on a VM, empty without one."""
    message = str(vm.user_template.get("SCHED_MESSAGE") or "")
    match = _MESSAGE.fullmatch(message)
    return (match["time"], match["cause"]) if match else ("", message)
