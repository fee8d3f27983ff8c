# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The states of VMs and their names. Source: include/VirtualMachine.h of oned."""

from __future__ import annotations

import time
from typing import Final

from .model import VM

PENDING, HOLD, ACTIVE, STOPPED, SUSPENDED, DONE, POWEROFF, UNDEPLOYED = 1, 2, 3, 4, 5, 6, 8, 9
LCM_INIT, PROLOG, BOOT, RUNNING, EPILOG, SHUTDOWN = 0, 1, 2, 3, 11, 12
UNKNOWN, SHUTDOWN_POWEROFF, BOOT_POWEROFF = 16, 18, 20
BOOT_FAILURE: Final = 36
STATE_NAMES: Final = (
    "INIT", "PENDING", "HOLD", "ACTIVE", "STOPPED", "SUSPENDED", "DONE", "FAILED", "POWEROFF", "UNDEPLOYED", "CLONING",
    "CLONING_FAILURE",
)  # fmt: skip
LCM_NAMES: Final = {
    0: "LCM_INIT", 1: "PROLOG", 2: "BOOT", 3: "RUNNING", 11: "EPILOG", 12: "SHUTDOWN", 16: "UNKNOWN",
    18: "SHUTDOWN_POWEROFF", 20: "BOOT_POWEROFF", 36: "BOOT_FAILURE",
}  # fmt: skip


def state_name(vm: VM) -> str:
    """The name that oned's errors use: the LCM state of an active VM, else the state."""
    return LCM_NAMES.get(vm.lcm, str(vm.lcm)) if vm.state == ACTIVE else STATE_NAMES[vm.state]


def stamp() -> str:
    """The time as oned writes it into messages."""
    return time.strftime("%a %b %e %H:%M:%S %Y")
