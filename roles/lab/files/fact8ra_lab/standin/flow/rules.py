# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The schemas of service templates. Source: src/oca/ruby/opennebula/flow/service_template.rb of OpenNebula.

The form of 7.x is release-7.4.0's, that of 6.x release-6.10.0's; release-6.8.0 has 1 as default of cardinality.
"""

from __future__ import annotations

from typing import Any, Final

Rule = dict[str, Any]

_OBJECT: Final[Rule] = {"type": "object"}
_SHUTDOWN: Final[Rule] = {"type": "string", "enum": ("terminate", "terminate-hard", "shutdown", "shutdown-hard")}
_POSITIVE: Final[Rule] = {"type": "integer", "minimum": 0}
_POLICY: Final[Rule] = {
    "type": {"type": "string", "enum": ("CHANGE", "CARDINALITY", "PERCENTAGE_CHANGE"), "required": True},
    "adjust": {"type": "integer", "required": True},
    "min_adjust_step": {"type": "integer", "minimum": 1},
}
_COMMON_ROLE: Final[Rule] = {
    "name": {"type": "string", "required": True, "regex": r"^\w+$"},
    "type": {"type": "string", "enum": ("vm",), "required": True},
    "cardinality": {"type": "integer", "default": 0, "minimum": 0},
    "template_id": {"type": "integer", "required": True},
    "template_contents": _OBJECT,
    "user_inputs": _OBJECT,
    "user_inputs_values": _OBJECT,
    "parents": {"type": "array", "items": {"type": "string"}},
}
VM_ROLE: Final[Rule] = _COMMON_ROLE | {
    "shutdown_action": _SHUTDOWN,
    "min_vms": _POSITIVE,
    "max_vms": _POSITIVE,
    "cooldown": _POSITIVE,
    "on_hold": {"type": "boolean"},
    "elasticity_policies": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": _POLICY
            | {
                "period_number": _POSITIVE,
                "period": _POSITIVE,
                "expression": {"type": "string", "required": True},
                "cooldown": _POSITIVE,
            },
        },
    },
    "scheduled_policies": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": _POLICY | {"start_time": {"type": "string"}, "recurrence": {"type": "string"}},
        },
    },
}
VR_ROLE: Final[Rule] = _COMMON_ROLE | {"type": {"type": "string", "enum": ("vr",), "required": True}}
TEMPLATE: Final[Rule] = {
    "name": {"type": "string", "required": True},
    "deployment": {"type": "string", "enum": ("none", "straight"), "default": "none"},
    "description": {"type": "string", "default": ""},
    "shutdown_action": _SHUTDOWN,
    "roles": {"type": "array", "required": True},
    "user_inputs": _OBJECT,
    "user_inputs_values": _OBJECT,
    "ready_status_gate": {"type": "boolean"},
    "automatic_deletion": {"type": "boolean"},
    "networks": _OBJECT,
    "networks_values": {"type": "array", "items": _OBJECT},
    "on_hold": {"type": "boolean"},
}

_NEW_NAMES: Final = ("type", "template_id", "template_contents", "user_inputs", "user_inputs_values")
_OLD_INPUTS: Final[Rule] = {"custom_attrs": _OBJECT, "custom_attrs_values": _OBJECT}
OLD_ROLE: Final[Rule] = (
    {key: rule for key, rule in VM_ROLE.items() if key not in _NEW_NAMES}
    | {"vm_template": {"type": "integer", "required": True}, "vm_template_contents": {"type": "string"}}
    | _OLD_INPUTS
)
OLD_TEMPLATE: Final[Rule] = {key: rule for key, rule in TEMPLATE.items() if key not in _NEW_NAMES} | _OLD_INPUTS
