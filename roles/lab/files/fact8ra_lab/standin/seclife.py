# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""How the VMs of a security group get its new rules: one by one, from OUTDATED over UPDATING to UPDATED or ERROR.

Source: LifeCycleManager::trigger_updatesg and SecurityGroup::commit of oned, release-7.4.0.
"""

from __future__ import annotations

from typing import Final

from .clock import Clock
from .cloud import Cloud
from .faults import Faults
from .model import VM, SecurityGroup
from .vmlife import VmLife
from .vmstates import ACTIVE, BOOT, BOOT_FAILURE, BOOT_POWEROFF, RUNNING, UNKNOWN

#: LCM states in which the rules of a VM cannot be changed.
_CANNOT: Final = (BOOT, BOOT_POWEROFF, BOOT_FAILURE, UNKNOWN)


class SecurityGroupLife:
    """Brings new rules to VMs."""

    def __init__(self, cloud: Cloud, clock: Clock, faults: Faults, life: VmLife) -> None:
        self.cloud = cloud
        self.clock = clock
        self.faults = faults
        self.life = life
        #: What the hosts said, by group and VM: an error, or nothing.
        self._answers: dict[tuple[int, int], str] = {}

    def watch(self, group: SecurityGroup) -> None:
        """Has the outdated VMs of a group updated soon."""
        if group.outdated or group.updating:
            self.clock.after(self.cloud.timers.secgroup, lambda: self._step(group))

    def reconcile(self) -> None:
        """After a restart: what was under way goes on."""
        for group in self.cloud.pool(SecurityGroup).values():
            group.outdated, group.updating = sorted({*group.outdated, *group.updating}), []
            self.watch(group)

    def _step(self, group: SecurityGroup) -> None:
        with self.cloud.change():
            if self.cloud.pool(SecurityGroup).get(group.id) is not group:
                return
            self._answered(group)
            while group.outdated and not group.updating:
                self._begin(group, group.outdated.pop(0))
            self.cloud.touch(group)
            self.watch(group)

    def _answered(self, group: SecurityGroup) -> None:
        """Takes the answers of the hosts that were asked; after a restart the others are asked again."""
        for number in list(group.updating):
            error = self._answers.pop((group.id, number), None)
            if error is None:
                continue
            group.updating.remove(number)
            failed = error or self.faults.active("secgroup_error", group.name)
            (group.error if failed else group.vms).append(number)

    def _begin(self, group: SecurityGroup, number: int) -> None:
        vm = self.cloud.pool(VM).get(number)
        if vm is None:
            return
        if vm.state == ACTIVE and vm.lcm in _CANNOT:
            group.error.append(number)
        elif (vm.state, vm.lcm) == (ACTIVE, RUNNING):
            group.updating.append(number)
            self.life.guard(vm, lambda error: self._answers.__setitem__((group.id, number), error))
        else:
            group.vms.append(number)
