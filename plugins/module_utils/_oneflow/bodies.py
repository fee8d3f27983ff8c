# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Bodies of service templates: what the user gave, made comparable with what OneFlow has, and into what is sent."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import matches
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import (
    Document,
    as_list,
    common_state,
    comparable,
    contents,
)

BODY_KEYS = (
    "description",
    "deployment",
    "ready_status_gate",
    "automatic_deletion",
    "shutdown_action",
    "networks",
    "user_inputs",
)
ROLE_KEYS = (
    "type",
    "cardinality",
    "min_vms",
    "max_vms",
    "parents",
    "cooldown",
    "shutdown_action",
    "on_hold",
    "user_inputs",
    "elasticity_policies",
    "scheduled_policies",
)
_OTHERS_BODY = ("name", "labels", "roles", "registration_time", "custom_attrs")
_OTHERS_ROLE = ("name", "template", "template_id", "template_contents", "vm_template", "vm_template_contents") + (
    "custom_attrs",
)
_ROLE_NAME = re.compile(r"\w+", re.ASCII)
_POLICIES = ("elasticity_policies", "scheduled_policies")
ROLE_DEFAULTS = {"type": "vm", "cardinality": 1}
_NETWORK_DEFAULT = "M|network| | |id:"


def desired_body(params: Mapping[str, Any], template_id: Callable[[str], int | str]) -> dict[str, Any]:
    """Return the parts of the body that the user gave, in the 7.x form with the types that OneFlow wants.

    Args:
        params: the module's options.
        template_id: makes the id of the name of a VM template; raises NotFound or Ambiguous. In check mode it may
            give back the name of one that is still to be made.

    Raises:
        InvalidInput: a role name that OneFlow refuses or that comes twice, or a template without a reference.
    """
    body: dict[str, Any] = {key: params[key] for key in BODY_KEYS if params.get(key) is not None}
    if "networks" in body:
        body["networks"] = {str(name): str(value or _NETWORK_DEFAULT) for name, value in body["networks"].items()}
    if "user_inputs" in body:
        body["user_inputs"] = _texts(body["user_inputs"])
    if params.get("labels") is not None:
        # As Sunstone writes them.
        body["labels"] = ",".join(params["labels"])
    body.update(_attributes(params, (*BODY_KEYS, *_OTHERS_BODY), "attributes"))
    if params.get("roles") is not None:
        body["roles"] = [desired_role(role, template_id) for role in params["roles"]]
        check_names([role["name"] for role in body["roles"]])
    return body


def desired_role(option: Mapping[str, Any], template_id: Callable[[str], int | str]) -> dict[str, Any]:
    """Return what the user gave of a role, in the 7.x form; see :func:`desired_body`."""
    role: dict[str, Any] = {"name": option["name"]}
    if option.get("template_id") is not None:
        role["template_id"] = int(option["template_id"])
    elif option.get("template") is not None:
        role["template_id"] = template_id(option["template"])
    role.update({key: option[key] for key in ROLE_KEYS if option.get(key) is not None})
    if option.get("template_contents") is not None:
        role["template_contents"] = contents(option["template_contents"])
    if "user_inputs" in role:
        role["user_inputs"] = _texts(role["user_inputs"])
    for key in _POLICIES:
        if key in role:
            role[key] = [{name: value for name, value in policy.items() if value is not None} for policy in role[key]]
    role.update(_attributes(option, (*ROLE_KEYS, *_OTHERS_ROLE), f"roles.attributes of role {option['name']!r}"))
    return role


def _attributes(option: Mapping[str, Any], taken: Sequence[str], where: str) -> dict[str, Any]:
    """Return the free attributes; raises InvalidInput for one that has an option of its own."""
    given = dict(option.get("attributes") or {})
    for key in given:
        if key in taken:
            raise InvalidInput(
                f"{where}: {key!r} cannot be given here; there is an option for it, or OneFlow manages it.",
                details={"option": "attributes", "attribute": key},
            )
    return given


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}


def check_names(names: Sequence[str]) -> None:
    """Raise InvalidInput for the name of a role that OneFlow refuses or that comes twice."""
    for name in names:
        if not _ROLE_NAME.fullmatch(name):
            raise InvalidInput(
                f"roles: the name {name!r} is refused by OneFlow; use letters, digits and underscores only (no dash).",
                details={"option": "roles", "role": name},
            )
        if names.count(name) > 1:
            raise InvalidInput(
                f"roles: the name {name!r} comes {names.count(name)} times; each role needs a name of its own.",
                details={"option": "roles", "role": name},
            )


def merged_body(current: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole body to send: the current one with what the user gave.

    Keys that the user did not give, and keys of kept roles that were not given, stay. Roles that are not in the list
    go, unless no list was given.
    """
    body = {**current, **{key: value for key, value in desired.items() if key != "roles"}}
    if "roles" in desired:
        have = {role.get("name"): role for role in as_list(current.get("roles"))}
        body["roles"] = [{**have.get(role["name"], ROLE_DEFAULTS), **role} for role in desired["roles"]]
    return body


def state_of(found: Document, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a service template as ``ensure`` compares it; roles by their names, since their order means nothing."""
    free = {option["name"]: tuple(option.get("attributes") or ()) for option in params.get("roles") or []}
    return {
        **common_state(found, params),
        **{key: comparable(found.body.get(key)) for key in (*BODY_KEYS, "labels", *(params.get("attributes") or ()))},
        "roles": {
            str(role.get("name")): role_state(role, free.get(role.get("name"), ()))
            for role in as_list(found.body.get("roles"))
        },
    }


def role_state(role: Mapping[str, Any], free: Sequence[str] = ()) -> dict[str, Any]:
    """Return a role as it is compared, with the free attributes that were given for it."""
    keys = ("template_id", "template_contents", *ROLE_KEYS, *free)
    return {key: _role_value(key, role.get(key)) for key in keys}


def _role_value(key: str, value: Any) -> Any:
    if key == "template_contents":
        return contents(value)
    # The order of parents means nothing.
    return sorted(comparable(as_list(value))) if key == "parents" else comparable(value)


def wanted_state(desired: Mapping[str, Any], current: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the user gave in the form of :func:`state_of`; what is to go has the value None.

    Objects that the user gave (``networks``, ``template_contents``, ...) are meant as a whole: a key that is not in
    them any more goes. Empty and missing mean the same, since OneFlow adds empty values of its own.
    """
    have = current or {}
    wanted = {
        key: _whole(comparable(value), have.get(key)) for key, value in desired.items() if key not in ("name", "roles")
    }
    if "roles" in desired:
        roles = have.get("roles") or {}
        wanted["roles"] = dict.fromkeys(roles)
        for role in desired["roles"]:
            before = roles.get(role["name"]) or {}
            wanted["roles"][role["name"]] = {
                key: _whole(_role_value(key, value), before.get(key)) for key, value in role.items() if key != "name"
            }
    return wanted


def _whole(value: Any, have: Any) -> Any:
    if value in ("", [], {}):
        return None
    if isinstance(value, Mapping):
        # None means absent to the comparison.
        return {**dict.fromkeys(have if isinstance(have, Mapping) else ()), **value}
    if isinstance(value, list) and isinstance(have, list) and _covers(have, value):
        return have
    return value


def _covers(have: list[Any], wanted: list[Any]) -> bool:
    """Tell whether a list of policies differs only by what the server added to its elements."""
    return len(have) == len(wanted) and all(matches(one, other) for one, other in zip(have, wanted, strict=True))
