# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of a firewall as data, and the statements of nftables that they become (man nft).

Nothing of a rule reaches a statement as it was written: networks, ports and numbers are parsed and written anew, words
come from fixed lists, and names and reasons consist of characters that nftables gives no meaning to inside quotes.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Ports = tuple[int, int]

ANY = "any"
INBOUND = ("input", "forward")
OUTBOUND = ("output", "apps", "control", "control_api")
CHAINS = (*INBOUND, *OUTBOUND)
PROTOCOLS = ("tcp", "udp", "icmp", "icmpv6", "all")
ICMP_TYPES = {
    "icmp": ("echo-request",),
    "icmpv6": (
        "echo-request",
        "nd-neighbor-solicit",
        "nd-neighbor-advert",
        "nd-router-solicit",
        "nd-router-advert",
        "mld-listener-query",
        "mld-listener-report",
        "mld2-listener-report",
    ),
}
"""Types that a rule may name; errors such as `packet too big` belong to a connection and pass as related to it."""
REASON = re.compile(r"[A-Za-z0-9 .,:/()_+@=-]{3,100}", re.ASCII)
USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)
_INTERFACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}", re.ASCII)
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)
_URL_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}", re.ASCII)
_KEYS = frozenset(
    {
        "name",
        "hosts",
        "shown",
        "peer",
        "chain",
        "protocol",
        "types",
        "limit",
        "ports",
        "source_ports",
        "sources",
        "destinations",
        "interface",
        "user",
        "users",
        "reason",
    }
)


class BadRule(ValueError):
    """A rule that cannot become a statement; the text names what is wrong with it."""


@dataclass(frozen=True)
class Rule:
    """One opening of the firewall.

    Attributes:
        chain: Where it belongs, one of C(CHAINS).
        protocol: One of C(PROTOCOLS).
        types: Types of ICMP messages, for the protocols icmp and icmpv6.
        ports: Ranges of ports that are dialled; none for all of them.
        source_ports: Ranges of ports that packets come from; none for all of them.
        networks: Networks that packets come from (chain input) or go to (any other), without overlaps.
        everywhere: Whether the networks do not matter.
        interface: Interface that packets come in by; empty for any.
        users: Names of the users whose packets these are; none for every user.
        limit: Whether only a few packets in a second pass.
        reason: Why this is open; the comment of the statement.
    """

    chain: str
    protocol: str
    types: tuple[str, ...]
    ports: tuple[Ports, ...]
    source_ports: tuple[Ports, ...]
    networks: tuple[Network, ...]
    everywhere: bool
    interface: str
    users: tuple[str, ...]
    limit: bool
    reason: str


def _shown(value: object) -> str:
    """A value for a message: short, and ASCII, so that nothing in it acts on a terminal."""
    text = ascii(str(value) if isinstance(value, str) else value)
    return text if len(text) <= 60 else f"{text[:60]}... ({len(text)} characters)"


