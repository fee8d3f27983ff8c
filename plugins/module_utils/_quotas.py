# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Quotas of a user and its group, held against what is still to be created.

Private to the collection: it may change without notice.

oned counts a new object for its owner and the owner's main group (RequestManager::quota_authorization); other groups of
the user do not matter. A limit of -1 stands for the default of the cloud, -2 for none (include/Quota.h).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_dicts


@dataclass(frozen=True)
class Demand:
    """What is asked for of one quota.

    Attributes:
        section: "VM", "NETWORK", "IMAGE" or "DATASTORE".
        metric: name of the limit in that section, "VMS".
        amount: how much is asked for.
        number: id of the network, image or datastore; empty in section VM.
        what: the object in words, "virtual network lan (id 3)"; empty in section VM.
    """

    section: str
    metric: str
    amount: float
    number: str = ""
    what: str = ""


@dataclass(frozen=True)
class Holder:
    """Who has quotas: kind ("user" or "group"), its answer of one.user.info or one.group.info."""

    kind: str
    info: Mapping[str, Any]

    def quota(self, demand: Demand) -> tuple[float, float]:
        """Return limit and use; a limit below 0 is none."""
        own = _entry(self.info, demand)
        limit = _number(own.get(demand.metric), -1)
        if limit == -1:
            defaults = as_dict(self.info, f"DEFAULT_{self.kind.upper()}_QUOTAS")
            limit = _number(_entry(defaults, demand).get(demand.metric), -1)
        return limit, _number(own.get(f"{demand.metric}_USED"), 0)


def _entry(quotas: Mapping[str, Any], demand: Demand) -> Mapping[str, Any]:
    for entry in as_dicts(quotas, f"{demand.section}_QUOTA", demand.section):
        if not demand.number or str(entry.get("ID")) == demand.number:
            return entry
    return {}


def _number(text: object, otherwise: float) -> float:
    return otherwise if text in (None, "") else float(str(text))


def exceeded(holders: Iterable[Holder], demands: Iterable[Demand]) -> list[str]:
    """Return a sentence for every quota that does not suffice: quota, limit, use and what is asked for."""
    found = []
    wanted = [demand for demand in demands if demand.amount > 0]
    for holder in holders:
        for demand in wanted:
            limit, used = holder.quota(demand)
            if limit >= 0 and used + demand.amount > limit:
                name = f"{demand.metric} of {demand.what}" if demand.what else demand.metric
                found.append(
                    f"the quota of {holder.kind} {holder.info['NAME']} for {name} is {limit:g}, of which {used:g} are "
                    f"used; the federation needs {demand.amount:g}"
                )
    return found
