# SPDX-License-Identifier: Apache-2.0
"""Sites that are asked for GPUs. The devices are in the books of a stand-in only; no VM of it sees any."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from federation import Federation, described
from playbooks import ROOT, Played, play_written

from fact8ra_lab.standin.testing import StandIn, default_seed

A100 = {"vendor": "10de", "device": "20b5", "class": "0302"}
GPU_TEMPLATE = """NAME="gpu"
CPU="1"
MEMORY="64"
PCI=[VENDOR="10de",DEVICE="20b5"]
OS=[MACHINE="q35",FIRMWARE="UEFI"]
CPU_MODEL=[MODEL="host-passthrough"]
TOPOLOGY=[PIN_POLICY="CORE"]
"""


def site_with(*devices: tuple[str, str], pinned: bool = False, visible: bool = True) -> StandIn:
    """A site whose host node1 has A100s, each on a bus and a NUMA node; a pinned one leaves other VMs to node2."""
    pci = [{**A100, "bus": bus, "numa_node": node} for bus, node in devices]
    seed = default_seed()
    seed["hosts"] = [{"name": "node1", "cpu": 1600, "mem_mb": 65536, "pci": pci, "pinned": pinned}]
    seed["hosts"] += [{"name": "node2", "cpu": 1600, "mem_mb": 65536}] if pinned else []
    seed["acls"] += ["@flower HOST/* USE *"] if visible else []
    return StandIn(seed=seed)


@pytest.fixture
def one_site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Federation]:
    """A federation at one site, made by `site_with` of the test's parameters."""
    devices, options = request.param
    with site_with(*devices, **options) as alpha:
        (tmp_path / "inventory").mkdir()
        yield described(tmp_path / "inventory", {"alpha": alpha})


def play_site(federation: Federation) -> Played:
    """Role site alone, as site.yml has it, without the VMs, which are instant ones and answer nothing."""
    tasks = [
        {"ansible.builtin.include_role": {"name": "fact8ra.flower.site", "tasks_from": entry}}
        for entry in ("preflight", "main")
    ]
    plays: list[dict[str, Any]] = [{"hosts": "sites", "gather_facts": False, "tasks": tasks}]
    inventory = {"sites": {"hosts": federation.hosts}, "superlink": {}, "all": {"vars": federation.everywhere}}
    directory = federation.directory.parent / "play"
    directory.mkdir(exist_ok=True)
    return play_written(directory, plays, inventory)


def provisioned(federation: Federation, **variables: Any) -> Played:
    """The site, made."""
    federation.hosts["alpha"].update(variables)
    return play_site(federation).succeeded()


def flat(played: Played) -> str:
    """The output without its line breaks."""
    return " ".join(played.output.split())


