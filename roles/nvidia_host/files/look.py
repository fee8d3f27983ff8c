# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers, in one call on the hypervisor, everything that role nvidia_host must know before it changes it.

Called as ``python3 - REQUEST`` with this file on standard input. REQUEST is JSON::

    {"root": directory that the files are under, "state": path of what the role wrote down of itself, "files": [path],
     "parameters": [kernel parameter that may be wanted]}

Prints JSON: ``family`` (debian, rhel, suse or nothing) and ``distribution``, ``immutable`` (whether /usr and the boot
configuration are not for tools), ``bootloader`` (the tool that writes kernel parameters: update-grub, grubby, pbl or
nothing) and ``loader`` (what the firmware started, if it says so), ``boot`` (kernel parameters in ``all`` entries and
in ``any`` of them; entries of other systems do not count), ``command_line_files`` (those that set kernel parameters),
``initramfs`` (initramfs-tools, dracut or nothing), ``driverctl`` and ``vfio_builtin`` (whether they are there),
``nvidia`` (whether NVIDIA's modules are, or are loaded by name at boot), ``kvm`` (whether there is the group) and
``oneadmin`` (whether that user is in it, null without such a user), ``state`` and ``state_error`` (why it makes no
sense, or nothing), ``files`` (path to "SHA-256 MODE" of those that are there, driverctl's with their word in
``overrides``), ``directories`` (of files, those that are not there), ``drivers`` and ``ids`` (PCI address to its
driver or nothing, and to its "vendor:device"). Changes nothing.

It is written for Python 3.6: /usr/bin/python3 of SLES 15 may be called before Ansible has found a later one.
"""

import glob
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from typing import Any, Dict, List, Optional, Set, Tuple

_LOADER = "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
_FAMILIES = {"debian": "debian", "ubuntu": "debian", "rhel": "rhel", "fedora": "rhel", "centos": "rhel"}
_FAMILIES.update({"suse": "suse", "opensuse": "suse", "sles": "suse"})
_STATE = {"binding": False, "phase": False, "devices": True, "overrides": True, "parameters": True}
"""What the role writes down of itself: whether it is a list of texts, or a text."""


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
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8", check=False
            )
        except OSError:
            return ""
        return done.stdout if done.returncode == 0 else ""

    def settings(self, path: str) -> Dict[str, str]:
        """A file of shell assignments, without quotes."""
        lines = (line.partition("=") for line in self.text(path).splitlines() if not line.startswith("#"))
        return {name.strip(): value.strip().strip("\"'") for name, sign, value in lines if sign}

    def matching(self, pattern: str) -> List[str]:
        """Paths that match a pattern of shells, sorted."""
        return sorted(path[len(self.root) :] for path in glob.glob(self.path(pattern)))

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


def family(host: Host) -> Tuple[str, str]:
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


def grub_entries(host: Host, path: str) -> List[List[str]]:
    """Kernel parameters of each entry of a grub.cfg that starts this system, but for those to rescue it.

    Which those are is told by the entry's kernel, whose modules are here, and by its root. Where none can be told,
    all that start Linux are.
    """
    entries = []
    for line in host.text(path).splitlines():
        words = line.split()
        starts = len(words) > 1 and words[0] in ("linux", "linuxefi") and "memtest" not in words[1]
        if starts and not {"single", "recovery"} & set(words[2:]):
            entries.append(words[1:])
    releases = tuple("-" + os.path.basename(found) for found in host.matching("/lib/modules/*"))
    roots = [word for word in host.text("/proc/cmdline").split() if word.startswith("root=")]
    own = [words for words in entries if words[0].endswith(releases) and set(roots) <= set(words)]
    return [words[1:] for words in own or entries]


def boot(host: Host, tool: str, parameters: List[str]) -> Dict[str, List[str]]:
    """Kernel parameters that the next boot has whatever entry is chosen, and those that some entry has."""
    entries: List[List[str]] = []
    if tool == "update-grub":
        entries = grub_entries(host, "/boot/grub/grub.cfg")
    elif tool == "grubby":
        entries = [words.split() for words in re.findall(r'^args="(.*)"$', host.run("grubby", "--info=ALL"), re.M)]
    elif tool == "pbl":
        said = [name for name in parameters if host.run("pbl", "--get-option", name).strip() == name]
        entries = [said, *grub_entries(host, "/boot/grub2/grub.cfg")]
    found = [set(entry) for entry in entries]
    every: Set[str] = set()
    return {"all": sorted(set.intersection(*found)) if found else [], "any": sorted(every.union(*found))}


def command_line_files(host: Host) -> List[str]:
    """Files that set kernel parameters: those of update-grub in the order in which it reads them, and of others."""
    paths = ["/etc/default/grub", *host.matching("/etc/default/grub.d/*.cfg")]
    setting = r"^\s*(export\s+)?GRUB_CMDLINE_LINUX(_DEFAULT)?="
    return [path for path in paths if re.search(setting, host.text(path), re.M)] + host.matching("/etc/kernel/cmdline")


def initramfs(host: Host) -> str:
    """What writes the initramfs."""
    if host.has("update-initramfs") and host.has("mkinitramfs"):
        return "initramfs-tools"
    return "dracut" if host.has("dracut") else ""


def devices(host: Host) -> Tuple[Dict[str, str], Dict[str, str]]:
    """The driver of every PCI device, or nothing, and its ids."""
    bound, ids = {}, {}
    for path in host.matching("/sys/bus/pci/devices/*"):
        link, address = host.path(path) + "/driver", os.path.basename(path)
        bound[address] = os.path.basename(os.readlink(link)) if os.path.islink(link) else ""
        words = [host.text(path + "/" + name).strip().replace("0x", "") for name in ("vendor", "device")]
        ids[address] = ":".join(words)
    return bound, ids


def nvidia(host: Host) -> bool:
    """Whether NVIDIA's modules are there for this kernel, or loaded by name at boot; modules-load.d(5)."""
    named = [host.text(path) for path in ["/etc/modules", *host.matching("/*/modules-load.d/*.conf")]]
    named += [host.text(path) for path in host.matching("/usr/lib/modules-load.d/*.conf")]
    there = host.text(f"/lib/modules/{os.uname().release}/modules.dep")
    return (
        re.search(r"/nvidia\.ko(\.\w+)?:", there) is not None
        or re.search(r"^\s*nvidia([-_]\w+)?\s*$", "\n".join(named), re.M) is not None
    )


def oneadmin(host: Host) -> Optional[bool]:
    """Whether OpenNebula's user, as whom QEMU runs, is in the group kvm; None without such a user."""
    user = re.search(r"^oneadmin:[^:]*:[^:]*:(\d+):", host.text("/etc/passwd"), re.M)
    group = re.search(r"^kvm:[^:]*:(\d+):(.*)$", host.text("/etc/group"), re.M)
    if user is None:
        return None
    return group is not None and (user.group(1) == group.group(1) or "oneadmin" in group.group(2).strip().split(","))


def state(host: Host, path: str) -> Tuple[Optional[Dict[str, Any]], str]:
    """What the role wrote down of itself, or nothing; and why what is there makes no sense, or nothing."""
    if not host.described(path):
        return None, ""
    try:
        found = json.loads(host.text(path))
    except ValueError as error:
        return None, f"is no JSON ({error})"
    if not isinstance(found, dict):
        return None, "is not what the role writes"
    for name, listed in _STATE.items():
        value = found.get(name)
        texts = value if listed and isinstance(value, list) else [value]
        if isinstance(value, list) != listed or not all(isinstance(text, str) for text in texts):
            return None, f"has no {name} as the role writes it"
    return found, ""


def look(request: Dict[str, Any]) -> Dict[str, Any]:
    """Answer a request, see the module's docstring."""
    host = Host(request["root"])
    kind, name = family(host)
    started = loader(host)
    tool = bootloader(host, kind, started)
    known, state_error = state(host, request["state"])
    bound, ids = devices(host)
    own = (known or {}).get("parameters", [])
    overrides = {path: host.text(path).strip() for path in host.matching("/etc/driverctl.d/pci-*")}
    described = {path: host.described(path) for path in [*request["files"], *overrides]}
    folders = sorted({"/etc/driverctl.d", *(os.path.dirname(path) for path in request["files"])})
    builtin = host.text(f"/lib/modules/{os.uname().release}/modules.builtin")
    return {
        "family": kind,
        "distribution": name,
        "immutable": os.path.exists(host.path("/run/ostree-booted")) or host.has("transactional-update"),
        "bootloader": tool,
        "loader": started,
        "boot": boot(host, tool, sorted({*request["parameters"], *own})),
        "command_line_files": command_line_files(host),
        "initramfs": initramfs(host),
        "driverctl": host.has("driverctl"),
        "vfio_builtin": re.search(r"/vfio[-_]pci\.ko", builtin) is not None,
        "nvidia": nvidia(host),
        "kvm": re.search(r"^kvm:", host.text("/etc/group"), re.M) is not None,
        "oneadmin": oneadmin(host),
        "state": known,
        "state_error": state_error,
        "files": {path: found for path, found in described.items() if found},
        "overrides": overrides,
        "directories": [path for path in folders if not os.path.isdir(host.path(path))],
        "drivers": bound,
        "ids": ids,
    }


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))
