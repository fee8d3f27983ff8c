# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that are made of the answers of sites: which VMs, their addresses, names and groups."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.fact8ra.flower.plugins.plugin_utils._inventory.sites import Site

HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LONGEST = 128
GROUP_KINDS = ("service", "role", "label", "cluster", "host", "state")
"""What VMs can be grouped by; the word is the start of the group's name as well."""


@dataclass(frozen=True)
class Choices:
    """Options that decide which of a site's VMs become hosts, and how these are reached.

    Attributes:
        network: name of the network whose address is used, as OpenNebula or the service template calls it.
        nic: number of the NIC whose address is used.
        family: "ipv4", "ipv6" or "any".
        states: names of states of VMs or of their life cycle; empty for all.
        labels: one of these, or one below them, has to be there; empty for all.
        clusters: names or ids of clusters; empty for all.
        hosts: names of hosts of OpenNebula; empty for all.
    """

    network: str | None = None
    nic: int | None = None
    family: str = "any"
    states: Collection[str] = ()
    labels: Collection[str] = ()
    clusters: Collection[str] = ()
    hosts: Collection[str] = ()

    def take(self, vm: Mapping[str, Any]) -> bool:
        """Tell whether a VM is wanted."""
        return (
            (not self.states or vm["state"] in self.states or current_state(vm) in self.states)
            and (not self.labels or any(part in self.labels for label in vm["labels"] for part in _branch(label)))
            and (not self.clusters or vm.get("cluster") in self.clusters or str(vm["cluster_id"]) in self.clusters)
            and (not self.hosts or vm["host"] in self.hosts)
        )


@dataclass(frozen=True)
class Host:
    """A VM as a host: its variables, without the prefix of the plugin's option, and the address to reach it at."""

    site: str
    address: str | None
    facts: Mapping[str, Any]

    @property
    def default_name(self) -> str:
        """SITE-ROLE-ORDINAL, with the ordinal in the name that OneFlow gave to the VM; else the VM's own name."""
        if self.facts["role"] is not None:
            return f"{self.site}-{_as_name(self.facts['role'])}-{self.facts['ordinal']}"
        # One that starts with a dash would be an option of ssh.
        name = re.sub(r"^[.-]", "_", _as_name(self.facts["name"]))
        return name or f"vm_{self.facts['id']}"

    def groups(self, kinds: Iterable[str]) -> Iterator[tuple[str, ...]]:
        """Yield the groups of the host, each with those above it, the uppermost first, by names to be sanitised."""
        for kind in kinds:
            if kind == "label":
                for label in self.facts["labels"]:
                    yield tuple(f"label_{part}" for part in _branch(label))
                continue
            value = current_state(self.facts).lower() if kind == "state" else self.facts.get(kind)
            if value is not None:
                yield (f"{kind}_{value}",)


def _as_name(text: str) -> str:
    """A text of the cloud, which may be any, as a part of a host's name: files and connections are named after it."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text[:_LONGEST])


def current_state(vm: Mapping[str, Any]) -> str:
    """Return RUNNING and the like for an active VM, otherwise POWEROFF and the like."""
    return str(vm["lcm_state"] if vm["state"] == "ACTIVE" else vm["state"])


def _branch(label: str) -> list[str]:
    """Return a label and those above it, the uppermost first: a, a/b and a/b/c."""
    parts = label.split("/")
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def hosts(site: Site, answer: Mapping[str, Any], choices: Choices) -> Iterator[Host]:
    """Yield the hosts in the answer of a site, in its order."""
    for vm in answer["vms"]:
        if choices.take(vm):
            networks = answer["networks"].get(str(vm["service_id"]), {})
            yield Host(site.name, pick_address(vm["nics"], networks, choices), vm)


def pick_address(nics: Iterable[Mapping[str, Any]], networks: Mapping[str, str], choices: Choices) -> str | None:
    """Return the address that a VM is reached at, or None: the first of the right family, network and NIC."""
    network_id = networks.get(choices.network or "")
    for nic in nics:
        on_network = nic["network"] == choices.network or (bool(network_id) and nic["network_id"] == network_id)
        if (choices.network and not on_network) or choices.nic not in (None, nic["id"]):
            continue
        for address in nic["addresses"]:
            if _fits(address, choices.family):
                return str(address)
    return None


def _fits(address: str, family: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False  # what is no address must not reach a command line
    # the zone of an IPv6 address may be any text
    return "%" not in address and family in ("any", f"ipv{parsed.version}")
