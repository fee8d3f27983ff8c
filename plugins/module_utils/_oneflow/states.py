# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The states of OneFlow services and roles, and what may be done in each.

Source: ``src/flow/lib/models/service.rb`` and ``role.rb`` of OpenNebula 7.4, behaviour seen on a live 7.4.0.
"""

from __future__ import annotations

from enum import IntEnum


class ServiceState(IntEnum):
    """``BODY.state`` of a service."""

    PENDING = 0
    DEPLOYING = 1
    RUNNING = 2
    UNDEPLOYING = 3
    WARNING = 4
    DONE = 5
    FAILED_UNDEPLOYING = 6
    FAILED_DEPLOYING = 7
    SCALING = 8
    FAILED_SCALING = 9
    COOLDOWN = 10
    DEPLOYING_NETS = 11
    UNDEPLOYING_NETS = 12
    FAILED_DEPLOYING_NETS = 13
    FAILED_UNDEPLOYING_NETS = 14
    HOLD = 15


class RoleState(IntEnum):
    """``BODY.roles[].state``: as for services up to 10, but 11 is HOLD here."""

    PENDING = 0
    DEPLOYING = 1
    RUNNING = 2
    UNDEPLOYING = 3
    WARNING = 4
    DONE = 5
    FAILED_UNDEPLOYING = 6
    FAILED_DEPLOYING = 7
    SCALING = 8
    FAILED_SCALING = 9
    COOLDOWN = 10
    HOLD = 11


COMING_UP = frozenset(
    {
        ServiceState.PENDING,
        ServiceState.DEPLOYING_NETS,
        ServiceState.DEPLOYING,
        ServiceState.SCALING,
        ServiceState.COOLDOWN,
    }
)
"""On the way to RUNNING: a task that finds a service here waits."""

GOING_DOWN = frozenset({ServiceState.UNDEPLOYING, ServiceState.UNDEPLOYING_NETS, ServiceState.DONE})
"""Being removed: a second DELETE would drop the document and leave its VMs running without an owner."""

FAILED_UP = frozenset({ServiceState.FAILED_DEPLOYING, ServiceState.FAILED_DEPLOYING_NETS, ServiceState.FAILED_SCALING})
"""Failed on the way up: ``recover`` tries the step again."""

FAILED_DOWN = frozenset({ServiceState.FAILED_UNDEPLOYING, ServiceState.FAILED_UNDEPLOYING_NETS})
"""Failed on the way down: ``recover`` goes on removing, the service never comes up again."""

FAILED = FAILED_UP | FAILED_DOWN

DELETABLE = frozenset({ServiceState.PENDING, ServiceState.RUNNING, ServiceState.WARNING, ServiceState.HOLD})
"""DELETE is accepted. Everywhere else but in GOING_DOWN only ``recover`` with ``delete`` removes the service."""


FAILED_ROLE = frozenset({RoleState.FAILED_DEPLOYING, RoleState.FAILED_UNDEPLOYING, RoleState.FAILED_SCALING})
"""A role that failed. Its service may stay in DEPLOYING or SCALING and never move again."""


def service_state(value: object) -> ServiceState | None:
    """Return the state for ``BODY.state`` (an integer or a numeric string); None for an unknown number."""
    try:
        return ServiceState(int(str(value)))
    except ValueError:
        return None


def service_state_name(value: object) -> str:
    """Return ``RUNNING`` for 2; ``UNKNOWN(17)`` for a number that this release does not know."""
    state = service_state(value)
    return state.name if state is not None else f"UNKNOWN({value})"


def role_state_name(value: object) -> str:
    """Return the name of ``roles[].state``; ``UNKNOWN(n)`` for a number that this release does not know."""
    try:
        return RoleState(int(str(value))).name
    except ValueError:
        return f"UNKNOWN({value})"
