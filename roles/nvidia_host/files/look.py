# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers, in one call on the hypervisor, everything that role nvidia_host must know before it changes it.

Called as ``python3 - REQUEST`` with this file on standard input. REQUEST is JSON::

    {"root": directory that the files are under, "state": path of what the role wrote down of itself, "files": [path],
     "parameters": [kernel parameter that may be wanted]}

Prints JSON: ``family`` (debian, rhel, suse or nothing) and ``distribution``, ``immutable`` (whether /usr and the boot
configuration are not for tools), ``bootloader`` (the tool that writes kernel parameters: update-grub, grubby, pbl or
nothing) and ``loader`` (what the firmware started, if it says so), ``boot`` (kernel parameters in ``all`` entries and
in ``any`` of them), ``initramfs`` (initramfs-tools, dracut or nothing), ``driverctl`` and ``vfio_builtin`` (whether
they are there), ``kvm`` (whether there is the group), ``state``, ``files`` (path to "SHA-256 MODE" of those that are
there, driverctl's with their word in ``overrides``), ``directories`` (of files, those that are not there), ``drivers``
(PCI address to its driver or nothing). Changes nothing.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from typing import Any

_LOADER = "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
_FAMILIES = {"debian": "debian", "ubuntu": "debian", "rhel": "rhel", "fedora": "rhel", "centos": "rhel"}
_FAMILIES.update({"suse": "suse", "opensuse": "suse", "sles": "suse"})


class Host:
    """A host whose files are under a root."""

    def __init__(self, root: str) -> None:
        """Keep the root."""
        self.root = root.rstrip("/")

    def path(self, path: str) -> str:
        """Where a path of the host is."""
        return self.root + path

    def text(self, path: str) -> str:
        """Content of a file, empty when there is none."""
        try:
            with open(self.path(path), encoding="utf-8", errors="replace") as stream:
                return stream.read()
        except OSError:
            return ""

    def has(self, command: str) -> bool:
        """Whether there is a command."""
        return shutil.which(command) is not None

    def run(self, *command: str) -> str:
        """What a command prints; empty when it fails."""
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        except OSError:
            return ""
        return done.stdout if done.returncode == 0 else ""

    def settings(self, path: str) -> dict[str, str]:
        """A file of shell assignments, without quotes."""
        lines = (line.partition("=") for line in self.text(path).splitlines() if not line.startswith("#"))
        return {name.strip(): value.strip().strip("\"'") for name, sign, value in lines if sign}

    def described(self, path: str) -> str:
        """SHA-256 and mode of a file, "other" for something else, and nothing for what is not there."""
        try:
            found = os.lstat(self.path(path))
            if not stat.S_ISREG(found.st_mode):
                return "other"
            with open(self.path(path), "rb") as stream:
                return f"{hashlib.sha256(stream.read()).hexdigest()} {stat.S_IMODE(found.st_mode):04o}"
        except OSError:
            return ""


def family(host: Host) -> tuple[str, str]:
    """The distribution's family and its name; os-release(5)."""
    release = host.settings("/etc/os-release")
    words = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    known = [_FAMILIES[word.partition("-")[0]] for word in words if word.partition("-")[0] in _FAMILIES]
    return (known[0] if known else ""), release.get("PRETTY_NAME", "unknown")


def loader(host: Host) -> str:
    """What the boot loader says of itself to the firmware; GRUB says nothing."""
    try:
        with open(host.path(_LOADER), "rb") as stream:
            return stream.read()[4:].decode("utf-16-le", "replace").strip("\0 ")
    except OSError:
        return ""


def bootloader(host: Host, kind: str, started: str) -> str:
    """The distribution's tool that writes kernel parameters, where it has one that works for this boot loader."""
    if kind == "debian":
        there = host.has("update-grub") and host.described("/boot/grub/grub.cfg") not in ("", "other")
        return "update-grub" if there and not started.startswith("systemd-boot") else ""
    if kind == "rhel":
        return "grubby" if host.has("grubby") else ""
    if kind == "suse":
        chosen = host.settings("/etc/sysconfig/bootloader").get("LOADER_TYPE", "")
        return "pbl" if host.has("pbl") and chosen not in ("", "none") else ""
    return ""


def grub_entries(text: str) -> list[list[str]]:
    """Kernel parameters of each entry of a grub.cfg that starts Linux, but for those to rescue the host."""
    entries = []
    for line in text.splitlines():
        words = line.split()
        starts = len(words) > 1 and words[0] in ("linux", "linuxefi") and "memtest" not in words[1]
        if starts and not {"single", "recovery"} & set(words[2:]):
            entries.append(words[2:])
    return entries


def boot(host: Host, tool: str, parameters: list[str]) -> dict[str, list[str]]:
    """Kernel parameters that the next boot has whatever entry is chosen, and those that some entry has."""
    if tool == "update-grub":
        entries = grub_entries(host.text("/boot/grub/grub.cfg"))
    elif tool == "grubby":
        entries = [words.split() for words in re.findall(r'^args="(.*)"$', host.run("grubby", "--info=ALL"), re.M)]
    elif tool == "pbl":
        said = [name for name in parameters if host.run("pbl", "--get-option", name).strip() == name]
        entries = [said, *grub_entries(host.text("/boot/grub2/grub.cfg"))]
    else:
        entries = []
    found = [set(entry) for entry in entries]
    return {"all": sorted(set.intersection(*found)) if found else [], "any": sorted(set().union(*found))}


def initramfs(host: Host) -> str:
    """What writes the initramfs."""
    if host.has("update-initramfs") and host.has("mkinitramfs"):
        return "initramfs-tools"
    return "dracut" if host.has("dracut") else ""


def drivers(host: Host) -> dict[str, str]:
    """The driver of every PCI device, or nothing."""
    found = {}
    for path in sorted(glob.glob(host.path("/sys/bus/pci/devices/*"))):
        link = f"{path}/driver"
        found[os.path.basename(path)] = os.path.basename(os.readlink(link)) if os.path.islink(link) else ""
    return found


def state(host: Host, path: str) -> Any:
    """What the role wrote down of itself, or nothing; what cannot be read is as good as nothing."""
    try:
        found = json.loads(host.text(path))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a request, see the module's docstring."""
    host = Host(request["root"])
    kind, name = family(host)
    started = loader(host)
    tool = bootloader(host, kind, started)
    known = state(host, request["state"])
    own = (known or {}).get("parameters", [])
    overrides = {
        path[len(host.root) :]: host.text(path[len(host.root) :]).strip()
        for path in glob.glob(host.path("/etc/driverctl.d/pci-*"))
    }
    folders = sorted({"/etc/driverctl.d", *(os.path.dirname(path) for path in request["files"])})
    builtin = host.text(f"/lib/modules/{os.uname().release}/modules.builtin")
    return {
        "family": kind,
        "distribution": name,
        "immutable": os.path.exists(host.path("/run/ostree-booted")) or host.has("transactional-update"),
        "bootloader": tool,
        "loader": started,
        "boot": boot(host, tool, sorted({*request["parameters"], *own})),
        "initramfs": initramfs(host),
        "driverctl": host.has("driverctl"),
        "vfio_builtin": re.search(r"/vfio[-_]pci\.ko", builtin) is not None,
        "kvm": re.search(r"^kvm:", host.text("/etc/group"), re.M) is not None,
        "state": known,
        "files": {path: found for path in [*request["files"], *overrides] if (found := host.described(path))},
        "overrides": overrides,
        "directories": [path for path in folders if not os.path.isdir(host.path(path))],
        "drivers": drivers(host),
    }


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))
