# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Command line of the lab's hosts: `python3 -m fact8ra_lab.hosts base|cache|network|machine|wan|standin|down ...`.

Prints one JSON object, `connect` what the host sends; what went wrong goes to the standard error, without a traceback,
with exit status 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from . import base, network, segments, wan, wheelhouse
from ._system import LabError, Paths, locked, remove_tree
from .machines import Machines, Spec, remove_orphans, ssh_answers
from .standins import Cloud, Device, Image, StandIns

SSH_SECONDS = 30


def _base(options: argparse.Namespace, paths: Paths) -> dict[str, Any]:
    if options.action == "purge":
        return {"changed": base.purge(paths)}
    return base.ensure(paths, _recipe(options), check=options.check or options.action == "status").as_dict()


def _recipe(options: argparse.Namespace) -> base.Recipe:
    return base.Recipe(mirror=options.mirror) if options.mirror else base.Recipe()


def _cache(options: argparse.Namespace, paths: Paths) -> dict[str, Any]:
    """Fill base system and wheelhouse side by side: one needs the processor, the other the network."""
    pip = options.pip.split()
    with ThreadPoolExecutor(max_workers=2) as pool:
        built = pool.submit(base.ensure, paths, _recipe(options), check=options.check)
        filled = pool.submit(wheelhouse.ensure, paths, options.requirement, pip, check=options.check)
        parts = {"base": built.result().as_dict(), "wheelhouse": filled.result().as_dict()}
    return {"changed": any(part["changed"] for part in parts.values()), **parts}


def _standin(options: argparse.Namespace, paths: Paths) -> dict[str, Any]:
    standins = StandIns(paths)
    if options.action == "down":
        return {"changed": standins.down(check=options.check)}
    wanted = [network.Site.parse(text) for text in options.site] or list(network.DEFAULT_SITES)
    tenant, *more = options.tenant or [Cloud.tenant]
    cloud = Cloud(
        tenant,
        options.image,
        options.image_size,
        options.cpus,
        options.memory,
        tuple(more),
        tuple(Device.parse(text) for text in options.pci),
        tuple(Image.parse(text) for text in options.offer),
    )
    return standins.up(wanted, cloud, check=options.check)


def _down(options: argparse.Namespace, paths: Paths) -> dict[str, Any]:
    """Take down the lab of this state directory, whole or not, and what killed tests left on this computer."""
    changed = StandIns(paths).down(check=options.check)
    sites = set(options.site)
    for state in (paths.state, paths.state / "molecule"):
        machines = Machines(Paths(state, paths.cache))
        names = machines.names()
        sites |= {machine["site"] for machine in machines.list()}
        changed |= bool(names)
        if not options.check:
            with ThreadPoolExecutor(max_workers=8) as pool:
                list(pool.map(machines.destroy, names))
    if not options.check:
        changed |= remove_orphans()
    changed |= network.down(sorted(sites | network.idle()), check=options.check)
    for path in [paths.state, *([paths.cache] if options.purge_cache else [])]:
        changed |= path.exists() if options.check else remove_tree(path)
    return {"changed": changed}


def _network(options: argparse.Namespace, paths: Paths) -> dict[str, Any]:
    if options.action == "up":
        wanted = [network.Site.parse(text) for text in options.site] or list(network.DEFAULT_SITES)
        return {"changed": network.up(wanted, check=options.check)}
    if options.action == "down":

        def in_use() -> set[str]:
            return {machine["site"] for machine in Machines(paths).list()} if options.unused else set()

        return {"changed": network.down(options.site or None, in_use=in_use, check=options.check)}
    return network.status()


def _connect(options: argparse.Namespace, paths: Paths) -> None:
    segments.connect(options.site, options.bridge, options.host, options.port)


def _machine(options: argparse.Namespace, paths: Paths) -> dict[str, Any]:
    machines = Machines(paths)
    if options.action == "list":
        return {"machines": machines.list(options.site)}
    if options.action == "down":
        names = sorted(machines.names()) if options.all else [options.prefix + name for name in options.name]
        return {"changed": sum(machines.destroy(name) for name in names) > 0}
    if options.action == "stop":
        for name in options.name:
            machines.shutdown(options.prefix + name, hard=options.hard)
        return {"changed": True}
    return _machine_up(options, paths, machines)


