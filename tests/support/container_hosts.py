# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Hosts of Debian 13 for a federation in containers, and how they are played on."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import oci_archive
import playbooks

from fact8ra_lab.hosts import network
from fact8ra_lab.hosts._system import Paths

SUITE = "trixie"
SITE = network.Site.parse("podman:12")
PATHS = Paths(Path("/var/lib/fact8ra-lab/containers"), Path("/var/cache/fact8ra-lab/containers"))
REQUIREMENTS = ("flwr==1.41.0", "numpy==2.4.6", "uv==0.12.24")
# What a VM does not need: overlay does not lie on overlay, and systemd-nspawn refuses keyrings.
PREPARE = """set -e
mkdir -p /etc/containers/containers.conf.d
printf '[containers]\\nkeyring = false\\n' > /etc/containers/containers.conf.d/50-lab.conf
rm -rf /run/containers /run/libpod /var/lib/containers/*
mount -t tmpfs -o mode=755 tmpfs /var/lib/containers
"""


@dataclass(frozen=True)
class Hosts:
    """Both hosts, by name, and how they are played on."""

    directory: Path
    archive: oci_archive.Archive
    inventory: dict[str, Any]

    def run(self, host: str, script: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a script of a shell on a host, as root."""
        address = next(group["hosts"][host] for group in self.groups() if host in group["hosts"])["ansible_host"]
        options = [
            "-q",
            "-i",
            str(self.directory / "key"),
            "-oStrictHostKeyChecking=no",
            "-oUserKnownHostsFile=/dev/null",
        ]
        command = ["ssh", *options, f"root@{address}", "bash", "-s"]
        return subprocess.run(command, input=script, capture_output=True, text=True, timeout=120, check=check)

    def groups(self) -> list[dict[str, Any]]:
        """The groups of the inventory."""
        return list(self.inventory["all"]["children"].values())

    def play(self, *arguments: str, roles: tuple[str, ...] = ("site",), **variables: Any) -> playbooks.Played:
        """Play the federation, or one role on the SuperLink's host."""
        link = {"hosts": "superlink", "gather_facts": False, "vars": variables}
        if roles != ("site",):
            plays = [{**link, "roles": [f"fact8ra.flower.{role}" for role in roles]}]
        else:
            register = {"name": "fact8ra.flower.superlink", "tasks_from": "register"}
            plays = [
                {
                    **link,
                    "roles": ["fact8ra.flower.pki", "fact8ra.flower.superlink"],
                    "post_tasks": [{"ansible.builtin.include_role": register}],
                },
                {**link, "hosts": "supernodes", "roles": ["fact8ra.flower.supernode"]},
            ]
        return playbooks.play_written(self.directory, plays, self.inventory, *arguments)

    def contained(self, *arguments: str, **variables: Any) -> playbooks.Played:
        """Play the federation with containers."""
        images = {f"flower_{name}_image": self.archive.image for name in ("superlink", "supernode", "superexec")}
        given = {
            "flower_runtime": "container",
            "flower_image_archives": [str(self.archive.path)],
            **images,
            **variables,
        }
        return self.play(*arguments, **given)


def inventory(directory: Path, wheels: Path, addresses: dict[str, dict[str, str]]) -> dict[str, Any]:
    variables = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(directory / "key"),
        "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        "federation_name": "containers",
        "federation_directory": str(directory / "federation"),
        "pki_ca_passphrase": "only for this test",
        "flower_wheelhouse": str(wheels),
        "site_name": "alpha",
        # Other suites may keep the computer busy.
        "superlink_ready_timeout": 180,
        "supernode_ready_timeout": 180,
    }
    children = {
        "superlink": {"hosts": {"link": addresses["link"]}},
        "supernodes": {"hosts": {"node": addresses["node"]}},
    }
    return {"all": {"vars": variables, "children": children}}
