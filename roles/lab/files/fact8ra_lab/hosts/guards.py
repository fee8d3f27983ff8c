# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The rules of security groups at a host's bridge ports, as OpenNebula's drivers with security groups set them.

What no rule admits is dropped; answers pass; ARP and IPv6's neighbour discovery are not judged. Spoofing filters hold
for what the host sends. Unlike upstream, whose rules see what is bridged, packets from and to the site's router are
judged as well: here the router is on the bridge, where a cloud's is behind it.
Source: src/vnm_mad/remotes/lib/security_groups_iptables.rb.

A kernel need not have connection tracking for bridges (nf_conntrack_bridge). So br_netfilter shows the packets to the
table `inet`, which marks those of known connections for the table `bridge`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any, Final

from . import filters
from ._system import LabError, in_netns, run

Rule = Mapping[str, str]

_KNOWN: Final = "f8-known"
_MARK: Final = "0xf8"
_KNOWN_TABLE: Final = f"""
table inet {_KNOWN} {{
  chain prerouting {{
    type filter hook prerouting priority mangle
    meta mark set 0
    ct state established,related meta mark set {_MARK}
  }}
  chain output {{
    type filter hook output priority mangle
    ct state established,related meta mark set {_MARK}
  }}
}}
"""
_PROTOCOLS: Final = {"TCP": "tcp", "UDP": "udp", "ICMP": "icmp", "ICMPV6": "ipv6-icmp", "IPSEC": "esp"}
_UNJUDGED: Final = "ether type != { ip, ip6 } accept"
_SENT: Final = "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept"
_RECEIVED: Final = "icmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, nd-redirect } accept"
_ANSWERS: Final = f"meta mark {_MARK} accept"


def set_guard(netns: str, link: str, nic: Mapping[str, Any]) -> None:
    """Put the rules of an interface (keys of `machines.Nic`) in force at its port; without `rules` it has no guard.

    Raises LabError for a rule that cannot be read, or where bridged packets cannot be filtered.
    """
    # Replaced in one go: the port is never without rules.
    text = f"add table bridge {link}\ndelete table bridge {link}\n"
    if nic.get("rules") is not None:
        _see_bridged(netns)
        text += _table(link, nic)
    filters.load(netns, text)


def drop_guard(netns: str, link: str) -> None:
    """Remove the rules of a port, if it has some."""
    run([*in_netns(netns), "nft", "delete", "table", "bridge", link], check=False)


def _see_bridged(netns: str) -> None:
    if _KNOWN in filters.tables(netns):
        return
    values = [f"net.bridge.bridge-nf-call-{tables}=1" for tables in ("iptables", "ip6tables")]
    if run([*in_netns(netns), "sysctl", "-q", "-w", *values], check=False).returncode:
        raise LabError(
            "security groups need the kernel's br_netfilter; this one lacks it (try `modprobe br_netfilter`)"
        )
    filters.load(netns, _KNOWN_TABLE)


def _table(link: str, nic: Mapping[str, Any]) -> str:
    outgoing = [rule_text(rule) for rule in nic["rules"] if rule["RULE_TYPE"].upper() == "OUTBOUND"]
    incoming = [rule_text(rule) for rule in nic["rules"] if rule["RULE_TYPE"].upper() == "INBOUND"]
    spoofing = [f"ether saddr != {nic['mac']} drop"] if nic["filter_mac"] else []
    if nic["filter_ip"]:
        bootp = "ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept"
        spoofing += [bootp, f"ip saddr != {nic['address']} drop", "ether type ip6 drop"]
    lines = [
        f"table bridge {link} {{",
        "  chain from {",
        "    type filter hook prerouting priority 100",
        f'    iifname != "{link}" accept',
        *(f"    {line}" for line in [_UNJUDGED, _SENT, *spoofing, _ANSWERS, *outgoing, "drop"]),
        "  }",
        "  chain to {",
        "    type filter hook postrouting priority 0",
        f'    oifname != "{link}" accept',
        *(f"    {line}" for line in [_UNJUDGED, _RECEIVED, _ANSWERS, *incoming, "drop"]),
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def rule_text(rule: Rule) -> str:
    """Return a rule of a security group as nftables writes it. Raises LabError where it cannot be read."""
    try:
        return " ".join([*_matches(rule), "accept"])
    except (KeyError, ValueError) as error:
        raise LabError(f"rule {dict(rule)} of a security group cannot be read: {error}") from None


def _matches(rule: Rule) -> Iterator[str]:
    outbound = rule["RULE_TYPE"].upper() == "OUTBOUND"
    if rule.get("IP"):
        first = ipaddress.ip_address(rule["IP"])
        family = "ip" if first.version == 4 else "ip6"
        yield f"{family} {'daddr' if outbound else 'saddr'} {first}-{first + int(rule['SIZE']) - 1}"
    protocol = rule["PROTOCOL"].upper()
    if protocol != "ALL":
        yield f"meta l4proto {_PROTOCOLS[protocol]}"
    if rule.get("RANGE"):
        parts = [[int(port) for port in part.split(":")] for part in rule["RANGE"].split(",")]
        yield f"th dport {{ {', '.join('-'.join(map(str, ports)) for ports in parts)} }}"
    for key, name in (("ICMP_TYPE", "icmp"), ("ICMPV6_TYPE", "icmpv6")):
        if rule.get(key):
            yield f"{name} type {int(rule[key])}"
