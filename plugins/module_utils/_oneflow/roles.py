# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The roles of a living service: scaled, added and removed, one after the other, since each takes the whole service.

OneFlow adds and removes roles while the service is RUNNING (``ServiceLCM#add_role_action``, alike in 6.8 and 7.4). It
checks neither limits nor parents nor VM templates of a new role, and deletes the service with the last one
(``#remove_cb``). While a role goes, the service is UNDEPLOYING, as if it went as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.bodies import (
    ROLE_DEFAULTS,
    check_names,
    desired_role,
    role_state,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.facts import state_of
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.limits import (
    check_cardinality,
    check_parents,
    check_role,
    check_scalable,
    check_vm_templates,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import Document, as_list
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.states import (
    COMING_UP,
    FAILED,
    ServiceState,
    service_state_name,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.values import given_roles
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.versions import Version
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.watch import Watch
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import Objects

_COMPARED = ("template_id", "type", "parents", "min_vms", "max_vms", "cooldown", "shutdown_action")
"""What of a role can be compared with its definition; a living service has its contents filled in."""


class Roles:
    """The entries of the option ``roles``, for a service or for the service template of a new one.

    Args:
        body: the body of the service, or of the template.
        given: the entries.
        template_id: makes the id of the name of a VM template.
        where: the service in messages.

    Raises:
        InvalidInput: an entry that fits no role and defines none, comes twice, or contradicts itself.
    """

    def __init__(
        self,
        body: Mapping[str, Any],
        given: list[Mapping[str, Any]],
        template_id: Callable[[str], int | str],
        where: str,
    ) -> None:
        self.body = body
        self.where = where
        self.have = {str(role["name"]): role for role in as_list(body.get("roles"))}
        gone = [str(option["name"]) for option in given if option.get("state") == "absent"]
        check_names([str(option["name"]) for option in given])
        self.gone = [name for name in gone if name in self.have]
        present = [option for option in given if str(option["name"]) not in gone]
        fresh = [option for option in present if option["name"] not in self.have and _defines(option)]
        self.kept = given_roles(list(self.have.values()), [option for option in present if option not in fresh], where)
        self.definitions = {
            name: desired_role(_definition(option), template_id)
            for name, option in self.kept.items()
            if _defines(option)
        }
        self.new = {str(option["name"]): self._new_role(option, template_id) for option in fresh}

    def _new_role(self, option: Mapping[str, Any], template_id: Callable[[str], int | str]) -> dict[str, Any]:
        role = {**ROLE_DEFAULTS, **desired_role(_definition(option), template_id)}
        if option.get("user_inputs"):
            # Under this name in a service, since a service has no inputs any more that could be asked for.
            role["user_inputs_values"] = {str(key): str(value) for key, value in option["user_inputs"].items()}
        return role

    @property
    def changes_them(self) -> bool:
        """Whether roles come or go."""
        return bool(self.new or self.gone)

    def check(self, objects: Objects, warn: Callable[[str], None], *, living: bool) -> None:
        """Check what OneFlow does not.

        Args:
            living: whether the service is there.

        Raises:
            InvalidInput: a role that could not work, a number of VMs out of its limits, or no role that is left.
            NotFound: a new role whose VM template is not there.
        """
        left = (self.have.keys() - set(self.gone)) | self.new.keys()
        if self.gone and not left:
            raise InvalidInput(
                f"roles: {self.where} would be left without a role; OneFlow would delete it then. To have that, use "
                "state: absent of the module.",
                details={"option": "roles", "roles": self.gone},
            )
        for role in self.new.values():
            check_parents(role, left, self.where)
            check_role(role, self.where)
        if self.new:
            check_vm_templates({"roles": list(self.new.values())}, objects, self.where)
        for name, option in self.kept.items():
            if option.get("cardinality") is not None:
                check_cardinality(self.have[name], option["cardinality"], self.where)
                if living and option["cardinality"] != int(self.have[name].get("cardinality") or 0):
                    check_scalable(self.body, self.have[name], option["cardinality"], self.where)
        for name in sorted(left & self.have.keys()):
            lost = [parent for parent in as_list(self.have[name].get("parents")) if parent in self.gone]
            if lost:
                warn(
                    f"{self.where}: role {name!r} keeps {', '.join(map(repr, lost))} as its parent, which is removed. "
                    "OneFlow cannot change that, and new VMs of it fail where they refer to that parent."
                )

    def wanted(self) -> dict[str, Any]:
        """Return the wanted roles as ``ensure`` compares them; None for one that is to go."""
        roles: dict[str, Any] = {
            name: {"cardinality": option["cardinality"]}
            for name, option in self.kept.items()
            if option.get("cardinality") is not None
        }
        roles.update({name: {"cardinality": int(role["cardinality"])} for name, role in self.new.items()})
        roles.update(dict.fromkeys(self.gone))
        return {"roles": roles} if roles else {}

    def drift(self) -> list[str]:
        """Return a sentence for each role that is there with another definition than the given one."""
        sentences: list[str] = []
        for name, definition in self.definitions.items():
            have, wanted = role_state(self.have[name]), role_state(definition)
            other = [key for key in _COMPARED if key in definition and have[key] != wanted[key]]
            sentences += [f"role {name!r} has another {', '.join(other)}"] if other else []
        return sentences


def _defines(option: Mapping[str, Any]) -> bool:
    return option.get("template") is not None or option.get("template_id") is not None


def _definition(option: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry without what an entry of a service template would mean otherwise."""
    return {key: value for key, value in option.items() if key not in ("user_inputs", "state")}


def change_roles(
    found: Document, changes: Mapping[str, Any], roles: Roles, flow: OneFlow, watch: Watch, version: Version, wait: bool
) -> None:
    """Bring the roles of a service to the wanted ones; new ones first, so that it is never without any.

    Args:
        found: the service.
        changes: the differing part of :meth:`Roles.wanted`.
        wait: whether to wait for each; without it only one change is possible, and only while it is RUNNING.

    Raises:
        Refused: several changes, or a busy service, without waiting; what the server refuses.
        ResourceTimeout: it took too long.
    """
    state = state_of(found.body)
    if not wait and (len(changes) > 1 or state in COMING_UP or state in FAILED):
        raise Refused(
            f"{watch.label(found)} is {service_state_name(found.body.get('state'))} and its roles "
            f"{', '.join(changes)} have to be changed; it takes one at a time, and only while it is RUNNING. "
            "Set wait to true.",
            code="busy",
            details={"roles": list(changes)},
        )
    order = sorted(changes, key=lambda name: (name in roles.gone, name not in roles.new))
    for name in order:
        if name in roles.gone:
            flow.remove_role(found.id, name)
        elif name in roles.new:
            flow.add_role(found.id, version.role(roles.new[name]))
        else:
            flow.scale(found.id, name, changes[name]["cardinality"])
        if wait:
            passing = frozenset({ServiceState.UNDEPLOYING} if name in roles.gone else ())
            watch.until_up(found, ServiceState.RUNNING, passing=passing)
