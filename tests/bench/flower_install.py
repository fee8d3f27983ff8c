# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Role `flower` on a fresh lab host, next to plain pip with the same wheels on the same kind of host."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml
from measuring import Done, Failed, NotMeasured, Options, command, median, spread, table, verdict
from playbooks import Played

TARGET_SECONDS = 10
WHEELHOUSE = Path("/var/cache/fact8ra-lab/wheelhouse")
# Hosts without OpenNebula are kept there, where `make clean` finds what a killed benchmark left.
_STATE = "/var/lib/fact8ra-lab/molecule"
_SITE = "bench:8"
_SSH_OPTIONS = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR")
# Not part of Flower, but of an environment that `python3 -m venv` makes.
_OF_PIP = {"pip", "setuptools"}


def measure(options: Options) -> None:
    """Measure both.

    Raises:
        NotMeasured: no root, or no wheelhouse.
        Failed: an installation failed, or the two do not have the same packages.
    """
    if os.geteuid() != 0:
        raise NotMeasured("lab hosts need root")
    if not list(WHEELHOUSE.glob("flwr-*.whl")):
        raise NotMeasured(f"{WHEELHOUSE} has no wheel of flwr; `make lab` fills it")
    bench = _Bench(options.root)
    with tempfile.TemporaryDirectory(prefix="fact8ra-bench-") as scratch, bench.network():
        bench.use(Path(scratch))
        fresh, again, packages = [], [], set()
        for _run in range(options.runs):
            with bench.host("role") as address:
                fresh.append(bench.role(address))
                again.append(bench.role(address, converged=True))
                packages = bench.packages(address, "/opt/flower/venv")
        with bench.host("pip") as address:
            copied, installed = bench.pip(address)
            theirs = bench.packages(address, "/opt/pip") - _OF_PIP
    if packages != theirs:
        raise Failed(f"not the same packages: {', '.join(sorted(packages ^ theirs))}")
    role, pip = median(fresh), copied + installed
    megabytes = sum(path.stat().st_size for path in WHEELHOUSE.glob("*.whl")) / 1e6
    print(
        f"{len(packages)} packages of flwr {bench.version}, from a wheelhouse of {megabytes:.0f} MB; a fresh host each"
    )
    rows = [
        ("role flower, whole playbook", len(fresh), role, spread(fresh)),
        ("role flower again, nothing to do", len(again), median(again), spread(again)),
        ("plain pip, wheels copied and installed", 1, pip, ""),
        ("  of it: wheels to the host", 1, copied, ""),
        ("  of it: venv and pip install", 1, installed, ""),
    ]
    table(
        ["what", "runs", "seconds", "range", "of the role's"],
        [[what, runs, f"{seconds:.1f}", extent, f"{seconds / role:.2f}"] for what, runs, seconds, extent in rows],
    )
    print(f"role flower: {verdict(role, TARGET_SECONDS)}; pip takes {pip / role:.1f} times as long")


class _Bench:
    """Lab hosts of this process, and what is done to them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._prefix = f"bench-{os.getpid()}-"
        self._scratch = Path()
        defaults = yaml.safe_load((root / "roles/flower/defaults/main.yml").read_text(encoding="utf-8"))
        self.version: str = defaults["flower_version"]

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Take the site's network down afterwards, unless another benchmark uses it."""
        try:
            yield
        finally:
            self._lab("network", "down", f"--site={_SITE.partition(':')[0]}", "--unused")

    def use(self, scratch: Path) -> None:
        """Write the key and the playbook to a directory of this process."""
        self._scratch = scratch
        key = scratch / "id_ed25519"
        command(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(key)]).succeeded()
        play = {
            "name": "Install the Flower runtime",
            "hosts": "all",
            "gather_facts": False,
            "roles": [{"role": "fact8ra.flower.flower"}],
        }
        (scratch / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")

    @contextlib.contextmanager
    def host(self, name: str) -> Iterator[str]:
        """Boot a fresh host and give its address; it is gone afterwards."""
        prefix = f"--prefix={self._prefix}"
        try:
            key = f"--ssh-key={self._scratch / 'id_ed25519.pub'}"
            booted = self._lab("machine", "up", f"--site={_SITE}", prefix, key, name).succeeded()
            (machine,) = json.loads(booted.output)["machines"]
            yield machine["address"]
        finally:
            self._close_connections()
            self._lab("machine", "down", prefix, name).succeeded()

    def role(self, address: str, *, converged: bool = False) -> float:
        """Play the role; returns seconds from the start of ansible-playbook to its end.

        Raises:
            Failed: it failed, or changed something on a converged host.
        """
        variables = {
            "ansible_host": address,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(self._scratch / "id_ed25519"),
            "ansible_ssh_common_args": " ".join(_SSH_OPTIONS),
            "flower_wheelhouse": str(WHEELHOUSE),
        }
        inventory = self._scratch / "hosts.json"
        inventory.write_text(json.dumps({"all": {"hosts": {"node": variables}}}), encoding="utf-8")
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        done = command(
            [program, "-i", str(inventory), str(self._scratch / "play.yml")],
            cwd=self._root,
            environment={
                "ANSIBLE_LOCAL_TEMP": str(self._scratch / "local"),
                "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._scratch / "cp"),
            },
        ).succeeded()
        changed = Played(done.status, done.output, done.seconds).changed
        if converged and changed:
            raise Failed(f"the second run changed {changed} tasks:\n{done.output}")
        return done.seconds

    def pip(self, address: str) -> tuple[float, float]:
        """Bring the wheels to a host, make an environment, install; returns the seconds of both parts."""
        ssh = shlex.join(self._ssh(address))
        send = (
            f"tar -C {shlex.quote(str(WHEELHOUSE))} -cf - . | {ssh} 'mkdir /root/wheels && tar -C /root/wheels -xf -'"
        )
        copied = command(["bash", "-o", "pipefail", "-c", send]).succeeded()
        install = (
            "python3 -m venv /opt/pip && /opt/pip/bin/pip install --quiet --disable-pip-version-check"
            f" --no-index --find-links /root/wheels flwr=={self.version}"
        )
        return copied.seconds, command([*self._ssh(address), install]).succeeded().seconds

    def packages(self, address: str, venv: str) -> set[str]:
        """Names of the packages in an environment on a host."""
        listed = command([*self._ssh(address), f"ls -d {venv}/lib/python3*/site-packages/*.dist-info"]).succeeded()
        return {Path(line).name.partition("-")[0].lower() for line in listed.output.splitlines()}

    def _ssh(self, address: str) -> list[str]:
        return ["ssh", "-i", str(self._scratch / "id_ed25519"), *_SSH_OPTIONS, f"root@{address}"]

    def _close_connections(self) -> None:
        """End the connections that Ansible keeps open for a minute."""
        for socket in (self._scratch / "cp").glob("*"):
            command(["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "node"])

    def _lab(self, *words: str) -> Done:
        return command(
            [sys.executable, "-m", "fact8ra_lab.hosts", f"--state={_STATE}", *words],
            environment={"PYTHONPATH": str(self._root / "roles/lab/files")},
        )
