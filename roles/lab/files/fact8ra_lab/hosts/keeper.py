# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The process that keeps one lab host: mounts, interfaces, systemd-nspawn, and the host's reboots.

Runs in mount and network namespaces of its own (see `machines.run_detached`), so that all it sets up ends with it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import guards
from ._system import (
    CGROUP_PARENT,
    LabError,
    cgroup_populated,
    cgroup_root,
    memory_cgroup_root,
    read_json,
    remove_tree,
    run,
    wait_until,
)
from .machines import START_SECONDS, host_link

# systemd-nspawn(1): the container asked for a reboot; with --keep-unit its caller has to start it again.
REBOOT = 133
NSPAWN_RUNTIME = Path("/run/systemd/nspawn")


def keep(directory: Path, report: int) -> int:
    """Run the host of a directory until it powers off; write `started` to descriptor `report` once systemd runs."""
    machine: dict[str, Any] = read_json(directory / "machine.json")
    name = machine["name"]
    _enter_cgroups(name, int(machine["memory_mb"]))
    _mount(directory, machine["rootfs"])
    group = Path("/sys/fs/cgroup") / CGROUP_PARENT / name
    with (directory / "console.log").open("ab") as console:
        _make_links(machine)
        process = _start(directory, machine, group, console.fileno())
        if not wait_until(lambda: process.poll() is not None or _runs(group), START_SECONDS) or not _runs(group):
            process.kill()
            return process.wait() or 1
        os.write(report, b"started\n")
        os.close(report)
        while process.wait() == REBOOT:
            _make_links(machine)
            process = _start(directory, machine, group, console.fileno())
    return process.returncode


def _runs(group: Path) -> bool:
    """Say whether the host's PID 1 has a control group of its own, the first thing that systemd makes."""
    return cgroup_populated(group / "guest/payload/init.scope")


def _enter_cgroups(name: str, memory_mb: int) -> None:
    """Put this process into the host's control group, with the memory limit where a controller allows one."""
    parent = cgroup_root() / CGROUP_PARENT
    group = parent / name
    for leaf in ("keeper", "guest"):
        (group / leaf).mkdir(parents=True, exist_ok=True)
    (group / "keeper/cgroup.procs").write_text(str(os.getpid()))
    if not memory_mb:
        return
    limit = str(memory_mb * 1024 * 1024)
    legacy = memory_cgroup_root()
    if legacy is not None:
        (legacy / CGROUP_PARENT / name).mkdir(parents=True, exist_ok=True)
        (legacy / CGROUP_PARENT / name / "memory.limit_in_bytes").write_text(limit)
        (legacy / CGROUP_PARENT / name / "cgroup.procs").write_text(str(os.getpid()))
    else:
        with contextlib.suppress(OSError):  # a computer without the controller has no limit to set
            (parent / "cgroup.subtree_control").write_text("+memory")
            (group / "memory.max").write_text(limit)


def _mount(directory: Path, rootfs: str) -> None:
    """Mount the host's disk, and the views of /sys that systemd-nspawn needs in this namespace."""
    disk = directory / "disk"
    # `volatile` spares every sync of the guest, 10 ms each on some disks; its mark would refuse the next mount.
    remove_tree(disk / "work/work/incompat/volatile")
    options = f"lowerdir={rootfs},upperdir={disk / 'upper'},workdir={disk / 'work'},volatile"
    run(["mount", "-t", "overlay", "overlay", "-o", options, str(directory / "root")])
    # Of this network namespace, and read-only: else nspawn waits for an udev that never sees these interfaces.
    run(["mount", "-t", "sysfs", "-o", "ro", "sysfs", "/sys"])
    run(["mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup"])
    # nspawn leaves locks and propagation directories there when it is killed.
    NSPAWN_RUNTIME.mkdir(parents=True, exist_ok=True)
    run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(NSPAWN_RUNTIME)])


def _make_links(machine: dict[str, Any]) -> None:
    """Make eth0, eth1, ... in this namespace, each with its other end on a bridge of the site."""
    site = f"f8-{machine['site']}"
    for index, nic in enumerate(machine["nics"]):
        link = host_link(machine["name"], index)
        run(["ip", "-netns", site, "link", "del", link], check=False)  # the last boot's, when the kernel still has it
        guards.set_guard(site, link, nic)
        lines = [
            f"link add {link} master {nic['bridge']} type veth"
            f" peer name eth{index} address {nic['mac']} netns {os.getpid()}",
            f"link set {link} up",
        ]
        run(["ip", "-netns", site, "-batch", "-"], stdin="\n".join(lines) + "\n")


def _start(directory: Path, machine: dict[str, Any], group: Path, console: int) -> subprocess.Popen[bytes]:
    command = [
        "systemd-nspawn",
        "--quiet",
        "--settings=no",
        "--register=no",
        "--keep-unit",
        "--boot",
        f"--directory={directory / 'root'}",
        f"--machine={machine['name']}",
        *(f"--network-interface=eth{index}" for index in range(len(machine["nics"]))),
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--console=read-only",
        f"--bind-ro={directory / 'context'}:/run/one-context",
        *(["--bind=/dev/net/tun"] if Path("/dev/net/tun").exists() else []),
    ]

    def enter() -> None:
        (group / "guest/cgroup.procs").write_text(str(os.getpid()))

    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, preexec_fn=enter)


def main() -> int:
    """Command line: the host's directory and the descriptor to report on."""
    try:
        return keep(Path(sys.argv[1]), int(sys.argv[2]))
    except (LabError, OSError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
