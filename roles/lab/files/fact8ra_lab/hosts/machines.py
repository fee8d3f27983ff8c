# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Lab hosts: a booted Debian with systemd as PID 1, addresses on a site's bridges, SSH and OpenNebula's context.

A host is a directory under `<state>/machines` (settings, context, the writable layer over the base) and, while it runs,
a control group `fact8ra-lab/<name>` that holds all of its processes. Mounts and interfaces belong to these processes'
own namespaces, so that nothing of a host can outlive its control group.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import guards, network, processes, segments
from ._system import (
    CGROUP_PARENT,
    LabError,
    Paths,
    cgroup_populated,
    cgroup_root,
    locked,
    memory_cgroup_root,
    netns_exists,
    read_json,
    remove_cgroup,
    remove_tree,
    require,
    run,
    wait_until,
    write_file,
)

START_SECONDS = 30
SHUTDOWN_SECONDS = 60
# systemd(1): SIGRTMIN+4 to PID 1 starts poweroff.target.
POWER_OFF = signal.SIGRTMIN + 4
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,47}")


@dataclass(frozen=True)
class Nic:
    """One interface: bridge on the site, MAC, IPv4 address, prefix length, gateway and DNS server.

    `rules` are those of its security groups, in OpenNebula's form; with None everything passes. With `filter_mac` and
    `filter_ip` the host may send from its own MAC and address alone.
    """

    bridge: str
    mac: str
    address: str
    prefix: int = 24
    gateway: str | None = None
    dns: str | None = None
    rules: tuple[Mapping[str, str], ...] | None = None
    filter_mac: bool = False
    filter_ip: bool = False


@dataclass(frozen=True)
class Spec:
    """What a host is; `memory_mb` (0 = no limit) holds where the kernel offers a memory controller."""

    name: str
    site: str
    nics: tuple[Nic, ...]
    memory_mb: int = 0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise LabError(f"host name `{self.name}`: 1 to 48 lower case letters, digits and hyphens")


