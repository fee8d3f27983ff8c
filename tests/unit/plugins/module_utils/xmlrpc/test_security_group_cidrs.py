# SPDX-License-Identifier: Apache-2.0
"""Networks in CIDR notation become the first addresses and sizes that OpenNebula's rules have."""

from __future__ import annotations

import pytest

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.security_group_rules import wanted_rules

SSH = {"protocol": "TCP", "rule_type": "inbound", "range": "22"}
RULE = {"PROTOCOL": "TCP", "RULE_TYPE": "inbound", "RANGE": "22"}


def _wanted(cidrs: list[str] | None) -> list[dict[str, str]]:
    return wanted_rules([{**SSH, "cidrs": cidrs}], lambda name: pytest.fail(f"nobody asked for network {name}"))


def test_a_rule_without_networks_stays_one() -> None:
    assert _wanted(None) == [RULE]


def test_a_rule_is_made_for_each_network() -> None:
    assert _wanted(["10.8.0.0/24", "192.0.2.7/32"]) == [
        {**RULE, "IP": "10.8.0.0", "SIZE": "256"},
        {**RULE, "IP": "192.0.2.7", "SIZE": "1"},
    ]


def test_no_network_admits_nobody() -> None:
    assert _wanted([]) == []


@pytest.mark.parametrize("everyone", ["0.0.0.0/0", "::/0"])
def test_the_whole_internet_is_a_rule_without_peers(everyone: str) -> None:
    assert _wanted([everyone]) == [RULE]


@pytest.mark.parametrize("cidr", ["10.8.0.1/24", "10.8.0.0/33", "anywhere"])
def test_a_network_that_cannot_be_read_is_named(cidr: str) -> None:
    with pytest.raises(InvalidInput, match=cidr):
        _wanted([cidr])
