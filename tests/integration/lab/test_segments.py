# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Two networks with the same addresses at one site: each has its own way out, and none leads to the other."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fact8ra_lab.hosts import filters, network, segments
from fact8ra_lab.hosts._system import NETNS_DIR, LabError, in_netns, run, wait_until
from fact8ra_lab.hosts.machines import Nic, Spec, mac_of
from fact8ra_lab.hosts.network import Site

from .conftest import EAST, WEST, Hosts

pytestmark = [pytest.mark.root, pytest.mark.lab]

PACKAGE = Path(network.__file__).parents[2]
BRIDGE = "br-b"


def connect(bridge: str, host: str, port: int = 22) -> subprocess.CompletedProcess[str]:
    """What a host sends first, by the command line."""
    command = [sys.executable, "-m", "fact8ra_lab.hosts", "connect", WEST.name, bridge, host, str(port)]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE)}
    return subprocess.run(command, env=environment, input="", capture_output=True, text=True, check=False, timeout=60)


class Inside:
    """A host on the further bridge; commands go in as the inventory's do."""

    def __init__(self, hosts: Hosts, name: str, last: int) -> None:
        self.address = str(WEST.network[last])
        nic = Nic(BRIDGE, mac_of(self.address), self.address, 24, str(WEST.gateway))
        keys = hosts.key.with_suffix(".pub").read_text()
        context = {"SET_HOSTNAME": name, "SSH_PUBLIC_KEY": keys}
        hosts.machines.boot(Spec(name, WEST.name, (nic,)), context, hosts.rootfs)
        self._key = hosts.key
        assert wait_until(lambda: connect(BRIDGE, self.address).stdout.startswith("SSH-2.0"), 30, 0.5)

    def run(self, command: str) -> str:
        proxy = f"env PYTHONPATH={PACKAGE} {sys.executable} -m fact8ra_lab.hosts connect {WEST.name} {BRIDGE} %h %p"
        options = [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            f"ProxyCommand={proxy}",
        ]
        ssh = ["ssh", "-i", str(self._key), *(word for one in options for word in ("-o", one)), f"root@{self.address}"]
        return subprocess.run([*ssh, command], capture_output=True, text=True, check=False, timeout=60).stdout.strip()


@pytest.fixture
def gate(sites: tuple[Site, Site]) -> Iterator[list[str]]:
    """What the site's router is asked at OneGate's port, by whom, and at another one."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.client_address[0]} {self.server.server_address[1]}")
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    servers = []
    with segments.inside(WEST.netns):
        for port in (segments.ONEGATE_PORT, segments.ONEGATE_PORT + 1):
            servers.append(http.server.ThreadingHTTPServer((str(WEST.gateway), port), Handler))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield asked
    for server in servers:
        server.shutdown()
        server.server_close()


def test_same_addresses_side_by_side(hosts: Hosts, gate: list[str]) -> None:
    first, far = hosts.boot("twest-1", WEST, 10), hosts.boot("teast-1", EAST, 10)
    second, third = Inside(hosts, "twest-2", 10), Inside(hosts, "twest-3", 11)
    assert first == second.address
    assert (hosts.run(first, "hostname"), second.run("hostname")) == ("twest-1", "twest-2")

    # Its own network, OneGate and the other site: yes. The neighbours of the same numbers, other ports: no.
    ping = "ping -q -c1 -W1 {} > /dev/null; echo $?"
    assert second.run(ping.format(third.address)) == "0"
    assert hosts.run(first, ping.format(third.address)) == "1"
    fetch = "curl -s -o /dev/null -m 2 -w '%{{http_code}}' http://{}:{}"
    assert second.run(fetch.format(WEST.gateway, segments.ONEGATE_PORT)) == "204"
    assert gate == [f"{segments.EDGE[2]} {segments.ONEGATE_PORT}"]
    assert second.run(fetch.format(WEST.gateway, segments.ONEGATE_PORT + 1)) == "000"
    assert hosts.run(first, fetch.format(WEST.gateway, segments.ONEGATE_PORT + 1)) == "204"
    assert second.run(ping.format(far)) == "0"
    # Nor by the wire itself: the site's end of the bridge takes no packet and answers for no address.
    wire = next(link["address"] for link in network.ip_json(["link"], WEST.netns) if link["ifname"] == BRIDGE)
    gateway = second.run(f"ping -q -c1 {WEST.gateway} > /dev/null; ip neigh show {WEST.gateway}")
    assert wire not in gateway
    assert hosts.run(first, ping.format(far)) == "0"
    by_wire = f"ip neigh replace {WEST.gateway} lladdr {wire} nud permanent dev eth0"
    assert second.run(f"{by_wire}; {ping.format(far)}; ip neigh del {WEST.gateway} dev eth0") == "1"
    assert second.run(ping.format(far)) == "0"
    uplink = next(link["ifname"] for link in network.ip_json(["link"], WEST.netns) if link["ifname"].startswith("up-"))
    assert hosts.run(first, ping.format(segments.EDGE[2])) == "1", f"a host of the site reached a router by {uplink}"

    # Half a router is made whole by the next host; the site's end takes it along.
    router = segments.router(WEST.name, BRIDGE)
    run([*in_netns(router), "nft", "delete", "table", "inet", filters.GATE])
    segments.ensure(WEST, BRIDGE, str(WEST.gateway), 24)
    assert second.run("hostname") == "twest-2"
    assert network.status()["sites"][WEST.name]["routers"] == [router]
    for name in ("twest-2", "twest-3", "twest-1"):
        hosts.machines.destroy(name)
    assert WEST.name in network.idle()
    network.down([WEST.name])
    assert not (NETNS_DIR / router).exists()
    network.up([WEST])


def test_a_bridge_without_a_router_is_named(sites: tuple[Site, Site]) -> None:
    answer = connect("br-none", "10.71.51.10")
    assert answer.returncode == 1
    assert answer.stderr == (
        "fact8ra_lab: site twest has no router for bridge br-none; a VM brings one, if its network has a gateway\n"
    )


@pytest.mark.parametrize("bridge", ["", "../x", "br b", "br-b\nlink del wan", "a" * 16])
def test_names_that_are_none_for_a_bridge(sites: tuple[Site, Site], bridge: str) -> None:
    with pytest.raises(LabError, match="1 to 15 letters"):
        segments.ensure(WEST, bridge, None, 24)


def test_a_gateway_that_is_no_address(sites: tuple[Site, Site]) -> None:
    with pytest.raises(LabError, match=r"gateway `10\.71\.51\.1\nx` is no IPv4 address"):
        segments.ensure(WEST, "br-c", "10.71.51.1\nx", 24)
