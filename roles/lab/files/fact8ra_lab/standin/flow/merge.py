# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""How OneFlow merges a merge_template into a service template.

Source: src/oca/ruby/opennebula/flow/validator.rb (deep_merge) and service_template.rb (handle_nested_values) of
release-7.4.0; the same files of release-6.10.0 for the way of 6.x.
"""

from __future__ import annotations

import copy

from ..personality import LATEST, Personality
from .schema import Body


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


def merge_by_position(target: Body, other: Body) -> Body:
    """A new object with both contents, as 6.x merges: lists of objects place by place, other lists are replaced."""
    result = dict(target)
    for key, value in other.items():
        current = target.get(key)
        if isinstance(value, dict) and isinstance(current, dict):
            result[key] = merge_by_position(current, value)
        elif isinstance(value, list) and isinstance(current, list):
            # Upstream writes into the list of the template itself, or puts the other list in its place.
            for index, item in enumerate(value):
                known = current[index] if index < len(current) else None
                if isinstance(known, dict) and isinstance(item, dict):
                    result[key][index] = merge_by_position(known, item)
                else:
                    result[key] = value
        else:
            result[key] = value
    return result


def instance_body(template: Body, merge: Body, like: Personality = LATEST) -> Body:
    """The body of a service: the template with the merge template; since 7.0 roles and networks merge by name."""
    if like.flow_merge_by_position:
        return merge_by_position(copy.deepcopy(template), copy.deepcopy(merge))
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
