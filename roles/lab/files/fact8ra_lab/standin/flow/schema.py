# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The check of service templates and the conversion of the 6.x form.

Source: service_template.rb and validator.rb of release-7.4.0, and those of release-6.10.0 where 6.x differs.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..personality import LATEST, Personality
from .errors import InvalidTemplate, RubyError
from .rules import OLD_ROLE, OLD_TEMPLATE, TEMPLATE, VM_ROLE, VR_ROLE, Rule

Body = dict[str, Any]


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


def _value(value: Any, rule: Rule, key: str, like: Personality) -> Any:
    kind = rule["type"]
    if kind == "object":
        return _validate(value, rule.get("properties", {}), like, key)
    if kind == "array":
        if not isinstance(value, list):
            raise InvalidTemplate(f"KEY: '{key}' must be an Array;")
        return [_value(item, rule["items"], key, like) for item in value] if rule.get("items") else value
    if kind == "integer":
        return _integer(value, rule, key)
    if kind == "boolean":
        if not isinstance(value, bool):
            raise InvalidTemplate(f"KEY: '{key}' is not allowed{like.flow_no_boolean};")
        return value
    return _string(value, rule, key)


def _validate(body: Any, properties: Rule, like: Personality, key: str = "") -> Any:
    """Checks and completes an object in place. A value that is false or null counts as missing, as in Ruby."""
    if not isinstance(body, dict):
        raise InvalidTemplate(like.flow_no_object.format(key=key))
    for name, rule in properties.items():
        value = body.get(name)
        if value is not None and value is not False:
            body[name] = _value(value, rule, name, like)
            continue
        if rule.get("required"):
            content = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
            raise InvalidTemplate(like.flow_missing_key.format(key=name, type=rule["type"], body=content))
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


def _old_role(like: Personality) -> Rule:
    return OLD_ROLE | {"cardinality": OLD_ROLE["cardinality"] | {"default": like.flow_cardinality}}


def validate_role(role: Any, like: Personality = LATEST) -> None:
    """Checks and completes one role in place. Raises InvalidTemplate."""
    if like.flow_old_form:
        _validate(role, _old_role(like), like)
        return
    if not isinstance(role, dict):
        raise RubyError(f"undefined method `fetch' for {json.dumps(role)}")
    kind = role.get("type", "vm")
    if kind not in ("vm", "vr"):
        raise InvalidTemplate(f'Unsupported role type "{kind}"')
    _validate(role, VM_ROLE if kind == "vm" else VR_ROLE, like)


def _validate_new(body: Any, like: Personality) -> None:
    if not isinstance(body, dict):
        raise RubyError(f"undefined method `key?' for {json.dumps(body)}")
    roles = body.get("roles")
    # An empty list of roles counts as old form too, as `all?` is true for it; nothing is converted then.
    if isinstance(roles, list) and all(
        isinstance(role, dict) and ("vm_template" in role or "vm_template_contents" in role) for role in roles
    ):
        _convert_old(body)
    _validate(body, TEMPLATE, like)
    for role in body["roles"]:
        validate_role(role, like)


def validate(body: Any, like: Personality = LATEST) -> None:
    """Checks and completes a service template in place. Raises InvalidTemplate."""
    if like.flow_old_form:
        items = {"type": "object", "properties": _old_role(like)}
        _validate(body, OLD_TEMPLATE | {"roles": OLD_TEMPLATE["roles"] | {"items": items}}, like)
    else:
        _validate_new(body, like)
    names: set[str] = set()
    for role in body["roles"]:
        if role["name"] in names:
            raise InvalidTemplate(f"Role name '{role['name']}' is repeated")
        names.add(role["name"])
        if role.get("type", "vm") == "vm":
            _check_values(role)
