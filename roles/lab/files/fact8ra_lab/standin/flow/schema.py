# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The schema of service templates, the conversion of the 6.x form, and OneFlow's way to merge.

Source: service_template.rb and validator.rb of OpenNebula 7.4.
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any, Final

from .errors import InvalidTemplate, RubyError

Body = dict[str, Any]
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
_VM_ROLE: Final[Rule] = _COMMON_ROLE | {
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
_VR_ROLE: Final[Rule] = _COMMON_ROLE | {"type": {"type": "string", "enum": ("vr",), "required": True}}
_TEMPLATE: Final[Rule] = {
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


def parse_json(text: str) -> Any:
    """JSON, or InvalidTemplate with the text of Ruby's parser."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidTemplate(f"unexpected token at '{text}'") from error


def to_integer(value: Any) -> int:
    """Ruby's String#to_i and friends: the leading digits, else 0."""
    if isinstance(value, bool) or value is None:
        return 0
    if isinstance(value, (int, float)):
        return int(value)
    found = re.match(r"\s*[-+]?\d+", str(value))
    return int(found.group()) if found else 0


def _integer(value: Any, rule: Rule, key: str) -> int:
    if isinstance(value, (bool, dict, list)):
        raise RubyError(f"can't convert {type(value).__name__} into Integer")
    try:
        number = int(value) if isinstance(value, (int, float)) else int(str(value).strip(), 0)
    except ValueError as error:
        raise InvalidTemplate(f"KEY: '{key}' must be an Integer;") from error
    if "minimum" in rule and number < rule["minimum"]:
        raise InvalidTemplate(f"KEY: '{key}' must be greater than or equal to {rule['minimum']};")
    return number


def _string(value: Any, rule: Rule, key: str) -> str:
    if not isinstance(value, str):
        raise InvalidTemplate(f"KEY: '{key}' must be a String;")
    if "enum" in rule and value not in rule["enum"]:
        raise InvalidTemplate(f"KEY: '{key}' must be one of {', '.join(rule['enum'])};")
    # Ruby's ^ and $ match at lines, so a name may hold a newline as long as one line fits.
    if "regex" in rule and not re.search(rule["regex"], value, re.MULTILINE | re.ASCII):
        raise InvalidTemplate(f"KEY: '{key}' must match regexp /{rule['regex']}/;")
    return value


def _value(value: Any, rule: Rule, key: str) -> Any:
    kind = rule["type"]
    if kind == "object":
        return _validate(value, rule.get("properties", {}), key)
    if kind == "array":
        if not isinstance(value, list):
            raise InvalidTemplate(f"KEY: '{key}' must be an Array;")
        return [_value(item, rule["items"], key) for item in value] if rule.get("items") else value
    if kind == "integer":
        return _integer(value, rule, key)
    if kind == "boolean":
        if not isinstance(value, bool):
            raise InvalidTemplate(f"KEY: '{key}' is not allowed in {{:type=>:boolean, :required=>false}};")
        return value
    return _string(value, rule, key)


def _validate(body: Any, properties: Rule, key: str = "") -> Any:
    """Checks and completes an object in place. A value that is false or null counts as missing, as in Ruby."""
    if not isinstance(body, dict):
        raise InvalidTemplate(f"KEY: '{key}' must be an Object;")
    for name, rule in properties.items():
        value = body.get(name)
        if value is not None and value is not False:
            body[name] = _value(value, rule, name)
            continue
        if rule.get("required"):
            raise InvalidTemplate(
                f"Mandatory document key '{name} ({rule['type']})' is missing from"
                f" {json.dumps(body, separators=(',', ':'), ensure_ascii=False)}"
            )
        if "default" in rule:
            body[name] = rule["default"]
    return body


def _upgrade_contents(text: str) -> Body:
    """Raw KEY = VALUE lines of 6.x as an object; vectors become lists."""
    result: Body = {}
    for line in re.split(r"\n(?![^\[]*\])", text):
        if "=" not in line:
            continue
        key, value = (part.strip() for part in line.split("=", 1))
        value = value.replace('"', "")
        item: Any = value
        if value.startswith("[") and value.endswith("]"):
            pairs = (part.split("=", 1) for part in re.split(r"\s*,\s*", value[1:-1]) if "=" in part)
            item = {name.strip(): inner.strip() for name, inner in pairs}
        if key not in result:
            result[key] = item
        elif isinstance(result[key], list):
            result[key].append(item)
        else:
            result[key] = [result[key], item]
    return {key: [value] if isinstance(value, dict) else value for key, value in result.items()}


def _convert_old(body: Body) -> None:
    for role in body["roles"]:
        role["template_id"] = to_integer(role.get("vm_template"))
        role["type"] = "vm"
        if role.get("custom_attrs"):
            role["user_inputs"] = role.pop("custom_attrs")
        if role.get("vm_template_contents"):
            role["template_contents"] = _upgrade_contents(role.pop("vm_template_contents"))
        role.pop("vm_template", None)
        role.pop("custom_attrs_values", None)
    for old, new in (("custom_attrs", "user_inputs"), ("custom_attrs_values", "user_inputs_values")):
        if body.get(old):
            body[new] = body.pop(old)


def _check_values(role: Body) -> None:
    name, cardinality = role["name"], to_integer(role.get("cardinality"))
    if role.get("min_vms") is not None and to_integer(role["min_vms"]) > cardinality:
        raise InvalidTemplate(f"Role '{name}' 'cardinality' must be greater than or equal to 'min_vms'")
    if role.get("max_vms") is not None and to_integer(role["max_vms"]) < cardinality:
        raise InvalidTemplate(f"Role '{name}' 'cardinality' must be lower than or equal to 'max_vms'")
    policies = role.get("elasticity_policies") or role.get("scheduled_policies")
    if policies and (role.get("min_vms") is None or role.get("max_vms") is None):
        raise InvalidTemplate(
            f"Role '{name}' with  'elasticity_policies' or 'scheduled_policies'must define both 'min_vms' and 'max_vms'"
        )
    for index, policy in enumerate(role.get("elasticity_policies") or []):
        if not policy["expression"]:
            raise InvalidTemplate(f"Role '{name}', elasticity policy #{index} 'expression' cannot be empty")
    for index, policy in enumerate(role.get("scheduled_policies") or []):
        times = [key for key in ("start_time", "recurrence") if policy.get(key) is not None]
        if len(times) == 2:
            raise InvalidTemplate(
                f"Role '{name}', scheduled policy #{index} must define 'start_time' or 'recurrence', but not both"
            )
        if not times:
            raise InvalidTemplate(
                f"Role '{name}', scheduled policy #{index} needs to define either 'start_time' or 'recurrence'"
            )


def validate_role(role: Any) -> None:
    """Checks and completes one role in place. Raises InvalidTemplate."""
    if not isinstance(role, dict):
        raise RubyError(f"undefined method `fetch' for {json.dumps(role)}")
    kind = role.get("type", "vm")
    if kind not in ("vm", "vr"):
        raise InvalidTemplate(f'Unsupported role type "{kind}"')
    _validate(role, _VM_ROLE if kind == "vm" else _VR_ROLE)


def validate(body: Any) -> None:
    """Checks and completes a service template in place. Raises InvalidTemplate."""
    if not isinstance(body, dict):
        raise RubyError(f"undefined method `key?' for {json.dumps(body)}")
    roles = body.get("roles")
    # An empty list of roles counts as old form too, as `all?` is true for it; nothing is converted then.
    if isinstance(roles, list) and all(
        isinstance(role, dict) and ("vm_template" in role or "vm_template_contents" in role) for role in roles
    ):
        _convert_old(body)
    _validate(body, _TEMPLATE)
    for role in body["roles"]:
        validate_role(role)
    names: set[str] = set()
    for role in body["roles"]:
        if role["name"] in names:
            raise InvalidTemplate(f"Role name '{role['name']}' is repeated")
        names.add(role["name"])
        if role["type"] == "vm":
            _check_values(role)


def deep_merge(target: Body, other: Body, merge_lists: bool = True) -> Body:
    """A new object with both contents; lists are joined (equal objects once) or replaced."""
    result = dict(target)
    for key, value in other.items():
        current = result.get(key)
        if isinstance(value, dict) and isinstance(current, dict):
            result[key] = deep_merge(current, value, merge_lists)
        elif isinstance(value, list) and isinstance(current, list) and merge_lists:
            merged = current + value
            if all(isinstance(item, dict) for item in merged):
                merged = [item for index, item in enumerate(merged) if item not in merged[:index]]
            result[key] = merged
        else:
            result[key] = value
    return result


def instance_body(template: Body, merge: Body) -> Body:
    """The body of a service: the template with the merge template; roles and networks_values merge by name."""
    body, extra = copy.deepcopy(template), copy.deepcopy(merge)
    nets, extra_nets = body.get("networks_values") or [], extra.get("networks_values") or []
    if extra_nets:
        for net in extra_nets:
            if not isinstance(net, dict) or not net:
                continue
            name = next(iter(net))
            place = next((index for index, known in enumerate(nets) if name in known), None)
            if place is None:
                nets.append(net)
            else:
                nets[place] = net
        body["networks_values"], extra["networks_values"] = nets, []
    extra_roles = extra.get("roles") or []
    if extra_roles:
        for index, role in enumerate(body["roles"]):
            found = next((item for item in extra_roles if item.get("name") == role["name"]), None)
            if found:
                body["roles"][index] = deep_merge(role, found)
        extra.pop("roles")
    return deep_merge(body, extra)
