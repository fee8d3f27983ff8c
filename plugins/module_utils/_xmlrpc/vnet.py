# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The virtual network of module vnet.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import State
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_int, as_ints
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.leases import Blocked, refusing, retried
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.lock import is_locked, unlocked
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.managed import Managed
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    CLUSTER,
    SECURITY_GROUP,
    VNET,
    Raw,
    named,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.ranges import (
    apply_plan,
    canonical_range,
    check_range,
    plan_ranges,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.restricted import explained
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import normalise, render
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet_facts import (
    facts,
    is_reservation,
    security_groups,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet_options import (
    INHERITED,
    KEPT,
    check_change,
    check_new,
    template_of,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet_states import (
    FAILED,
    GOING,
    VnetState,
    state_of,
    wait_gone,
    wait_ready,
)


class ManagedVnet(Managed):
    """The virtual network of module vnet."""

    kind = VNET

    def facts(self, raw: Raw) -> dict[str, Any]:
        return facts(raw, leases=False)

    def see(self, raw: Raw) -> State:
        template = normalise(raw.get("TEMPLATE"))
        # the server strips the attributes and keeps the choices beside the template
        for number in ("VLAN_ID", "OUTER_VLAN_ID"):
            template[f"AUTOMATIC_{number}"] = "YES" if raw.get(f"{number}_AUTOMATIC") == "1" else "NO"
        state: State = {
            "template": template,
            "security_groups": security_groups(raw),
            "locked": is_locked(raw),
        }
        if self.params["address_ranges"] is not None:
            plan = plan_ranges(raw, self.params["address_ranges"])
            found = [each for each in plan.found if each is not None]
            state["address_ranges"] = [*found, *(plan.surplus if self._replaces else [])]
        if self._clusters is not None:
            state["clusters"] = [each for each in _clusters(raw) if self._replaces or each in self._clusters]
        return state

    def prepare(self) -> None:
        params = self.params
        self._replaces = params["update_mode"] == "replace"
        self._template = template_of(params)
        self._ranges = [canonical_range(each) for each in params["address_ranges"] or []]
        for at, each in enumerate(self._ranges):
            check_range(each, f"address_ranges[{at}]")
        self._prepare_groups()
        self._clusters: list[int] | None = None
        wanted = [params["cluster"]] if params["cluster"] is not None else params["clusters"]
        if wanted is not None:
            option = "cluster" if params["clusters"] is None else "clusters"
            self._clusters = sorted({self.objects.referred(CLUSTER, each, option) for each in wanted})

    def _prepare_groups(self) -> None:
        self._groups: list[int | str] | None = None
        if self.params["security_groups"] is not None:
            self._groups = sorted({self._security_group(each) for each in self.params["security_groups"]}, key=str)

    def _security_group(self, reference: str) -> int | str:
        return self.objects.promised(SECURITY_GROUP, reference, "security_groups", self.promise)

    def desired(self, current: State | None) -> dict[str, Any]:
        inherits = current is not None and is_reservation(current["raw"])
        template = dict(self._template)
        if inherits:
            template = {name: value for name, value in template.items() if name not in INHERITED}
        if current is None:
            check_new(self.params["name"], template)
        else:
            check_change(current["raw"], template)
            if self._replaces:
                has = normalise(current["raw"].get("TEMPLATE"))
                template = {**{name: None for name in has if name not in KEPT}, **template}
        desired: dict[str, Any] = {}
        if template:
            desired["template"] = template
        if self._groups is not None:
            desired["security_groups"] = self._groups
        if self.params["address_ranges"] is not None and not inherits:
            desired["address_ranges"] = self._ranges
        if self._clusters is not None:
            desired["clusters"] = self._clusters
        if self.params["locked"] is not None:
            desired["locked"] = self.params["locked"]
        return desired

    def allocate(self, desired: Mapping[str, Any]) -> int:
        text = render(
            {
                "NAME": desired["name"],
                **desired.get("template", {}),
                "SECURITY_GROUPS": joined(desired.get("security_groups")),
                "AR": desired.get("address_ranges"),
            }
        )
        cluster = next(iter(desired.get("clusters", [])), -1)
        with explained(self.client):
            number = int(
                self.client.call("vn.allocate", text, cluster, what=f"create virtual network {desired['name']!r}")
            )
        self._wait(number)
        return number

    def change(self, current: State, changes: dict[str, Any]) -> None:
        raw = current["raw"]
        with unlocked(self.client, VNET, raw, self.params["locked"]):
            # first, since it needs more rights than the rest and is refused more often
            if "address_ranges" in changes:
                retried(self.objects, raw, self._change_ranges, timeout=self._timeout)
            template = dict(changes.get("template", {}))
            if "security_groups" in changes:
                template["SECURITY_GROUPS"] = joined(changes["security_groups"])
            if template:
                with explained(self.client):
                    self.apply_template(raw, template)
            if "clusters" in changes:
                self._change_clusters(raw)
            self.apply_common(raw, changes)
        self._wait(current["id"])

    def _change_ranges(self, raw: Raw) -> None:
        apply_plan(self.client, raw, plan_ranges(raw, self.params["address_ranges"]), remove=self._replaces)

    def _change_clusters(self, raw: Raw) -> None:
        number, who, has, wanted = int(raw["ID"]), named(VNET, raw), _clusters(raw), self._clusters or []
        for each in wanted:
            if each not in has:
                self.client.call("cluster.addvnet", each, number, what=f"put {who} into cluster {each}")
        for each in has:
            if self._replaces and each not in wanted:
                self.client.call("cluster.delvnet", each, number, what=f"take {who} out of cluster {each}")

    def settle(self, raw: Raw) -> Raw | None:
        state, number, timeout = state_of(raw), int(raw["ID"]), self.params["wait_timeout"]
        if not self.params["wait"] or state == VnetState.READY:
            return raw
        if state in GOING:
            wait_gone(self.objects, number, timeout)
            return None
        if state in FAILED and self.params["state"] == "absent":
            return raw
        return wait_ready(self.objects, number, timeout)

    def remove(self, current: State) -> None:
        retried(self.objects, current["raw"], self._delete_free, timeout=self._timeout)
        if self.params["wait"]:
            wait_gone(self.objects, current["id"], self.params["wait_timeout"])
            self.remember(current["id"], None)

    def _delete_free(self, raw: Raw) -> None:
        if as_int(raw.get("USED_LEASES")):
            raise Blocked(Refused(f"{self.client.endpoint}: {named(VNET, raw)} cannot be deleted.", code="in_use"))
        refusing(lambda: self.delete(raw))

    def gone(self, raw: Raw | None) -> bool:
        return raw is None or state_of(raw) in GOING

    @property
    def _timeout(self) -> float:
        return float(self.params["wait_timeout"]) if self.params["wait"] else 0

    def _wait(self, number: int) -> None:
        if self.params["wait"]:
            self.remember(number, wait_ready(self.objects, number, self.params["wait_timeout"]))


def _clusters(raw: Raw) -> list[int]:
    return sorted(as_ints(raw, "CLUSTERS", "ID"))


def joined(groups: list[int] | None) -> str | None:
    """Return the ids of security groups as the attribute has them."""
    return None if groups is None else ",".join(str(group) for group in groups)
