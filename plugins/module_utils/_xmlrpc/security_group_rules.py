# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Rules of security groups: one form to compare them in, what they may be, and how they are shown.

Private to the collection: it may change without notice.

What oned accepts is in SecurityGroup::is_valid (src/secgroup/SecurityGroup.cc).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import scalar
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput

Rule = dict[str, str]

MOST_ADDRESSES = 2**32 - 1
"""Greatest size of a rule: oned reads it as an unsigned int."""
MOST_PORTS = 15
"""Most ports of a rule, the two ends of a range counted, which is what iptables takes."""
LAST_PORT = 65535

_PORTS = re.compile(r"\d+(:\d+)?\Z")
_OWNERS = {"range": ("TCP", "UDP"), "icmp_type": ("ICMP",), "icmpv6_type": ("ICMPV6",)}
"""Keys of a rule to the protocols that have them."""


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
            text = ",".join(sorted(set(_split(text)), key=_first_port))
        elif key == "IP":
            text = _address(text)
        rule[key] = text
    return rule


def _split(text: str) -> list[str]:
    return [part.replace(" ", "") for part in text.split(",") if part.strip()]


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


def wanted_rules(given: list[Mapping[str, Any]], network: Callable[[str], int]) -> list[Rule]:
    """Return the rules that a user gave, checked and in the form to compare.

    Args:
        given: the option C(rules).
        network: returns the id of a virtual network by its name.

    Raises:
        InvalidInput: a rule that OpenNebula cannot have.
    """
    rules = []
    for each in given:
        _check(each)
        for peer in _peers(each):
            rule = dict(peer)
            name = rule.pop("network", None)
            if name is not None:
                rule["network_id"] = network(name)
            rules.append(canonical_rule(rule))
    return in_order(rules)


def _check(given: Mapping[str, Any]) -> None:
    for key, owners in _OWNERS.items():
        if given.get(key) is not None and given["protocol"] not in owners:
            raise _invalid(given, f"has {key}, which is for {' and '.join(owners)} only")
    for key in ("icmp_type", "icmpv6_type"):
        if given.get(key) is not None and not 0 <= given[key] <= 255:
            raise _invalid(given, f"has {key} {given[key]}; it has to be 0 to 255")
    if given.get("range") is not None:
        _check_ports(given)
    if given.get("ip") is not None:
        try:
            ipaddress.ip_address(given["ip"])
        except ValueError:
            raise _invalid(given, f"has ip {given['ip']!r}, which is no address; write it like 10.8.0.1") from None
        if not 1 <= given["size"] <= MOST_ADDRESSES:
            raise _invalid(given, f"has size {given['size']}; it has to be 1 to {MOST_ADDRESSES}")


def _check_ports(given: Mapping[str, Any]) -> None:
    parts, count = _split(given["range"]), 0
    for part in parts:
        if not _PORTS.match(part):
            raise _invalid(given, f"has {part!r} in its range; write ports like 22, 8000:8010 or 22,443")
        ends = [int(end) for end in part.split(":")]
        if ends[-1] > LAST_PORT or ends[0] > ends[-1]:
            raise _invalid(given, f"has {part!r} in its range; ports go from 0 to {LAST_PORT}, the lower one first")
        count += len(ends)
    if not 1 <= count <= MOST_PORTS:
        raise _invalid(
            given, f"has {count} ports in its range; it has to be 1 to {MOST_PORTS}, the two ends of a range counted"
        )


def _peers(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one rule for each network in C(cidrs), in the form that OpenNebula has for it: first address and size."""
    rule = {name: value for name, value in given.items() if name != "cidrs"}
    if given.get("cidrs") is None:
        return [rule]
    rules = []
    for cidr in given["cidrs"]:
        try:
            network = ipaddress.ip_network(cidr)
        except ValueError as error:
            raise _invalid(given, f"has a network that cannot be read: {error}; write it like 10.8.0.0/24") from None
        # a rule without a peer admits all of them, which OpenNebula cannot say with a size
        everyone = network.prefixlen == 0
        if not everyone and network.num_addresses > MOST_ADDRESSES:
            raise _invalid(
                given,
                f"has the network {cidr} of more addresses than OpenNebula counts ({MOST_ADDRESSES}); "
                f"a prefix of {network.max_prefixlen - 31} or longer is right, or a virtual network in its place",
            )
        peer = {} if everyone else {"ip": str(network.network_address), "size": network.num_addresses}
        rules.append({**rule, **peer})
    return rules


def _invalid(given: Mapping[str, Any], wrong: str) -> InvalidInput:
    shown = {name: value for name, value in given.items() if value is not None}
    return InvalidInput(f"The rule {shown} {wrong}.", details={"option": "rules"})


def rule_line(rule: Rule) -> str:
    """Return a rule as one line for the diff: C(inbound TCP 22,443 from 10.8.0.0 (256 addresses))."""
    known = {"RULE_TYPE", "PROTOCOL", "RANGE", "ICMP_TYPE", "ICMPV6_TYPE", "IP", "SIZE", "NETWORK_ID"}
    words = [rule.get("RULE_TYPE", ""), rule.get("PROTOCOL", ""), rule.get("RANGE", "")]
    words += [f"type {rule[key]}" for key in ("ICMP_TYPE", "ICMPV6_TYPE") if key in rule]
    side = "from" if rule.get("RULE_TYPE") == "inbound" else "to"
    if "IP" in rule:
        words.append(f"{side} {rule['IP']} ({rule.get('SIZE', '?')} addresses)")
    if "NETWORK_ID" in rule:
        words.append(f"{side} virtual network {rule['NETWORK_ID']}")
    words += [f"{name}={value}" for name, value in sorted(rule.items()) if name not in known]
    return " ".join(word for word in words if word)
