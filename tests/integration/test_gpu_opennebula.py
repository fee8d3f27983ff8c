# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The OpenNebula side of role nvidia_host, as ansible-playbook runs it, against a stand-in.

A mock stands for C(onehost sync), which needs an OpenNebula of its own: it copies the file as that does. What a
hypervisor reports after that is what each test says.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playbooks import Played, play_written

from fact8ra_lab.standin.model import Host
from fact8ra_lab.standin.seed import gpu
from fact8ra_lab.standin.testing import StandIn, default_seed

NIC = gpu("05") | {"VENDOR": "8086", "DEVICE": "10fb", "CLASS": "0200", "TYPE": "8086:10fb:0200"}
SEED = default_seed() | {"hosts": [{"name": "one-kvm1", "pci": [NIC], "hidden": [gpu("41")], "probe": "8086:*"}]}
GPUS = [
    {"address": "0000:41:00.0", "vendor": "10de", "device": "20b5", "class": "0302", "driver": "vfio-pci"},
    {"address": "0000:81:00.0", "vendor": "10de", "device": "20b5", "class": "0302", "driver": None},
]
CONF = "# cards\n:filter:\n  - '8086:*'  # network\n:short_address: []\n:device_name: []\n"
SYNC = """#!/bin/sh
echo "$*" >> {log}
[ ! -e {log}.broken ] || exit 0
mkdir -p {copy} && cp {conf} {copy}/pci.conf
"""


