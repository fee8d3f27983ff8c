# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The sites' networks and the WAN on the real kernel."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fact8ra_lab.hosts import base, network, processes, wan
from fact8ra_lab.hosts._system import NETNS_DIR, LabError, Paths, in_netns, wait_until
from fact8ra_lab.hosts.network import Site

from .conftest import EAST, WEST, Hosts

pytestmark = [pytest.mark.root, pytest.mark.lab]


def ping(count: int = 5, interval: float = 0.05) -> tuple[float, float]:
    """Ping the other site's gateway from a site; returns (per cent lost, mean round trip in ms)."""
    # The computer itself may have no ping; the base system has.
    command = [*in_netns(WEST.netns), "chroot", str(base.current(Paths())), "ping", "-q", "-W", "1"]
    command += ["-c", str(count), "-i", str(interval), "-I", str(WEST.gateway), str(EAST.gateway)]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    lost = re.search(r"([\d.]+)% packet loss", output)
    mean = re.search(r"= [\d.]+/([\d.]+)/", output)
    assert lost, output
    return float(lost[1]), float(mean[1]) if mean else 0


def test_up_again_changes_nothing(sites: tuple[Site, Site]) -> None:
    assert not network.up(sites)
    assert not network.up(sites, check=True)
    status = network.status()["sites"]
    assert status["twest"]["healthy"]
    assert status["teast"]["network"] == "10.71.52.0/24"


@pytest.mark.parametrize(
    "damage",
    [
        ["ip", "link", "del", WEST.management_link],
        ["ip", "route", "del", str(WEST.network)],
        ["ip", "-netns", WEST.netns, "link", "set", "br-site", "down"],
        ["ip", "-netns", WEST.netns, "link", "del", "wan"],
        ["ip", "-netns", WEST.netns, "addr", "flush", "dev", "br-site"],
        ["ip", "-netns", wan.WAN_NETNS, "route", "del", str(WEST.network)],
    ],
    ids=lambda command: " ".join(command[-3:]),
)
def test_damage_is_seen_and_mended(sites: tuple[Site, Site], damage: list[str]) -> None:
    subprocess.run(damage, check=True)
    assert network.up(sites, check=True)
    assert not network.status()["sites"].get("twest", {}).get("healthy", False)
    assert network.up(sites)
    assert not network.up(sites)
    assert ping(2)[0] == 0


def test_nothing_of_the_controller_itself_changes(sites: tuple[Site, Site]) -> None:
    forward = Path("/proc/sys/net/ipv4/ip_forward")
    before = forward.read_text()
    network.down([site.name for site in sites])
    network.up(sites)
    assert forward.read_text() == before
    inside = subprocess.run([*in_netns(WEST.netns), "cat", str(forward)], capture_output=True, text=True, check=True)
    assert inside.stdout == "1\n"


def test_a_stale_namespace_file_of_before_a_reboot_is_no_obstacle(sites: tuple[Site, Site]) -> None:
    path = NETNS_DIR / "f8-tstale"
    path.touch()
    assert network.up([Site("tstale", 54)])
    assert network.down(["tstale"])
    assert not path.exists()
    path.touch()
    assert "tstale" in network.idle()
    assert network.down(["tstale"])
    assert not path.exists()


def test_addresses_that_are_routed_elsewhere(sites: tuple[Site, Site]) -> None:
    subprocess.run(["ip", "route", "add", "10.71.200.0/24", "dev", "lo"], check=True)
    try:
        with pytest.raises(LabError, match=r"routes 10\.71\.200\.0/24 to lo"):
            network.up([Site("tmore", 55)])
    finally:
        subprocess.run(["ip", "route", "del", "10.71.200.0/24", "dev", "lo"], check=True)
    assert not (NETNS_DIR / "f8-tmore").exists()


def test_down_ends_what_runs_inside(sites: tuple[Site, Site]) -> None:
    site = Site("tdown", 56)
    network.up([site])
    assert site.name in network.idle()
    process = subprocess.Popen([*in_netns(site.netns), "sleep", "100"])
    assert wait_until(lambda: site.name not in network.idle(), 10)
    network.down([site.name])
    assert process.wait(10) == -signal.SIGTERM


def test_delay_rate_loss_and_back(change_wan: Callable[..., None]) -> None:
    assert ping()[1] < 5
    change_wan(delay=30)
    assert 59 < ping()[1] < 75
    change_wan(delay=0, loss=100)
    assert ping()[0] == 100
    change_wan(loss=0)
    lost, mean = ping()
    assert lost == 0
    assert mean < 5
    assert wan.status()["by"] == "kernel"


@pytest.mark.parametrize("delay", [0, 10])
def test_a_cut_of_one_site_and_its_end(change_wan: Callable[..., None], delay: int) -> None:
    change_wan(delay=delay, cut=(EAST.name,))
    assert ping()[0] == 100
    change_wan(cut=())
    assert ping()[0] == 0


def test_a_dead_relay_parts_the_sites_and_is_mended(sites: tuple[Site, Site], change_wan: Callable[..., None]) -> None:
    change_wan(delay=10)
    if wan.status()["by"] != "relay":
        pytest.skip("this kernel has sch_netem and needs no relay")
    pid = processes.running(wan.PID_FILE)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: processes.running(wan.PID_FILE) is None, 10)
    assert ping()[0] == 100
    assert not wan.status()["healthy"]
    assert network.up(sites)
    lost, mean = ping()
    assert lost == 0
    assert mean >= 20


def test_the_rate_is_what_a_transfer_gets(hosts: Hosts, change_wan: Callable[..., None]) -> None:
    west, east = hosts.boot("twest-1", WEST, 10), hosts.boot("teast-1", EAST, 10)
    hosts.run(east, "head -c 4000000 /dev/zero > /var/www/html/data; systemctl start nginx")
    fetch = f"curl -s -o /dev/null -w '%{{time_total}} %{{size_download}}' http://{east}/data"
    seconds, size = hosts.run(west, fetch).split()
    assert int(size) == 4_000_000
    assert float(seconds) < 1
    change_wan(rate=20)
    seconds, size = hosts.run(west, fetch).split()
    assert 10 < int(size) * 8 / 1e6 / float(seconds) < 20
