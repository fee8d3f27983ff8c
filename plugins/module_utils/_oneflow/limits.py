# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What OneFlow accepts and then hangs on, or refuses without saying where; checked before the first write."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, NotFound, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import as_list
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import VM_TEMPLATE, Objects, is_id

POLICIES = ("elasticity_policies", "scheduled_policies")
SCALING = ("min_vms", "max_vms", "cooldown", "shutdown_action")


def check_body(body: Mapping[str, Any], where: str) -> None:
    """Check what OneFlow accepts and then hangs on, or refuses without saying where.

    Args:
        body: a whole body in the 7.x form.
        where: the template in messages.

    Raises:
        InvalidInput: names the role and what would be right.
    """
    roles = {str(role.get("name")): role for role in as_list(body.get("roles"))}
    if not roles:
        raise InvalidInput(
            f"{where} has no roles; OneFlow would accept that and its services would be empty. Give at least one role.",
            details={"option": "roles"},
        )
    for name, role in roles.items():
        check_parents(role, roles, where)
        if role.get("template_id") in (None, ""):
            raise InvalidInput(
                f"{where}: role {name!r} names no VM template; give template or template_id.",
                details={"option": "roles", "role": name},
            )
        check_role(role, where)
    _check_cycle(roles, where)


def check_parents(role: Mapping[str, Any], roles: Collection[str], where: str) -> None:
    """Raise InvalidInput for a role with a parent that is none of the roles."""
    unknown = sorted(set(map(str, as_list(role.get("parents")))) - set(roles))
    if unknown:
        raise InvalidInput(
            f"{where}: role {role.get('name')!r} has the parent {', '.join(map(repr, unknown))}, which is no role of "
            f"it (there are {', '.join(map(repr, roles))}). OneFlow would accept that and the service would stay in "
            "DEPLOYING_NETS for ever.",
            details={"option": "roles", "role": role.get("name"), "unknown_parents": unknown},
        )


def check_scalable(body: Mapping[str, Any], role: Mapping[str, Any], wanted: int, where: str) -> None:
    """Raise Refused where OneFlow cannot scale a role of a living service, or would delete the service by that."""
    name = role.get("name")
    if role.get("type") == "vr":
        raise Refused(
            f"role {name!r} of {where} is one of virtual routers, whose number OneFlow cannot change.",
            code="not_scalable",
            details={"role": name},
        )
    others = [one for one in as_list(body.get("roles")) if one.get("name") != name]
    if wanted == 0 and body.get("automatic_deletion") and not any(as_list(one.get("nodes")) for one in others):
        raise Refused(
            f"role {name!r} of {where} holds the last VMs of a service with automatic_deletion; without them OneFlow "
            "deletes the whole service. To have that, use oneflow_service with state: absent.",
            code="last_vms",
            details={"role": name},
        )


def check_role(role: Mapping[str, Any], where: str) -> None:
    """Raise InvalidInput for a role that contradicts itself; see ``ServiceTemplate.validate_vmvalues``."""
    check_cardinality(role, int(role.get("cardinality") or 0), where)
    if role.get("type") == "vr":
        _check_router(role, where)
    policies = [(key, policy) for key in POLICIES for policy in as_list(role.get(key))]
    if policies and None in (role.get("min_vms"), role.get("max_vms")):
        raise InvalidInput(
            f"{where}: role {role.get('name')!r} has {policies[0][0]}, which need both min_vms and max_vms.",
            details={"option": "roles", "role": role.get("name")},
        )
    for key, policy in policies:
        if key == "scheduled_policies" and (policy.get("start_time") is None) == (policy.get("recurrence") is None):
            raise InvalidInput(
                f"{where}: a scheduled policy of role {role.get('name')!r} needs either start_time or recurrence, "
                "one of them.",
                details={"option": "roles.scheduled_policies", "role": role.get("name")},
            )


def _check_router(role: Mapping[str, Any], where: str) -> None:
    name = role.get("name")
    wrong = [key for key in (*SCALING, *POLICIES) if role.get(key) not in (None, "", [])]
    if wrong:
        raise InvalidInput(
            f"{where}: role {name!r} is one of virtual routers, which OneFlow does not scale; leave out "
            f"{', '.join(wrong)}.",
            details={"option": "roles", "role": name, "wrong": wrong},
        )
    nics = (role.get("template_contents") or {}).get("NIC") or []
    floating = any(str(key).upper().startswith("FLOATING") for nic in nics if isinstance(nic, Mapping) for key in nic)
    if nics and int(role.get("cardinality") or 0) > 1 and not floating:
        raise InvalidInput(
            f"{where}: role {name!r} has several virtual routers; a NIC of template_contents then needs FLOATING_IP.",
            details={"option": "roles", "role": name},
        )


def check_cardinality(role: Mapping[str, Any], wanted: int, where: str, advice: str = "") -> None:
    """Raise InvalidInput where a cardinality is outside of ``min_vms`` and ``max_vms`` of its role."""
    least, most = role.get("min_vms"), role.get("max_vms")
    low = int(least) if least not in (None, "") else 0
    high = int(most) if most not in (None, "") else None
    if wanted < low or (high is not None and wanted > high):
        raise InvalidInput(
            f"{where}: role {role.get('name')!r} cannot have cardinality {wanted}; its template allows "
            f"{low} to {high if high is not None else 'any number'} (min_vms, max_vms){advice}.",
            details={"role": role.get("name"), "cardinality": wanted, "min_vms": low, "max_vms": high},
        )


def _check_cycle(roles: Mapping[str, Mapping[str, Any]], where: str) -> None:
    waiting = {name: set(map(str, as_list(role.get("parents")))) for name, role in roles.items()}
    while ready := [name for name, parents in waiting.items() if not parents & waiting.keys()]:
        for name in ready:
            del waiting[name]
    if waiting:
        raise InvalidInput(
            f"{where}: the roles {', '.join(map(repr, waiting))} are parents of each other in a circle; "
            "none of them could ever start.",
            details={"option": "roles", "circle": sorted(waiting)},
        )


def check_vm_templates(body: Mapping[str, Any], objects: Objects, where: str) -> None:
    """Check that the user sees the VM template of each role; OneFlow does not, its services hang or fail later.

    Raises:
        NotFound: names the role, the template and those that there are.
    """
    known = {int(raw["ID"]): raw["NAME"] for raw in objects.pool(VM_TEMPLATE)}
    for role in as_list(body.get("roles")):
        number = int(role["template_id"]) if is_id(role["template_id"]) else None
        # a name stands for a template that check mode takes for granted
        if number is not None and number not in known:
            listed = ", ".join(f"{name} (id {one})" for one, name in known.items())
            raise NotFound(
                f"{where}: role {role.get('name')!r} uses VM template {number}, but there is none that user "
                f"{objects.client.target.username!r} may use. There are: {listed or 'none'}.",
                details={"role": role.get("name"), "template_id": number},
            )