def facts_of(*gpus: dict[str, Any], kept: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """A play that knows what a hypervisor has."""
    facts = {"fact8ra_gpu_host": {"gpus": list(gpus), "kept": list(kept)}, "cacheable": True}
    return {"hosts": "kvm1", "gather_facts": False, "tasks": [{"ansible.builtin.set_fact": facts}]}


def plays_of(facts: dict[str, Any], *entries: str) -> list[dict[str, Any]]:
    """Plays of entry points, each on its group."""
    return [facts] + [
        {
            "hosts": "frontends" if entry.startswith("frontend") else "gpu_hosts",
            "gather_facts": False,
            "any_errors_fatal": True,
            "tasks": [{"ansible.builtin.include_role": {"name": "fact8ra.flower.nvidia_host", "tasks_from": entry}}],
        }
        for entry in entries
    ]


@dataclass
class World:
    """A site with a front-end and a hypervisor, which are directories."""

    standin: StandIn
    directory: Path
    facts: dict[str, Any]

    @property
    def conf(self) -> Path:
        return self.directory / "remotes" / "pci.conf"

    @property
    def copy(self) -> Path:
        return self.directory / "copy" / "pci.conf"

    @property
    def synced(self) -> list[str]:
        log = self.directory / "sync.log"
        return log.read_text().splitlines() if log.exists() else []

    def reports(self, filters: str) -> None:
        """The hypervisor reports this from now on, since its copy of the file says so."""
        self.host.probe = filters

    @property
    def host(self) -> Host:
        return self.standin.site.cloud.pool(Host)[0]

    @property
    def pool(self) -> list[str]:
        return [device["SHORT_ADDRESS"] for device in self.host.pci]

    def play(self, *entries: str, arguments: tuple[str, ...] = ("--diff",), **variables: Any) -> Played:
        """Run entry points, one after the other."""
        name, password = self.standin.admin
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        site = {"one_endpoint": self.standin.endpoint, "one_username": "flower", "one_password": "flower-secret"}
        settings = {
            "nvidia_host_one_username": name,
            "nvidia_host_one_password": password,
            "nvidia_host_pci_conf": str(self.conf),
            "_nvidia_host_pci_conf_copy": str(self.copy),
            "_nvidia_host_path": f"{self.directory / 'bin'}:/usr/bin:/bin",
            **variables,
        }
        elsewhere = {"kvm2": local} if variables.pop("gpu_hosts_elsewhere", False) else {}
        inventory = {
            "sites": {"hosts": {"alpha": {**local, **site}}},
            "frontends": {"hosts": {"fe1": local}},
            "gpu_hosts": {"hosts": {**elsewhere, "kvm1": {**local, "nvidia_host_one_host": "one-kvm1"}}},
        }
        played = play_written(
            self.directory, plays_of(self.facts, *entries), inventory, *arguments, "-e", json.dumps(settings)
        )
        assert password not in played.output
        return played


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with StandIn(seed=SEED) as standin:
        found = World(standin, tmp_path, facts_of(*GPUS))
        found.conf.parent.mkdir()
        found.conf.write_text(CONF)
        fake = tmp_path / "bin" / "runuser"
        fake.parent.mkdir()
        fake.write_text(SYNC.format(log=tmp_path / "sync.log", copy=found.copy.parent, conf=found.conf))
        fake.chmod(0o755)
        yield found


def test_from_a_hidden_card_to_the_pool_and_back(world: World) -> None:
    there, back = ("frontend", "pool"), ("frontend_absent", "pool_absent")
    predicted = world.play(*there, arguments=("--check", "--diff")).succeeded()
    assert "+  - '10de:20b5:0302'" in predicted.output
    assert "onehost sync would bring pci.conf to one-kvm1" in predicted.output
    assert (world.conf.read_text(), world.synced, world.pool) == (CONF, [], ["05:00.0"])

    world.reports("8086:*,10de:*")
    assert world.play(*there).succeeded().changed == predicted.changed == 3
    assert world.synced == ["-u oneadmin -- env HOME=/var/lib/one onehost sync --force one-kvm1"]
    assert world.copy.read_text() == world.conf.read_text() != CONF
    assert world.pool == ["05:00.0", "41:00.0"]
    assert world.play(*there).succeeded().changed == 0

    world.reports("8086:*")
    assert world.play(*back).succeeded().changed == 3
    assert world.conf.read_text() == CONF
    world.standin.until(lambda: world.pool == ["05:00.0"])
    assert world.play(*back).succeeded().changed == 0
    assert len(world.synced) == 2


def test_a_card_of_the_same_kind_that_the_host_keeps(world: World) -> None:
    """The front-end lets the kind through, and the host's own card stays out of the pool, before and after that."""
    lent, own = GPUS[0], {**GPUS[1], "driver": "nvidia"}
    world.host.bus.append(gpu("81"))
    world.facts = facts_of(lent, kept=[own])
    there, back = ("pool_keep", "frontend", "pool"), ("frontend_absent", "pool_absent")
    world.play("pool_keep").succeeded()
    assert world.host.template.text("PCI_SHORT_ADDRESS") == "05:00.0,41:00.0"
    world.reports("8086:*,10de:*")
    assert world.play(*there).succeeded().changed == 3
    assert world.pool == ["05:00.0", "41:00.0"]
    assert world.play(*there).succeeded().changed == 0
    world.facts = facts_of({**own, "driver": "vfio-pci"}, kept=[lent])
    assert world.play(*there).succeeded().changed == 2, "its addresses, and it is monitored for them"
    assert world.pool == ["05:00.0", "81:00.0"]
    world.reports("8086:*")
    world.play(*back).succeeded()
    assert world.host.template.text("PCI_SHORT_ADDRESS") == ""
    world.standin.until(lambda: world.pool == ["05:00.0"])


def test_a_card_that_is_kept_and_in_the_pool_is_named(world: World) -> None:
    world.standin.one("one.host.update", 0, 'PCI_SHORT_ADDRESS="05:00.0,41:00.0,81:00.0"', 1)
    world.host.bus.append(gpu("81"))
    world.host.pci = list(world.host.bus)
    world.reports("")
    world.facts = facts_of(GPUS[0], kept=[{**GPUS[1], "driver": "nvidia"}])
    world.play("pool", nvidia_host_pool_timeout=0).failed_with(
        "has 0000:81:00.0 in its PCI pool, which shall not be there", "take its address out of PCI_SHORT_ADDRESS"
    )


def test_what_an_undo_that_was_cut_off_left_is_made_good(world: World) -> None:
    world.reports("8086:*,10de:*")
    world.play("frontend", "pool").succeeded()
    world.reports("8086:*")
    world.play("frontend_absent").succeeded()
    assert world.pool == ["05:00.0", "41:00.0"], "nothing looked at the host since"
    assert world.play("frontend_absent", "pool_absent").succeeded().changed == 1
    world.standin.until(lambda: world.pool == ["05:00.0"])


def test_no_vm_is_placed_on_a_host_that_is_rebooted(world: World) -> None:
    """Ansible reboots no controller, so the reboot fails here; the host is opened again, and only if it was open."""
    asked = {
        "_nvidia_host_reasons": ["why"],
        "nvidia_host_allow_reboot": True,
        "_nvidia_host_meant": [{"vendor": "10de"}],
    }
    found = {"_nvidia_host_facts": {"vms": 0}, "_nvidia_host_against": []}
    played = world.play("reboot", **asked, **found)
    played.failed_with("would reboot the control node")
    assert played.changed == 2, "disabled, and enabled"
    world.standin.until(lambda: world.host.state == 2)
    world.standin.one("one.host.status", 0, 1)
    assert world.play("reboot", **asked, **found).failed_with("would reboot").changed == 0
    assert world.host.state == 4, "one that was disabled before stays so"
    world.standin.one("one.host.status", 0, 0)
    vm = world.standin.one("one.vm.allocate", 'CPU="0.1"\nMEMORY="64"', False)
    world.standin.until(lambda: vm in world.host.vms)
    world.play("reboot", **asked, **found).failed_with(f"has the VM(s) {vm} on host one-kvm1", "onehost flush")
    world.standin.until(lambda: world.host.state == 2)


def test_what_nobody_lends_any_more_is_hidden_again(world: World) -> None:
    world.play("frontend", nvidia_host_pci_filters=["10de:26b9:0302", "10de:20b5:0302"]).succeeded()
    world.play("frontend", gpu_hosts_elsewhere=True).succeeded()
    assert "10de:26b9" in world.conf.read_text(), "a hypervisor that was not asked may lend it"
    world.play("frontend").succeeded()
    assert "10de:26b9" not in world.conf.read_text()
    assert "10de:20b5" in world.conf.read_text()
    assert len(world.synced) == 2


def test_what_an_interrupted_run_left_is_made_good(world: World) -> None:
    (world.directory / "sync.log.broken").touch()
    world.conf.write_text(CONF.replace(":device_name: []", ":device_name: ['^GA100']"))
    world.play("frontend").failed_with("pci.conf on one-kvm1 is not that of the front-end", "OFFLINE")
    (world.directory / "sync.log.broken").unlink()
    played = world.play("frontend").succeeded()
    assert played.changed == 1
    assert "only if their names match one of ^GA100" in " ".join(played.output.split())
    assert len(world.synced) == 2


def test_a_card_that_does_not_come_is_named(world: World) -> None:
    played = world.play("pool", nvidia_host_pool_timeout=0, nvidia_host_filter="host")
    played.failed_with("still has no 0000:41:00.0 in its PCI pool", "it has 0000:05:00.0", "pci.conf")
    assert world.host.template.text("PCI_FILTER") == "8086:10fb:0200,10de:20b5:0302", "what was there stays"


def test_another_hypervisor_may_need_the_entries(world: World) -> None:
    """Undo of a part of the hypervisors leaves the front-end alone."""
    (world.conf).write_text(CONF.replace(":filter:", "# Added by role nvidia_host: 10de:*\n:filter:\n  - '10de:*'"))
    before = world.conf.read_text()
    world.copy.parent.mkdir()
    world.copy.write_text(before)
    assert world.play("frontend_absent", gpu_hosts_elsewhere=True).succeeded().changed == 0
    assert world.conf.read_text() == before


@pytest.mark.parametrize(
    ("entry", "variables", "said"),
    [
        ("frontend", {"nvidia_host_pci_conf": "/nonexistent/pci.conf"}, "Take it out of the group"),
        ("pool", {"nvidia_host_site": "beta"}, 'nvidia_host_site is "beta"; it is the site of the host, one of alpha'),
        ("pool", {"nvidia_host_pci_filters": ["10de"]}, "nvidia_host_pci_filters[0] is '10de'; it must be"),
        ("pool", {"nvidia_host_one_host": "kvm9"}, "There are: one-kvm1"),
    ],
)
def test_bad_input(world: World, entry: str, variables: dict[str, Any], said: str) -> None:
    world.play(entry, **variables).failed_with(said)
    assert (world.conf.read_text(), world.synced, world.pool) == (CONF, [], ["05:00.0"])
