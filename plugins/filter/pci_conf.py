# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters about the PCI devices that OpenNebula shall know; each is documented in the .yml file of its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.fact8ra.flower.plugins.module_utils._pci_filters import takes
from ansible_collections.fact8ra.flower.plugins.plugin_utils._pci_conf import PciConfError, device_names, edit

FACTS = "fact8ra_gpu_host"


def pci_conf(text: str, filters: Sequence[str], addresses: Sequence[str] = (), state: str = "present") -> str:
    """The file pci.conf of a front-end with entries added, with those alone of what was added, or without these.

    Raises:
        AnsibleFilterError: the file cannot be edited.
    """
    try:
        return edit(str(text), [str(each) for each in filters], [str(each) for each in addresses], state)
    except PciConfError as error:
        raise AnsibleFilterError(f"pci.conf: {error}") from None


def pci_conf_device_names(text: str) -> list[str]:
    """The patterns that names of devices have to match; raises AnsibleFilterError."""
    try:
        return device_names(str(text))
    except PciConfError as error:
        raise AnsibleFilterError(f"pci.conf: {error}") from None


def pci_lent(hosts: Sequence[Mapping[str, Any]], site: str = "") -> dict[str, Any]:
    """What hypervisors lend: filters, addresses, what the filters let through and the host keeps, the hosts by both
    names, and those that were not asked.
    """
    filters: dict[str, None] = {}
    addresses: dict[str, None] = {}
    kept: list[str] = []
    lenders, unknown = [], []
    for host in hosts:
        if site and str(host.get("nvidia_host_site") or "") not in ("", site):
            continue
        name = str(host.get("inventory_hostname") or "")
        facts = (host.get("ansible_facts") or {}).get(FACTS)
        if facts is None:
            unknown.append(name)
            continue
        lenders.append({"name": name, "one_host": str(host.get("nvidia_host_one_host") or name)})
        gpus = facts.get("gpus") or []
        own = host.get("nvidia_host_pci_filters") or [f"{gpu['vendor']}:{gpu['device']}:{gpu['class']}" for gpu in gpus]
        filters.update(dict.fromkeys(str(each) for each in own))
        for card in facts.get("kept") or []:
            kind = f"{card['vendor']}:{card['device']}:{card['class']}"
            if any(takes(str(each).lower(), kind) for each in own):
                kept.append(str(card["address"]))
        addresses.update(dict.fromkeys(str(gpu["address"]).removeprefix("0000:") for gpu in gpus))
    return {
        "filters": list(filters),
        "addresses": list(addresses),
        "kept": kept,
        "hosts": lenders,
        "unknown": unknown,
    }


class FilterModule:
    """The filters by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters."""
        return {"pci_conf": pci_conf, "pci_conf_device_names": pci_conf_device_names, "pci_lent": pci_lent}
