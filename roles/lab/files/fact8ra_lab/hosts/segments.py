# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Further networks of a site: a bridge each, apart from all else, with a router where the network has a gateway.

```
f8-<site>                                        f8-<site>-<bridge>
  <bridge>  rt-<digest>  ----------------------  lan  the network's gateway
            up-<digest>  10.71.253.(4K+1)/30 --  wan  10.71.253.(4K+2)/30
```
The addresses may be those of the site or of another network: the router hides them behind its own, as a tenant's
virtual router does, and lets nothing in. From there the way leads to the other sites and to OneGate, not to the site's
hosts. The controller enters by the router's namespace, see `connect`.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import re
import selectors
import socket
from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from . import filters, network
from ._system import NETNS_DIR, LabError, in_netns, locked, netns_exists, run
from .network import BRIDGE, Site

EDGE = IPv4Network("10.71.253.0/24")
ONEGATE_PORT = 5030
# linux/sched.h
CLONE_NEWNET = 0x40000000
_BRIDGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}")
_CHUNK = 65536


def router(site: str, bridge: str) -> str:
    """Return the name of the namespace of a bridge's router."""
    return f"f8-{site}-{bridge}"


def ensure(site: Site, bridge: str, gateway: str | None, prefix: int) -> None:
    """Make a bridge on a site when a network names one, as OpenNebula's drivers do, and its router.

    Raises LabError for a name that is none for a bridge, or a gateway that is no address.
    """
    if bridge == BRIDGE:
        return
    if not _BRIDGE.fullmatch(bridge):
        raise LabError(f"bridge `{bridge}`: 1 to 15 letters, digits, dots, hyphens and underscores")
    with locked():
        if f"f8-{bridge}" not in filters.tables(site.netns):
            _make_bridge(site, bridge)
        if gateway and filters.GATE not in filters.tables(router(site.name, bridge)):
            _make_router(site, bridge, _interface(gateway, prefix))


def _make_bridge(site: Site, bridge: str) -> None:
    """Make a bridge that is down, so that nothing passes before its filter is there."""
    # Else the site's own gateway answers for its address on every bridge.
    run([*in_netns(site.netns), "sysctl", "-q", "-w", "net.ipv4.conf.all.arp_ignore=1"])
    run(["ip", "-netns", site.netns, "link", "add", bridge, "type", "bridge"], check=False)  # may be there, left half
    zone = next(link["ifindex"] for link in network.ip_json(["link"], site.netns) if link["ifname"] == bridge)
    filters.load_wire(site.netns, bridge, zone)
    network.batch(site.netns, [f"link set {bridge} up"])


def _interface(gateway: str, prefix: int) -> IPv4Interface:
    try:
        return IPv4Interface(f"{gateway}/{prefix}")
    except ValueError as error:
        raise LabError(f"gateway `{gateway}` is no IPv4 address with a prefix of {prefix} bits: {error}") from None


def _make_router(site: Site, bridge: str, gateway: IPv4Interface) -> None:
    """Make the router of a bridge anew; the table by which it counts as whole comes last."""
    name, digest = router(site.name, bridge), hashlib.sha256(bridge.encode()).hexdigest()[:8]
    for link in (f"rt-{digest}", f"up-{digest}"):
        run(["ip", "-netns", site.netns, "link", "del", link], check=False)
    network.remove_netns(name)
    far, near = _free_pair(site)
    network.ensure_netns(name)
    inner = [
        f"link add rt-{digest} master {bridge} type veth peer name lan netns {name}",
        f"link set rt-{digest} up",
        f"link add up-{digest} type veth peer name wan netns {name}",
        f"addr add {near}/30 dev up-{digest}",
        f"link set up-{digest} up",
    ]
    network.batch(site.netns, inner)
    own = [f"addr add {gateway} dev lan", "link set lan up", f"addr add {far}/30 dev wan", "link set wan up"]
    network.batch(name, [*own, f"route add default via {near}"])
    filters.load_edge(site.netns, str(site.gateway), str(EDGE), ONEGATE_PORT)
    filters.set_nat(name, True)
    filters.load_gate(name, str(site.gateway), str(near), ONEGATE_PORT)


def _free_pair(site: Site) -> tuple[str, str]:
    """Return the (router's, site's) address of the first /30 that no other router of the site has."""
    taken = {
        entry["local"] for link in network.ip_json(["addr", "show"], site.netns) for entry in link.get("addr_info", [])
    }
    for subnet in EDGE.subnets(new_prefix=30):
        if str(subnet[1]) not in taken:
            return str(subnet[2]), str(subnet[1])
    raise LabError(f"site {site.name}: every network of {EDGE} is taken")


@contextlib.contextmanager
def inside(netns: str) -> Iterator[None]:
    """Make sockets of this thread belong to a namespace."""
    with Path("/proc/thread-self/ns/net").open() as home, (NETNS_DIR / netns).open() as target:
        _enter(target.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(netns: int) -> None:
    # os.setns came with Python 3.12.
    if ctypes.CDLL(None, use_errno=True).setns(netns, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def connect(site: str, bridge: str, host: str, port: int) -> None:
    """Join the standard input and output with a TCP port of a host on a bridge; for SSH's ProxyCommand.

    Raises LabError when the bridge has no router, OSError when the host does not answer.
    """
    if not netns_exists(router(site, bridge)):
        raise LabError(f"site {site} has no router for bridge {bridge}; a VM brings one, if its network has a gateway")
    with inside(router(site, bridge)):
        connection = socket.create_connection((host, port), timeout=30)
    connection.settimeout(None)
    with connection, selectors.DefaultSelector() as ready:
        ready.register(0, selectors.EVENT_READ)
        ready.register(connection, selectors.EVENT_READ)
        while True:
            for key, _events in ready.select():
                if key.fileobj is connection:
                    data = connection.recv(_CHUNK)
                    if not data:
                        return
                    while data:
                        data = data[os.write(1, data) :]
                    continue
                data = os.read(0, _CHUNK)
                if data:
                    connection.sendall(data)
                else:
                    connection.shutdown(socket.SHUT_WR)
                    ready.unregister(0)