def _machine_up(options: argparse.Namespace, paths: Paths, machines: Machines) -> dict[str, Any]:
    started = time.monotonic()
    keys = options.ssh_key.read_text() if options.ssh_key else ""
    if "PRIVATE KEY" in keys:
        raise LabError(f"{options.ssh_key} is a private key; --ssh-key takes the public one (.pub)")
    if options.address and len(options.name) > 1:
        raise LabError(f"--address {options.address} is for one host; leave it out for {len(options.name)} hosts")
    rootfs = base.ensure(paths, base.Recipe()).rootfs
    name, _separator, index = options.site.partition(":")
    made: list[str] = []

    def boot(hostname: str, spec: Spec) -> dict[str, Any]:
        machines.boot(spec, {"SET_HOSTNAME": hostname, "SSH_PUBLIC_KEY": keys}, rootfs)
        address = spec.nics[0].address
        while not options.no_wait and not ssh_answers(address):
            if time.monotonic() - started > SSH_SECONDS or not machines.alive(spec.name):
                raise LabError(f"host {spec.name} does not answer SSH at {address}; see its console.log")
            time.sleep(0.05)
        return {"name": spec.name, "hostname": hostname, "site": spec.site, "address": address}

    try:
        specs = {}
        with locked():  # a site that somebody takes down when unused counts as used from here on
            if index:
                network.up([network.Site.parse(options.site)])
            site = network.find(name)
            for hostname in options.name:
                nic = machines.reserve(options.prefix + hostname, site, options.address, rootfs)
                made.append(options.prefix + hostname)
                specs[hostname] = Spec(options.prefix + hostname, site.name, (nic,), options.memory)
        with ThreadPoolExecutor(max_workers=8) as pool:
            booted = list(pool.map(boot, specs, specs.values()))
    except LabError:
        for one in made:
            machines.destroy(one)
        raise
    return {"changed": True, "machines": booted, "seconds": round(time.monotonic() - started, 2)}


