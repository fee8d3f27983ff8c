# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""How calls and seconds grow with the size of a federation, at a stand-in in this process whose VMs are instant."""

from __future__ import annotations

import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from measuring import Failed, Options, median, table
from module_runner import ModuleFailed
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.modules import oneflow_service, oneflow_template, vm_template, vnet
from fact8ra_lab.standin.testing import StandIn, default_seed

SUPERNODES = (1, 10, 100)
VMS = (1, 10, 100, 300)
# A run takes milliseconds.
_CHEAP = 3
_WAIT_SECONDS = 60
_ALL_VMS = (-2, -1, -1, -1, "")


def measure(options: Options) -> None:
    """Measure the module and the inventory plugin.

    Raises:
        Failed: a larger federation takes more calls than the smallest.
    """
    runs = options.runs * _CHEAP
    print("oneflow_service, second run on a running service")
    _rows("SuperNodes", SUPERNODES, lambda count: _module(count, runs))
    print("inventory plugin, without its cache")
    _rows("VMs", VMS, lambda count: _inventory(count, runs))
    print("`bare calls`: the same requests, with the answers thrown away; the stand-in's own time, in the main.")


def _rows(what: str, counts: tuple[int, ...], run: Callable[[int], tuple[int, float, float]]) -> None:
    found = {count: run(count) for count in counts}
    calls, seconds, _bare = found[counts[0]]
    table(
        [what, "calls", "ratio", "ms", "ratio", "ms a VM", "bare calls ms", "ms/bare"],
        [
            [
                count,
                took_calls,
                f"{took_calls / calls:.2f}",
                f"{took * 1000:.1f}",
                f"{took / seconds:.2f}",
                f"{took * 1000 / count:.2f}",
                f"{bare * 1000:.1f}",
                f"{took / bare:.2f}",
            ]
            for count, (took_calls, took, bare) in found.items()
        ],
    )
    grown = [f"{took} for {count}" for count, (took, _seconds, _bare) in found.items() if took != calls]
    if grown:
        raise Failed(f"{what}: {calls} calls for {counts[0]}, but {', '.join(grown)}; they must not grow")


def _module(count: int, runs: int) -> tuple[int, float, float]:
    """Calls and seconds of a run that changes nothing, and the seconds of its bare calls; count in SuperNodes."""
    with StandIn(_seed()) as standin:
        site = Site(standin, standin.tenant)
        service = _provision(site, count)
        seconds = []
        for _run in range(runs):
            started = time.perf_counter()
            again = site.run(oneflow_service, **service)
            seconds.append(time.perf_counter() - started)
            if again["changed"]:
                raise Failed(f"the second run on a service of {count} SuperNodes changed something")
        running = sum(len(role["vms"]) for role in again["service"]["roles"])
        if running != count + 1:
            raise Failed(f"the service has {running} VMs, not {count + 1}")
        calls = len(site.calls) + len(site.flow_calls)
        return calls, median(seconds), median([_bare(site, networks=True) for _run in range(runs)])


def _inventory(count: int, runs: int) -> tuple[int, float, float]:
    """Calls and seconds of reading the inventory, and the seconds of its bare calls; count in VMs."""
    with StandIn(_seed()) as standin, tempfile.TemporaryDirectory(prefix="fact8ra-bench-") as directory:
        site = Site(standin, standin.tenant)
        _provision(site, count - 1)
        path = Path(directory) / "opennebula.yml"
        endpoint = {"name": "bench", **site.connection}
        path.write_text(
            yaml.safe_dump({"plugin": "fact8ra.flower.opennebula", "endpoints": [endpoint], "unreachable": "fail"}),
            encoding="utf-8",
        )
        seconds = []
        for _run in range(runs):
            standin.calls.clear()
            started = time.perf_counter()
            inventory = InventoryManager(loader=DataLoader(), sources=[str(path)])
            seconds.append(time.perf_counter() - started)
            hosts = len(inventory.get_hosts("site_bench"))
            if hosts != count:
                raise Failed(f"the inventory has {hosts} hosts, not {count}")
        return len(standin.calls), median(seconds), median([_bare(site, networks=False) for _run in range(runs)])


def _seed() -> dict[str, Any]:
    """The usual objects, and a host that has room for every VM."""
    return default_seed() | {"hosts": [{"name": "large", "cpu": 100_000, "mem_mb": 1_000_000}]}


def _provision(site: Site, supernodes: int) -> dict[str, Any]:
    """Make a running service of a SuperLink and so many SuperNodes; returns the options that made it."""
    site.run(vnet, name="lan", vn_mad="bridge", bridge="br0", address_ranges=[{"ip": "10.71.0.10", "size": 400}])
    site.run(vm_template, name="vm", cpu=0.1, memory=64, disks=[{"image": "flower-debian-12"}])
    nic = {"NIC": [{"NETWORK_ID": "$Private"}]}
    roles = [
        {"name": "superlink", "template": "vm", "template_contents": nic},
        {"name": "supernode", "template": "vm", "template_contents": nic, "parents": ["superlink"]},
    ]
    site.run(oneflow_template, name="fed", networks={"Private": ""}, roles=roles)
    service: dict[str, Any] = {
        "name": "fed",
        "template": "fed",
        "networks": [{"name": "Private", "network": "lan"}],
        "roles": [{"name": "supernode", "cardinality": supernodes}],
    }
    try:
        site.run(oneflow_service, **service, wait_timeout=_WAIT_SECONDS)
    except ModuleFailed as failure:
        raise Failed(f"a service of {supernodes} SuperNodes: {str(failure)[:500]}") from None
    return service


def _bare(site: Site, *, networks: bool) -> float:
    """Seconds of asking for the services, the VMs and perhaps the networks, without reading the answers."""
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    passwords.add_password(None, site.standin.flow_endpoint, *site.user, is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    started = time.perf_counter()
    with opener.open(f"{site.standin.flow_endpoint}/service", timeout=60) as answer:
        answer.read()
    site.standin.one("one.vmpool.infoextended", *_ALL_VMS, user=site.user)
    if networks:
        site.standin.one("one.vnpool.info", -2, -1, -1, user=site.user)
    return time.perf_counter() - started
