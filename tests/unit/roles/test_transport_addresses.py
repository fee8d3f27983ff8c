# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Where SuperNodes dial, what the certificate carries and what the security group opens, by the sites' transports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playbooks import play_written

pytestmark = pytest.mark.slow

_ROOT = Path(__file__).parents[3]
_ROLES = ("pki", "site", "supernode", "verify")
_ASKED = {
    "supernode": "{{ supernode_superlink_address }}",
    "verify": "{{ verify_superlink_address }}",
    "dialled": "{{ _supernode_superlink }}",
    "names": "{{ pki_superlink_names }}",
    "addresses": "{{ pki_superlink_addresses }}",
    "rules": "{{ _site_role_superlink.rules | map(attribute='protocol') }}",
}


def _inventory(**variables: Any) -> dict[str, Any]:
    return {
        "all": {
            "vars": {
                "federation_name": "poc",
                "pki_ca_passphrase": "x",
                "site_fleet_port": 8443,
                "site_admin_sources": ["192.0.2.0/24"],
                **variables,
            },
            "children": {
                "sites": {
                    "hosts": {
                        "alpha": {"site_superlink": True, "site_transport": "none"},
                        "beta": {},
                        "gamma": {"site_transport": variables.get("gamma", "wireguard")},
                    }
                },
                "superlink": {"hosts": {"link": {"ansible_host": "10.71.1.10", "site_name": "alpha"}}},
                "supernodes": {
                    "hosts": {
                        **{f"node-{name}": {"site_name": name} for name in ("alpha", "beta", "gamma")},
                        "node-nowhere": {},
                    }
                },
            },
        }
    }


def _ask(directory: Path, **variables: Any) -> dict[str, dict[str, Any]]:
    """What every SuperNode makes of the roles' variables."""
    play = {
        "hosts": "supernodes",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [
            str(_ROOT / "roles" / role / part / "main.yml") for role in _ROLES for part in ("defaults", "vars")
        ],
        "tasks": [
            {
                "ansible.builtin.copy": {
                    "content": "{{ asked | to_json }}",
                    "dest": f"{directory}/{{{{ inventory_hostname }}}}.json",
                    "mode": "0600",
                },
                "vars": {"asked": _ASKED},
            }
        ],
    }
    play_written(directory, [play], _inventory(**variables)).succeeded()
    names = ("alpha", "beta", "gamma", "nowhere")
    return {name: json.loads((directory / f"node-{name}.json").read_text()) for name in names}


def test_each_site_dials_by_its_transport(tmp_path: Path) -> None:
    told = _ask(tmp_path, superlink_address="superlink.example.org")
    assert {name: answers["supernode"] for name, answers in told.items()} == {
        "alpha": "10.71.1.10",
        "beta": "superlink.example.org",
        "gamma": "10.199.0.1",
        "nowhere": "superlink.example.org",
    }
    assert {name: answers["verify"] for name, answers in told.items()} == {
        name: answers["supernode"] for name, answers in told.items()
    }
    # RFC 4193, with the first 40 bits of the SHA-256 of "poc".
    assert told["beta"]["addresses"] == ["10.71.1.10", "10.199.0.1", "fd18:889a:721a::1"]
    assert told["beta"]["names"] == ["superlink.example.org", "link"]
    assert told["beta"]["rules"] == ["TCP", "ICMP", "ALL", "TCP", "UDP"]


def test_ipv6_alone_inside_and_a_gateway(tmp_path: Path) -> None:
    told = _ask(tmp_path, transport_network="", transport_network6="fd00:1::/64", transport_hub="link-gateway")
    assert told["gamma"]["supernode"] == "fd00:1::1"
    assert told["gamma"]["dialled"] == "[fd00:1::1]:8443"
    assert told["beta"]["supernode"] == "10.71.1.10"
    assert told["beta"]["addresses"] == ["10.71.1.10", "fd00:1::1"]
    # Tunnels end at the gateway.
    assert told["beta"]["rules"] == ["TCP", "ICMP", "ALL", "TCP"]


def test_without_tunnels_nothing_is_opened_or_certified_for_them(tmp_path: Path) -> None:
    told = _ask(tmp_path, gamma="direct")
    assert told["gamma"]["supernode"] == "10.71.1.10"
    assert told["gamma"]["addresses"] == ["10.71.1.10"]
    assert told["gamma"]["rules"] == ["TCP", "ICMP", "ALL", "TCP"]
