# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Options that several modules of OneFlow have; each documents them itself."""

from __future__ import annotations

from typing import Any

SHUTDOWN_ACTION: dict[str, Any] = {"type": "str", "choices": ["terminate", "terminate-hard"]}

_POLICY: dict[str, Any] = {
    "type": {"type": "str", "required": True, "choices": ["CHANGE", "CARDINALITY", "PERCENTAGE_CHANGE"]},
    "adjust": {"type": "int", "required": True},
    "min_adjust_step": {"type": "int"},
}

ROLE: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "choices": ["vm", "vr"]},
    "cardinality": {"type": "int"},
    "template": {"type": "str"},
    "template_id": {"type": "int"},
    "template_contents": {"type": "dict"},
    "min_vms": {"type": "int"},
    "max_vms": {"type": "int"},
    "parents": {"type": "list", "elements": "str"},
    "cooldown": {"type": "int"},
    "shutdown_action": SHUTDOWN_ACTION,
    "user_inputs": {"type": "dict"},
    "attributes": {"type": "dict"},
}
"""What both a service template and a service take for a role."""

ELASTICITY_POLICIES: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        **_POLICY,
        "expression": {"type": "str", "required": True},
        "period_number": {"type": "int"},
        "period": {"type": "int"},
        "cooldown": {"type": "int"},
    },
}

SCHEDULED_POLICIES: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "mutually_exclusive": [("recurrence", "start_time")],
    "required_one_of": [("recurrence", "start_time")],
    "options": {**_POLICY, "recurrence": {"type": "str"}, "start_time": {"type": "str"}},
}
