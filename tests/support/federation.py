# SPDX-License-Identifier: Apache-2.0
"""A federation at stand-ins whose VMs are instant and answer nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playbooks import Played, play, play_until

from fact8ra_lab.standin.testing import StandIn


@dataclass
class Federation:
    """An inventory of two sites and the stand-ins behind it.

    Attributes:
        directory: the inventory.
        sites: name to stand-in.
        hosts: name to the variables of the site; a test changes them before it plays.
        everywhere: variables of all hosts.
    """

    directory: Path
    sites: dict[str, StandIn]
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    everywhere: dict[str, Any] = field(default_factory=dict)

    def write(self) -> Path:
        """Write the inventory as it is described now."""
        (self.directory / "hosts.json").write_text(
            json.dumps({"sites": {"hosts": self.hosts}, "all": {"vars": self.everywhere}}), encoding="utf-8"
        )
        (self.directory / "opennebula.yml").write_text(
            "plugin: fact8ra.flower.opennebula\nendpoints_from_group: sites\n"
            'services: ["{{ federation_name }}-{{ inventory_hostname }}"]\n'
            "unreachable: ignore\n",
            encoding="utf-8",
        )
        return self.directory

    def site(self, *arguments: str) -> Played:
        """Play site.yml up to the VMs, which is as far as instant VMs go."""
        return play("site", "--tags", "preflight,provision", *arguments, inventory=self.write())

    def site_until(self, marker: str) -> Played:
        """Play site.yml and kill it at a line."""
        return play_until("site", marker, inventory=self.write())

    def teardown(self) -> Played:
        """Play teardown.yml."""
        return play("teardown", inventory=self.write())

    def objects(self, site: str) -> list[str]:
        """What exists at a site and carries the federation's name: kind and name."""
        standin = self.sites[site]
        found = []
        for pool in ("vnpool", "secgrouppool", "templatepool"):
            answer = standin.one(f"one.{pool}.info", -2, -1, -1)
            found += [f"{pool} {part.partition('</NAME>')[0]}" for part in answer.split("<NAME>") if part[:4] == "poc-"]
        vms = standin.one("one.vmpool.info", -2, -1, -1, -1, "")
        found += ["vm"] * vms.count("<VM>")
        return found


def described(directory: Path, sites: dict[str, StandIn]) -> Federation:
    """A federation at these sites, of which `alpha` has the SuperLink; each has a network of its own."""
    made = Federation(directory, sites)
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
        "federation_directory": str(directory / "federation"),
        "pki_ca_passphrase": "a passphrase of the test",
        "ansible_user": "root",
        "site_reachable_timeout": 2,
        "site_admin_sources": ["127.0.0.0/8"],
        "site_fleet_sources": ["127.71.0.0/16"],
    }
    return made
