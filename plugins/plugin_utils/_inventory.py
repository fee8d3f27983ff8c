# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory plugin asks of the endpoints, and the hosts that it makes of the answers.

Private to the collection: it may change without notice.

Which VM belongs to which role is taken from OneFlow's documents: a VM may write its own user template over OneGate.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, OpenNebulaError
from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import SERVICE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.facts import node_ids, service_vms
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import Document, as_list
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.states import service_state_name
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.values import networks_of
from ansible_collections.fact8ra.flower.plugins.module_utils._vms import Vm
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client

PARALLEL = 16
"""Most endpoints that are asked at the same time."""

HOST_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Site:
    """An endpoint with its name and the services that are wanted of it.

    Attributes:
        name: of the site; becomes C(site_name) and the group C(site_NAME).
        params: connection options as modules take them.
        services: regular expressions, each for a whole name; empty for all services.
    """

    name: str
    params: Mapping[str, Any] = field(repr=False)
    services: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """What a cached answer was asked with; never the password."""
        asked = [str(self.params.get(key)) for key in ("endpoint", "flow_endpoint", "username")]
        return " ".join([*asked, *self.services])


@dataclass(frozen=True)
class Choices:
    """Options that decide which VMs become hosts, and how these are reached.

    Attributes:
        network: name of the network whose address is used, as OpenNebula or the service template calls it.
        family: "ipv4", "ipv6" or "any".
        only_running: leave out VMs that are not ACTIVE and RUNNING.
    """

    network: str | None = None
    family: str = "any"
    only_running: bool = True


@dataclass(frozen=True)
class Host:
    """A VM as a host: name, role and variables, without the prefix of the plugin's option."""

    site: str
    role: str
    address: str | None
    facts: dict[str, Any]

    @property
    def default_name(self) -> str:
        """SITE-ROLE-ORDINAL, where the ordinal is the one in the name that OneFlow gave to the VM."""
        return f"{self.site}-{self.role}-{self.facts['ordinal']}"


def ask_all(sites: Sequence[Site]) -> list[dict[str, Any] | OpenNebulaError]:
    """Ask all sites at the same time; return the answer, or the error, of each in its place."""
    if not sites:
        return []
    with ThreadPoolExecutor(max_workers=min(PARALLEL, len(sites))) as pool:
        return list(pool.map(_ask_safely, sites))


def _ask_safely(site: Site) -> dict[str, Any] | OpenNebulaError:
    try:
        return ask(site)
    except OpenNebulaError as error:
        return error


def ask(site: Site) -> dict[str, Any]:
    """Return the services of a site and their VMs, with one call of OneFlow and one of oned.

    Returns:
        A JSON-able dict for the cache: C(fingerprint) and C(services), a list of C({id, name, state, networks, roles}),
        where a role is C({name, vms}) and a VM the facts that :func:`hosts` uses.

    Raises:
        OpenNebulaError: the endpoint is not usable, or said no.
    """
    flow = OneFlow(Target.from_params(site.params, "flow_endpoint"))
    services = [one for one in flow.all(SERVICE) if wanted(site, one.name)]
    ids = [number for one in services for number in node_ids(one.body)]
    vms = service_vms(Client.from_params(site.params), ids) if ids else {}
    return {"fingerprint": site.fingerprint, "services": [_service(one, vms) for one in services]}


def wanted(site: Site, name: str) -> bool:
    """Tell whether a service of this name is wanted.

    Raises:
        InvalidInput: one of the site's patterns is no regular expression.
    """
    try:
        return not site.services or any(re.fullmatch(pattern, name) for pattern in site.services)
    except re.error as error:
        raise InvalidInput(f"services: {error.pattern!r} is no regular expression ({error}).") from None


def _service(found: Document, vms: Mapping[int, Vm]) -> dict[str, Any]:
    roles = [role for role in as_list(found.body.get("roles")) if isinstance(role, Mapping)]
    return {
        "id": found.id,
        "name": found.name,
        "state": service_state_name(found.body.get("state")),
        "networks": {name: str(value.get("id", "")) for name, value in networks_of(found.body).items()},
        "roles": [
            {
                "name": str(role.get("name", "")),
                "vms": [_vm(vms[number]) for number in sorted(node_ids({"roles": [role]})) if number in vms],
            }
            for role in roles
        ],
    }


def _vm(vm: Vm) -> dict[str, Any]:
    return {
        "id": vm.id,
        "name": vm.name,
        "ordinal": vm.ordinal,
        "uname": vm.uname,
        "gname": vm.gname,
        "state": vm.state_name,
        "lcm_state": vm.lcm_state_name,
        "running": vm.running,
        "addresses": vm.addresses,
        "nics": [
            {"network": nic.network, "network_id": nic.network_id, "mac": nic.mac, "addresses": list(nic.addresses)}
            for nic in vm.nics
        ],
        "user_template": vm.user_template,
    }


def hosts(site: Site, answer: Mapping[str, Any], choices: Choices) -> list[Host]:
    """Return the hosts in the answer of a site, by service, role and VM id."""
    found: list[Host] = []
    for service in answer["services"]:
        for role in service["roles"]:
            for vm in role["vms"]:
                if choices.only_running and not vm["running"]:
                    continue
                facts = {key: value for key, value in vm.items() if key != "running"}
                facts.update(role=role["name"], service=service["name"], service_id=service["id"])
                address = pick_address(vm["nics"], service["networks"], choices)
                found.append(Host(site.name, role["name"], address, facts))
    return found


def pick_address(nics: Iterable[Mapping[str, Any]], networks: Mapping[str, str], choices: Choices) -> str | None:
    """Return the address that a VM is reached at, or None: the first of the right family, on the right network."""
    network_id = networks.get(choices.network or "")
    for nic in nics:
        on_network = nic["network"] == choices.network or (bool(network_id) and nic["network_id"] == network_id)
        if choices.network and not on_network:
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
    return family == "any" or family == f"ipv{parsed.version}"
