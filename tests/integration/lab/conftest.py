# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Two sites and their hosts, apart from any lab that runs on this computer."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fact8ra_lab.hosts import base, network, wan
from fact8ra_lab.hosts._system import NETNS_DIR, Paths, wait_until
from fact8ra_lab.hosts.machines import Machines, Nic, Spec, mac_of, ssh_answers
from fact8ra_lab.hosts.network import Site

WEST, EAST = Site("twest", 51), Site("teast", 52)


@dataclass
class Hosts:
    """Boots hosts and runs commands on them."""

    machines: Machines
    rootfs: Path
    key: Path
    specs: dict[str, Spec] = field(default_factory=dict)

    def nic(self, site: Site, last: int, bridge: str = network.BRIDGE, gateway: bool = True) -> Nic:
        address = str(site.network[last])
        return Nic(bridge, mac_of(address), address, 24, str(site.gateway) if gateway else None)

    def boot(self, name: str, site: Site, last: int, *more: Nic, memory_mb: int = 0, **context: str) -> str:
        """Boot a host, wait for SSH, return its address."""
        spec = Spec(name, site.name, (self.nic(site, last), *more), memory_mb)
        keys = self.key.with_suffix(".pub").read_text()
        self.machines.boot(spec, {"SET_HOSTNAME": name, "SSH_PUBLIC_KEY": keys, **context}, self.rootfs)
        self.specs[name] = spec
        assert wait_until(lambda: ssh_answers(spec.nics[0].address), 30), f"{name} does not answer SSH"
        return spec.nics[0].address

    def run(self, address: str, command: str, check: bool = True) -> str:
        """Run a shell command on a host as root and return its output."""
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        ssh = ["ssh", "-i", str(self.key), *options, f"root@{address}", command]
        result = subprocess.run(ssh, capture_output=True, text=True, check=False, timeout=60)
        assert not check or result.returncode == 0, result.stderr
        return result.stdout.strip()


@pytest.fixture(scope="session")
def rootfs() -> Path:
    """The base system; building it is what the role does first."""
    return base.ensure(Paths(), base.Recipe()).rootfs


@pytest.fixture(scope="module")
def sites(rootfs: Path) -> Iterator[tuple[Site, Site]]:
    """Two sites, up; the WAN is as it was when they are gone."""
    network.up([WEST, EAST])
    before = wan.load()
    yield WEST, EAST
    up = [site.name for site in network.sites()]
    wan.change(up, delay=before.delay, jitter=before.jitter, loss=before.loss, rate=before.rate, cut=before.cut)
    network.down([WEST.name, EAST.name])
    assert not list(NETNS_DIR.glob("f8-t*st"))


@pytest.fixture
def hosts(sites: tuple[Site, Site], rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Hosts that are destroyed at the end."""
    directory = tmp_path_factory.mktemp("hosts")
    key = directory / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    machines = Machines(Paths(directory / "state", directory / "cache"))
    yield Hosts(machines, rootfs, key)
    for name in machines.names():
        machines.destroy(name)


@pytest.fixture
def change_wan(sites: tuple[Site, Site]) -> Iterator[Callable[..., None]]:
    """Sets the WAN, and frees it at the end."""
    names = [site.name for site in sites]

    def change(**values: Any) -> None:
        wan.change(names, **values)

    yield change
    wan.change(names, delay=0, jitter=0, loss=0, rate=0, cut=())
