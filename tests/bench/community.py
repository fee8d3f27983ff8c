# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Ours and community.general's modules and inventory at the same work: one stand-in, one ansible-core, one run.

The stand-in lets 20 ms pass before each answer, as an endpoint elsewhere does. The peer is only run as a user would,
from a venv of its own; nothing of it is imported here.
"""

from __future__ import annotations

import copy
import re
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from measuring import Failed, NotMeasured, Options, command, median, spread, table
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.modules import oneflow_service, oneflow_template, vm_template, vnet
from fact8ra_lab.standin.model import VM, Document
from fact8ra_lab.standin.testing import StandIn, default_seed

LATENCY = 0.02
"""Seconds before each answer of the stand-in."""
SERVICES = 500
SERVICE_VMS = 10
"""VMs of each service."""
VMS = 1000
NETWORKS = 10
"""Networks beside those that are created again."""
SHARE = 0.5
"""Of the peer's seconds that ours may take, where the table says so."""
OURS, THEIRS = "fact8ra.flower", "community.general"
_WAIT_SECONDS = 60
_NET = 'VN_MAD = "bridge"\nBRIDGE = "br0"\nGATEWAY = "10.71.1.1"\nNETWORK_MASK = "255.255.255.0"\n'


class _Took(NamedTuple):
    """Wall seconds and processor seconds of a program."""

    wall: float
    processor: float


@dataclass
class _Task:
    """The same work for both.

    Attributes:
        title: of the row.
        work: by collection, runs it once; raises Failed.
        bound: whether ours has to take at most C(SHARE) of their seconds, those of idling taken off.
        idle: a run of the same program, of a module where there is one, that asks nobody.
        took: by collection, each run.
        calls: by collection, those of the last run.
    """

    title: str
    work: dict[str, Callable[[], _Took]]
    bound: bool
    idle: Callable[[], _Took]
    took: dict[str, list[_Took]] = field(default_factory=lambda: {OURS: [], THEIRS: []})
    calls: dict[str, list[str]] = field(default_factory=dict)
    idling: list[_Took] = field(default_factory=list)