def _wan(options: argparse.Namespace, paths: Paths) -> dict[str, Any]:
    up = [site.name for site in network.sites()]
    with locked():
        if options.action == "set":
            values = {key: getattr(options, key) for key in ("delay", "jitter", "loss", "rate")}
            given = {key: value for key, value in values.items() if value is not None}
            return {"changed": wan.change(up, check=options.check, **given), **wan.status()}
        if options.action == "cut":
            return {"changed": wan.change(up, check=options.check, cut=tuple(options.site or up)), **wan.status()}
        if options.action == "restore":
            return {"changed": wan.change(up, check=options.check, cut=()), **wan.status()}
    return wan.status()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m fact8ra_lab.hosts", description="Booted hosts of the lab")
    parser.add_argument("--state", type=Path, default=Paths.state, help="state directory (default: %(default)s)")
    parser.add_argument("--cache", type=Path, default=Paths.cache, help="cache directory (default: %(default)s)")
    parser.add_argument("--check", action="store_true", help="change nothing, say what would change")
    parts = parser.add_subparsers(dest="part", required=True)

    part = parts.add_parser("base", help="the base system, built once")
    part.add_argument("action", choices=["build", "status", "purge"])
    part.add_argument("--mirror", help="Debian mirror")
    part.set_defaults(handler=_base)

    part = parts.add_parser("cache", help="base system and wheelhouse, made once")
    part.add_argument("action", choices=["fill"])
    part.add_argument("--mirror", help="Debian mirror")
    part.add_argument("--requirement", action="append", required=True, help="a pinned requirement of the wheelhouse")
    part.add_argument("--pip", default=f"{sys.executable} -m pip", help="command (default: %(default)s)")
    part.set_defaults(handler=_cache)

    part = parts.add_parser("standin", help="the stand-in OpenNebula of each site")
    part.add_argument("action", choices=["up", "down"])
    part.add_argument("--site", action="append", default=[], help="NAME:NUMBER or NAME:NUMBER:nat")
    part.add_argument("--tenant", action="append", default=[], help=f"user and group (default: {Cloud.tenant})")
    part.add_argument("--image", default=Cloud.image)
    part.add_argument("--image-size", type=int, default=Cloud.image_mb, help="MB")
    part.add_argument("--cpus", type=int, default=Cloud.cpus, help="of the one host of a site")
    part.add_argument("--memory", type=int, default=Cloud.memory_mb, help="MB of the one host of a site")
    part.add_argument(
        "--pci",
        action="append",
        default=[],
        help="SITE=VENDOR:DEVICE:CLASS@BUS/NODE: a device of its host, in the books only",
    )
    part.add_argument(
        "--offer",
        action="append",
        default=[],
        metavar="NAME=DIRECTORY",
        help="a further image, whose VMs boot this root file system",
    )
    part.set_defaults(handler=_standin)

    part = parts.add_parser("down", help="everything: stand-ins, machines, networks, state")
    part.add_argument("--site", action="append", default=[], help="NAME of a site of this lab")
    part.add_argument("--purge-cache", action="store_true", help="base system and wheelhouse too")
    part.set_defaults(handler=_down)

    part = parts.add_parser("network", help="the sites' networks")
    part.add_argument("action", choices=["up", "down", "status"])
    part.add_argument(
        "--site", action="append", default=[], help="up: NAME:NUMBER or NAME:NUMBER:nat; down: NAME; default all"
    )
    part.add_argument("--unused", action="store_true", help="down: keep sites that have machines")
    part.set_defaults(handler=_network)

    part = parts.add_parser("connect", help="join input and output with a port of a host on a further bridge")
    part.add_argument("site")
    part.add_argument("bridge")
    part.add_argument("host")
    part.add_argument("port", type=int)
    part.set_defaults(handler=_connect)

    part = parts.add_parser("machine", help="hosts without OpenNebula")
    actions = part.add_subparsers(dest="action", required=True)
    action = actions.add_parser("up")
    action.add_argument("name", nargs="+", help="also the host name")
    action.add_argument("--prefix", default="", help="put before the names to tell machines of one name apart")
    action.add_argument("--site", required=True, help="NAME of a site that is up, or NAME:NUMBER to bring it up")
    action.add_argument("--address", help="IPv4 address on the site (default: the first that is free)")
    action.add_argument("--ssh-key", type=Path, help="file of public keys for root")
    action.add_argument("--memory", type=int, default=0, help="MB; 0 = no limit")
    action.add_argument("--no-wait", action="store_true", help="do not wait for SSH")
    action = actions.add_parser("down")
    action.add_argument("name", nargs="*")
    action.add_argument("--prefix", default="")
    action.add_argument("--all", action="store_true", help="every machine of the state directory")
    action = actions.add_parser("stop")
    action.add_argument("name", nargs="+")
    action.add_argument("--prefix", default="")
    action.add_argument("--hard", action="store_true")
    action = actions.add_parser("list")
    action.add_argument("--site")
    part.set_defaults(handler=_machine)

    part = parts.add_parser("wan", help="what lies between the sites")
    actions = part.add_subparsers(dest="action", required=True)
    action = actions.add_parser("set")
    for name, unit in (("delay", "ms one way"), ("jitter", "ms"), ("loss", "%%"), ("rate", "Mbit/s, 0 = free")):
        action.add_argument(f"--{name}", type=float, help=unit)
    action = actions.add_parser("cut")
    action.add_argument("--site", action="append", help="cut off this site alone (default: every one)")
    actions.add_parser("restore")
    actions.add_parser("status")
    part.set_defaults(handler=_wan)
    return parser


def main() -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args()
    try:
        result = options.handler(options, Paths(options.state, options.cache))
    except LabError as error:
        print(f"fact8ra_lab: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"fact8ra_lab: {error.strerror}: {error.filename or ''}", file=sys.stderr)
        return 1
    if result is not None:
        print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
