# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The driver that boots each VM as a Debian host of the lab, with systemd, SSH and its context. Needs root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fact8ra_lab.hosts import base, machines
from fact8ra_lab.hosts._system import LabError, Paths

from . import DriverError, Machine


class NspawnDriver:
    """VMs of one site; VM 7 of site alpha is the lab host `alpha-7`.

    A VM whose image is one of the trees `rootfs` boots that tree, any other the base: a tenant's own image may name any
    path of this computer.
    """

    def __init__(self, site: str, paths: Paths, rootfs: Sequence[str] = ()) -> None:
        self._site = site
        self._paths = paths
        self._rootfs = frozenset(rootfs)
        self._machines = machines.Machines(paths)

    def boot(self, machine: Machine) -> None:
        context = {"VMID": str(machine.vm_id), "NAME": machine.name, **machine.context}
        try:
            spec = machines.Spec(self._name(machine), self._site, self._nics(machine), machine.memory_mb)
            offered = machine.image_path in self._rootfs
            rootfs = Path(machine.image_path) if offered else base.current(self._paths)
            self._machines.boot(spec, context, rootfs)
        except LabError as error:
            raise DriverError(str(error)) from error

    def shutdown(self, machine: Machine, hard: bool) -> None:
        try:
            self._machines.shutdown(self._name(machine), hard=hard)
        except LabError as error:
            raise DriverError(str(error)) from error

    def destroy(self, machine: Machine) -> None:
        try:
            self._machines.destroy(self._name(machine))
        except LabError as error:
            raise DriverError(str(error)) from error

    def guard(self, machine: Machine) -> None:
        try:
            self._machines.guard(self._name(machine), self._nics(machine))
        except LabError as error:
            raise DriverError(str(error)) from error

    def alive(self, machine: Machine) -> bool:
        return self._machines.alive(self._name(machine))

    @staticmethod
    def _nics(machine: Machine) -> tuple[machines.Nic, ...]:
        return tuple(machines.Nic(**asdict(nic)) for nic in machine.nics)

    def _name(self, machine: Machine) -> str:
        return f"{self._site}-{machine.vm_id}"


def create(options: dict[str, Any]) -> NspawnDriver:
    """The driver; options: `site` (its name), `state`, `cache` (directories of the lab), `rootfs` (trees to boot)."""
    try:
        paths = Paths(Path(options["state"]), Path(options["cache"]))
        return NspawnDriver(options["site"], paths, options.get("rootfs", ()))
    except KeyError as error:
        raise DriverError(f"driver nspawn needs the option {error}; it has site, state and cache") from error
