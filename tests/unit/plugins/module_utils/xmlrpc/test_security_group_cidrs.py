# SPDX-License-Identifier: Apache-2.0
"""Networks in CIDR notation become the first addresses and sizes that OpenNebula's rules have."""

from __future__ import annotations

import pytest

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.security_group import _for_each_cidr

SSH = {"protocol": "TCP", "rule_type": "inbound", "range": "22"}


def test_a_rule_without_networks_stays_one() -> None:
    assert _for_each_cidr({**SSH, "cidrs": None}) == [SSH]


def test_a_rule_is_made_for_each_network() -> None:
    assert _for_each_cidr({**SSH, "cidrs": ["10.8.0.0/24", "192.0.2.7/32"]}) == [
        {**SSH, "ip": "10.8.0.0", "size": 256},
        {**SSH, "ip": "192.0.2.7", "size": 1},
    ]


def test_no_network_admits_nobody() -> None:
    assert _for_each_cidr({**SSH, "cidrs": []}) == []


def test_the_whole_internet_is_a_rule_without_peers() -> None:
    assert _for_each_cidr({**SSH, "cidrs": ["0.0.0.0/0"]}) == [SSH]


@pytest.mark.parametrize("cidr", ["10.8.0.1/24", "10.8.0.0/33", "anywhere"])
def test_a_network_that_cannot_be_read_is_named(cidr: str) -> None:
    with pytest.raises(InvalidInput, match=cidr):
        _for_each_cidr({**SSH, "cidrs": [cidr]})
