# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The sites' networks: a namespace with a bridge a site, one that routes between them, a way in for the controller.

```
controller (root namespace)      10.71.255.(4N-3)/30  f8m-<site>
    |                                                     |
f8-<site>   gateway 10.71.N.1/24 on br-site    mgmt  10.71.255.(4N-2)/30
    |                                          wan   10.71.254.(4N-2)/30
f8-wan                                      w-<site> 10.71.254.(4N-3)/30
```
Packets are forwarded in these namespaces only; the controller's own forwarding and firewall stay as they are. There is
no way out: the lab is offline. A site may be behind NAT: over the WAN its packets carry the router's transit address,
and only answers come in. The namespaces are the computer's, so what is running is read from the kernel, never from a
file.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from . import filters, wan
from ._system import NETNS_DIR, LabError, in_netns, locked, netns_exists, remove_tree, require, run, wait_until
from .wan import WAN_NETNS

SUPERNET = IPv4Network("10.71.0.0/16")
MANAGEMENT = IPv4Network("10.71.255.0/24")
TRANSIT = IPv4Network("10.71.254.0/24")
BRIDGE = "br-site"
MAX_INDEX = 60
FIRST_LEASE = 10
_NAME = re.compile(r"[a-z][a-z0-9]{0,10}")


@dataclass(frozen=True)
class Site:
    """A site: its name (at most 11 lower case letters and digits), its number N, the third octet of 10.71.N.0/24, and
    whether it is behind NAT."""

    name: str
    index: int
    nat: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name == "wan":
            raise LabError(
                f"site name `{self.name}`: 1 to 11 lower case letters and digits, a letter first, other than `wan`"
            )
        if not 1 <= self.index <= MAX_INDEX:
            raise LabError(f"site {self.name}: number {self.index} is not within 1..{MAX_INDEX}")

    @classmethod
    def parse(cls, text: str) -> Site:
        """Return the site of `NAME:NUMBER` or `NAME:NUMBER:nat`, for example `alpha:1`."""
        name, _separator, rest = text.partition(":")
        index, separator, nat = rest.partition(":")
        if not index.isdigit() or (separator and nat != "nat"):
            raise LabError(f"site `{text}` is not NAME:NUMBER, for example alpha:1, or gamma:3:nat for one behind NAT")
        return cls(name, int(index), bool(separator))

    @property
    def netns(self) -> str:
        """Name of the site's network namespace."""
        return f"f8-{self.name}"

    @property
    def network(self) -> IPv4Network:
        """The site's addresses."""
        return IPv4Network((int(SUPERNET.network_address) + self.index * 256, 24))

    @property
    def gateway(self) -> IPv4Address:
        """The site's router, where the stand-in listens too."""
        return self.network[1]

    @property
    def management_link(self) -> str:
        """The controller's interface towards the site."""
        return f"f8m-{self.name}"

    @property
    def wan_link(self) -> str:
        """The router's interface towards the site."""
        return f"w-{self.name}"

    def pair(self, network: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
        """Return the (far end, site end) of the site's /30 in the management or transit network."""
        first = (self.index - 1) * 4
        return network[first + 1], network[first + 2]


DEFAULT_SITES = (Site("alpha", 1), Site("beta", 2))


def ip_json(arguments: Sequence[str], netns: str | None = None) -> list[dict[str, Any]]:
    """Return what `ip -json` prints, from a namespace or the controller's own."""
    prefix = ["ip", "-json"] if netns is None else ["ip", "-json", "-netns", netns]
    parsed: list[dict[str, Any]] = json.loads(run([*prefix, *arguments]).stdout or "[]")
    return [entry for entry in parsed if entry]


def _links(netns: str | None) -> dict[str, dict[str, Any]]:
    return {link["ifname"]: link for link in ip_json(["addr", "show"], netns)}


def batch(netns: str | None, lines: Iterable[str]) -> None:
    """Run `ip` commands in a namespace, or in the controller's own. Raises LabError."""
    text = "\n".join(lines)
    if text:
        run(["ip", *(["-netns", netns] if netns else []), "-batch", "-"], stdin=text + "\n")


def sites() -> list[Site]:
    """Return the sites that are up, by the gateway in each one's namespace; the same from wherever it is asked."""
    found = [site for name in names() if (site := _site_of(f"f8-{name}")) is not None]
    return sorted(found, key=lambda site: site.index)


def names() -> set[str]:
    """Return the names of sites that have a namespace, whole or not; those of routers (see `segments`) are none."""
    found = {path.name.removeprefix("f8-") for path in NETNS_DIR.glob("f8-*")}
    return {name for name in found if "-" not in name} - {"wan"}


def _site_of(netns: str) -> Site | None:
    """Return the site whose gateway is in a namespace, None where there is none."""
    if not netns_exists(netns):
        return None
    link = _links(netns).get(BRIDGE)
    for entry in link["addr_info"] if link else []:
        address = ipaddress.ip_address(entry["local"])
        if address in SUPERNET:
            return Site(netns.removeprefix("f8-"), (int(address) >> 8) & 0xFF, filters.NAT in filters.tables(netns))
    return None


def idle() -> set[str]:
    """Return the names of sites that nothing uses: no process inside, no host on a bridge, or no namespace at all."""
    return {name for name in names() if not netns_exists(f"f8-{name}") or not _in_use(f"f8-{name}")}


def _in_use(netns: str) -> bool:
    ports = [link["ifname"] for link in ip_json(["link"], netns) if link.get("master") and link["link_type"] == "ether"]
    return bool(run(["ip", "netns", "pids", netns]).stdout.split()) or any(not port.startswith("rt-") for port in ports)


def find(name: str) -> Site:
    """Return a site that is up.

    Raises LabError naming those that are.
    """
    site = _site_of(f"f8-{name}")
    if site is None:
        running = ", ".join(site.name for site in sites()) or "none"
        raise LabError(f"site `{name}` has no network (up: {running}); bring it up with `network up --site {name}:N`")
    return site


def preflight(wanted: Sequence[Site]) -> None:
    """Check everything that could stop the networks before anything is changed.

    Raises LabError when tools are missing, 10.71.0.0/16 is routed elsewhere, or a number is taken by another site.
    """
    require("ip", "nft", "nsenter", "sysctl")
    for route in ip_json(["-4", "route", "show", "table", "all"]):
        destination, device = route["dst"], route.get("dev", "")
        if destination == "default" or device.startswith("f8m-") or route.get("type") in ("local", "broadcast"):
            continue
        if IPv4Network(destination, strict=False).overlaps(SUPERNET):
            raise LabError(
                f"the lab needs {SUPERNET}, but this computer routes {destination} to {device or 'nowhere'}; "
                "remove that route, or leave that network (a VPN?), while the lab runs"
            )
    for site in wanted:
        for other in sites():
            if (other.name == site.name) != (other.index == site.index):
                raise LabError(
                    f"site {site.name}:{site.index} clashes with the running {other.name}:{other.index}; "
                    "names and numbers must both be free"
                )


def up(wanted: Sequence[Site], *, check: bool = False) -> bool:
    """Bring the networks of these sites and the router up, or mend them; returns whether anything had to change.

    Raises LabError as `preflight`.
    """
    with locked():
        if check:
            return any(_missing(site) or filters.set_nat(site.netns, site.nat, check=True) for site in wanted)
        preflight(wanted)
        changed = ensure_netns(WAN_NETNS)
        for site in wanted:
            changed |= _ensure_site(site)
        return wan.apply([site.name for site in sites()]) or changed


def down(wanted: Sequence[str] | None = None, *, in_use: Callable[[], set[str]] = set, check: bool = False) -> bool:
    """Take networks down (all without `wanted`) with every process inside; the router goes with the last one.

    Sites that `in_use` returns stay; it is asked under the lock. Returns whether there was anything to take down.
    """
    with locked():
        present = names()
        chosen = (present if wanted is None else present & set(wanted)) - in_use()
        last = present == chosen
        router = (NETNS_DIR / WAN_NETNS).exists()
        if check:
            return bool(chosen) or (last and router)
        changed = bool(chosen)
        for name in sorted(chosen):
            _remove_site(name)
        if last:
            wan.stop()
            changed |= remove_netns(WAN_NETNS)
            remove_tree(wan.RUNTIME)
        elif chosen:
            wan.apply(sorted(present - chosen))
        return changed


def ensure_netns(name: str) -> bool:
    """Make a namespace that forwards packets; returns whether there was none."""
    if netns_exists(name):
        return False
    (NETNS_DIR / name).unlink(missing_ok=True)  # left by a reboot where /run is on disk
    run(["ip", "netns", "add", name])
    batch(name, ["link set lo up"])
    # A packet that the relay sends on comes from another interface than the way back leads to.
    values = ["net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"]
    run([*in_netns(name), "sysctl", "-q", "-w", *values])
    return True


def _missing(site: Site) -> dict[str | None, list[str]]:
    """Return the `ip` lines, by namespace and in order, that a site still lacks; empty when it is whole."""
    if not netns_exists(WAN_NETNS) or not netns_exists(site.netns):
        return {None: ["netns"]}
    inside, outside, router = _links(site.netns), _links(None), _links(WAN_NETNS)
    far, near = site.pair(MANAGEMENT)
    transit_far, transit_near = site.pair(TRANSIT)
    inner: list[str] = []
    outer: list[str] = []
    routing: list[str] = []
    for lines, links, name, peer in (
        (outer, outside, site.management_link, "mgmt"),
        (routing, router, site.wan_link, "wan"),
    ):
        if name not in links or peer not in inside:
            lines += [f"link del {name}"] if name in links else []
            lines.append(f"link add {name} type veth peer name {peer} netns {site.netns}")
            links.pop(name, None)
            inside.pop(peer, None)
    if BRIDGE not in inside:
        # Without an address of its own a bridge takes the lowest of its ports', and neighbours' ARP entries go stale.
        inner.append(f"link add {BRIDGE} address 02:f8:0a:47:{site.index:02x}:01 type bridge")
    for name, address in ((BRIDGE, f"{site.gateway}/24"), ("mgmt", f"{near}/30"), ("wan", f"{transit_near}/30")):
        inner += _address_commands(inside.get(name), name, address)
    outer += _address_commands(outside.get(site.management_link), site.management_link, f"{far}/30")
    if not _has_route(None, str(site.network), str(near)):
        outer.append(f"route replace {site.network} via {near} dev {site.management_link}")
    if not _has_route(site.netns, str(SUPERNET), str(transit_far)):
        inner.append(f"route replace {SUPERNET} via {transit_far} dev wan src {site.gateway}")
    routing += _address_commands(router.get(site.wan_link), site.wan_link, f"{transit_far}/30")
    if not _has_route(WAN_NETNS, str(site.network), str(transit_near)):
        routing.append(f"route replace {site.network} via {transit_near} dev {site.wan_link}")
    # Both veths are made from outside, so the site's own lines come last.
    return {key: lines for key, lines in ((None, outer), (WAN_NETNS, routing), (site.netns, inner)) if lines}


def _address_commands(link: dict[str, Any] | None, name: str, address: str) -> list[str]:
    present = link is not None and any(
        f"{entry['local']}/{entry['prefixlen']}" == address for entry in link.get("addr_info", [])
    )
    lines = [] if present else [f"addr replace {address} dev {name}"]
    return lines if link is not None and "UP" in link["flags"] else [*lines, f"link set {name} up"]


def _has_route(netns: str | None, destination: str, gateway: str) -> bool:
    return any(
        route.get("gateway") == gateway and "linkdown" not in route.get("flags", [])
        for route in ip_json(["-4", "route", "show", destination], netns)
    )


def _ensure_site(site: Site) -> bool:
    changed = ensure_netns(site.netns)
    missing = _missing(site)
    for netns, lines in missing.items():
        batch(netns, lines)
    return filters.set_nat(site.netns, site.nat) or changed or bool(missing)


def remove_netns(name: str) -> bool:
    """Remove a namespace with every process inside; returns whether there was one."""
    path = NETNS_DIR / name
    if not path.exists():
        return False
    if not netns_exists(name):
        path.unlink()
        return True
    for number in (signal.SIGTERM, signal.SIGKILL):
        pids = [int(pid) for pid in run(["ip", "netns", "pids", name]).stdout.split()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if wait_until(lambda: not run(["ip", "netns", "pids", name]).stdout.split(), 5, interval=0.1):
            break
    run(["ip", "netns", "del", name])
    return True


def _remove_site(name: str) -> None:
    for netns, link in ((None, f"f8m-{name}"), (WAN_NETNS, f"w-{name}")):
        # One end takes the other with it at once; left to the namespace's end, the kernel would take its time.
        run(["ip", *(["-netns", netns] if netns else []), "link", "del", link], check=False)
    for path in NETNS_DIR.glob(f"f8-{name}-*"):
        remove_netns(path.name)
    remove_netns(f"f8-{name}")


def free_address(site: Site, taken: Iterable[str]) -> IPv4Address:
    """Return the first address of a site, from .10 on, that is not in `taken`.

    Raises LabError when all are.
    """
    used = {ipaddress.ip_address(address) for address in taken}
    for address in list(site.network)[FIRST_LEASE:-1]:
        if address not in used:
            return address
    raise LabError(f"site {site.name}: every address of {site.network} is taken")


def status() -> dict[str, Any]:
    """Return the sites that are up with their networks, and the WAN between them."""
    return {
        "sites": {
            site.name: {
                "netns": site.netns,
                "network": str(site.network),
                "gateway": str(site.gateway),
                "nat": site.nat,
                "routers": sorted(path.name for path in NETNS_DIR.glob(f"{site.netns}-*")),
                "healthy": not _missing(site),
            }
            for site in sites()
        },
        "wan": wan.status(),
    }
