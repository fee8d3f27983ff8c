# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of hosts of the inventory as far as they are known while it is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.inventory.helpers import get_group_vars, sort_groups
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput


def group_hosts(inventory: Any, group_name: str) -> list[str]:
    """Return the names of the hosts of the group that endpoints_from_group names.

    Raises:
        InvalidInput: the group has none, or is not there.
    """
    group = inventory.groups.get(group_name)
    names = [host.name for host in group.get_hosts()] if group is not None else []
    if not names:
        raise InvalidInput(
            f"endpoints_from_group is {group_name!r}, which has no hosts. An inventory file that comes before this one "
            "has to name them."
        )
    return names


def host_variables(inventory: Any, loader: Any, name: str, path: str, extra_vars: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of a host: of its groups, its own, those beside the inventory, and the extra ones.

    Args:
        inventory: the data of the inventory, not complete yet.
        loader: Ansible's, for files.
        name: of the host.
        path: the file that is read now.
        extra_vars: what comes before all else.
    """
    host = inventory.get_host(name)
    # Until the inventory is complete, not all hosts have "all" among their groups.
    groups = sort_groups({*host.get_groups(), inventory.groups["all"]})
    sources = [*getattr(inventory, "processed_sources", []), path]
    variables = combine_vars(get_group_vars(groups), get_vars_from_inventory_sources(loader, sources, groups, "all"))
    variables = combine_vars(variables, host.get_vars())
    variables = combine_vars(variables, get_vars_from_inventory_sources(loader, sources, [host], "all"))
    variables["inventory_hostname"] = name
    return dict(combine_vars(variables, extra_vars))
