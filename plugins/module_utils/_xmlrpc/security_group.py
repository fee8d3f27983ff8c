# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Security groups.

Private to the collection: it may change without notice.

oned hands changed rules to the virtual machines by itself, one after the other: a machine goes from OUTDATED_VMS to
UPDATING_VMS and to UPDATED_VMS or ERROR_VMS (src/lcm/LifeCycleActions.cc).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import State
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._waiting import wait_for
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_list
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.managed import Managed
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    SECURITY_GROUP,
    VNET,
    Raw,
    identity,
    named,
    thing,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.security_group_rules import (
    Rule,
    canonical_rule,
    in_order,
    rule_line,
    wanted_rules,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import from_options, render
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.usage import ids, in_use, vm_names

OPTIONS = {"description": "DESCRIPTION"}
RESERVED = {"NAME": "name", "RULE": "rules", "DESCRIPTION": "description"}

DEFAULT = 0
"""Id of the group that every network has which names none; oned never deletes it."""


def rules_of(raw: Raw) -> list[Rule]:
    """Return the rules of a security group."""
    return in_order([canonical_rule(each) for each in as_list(raw, "TEMPLATE", "RULE") if isinstance(each, Mapping)])


def outdated(raw: Raw) -> list[int]:
    """Return the ids of the virtual machines that do not have the present rules, or where setting them failed."""
    return sorted({*ids(raw, "OUTDATED_VMS"), *ids(raw, "ERROR_VMS")})


def pending(raw: Raw) -> list[int]:
    """Return the ids of the virtual machines that OpenNebula is still going to give the rules."""
    return sorted({*ids(raw, "OUTDATED_VMS"), *ids(raw, "UPDATING_VMS")})


def vms_of(raw: Raw) -> list[int]:
    """Return the ids of all virtual machines that use a security group."""
    return sorted({*pending(raw), *ids(raw, "UPDATED_VMS"), *ids(raw, "ERROR_VMS")})


def names_group(network: Raw, number: int) -> bool:
    """Whether a virtual network has a security group, for all its addresses or for those of a range."""
    places = [as_dict(network, "TEMPLATE"), *as_list(network, "AR_POOL", "AR")]
    listed = ",".join(str(place.get("SECURITY_GROUPS") or "") for place in places if isinstance(place, Mapping))
    return str(number) in [part.strip() for part in listed.split(",")]


class ManagedSecurityGroup(Managed):
    """The security group of module security_group."""

    kind = SECURITY_GROUP
    # the virtual machines follow later
    unverified = frozenset({"outdated_vms"})

    def run(self, name: str, *, check_mode: bool) -> dict[str, Any]:
        result = super().run(name, check_mode=check_mode)
        result["diff"] = {side: _shown(state) for side, state in result["diff"].items()}
        group = result[name]
        if self.params["wait"] and not check_mode and group is not None:
            result[name] = self._updated(group)
        return result

    def facts(self, raw: Raw) -> dict[str, Any]:
        template = as_dict(raw, "TEMPLATE")
        return {
            **identity(raw),
            "description": template.get("DESCRIPTION") or None,
            "rules": [{name.lower(): value for name, value in rule.items()} for rule in rules_of(raw)],
            "template": {name: value for name, value in template.items() if name != "RULE"},
            "updated_vms": ids(raw, "UPDATED_VMS"),
            "outdated_vms": outdated(raw),
            "updating_vms": ids(raw, "UPDATING_VMS"),
            "error_vms": ids(raw, "ERROR_VMS"),
            "used_by": {
                "virtual_networks": [int(network["ID"]) for network in self._networks(raw)],
                "vms": vms_of(raw),
            },
        }

    def prepare(self) -> None:
        self._template = from_options(self.params, OPTIONS, RESERVED)
        self._rules: list[Rule] | None = None
        if self.params["rules"] is not None:
            self._rules = wanted_rules(
                self.params["rules"], lambda name: self.objects.referred(VNET, name, "rules[].network")
            )

    def see(self, raw: Raw) -> State:
        template = {name: value for name, value in self.template_of(raw).items() if name != "RULE"}
        return {"template": template, "rules": rules_of(raw), "outdated_vms": outdated(raw)}

    def desired(self, current: State | None) -> dict[str, Any]:
        desired: dict[str, Any] = {}
        if self._template:
            desired["template"] = self._template
        if self._rules is not None:
            desired["rules"] = self._rules
        if self.params["commit"] and current is not None:
            desired["outdated_vms"] = []
        if current is None and self.params["clone_of"] is not None:
            origin = self.params["clone_of"]
            self._origin = self.objects.promised(SECURITY_GROUP, origin, "clone_of", self.promise)
        return desired

    def allocate(self, desired: Mapping[str, Any]) -> int:
        if self.params["clone_of"] is not None:
            what = f"clone security group {self._origin} as {desired['name']!r}"
            return int(self.client.call("secgroup.clone", self._origin, desired["name"], what=what))
        text = render({"NAME": desired["name"], **desired.get("template", {}), "RULE": desired.get("rules")})
        return int(self.client.call("secgroup.allocate", text, what=f"create security group {desired['name']!r}"))

    def change(self, current: State, changes: dict[str, Any]) -> None:
        raw = current["raw"]
        template = dict(changes.get("template", {}))
        if "rules" in changes:
            template["RULE"] = changes["rules"] or None
        if template:
            self.apply_template(raw, template)
        if self.params["commit"] and (template or "outdated_vms" in changes):
            # the second parameter: only the virtual machines that are outdated or in error
            self.client.call("secgroup.commit", current["id"], True, what=f"commit {named(self.kind, raw)}")
        self.apply_common(raw, changes)

    def _state(self, raw: Raw, absent: bool) -> State:
        if absent:
            self._check_removal(raw)
        return super()._state(raw, absent)

    def _check_removal(self, raw: Raw) -> None:
        """See that a group can be deleted, in check mode too.

        oned refuses while virtual machines use the group, and lets it go from under the networks that name it, which
        then start no virtual machine any more (SecurityGroupAPI::drop).

        Raises:
            Refused: it is the default group, or in use.
        """
        who = named(self.kind, raw)
        if int(raw["ID"]) == DEFAULT:
            raise Refused(
                f"{self.client.endpoint}: could not delete {who}: The default security group (ID 0) cannot be deleted.",
                code="refused",
                details={"endpoint": self.client.endpoint, "id": DEFAULT},
            )
        holders = [named(VNET, network) for network in self._networks(raw)]
        holders += vm_names(self.objects, vms_of(raw))
        if holders:
            advice = "Delete these first, or give them other security groups."
            raise in_use(self.objects, self.kind, raw, "be deleted", holders, advice)

    def _networks(self, raw: Raw) -> list[Raw]:
        return [network for network in self.objects.pool(VNET) if names_group(network, int(raw["ID"]))]

    def _updated(self, group: dict[str, Any]) -> dict[str, Any]:
        """Wait until the virtual machines have the rules and return the group.

        Raises:
            Refused: with code C(vms_failed), when the rules could not be set on some.
            ResourceTimeout: some do not have them when the time is over.
        """
        number = int(group["id"])
        who = thing(self.kind, group["name"], number)
        if group["outdated_vms"] or group["updating_vms"]:
            raw = wait_for(
                lambda: self.objects.by_id(self.kind, number) or {},
                lambda seen: not pending(seen),
                what=f"the virtual machines of {who} at {self.client.endpoint} to have its rules",
                timeout=self.params["wait_timeout"],
                state=lambda seen: {word.lower(): ids(seen, word) for word in ("OUTDATED_VMS", "UPDATING_VMS")},
            )
            if not raw:
                raise Refused(f"{who} at {self.client.endpoint} went away while it was waited for.")
            group = self.facts(raw)
        if group["error_vms"]:
            vms = vm_names(self.objects, group["error_vms"])
            raise Refused(
                f"{self.client.endpoint}: the rules of {who} could not be set on {', '.join(vms)}. The logs of these "
                "say why; run again with commit: true when that is mended.",
                code="vms_failed",
                details={
                    "endpoint": self.client.endpoint,
                    "object": thing(self.kind, group["name"], None),
                    "id": number,
                    "error_vms": group["error_vms"],
                },
            )
        return group


def _shown(state: State) -> State:
    """Return one side of the diff with a line for each rule."""
    return {**state, "rules": [rule_line(rule) for rule in state["rules"]]} if "rules" in state else state
