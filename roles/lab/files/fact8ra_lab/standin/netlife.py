# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The life of networks: LOCK_CREATE to READY, LOCK_DELETE to gone."""

from __future__ import annotations

from .clock import Clock
from .cloud import Cloud
from .faults import Faults
from .model import VNet
from .vnstates import ERROR, LOCK_CREATE, LOCK_DELETE, READY


class NetLife:
    """Moves networks through their states."""

    def __init__(self, cloud: Cloud, clock: Clock, faults: Faults) -> None:
        self.cloud = cloud
        self.clock = clock
        self.faults = faults

    def watch(self, net: VNet) -> None:
        """Has a network in a passing state go on soon."""
        if net.state in (LOCK_CREATE, LOCK_DELETE):
            self.clock.after(self.cloud.timers.network, lambda: self._step(net))

    def reconcile(self) -> None:
        """After a restart: what was under way goes on."""
        for net in self.cloud.pool(VNet).values():
            self.watch(net)

    def _step(self, net: VNet) -> None:
        with self.cloud.change():
            if self.cloud.pool(VNet).get(net.id) is not net:
                return
            if net.state == LOCK_DELETE:
                self.cloud.remove(net)
            elif net.state == LOCK_CREATE and self.faults.active("stuck", net.name):
                self.clock.after(max(self.cloud.timers.network, 0.05), lambda: self._step(net))
            elif net.state == LOCK_CREATE:
                failed = self.faults.active("net_error", net.name)
                net.state = net.prev_state = ERROR if failed else READY
                if failed:
                    net.template.put("ERROR", str(failed.options.get("text", "failed on request")))
                self.cloud.touch(net)
