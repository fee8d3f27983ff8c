# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Monitoring of hosts: which of a host's PCI devices come into its pool.

Beyond the recorded contract, whose hosts report all that they have. Source, at the tag release-7.4.0: the front-end's
file pci.conf and the probe (src/im_mad/remotes/node-probes.d/pci.rb) say what a host reports; PCI_FILTER and
PCI_SHORT_ADDRESS of the host, else of its cluster, narrow that (src/host/Host.cc update_info, HostSharePCI.cc
set_monitorization; since 7.0, F #6991). A device that a VM holds stays. That a host which comes back from OFFLINE is
monitored at once is src/monitor/src/monitor/HostMonitorManager.cc update_host. The periodic monitoring, every ten
minutes, is left out: only a host that comes back is looked at.
"""

from __future__ import annotations

from collections.abc import Callable

from .clock import Clock
from .cloud import Cloud
from .model import Cluster, Host
from .template import Vector

INIT, MONITORED, DISABLED, OFFLINE = 0, 2, 4, 8


def _fits(entry: str, device: Vector) -> bool:
    """Whether an entry vendor:device:class takes a device; an empty field is any, as in HostSharePCI.cc."""
    fields = [field.strip() or "*" for field in entry.split(":")][:3]
    return all(
        field in ("*", device[name])
        for field, name in zip(fields, ("VENDOR", "DEVICE", "CLASS"), strict=False)
    )  # fmt: skip


def passes(filters: str, addresses: str, device: Vector) -> bool:
    """Whether PCI_FILTER and PCI_SHORT_ADDRESS let a device into the pool; an empty one lets all."""
    return (not filters or any(_fits(entry, device) for entry in filters.split(","))) and (
        not addresses or device["SHORT_ADDRESS"] in addresses.split(",")
    )


class HostLife:
    """Moves hosts from INIT to MONITORED, with the devices that the filters let through."""

    def __init__(self, cloud: Cloud, clock: Clock, schedule: Callable[[], None]) -> None:
        self.cloud = cloud
        self.clock = clock
        self.schedule = schedule

    def watch(self, host: Host) -> None:
        """Has a host that came back from OFFLINE monitored soon."""
        if host.unmonitored and host.state != OFFLINE:
            self.clock.after(self.cloud.timers.host, lambda: self.monitor(host))

    def reconcile(self) -> None:
        """After a restart: what was under way goes on."""
        for host in self.cloud.pool(Host).values():
            self.watch(host)

    def monitor(self, host: Host) -> None:
        """What the host reports is taken over, unless it is offline."""
        with self.cloud.change():
            if host.state == OFFLINE or not host.unmonitored:
                return
            host.unmonitored = False
            host.state = DISABLED if host.state == DISABLED else MONITORED
            held = [device for device in host.pci if device["VMID"] != "-1"]
            known = {device["ADDRESS"]: device for device in host.pci}
            taken = {device["ADDRESS"] for device in held}
            fresh = [
                known.get(device["ADDRESS"]) or dict(device)
                for device in host.bus or host.pci
                if device["ADDRESS"] not in taken and self._reported(host, device)
            ]
            host.pci = sorted(held + fresh, key=lambda device: device["ADDRESS"])
            self.cloud.touch(host)
        self.schedule()

    def _reported(self, host: Host, device: Vector) -> bool:
        if not passes(host.probe, "", device):
            return False
        if not self.cloud.personality.host_pci_filter:
            return True
        cluster = self.cloud.pool(Cluster)[host.cluster_id].template
        names = ("PCI_FILTER", "PCI_SHORT_ADDRESS")
        filters, addresses = (host.template.text(name) or cluster.text(name) for name in names)
        return passes(filters, addresses, device)
