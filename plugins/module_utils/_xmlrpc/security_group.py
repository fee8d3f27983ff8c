# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Security groups.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import scalar
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import State
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_list
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.managed import Managed
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    SECURITY_GROUP,
    VNET,
    Raw,
    identity,
    named,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import from_options, render

OPTIONS = {"description": "DESCRIPTION"}
RESERVED = {"NAME": "name", "RULE": "rules", "DESCRIPTION": "description"}

Rule = dict[str, str]


def canonical_rule(given: Mapping[str, Any]) -> Rule:
    """Return a rule, the user's or the server's, in the form in which two of them can be compared.

    Empty values are left out; a range of ports is sorted and without blanks.
    """
    rule: Rule = {}
    for name, value in given.items():
        key, text = str(name).upper(), scalar(value).strip()
        if text == "":
            continue
        if key == "PROTOCOL":
            text = text.upper()
        elif key == "RULE_TYPE":
            text = text.lower()
        elif key == "RANGE":
            text = _ports(text)
        elif key == "IP":
            text = _address(text)
        rule[key] = text
    return rule


def _ports(text: str) -> str:
    parts = {part.replace(" ", "") for part in text.split(",") if part.strip()}
    return ",".join(sorted(parts, key=_first_port))


def _first_port(part: str) -> tuple[int, str]:
    first = part.partition(":")[0]
    return (int(first) if first.isdigit() else -1, part)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def in_order(rules: list[Rule]) -> list[Rule]:
    """Return rules without duplicates in an order that does not depend on theirs: a set that can be shown."""
    unique = {tuple(sorted(rule.items())): rule for rule in rules}
    return [unique[key] for key in sorted(unique)]


def rules_of(raw: Raw) -> list[Rule]:
    """Return the rules of a security group."""
    return in_order([canonical_rule(each) for each in as_list(raw, "TEMPLATE", "RULE") if isinstance(each, Mapping)])


def outdated(raw: Raw) -> list[int]:
    """Return the ids of the virtual machines that do not have the present rules, or where setting them failed."""
    return sorted({int(number) for pool in ("OUTDATED_VMS", "ERROR_VMS") for number in as_list(raw, pool, "ID")})


class ManagedSecurityGroup(Managed):
    """The security group of module security_group."""

    kind = SECURITY_GROUP
    # the virtual machines follow later
    unverified = frozenset({"outdated_vms"})

    def facts(self, raw: Raw) -> dict[str, Any]:
        template = as_dict(raw, "TEMPLATE")
        return {
            **identity(raw),
            "description": template.get("DESCRIPTION") or None,
            "rules": [{name.lower(): value for name, value in rule.items()} for rule in rules_of(raw)],
            "template": {name: value for name, value in template.items() if name != "RULE"},
            "updated_vms": sorted(int(number) for number in as_list(raw, "UPDATED_VMS", "ID")),
            "outdated_vms": outdated(raw),
        }

    def prepare(self) -> None:
        self._template = from_options(self.params, OPTIONS, RESERVED)
        self._rules: list[Rule] | None = None
        if self.params["rules"] is not None:
            self._rules = in_order([self._rule(rule) for each in self.params["rules"] for rule in _for_each_cidr(each)])

    def _rule(self, given: Mapping[str, Any]) -> Rule:
        rule = dict(given)
        if rule.get("network_id") is None and rule.get("network") is not None:
            rule["network_id"] = self.objects.referred(VNET, rule["network"], "rules[].network")
        rule.pop("network", None)
        if rule.get("range") is not None and rule["protocol"] not in ("TCP", "UDP"):
            raise InvalidInput(
                f"The rule {_given(given)} has a range of ports, which only TCP and UDP have.",
                details={"option": "rules"},
            )
        return canonical_rule(rule)

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
        return desired

    def allocate(self, desired: Mapping[str, Any]) -> int:
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


def _for_each_cidr(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one rule for each network in C(cidrs), in the form that OpenNebula has for it: first address and size."""
    rule = {name: value for name, value in given.items() if name != "cidrs"}
    if given.get("cidrs") is None:
        return [rule]
    rules = []
    for cidr in given["cidrs"]:
        try:
            network = ipaddress.ip_network(cidr)
        except ValueError as error:
            raise InvalidInput(
                f"The rule {_given(given)} has a network that cannot be read: {error}; write it like 10.8.0.0/24.",
                details={"option": "rules"},
            ) from None
        # a rule without a peer admits all of them, which OpenNebula cannot say with a size
        everyone = network.prefixlen == 0
        peer = {} if everyone else {"ip": str(network.network_address), "size": network.num_addresses}
        rules.append({**rule, **peer})
    return rules


def _given(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in rule.items() if value is not None}
