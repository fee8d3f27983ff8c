# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The driver that starts nothing: for unit tests, the contract and large numbers of VMs. Needs no root."""

from __future__ import annotations

from typing import Any

from . import Machine


class NoneDriver:
    """Remembers which machines were started; all of them run until they are stopped."""

    #: Its calls take no time, so the stand-in makes them without a worker and shows no states in between.
    instant = True

    def __init__(self) -> None:
        self._stopped: set[int] = set()

    def boot(self, machine: Machine) -> None:
        self._stopped.discard(machine.vm_id)

    def shutdown(self, machine: Machine, hard: bool) -> None:
        self._stopped.add(machine.vm_id)

    def destroy(self, machine: Machine) -> None:
        self._stopped.add(machine.vm_id)

    def guard(self, machine: Machine) -> None:
        pass

    def alive(self, machine: Machine) -> bool:
        return machine.vm_id not in self._stopped


def create(options: dict[str, Any]) -> NoneDriver:
    """The driver; it has no options."""
    return NoneDriver()
