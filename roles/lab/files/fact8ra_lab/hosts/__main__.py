# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Command line of the lab's hosts: `python3 -m fact8ra_lab.hosts base|network|machine|wan|process ...`.

Prints one JSON object; what went wrong goes to the standard error, without a traceback, with exit status 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from . import base, network, wan
from ._system import LabError, Paths, locked
from .machines import Machines, Spec, ssh_answers

SSH_SECONDS = 30


def _base(options: argparse.Namespace, paths: Paths) -> dict[str, Any]:
    if options.action == "purge":
        return {"changed": base.purge(paths)}
    recipe = base.recipe_from(options.suite, options.mirror, options.package)
    if options.action == "status":
        return {**base.ensure(paths, recipe, check=True).as_dict(), "digest": recipe.digest}
    return {**base.ensure(paths, recipe, check=options.check).as_dict(), "digest": recipe.digest}


def _network(options: argparse.Namespace, paths: Paths) -> dict[str, Any]:
    if options.action == "up":
        wanted = [network.Site.parse(text) for text in options.site] or list(network.DEFAULT_SITES)
        return {"changed": network.up(wanted, check=options.check)}
    if options.action == "down":
        if options.unused:
            used = {machine["site"] for machine in Machines(paths).list()}
            with locked():
                names = [name for name in options.site if name not in used]
        else:
            names = options.site
        return {"changed": network.down(names or None if not options.unused else names, check=options.check)}
    return network.status()


def _machine(options: argparse.Namespace, paths: Paths) -> dict[str, Any]:
    machines = Machines(paths)
    if options.action == "list":
        return {"machines": machines.list(options.site)}
    if options.action == "down":
        return {"changed": sum(machines.destroy(name) for name in options.name) > 0}
    if options.action == "stop":
        for name in options.name:
            machines.shutdown(name, hard=options.hard)
        return {"changed": True}
    return _machine_up(options, paths, machines)


def _machine_up(options: argparse.Namespace, paths: Paths, machines: Machines) -> dict[str, Any]:
    started = time.monotonic()
    keys = options.ssh_key.read_text() if options.ssh_key else ""
    if "PRIVATE KEY" in keys:
        raise LabError(f"{options.ssh_key} is a private key; --ssh-key takes the public one (.pub)")
    rootfs = base.ensure(paths, base.recipe_from(base.Recipe.suite, base.Recipe.mirror, ())).rootfs
    name, _, index = options.site.partition(":")
    if index:
        network.up([network.Site.parse(options.site)])
    site = network.find(name)
    nic = machines.reserve(options.name, site, options.address, rootfs)
    context = {"SET_HOSTNAME": options.hostname or options.name, "SSH_PUBLIC_KEY": keys}
    try:
        machines.boot(Spec(options.name, site.name, (nic,), options.memory), context, rootfs)
        while not options.no_wait and not ssh_answers(nic.address):
            if time.monotonic() - started > SSH_SECONDS + 60 or not machines.alive(options.name):
                raise LabError(f"host {options.name} does not answer SSH at {nic.address}; see its console.log")
            time.sleep(0.05)
    except LabError:
        machines.destroy(options.name)
        raise
    return {
        "changed": True,
        "name": options.name,
        "site": site.name,
        "address": nic.address,
        "seconds": round(time.monotonic() - started, 2),
    }


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
    part.add_argument("--suite", default=base.Recipe.suite)
    part.add_argument("--mirror", default=base.Recipe.mirror)
    part.add_argument("--package", action="append", default=[], help="a further Debian package")
    part.set_defaults(handler=_base)

    part = parts.add_parser("network", help="the sites' networks")
    part.add_argument("action", choices=["up", "down", "status"])
    part.add_argument("--site", action="append", default=[], help="up: NAME:NUMBER; down: NAME; default all")
    part.add_argument("--unused", action="store_true", help="down: keep sites that have machines")
    part.set_defaults(handler=_network)

    part = parts.add_parser("machine", help="hosts without OpenNebula")
    actions = part.add_subparsers(dest="action", required=True)
    action = actions.add_parser("up")
    action.add_argument("name")
    action.add_argument("--site", required=True, help="NAME of a site that is up, or NAME:NUMBER to bring it up")
    action.add_argument("--address", help="IPv4 address on the site (default: the first that is free)")
    action.add_argument("--ssh-key", type=Path, help="file of public keys for root")
    action.add_argument("--hostname", help="default: the name")
    action.add_argument("--memory", type=int, default=0, help="MB; 0 = no limit")
    action.add_argument("--no-wait", action="store_true", help="do not wait for SSH")
    action = actions.add_parser("down")
    action.add_argument("name", nargs="+")
    action = actions.add_parser("stop")
    action.add_argument("name", nargs="+")
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
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
