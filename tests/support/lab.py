# SPDX-License-Identifier: Apache-2.0
"""The running lab as a test sees it: its OpenNebula objects, its hosts, its traffic."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import urllib.request
import xmlrpc.client
from pathlib import Path

from playbooks import ROOT

STATE = Path("/var/lib/fact8ra-lab")
SITES = {"alpha": "10.71.1.1", "beta": "10.71.2.1"}
_POOLS = ("vnpool", "secgrouppool", "templatepool", "vmpool")


class Lab:
    """Access to both sites of the lab."""

    def password(self, site: str, user: str = "oneadmin") -> str:
        """Password of a user of a site."""
        return (STATE / "sites" / site / f"{user}.password").read_text(encoding="utf-8").strip()

    def objects(self) -> dict[str, str]:
        """Everything that exists at the sites: pool to its raw answer, to be compared as a whole."""
        found = {}
        for site, address in SITES.items():
            password = self.password(site)
            with xmlrpc.client.ServerProxy(f"http://{address}:2633/RPC2") as server:
                for pool in _POOLS:
                    arguments = [-2, -1, -1, -1] if pool == "vmpool" else [-2, -1, -1]
                    answer = getattr(server.one, pool).info(f"oneadmin:{password}", *arguments)
                    assert isinstance(answer, list)
                    assert answer[0], answer
                    found[f"{site} {pool}"] = str(answer[1])
            for kind in ("service", "service_template"):
                found[f"{site} {kind}"] = json.dumps(self.flow(site, kind), sort_keys=True)
        return found

    def flow(self, site: str, path: str) -> object:
        """A OneFlow document or pool of a site."""
        token = base64.b64encode(f"oneadmin:{self.password(site)}".encode()).decode()
        request = urllib.request.Request(
            f"http://{SITES[site]}:2474/{path}", headers={"Authorization": f"Basic {token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def hosts(self) -> dict[str, str]:
        """Inventory name to address of every VM of the federation."""
        listed = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-inventory")), "-i", "inventories/lab", "--list"],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        )
        variables = json.loads(listed.stdout)["_meta"]["hostvars"]
        # what comes from the cloud is marked unsafe, so that it is never taken for a template
        return {
            name: values["ansible_host"]["__ansible_unsafe"]
            for name, values in variables.items()
            if "one_vm_id" in values
        }

    def run(self, address: str, command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on a VM as root."""
        return subprocess.run(
            [
                "ssh",
                "-i",
                str(STATE / "ssh/id_ed25519"),
                "-o",
                "StrictHostKeyChecking=no",
                "-o",
                "UserKnownHostsFile=/dev/null",
                "-o",
                "LogLevel=ERROR",
                f"root@{address}",
                command,
            ],
            capture_output=True,
            text=True,
            check=check,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
