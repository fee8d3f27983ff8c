# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Rules of security groups in the form of nftables. Expectations: security_groups_iptables.rb of OpenNebula 7."""

from __future__ import annotations

import pytest

from fact8ra_lab.hosts._system import LabError
from fact8ra_lab.hosts.guards import rule_text


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("PROTOCOL=ALL RULE_TYPE=outbound", "accept"),
        ("PROTOCOL=TCP RULE_TYPE=inbound RANGE=22,80:90", "meta l4proto tcp th dport { 22, 80-90 } accept"),
        (
            "PROTOCOL=UDP RULE_TYPE=INBOUND RANGE=53 IP=10.0.0.250 SIZE=10",
            "ip saddr 10.0.0.250-10.0.1.3 meta l4proto udp th dport { 53 } accept",
        ),
        ("PROTOCOL=ALL RULE_TYPE=outbound IP=10.0.0.1 SIZE=1", "ip daddr 10.0.0.1-10.0.0.1 accept"),
        ("PROTOCOL=ALL RULE_TYPE=inbound IP=fd00::1 SIZE=2", "ip6 saddr fd00::1-fd00::2 accept"),
        ("PROTOCOL=ICMP RULE_TYPE=inbound ICMP_TYPE=8", "meta l4proto icmp icmp type 8 accept"),
        ("PROTOCOL=ICMPv6 RULE_TYPE=inbound ICMPV6_TYPE=128", "meta l4proto ipv6-icmp icmpv6 type 128 accept"),
        ("PROTOCOL=IPSEC RULE_TYPE=inbound", "meta l4proto esp accept"),
    ],
)
def test_rules(rule: str, expected: str) -> None:
    assert rule_text(dict(word.split("=") for word in rule.split())) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"PROTOCOL": "GRE"},
        {"RANGE": "22 accept"},
        {"IP": "10.0.0.1/0", "SIZE": "1"},
        {"IP": "10.0.0.1"},
        {"IP": "10.0.0.1", "SIZE": "x"},
    ],
)
def test_what_is_no_rule_opens_nothing(change: dict[str, str]) -> None:
    with pytest.raises(LabError, match="of a security group cannot be read"):
        rule_text({"PROTOCOL": "TCP", "RULE_TYPE": "inbound", **change})