def _word(value: object, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise BadRule(f"{what} is {_shown(value)}")
    # A copy, since what templates give may carry marks of Ansible.
    return str(value)


def _list(value: object, what: str) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise BadRule(f"{what} is {_shown(value)}; it must be a list")
    return list(value)


def _ports(value: object, what: str) -> tuple[Ports, ...]:
    """Ranges of ports in order, those that touch or overlap joined."""
    found = []
    for entry in _list(value, what):
        match = _PORTS.fullmatch(str(entry)) if isinstance(entry, (int, str)) and not isinstance(entry, bool) else None
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= 65535:
            raise BadRule(f"{what} has {_shown(entry)}; it must be a port such as 443, or a range such as 8000-8010")
        found.append((first, last))
    joined: list[Ports] = []
    for first, last in sorted(found):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def networks(value: object, what: str) -> tuple[tuple[Network, ...], bool]:
    """Networks in order and without overlaps, and whether V(any) is among them.

    Raises:
        BadRule: When one is neither an address nor a network nor V(any).
    """
    found: list[Network] = []
    everywhere = False
    for entry in _list(value, what):
        if entry == ANY:
            everywhere = True
            continue
        try:
            if not isinstance(entry, str) or "%" in entry:
                raise ValueError
            found.append(ipaddress.ip_network(str(entry), strict=False))
        except ValueError:
            raise BadRule(
                f"{what} has {_shown(entry)}; it must be an address, a network such as 192.0.2.0/24, or any"
            ) from None
    return (
        (
            *ipaddress.collapse_addresses(entry for entry in found if isinstance(entry, ipaddress.IPv4Network)),
            *ipaddress.collapse_addresses(entry for entry in found if isinstance(entry, ipaddress.IPv6Network)),
        ),
        everywhere,
    )


def rule_of(entry: object) -> Rule:
    """The rule that a dict describes: C(chain), C(protocol), C(reason), and what else C(Rule) has.

    Raises:
        BadRule: When a part is missing, not known, or not of its form.
    """
    if not isinstance(entry, Mapping):
        raise BadRule(f"it is {_shown(entry)}; it must be a dict")
    unknown = sorted(str(key) for key in entry if key not in _KEYS)
    if unknown:
        raise BadRule(f"it has the key {_shown(unknown[0])}, which is none of {', '.join(sorted(_KEYS))}")
    reason = _word(entry.get("reason"), REASON, "reason (3 to 100 letters, digits, spaces and .,:/()_+@=-)")
    chain, protocol = entry.get("chain"), entry.get("protocol")
    if chain not in CHAINS:
        raise BadRule(f"chain is {_shown(chain)}; it must be one of {', '.join(CHAINS)}")
    if protocol not in PROTOCOLS:
        raise BadRule(f"protocol is {_shown(protocol)}; it must be one of {', '.join(PROTOCOLS)}")
    places, place = ("sources", "destinations") if chain == "input" else ("destinations", "sources")
    if place in entry:
        raise BadRule(f"{place} has no meaning here; {places} has")
    found, everywhere = networks(entry.get(places, []), places)
    users = [entry["user"]] if entry.get("user") else _list(entry.get("users", []), "users")
    if users and chain in INBOUND:
        raise BadRule("user has a meaning for what leaves the host alone")
    rule = Rule(
        chain=str(chain),
        protocol=str(protocol),
        types=_types(str(protocol), entry.get("types", [])),
        ports=_ports(entry.get("ports", []), "ports"),
        source_ports=_ports(entry.get("source_ports", []), "source_ports"),
        networks=found,
        everywhere=everywhere,
        interface=_word(entry["interface"], _INTERFACE, "interface") if entry.get("interface") else "",
        users=tuple(_word(user, USER, "user") for user in users),
        limit=bool(entry.get("limit", False)),
        reason=reason,
    )
    if protocol in ("tcp", "udp") and not (rule.ports or rule.source_ports):
        raise BadRule("ports is empty; it must name the ports of tcp or udp")
    if protocol not in ("tcp", "udp") and (rule.ports or rule.source_ports):
        raise BadRule(f"ports has no meaning for {protocol}")
    return rule


def _types(protocol: str, value: object) -> tuple[str, ...]:
    allowed = ICMP_TYPES.get(protocol, ())
    found = _list(value, "types")
    wrong = [entry for entry in found if entry not in allowed]
    if wrong or bool(found) != bool(allowed):
        raise BadRule(f"types is {_shown(value)}; for {protocol} it must be of {', '.join(allowed) or 'nothing'}")
    return tuple(entry for entry in allowed if entry in found)


def rules_of(entries: Iterable[object], kinds: Iterable[str] = ()) -> list[Rule]:
    """Rules of the entries that are for these kinds of hosts; an entry without C(hosts) is for every host.

    Raises:
        BadRule: When one is wrong; the text names it by C(name) or position.
    """
    found, kinds = [], set(kinds)
    for index, entry in enumerate(entries):
        name = entry.get("name", index) if isinstance(entry, Mapping) else index
        try:
            if not isinstance(entry, Mapping) or "hosts" not in entry or kinds & set(entry["hosts"]):
                found.append(rule_of(entry))
        except BadRule as error:
            raise BadRule(f"rule {_shown(name)}: {error}") from None
    return found


def _set(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else "{ " + ", ".join(values) + " }"


def _of_ports(ports: Iterable[Ports]) -> str:
    return _set([str(first) if first == last else f"{first}-{last}" for first, last in ports])


def _of_users(rule: Rule, users: Mapping[str, int] | None) -> str | None:
    """The match by user; None when the host has none of them. Without the host's numbers, names stand for them."""
    if not rule.users:
        return ""
    if users is None:
        return f"meta skuid {_set(sorted(rule.users))} "
    numbers = sorted({int(users[name]) for name in rule.users if name in users})
    return f"meta skuid {_set([str(number) for number in numbers])} " if numbers else None


def _addresses(rule: Rule) -> Iterator[str]:
    """The matches by address: one for each version of IP, an empty one when addresses do not matter."""
    if rule.everywhere:
        yield ""
        return
    side = "saddr" if rule.chain == "input" else "daddr"
    for version, word in ((4, "ip"), (6, "ip6")):
        found = [network for network in rule.networks if network.version == version]
        if any(network.prefixlen == 0 for network in found):
            yield f"meta nfproto ipv{version} "
        elif found:
            texts = [str(each[0]) if each.num_addresses == 1 else str(each) for each in found]
            yield f"{word} {side} {_set(texts)} "


def _service(rule: Rule) -> str:
    if rule.types:
        guarded = [entry for entry in rule.types if entry.startswith("nd-")]
        # RFC 4861, section 6.1: what comes from beyond a router is not from a neighbour.
        return f"{rule.protocol} type {_set(rule.types)} {'ip6 hoplimit 255 ' if guarded else ''}"
    parts = [(name, ports) for name, ports in (("sport", rule.source_ports), ("dport", rule.ports)) if ports]
    return "".join(f"{rule.protocol} {name} {_of_ports(ports)} " for name, ports in parts)


def statements(rules: Iterable[Rule], users: Mapping[str, int] | None) -> dict[str, list[str]]:
    """Statements of nftables for every chain, in the order of the rules.

    Args:
        rules: Rules of any chain.
        users: Numbers of the host's users by name; None where they are not known yet, as in check mode.

    Returns:
        Chain to its lines: one or two a rule; none for a rule without networks, or for users that the host has none of.
    """
    lines: dict[str, list[str]] = {chain: [] for chain in CHAINS}
    for rule in rules:
        who = _of_users(rule, users)
        if who is None:
            continue
        way = f'iifname "{rule.interface}" ' if rule.interface else ""
        limit = "limit rate 5/second burst 10 packets " if rule.limit else ""
        lines[rule.chain] += [
            f'{way}{who}{addresses}{_service(rule)}{limit}counter accept comment "{rule.reason}"'
            for addresses in _addresses(rule)
        ]
    return lines


def admits(rules: Iterable[Rule], source: str, port: int) -> bool:
    """Whether rules let a TCP connection in from an address, whatever interface it comes by."""
    try:
        address = ipaddress.ip_address(str(source).partition("%")[0])
    except ValueError:
        return False
    return any(
        rule.chain == "input"
        and rule.protocol == "tcp"
        and not rule.interface
        and not rule.limit
        and not rule.source_ports
        and any(first <= port <= last for first, last in rule.ports)
        and (rule.everywhere or any(address in network for network in rule.networks))
        for rule in rules
    )


def dialled(url: str, what: str) -> dict[str, Any]:
    """Where a URL leads: C(destinations), V(any) for a name, which no firewall can know the address of, and C(port).

    Raises:
        BadRule: When it is no http(s) URL; its text is not part of the message, since it may hold a password.
    """
    try:
        parts = urllib.parse.urlsplit(str(url))
        host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        host, port = "", 0
    if _URL_HOST.fullmatch(host) is None or not 1 <= port <= 65535:
        raise BadRule(f"{what} is no URL such as http://192.0.2.1:5030")
    try:
        return {"destinations": [str(ipaddress.ip_address(host))], "port": port}
    except ValueError:
        return {"destinations": [ANY], "port": port}