class _Ansible:
    """Runs the programs of the peer's venv for both collections; files go into one directory."""

    def __init__(self, options: Options, directory: Path) -> None:
        self.root = options.root
        self.bin = options.root / ".venv-peer" / "bin"
        self.directory = directory
        if not (self.bin / "ansible-playbook").exists():
            raise NotMeasured("community.general is not installed; `make peer-venv` does that")
        host = {"ansible_connection": "local", "ansible_python_interpreter": str(self.bin / "python")}
        self._hosts = self._file("hosts.yml", {"all": {"hosts": {"localhost": host}}})

    def _file(self, name: str, content: Any) -> Path:
        path = self.directory / name
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    def _run(self, program: str, *words: str | Path) -> tuple[_Took, str]:
        # The collection of the checkout is in collections_path of ansible.cfg; both programs see both collections.
        environment = {
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
            # As in an installation that was used before: Python does not compile the libraries at every start.
            "PYTHONDONTWRITEBYTECODE": "",
        }
        before = _processor()
        done = command([str(self.bin / program), *map(str, words)], cwd=self.root, environment=environment)
        return _Took(done.seconds, _processor() - before), done.succeeded().output

    def play(self, name: str, *tasks: dict[str, Any]) -> Callable[[], _Took]:
        """Something that plays tasks and says how long that took."""
        play = {"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}
        path = self._file(f"{name}.play.yml", [play])
        return lambda: self._run("ansible-playbook", "-i", self._hosts, path)[0]

    def inventory(self, name: str, content: dict[str, Any], hosts: int) -> Callable[[], _Took]:
        """Something that reads an inventory, which has to have so many hosts, and says how long."""
        path = self._file(f"{name}.opennebula.yml", content)

        def read() -> _Took:
            took, output = self._run("ansible-inventory", "-i", path, "--graph")
            found = len(set(re.findall(r"--(\w[\w.-]*)$", output, re.MULTILINE)))
            if found != hosts:
                raise Failed(f"{name} has {found} hosts, not {hosts}")
            return took

        return read

    def no_inventory(self) -> _Took:
        """Read an inventory of one host that asks nobody."""
        return self._run("ansible-inventory", "-i", self._hosts, "--graph")[0]


def measure(options: Options) -> None:
    """Run the work of both in turn.

    Raises:
        NotMeasured: community.general is not installed.
        Failed: ours makes more calls, or one of the two did not do the work.
    """
    with tempfile.TemporaryDirectory(prefix="fact8ra-bench-") as directory:
        ansible = _Ansible(options, Path(directory))
        rows, worse = [], []
        for make in (_network, _service_by_name, _service_by_id, _inventory):
            with make(ansible) as (standin, task):
                _measured(standin, task, options.runs)
            rows.append(_row(task))
            ours, theirs = (len(task.calls[who]) for who in (OURS, THEIRS))
            if ours > theirs:
                worse.append(f"{task.title}: {ours} calls ({', '.join(task.calls[OURS])}), {theirs} of {THEIRS}")
    print(f"{OURS} (ours) and {THEIRS} (theirs), {LATENCY * 1000:g} ms before each answer")
    table(
        ["", "our calls", "their calls", "our s", "", "their s", "", "ratio", "idle s", "beyond", "CPU", "target"],
        rows,
    )
    if worse:
        raise Failed(f"more calls than {THEIRS}: {'; '.join(worse)}")


def _measured(standin: StandIn, task: _Task, runs: int) -> None:
    """Measure both in turn, so that a change of the load meets both; the first run of each fills caches."""
    for number in range(runs + 1):
        for who, work in task.work.items():
            standin.calls.clear()
            took = work()
            task.calls[who] = [what for _api, what in standin.calls]
            if number:
                task.took[who].append(took)
        if number:
            task.idling.append(task.idle())


def _row(task: _Task) -> list[object]:
    ours, theirs = ([took.wall for took in task.took[who]] for who in (OURS, THEIRS))
    share = _beyond_idle(task, "wall")
    target = f"{SHARE:g}: {'held' if share <= SHARE else 'MISSED'}" if task.bound else ""
    return [
        task.title,
        len(task.calls[OURS]),
        len(task.calls[THEIRS]),
        f"{median(ours):.2f}",
        spread(ours, 2),
        f"{median(theirs):.2f}",
        spread(theirs, 2),
        f"{median(ours) / median(theirs):.2f}",
        f"{median([took.wall for took in task.idling]):.2f}",
        f"{share:.2f}",
        f"{_beyond_idle(task, 'processor'):.2f}",
        target,
    ]


def _beyond_idle(task: _Task, what: str) -> float:
    """Ours by theirs of what each takes more than idling: the fastest runs, since a load only ever adds seconds."""
    idle = min(getattr(took, what) for took in task.idling)
    ours, theirs = (min(getattr(took, what) for took in task.took[who]) - idle for who in (OURS, THEIRS))
    return float(ours / max(theirs, 0.001))


def _processor() -> float:
    """Processor seconds of all commands that ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _network(ansible: _Ansible) -> Iterator[tuple[StandIn, _Task]]:
    """A network that the same task made before: neither may report a change."""
    with StandIn(_seed()) as standin:
        site = Site(standin, standin.admin)
        for number in range(NETWORKS):
            site.run(vnet, name=f"net-{number}", vn_mad="bridge", bridge="br0")
        wanted = {"vn_mad": "bridge", "bridge": "br0", "gateway": "10.71.1.1", "network_mask": "255.255.255.0"}
        tasks = {
            OURS: {f"{OURS}.vnet": {**site.connection, "name": "ours", **wanted}, "register": "done"},
            THEIRS: {f"{THEIRS}.one_vnet": {**_peer(site), "name": "theirs", "template": _NET}, "register": "done"},
        }
        for who, task in tasks.items():
            # The second run of theirs still replaces what OpenNebula added to the template, and says so.
            for _run in range(2):
                ansible.play(f"{who}.first", task)()
        _delay(standin)
        work = {who: ansible.play(f"{who}.network", task, _check("not done.changed")) for who, task in tasks.items()}
        title = f"a network of {NETWORKS + 2}, created again"
        yield (
            standin,
            _Task(title, work, bound=False, idle=ansible.play("idle", {"ansible.builtin.ping": {}}, _check("true"))),
        )


@contextmanager
def _service_by_name(ansible: _Ansible) -> Iterator[tuple[StandIn, _Task]]:
    """A service is read by its name."""
    with _services() as (site, _number):
        yield site.standin, _read(ansible, site, "by name", {"name": "bench"}, {"service_name": "bench"})


@contextmanager
def _service_by_id(ansible: _Ansible) -> Iterator[tuple[StandIn, _Task]]:
    """A service is read by its id."""
    with _services() as (site, number):
        yield site.standin, _read(ansible, site, "by id", {"id": number}, {"service_id": number})


@contextmanager
def _services() -> Iterator[tuple[Site, int]]:
    """A site with all the services, and the id of the one that is called bench."""
    with StandIn(_seed()) as standin:
        site = Site(standin, standin.tenant)
        service = _running(site, SERVICE_VMS)
        with standin.site.cloud.change():
            for number in range(1, SERVICES):
                _copy(standin, service, f"service-{number}")
        _delay(standin)
        yield site, service.id


def _read(ansible: _Ansible, site: Site, how: str, ours: dict[str, Any], theirs: dict[str, Any]) -> _Task:
    """Both return the ids of the VMs."""
    peer = {**_peer(site), "api_url": site.standin.flow_endpoint}
    work = {
        OURS: ansible.play(
            "our-service",
            {f"{OURS}.oneflow_service_info": {**site.connection, **ours, "vms": False}, "register": "done"},
            _check(f"done.services[0].roles[0].vms | length == {SERVICE_VMS}"),
        ),
        THEIRS: ansible.play(
            "their-service",
            {f"{THEIRS}.one_service": {**peer, **theirs}, "register": "done"},
            _check("done.service_name == 'bench'", f"done.roles[0].ids | length == {SERVICE_VMS}"),
        ),
    }
    title = f"a service of {SERVICES}, read {how}"
    return _Task(title, work, bound=True, idle=ansible.play("idle", {"ansible.builtin.ping": {}}, _check("true")))


@contextmanager
def _inventory(ansible: _Ansible) -> Iterator[tuple[StandIn, _Task]]:
    """All VMs with their attributes as hosts, by name, with an address."""
    with StandIn(_seed()) as standin:
        site = Site(standin, standin.tenant)
        _running(site)
        cloud = standin.site.cloud
        with cloud.change():
            first = min(cloud.pool(VM).values(), key=lambda vm: vm.id)
            first.name = "vm-0"
            for number in range(1, VMS):
                _copy(standin, first, f"vm-{number}")
        _delay(standin)
        # Without flow_endpoint, so that ours knows no more of the VMs than theirs.
        endpoint = {name: value for name, value in site.connection.items() if name != "flow_endpoint"}
        ours = {
            "plugin": f"{OURS}.opennebula",
            "endpoints": [{"name": "bench", **endpoint}],
            "vms": "all",
            "unreachable": "fail",
        }
        theirs = {"plugin": f"{THEIRS}.opennebula", **_peer(site), "hostname": "v4_first_ip"}
        work = {
            OURS: ansible.inventory("ours", ours, VMS),
            THEIRS: ansible.inventory("theirs", theirs, VMS),
        }
        yield standin, _Task(f"an inventory of {VMS} VMs", work, bound=True, idle=ansible.no_inventory)


def _check(*conditions: str) -> dict[str, Any]:
    return {"ansible.builtin.assert": {"that": list(conditions), "quiet": True}}


def _peer(site: Site) -> dict[str, str]:
    """The connection as community.general names it."""
    return {"api_url": site.standin.endpoint, "api_username": site.user[0], "api_password": site.user[1]}


def _delay(standin: StandIn) -> None:
    for api in ("xmlrpc", "oneflow"):
        standin.faults.add({"delay": {"api": api, "seconds": LATENCY}})


def _seed() -> dict[str, Any]:
    """The usual objects, and a host that has room for every VM."""
    return default_seed() | {"hosts": [{"name": "large", "cpu": 100_000, "mem_mb": 1_000_000}]}


def _running(site: Site, vms: int = 1) -> Document:
    """A running service called bench, of one role with so many VMs."""
    site.run(vnet, name="lan", vn_mad="bridge", bridge="br0", address_ranges=[{"ip": "10.71.0.10", "size": 4000}])
    site.run(vm_template, name="vm", cpu=0.1, memory=64, disks=[{"image": "flower-debian-12"}])
    role = {
        "name": "supernode",
        "template": "vm",
        "cardinality": vms,
        "template_contents": {"NIC": [{"NETWORK_ID": "$Private"}]},
    }
    site.run(oneflow_template, name="bench", networks={"Private": ""}, roles=[role])
    networks = [{"name": "Private", "network": "lan"}]
    made = site.run(oneflow_service, name="bench", template="bench", networks=networks, wait_timeout=_WAIT_SECONDS)
    return site.standin.site.cloud.find(Document, made["service"]["id"])


def _copy(standin: StandIn, item: Any, name: str) -> Any:
    """A copy of an object under a name and an id of its own; made directly, since 1,000 calls would take a minute."""
    cloud = standin.site.cloud
    made = copy.deepcopy(item)
    made.id = cloud.new_id(item.kind)
    made.name = name
    return cloud.insert(made)
