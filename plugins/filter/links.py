# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for the links between the sites of a federation."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

TRANSPORTS = ("direct", "wireguard", "none")
# The SuperLink and a gateway have the first addresses of a tunnel's network.
RESERVED = 2
# Outer IPv6 header, UDP header, and WireGuard's header and tag, in bytes.
OVERHEAD = 80
# RFC 8200, section 5: every link with IPv6 carries as much.
MINIMUM_MTU_IPV6 = 1280
MINIMUM_MTU_IPV4 = 576
# A name of hosts or an address; a name has letters, or it would be a mistyped address.
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9-]{0,62}|[A-Za-z0-9._-]{0,250}[A-Za-z0-9])")


def _network(text: Any) -> Network:
    try:
        return ipaddress.ip_network(str(text))
    except ValueError as error:
        raise AnsibleFilterError(
            f'"{text}" is not a network such as 10.199.0.0/24 or fd12:3456:789a::/64: {error}'
        ) from None


def hosts_of(network: Network) -> int:
    """Number of addresses that hosts of a network may have, counted from its first."""
    unusable = 1 if network.version == 6 or network.prefixlen > 30 else 2
    return max(network.num_addresses - unusable, 0)


def nth_address(network: str, number: int) -> str:
    """Address of a host in a network.

    Args:
        network: IPv4 or IPv6 network with its prefix length.
        number: Which host, 1 is the first.

    Returns:
        The address, in its shortest form.

    Raises:
        AnsibleFilterError: When the network is none, or has no such host.
    """
    parsed = _network(network)
    try:
        wanted = int(number)
    except (TypeError, ValueError):
        raise AnsibleFilterError(f'"{number}" is not the number of a host') from None
    if not 1 <= wanted <= hosts_of(parsed):
        raise AnsibleFilterError(f"{parsed} has no host number {wanted}; it has {hosts_of(parsed)} addresses for hosts")
    return str(parsed[wanted])


def unique_local_network(name: str) -> str:
    """The IPv6 network of a federation's tunnel, always the same for the same name.

    Args:
        name: Name of the federation.

    Returns:
        A /64 of RFC 4193, whose 40 bits of global ID are taken from the SHA-256 of the name.
    """
    identifier = hashlib.sha256(str(name).encode()).digest()[:5]
    return str(ipaddress.IPv6Network((int.from_bytes(b"\xfd" + identifier, "big") << 80, 64)))


