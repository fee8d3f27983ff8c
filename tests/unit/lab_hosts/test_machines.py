# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a host is made of before it boots: names, addresses, context."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fact8ra_lab.hosts import machines
from fact8ra_lab.hosts._system import LabError, Paths
from fact8ra_lab.hosts.machines import Machines, Nic, Spec
from fact8ra_lab.hosts.network import Site

AWKWARD = {
    "SSH_PUBLIC_KEY": "ssh-ed25519 AAAA one\nssh-ed25519 BBBB two",
    "QUOTES": 'it\'s "so" $HOME `id` \\ end',
    "EMPTY": "",
}


@pytest.mark.parametrize("name", ["", "Alpha-1", "-a", "a_b", "a/../b", "a" * 49])
def test_impossible_names(name: str) -> None:
    with pytest.raises(LabError, match="host name"):
        Spec(name, "alpha", ())


def test_mac_is_the_one_that_opennebula_makes() -> None:
    assert machines.mac_of("10.71.2.16") == "02:00:0a:47:02:10"


def test_host_links_fit_the_kernel_and_differ() -> None:
    names = [machines.host_link(f"alpha-{number}", nic) for number in range(50) for nic in range(3)]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 15


def test_context_survives_a_shell(tmp_path: Path) -> None:
    file = tmp_path / "one_env"
    file.write_text(machines._context_text({**AWKWARD, "not a name": "left out"}))
    for key, value in AWKWARD.items():
        script = f'. "{file}"; printf %s "${key}"'
        shell = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert shell.stdout == value
    assert "left out" not in file.read_text()


def test_nic_context() -> None:
    nics = (
        Nic("br-site", "02:00:0a:47:01:0a", "10.71.1.10", 24, "10.71.1.1", "10.71.1.1"),
        Nic("br-data", "02:00:0a:48:00:05", "10.72.0.5", 16),
    )
    assert machines._nic_context(nics) == {
        "ETH0_MAC": "02:00:0a:47:01:0a",
        "ETH0_IP": "10.71.1.10",
        "ETH0_MASK": "255.255.255.0",
        "ETH0_GATEWAY": "10.71.1.1",
        "ETH0_DNS": "10.71.1.1",
        "ETH1_MAC": "02:00:0a:48:00:05",
        "ETH1_IP": "10.72.0.5",
        "ETH1_MASK": "255.255.0.0",
    }


def test_reserve_gives_each_host_an_address_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "cgroup_root", lambda: tmp_path / "cgroup")
    hosts = Machines(Paths(tmp_path, tmp_path))
    site = Site("alpha", 1)
    assert hosts.reserve("one", site, None, tmp_path).address == "10.71.1.10"
    assert hosts.reserve("two", site, None, tmp_path).address == "10.71.1.11"
    assert hosts.reserve("three", Site("beta", 2), None, tmp_path).address == "10.71.2.10"
    with pytest.raises(LabError, match="host two exists already"):
        hosts.reserve("two", site, None, tmp_path)
    with pytest.raises(LabError, match=r"address 10\.71\.1\.11 is taken on site alpha"):
        hosts.reserve("four", site, "10.71.1.11", tmp_path)
    assert hosts.names() == {"one", "two", "three"}
    assert [(host["name"], host["running"]) for host in hosts.list("alpha")] == [("one", False), ("two", False)]
