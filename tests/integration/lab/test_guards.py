# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Security groups at the bridge: the guest listens, and what no rule admits does not reach it."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from fact8ra_lab.hosts import network
from fact8ra_lab.hosts._system import in_netns, run
from fact8ra_lab.hosts.machines import Spec, host_link

from .conftest import EAST, WEST, Hosts
from .echo import PORT, ask, serve

pytestmark = [pytest.mark.root, pytest.mark.lab]

SSH = {"PROTOCOL": "TCP", "RULE_TYPE": "inbound", "RANGE": "22", "IP": str(network.MANAGEMENT[0]), "SIZE": "256"}
OUT = {"PROTOCOL": "ALL", "RULE_TYPE": "outbound"}
BOTH = ("tcp", "udp")
COUNTER = """
table inet c {
  chain c {
    type filter hook prerouting priority -300
    ip saddr %s counter
  }
}
"""


def admit(protocol: str, ports: str, source: str = "") -> dict[str, str]:
    rule = {"PROTOCOL": protocol, "RULE_TYPE": "inbound", "RANGE": ports}
    return rule | ({"IP": source, "SIZE": "1"} if source else {})


def guard(hosts: Hosts, name: str, *rules: dict[str, str], spoofing: bool = False) -> None:
    nic = replace(hosts.specs[name].nics[0], rules=(SSH, *rules), filter_mac=spoofing, filter_ip=spoofing)
    hosts.machines.guard(name, [nic])


def table(name: str) -> str:
    """The rules in force at a host's port; empty when it has none."""
    command = [*in_netns(WEST.netns), "nft", "list", "table", "bridge", host_link(name, 0)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_what_no_rule_admits_is_dropped_at_the_bridge(hosts: Hosts) -> None:
    guarded, neighbour = hosts.boot("twest-1", WEST, 10), hosts.boot("twest-2", WEST, 11)
    far = hosts.boot("teast-1", EAST, 10)
    for address in (guarded, neighbour):
        serve(hosts, address)
    assert table("twest-1") == ""
    assert [ask(hosts, one, kind, guarded) for one in (neighbour, far) for kind in BOTH] == [
        neighbour, neighbour, far, far,
    ]  # fmt: skip

    # The guest listens as before, and its own questions are answered.
    guard(hosts, "twest-1", OUT)
    assert [ask(hosts, guarded, kind, "127.0.0.1") for kind in BOTH] == ["127.0.0.1", "127.0.0.1"]
    assert [ask(hosts, one, kind, guarded) for one in (neighbour, far) for kind in BOTH] == [""] * 4
    assert [ask(hosts, guarded, kind, neighbour) for kind in BOTH] == [guarded, guarded]

    # By protocol, by port and by source.
    guard(hosts, "twest-1", OUT, admit("TCP", f"80,{PORT - 1}:{PORT}"))
    assert [ask(hosts, neighbour, kind, guarded) for kind in BOTH] == [neighbour, ""]
    guard(hosts, "twest-1", OUT, admit("UDP", str(PORT), far))
    assert [ask(hosts, one, kind, guarded) for one in (neighbour, far) for kind in BOTH] == ["", "", "", far]
    guard(hosts, "twest-1", OUT, admit("TCP", str(PORT + 1)))
    assert ask(hosts, neighbour, "tcp", guarded) == ""

    # Without a rule for it nothing goes out either; SSH's answers do, as this shows.
    guard(hosts, "twest-1")
    assert [ask(hosts, guarded, kind, neighbour) for kind in BOTH] == ["", ""]

    hosts.machines.destroy("twest-1")
    assert host_link("twest-1", 0) not in run([*in_netns(WEST.netns), "nft", "list", "tables"]).stdout


def test_rules_hold_from_the_first_packet_and_after_a_reboot(hosts: Hosts) -> None:
    nic = replace(hosts.nic(WEST, 10), rules=(SSH, OUT, admit("TCP", str(PORT))))
    for _boot in range(2):
        hosts.machines.boot(Spec("twest-1", WEST.name, (nic,)), {}, hosts.rootfs)
        assert f"dport {PORT}" in table("twest-1")
        assert table("twest-1").count("drop") == 2
        hosts.machines.shutdown("twest-1", hard=True)
        assert table("twest-1") == ""


@pytest.mark.parametrize("filtered", [False, True], ids=["open", "filtered"])
def test_spoofed_senders(hosts: Hosts, filtered: bool) -> None:
    sender, receiver = hosts.boot("twest-1", WEST, 10), hosts.boot("twest-2", WEST, 11)
    serve(hosts, receiver)
    guard(hosts, "twest-1", OUT, spoofing=filtered)
    other = str(WEST.network[99])
    hosts.run(receiver, f"nft -f - <<'END'\n{COUNTER % other}\nEND")
    hosts.run(sender, f"ip addr add {other}/32 dev eth0; ping -q -c1 -W1 -I {other} {receiver}", check=False)
    assert ask(hosts, sender, "udp", receiver) == sender  # what was sent before this has arrived
    assert ("packets 0 " in hosts.run(receiver, "nft list table inet c")) is filtered
    own = hosts.specs["twest-1"].nics[0].mac
    changed = "ip link set eth0 address {}; ping -q -c1 -W1 {} > /dev/null; echo $?; ip link set eth0 address {}"
    assert hosts.run(sender, changed.format("02:00:0a:47:33:63", receiver, own)) == ("1" if filtered else "0")
