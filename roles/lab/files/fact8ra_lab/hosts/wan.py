# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The WAN between the sites: delay, jitter, loss, rate and cuts, adjustable while it runs.

Everything happens in the router's namespace `f8-wan`. Where the kernel has `sch_netem` it does the work; elsewhere the
router sends what passes between sites into a TUN device, and a relay process puts each packet back when it is due. A
cut is a blackhole route, with either. Packets of an unimpaired WAN never leave the kernel.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import random
import selectors
import signal
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from . import processes
from ._system import LabError, in_netns, netns_exists, read_json, run, wait_until, write_file

WAN_NETNS = "f8-wan"
RUNTIME = Path("/run/fact8ra-lab")
SETTINGS = RUNTIME / "wan.json"
PID_FILE = RUNTIME / "wan.pid"
LOG_FILE = RUNTIME / "wan.log"
TUN = "wan0"
RELAY_TABLE, CUT_TABLE = 71, 72
CUT_PREFERENCE, RELAY_PREFERENCE = 100, 200
# A router's buffer: what waits longer than this for its turn at the set rate is dropped, as a full queue would.
BUFFER_SECONDS = 0.5
QUEUE_PACKETS = 20_000
# linux/if_tun.h
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


@dataclass(frozen=True)
class Settings:
    """One way from a site to another: delay and jitter in ms, loss in %, rate in Mbit/s (0 = free), sites cut off."""

    delay: float = 0
    jitter: float = 0
    loss: float = 0
    rate: float = 0
    cut: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, top in (("delay", 60_000), ("jitter", 60_000), ("loss", 100), ("rate", 100_000)):
            value = getattr(self, name)
            if not 0 <= value <= top:
                raise LabError(f"WAN {name} {value:g} is not within 0..{top}")

    @property
    def impaired(self) -> bool:
        """Whether packets need more than forwarding."""
        return bool(self.delay or self.jitter or self.loss or self.rate)


def load() -> Settings:
    """Return the settings in force."""
    raw = read_json(SETTINGS) or {}
    return Settings(**{**raw, "cut": tuple(raw.get("cut", ()))})


def change(sites: Sequence[str], *, check: bool = False, **values: Any) -> bool:
    """Change settings while the WAN runs; returns whether they differ from those in force.

    Raises LabError for values out of range, sites that are not up, or a WAN that is not up.
    """
    if not netns_exists(WAN_NETNS) and not check:
        raise LabError("the WAN is not up; bring the networks up first (`network up`)")
    unknown = sorted(set(values.get("cut", ())) - set(sites))
    if unknown:
        raise LabError(f"no site {', '.join(unknown)} to cut off (up: {', '.join(sites)})")
    before = load()
    after = replace(before, **values)
    if check or before == after:
        return before != after
    write_file(SETTINGS, json.dumps(asdict(after)) + "\n")
    apply(sites)
    return True


def apply(sites: Sequence[str]) -> bool:
    """Make the kernel and the relay follow the settings; returns whether they did not yet."""
    settings = load()
    netem = _has_netem() if settings.impaired else False
    relay = settings.impaired and not netem
    changed = _set_netem(sites, settings if netem else None)
    if relay:
        changed |= _start_relay()
    changed |= _set_rules(_wanted_rules(sites, settings, relay=relay))
    if not relay:
        changed |= processes.stop(PID_FILE)
    return changed


def stop() -> None:
    """Stop the relay."""
    processes.stop(PID_FILE)


def status() -> dict[str, Any]:
    """Return the settings, who does the work, and whether all is in force; without a WAN only that it is down."""
    if not netns_exists(WAN_NETNS):
        return {"up": False}
    settings = load()
    relay = processes.running(PID_FILE)
    by = "kernel" if not settings.impaired else "netem" if _has_netem() else "relay"
    return {"up": True, **asdict(settings), "by": by, "relay_pid": relay, "healthy": by != "relay" or relay is not None}