def link_problems(sites: Iterable[Mapping[str, Any]], settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with how the sites are to be linked.

    Args:
        sites: Variables of every site: C(inventory_hostname) and those of role site, as far as they are given.
        settings: C(network), C(network6), C(hub), C(endpoint), C(port), C(mtu) as the variables C(transport_*), and
            C(hosts), the names of those that may be the hub: the groups hub and superlink.

    Returns:
        Sentences for the operator that name the variable; empty when all is right.
    """
    known = list(sites)
    problems = [problem for site in known for problem in _site_problems(site)]
    tunnelled = [site for site in known if site.get("site_transport", "direct") == "wireguard"]
    if not tunnelled:
        return problems
    problems += _network_problems(known, tunnelled, settings)
    problems += _mtu_problems(known, settings)
    hub, endpoint, port = settings["hub"], str(settings["endpoint"]), settings["port"]
    if hub and hub not in settings["hosts"]:
        problems.append(f'transport_hub is "{hub}"; it must be a host of the group hub, or the SuperLink')
    if endpoint and not is_host(endpoint):
        problems.append(
            f'transport_endpoint is "{endpoint}"; it must be a name or an address, without brackets and port'
        )
    if not str(port).isdigit() or not 1 <= int(port) <= 65535:
        problems.append(f'transport_port is "{port}"; it must be a UDP port, 1 to 65535')
    return problems


def overlapping(interfaces: Iterable[str], networks: Iterable[str]) -> list[str]:
    """Addresses of a host that lie in networks which are to be used for something else, or whose networks do.

    Args:
        interfaces: Addresses of its interfaces with their prefix lengths.
        networks: Networks with their prefix lengths.

    Returns:
        Those of the addresses that are in the way.

    Raises:
        AnsibleFilterError: When something is neither.
    """
    taken = [_network(network) for network in networks]
    try:
        own = [ipaddress.ip_interface(str(one)) for one in interfaces]
    except ValueError as error:
        raise AnsibleFilterError(f"an interface has something that is no address: {error}") from None
    return [
        str(one) for one in own if any(one.version == other.version and one.network.overlaps(other) for other in taken)
    ]


def is_host(text: str) -> bool:
    """Whether a text is an IPv4 address, an IPv6 address without brackets and zone, or a name of DNS."""
    try:
        return getattr(ipaddress.ip_address(text), "scope_id", None) is None
    except ValueError:
        return _NAME.fullmatch(text) is not None


def _site_problems(site: Mapping[str, Any]) -> list[str]:
    name, transport = site["inventory_hostname"], site.get("site_transport", "direct")
    if transport not in TRANSPORTS:
        return [f'site_transport of {name} is "{transport}"; it must be direct, wireguard or none']
    if transport == "none" and not _true(site.get("site_superlink", False)):
        return [
            f"site_transport of {name} is none, but the SuperLink is at another site; set it to direct or wireguard,"
            " or site_superlink of this site to true"
        ]
    return []


def _network_problems(
    sites: list[Mapping[str, Any]], tunnelled: list[Mapping[str, Any]], settings: Mapping[str, Any]
) -> list[str]:
    """Networks of the tunnel that are none, too small, or in use at a site."""
    problems = []
    peers = sum(int(site.get("site_supernodes", 1)) for site in tunnelled)
    given = {name: str(settings[name]) for name in ("network", "network6") if settings[name]}
    if not given:
        problems.append("transport_network and transport_network6 are both empty; a tunnel needs one of them")
    for name, text in given.items():
        version = 6 if name == "network6" else 4
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            problems.append(f'transport_{name} is "{text}"; it must be an IPv{version} network: {error}')
            continue
        if network.version != version:
            problems.append(f"transport_{name} is {network}; it must be an IPv{version} network")
            continue
        if hosts_of(network) < RESERVED + peers:
            problems.append(
                f"transport_{name} is {network} with {hosts_of(network)} addresses; {peers} SuperNodes behind a tunnel,"
                f" SuperLink and gateway need {RESERVED + peers}"
            )
        problems += _overlaps(f"transport_{name}", network, sites)
    return problems


def _overlaps(name: str, network: Network, sites: list[Mapping[str, Any]]) -> list[str]:
    problems = []
    for site in sites:
        address, mask = site.get("site_network_address", ""), site.get("site_network_mask", "255.255.255.0")
        try:
            own = ipaddress.ip_network(f"{address}/{mask}", strict=False) if address else None
        except ValueError:
            continue  # role site says what is wrong with them
        if own is not None and own.version == network.version and own.overlaps(network):
            problems.append(
                f"{name} is {network}, but site {site['inventory_hostname']} has {own} (site_network_address);"
                " take a network that no site uses"
            )
    return problems


def _mtu_problems(sites: list[Mapping[str, Any]], settings: Mapping[str, Any]) -> list[str]:
    """An MTU of the tunnel that IPv6 does not allow, or that does not fit into the sites' networks."""
    lowest = min([1500, *(mtu for site in sites if (mtu := int(site.get("site_network_mtu", 0) or 0)) > 0)])
    mtu = int(settings["mtu"] or 0)
    minimum = MINIMUM_MTU_IPV6 if settings["network6"] else MINIMUM_MTU_IPV4
    said = (
        f"transport_mtu is {mtu}"
        if mtu
        else f"site_network_mtu is {lowest} at a site, which leaves {lowest - OVERHEAD}"
    )
    found = mtu or lowest - OVERHEAD
    if found < minimum:
        hint = "; set transport_network6 to nothing for IPv4 alone" if settings["network6"] else ""
        return [f"{said}; the tunnel needs an MTU of {minimum} at least{hint}"]
    if found > lowest - OVERHEAD:
        return [f"{said}, but the networks of the sites carry {lowest}; it must be {lowest - OVERHEAD} at most"]
    return []


def _true(value: Any) -> bool:
    return str(value).lower() in ("true", "yes", "1", "on")


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Names of the filters and the functions behind them."""
        return {
            "link_problems": link_problems,
            "nth_address": nth_address,
            "overlapping": overlapping,
            "unique_local_network": unique_local_network,
        }
