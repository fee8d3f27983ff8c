# SPDX-License-Identifier: Apache-2.0
"""Every port of every host of ours, from everywhere that an attacker may be."""

from __future__ import annotations

import ipaddress

import pytest
from adversary import Host, World, reaches, unfettered
from promises import Attempt, promise

pytestmark = [pytest.mark.lab, pytest.mark.root]

FLEET, LINK = 8443, 51820
# Attempts a second; the emulated WAN loses packets of a faster scan.
PACE = 5000
# DNS, DHCP, TFTP, NTP, NetBIOS, SNMP, syslog, IKE, SIP, mDNS and the ports of Flower, next to WireGuard's own.
UDP = [*(53, 67, 68, 69, 111, 123, 137, 161, 323, 500, 514, 1194, 1900, 4500, 5060, 5353, 8000, 8443, 9094), LINK]
ATTACKERS = {
    "the stranger": "stranger",
    "B's VM": "tenant",
    "a SuperNode of ours": "supernode",
    "the SuperLink": "superlink",
}


def attacker(world: World, who: str) -> Host:
    """The host that attacks."""
    kind = ATTACKERS[who]
    if kind == "tenant":
        return (world.theirs.hosts("superlink") + world.theirs.supernodes)[0]
    return {"stranger": world.stranger, "supernode": world.ours.supernodes[-1], "superlink": world.ours.superlink}[kind]


def addresses(target: Host) -> list[str]:
    """Every address of a target that an attacker may try: the VM's, and those of the tunnel."""
    shown = target.run("ip -br -6 addr show scope global; ip -br -4 addr show scope global").stdout
    found = [word.partition("/")[0] for line in shown.splitlines() for word in line.split()[2:] if "/" in word]
    return sorted({target.address, *found})


def allowed(world: World, who: str, target: Host) -> set[int]:
    """The TCP ports of the port table that this attacker may open on a target."""
    if target.name != world.ours.superlink.name:
        return set()
    site = world.ours.variables[str(target.variables["site_name"])]
    address = ipaddress.ip_address(attacker(world, who).address)
    sources = [ipaddress.ip_network(str(each)) for each in site.get("site_fleet_sources", [])]
    return {FLEET} if ATTACKERS[who] == "supernode" or any(address in each for each in sources) else set()


def targets_of(world: World, who: str, host: Host) -> list[Host]:
    """The hosts of ours that there are at the attacker's addresses; B's own network may have the very same ones."""
    ours = [each for each in (world.ours.superlink, *world.ours.supernodes) if each.name != host.name]
    if ATTACKERS[who] != "tenant":
        return ours
    own = ipaddress.ip_network(f"{host.address}/24", strict=False)
    return [each for each in ours if ipaddress.ip_address(each.address) not in own]


@promise("A host answers on no TCP port but those of the port table.", attempt="{who}: ports 1-65535 of all hosts")
@pytest.mark.parametrize("who", ATTACKERS)
def test_no_port_answers_but_those_of_the_table(world: World, attempt: Attempt, who: str) -> None:
    host = attacker(world, who)
    targets = targets_of(world, who, host)
    for target in targets:
        assert reaches(target.address, 22), f"{target.name} does not even answer the controller"
    attempt.control(bool(targets), f"the controller reaches port 22 of all {len(targets)}")
    named = {address: target for target in targets for address in addresses(target)}
    front = str(world.ours.variables[world.ours.sites[0]]["one_endpoint"]).split("/")[2].partition(":")[0]
    with unfettered(host):
        found = host.attack("scan", [front, *named], (1, 65535), PACE, 3.5, timeout=600)
    # Of a tenant's own network the front-end shows OneGate alone.
    attempt.control(
        bool({2633, 5030} & set(found[front]["open"])),
        f"the same scan finds OpenNebula's front-end: {found[front]['open']}",
    )
    wrong = {}
    for address, target in named.items():
        if extra := set(found[address]["open"]) - allowed(world, who, target):
            wrong[f"{target.name} {address}"] = sorted(extra)
    attempt.outcome(
        "; ".join(f"{named[each].name} {each}: {_listed(found[each]['open'])}" for each in named)
        or "there is no way to any"
    )
    assert wrong == {}


def _listed(ports: list[int]) -> str:
    return ", ".join(map(str, ports)) or "none"


@promise("A host answers on no UDP port but WireGuard's to its peers.", attempt="{who}: 20 UDP ports of all hosts")
@pytest.mark.parametrize("who", ATTACKERS)
def test_no_udp_port_answers(world: World, attempt: Attempt, who: str) -> None:
    host = attacker(world, who)
    targets = targets_of(world, who, host)
    echo = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 61235))\n"
        "while True: s.sendto(b'x', s.recvfrom(999)[1])"
    )
    host.run("systemctl stop echo 2>/dev/null; systemctl reset-failed echo 2>/dev/null; cat > /run/echo.py", given=echo)
    host.run("systemd-run --unit=echo python3 /run/echo.py")
    host.run("for _ in $(seq 50); do ss -Hlun | grep -q 61235 && exit 0; sleep 0.1; done; exit 1")
    named = {address: target for target in targets for address in addresses(target)}
    with unfettered(host):
        seen = host.attack("udp", "127.0.0.1", [61235], 1)
        found = {address: host.attack("udp", address, UDP, 2)["answered"] for address in named}
    host.run("systemctl stop echo")
    attempt.control(seen["answered"] == [61235], "the same packets get an answer from an open port")
    told = (f"{named[each].name} {each}: {_listed(found[each])}" for each in named)
    attempt.outcome("; ".join(told) if any(found.values()) else f"{len(named)} addresses, all silent")
    assert not any(found.values())