def _ip(*arguments: str, check: bool = True) -> str:
    return run(["ip", "-netns", WAN_NETNS, *arguments], check=check).stdout


def _has_netem() -> bool:
    """Ask the kernel by trying: a built-in or loadable sch_netem shows up nowhere else for certain."""
    command = ["tc", "-netns", WAN_NETNS, "qdisc"]
    found = run([*command, "replace", "dev", "lo", "root", "netem", "delay", "1ms"], check=False).returncode == 0
    if found:
        run([*command, "del", "dev", "lo", "root"], check=False)
    return found


def _set_netem(sites: Sequence[str], settings: Settings | None) -> bool:
    """Set the queue of every link; returns whether one was added or removed (`replace` itself tells nothing)."""
    changed = False
    for site in sites:
        link = f"w-{site}"
        present = "netem" in run(["tc", "-netns", WAN_NETNS, "qdisc", "show", "dev", link], check=False).stdout
        if settings is None:
            if present:
                run(["tc", "-netns", WAN_NETNS, "qdisc", "del", "dev", link, "root"])
                changed = True
            continue
        words = ["delay", f"{settings.delay}ms", f"{settings.jitter}ms", "loss", f"{settings.loss}%"]
        words += ["rate", f"{settings.rate}mbit"] if settings.rate else []
        run(["tc", "-netns", WAN_NETNS, "qdisc", "replace", "dev", link, "root", "netem", *words, "limit", "20000"])
        changed |= not present
    return changed


def _wanted_rules(sites: Sequence[str], settings: Settings, *, relay: bool) -> set[tuple[int, str, int]]:
    """Return the routing rules as (preference, selector, table)."""
    rules = set()
    for site in settings.cut:
        if site in sites:
            rules |= {
                (CUT_PREFERENCE, f"iif w-{site}", CUT_TABLE),
                (CUT_PREFERENCE, f"to {_network_of(site)}", CUT_TABLE),
            }
    if relay:
        rules |= {(RELAY_PREFERENCE, f"iif w-{site}", RELAY_TABLE) for site in sites}
    return rules


def _network_of(site: str) -> str:
    for route in json.loads(_ip("-json", "-4", "route", "show", "dev", f"w-{site}") or "[]"):
        if "gateway" in route:
            return str(route["dst"])
    raise LabError(f"site {site} has no route in {WAN_NETNS}; mend it with `network up`")


def _set_rules(wanted: set[tuple[int, str, int]]) -> bool:
    """Replace our rules by those wanted; returns whether they differed."""
    present = set()
    for rule in json.loads(_ip("-json", "-4", "rule", "show")):
        if rule["priority"] not in (CUT_PREFERENCE, RELAY_PREFERENCE):
            continue
        selector = f"iif {rule['iif']}" if "iif" in rule else f"to {rule['dst']}/{rule['dstlen']}"
        present.add((rule["priority"], selector, int(rule["table"])))
    if any(table == CUT_TABLE for _preference, _selector, table in wanted):
        _ip("route", "replace", "blackhole", "default", "table", str(CUT_TABLE))
    for preference, selector, table in sorted(wanted - present):
        _ip("rule", "add", "pref", str(preference), *selector.split(), "lookup", str(table))
    for preference, selector, table in sorted(present - wanted):
        _ip("rule", "del", "pref", str(preference), *selector.split(), "lookup", str(table))
    return wanted != present


def _start_relay() -> bool:
    """Start the relay, or have the running one read the settings again; returns whether it was started."""
    # Should the relay die, the sites are apart, instead of joined without the delay that a test believes in.
    _ip("route", "replace", "unreachable", "default", "metric", "9999", "table", str(RELAY_TABLE))
    package = str(Path(__file__).resolve().parents[2])
    command = [*in_netns(WAN_NETNS), sys.executable, "-m", "fact8ra_lab.hosts.wan", "--settings", str(SETTINGS)]
    pid, started = processes.start(PID_FILE, LOG_FILE, command, {"PYTHONPATH": package})
    if not started:
        os.kill(pid, signal.SIGHUP)
        return False
    if not wait_until(lambda: TUN in _ip("-brief", "link", "show", "up"), 10):
        processes.stop(PID_FILE)
        raise LabError(f"the WAN relay did not start: {processes.tail(LOG_FILE)}")
    _ip("route", "replace", "default", "dev", TUN, "table", str(RELAY_TABLE))
    return True


