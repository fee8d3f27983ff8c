# Stands for what no lab host has: two cards on the bus, a kernel that loads modules, and packages of NVIDIA's driver.
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes a lab host look like a VM with two A100 cards; run on the host as root.

With a version, it puts that in the place of the newest in the repository, of which apt's lists do not know yet.

The packages are real ones that apt installs from a repository in /srv, with the names and versions that Debian 12 had
in November 2026, but with nothing of NVIDIA's in them: the stand-in for nvidia-smi, and programs that do nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path("/srv/nvidia")
NEW, OLD = "535.309.01-0+deb12u1", "535.261.03-1"
LIBRARIES = (
    "libcuda1",
    "libnvidia-cfg1",
    "libnvidia-ml1",
    "libnvidia-ptxjitcompiler1",
    "nvidia-alternative",
    "firmware-nvidia-gsp",
)
NOTHING = "#!/bin/sh\nexit 0\n"
DAEMON = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
# What modprobe does to /sys: the module has the version of its package.
MODPROBE = """#!/bin/sh
echo "$*" >> /var/lib/fake-nvidia/modprobe
[ "$1" = --remove ] && exec rm -rf /sys/module/nouveau
[ "$1" = nvidia ] && [ ! -e /sys/module/nvidia ] && mkdir /sys/module/nvidia && \
    cp /usr/share/fake-nvidia/version /sys/module/nvidia/version
exit 0
"""
JOURNALCTL = """#!/bin/sh
case "$*" in *--dmesg*) exec cat /var/lib/fake-nvidia/kernel.log ;; esac
exec /usr/bin/journalctl "$@"
"""


def package(name: str, version: str, files: dict[str, str]) -> str:
    """Build a package; return its paragraph in the repository's index."""
    tree = Path("/tmp/package")
    shutil.rmtree(tree, ignore_errors=True)
    control = f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: nobody <nobody@example.eu>\n"
    control += "Description: stands for the package of this name\n"
    for path, text in {"/DEBIAN/control": control, **files}.items():
        target = tree / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o755 if "/bin/" in path or "/sbin/" in path else 0o644)
    archive = REPOSITORY / f"{name}_{version}.deb"
    # Uncompressed, as nothing is in it.
    subprocess.run(["dpkg-deb", "-Znone", "--build", str(tree), str(archive)], check=True, stdout=subprocess.DEVNULL)
    data = archive.read_bytes()
    return f"{control}Filename: ./{archive.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n"


def packages(smi: str, newest: str) -> list[str]:
    """The repository's index."""
    kernel = platform.release()
    module = {f"/lib/modules/{kernel}/updates/dkms/nvidia-current.ko": ""}
    made = [package("dkms", "3", {}), package(f"linux-headers-{kernel}", "1", {})]
    made.append(package("nvidia-modprobe", "535.161.07-1", {"/usr/bin/nvidia-modprobe": NOTHING}))
    made.append(
        package("nvidia-persistenced", "535.171.04-1", {"/lib/systemd/system/nvidia-persistenced.service": DAEMON})
    )
    for version in (newest, OLD):
        upstream = version.partition("-")[0]
        made += [package(name, version, {}) for name in LIBRARIES]
        made.append(
            package(
                "nvidia-smi",
                version,
                {"/usr/bin/nvidia-smi": f"#!/usr/bin/python3\n{smi}", "/usr/share/fake-nvidia/version": upstream},
            )
        )
        made.append(package("nvidia-kernel-dkms", version, module))
    # Debian's security archive lacks it.
    made.append(package("nvidia-open-kernel-dkms", OLD, module))
    return made


def system() -> None:
    """What the kernel shows in /sys, and its programs."""
    subprocess.run(["mount", "-o", "remount,rw", "/sys"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/sys/bus/pci/devices"], check=True)
    os.makedirs("/sys/module/nouveau", exist_ok=True)
    for number in (1, 2):
        card = Path(f"/sys/bus/pci/devices/0000:0{number}:00.0")
        card.mkdir()
        for name, text in {"vendor": "0x10de", "device": "0x20b2", "class": "0x030200"}.items():
            (card / name).write_text(f"{text}\n")
    for path, text in {"/usr/local/sbin/modprobe": MODPROBE, "/usr/local/bin/journalctl": JOURNALCTL}.items():
        Path(path).write_text(text)
        os.chmod(path, 0o755)


def state() -> None:
    """What the stand-in for nvidia-smi begins with."""
    place = Path("/var/lib/fake-nvidia")
    place.mkdir(exist_ok=True)
    (place / "kernel.log").write_text("NVRM: loading NVIDIA UNIX x86_64 Kernel Module  535.309.01\n")
    cards = {"driver": "/sys/module/nvidia/version", "cards": 2, "processes": "", "uncorrected": 0, "reset": False}
    cards |= {"mode": [["Disabled", "Disabled"]] * 2, "instances": [[], []]}
    (place / "state.json").write_text(json.dumps(cards))


if __name__ == "__main__":
    shutil.rmtree(REPOSITORY, ignore_errors=True)
    REPOSITORY.mkdir(parents=True)
    (REPOSITORY / "Packages").write_text("\n".join(packages(sys.stdin.read(), (*sys.argv, NEW)[1])))
    if len(sys.argv) == 1:
        source = f"Types: deb\nURIs: file:{REPOSITORY}\nSuites: ./\nTrusted: yes\n"
        Path("/etc/apt/sources.list.d/stand-in.sources").write_text(source)
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        system()
        state()
