# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The kernel, its command line and the firmware of a host; private to the collection."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu._tree import Tree

SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
"""UEFI's global variable (EFI_GLOBAL_VARIABLE of the specification); efivarfs puts four bytes of attributes first."""

LOCKDOWN = ("none", "integrity", "confidentiality")


@dataclass(frozen=True)
class Kernel:
    """The kernel and the firmware.

    Attributes:
        release: as uname prints it; empty where unknown.
        command_line: as the kernel got it.
        parameters: its words.
        firmware: C(uefi) or C(bios).
        secure_boot: None where the firmware does not say.
        lockdown: None where the kernel has none.
        cpu: C(intel), C(amd) or C(other).
        hardware_virtualization: whether the CPU says that it can run VMs.
        in_vm: whether this host is itself a VM.
        vfio_pci: whether the kernel has the driver; None where its modules are not there to look at.
    """

    release: str
    command_line: str
    parameters: tuple[str, ...]
    firmware: str
    secure_boot: bool | None
    lockdown: str | None
    cpu: str
    hardware_virtualization: bool
    in_vm: bool
    vfio_pci: bool | None

    def settings(self, name: str) -> list[str]:
        """Return the settings that all mentions of a parameter hold, which are separated by commas.

        Dashes and underscores in names of parameters are the same to the kernel (Documentation/admin-guide/
        kernel-parameters.rst).
        """
        words = (word.partition("=") for word in self.parameters)
        return [part for key, _sign, value in words if key.replace("-", "_") == name for part in value.split(",")]


def read(tree: Tree) -> Kernel:
    """Return the kernel and the firmware of a host."""
    release = tree.text("/proc/sys/kernel/osrelease") or ""
    line = tree.text("/proc/cmdline") or ""
    cpu = tree.text("/proc/cpuinfo") or ""
    vendor = re.search(r"^vendor_id\s*:\s*(\S+)", cpu, re.MULTILINE)
    flags = re.search(r"^flags\s*:(.*)$", cpu, re.MULTILINE)
    words = set(flags.group(1).split()) if flags else set()
    brands = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "amd"}
    return Kernel(
        release=release,
        command_line=line,
        parameters=_words(line),
        firmware="uefi" if tree.exists("/sys/firmware/efi") else "bios",
        secure_boot=_secure_boot(tree),
        lockdown=_lockdown(tree),
        cpu=brands.get(vendor.group(1), "other") if vendor else "other",
        hardware_virtualization=bool(words & {"vmx", "svm"}),
        in_vm="hypervisor" in words,
        vfio_pci=_has_vfio_pci(tree, release),
    )


def _words(line: str) -> tuple[str, ...]:
    """Split a command line as the kernel does: double quotes keep spaces; after C(--) come init's own words."""
    try:
        lexer = shlex.shlex(line, posix=True)
        lexer.whitespace_split = True
        lexer.quotes, lexer.escape, lexer.commenters = '"', "", ""
        words = list(lexer)
    except ValueError:
        words = line.split()
    return tuple(words[: words.index("--")] if "--" in words else words)


def _secure_boot(tree: Tree) -> bool | None:
    if not tree.exists("/sys/firmware/efi"):
        return False
    content = tree.raw(SECURE_BOOT)
    if content is None:
        return None
    if len(content) != 5 or content[4] not in (0, 1):
        tree.note(SECURE_BOOT, f"{content[:8].hex()} is not four bytes of attributes and 00 or 01")
        return None
    return content[4] == 1


def _lockdown(tree: Tree) -> str | None:
    path = "/sys/kernel/security/lockdown"
    text = tree.text(path)
    if text is None:
        return None
    chosen = re.search(r"\[(\w+)\]", text)
    if chosen is None or chosen.group(1) not in LOCKDOWN:
        tree.note(path, f"{text[:40]!r} does not mark one of {', '.join(LOCKDOWN)}")
        return None
    return chosen.group(1)


def _has_vfio_pci(tree: Tree, release: str) -> bool | None:
    if tree.exists("/sys/module/vfio_pci") or tree.exists("/sys/bus/pci/drivers/vfio-pci"):
        return True
    for base in (f"/lib/modules/{release}", f"/usr/lib/modules/{release}"):
        known = [tree.text(f"{base}/{name}") for name in ("modules.dep", "modules.builtin")]
        if release and known[0] is not None:
            return any(text is not None and re.search(r"/vfio-pci\.ko", text) for text in known)
    return None
