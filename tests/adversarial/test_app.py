# SPDX-License-Identifier: Apache-2.0
"""A hostile app, submitted for real: what its ClientApp and its ServerApp could read, write and reach."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from adversary import Host, World, reaches
from promises import Attempt, promise

pytestmark = [pytest.mark.lab, pytest.mark.root]

APP = Path(__file__).parents[1] / "apps" / "hostile"
READ = ["/etc/flower/superexec.secret", "/etc/shadow", "/root/.ssh", "/run/one-context/one_env"]
READ_BY = {
    "ClientApp": [
        "/etc/flower/supernode.key",
        "/var/lib/flower/supernode",
        "/run/credentials/flower-supernode.service/supernode.key",
        "/run/credentials/flower-supernode.service/superexec.secret",
    ],
    "ServerApp": [
        "/etc/flower/superlink.key",
        "/etc/flower/runtime.key",
        "/var/lib/flower/superlink/state.db",
        "/run/credentials/flower-superlink.service/superlink.key",
        "/run/credentials/flower-superlink.service/superexec.secret",
    ],
}
WRITE = [
    *("/etc/flower/hostile", "/opt/flower/venv/hostile", "/usr/local/bin/hostile", "/var/log/hostile", "/run/hostile"),
    *("/etc/systemd/system/hostile.service", "/var/lib/flower/data/hostile", "/var/lib/flower/hostile"),
]
# Every service has a directory of its own there, which must not be the host's.
PRIVATE = ["/tmp/hostile", "/var/tmp/hostile"]
BECOME = ["processes", "signal", "sudo", "stop a service", "user namespace", "packet socket"]
SIDES = ("ClientApp", "ServerApp")
BAIT = (8080, 5353)
CATCH = """
import datetime, socket, threading
def say(kind, peer):
    with open("/tmp/bait", "a") as log:
        log.write(f"{kind} {peer[0]}\\n")
tcp = socket.create_server(("0.0.0.0", %d))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("0.0.0.0", %d))
def answer():
    while True:
        data, peer = udp.recvfrom(2048)
        say("udp", peer)
        udp.sendto(data, peer)
threading.Thread(target=answer, daemon=True).start()
while True:
    connection, peer = tcp.accept()
    say("tcp", peer)
    connection.close()
"""


@dataclass(frozen=True)
class Tried:
    """What the app reported.

    Attributes:
        reports: host's name to attempt to what came of it; the ServerApp's is called C(server).
        targets: side (C(ClientApp), C(ServerApp)) to what it was told to try.
        bait: who connected to the stranger, a line each.
    """

    reports: dict[str, dict[str, str]]
    targets: dict[str, Any]
    bait: list[str]

    def of(self, side: str) -> list[dict[str, str]]:
        """The reports of the ClientApps, or the ServerApp's."""
        return [each for name, each in self.reports.items() if (name == "server") == (side == "ServerApp")]


@pytest.fixture(scope="module")
def bait(world: World) -> Iterator[Host]:
    """The stranger, with ports that take anything and remember who came."""
    stranger = world.stranger
    stranger.run("rm -f /tmp/bait; systemctl stop bait 2>/dev/null; systemctl reset-failed bait 2>/dev/null; true")
    stranger.run("cat > /root/bait.py", given=CATCH % BAIT)
    stranger.run("systemd-run --unit=bait python3 /root/bait.py")
    assert reaches(stranger.address, BAIT[0]), "the bait does not listen"
    yield stranger
    stranger.run("systemctl stop bait")


@pytest.fixture(scope="module")
def tried(world: World, bait: Host) -> Tried:
    """What the app reported of all hosts."""
    ours = world.ours
    away = [[bait.address, BAIT[0]], [ours.superlink.address, ours.supernodes[-1].superlink[1]]]
    away += [[host.address, 22] for host in (ours.supernodes[0], ours.superlink)]
    away += [[address, port] for address, port in {each.superlink for each in ours.supernodes}]
    away += [[each.context["ONEGATE_ENDPOINT"].split("/")[2].split(":")[0], 5030] for each in ours.supernodes]
    away += [["169.254.169.254", 80], ["127.0.0.1", 22]]
    targets = {
        side: {
            "read": READ + READ_BY[side],
            "write": WRITE + PRIVATE,
            "connect": [*away, *([["127.0.0.1", 8000]] if side == "ServerApp" else [])],
            "ask": [[bait.address, BAIT[1]]],
        }
        for side in SIDES
    }
    config = {
        "min-nodes": len(ours.supernodes),
        "targets": json.dumps({"client": targets["ClientApp"], "server": targets["ServerApp"]}),
    }
    variables = {"run_app": str(APP), "run_force": True, "run_config": config}
    before = set(_results(ours.directory))
    ours.play("run", "-e", json.dumps(variables)).succeeded()
    (made,) = set(_results(ours.directory)) - before
    return Tried(json.loads(made.read_text()), targets, bait.run("cat /tmp/bait").stdout.splitlines())


