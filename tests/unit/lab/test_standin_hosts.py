# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Hosts of the stand-in: what is written into their template, and which PCI devices monitoring brings into their pool.

Beyond the recorded contract. Every test names where OpenNebula has it (github.com/OpenNebula/one, tag release-7.4.0).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from fact8ra_lab.standin.hostlife import passes
from fact8ra_lab.standin.model import Host
from fact8ra_lab.standin.seed import gpu
from fact8ra_lab.standin.testing import StandIn, default_seed

NIC = gpu("05") | {"VENDOR": "8086", "DEVICE": "10fb", "CLASS": "0200", "TYPE": "8086:10fb:0200"}
HOST = {"name": "kvm1", "pci": [NIC], "hidden": [gpu("41"), gpu("81")]}


def make(version: str = "7.4.0", **host: Any) -> StandIn:
    return StandIn(seed=default_seed() | {"hosts": [HOST | host]}, version=version)


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with make() as started:
        yield started


def pool(standin: StandIn) -> list[str]:
    """The short addresses in the host's PCI pool."""
    root = ElementTree.fromstring(standin.one("one.host.info", 0))
    return [device.text or "" for device in root.findall("HOST_SHARE/PCI_DEVICES/PCI/SHORT_ADDRESS")]


def state(standin: StandIn) -> str:
    return ElementTree.fromstring(standin.one("one.host.info", 0)).findtext("STATE") or ""


def force(standin: StandIn, status: int = 0, then: str = "2") -> list[str]:
    """What onehost forceupdate does (src/oca/ruby/opennebula/host.rb), and what is in the pool after it."""
    standin.one("one.host.status", 0, 2)
    assert state(standin) == "8"
    standin.one("one.host.status", 0, status)
    standin.until(lambda: state(standin) == then and not standin.site.cloud.pool(Host)[0].unmonitored)
    return pool(standin)


def test_devices_come_when_the_host_is_monitored(standin: StandIn) -> None:
    """HostMonitorManager.cc update_host: a host that was OFFLINE is monitored at once; Host.cc enable: first INIT."""
    assert pool(standin) == ["05:00.0"]
    standin.one("one.host.status", 0, 1)
    standin.one("one.host.status", 0, 0)
    assert (state(standin), pool(standin)) == ("2", ["05:00.0"])
    assert force(standin) == ["05:00.0", "41:00.0", "81:00.0"]


def test_a_disabled_host_is_monitored_too_and_stays_disabled(standin: StandIn) -> None:
    """Host.cc update_info: MONITORED unless OFFLINE or DISABLED."""
    standin.one("one.host.status", 0, 1)
    assert force(standin, status=1, then="4") == ["05:00.0", "41:00.0", "81:00.0"]


@pytest.mark.parametrize(
    ("attributes", "left"),
    [
        ('PCI_FILTER="8086:*"', ["05:00.0"]),
        ('PCI_FILTER="10de:20b5:0302, :10fb"', ["05:00.0", "41:00.0", "81:00.0"]),
        ('PCI_FILTER="10DE:*"', []),
        ('PCI_FILTER=""', ["05:00.0", "41:00.0", "81:00.0"]),
        ('PCI_SHORT_ADDRESS="81:00.0"', ["81:00.0"]),
        ('PCI_FILTER="8086:*"\nPCI_SHORT_ADDRESS="81:00.0"', []),
    ],
)
def test_filters_of_a_host_narrow(standin: StandIn, attributes: str, left: list[str]) -> None:
    """HostSharePCI.cc set_monitorization; they count when the host is monitored, not when they are written."""
    standin.one("one.host.update", 0, attributes, 1)
    assert pool(standin) == ["05:00.0"]
    assert force(standin) == left


def test_the_host_s_own_filter_comes_before_that_of_its_cluster(standin: StandIn) -> None:
    """Host.cc get_hostcluster_attr: an empty one is as none."""
    standin.one("one.cluster.update", 0, 'PCI_FILTER="8086:*"', 1)
    assert force(standin) == ["05:00.0"]
    standin.one("one.host.update", 0, 'PCI_FILTER="10de:*"', 1)
    assert force(standin) == ["41:00.0", "81:00.0"]
    standin.one("one.host.update", 0, 'PCI_FILTER=""', 1)
    assert force(standin) == ["05:00.0"]


@pytest.mark.parametrize("version", ["6.8.0", "6.10.0"])
def test_filters_of_hosts_are_not_read_before_7(version: str) -> None:
    """Commit 6c8fc58148 (F #6991) brought them; src/host of release-6.10.0 has no PCI_FILTER."""
    with make(version) as standin:
        standin.one("one.host.update", 0, 'PCI_FILTER="8086:*"', 1)
        assert force(standin) == ["05:00.0", "41:00.0", "81:00.0"]


def test_what_the_front_end_hides_no_filter_of_the_host_shows() -> None:
    """src/im_mad/remotes/node-probes.d/pci.rb reports what :filter: of pci.conf takes, and nothing else."""
    with make(probe="0:0") as standin:
        standin.one("one.host.update", 0, 'PCI_FILTER="10de:*"', 1)
        assert force(standin) == []


def test_a_device_that_a_vm_holds_stays(standin: StandIn) -> None:
    """HostSharePCI.cc set_monitorization: missing devices are removed when no VM has them."""
    force(standin)
    text = 'NAME="v"\nCPU="0.1"\nMEMORY="64"\nPCI=[VENDOR="10de"]'
    standin.one("one.vm.allocate", text, False)
    standin.until(lambda: "<VMID><![CDATA[0]]></VMID>" in standin.one("one.host.info", 0))
    standin.one("one.host.update", 0, 'PCI_FILTER="8086:*"', 1)
    left = force(standin)
    assert len(left) == 2
    assert "05:00.0" in left


@pytest.mark.parametrize("call", [("one.host.update", 0, 'A="b"', 1), ("one.host.status", 0, 2)])
def test_only_an_administrator_of_the_host_may(standin: StandIn, call: tuple[Any, ...]) -> None:
    """src/rm/api/HostAPI.h: ADMIN for update too (6.8: include/RequestManagerUpdateTemplate.h)."""
    with pytest.raises(RuntimeError, match=r"Not authorized to perform ADMIN HOST \[0\]"):
        standin.one(*call, user=standin.tenant)


def test_an_update_merges_or_replaces(standin: StandIn) -> None:
    """What the host reports of itself comes back by monitoring, as Host.cc update_info merges it."""
    standin.one("one.host.update", 0, 'A="1"\nB="2"', 1)
    standin.one("one.host.update", 0, 'B="3"', 0)
    template = ElementTree.fromstring(standin.one("one.host.info", 0)).find("TEMPLATE")
    assert template is not None
    assert (template.findtext("A"), template.findtext("B"), template.findtext("ARCH")) == (None, "3", "x86_64")


@pytest.mark.parametrize("text", ["", "*", "10de", "10de:", ":20b5", "::0302", "x,10de:20b5:0302", ","])
def test_forms_of_a_filter(text: str) -> None:
    assert passes(text, "", gpu("41"))


@pytest.mark.parametrize("text", ["0:0", "10de:*:03", "20b5", "10de:20b5:0300"])
def test_a_class_is_compared_whole(text: str) -> None:
    assert not passes(text, "", gpu("41"))
