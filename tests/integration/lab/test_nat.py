# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A site behind NAT: its hosts reach the others, and nobody reaches them over the WAN."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fact8ra_lab.hosts import network
from fact8ra_lab.hosts._system import in_netns, run
from fact8ra_lab.hosts.network import Site

from .conftest import WEST, Hosts
from .echo import ask, serve

pytestmark = [pytest.mark.root, pytest.mark.lab]

HIDDEN = Site("thidden", 53, nat=True)
COUNTER = """
table inet seen {
  chain seen {
    type filter hook prerouting priority -300
    %s
  }
}
"""


def seen(hosts: Hosts, address: str) -> int:
    """How many packets of other sites reached a host since `count`."""
    return int(hosts.run(address, "nft list chain inet seen seen | sed -n 's/.*packets \\([0-9]*\\).*/\\1/p'"))


def count(hosts: Hosts, address: str) -> None:
    rule = f"ip saddr {network.SUPERNET} ip saddr != {HIDDEN.network} ip saddr != {network.MANAGEMENT} counter"
    hosts.run(address, f"nft -f - <<'END'\n{COUNTER % rule}\nEND")


@pytest.fixture
def hidden(sites: tuple[Site, Site]) -> Iterator[Site]:
    assert network.up([HIDDEN])
    yield HIDDEN
    network.down([HIDDEN.name])


def test_out_and_back_but_not_in(hosts: Hosts, hidden: Site) -> None:
    inside, outside = hosts.boot("thidden-1", hidden, 10), hosts.boot("twest-1", WEST, 10)
    serve(hosts, inside)
    serve(hosts, outside)
    router = str(hidden.pair(network.TRANSIT)[1])
    assert [ask(hosts, inside, kind, outside) for kind in ("tcp", "udp")] == [router, router]

    count(hosts, inside)
    assert [ask(hosts, outside, kind, inside) for kind in ("tcp", "udp")] == ["", ""]
    assert [ask(hosts, outside, "tcp", str(address)) for address in (hidden.gateway, router)] == ["", ""]
    assert seen(hosts, inside) == 0

    # The same without NAT: what stopped it was the NAT.
    assert network.up([replace(hidden, nat=False)])
    assert [ask(hosts, outside, kind, inside) for kind in ("tcp", "udp")] == [outside, outside]
    assert seen(hosts, inside) > 0


def test_up_again_changes_nothing_and_a_lost_table_is_mended(hidden: Site) -> None:
    assert network.find(hidden.name) == hidden
    assert network.status()["sites"][hidden.name]["nat"]
    assert not network.up([hidden])
    assert network.up([replace(hidden, nat=False)], check=True)
    run([*in_netns(hidden.netns), "nft", "flush", "ruleset"])
    assert network.up([hidden], check=True)
    assert network.up([hidden])
    assert not network.up([hidden])
