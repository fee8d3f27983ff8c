# SPDX-License-Identifier: Apache-2.0
"""A federation of two sites, whose faults the tests ask for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from federation import Federation

from fact8ra_lab.standin.testing import StandIn


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    with StandIn() as alpha, StandIn() as beta:
        sites = {"alpha": alpha, "beta": beta}
        made = Federation(tmp_path, sites)
        for number, (name, standin) in enumerate(sites.items(), start=1):
            made.hosts[name] = {
                "ansible_connection": "local",
                "ansible_python_interpreter": "{{ ansible_playbook_python }}",
                "one_endpoint": standin.endpoint,
                "one_flow_endpoint": standin.flow_endpoint,
                "one_username": "flower",
                "one_password": "flower-secret",
                "site_superlink": name == "alpha",
                "site_image": "flower-debian-12",
                "site_network_mode": "managed",
                "site_network_bridge": "br-site",
                "site_network_address": f"127.71.{number}.0",
                "site_network_first_address": f"127.71.{number}.10",
                "site_ssh_public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtest test",
                "site_ready_gate": False,
                "site_wait_timeout": 20,
            }
        made.everywhere = {
            "federation_name": "poc",
            "federation_directory": str(tmp_path / "federation"),
            "pki_ca_passphrase": "a passphrase of the test",
            "ansible_user": "root",
            "site_reachable_timeout": 2,
            "site_admin_sources": ["127.0.0.0/8"],
            "site_fleet_sources": ["127.71.0.0/16"],
        }
        yield made


@pytest.fixture
def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
