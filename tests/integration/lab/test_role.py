# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Role lab as a user runs it, beside whatever lab this computer has: up, again, broken, down."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fact8ra_lab.hosts import network, processes
from fact8ra_lab.hosts._system import NETNS_DIR, Paths, wait_until
from fact8ra_lab.hosts.machines import Machines

pytestmark = [pytest.mark.root, pytest.mark.lab]

ROOT = Path(__file__).resolve().parents[3]
SITES = [{"name": "tone", "number": 57}, {"name": "ttwo", "number": 58}]


class Lab:
    """Plays playbooks/lab.yml with sites and a state directory of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.machines = Machines(Paths(state))

    def play(self, *arguments: str, **variables: object) -> dict[str, int]:
        """Run the playbook and return its recap for the controller."""
        given = {"lab_sites": SITES, "lab_state_directory": str(self.state), **variables}
        command = ["ansible-playbook", "-i", "localhost,", "-e", json.dumps(given), *arguments, "playbooks/lab.yml"]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
        for file in self.state.glob("sites/*/*.password"):
            assert file.read_text() not in result.stdout
        recap = result.stdout.rpartition("PLAY RECAP")[2]
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", recap)}

    def call(self, method: str, *arguments: Any) -> Any:
        """Call the first site's XML-RPC API as the tenant."""
        password = (self.state / "sites/tone/flower.password").read_text()
        with xmlrpc.client.ServerProxy("http://10.71.57.1:2633/RPC2") as server:
            answer: Any = getattr(server, method)(f"flower:{password}", *arguments)
        assert answer[0] is True, answer
        return answer[1]

    def pid(self) -> int | None:
        """The first site's stand-in."""
        return processes.running(self.state / "sites/tone/standin.pid")


@pytest.fixture(scope="module")
def lab(rootfs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab of this module, down at the end; tests build on each other's lab in the order of this file."""
    lab = Lab(tmp_path_factory.mktemp("lab") / "state")
    yield lab
    lab.play(lab_state="absent")


def test_check_mode_on_a_clean_computer_changes_nothing(lab: Lab) -> None:
    assert lab.play("--check", "--diff")["changed"] > 0
    assert not lab.state.exists()
    assert not (NETNS_DIR / "f8-tone").exists()
    assert lab.play("--check", lab_state="absent")["changed"] == 0


def test_up_and_again(lab: Lab) -> None:
    assert lab.play()["changed"] > 0
    assert lab.play()["changed"] == 0
    assert lab.play("--check")["changed"] == 0
    assert lab.call("one.system.version").startswith("7.")


def test_a_vm_of_the_tenant_becomes_a_host_that_reports_ready(lab: Lab) -> None:
    bridge = 'NAME="lab"\nVN_MAD="bridge"\nBRIDGE="br-site"\nNETWORK_ADDRESS="10.71.57.0"\nNETWORK_MASK="255.255.255.0"'
    leases = '\nGATEWAY="10.71.57.1"\nAR=[TYPE="IP4",IP="10.71.57.10",SIZE="9"]'
    vnet = lab.call("one.vn.allocate", bridge + leases, -1)
    assert wait_until(lambda: "<STATE><![CDATA[1]]>" in lab.call("one.vn.info", vnet, False), 10, 0.1)
    text = (
        'NAME="lab"\nCPU="1"\nVCPU="1"\nMEMORY="512"\nDISK=[IMAGE="flower-debian-12",IMAGE_UNAME="oneadmin"]'
        f'\nNIC=[NETWORK_ID="{vnet}"]\nCONTEXT=[NETWORK="YES",TOKEN="YES",REPORT_READY="YES",SET_HOSTNAME="vm-$VMID"]'
    )
    template = lab.call("one.template.allocate", text)
    vm = lab.call("one.template.instantiate", template, "vm", False, "", False)
    assert wait_until(lambda: "<READY><![CDATA[YES]]>" in lab.call("one.vm.info", vm, False), 30, 0.1)
    assert [(host["name"], host["addresses"], host["running"]) for host in lab.machines.list()] == [
        (f"tone-{vm}", ["10.71.57.10"], True)
    ]


def test_a_killed_stand_in_comes_back_with_its_vms(lab: Lab) -> None:
    pid = lab.pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: lab.pid() is None, 10)
    assert lab.play()["changed"] == 1
    assert lab.call("one.vm.info", 0, False).count("<LCM_STATE>3<") == 1
    assert [host["running"] for host in lab.machines.list()] == [True]


def test_a_pid_file_of_before_a_reboot_is_seen_through(lab: Lab) -> None:
    file = lab.state / "sites/tone/standin.pid"
    pid = lab.pid()
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    assert wait_until(lambda: lab.pid() is None, 20)
    file.write_text(json.dumps({"pid": os.getpid(), "start": 1, "boot": "another"}))
    assert lab.play()["changed"] == 1
    assert lab.pid() not in (None, os.getpid())


def test_half_a_lab_is_made_whole(lab: Lab) -> None:
    subprocess.run(["ip", "link", "del", "f8m-tone"], check=True)
    (lab.state / "sites/ttwo/standin.version").unlink()
    assert lab.play()["changed"] == 2
    assert lab.play()["changed"] == 0


def test_absent_leaves_nothing_and_may_be_said_again(lab: Lab) -> None:
    assert lab.machines.list()
    assert lab.play(lab_state="absent")["changed"] == 1
    assert not lab.state.exists()
    assert not [site for site in network.sites() if site.name in ("tone", "ttwo")]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert str(lab.state) not in process.read_text()
        except OSError:  # gone meanwhile
            continue
    assert lab.play(lab_state="absent")["changed"] == 0