def _results(directory: Path) -> list[Path]:
    return list(directory.glob("runs/*/hostile.json"))


def _hosts(world: World, side: str) -> list[Host]:
    return world.ours.supernodes if side == "ClientApp" else [world.ours.superlink]


def _got(reports: list[dict[str, str]], names: list[str]) -> list[str]:
    """The attempts that succeeded, or of which nothing is known."""
    return sorted(
        {f"{name}: {each.get(name, 'never tried')}" for each in reports for name in names if _open(each, name)}
    )


def _open(report: dict[str, str], name: str) -> bool:
    # A file without a directory to be in was not refused; one to be read that the app does not see was.
    return not report.get(name, "").startswith("refused") or (
        name.startswith("write") and "FileNotFound" in report[name]
    )


def _refusals(reports: list[dict[str, str]], names: list[str]) -> str:
    kinds = {report[name].removeprefix("refused ").partition(":")[0] for report in reports for name in names}
    return f"{len(reports) * len(names)} tried, all refused ({', '.join(sorted(kinds))})"


@promise(
    "An app reads no key, no secret but its SuperExec's, and nothing of Flower's state.", attempt="the {side} reads"
)
@pytest.mark.parametrize("side", SIDES)
def test_an_app_reads_no_secret(world: World, attempt: Attempt, tried: Tried, side: str) -> None:
    paths = tried.targets[side]["read"]
    there = all(
        host.run(f"test -e {path}", check=False).returncode == 0 for host in _hosts(world, side) for path in paths
    )
    attempt.control(there, "all of it is there")
    own = all(each["control: read at home"].startswith("got") for each in tried.of(side))
    attempt.control(own, "the app reads its own files")
    names = [f"read {path}" for path in paths]
    got = _got(tried.of(side), names)
    attempt.outcome("; ".join(got) or _refusals(tried.of(side), names))
    assert got == []


@promise("An app writes nowhere but in its own directories.", attempt="the {side} writes")
@pytest.mark.parametrize("side", SIDES)
def test_an_app_writes_only_at_home(world: World, attempt: Attempt, tried: Tried, side: str) -> None:
    own = all(each["control: write at home"].startswith("got") for each in tried.of(side))
    attempt.control(own, "the app writes its own files")
    names = [f"write {path}" for path in WRITE]
    got = _got(tried.of(side), names)
    left = [
        path
        for host in _hosts(world, side)
        for path in PRIVATE
        if host.run(f"test -e {path}", check=False).returncode == 0
    ]
    attempt.outcome("; ".join(got + left) or f"{_refusals(tried.of(side), names)}; /tmp is its own")
    assert got + left == []


@promise("An app becomes nobody else and sees no process of others.", attempt="the {side} reaches for more rights")
@pytest.mark.parametrize("side", SIDES)
def test_an_app_becomes_nobody_else(world: World, attempt: Attempt, tried: Tried, side: str) -> None:
    ran = all(each["control: run"].startswith("got") for each in tried.of(side))
    attempt.control(ran, "the app runs commands")
    got = _got(tried.of(side), BECOME)
    attempt.outcome("; ".join(got) or _refusals(tried.of(side), BECOME))
    assert got == []
    assert all(
        host.run("id -u flower-app").stdout.strip() in {each["user"] for each in tried.of(side)}
        for host in _hosts(world, side)
    )


@promise("An app connects to nothing beyond its own host, and not to the Control API.", attempt="the {side} dials out")
@pytest.mark.parametrize("side", SIDES)
def test_an_app_connects_to_nothing(world: World, attempt: Attempt, tried: Tried, bait: Host, side: str) -> None:
    # It has reported through the Runtime API, so its connections work.
    attempt.control(len(tried.of(side)) == len(_hosts(world, side)), "the Runtime API is reached")
    attempt.control(reaches(bait.address, BAIT[0]), "the stranger's port takes connections")
    names = [f"connect {address} {port}" for address, port in tried.targets[side]["connect"]]
    names += [f"ask {address} {port}" for address, port in tried.targets[side]["ask"]]
    got = _got(tried.of(side), names)
    came = [line for line in tried.bait if line.split()[1] in {host.address for host in _hosts(world, side)}]
    attempt.outcome("; ".join(got + came) or f"{_refusals(tried.of(side), names)}; nobody came to the stranger")
    assert got + came == []
