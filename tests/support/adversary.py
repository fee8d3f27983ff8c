# SPDX-License-Identifier: Apache-2.0
"""The lab as the adversarial tests see it: two tenants' federations, their hosts and sites, and a stranger."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import xmlrpc.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from playbooks import ROOT, Played, play

ATTACKS = ROOT / "tests" / "adversarial" / "attacks"
# A further site of the lab, which belongs to nobody's federation and has no OpenNebula.
STRANGER = "stranger:59"
# The lab of both inventories together.
LAB = {
    "lab_sites": [
        {"name": "alpha", "number": 1},
        {"name": "beta", "number": 2},
        {"name": "gamma", "number": 3, "nat": True},
    ],
    "lab_tenants": ["tenant-b"],
}
# Networks on another bridge of a site may have its very addresses; a host there is reached by way of the bridge.
BRIDGE = "br-site"
LAB_MODULES = ROOT / "roles" / "lab" / "files"


@dataclass(frozen=True)
class Host:
    """A host that can be ordered to attack, as root.

    Attributes:
        name: name in the inventory.
        address: where it is reached by the tests, and by others of its site.
        key: private SSH key file of the lab.
        variables: its variables in the inventory, not rendered.
        bridge: bridge of its site that it is on.
    """

    name: str
    address: str
    key: Path
    variables: dict[str, Any]
    bridge: str = BRIDGE

    def ssh(self, *options: str, user: str = "root") -> list[str]:
        """The command that runs a command here."""
        quiet = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=10"]
        if self.bridge != BRIDGE:
            connect = f"{sys.executable} -m fact8ra_lab.hosts connect {self.variables['site_name']} {self.bridge} %h %p"
            quiet.append(f"ProxyCommand=env PYTHONPATH={LAB_MODULES} PYTHONDONTWRITEBYTECODE=1 {connect}")
        return [
            *("ssh", "-i", str(self.key), *(word for each in quiet for word in ("-o", each)), *options),
            f"{user}@{self.address}",
        ]

    def run(
        self, command: str, check: bool = True, given: str = "", timeout: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root; with `check` the test fails when the command does, with what it printed."""
        done = subprocess.run(
            [*self.ssh(), command], input=given, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert not check or done.returncode == 0, f"{self.name}: {command}: {done.stdout}{done.stderr}"
        return done

    def attack(self, script: str, *arguments: object, python: str = "python3", timeout: float = 300) -> Any:
        """Run a script of tests/adversarial/attacks here and return the JSON that it prints."""
        words = base64.b64encode(json.dumps(arguments).encode()).decode()
        text = (ATTACKS / f"{script}.py").read_text(encoding="utf-8")
        return json.loads(self.run(f"{python} - {words}", given=text, timeout=timeout).stdout)

    @cached_property
    def context(self) -> dict[str, str]:
        """What OpenNebula told the VM: the variables of its context."""
        text = self.run("cat /run/one-context/one_env").stdout
        return {name: value.strip("'\"") for name, value in re.findall(r"^export (\w+)=(.*)$", text, re.MULTILINE)}

    @cached_property
    def superlink(self) -> tuple[str, int]:
        """Address and port that this SuperNode dials, as its unit says."""
        unit = self.run("systemctl cat flower-supernode").stdout
        found = re.search(r"--superlink \[?([^\s\]]+)\]?:(\d+)", unit)
        assert found, unit
        return found[1], int(found[2])


class Federation:
    """A tenant's federation, read from its inventory."""

    def __init__(self, inventory: Path) -> None:
        self.inventory = inventory
        listed = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(inventory), "--list"],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
        )
        self.groups: dict[str, Any] = _plain(json.loads(listed.stdout))
        self.variables: dict[str, dict[str, Any]] = self.groups["_meta"]["hostvars"]

    @property
    def name(self) -> str:
        """The federation's name."""
        return str(self._first["federation_name"])

    @property
    def directory(self) -> Path:
        """Its directory on the controller."""
        return Path(self._first["federation_directory"])

    @property
    def key(self) -> Path:
        """Private SSH key file."""
        return Path(self._first["ansible_ssh_private_key_file"])

    @property
    def sites(self) -> list[str]:
        """Names of its sites."""
        return list(self.groups["sites"]["hosts"])

    @property
    def superlink(self) -> Host:
        """The SuperLink's host."""
        return self.hosts("superlink")[0]

    @property
    def supernodes(self) -> list[Host]:
        """The SuperNodes' hosts."""
        return self.hosts("supernodes")

    @property
    def _first(self) -> dict[str, Any]:
        return self.variables[self.sites[0]]

    def hosts(self, group: str) -> list[Host]:
        """The hosts of a group."""
        return [self._host(name, self.variables[name]) for name in self.groups.get(group, {}).get("hosts", [])]

    def _host(self, name: str, variables: dict[str, Any]) -> Host:
        bridge = str(self.variables[variables["site_name"]].get("site_network_bridge", BRIDGE))
        return Host(name, variables["ansible_host"], self.key, variables, bridge)

    def play(self, playbook: str, *arguments: str) -> Played:
        """Play a playbook of the collection on this federation."""
        return play(playbook, *arguments, inventory=self.inventory)

    def mended(self) -> Played:
        """Play site.yml to put right what an attempt has broken."""
        return self.play("site").succeeded()

    def credentials(self, site: str) -> tuple[str, str]:
        """The tenant's user and password at a site."""
        user = str(self.variables[site]["one_username"])
        path = self.key.parents[1] / "sites" / site / f"{user}.password"
        return user, path.read_text(encoding="utf-8").strip()

    def one(self, site: str, method: str, *arguments: object) -> tuple[bool, str]:
        """Call OpenNebula at a site as this tenant; whether it agreed, and the answer."""
        user, password = self.credentials(site)
        with xmlrpc.client.ServerProxy(str(self.variables[site]["one_endpoint"])) as server:
            answer: Any = getattr(server, method)(f"{user}:{password}", *arguments)
        return bool(answer[0]), str(answer[1])

    def flow(self, site: str, path: str, method: str = "GET", body: str = "") -> tuple[int, str]:
        """Ask OneFlow at a site as this tenant; status and body."""
        user, password = self.credentials(site)
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        request = urllib.request.Request(
            f"{self.variables[site]['one_flow_endpoint']}/{path}",
            body.encode() or None,
            {"Authorization": f"Basic {token}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


class World:
    """Everything that a test may use or attack.

    Attributes:
        ours: the federation that is attacked.
        stranger: a host on the WAN without any key or account.
    """

    def __init__(self, ours: Path, theirs: Path) -> None:
        self.ours = Federation(ours)
        self._theirs = theirs
        self.state = self.ours.key.parents[1]

    @cached_property
    def theirs(self) -> Federation:
        """The federation of tenant B, on a site of ours."""
        return Federation(self._theirs)

    @cached_property
    def stranger(self) -> Host:
        """A host at a site of its own, booted when it is first asked for."""
        listed = self._lab("machine", "list", "--site", STRANGER.partition(":")[0])
        machines = listed["machines"]
        if not machines:
            key = self.ours.key.with_suffix(".pub")
            self._lab("machine", "up", "stranger", "--site", STRANGER, "--ssh-key", str(key))
            machines = self._lab("machine", "list", "--site", STRANGER.partition(":")[0])["machines"]
        return Host("stranger", machines[0]["addresses"][0], self.ours.key, {})

    @classmethod
    @contextlib.contextmanager
    def started(cls) -> Iterator[World]:
        """The lab with both federations; what was started here is taken down at the end.

        FACT8RA_INVENTORY and FACT8RA_TENANT_INVENTORY name other inventories than the lab's.
        """
        ours = Path(os.environ.get("FACT8RA_INVENTORY", "inventories/lab_nat"))
        theirs = Path(os.environ.get("FACT8RA_TENANT_INVENTORY", "inventories/lab_tenant"))
        if os.environ.get("FACT8RA_LAB") == "running":
            yield cls(ours, theirs)
            return
        variables = ("-e", json.dumps(LAB))
        play("lab", *variables, "-e", "lab_state=absent").succeeded()
        play("lab", *variables).succeeded()
        for inventory in (ours, theirs):
            play("site", inventory=inventory).succeeded()
        try:
            yield cls(ours, theirs)
        finally:
            play("lab", *variables, "-e", "lab_state=absent").succeeded()

    def _lab(self, *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "fact8ra_lab.hosts", f"--state={self.state}", *arguments],
            env={**os.environ, "PYTHONPATH": str(LAB_MODULES)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def _plain(value: Any) -> Any:
    """The value without the marks that the inventory puts on what came from the cloud."""
    if isinstance(value, dict):
        if "__ansible_unsafe" in value:
            return value["__ansible_unsafe"]
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether something comes to hold within a time; it is asked every second."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(1)
    return True


def reaches(address: str, port: int, seconds: float = 10) -> bool:
    """Whether the controller comes to open a TCP connection there, within a time."""

    def opens() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((address, port), 3):
            return True
        return False

    return eventually(opens, seconds)


@contextlib.contextmanager
def unfettered(host: Host) -> Iterator[None]:
    """Without the host's own firewall, which is no hindrance to somebody who is root there."""
    host.run("systemctl stop fact8ra-firewall 2>/dev/null || true")
    try:
        yield
    finally:
        host.run("systemctl cat fact8ra-firewall >/dev/null 2>&1 && systemctl start fact8ra-firewall || true")


def passphrase(federation: Federation) -> str:
    """The passphrase of the CA's key, which the lab's inventories keep beside the federation's directory."""
    return Path(f"{federation.directory}.ca-passphrase").read_text(encoding="utf-8").strip()
