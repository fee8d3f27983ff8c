# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The life of VMs: booted, stopped and removed through the driver, with OpenNebula's states.

Source: DispatchManagerActions.cc and LifeCycleStates.cc of oned. With an instant driver (none) the states in between
are passed at once; with a real one they last as long as the driver works.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from . import gatetoken, vmcreate
from .clock import Clock
from .cloud import Cloud, now
from .drivers import Driver, DriverError, Machine, Nic
from .errors import ACTION, OneError
from .faults import Faults
from .model import VM, Host, Image, User, VNet
from .secrules import rules_of
from .vmplace import Placing
from .vmstates import (
    ACTIVE,
    BOOT,
    BOOT_FAILURE,
    BOOT_POWEROFF,
    DONE,
    EPILOG,
    HOLD,
    LCM_INIT,
    PENDING,
    POWEROFF,
    PROLOG,
    RUNNING,
    SHUTDOWN,
    SHUTDOWN_POWEROFF,
    STOPPED,
    SUSPENDED,
    UNDEPLOYED,
    UNKNOWN,
    stamp,
    state_name,
)

_LOG = logging.getLogger(__name__)

#: Where a stopping action leads: state after it, and whether it is an abrupt stop.
_STOPS: Final = {
    "poweroff": (POWEROFF, False), "poweroff-hard": (POWEROFF, True), "suspend": (SUSPENDED, False),
    "stop": (STOPPED, False), "undeploy": (UNDEPLOYED, False), "undeploy-hard": (UNDEPLOYED, True),
}  # fmt: skip


