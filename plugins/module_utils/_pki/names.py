# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Names and addresses in certificates, written DNS:name and IP:address. Private; it may change without notice."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.fact8ra.flower.plugins.module_utils._pki.errors import PkiError

#: Flower's own processes dial these on the SuperLink; a certificate without them leaves every run pending.
LOCAL_NAMES = ("localhost",)
LOCAL_ADDRESSES = ("127.0.0.1", "127.0.0.2", "::1")

# What a CA with name constraints may always issue for, or its own SuperLink could not run.
_ALWAYS_PERMITTED_NETWORKS = ("127.0.0.0/8", "::1/128")

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_DNS_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")


@dataclass(frozen=True)
class Constraints:
    """The permitted subtrees of RFC 5280, 4.2.1.10: DNS domains with what is below them, and networks; both sorted."""

    domains: tuple[str, ...]
    networks: tuple[str, ...]

    def permit(self, san: str) -> bool:
        """Whether a name or address is inside."""
        kind, value = san.split(":", 1)
        if kind == "DNS":
            name = value.removeprefix("*.")
            return any(name == domain or name.endswith(f".{domain}") for domain in self.domains)
        address = ipaddress.ip_address(value)
        return any(address in ipaddress.ip_network(network) for network in self.networks)

    def __str__(self) -> str:
        return ", ".join((*self.domains, *self.networks))


def sans(names: Iterable[str], addresses: Iterable[str]) -> tuple[str, ...]:
    """Subject alternative names of the SuperLink: what is declared, in that order, then what it dials itself.

    Raises:
        PkiError: One is no DNS name or no address.
    """
    checked = [_dns_name("superlink.names", name) for name in names]
    numbers = [_address(address) for address in addresses]
    wanted = [f"DNS:{name}" for name in (*checked, *LOCAL_NAMES)] + [
        f"IP:{address}" for address in (*numbers, *LOCAL_ADDRESSES)
    ]
    return tuple(dict.fromkeys(wanted))


def constraints(domains: Iterable[str], networks: Iterable[str]) -> Constraints | None:
    """What a CA may issue for, or None where nothing is declared and so nothing forbidden.

    Raises:
        PkiError: One is no DNS domain or no network.
    """
    names = {_domain(domain) for domain in domains}
    subnets = {_network(network) for network in networks}
    if not names and not subnets:
        return None
    return ordered_constraints(names | set(LOCAL_NAMES), subnets | set(_ALWAYS_PERMITTED_NETWORKS))


def ordered_constraints(domains: Iterable[str], networks: Iterable[str]) -> Constraints:
    """Constraints in the one order in which they can be compared."""
    return Constraints(tuple(sorted(domains)), tuple(sorted(networks)))


def missing(wanted: Iterable[str], found: Iterable[str]) -> list[str]:
    """Which of the wanted names a TLS client does not accept a certificate for, by RFC 6125 (6.4.3: one wildcard)."""
    there = set(found)
    return [
        san
        for san in wanted
        if san not in there and not (san.startswith("DNS:") and f"DNS:*.{san.partition('.')[2]}" in there)
    ]


def _dns_name(option: str, value: str) -> str:
    name = value.strip().lower().removesuffix(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        other = option.replace("names", "addresses")
        raise PkiError(f"{option} has the address {value!r}; addresses belong into {other}")
    if len(name) > 253 or not _DNS_NAME.fullmatch(name):
        raise PkiError(
            f"{option} has {value!r}, which is not a DNS name; give letters, digits, hyphens and dots, other scripts in"
            " their xn-- form"
        )
    return name


def _domain(value: str) -> str:
    name = _dns_name("ca.permitted_names", value)
    if name.startswith("*."):
        raise PkiError(
            f"ca.permitted_names has {value!r}; give the domain alone, everything below it is permitted with it"
        )
    return name


def _address(value: str) -> str:
    try:
        address = ipaddress.ip_address(value.strip())
        if getattr(address, "scope_id", None) is not None:
            raise ValueError("an address in a certificate has no zone")
        return str(address)
    except ValueError as error:
        raise PkiError(
            f"superlink.addresses has {value!r}, which is not an IPv4 or IPv6 address; give it without prefix length or"
            " zone, names belong into superlink.names"
        ) from error


def _network(value: str) -> str:
    try:
        network = ipaddress.ip_network(value.strip())
        if getattr(network.network_address, "scope_id", None) is not None:
            raise ValueError("a network in a certificate has no zone")
        return str(network)
    except ValueError as error:
        raise PkiError(
            f"ca.permitted_addresses has {value!r}, which is not an IPv4 or IPv6 network ({error}); give it like"
            " 192.0.2.0/24 or 2001:db8::/64"
        ) from error
