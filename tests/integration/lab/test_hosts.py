# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Booted hosts: context, life and a death that leaves nothing."""

from __future__ import annotations

import base64
import http.server
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from fact8ra_lab.hosts._system import CGROUP_PARENT, LabError, cgroup_root, memory_cgroup_root, wait_until
from fact8ra_lab.hosts.machines import Spec, host_link, remove_orphans, ssh_answers
from fact8ra_lab.hosts.network import MANAGEMENT, Site

from .conftest import EAST, WEST, Hosts

pytestmark = [pytest.mark.root, pytest.mark.lab]


def remains(name: str, directory: Path) -> list[str]:
    """Everything of a host that is on this computer."""
    places = (cgroup_root() / CGROUP_PARENT / name, directory / "state/machines" / name)
    found = [str(path) for path in places if path.exists()]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(directory) in line]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_text()
            if str(directory) in command or str(directory) in (process / "mountinfo").read_text():
                found.append(command)
        except OSError:  # gone, or a zombie, which has no mounts
            continue
    links = subprocess.run(["ip", "-netns", WEST.netns, "-brief", "link"], capture_output=True, text=True, check=True)
    found += [line for line in links.stdout.splitlines() if host_link(name, 0) in line]
    return found


def directory_of(hosts: Hosts) -> Path:
    return hosts.key.parent


def test_two_hosts_are_what_their_context_says(hosts: Hosts) -> None:
    started = time.monotonic()
    addresses = [hosts.boot("twest-1", WEST, 10), hosts.boot("twest-2", WEST, 11, memory_mb=256)]
    assert time.monotonic() - started < 20
    facts = []
    for address, name in zip(addresses, ("twest-1", "twest-2"), strict=True):
        assert hosts.run(address, "hostname") == name
        assert hosts.run(address, "systemctl is-system-running --wait") == "running"
        assert f"inet {address}/24" in hosts.run(address, "ip -brief -4 addr show eth0; ip -o -4 addr show eth0")
        assert hosts.specs[name].nics[0].mac in hosts.run(address, "cat /sys/class/net/eth0/address")
        assert hosts.run(address, "ls /etc/ssh/ssh_host_*_key") == "/etc/ssh/ssh_host_ed25519_key"
        assert hosts.run(address, "stat -c %a /run/one-context/one_env") == "600"
        facts.append(hosts.run(address, "cat /etc/machine-id; cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub"))
    assert len({line for fact in facts for line in fact.splitlines()}) == 4


def test_a_host_is_offline_but_reaches_its_site_and_the_other(hosts: Hosts) -> None:
    west, east = hosts.boot("twest-1", WEST, 10), hosts.boot("teast-1", EAST, 10)
    assert "0% packet loss" in hosts.run(west, f"ping -q -c2 -i0.1 {east}")
    assert hosts.run(west, "ip route get 192.0.2.200 && ping -q -c1 -W1 192.0.2.200; echo $?").endswith("1")


def test_reboot_keeps_the_disk_and_the_address(hosts: Hosts) -> None:
    address = hosts.boot("twest-1", WEST, 10)
    before = hosts.run(address, "echo kept > /root/file; cat /proc/sys/kernel/random/boot_id")
    hosts.run(address, "systemctl reboot", check=False)
    assert wait_until(lambda: not ssh_answers(address), 20)
    assert wait_until(lambda: ssh_answers(address), 30)
    assert hosts.machines.alive("twest-1")
    after = hosts.run(address, "cat /root/file /proc/sys/kernel/random/boot_id").splitlines()
    assert after[0] == "kept"
    assert after[1] != before


@pytest.mark.parametrize("hard", [False, True])
def test_shutdown_and_boot_again(hosts: Hosts, hard: bool) -> None:
    address = hosts.boot("twest-1", WEST, 10)
    identity = hosts.run(address, "echo kept > /root/file; sync; cat /etc/machine-id")
    hosts.machines.shutdown("twest-1", hard=hard)
    assert not hosts.machines.alive("twest-1")
    assert not ssh_answers(address)
    hosts.machines.shutdown("twest-1", hard=hard)
    assert hosts.boot("twest-1", WEST, 10) == address
    assert hosts.run(address, "cat /root/file /etc/machine-id").splitlines() == ["kept", identity]
    stopped = "Stopped" in hosts.run(address, "journalctl -b -1 -u ssh -q -o cat")
    assert stopped is not hard


def test_power_off_from_inside_is_noticed(hosts: Hosts) -> None:
    address = hosts.boot("twest-1", WEST, 10)
    hosts.run(address, "systemctl poweroff", check=False)
    assert wait_until(lambda: not hosts.machines.alive("twest-1"), 20)