class Machines:
    """The hosts of one state directory."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def boot(self, spec: Spec, context: Mapping[str, str], rootfs: Path) -> None:
        """Start a host, new or stopped, and return when its systemd runs (SSH comes about a second later).

        `rootfs` is the base of a new host; one that exists keeps its own. Raises LabError when it does not start.
        """
        require("systemd-nspawn", "unshare", "setsid", "ip", "mount")
        directory = self._directory(spec.name)
        known = read_json(directory / "machine.json")
        if known and self.alive(spec.name):
            return
        lower = Path(known["rootfs"]) if known else rootfs
        if not lower.is_dir():
            raise LabError(f"host {spec.name}: its base system {lower} is gone; destroy the host")
        site = network.find(spec.site)
        for nic in spec.nics:
            segments.ensure(site, nic.bridge, nic.gateway, nic.prefix)
        self._remove_processes(spec.name)
        self._write_settings(spec, lower)
        self._write_disk(directory, spec, context)
        self._start_keeper(spec.name, directory)

    def guard(self, name: str, nics: Sequence[Nic]) -> None:
        """Put other rules in force at a host's interfaces, and keep them for its next boot; no error without a host.

        Raises LabError as `guards.set_guard`.
        """
        machine = read_json(self._directory(name) / "machine.json")
        if machine is None:
            return
        machine["nics"] = [asdict(nic) for nic in nics]
        write_file(self._directory(name) / "machine.json", json.dumps(machine, indent=2) + "\n")
        if self.alive(name):
            for index, nic in enumerate(machine["nics"]):
                guards.set_guard(f"f8-{machine['site']}", host_link(name, index), nic)

    def shutdown(self, name: str, *, hard: bool = False) -> None:
        """Power a host off (`hard`: at once) and keep its disk; no error when it does not run."""
        group = self._cgroup(name)
        end = time.monotonic() + (0 if hard else SHUTDOWN_SECONDS)
        while cgroup_populated(group) and time.monotonic() < end:
            self._signal_power_off(group)  # again and again: before systemd listens for it, the signal is lost
            wait_until(lambda: not cgroup_populated(group), 1)
        self._remove_processes(name)

    def destroy(self, name: str) -> bool:
        """Stop a host at once and remove all of it; returns whether there was one."""
        existed = self.alive(name)
        self._remove_processes(name)
        return remove_tree(self._directory(name)) or existed

    def alive(self, name: str) -> bool:
        """Say whether a host runs (also while it reboots)."""
        return cgroup_populated(self._cgroup(name))

    def list(self, site: str | None = None) -> list[dict[str, Any]]:
        """Return every host, or a site's: name, site, addresses, directory, whether it runs."""
        found = []
        for path in sorted(self._paths.machines.glob("*/machine.json")):
            machine = read_json(path)
            if machine is None or site not in (None, machine["site"]):
                continue
            found.append(
                {
                    "name": machine["name"],
                    "site": machine["site"],
                    "addresses": [nic["address"] for nic in machine["nics"]],
                    "directory": str(path.parent),
                    "running": self.alive(machine["name"]),
                }
            )
        return found

    def names(self) -> set[str]:
        """Return every host that has a directory, whole or not, or processes."""
        with contextlib.suppress(FileNotFoundError):
            return {path.name for path in self._paths.machines.iterdir()}
        return set()

    def reserve(self, name: str, site: network.Site, address: str | None, rootfs: Path) -> Nic:
        """Make a new host's directory with its address, taken from the site's when None; returns its interface.

        Raises LabError when the name or the address is taken.
        """
        with locked():
            others = {machine["name"]: machine for machine in self.list(site.name)}
            taken = {one for machine in others.values() for one in machine["addresses"]}
            if address is None:
                address = str(network.free_address(site, taken))
            if name in self.names() or self.alive(name):
                raise LabError(f"host {name} exists already; take it down first (`machine down {name}`)")
            if address in taken:
                raise LabError(f"host {name}: address {address} is taken on site {site.name}")
            nic = Nic(network.BRIDGE, mac_of(address), address, gateway=str(site.gateway))
            self._write_settings(Spec(name, site.name, (nic,)), rootfs)
        return nic

    def _directory(self, name: str) -> Path:
        return self._paths.machines / name

    @staticmethod
    def _cgroup(name: str) -> Path:
        return cgroup_root() / CGROUP_PARENT / name

    def _remove_processes(self, name: str) -> None:
        """Kill what is left of a host and remove what only the kernel knows of it."""
        _remove_cgroups(name)
        machine = read_json(self._directory(name) / "machine.json")
        if machine and netns_exists(f"f8-{machine['site']}"):
            for index in range(len(machine["nics"])):
                link = ["ip", "-netns", f"f8-{machine['site']}", "link", "del", host_link(name, index)]
                run(link, check=False)  # gone with the host's namespace as a rule; the kernel may not be there yet
                guards.drop_guard(f"f8-{machine['site']}", host_link(name, index))

    @staticmethod
    def _signal_power_off(group: Path) -> None:
        """Ask the host's PID 1 to power off."""
        with contextlib.suppress(FileNotFoundError):
            for pid in (group / "guest/payload/init.scope/cgroup.procs").read_text().split():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    if re.search(r"^NSpid:.*\t1$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE):
                        os.kill(int(pid), POWER_OFF)

    @staticmethod
    def _write_disk(directory: Path, spec: Spec, context: Mapping[str, str]) -> None:
        for name in ("disk/upper", "disk/work", "root", "context"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        (directory / "context").chmod(0o700)
        write_file(directory / "context/one_env", _context_text({**_nic_context(spec.nics), **context}), 0o600)
        identity = directory / "disk/upper/etc/machine-id"
        if not identity.exists():
            write_file(identity, secrets.token_hex(16) + "\n", 0o444)

    def _write_settings(self, spec: Spec, rootfs: Path) -> None:
        settings = {**asdict(spec), "rootfs": str(rootfs)}
        write_file(self._directory(spec.name) / "machine.json", json.dumps(settings, indent=2) + "\n")

    @staticmethod
    def _start_keeper(name: str, directory: Path) -> None:
        """Start the host's keeper in its own session and namespaces, and wait for its word that the host runs."""
        reading, writing = os.pipe()
        package = str(Path(__file__).resolve().parents[2])
        try:
            with (directory / "keeper.log").open("w") as log:
                run_detached(
                    [sys.executable, "-m", "fact8ra_lab.hosts.keeper", str(directory), str(writing)],
                    log.fileno(),
                    keep=writing,
                    environment={**os.environ, "PYTHONPATH": package},
                )
        finally:
            os.close(writing)
        with os.fdopen(reading) as pipe:
            word = pipe.readline().strip()
        if word != "started":
            logs = "\n".join(processes.tail(directory / log) for log in ("keeper.log", "console.log"))
            raise LabError(f"host {name} did not start: {logs}")


def remove_orphans() -> bool:
    """Kill every host of this computer whose directory was removed under it; returns whether there was one."""
    try:
        groups = [path for path in (cgroup_root() / CGROUP_PARENT).iterdir() if path.is_dir()]
    except (LabError, FileNotFoundError):
        return False  # without the control group no host runs
    orphans = [group for group in groups if (home := _home_of(group)) and not (home / "machine.json").exists()]
    for group in orphans:
        _remove_cgroups(group.name)
    return bool(orphans)


def _home_of(group: Path) -> Path | None:
    """Return the directory that a host was started with, by the command line of its systemd-nspawn."""
    with contextlib.suppress(FileNotFoundError):
        for pid in (group / "guest/supervisor/cgroup.procs").read_text().split():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for word in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                    if word.startswith("--directory="):
                        return Path(word.removeprefix("--directory=")).parent
    return None


def _remove_cgroups(name: str) -> None:
    """Kill all processes of a host and remove its control groups; the last host takes the common parents with it."""
    group = cgroup_root() / CGROUP_PARENT / name
    remove_cgroup(group)
    memory = memory_cgroup_root()
    for path in [group.parent, *([memory / CGROUP_PARENT / name, memory / CGROUP_PARENT] if memory else [])]:
        with contextlib.suppress(OSError):
            path.rmdir()


def run_detached(command: Sequence[str], log: int, keep: int, environment: Mapping[str, str]) -> None:
    """Start a command in new mount and network namespaces, reparented so that no caller has to reap it."""
    # Slave: what is unmounted outside, such as a site's namespace, is not held here.
    prefix = ["setsid", "--fork", "unshare", "--mount", "--net", "--propagation", "slave", "--"]
    subprocess.run(
        [*prefix, *command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        pass_fds=(keep,),
        cwd="/",
        env=dict(environment),
        check=True,
        timeout=START_SECONDS,
    )


def host_link(name: str, index: int) -> str:
    """Return the name of a host's interface on the site's side; at most 15 characters, so a digest of the host's."""
    return f"v{hashlib.sha256(name.encode()).hexdigest()[:8]}n{index}"


def mac_of(address: str) -> str:
    """Return the MAC that OpenNebula makes of an IPv4 address with its default prefix 02:00."""
    return "02:00:" + ":".join(f"{octet:02x}" for octet in socket.inet_aton(address))


def _nic_context(nics: Sequence[Nic]) -> dict[str, str]:
    """Return the ETHn_* variables, as OpenNebula adds them with NETWORK=YES."""
    context = {}
    for index, nic in enumerate(nics):
        mask = socket.inet_ntoa((0xFFFFFFFF << (32 - nic.prefix) & 0xFFFFFFFF).to_bytes(4, "big"))
        values = {"MAC": nic.mac, "IP": nic.address, "MASK": mask, "GATEWAY": nic.gateway, "DNS": nic.dns}
        context.update({f"ETH{index}_{key}": value for key, value in values.items() if value})
    return context


def _context_text(context: Mapping[str, str]) -> str:
    """Return the variables as shell lines; names that are none for a shell are left out, as upstream does."""
    return "".join(
        f"export {key}={shlex.quote(value)}\n"
        for key, value in sorted(context.items())
        if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key)
    )


def ssh_answers(address: str, timeout: float = 0.5) -> bool:
    """Say whether sshd at an IPv4 address sends its banner within `timeout` seconds."""
    try:
        with socket.create_connection((address, 22), timeout=timeout) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