class VmLife(Placing):
    """Moves VMs through their states."""

    def __init__(self, cloud: Cloud, driver: Driver, clock: Clock, faults: Faults) -> None:
        super().__init__(cloud, clock)
        self.driver = driver
        self.faults = faults
        self.instant = bool(getattr(driver, "instant", False))
        self._workers = ThreadPoolExecutor(cloud.config.workers, thread_name_prefix="driver")
        self._vm_locks: dict[int, threading.Lock] = {}
        self._stopping = False

    def close(self) -> None:
        """Stops the workers; calls that wait are dropped, running ones are not waited for."""
        self._stopping = True
        self._workers.shutdown(wait=False, cancel_futures=True)

    # ---------------------------------------------------------------------------------------------- driver's work

    def machine(self, vm: VM) -> Machine:
        """The VM as the driver wants it."""
        nics = []
        for nic in vm.template.vectors("NIC"):
            if not nic.get("IP"):
                continue
            net = self.cloud.pool(VNet).get(int(nic.get("NETWORK_ID") or -1))
            mask = net.template.text("NETWORK_MASK") if net else ""
            prefix = ipaddress.IPv4Network(f"0.0.0.0/{mask}").prefixlen if mask else 24
            gateway = nic.get("GATEWAY") or (net.template.text("GATEWAY") if net else "")
            dns = nic.get("DNS") or (net.template.text("DNS") if net else "")
            place = (nic.get("BRIDGE", ""), nic["MAC"], nic["IP"], prefix, gateway or None, dns or None)
            own_mac, own_ip = (nic.get(f"FILTER_{what}_SPOOFING", "").upper() == "YES" for what in ("MAC", "IP"))
            nics.append(Nic(*place, rules_of(self.cloud, nic), own_mac, own_ip))
        contexts = vm.template.vectors("CONTEXT")
        context = dict(contexts[0]) if contexts else {}
        if context.get("TOKEN", "").upper() in ("YES", "TRUE"):
            context["TOKENTXT"] = gatetoken.token(self.cloud.pool(User)[self._creator(vm)], vm)
        disks = vm.template.vectors("DISK")
        image = self.cloud.pool(Image).get(int(disks[0].get("IMAGE_ID") or -1)) if disks else None
        return Machine(
            vm.id,
            vm.name,
            tuple(nics),
            context,
            image.path if image else "",
            int(float(vm.template.text("MEMORY", "0"))),
            vm.template.integer("VCPU") or 1,
        )

    @staticmethod
    def _creator(vm: VM) -> int:
        return int(vm.template.text("CREATED_BY", "0"))

    def _work(self, vm: VM, call: Callable[[Machine], None], done: Callable[[VM, str], None]) -> None:
        """Calls the driver and then ``done`` with the VM and the error's text ("" for none), under the lock."""
        machine = self.machine(vm)
        # Taken here, as the entry goes when the VM ends: what was asked first is done first.
        one_by_one = self._vm_locks.setdefault(vm.id, threading.Lock())

        def run() -> None:
            error = ""
            try:
                with one_by_one:
                    call(machine)
            except DriverError as failure:
                error = str(failure) or failure.__class__.__name__
            except (OSError, ValueError, RuntimeError) as failure:
                _LOG.exception("driver failed on VM %s", machine.vm_id)
                error = f"{failure.__class__.__name__}: {failure}"
            if self._stopping:
                return
            with self.cloud.change():
                done(self.cloud.pool(VM)[machine.vm_id], error)

        if self.instant:
            run()
        else:
            self._workers.submit(run)

    def guard(self, vm: VM, done: Callable[[str], None]) -> None:
        """Brings the present rules of its security groups to a running VM; `done` is told the error, or nothing."""
        self._work(vm, self.driver.guard, lambda _vm, error: done(error))

    def _boot(self, vm: VM, lcm: int = BOOT) -> None:
        vm.go(ACTIVE, lcm)
        self.cloud.touch(vm)
        role = vm.user_template.text("ROLE_NAME")
        fault = self.faults.active("boot_failure", role, vm.name)
        if fault:
            self._booted(vm, str(fault.options.get("text", "boot failed on request")), lcm)
            return
        self._work(vm, self.driver.boot, lambda booted, error: self._booted(booted, error, lcm))

    def _booted(self, vm: VM, error: str, lcm: int) -> None:
        if (vm.state, vm.lcm) != (ACTIVE, lcm):  # deleted while it booted
            return
        if error:
            _LOG.error("VM %s did not boot: %s", vm.id, error)
            vm.user_template.put("ERROR", f"{stamp()}: {error}")
            vm.go(ACTIVE, BOOT_FAILURE)
        else:
            vm.deploy_id = f"{vm.history[-1]['HOSTNAME']}:{vm.name}:{vm.history[-1]['VM_MAD']}"
            vm.go(ACTIVE, RUNNING)
            self._simulate_report(vm)
        self.cloud.touch(vm)

    def _simulate_report(self, vm: VM) -> None:
        """With an instant driver there is no guest, so its READY report is made here."""
        contexts = vm.template.vectors("CONTEXT")
        wanted = bool(contexts) and contexts[0].get("REPORT_READY", "").upper() == "YES"
        if self.instant and wanted and not self.faults.active("no_ready", vm.user_template.text("ROLE_NAME"), vm.name):
            vm.user_template.put("READY", "YES")

    def _ended(self, vm: VM) -> None:
        if vm.state == DONE:
            return
        vm.go(DONE, LCM_INIT)
        vm.etime = now()
        host = self.cloud.pool(Host).get(vm.host_id)
        if host:
            host.vms = [number for number in host.vms if number != vm.id]
            for device in host.pci:
                if device["VMID"] == str(vm.id):
                    device["VMID"] = "-1"
            self.cloud.touch(host)
        if vm.history:
            vm.history[-1]["ETIME"] = vm.history[-1]["RETIME"] = vm.etime
        vmcreate.free(self.cloud, vm)
        self.cloud.touch(vm)
        self._vm_locks.pop(vm.id, None)
        self.schedule()

    # ---------------------------------------------------------------------------------------------------- actions

    def action(self, vm: VM, name: str) -> None:
        """An action of ``one.vm.action``. Raises OneError with oned's text. The caller holds the lock."""
        running = (vm.state, vm.lcm) in ((ACTIVE, RUNNING), (ACTIVE, UNKNOWN))
        if name in ("terminate", "terminate-hard"):
            self._terminate(vm, name == "terminate-hard")
        elif name in _STOPS and (running or (name.startswith("undeploy") and vm.state == POWEROFF)):
            self._stop(vm, *_STOPS[name])
        elif name == "resume" and vm.state in (POWEROFF, SUSPENDED):
            self._resume(vm)
        elif (name == "resume" and vm.state in (STOPPED, UNDEPLOYED)) or (name == "release" and vm.state == HOLD):
            vm.go(PENDING, LCM_INIT)
            self.schedule()
        elif name == "hold" and vm.state == PENDING:
            vm.go(HOLD, LCM_INIT)
        elif name in ("reboot", "reboot-hard") and running:
            self._reboot(vm, name == "reboot-hard")
        elif name in ("resched", "unresched") and (running or vm.state == POWEROFF):
            return
        elif name in (*_STOPS, "resume", "release", "hold", "reboot", "reboot-hard", "resched", "unresched"):
            raise OneError(
                ACTION,
                f'Error performing action "{name}": This action is not available for state {state_name(vm)}',
            )
        else:
            raise OneError(ACTION, f'Action "{name}" is not supported')
        self.cloud.touch(vm)

    def _terminate(self, vm: VM, hard: bool) -> None:
        if vm.state == DONE:
            return
        if vm.state in (PENDING, HOLD):
            self._ended(vm)
            return
        if vm.state == ACTIVE and vm.lcm == SHUTDOWN and hard:
            return
        if vm.state == ACTIVE and vm.lcm not in (RUNNING, UNKNOWN, BOOT_FAILURE):
            raise OneError(
                ACTION,
                f'Error performing action "terminate{"-hard" if hard else ""}": This action is not available for state'
                f" {state_name(vm)}",
            )
        if self.faults.active("no_shutdown", vm.user_template.text("ROLE_NAME"), vm.name):
            vm.go(ACTIVE, RUNNING)  # as oned does when the guest ignores the shutdown
            return
        vm.go(ACTIVE, SHUTDOWN if vm.state == ACTIVE else EPILOG)

        def later() -> None:
            with self.cloud.change():
                if vm.state == ACTIVE and vm.lcm in (SHUTDOWN, EPILOG):
                    self._work(vm, self.driver.destroy, self._terminated)

        self.clock.after(self.cloud.timers.shutdown, later)

    def _terminated(self, vm: VM, error: str) -> None:
        if error:
            vm.user_template.put("ERROR", f"{stamp()}: {error}")
            if vm.state == ACTIVE:
                vm.go(ACTIVE, RUNNING)
            self.cloud.touch(vm)
        else:
            self._ended(vm)

    def _stop(self, vm: VM, target: int, hard: bool) -> None:
        def stopped(stopped_vm: VM, error: str) -> None:
            if stopped_vm.state == DONE:
                return
            if error:
                stopped_vm.user_template.put("ERROR", f"{stamp()}: {error}")
                stopped_vm.go(ACTIVE, RUNNING)
            else:
                stopped_vm.go(target, LCM_INIT)
            self.cloud.touch(stopped_vm)

        if not self.instant:
            vm.go(ACTIVE, SHUTDOWN_POWEROFF)
            self._work(vm, lambda machine: self.driver.shutdown(machine, hard), stopped)
            return

        def later() -> None:
            with self.cloud.change():
                if (vm.state, vm.lcm) == (ACTIVE, RUNNING):
                    self._work(vm, lambda machine: self.driver.shutdown(machine, hard), stopped)

        self.clock.after(self.cloud.timers.action, later)

    def _resume(self, vm: VM) -> None:
        if not self.instant:
            self._boot(vm, BOOT_POWEROFF)
            return
        before = vm.state

        def later() -> None:
            with self.cloud.change():
                if vm.state == before:
                    self._boot(vm, BOOT_POWEROFF)

        self.clock.after(self.cloud.timers.action, later)

    def _reboot(self, vm: VM, hard: bool) -> None:
        def call(machine: Machine) -> None:
            self.driver.shutdown(machine, hard)
            self.driver.boot(machine)

        def rebooted(again: VM, error: str) -> None:
            if error and (again.state, again.lcm) == (ACTIVE, RUNNING):
                again.user_template.put("ERROR", f"{stamp()}: {error}")
                again.go(ACTIVE, UNKNOWN)
                self.cloud.touch(again)

        self._work(vm, call, rebooted)

    def recover(self, vm: VM, operation: int) -> None:
        """``one.vm.recover``: 0 failure, 1 success, 2 retry, 3 delete. Raises OneError."""
        if operation == 3:
            if vm.state != DONE:
                had_machine = vm.state == ACTIVE or vm.state in (POWEROFF, SUSPENDED, STOPPED, UNDEPLOYED)
                if had_machine:
                    self._work(vm, self.driver.destroy, lambda gone, error: None)
                self._ended(vm)
            return
        if operation == 2 and (vm.state, vm.lcm) == (ACTIVE, BOOT_FAILURE):
            vm.user_template.pop("ERROR", None)
            self._boot(vm)
            return
        if operation in (0, 1) and vm.state == ACTIVE and vm.lcm in (PROLOG, BOOT, BOOT_POWEROFF, BOOT_FAILURE):
            vm.go(ACTIVE, RUNNING if operation else BOOT_FAILURE)
            self.cloud.touch(vm)
            return
        word = "a retry" if operation == 2 else "a recover operation"
        raise OneError(
            ACTION, f"Could not perform {word} on VM {vm.id}, the operation is not supported in state {state_name(vm)}"
        )

    # -------------------------------------------------------------------------------------------- start and watch

    def reconcile(self) -> None:
        """After a restart: VMs whose machine is gone are powered off, what was under way goes on."""
        for vm in list(self.cloud.pool(VM).values()):
            if vm.state != ACTIVE:
                continue
            alive = self.driver.alive(self.machine(vm))
            with self.cloud.change():
                if vm.lcm in (RUNNING, UNKNOWN):
                    if not alive:
                        vm.go(POWEROFF, LCM_INIT)
                        self.cloud.touch(vm)
                elif vm.lcm in (PROLOG, BOOT, BOOT_POWEROFF):
                    if alive:
                        self._booted(vm, "", vm.lcm)
                    else:
                        self._boot(vm)
                elif vm.lcm == SHUTDOWN_POWEROFF:
                    vm.go(ACTIVE, RUNNING)
                    self._stop(vm, POWEROFF, True)
                    self.cloud.touch(vm)
                elif vm.lcm in (SHUTDOWN, EPILOG):
                    self._work(vm, self.driver.destroy, self._terminated)
        self.schedule()
        if not self.instant:
            self.clock.after(self.cloud.timers.monitor, self._monitor)

    def _monitor(self) -> None:
        def look() -> None:
            with self.cloud.lock:
                watched = [
                    (vm, self.machine(vm))
                    for vm in self.cloud.pool(VM).values()
                    if (vm.state, vm.lcm) == (ACTIVE, RUNNING)
                ]
            for vm, machine in watched:
                lock = self._vm_locks.setdefault(vm.id, threading.Lock())
                if not lock.acquire(blocking=False):  # a reboot is under way
                    continue
                try:
                    dead = not self.driver.alive(machine)
                finally:
                    lock.release()
                if dead:
                    with self.cloud.change():
                        if (vm.state, vm.lcm) == (ACTIVE, RUNNING):
                            vm.go(POWEROFF, LCM_INIT)
                            self.cloud.touch(vm)
            if not self._stopping:
                self.clock.after(self.cloud.timers.monitor, self._monitor)

        if not self._stopping:
            self._workers.submit(look)