def test_destroy_leaves_nothing(hosts: Hosts) -> None:
    hosts.boot("twest-1", WEST, 10, memory_mb=512)
    assert len(remains("twest-1", directory_of(hosts))) > 4
    assert hosts.machines.destroy("twest-1")
    assert remains("twest-1", directory_of(hosts)) == []
    memory = memory_cgroup_root()
    assert memory is None or not (memory / CGROUP_PARENT / "twest-1").exists()
    assert not hosts.machines.destroy("twest-1")


@pytest.mark.parametrize("victim", ["keeper", "guest/supervisor"])
def test_destroy_leaves_nothing_after_a_kill(hosts: Hosts, victim: str) -> None:
    hosts.boot("twest-1", WEST, 10)
    for pid in (cgroup_root() / CGROUP_PARENT / "twest-1" / victim / "cgroup.procs").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    hosts.machines.destroy("twest-1")
    assert remains("twest-1", directory_of(hosts)) == []


def test_after_a_kill_of_everything_it_boots_again(hosts: Hosts) -> None:
    address = hosts.boot("twest-1", WEST, 10)
    hosts.run(address, "echo kept > /root/file; sync")
    (cgroup_root() / CGROUP_PARENT / "twest-1" / "cgroup.kill").write_text("1")
    assert wait_until(lambda: not hosts.machines.alive("twest-1"), 10)
    hosts.boot("twest-1", WEST, 10)
    assert hosts.run(address, "cat /root/file") == "kept"


def test_a_host_whose_directory_is_gone_is_found_and_killed(hosts: Hosts) -> None:
    hosts.boot("twest-1", WEST, 10)
    subprocess.run(["rm", "-rf", directory_of(hosts) / "state"], check=True)
    assert remove_orphans()
    assert not hosts.machines.alive("twest-1")
    assert not remove_orphans()


def test_two_interfaces(hosts: Hosts) -> None:
    second = hosts.nic(Site("twest", 53), 7, bridge="br-data", gateway=False)
    address = hosts.boot("twest-1", WEST, 10, second)
    assert f"{second.address}/24" in hosts.run(address, "ip -o -4 addr show eth1")
    assert hosts.run(address, "cat /sys/class/net/eth1/address") == second.mac
    third = hosts.boot("twest-2", WEST, 11, hosts.nic(Site("twest", 53), 8, bridge="br-data", gateway=False))
    assert "0% packet loss" in hosts.run(third, f"ping -q -c1 {second.address}")


def test_memory_limit_holds_where_the_kernel_has_one(hosts: Hosts) -> None:
    if memory_cgroup_root() is None and "memory" not in (cgroup_root() / "cgroup.controllers").read_text():
        pytest.skip("this kernel offers no memory controller")
    address = hosts.boot("twest-1", WEST, 10, memory_mb=256)
    take = "python3 -c 'x = bytearray({} << 20)'; echo $?"
    assert hosts.run(address, take.format(64)).endswith("0")
    assert hosts.run(address, take.format(400)).endswith("137")


class Gate(http.server.BaseHTTPRequestHandler):
    """Keeps what is reported, and whether sshd answered by then."""

    reports: list[tuple[str, str | None, bytes, bool]]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answers = ssh_answers(self.client_address[0])
        self.reports.append((self.path, self.headers["X-ONEGATE-TOKEN"], body, answers))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def test_start_script_and_report_to_onegate(hosts: Hosts) -> None:
    controller = str(WEST.pair(MANAGEMENT)[0])
    Gate.reports = []
    with http.server.ThreadingHTTPServer((controller, 0), Gate) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        script = base64.b64encode(b'#!/bin/sh\necho "$WORD" > /root/started\n').decode()
        address = hosts.boot(
            "twest-1",
            WEST,
            10,
            START_SCRIPT_BASE64=script,
            WORD="it's so",
            REPORT_READY="YES",
            ONEGATE_ENDPOINT=f"http://{controller}:{server.server_port}",
            TOKENTXT="token of the VM",
            VMID="1",
        )
        reported = wait_until(lambda: len(Gate.reports) > 0, 20)
        server.shutdown()
        thread.join()
    assert reported
    assert Gate.reports == [("/vm", "token of the VM", b"READY=YES", True)]
    assert hosts.run(address, "cat /root/started") == "it's so"


def test_a_host_that_cannot_start_says_why(hosts: Hosts, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    spec = Spec("twest-1", "twest", (hosts.nic(WEST, 10),))
    with pytest.raises(LabError, match="host twest-1 did not start"):
        hosts.machines.boot(spec, {}, tmp_path / "empty")
    hosts.machines.destroy("twest-1")
    with pytest.raises(LabError, match="site `nowhere` has no network"):
        hosts.machines.boot(Spec("twest-1", "nowhere", ()), {}, hosts.rootfs)