def supernode(federation: Federation) -> tuple[dict[str, Any], str]:
    """The variables of the one SuperNode in the inventory, and its VM as oned shows it."""
    program = Path(sys.executable).with_name("ansible-inventory")
    command = [str(program), "-i", str(federation.write()), "--list"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    inventory = json.loads(listed.stdout, object_hook=lambda found: found.get("__ansible_unsafe", found))
    (name,) = inventory["supernodes"]["hosts"]
    variables: dict[str, Any] = inventory["_meta"]["hostvars"][name]
    return variables, str(federation.sites["alpha"].one("one.vm.info", int(variables["one_vm_id"])))


@pytest.mark.parametrize("one_site", [((("41", "0"), ("81", "1")), {"pinned": True})], indirect=True)
def test_gpus_from_the_request_to_the_inventory(one_site: Federation) -> None:
    asked = {"site_supernode_gpus": 3, "site_supernode_gpu_device": "20b5", "site_supernode_vcpu": 4}
    one_site.hosts["alpha"].update(asked, one_username="oneadmin", one_password="oneadmin-secret")
    play_site(one_site).failed_with(
        "Site alpha",
        "the hosts have room for 0 of 1 SuperNode with 3 GPUs (10de:20b5) of one host: host node1 has 2 devices "
        "10de:20b5, both free; host node2 has none. Set site_gpu_required: false to go on without GPUs",
    )
    assert one_site.objects("alpha") == []

    provisioned(one_site, site_supernode_gpus=2)
    found, vm = supernode(one_site)
    assert found["one_pci"] == [
        {**A100, "address": "0000:41:00:0", "vm_address": "21:00.0", "numa_node": "0", "profile": ""},
        {**A100, "address": "0000:81:00:0", "vm_address": "32:00.0", "numa_node": "1", "profile": ""},
    ]
    for part in (
        "<FIRMWARE><![CDATA[UEFI]]>", "<MACHINE><![CDATA[q35]]>", "<MODEL><![CDATA[host-passthrough]]>",
        "<PIN_POLICY><![CDATA[THREAD]]>", "<SOCKETS><![CDATA[2]]>", "<NODE_ID><![CDATA[0]]>",
        "<NODE_ID><![CDATA[1]]>", "<CPU><![CDATA[4]]>",
    ):  # fmt: skip
        assert part in vm
    again = provisioned(one_site)
    assert again.changed == 0, again.tail()

    one_site.hosts["alpha"].update(site_supernode_gpus=0)
    play_site(one_site).failed_with("was made with 2 GPUs for each SuperNode, and site_supernode_gpus is 0")


@pytest.mark.parametrize("one_site", [((), {})], indirect=True)
def test_a_site_without_gpus_falls_back_and_stays_so(one_site: Federation) -> None:
    fallen = provisioned(one_site, site_supernode_gpus=1, site_gpu_required=False)
    said = "Site alpha: each SuperNode has 0 of 1 GPUs."
    assert f"{said} The hosts have room for 0 of 1 SuperNode with 1 GPU (10de:*): host node1 has none." in flat(fallen)
    assert supernode(one_site)[0]["one_pci"] == []
    again = provisioned(one_site)
    assert again.changed == 0, again.tail()
    assert f"{said} Service poc-alpha was made with 0 GPUs for each SuperNode" in flat(again)


@pytest.mark.parametrize("one_site", [((), {"visible": False})], indirect=True)
def test_a_vm_that_no_host_takes_ends_with_the_schedulers_message(one_site: Federation) -> None:
    one_site.hosts["alpha"].update(site_supernode_gpus=1, site_supernode_gpu_pinning=False, site_wait_timeout=300)
    failed = play_site(one_site).failed_with(
        "User flower may not see the hosts, so it cannot be checked whether they have the devices",
        "has VMs that no host takes (it is DEPLOYING); the scheduler says: [HOST] Unavailable PCI devices on hosts: 0",
        "To go on: give the hosts what the message names",
    )
    assert failed.seconds < 100


@pytest.mark.parametrize("one_site", [((("41", "0"), ("81", "1")), {"pinned": True})], indirect=True)
def test_pinned_cpus_need_an_administrator_whose_template_a_tenant_may_use(one_site: Federation) -> None:
    one_site.hosts["alpha"].update(site_supernode_gpus=1)
    play_site(one_site).failed_with(
        "User flower is no administrator, and OpenNebula as it comes lets nobody else set PIN_POLICY",
        "Only administrators may set PIN_POLICY of a VM template, as VM_RESTRICTED_ATTR in oned.conf says",
    )
    assert one_site.objects("alpha") == []

    standin = one_site.sites["alpha"]
    number = standin.one("one.template.allocate", GPU_TEMPLATE)
    standin.one("one.template.chmod", number, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    provisioned(one_site, site_supernode_template="gpu")
    found, vm = supernode(one_site)
    (device,) = found["one_pci"]
    assert (device["address"], found["one_vm_host"]) == ("0000:41:00:0", "node1")
    for part in (
        "<PIN_POLICY><![CDATA[CORE]]>", "<NODE_ID><![CDATA[0]]>", "<CPU><![CDATA[2]]>", "<MEMORY><![CDATA[4096]]>",
        "<MODEL><![CDATA[host-passthrough]]>", "<FACT8RA_GPUS><![CDATA[1]]>", "flower-debian-12",
    ):  # fmt: skip
        assert part in vm
    again = provisioned(one_site)
    assert again.changed == 0, again.tail()