class Relay:
    """Takes packets from a descriptor and gives each back when it is due, or never.

    Every destination site (the packet's /24) has its own line at the set rate; the order within a line is kept.
    """

    def __init__(self, settings: Settings, seed: int | None = None) -> None:
        self.settings = settings
        self._random = random.Random(seed)
        self._free_at: dict[bytes, float] = {}
        self._last_due: dict[bytes, float] = {}
        self._queue: list[tuple[float, int, bytes]] = []
        self._count = 0

    def take(self, packet: bytes, now: float) -> None:
        """Queue an IPv4 packet that arrived at `now` (seconds, monotonic), or drop it."""
        settings = self.settings
        if packet[0] >> 4 != 4 or len(self._queue) >= QUEUE_PACKETS:
            return
        if settings.loss and self._random.random() * 100 < settings.loss:
            return
        line = packet[16:19]
        sent = now
        if settings.rate:
            begin = max(now, self._free_at.get(line, now))
            if begin - now > BUFFER_SECONDS:
                return
            sent = begin + len(packet) * 8 / (settings.rate * 1e6)
            self._free_at[line] = sent
        delay = settings.delay + (self._random.uniform(-settings.jitter, settings.jitter) if settings.jitter else 0)
        due = max(sent + max(delay, 0) / 1000, self._last_due.get(line, 0))
        self._last_due[line] = due
        self._count += 1
        heapq.heappush(self._queue, (due, self._count, packet))

    def due(self, now: float) -> list[bytes]:
        """Return the packets whose time has come, in order."""
        packets = []
        while self._queue and self._queue[0][0] <= now:
            packets.append(heapq.heappop(self._queue)[2])
        return packets

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next packet is due; None when none waits."""
        return max(self._queue[0][0] - now, 0) if self._queue else None


def relay(settings_file: Path) -> None:
    """Run the relay in the current namespace until SIGTERM; SIGHUP reads the settings again."""
    import fcntl

    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", TUN.encode(), IFF_TUN | IFF_NO_PI))
    run(["ip", "link", "set", TUN, "mtu", "1500", "txqueuelen", "5000", "up"])

    def read_settings() -> Settings:
        raw = read_json(settings_file)
        return Settings(**{**raw, "cut": tuple(raw["cut"])})

    line = Relay(read_settings())

    def reload(_number: int, _frame: object) -> None:
        try:
            line.settings = read_settings()
        except (LabError, TypeError, KeyError) as error:
            print(f"settings kept, the new ones cannot be read: {error}", flush=True)

    signal.signal(signal.SIGHUP, reload)
    selector = selectors.DefaultSelector()
    selector.register(descriptor, selectors.EVENT_READ)
    while True:
        selector.select(line.wait(time.monotonic()))
        now = time.monotonic()
        for _unused in range(256):  # then send what is due, however much still comes in
            try:
                line.take(os.read(descriptor, 65536), now)
            except BlockingIOError:
                break
        for packet in line.due(time.monotonic()):
            try:
                os.write(descriptor, packet)
            except OSError as error:
                print(f"packet of {len(packet)} bytes not sent: {error}", flush=True)


def main() -> None:
    """Command line of the relay process."""
    parser = argparse.ArgumentParser(prog="fact8ra_lab.hosts.wan", description="The WAN's relay process")
    parser.add_argument("--settings", type=Path, required=True, help="JSON file, read at start and at SIGHUP")
    relay(parser.parse_args().settings)


if __name__ == "__main__":
    main()
