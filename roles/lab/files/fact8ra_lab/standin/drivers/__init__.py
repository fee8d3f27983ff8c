# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the stand-in asks of a VM driver. Drivers are called from worker threads, never under the state's lock."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Protocol

from ..template import Vector


class DriverError(Exception):
    """A machine that could not be started or stopped; the text is shown to the owner of the VM."""


@dataclass(frozen=True)
class Nic:
    """One interface of a machine: bridge on the site, MAC, IPv4 address, prefix length, gateway and DNS server.

    ``rules`` are those of its security groups, None where the network's driver knows none.
    """

    bridge: str
    mac: str
    address: str
    prefix: int
    gateway: str | None
    dns: str | None
    rules: tuple[Vector, ...] | None
    filter_mac: bool
    filter_ip: bool


@dataclass(frozen=True)
class Machine:
    """A VM as a driver sees it; ``context`` holds the variables of its context, ``image_path`` its first disk."""

    vm_id: int
    name: str
    nics: tuple[Nic, ...]
    context: dict[str, str]
    image_path: str
    memory_mb: int
    vcpu: int


class Driver(Protocol):
    """Starts, stops and removes machines. Every method blocks until done and may raise DriverError."""

    def boot(self, machine: Machine) -> None:
        """Starts a new or stopped machine; returns when it runs, not when it answers SSH."""

    def shutdown(self, machine: Machine, hard: bool) -> None:
        """Stops the machine; it stays defined and keeps its disk."""

    def destroy(self, machine: Machine) -> None:
        """Stops the machine and removes its disk; no error where it does not exist."""

    def guard(self, machine: Machine) -> None:
        """Puts the rules of the machine's interfaces in force, when they changed while it runs."""

    def alive(self, machine: Machine) -> bool:
        """Whether the machine runs."""


def load(name: str, options: dict[str, Any]) -> Driver:
    """The driver of that name: module ``drivers/<name>.py`` with ``create(options)``."""
    module = importlib.import_module(f"{__name__}.{name}")
    driver: Driver = module.create(options)
    return driver
