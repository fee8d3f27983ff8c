# A card on the bus and the running kernel's headers are stand-ins; Debian's packages and their build are real.
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Role nvidia_guest with the packages of Debian itself, up to the modules that dkms builds; needs a mirror of Debian.

The host is a lab host, which shares the kernel of this computer, so that the modules are built for Debian's newest
kernel and cannot be loaded: the role must say so at its end. Takes five minutes on two cores, most of it the
compiler's, and 1.5 GB of disk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playbooks import ROOT

_OPTIONS = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
_PREPARE = r"""
set -eu
mount -o remount,rw /sys
mkdir -p /sys/module
mount -t tmpfs tmpfs /sys/bus/pci/devices
mkdir /sys/bus/pci/devices/0000:01:00.0
cd /sys/bus/pci/devices/0000:01:00.0
echo 0x10de > vendor; echo 0x20b2 > device; echo 0x030200 > class
# A lab host has no way out; what apt fetches goes through this SSH connection.
echo 'Acquire::http::Proxy "socks5h://127.0.0.1:1080";' > /etc/apt/apt.conf.d/90test
cat > /etc/apt/sources.list.d/debian.sources <<END
Types: deb
URIs: http://deb.debian.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
apt-get update -qq
package=linux-headers-$(uname -r)
mkdir -p /tmp/headers/DEBIAN
cat > /tmp/headers/DEBIAN/control <<END
Package: $package
Version: 1
Architecture: amd64
Maintainer: nobody <nobody@example.eu>
Depends: linux-headers-amd64
Description: stands for the headers of the kernel of this computer
END
dpkg-deb --build /tmp/headers /tmp/headers.deb > /dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends /tmp/headers.deb > /dev/null
"""
_PLAY = [{"hosts": "node", "gather_facts": False, "roles": [{"role": "fact8ra.flower.nvidia_guest"}]}]


class Node:
    """The host: commands on it, and the role."""

    def __init__(self, place: Path) -> None:
        """Boot it, with a way out through this computer."""
        self.place = place
        self.key = place / "id_ed25519"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)], check=True)
        up = self.hosts("machine", "up", "gpkg", "--site=gpkg:58", f"--ssh-key={self.key}.pub")
        self.address = json.loads(up)["machines"][0]["address"]
        self.way = subprocess.Popen(["ssh", "-N", "-R", "1080", *self.options(), f"root@{self.address}"])
        self.run(_PREPARE)

    def hosts(self, *words: str) -> str:
        """Call the lab's command."""
        command = [sys.executable, "-m", "fact8ra_lab.hosts", f"--state={self.place / 'state'}", *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "roles" / "lab" / "files")}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    def options(self) -> list[str]:
        """Options of ssh."""
        return ["-i", str(self.key), *_OPTIONS]

    def run(self, command: str) -> str:
        """Output of a shell command on the host."""
        done = subprocess.run(
            ["ssh", *self.options(), f"root@{self.address}", "bash", "-s"],
            input=command,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def play(self, **variables: object) -> str:
        """Play the role; what it printed, whether it failed or not."""
        host = {
            "ansible_host": self.address,
            "ansible_user": "root",
            "ansible_ssh_common_args": " ".join(self.options()),
            "ansible_python_interpreter": "/usr/bin/python3",
            "one_pci": [{"vendor": "10de", "device": "20b2", "class": "0302"}],
            **variables,
        }
        (self.place / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": {"node": host}}}))
        (self.place / "play.yml").write_text(yaml.safe_dump(_PLAY))
        ansible = str(Path(sys.executable).with_name("ansible-playbook"))
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
        environment["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / ".collections")
        command = [ansible, "-i", "inventory.yml", "play.yml"]
        done = subprocess.run(
            command, cwd=self.place, env=environment, capture_output=True, text=True, check=False, timeout=1500
        )
        # Long messages are wrapped.
        return " ".join((done.stdout + done.stderr).split())

    def remove(self) -> None:
        """Take the host away."""
        self.way.terminate()
        self.way.wait()
        self.hosts("machine", "down", "--all")
        self.hosts("network", "down", "--site", "gpkg")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The host."""
    made = Node(tmp_path_factory.mktemp("packages"))
    try:
        yield made
    finally:
        made.remove()


def _versions(node: Node) -> dict[str, str]:
    listing = "dpkg-query --show --showformat='${Package} ${db:Status-Abbrev} ${Version}\\n' '*nvidia*' libcuda1"
    # It fails when it knows none of them.
    rows = [line.split() for line in node.run(f"{listing} || true").splitlines()]
    return {row[0]: row[2] for row in rows if row[1] == "ii"}


def test_a_card_of_tomorrow_is_refused_before_anything_is_installed(node: Node) -> None:
    change = "echo {} > /sys/bus/pci/devices/0000:01:00.0/device"
    node.run(change.format("0x2901"))
    printed = node.play()
    node.run(change.format("0x20b2"))
    assert "branch 535 does not know the card 10de:2901 (Blackwell), which needs branch 570 or newer" in printed
    assert "changed=0" in printed
    assert "libcuda1" not in _versions(node)


def test_modules_are_built_and_of_one_version_with_the_libraries(
    node: Node, record_property: pytest.RecordProperty, capsys: pytest.CaptureFixture[str]
) -> None:
    before, begin = int(node.run("df --output=used -k / | tail -1")), time.monotonic()
    printed = node.play()
    seconds, megabytes = time.monotonic() - begin, (int(node.run("df --output=used -k / | tail -1")) - before) // 1024
    record_property("seconds", round(seconds))
    record_property("megabytes", megabytes)
    with capsys.disabled():
        print(f"\nDebian's driver: installed and built in {seconds:.0f} s, {megabytes} MB")

    # Nothing but the loading has failed.
    assert (
        "no NVIDIA driver is loaded for 0000:01:00.0 (10de:20b2), and none was built for the running kernel" in printed
    )
    versions = _versions(node)
    upstream = versions["nvidia-kernel-dkms"].partition("-")[0]
    for name in ("libcuda1", "nvidia-smi", "libnvidia-ml1", "nvidia-alternative", "firmware-nvidia-gsp"):
        assert versions[name].startswith(f"{upstream}-"), (name, versions)
    built = node.run("ls /lib/modules/*/updates/dkms/nvidia-current.ko").split()
    assert built
    for module in built:
        kernel = module.split("/")[3]
        shown = dict(
            line.split(maxsplit=1) for line in node.run(f"/sbin/modinfo {module}").splitlines() if ": " in line
        )
        assert shown["vermagic:"].split()[0] == kernel
        assert shown["version:"] == upstream
        # dkms signs what it builds; Secure Boot asks for the key that it made.
        assert shown["signer:"] == "DKMS module signing key"
    assert "nvidia-smi has failed" in node.run("nvidia-smi 2>&1 || true").replace("NVIDIA-SMI", "nvidia-smi")


def test_an_upgrade_does_not_part_them(node: Node) -> None:
    planned = node.run("apt-get --simulate --quiet dist-upgrade")
    assert not [line for line in planned.splitlines() if line.startswith("Inst") and "nvidia" in line]
    assert "1001" in node.run("apt-cache policy libcuda1")


def test_a_second_run_installs_nothing(node: Node) -> None:
    versions, printed = _versions(node), node.play()
    assert "no NVIDIA driver is loaded" in printed
    assert _versions(node) == versions
    assert "Install the packages, which builds" not in printed or "skipping" in printed
