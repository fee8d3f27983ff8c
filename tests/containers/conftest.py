# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A SuperLink's and a SuperNode's host of Debian 13, booted, and an image that is made here."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import oci_archive
import playbooks
import pytest
from container_hosts import PATHS, PREPARE, REQUIREMENTS, SITE, SUITE, Hosts, inventory

from fact8ra_lab.hosts import base, network, wheelhouse
from fact8ra_lab.hosts._system import locked
from fact8ra_lab.hosts.machines import Machines, Spec, ssh_answers


@pytest.fixture(scope="session")
def wheels() -> Path:
    """Wheels for the Python of Debian 13."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wheelhouse, "PYTHON_VERSION", "3.13")
        patch.setattr(wheelhouse, "GLIBC_MINOR", 41)
        pip = [str(playbooks.ROOT / ".venv" / "bin" / "pip")]
        return wheelhouse.ensure(PATHS, REQUIREMENTS, pip).directory


@pytest.fixture(scope="session")
def archive(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> oci_archive.Archive:
    """An image with Flower and numpy."""
    with tempfile.TemporaryDirectory(prefix="fact8ra-image-", dir="/dev/shm") as scratch:
        oci_archive.tree(Path(scratch) / "tree", SUITE, wheels, REQUIREMENTS[:2])
        target = tmp_path_factory.mktemp("image") / "flower.tar"
        return oci_archive.write(Path(scratch) / "tree", target, "registry.example.eu/flower", "1.41.0")


@pytest.fixture(scope="session")
def hosts(wheels: Path, archive: oci_archive.Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """The hosts, without any of Flower."""
    directory = tmp_path_factory.mktemp("federation")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / "key")], check=True)
    recipe = base.Recipe(suite=SUITE, packages=(*base.PACKAGES, "crun", "podman"))
    rootfs = base.ensure(PATHS, recipe).rootfs
    machines = Machines(PATHS)
    keys = (directory / "key.pub").read_text()
    addresses = {}
    try:
        for name in ("link", "node"):
            with locked():
                network.up([SITE])
                nic = machines.reserve(f"podman-{name}", network.find(SITE.name), None, rootfs)
            machines.boot(
                Spec(f"podman-{name}", SITE.name, (nic,)), {"SET_HOSTNAME": name, "SSH_PUBLIC_KEY": keys}, rootfs
            )
            deadline = time.monotonic() + 60
            while not ssh_answers(nic.address):
                assert time.monotonic() < deadline, f"{name} does not answer SSH"
                time.sleep(0.1)
            addresses[name] = {"ansible_host": nic.address}
        found = Hosts(directory, archive, inventory(directory, wheels, addresses))
        for name in addresses:
            found.run(name, PREPARE)
        yield found
    finally:
        for name in ("link", "node"):
            machines.destroy(f"podman-{name}")
        network.down([SITE.name])
        shutil.rmtree(PATHS.state, ignore_errors=True)
