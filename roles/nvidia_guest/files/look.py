# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers, in one call on the node, everything that role nvidia_guest must know of it.

Called as ``python3 - REQUEST`` with this file on standard input. REQUEST is JSON::

    {"packages": [Debian package], "module": name of the package whose version counts,
     "files": [{"path", "sha256", "mode"}], "texts": [path of a file whose text is wanted],
     "sources": path of the role's own package sources, "repository": path of the operator's, "units": [name]}

Prints JSON, see `look`. Changes nothing but what nvidia-smi itself does as root: it loads the driver and makes its
device files. Runs on any Python 3.7.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
from typing import Any

_PCI = "/sys/bus/pci/devices"
_EFI = "/sys/firmware/efi/efivars"
_SECURE_BOOT = f"{_EFI}/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
# What the boot loader shim tells of the keys that its user has enrolled.
_ENROLLED = f"{_EFI}/MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23"
# Where dkms keeps the key that it signs modules with.
_KEY = "/var/lib/dkms/mok.pub"
_COMPONENTS = ("contrib", "non-free", "non-free-firmware")
# Units without an [Install] section cannot be enabled; something else starts them, as udev does in Ubuntu.
_ENABLED = ("enabled", "static", "indirect", "generated")
# Modules as dkms names them for NVIDIA's and Debian's packages, and those that distributions have built (Ubuntu).
_MODULES = (
    "updates/dkms/nvidia.ko*",
    "updates/dkms/nvidia-current*.ko*",
    "updates/dkms/nvidia-tesla*.ko*",
    "**/nvidia.ko*",
)
_LIB = "/lib/modules"
# Seconds for a command; nvidia-smi waits for a card that does not answer.
_PATIENCE = 60
_LOG_LINES = 200


def run(*command: str) -> tuple[int, str, str]:
    """Status, output and errors of a command; 127 when there is none, 124 when it does not end."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_PATIENCE, env=environment)
    except FileNotFoundError:
        return 127, "", f"{command[0]} is not installed"
    except subprocess.TimeoutExpired:
        return 124, "", f"{command[0]} did not end within {_PATIENCE} s"
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def content(path: str) -> bytes:
    """Content of a file, empty when there is none."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def devices() -> list[dict[str, str]]:
    """NVIDIA's display controllers on the bus."""
    found = []
    for path in sorted(glob.glob(f"{_PCI}/*")):
        vendor, device, kind = (content(f"{path}/{name}").decode().strip() for name in ("vendor", "device", "class"))
        if vendor == "0x10de" and kind.startswith("0x03"):
            driver = os.path.basename(os.path.realpath(f"{path}/driver")) if os.path.exists(f"{path}/driver") else ""
            found.append(
                {"address": os.path.basename(path), "device": device[2:], "class": kind[2:6], "driver": driver}
            )
    return found


def secure_boot() -> bool | None:
    """Whether Secure Boot is on; None where there is no UEFI."""
    if not os.path.isdir(os.path.dirname(_EFI)):
        return None
    # Four bytes of attributes come before the value.
    return content(_SECURE_BOOT)[4:5] == b"\x01"


def os_release() -> dict[str, str]:
    """Lines of os-release(5)."""
    lines = content("/etc/os-release").decode(errors="replace").splitlines()
    return {name: value.strip("\"'") for name, separator, value in (line.partition("=") for line in lines) if separator}


def packages(names: list[str]) -> dict[str, dict[str, Any]]:
    """``installed`` version (or empty), ``known`` (whether dpkg has anything of it) and ``available`` versions."""
    found: dict[str, dict[str, Any]] = {name: {"installed": "", "known": False, "available": []} for name in names}
    if not names:
        return found
    listing = "--showformat=${Package} ${db:Status-Abbrev} ${Version}\n"
    for line in run("dpkg-query", "--show", listing, *names)[1].splitlines():
        words = line.split()
        if len(words) != 3 or words[0] not in found:
            continue
        # The second letter tells what is there: n nothing, c configuration files.
        found[words[0]]["known"] = words[1][1] not in "nc"
        if words[1] == "ii":
            found[words[0]].update(installed=words[2], available=[words[2]])
    for line in run("apt-cache", "madison", *names)[1].splitlines():
        words = [word.strip() for word in line.split("|")]
        if len(words) == 3 and words[0] in found and words[1] not in found[words[0]]["available"]:
            found[words[0]]["available"].append(words[1])
    return found


def stanza(entry: str) -> str:
    """Signed-By of an entry of apt's sources ("file:number"), a stanza of a .sources file or a line of a .list file."""
    path, _colon, number = entry.rpartition(":")
    text = content(path).decode(errors="replace")
    # Counted as apt does: comments end no stanza.
    parts = re.split(r"\n[ \t]*\n", text.strip()) if path.endswith(".sources") else text.splitlines()
    parts = [part for part in parts if not path.endswith(".sources") or re.search(r"(?im)^uris:", part)]
    part = parts[int(number) - 1] if number.isdigit() and 0 < int(number) <= len(parts) else ""
    match = re.search(r"(?im)^signed-by:[ \t]*(/\S+)[ \t]*$|signed-by=(/[^\s\]]+)", part)
    return (match[1] or match[2]) if match else ""


def sources(own: str) -> list[dict[str, str]]:
    """Debian's own package sources of the node with their keys; empty when another file offers all components."""
    form = "$(COMPONENT)|$(RELEASE)|$(REPO_URI)|$(SOURCESENTRY)|$(ORIGIN)"
    rows = [
        line.split("|")
        for line in run("apt-get", "indextargets", "--format", form, "Created-By: Packages")[1].splitlines()
    ]
    debian = [row for row in rows if len(row) == 5 and row[4] == "Debian" and row[3].rpartition(":")[0] != own]
    if {row[0] for row in debian} >= set(_COMPONENTS):
        return []
    found: list[dict[str, str]] = []
    for component, release, uri, entry, _origin in debian:
        wanted = {"uri": uri, "release": release, "signed_by": stanza(entry)}
        if component == "main" and wanted not in found:
            found.append(wanted)
    return found


def hosts(but: str) -> list[str]:
    """Hosts of the node's package sources, except of those in a file."""
    rows = [
        line.split("|", 1)
        for line in run("apt-get", "indextargets", "--format", "$(SITE)|$(SOURCESENTRY)", "Created-By: Packages")[
            1
        ].splitlines()
    ]
    found = {row[0] for row in rows if len(row) == 2 and row[1].rpartition(":")[0] != but}
    return sorted(re.sub(r"^\w+://|:\d+$", "", site) for site in found)


def kernel() -> dict[str, Any]:
    """The running kernel, the packages of its headers, and whether there is a module of NVIDIA for it."""
    release = platform.release()
    flavour = re.search(r"-((cloud|rt)-)?(amd64|arm64)$", release)
    built = any(glob.glob(f"{_LIB}/{release}/{name}", recursive=True) for name in _MODULES)
    return {
        "release": release,
        "headers": [f"linux-headers-{release}"] + ([f"linux-headers{flavour[0]}"] if flavour else []),
        "built": built,
    }


def different(wanted: dict[str, str]) -> bool:
    """Whether a file has not its content and mode, or is not root's."""
    try:
        found = os.lstat(wanted["path"])
    except OSError:
        return True
    if not stat.S_ISREG(found.st_mode) or stat.S_IMODE(found.st_mode) != int(wanted["mode"], 8) or found.st_uid:
        return True
    return hashlib.sha256(content(wanted["path"])).hexdigest() != wanted["sha256"]


def units(names: list[str]) -> dict[str, dict[str, bool]]:
    """Whether units are started and enabled."""
    found = {}
    for name in names:
        shown = run("systemctl", "show", "--property=ActiveState,UnitFileState,NeedDaemonReload", name)[1]
        state = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        found[name] = {
            "started": state.get("ActiveState") in ("active", "activating"),
            "enabled": state.get("UnitFileState") in _ENABLED,
            # A masked unit is the operator's wish.
            "known": state.get("UnitFileState") not in (None, "", "masked", "masked-runtime"),
        }
    return found


def smi() -> dict[str, Any]:
    """What nvidia-smi tells; `xml` is empty when it does not answer."""
    if shutil.which("nvidia-smi") is None:
        return {"status": 127, "xml": "", "error": "nvidia-smi is not installed", "list": "", "capabilities": ""}
    status, xml, error = run("nvidia-smi", "-q", "-x")
    answered = status == 0 and "<nvidia_smi_log" in xml
    return {
        "status": status,
        "xml": xml if answered else "",
        # It tells what is wrong on standard output.
        "error": "" if answered else (error.strip() or xml.strip())[:2000],
        "list": run("nvidia-smi", "-L")[1] if answered and "<mig_device>" in xml else "",
        "capabilities": run("nvidia-smi", "--query-gpu=uuid,compute_cap", "--format=csv,noheader")[1]
        if answered
        else "",
    }


def said(unit: str) -> str:
    """Why a unit has failed, in its own words; empty when it has not."""
    if run("systemctl", "is-failed", "--quiet", unit)[0]:
        return ""
    invocation = run("systemctl", "show", "--property=InvocationID", "--value", unit)[1].strip()
    lines = run("journalctl", "--quiet", "--no-pager", "--output=json", f"_SYSTEMD_INVOCATION_ID={invocation}")[1]
    words = [json.loads(line).get("MESSAGE", "") for line in lines.splitlines()]
    return "; ".join(word for word in words if isinstance(word, str))[-600:]


def kernel_log() -> list[str]:
    """Last lines of NVIDIA's driver in the kernel's log since boot."""
    status, text, _error = run("journalctl", "--dmesg", "--boot", "--quiet", "--no-pager", "--output=cat")
    if status or "NVRM" not in text:
        text += run("dmesg")[1]
    return [line for line in text.splitlines() if "NVRM" in line][-_LOG_LINES:]


def look(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a request, see the module's docstring."""
    release, key, cards = os_release(), content(_KEY), devices()
    running = kernel()
    found = packages(request["packages"] + running["headers"])
    return {
        "id": release.get("ID", ""),
        "codename": release.get("VERSION_CODENAME", ""),
        "name": release.get("PRETTY_NAME", ""),
        "machine": platform.machine(),
        "kernel": running["release"],
        "headers": running["headers"],
        "built": running["built"],
        "devices": cards,
        "secure_boot": secure_boot(),
        "signing": "none" if not key else "enrolled" if key in content(_ENROLLED) else "made",
        "loaded": content("/sys/module/nvidia/version").decode().strip(),
        "nouveau": os.path.isdir("/sys/module/nouveau"),
        "packages": found,
        "library": re.sub(r"^\d+:|[-+~].*", "", found.get(request["module"], {"installed": ""})["installed"]),
        "sources": sources(request["sources"]),
        "hosts": hosts(request["repository"]),
        "different": [wanted["path"] for wanted in request["files"] if different(wanted)],
        "texts": {path: content(path).decode(errors="replace") for path in request["texts"]},
        "units": units(request["units"]),
        "said": said("fact8ra-nvidia.service"),
        "smi": smi() if cards else {"status": 0, "xml": "", "error": "", "list": "", "capabilities": ""},
        "kernel_log": kernel_log() if cards else [],
        "supernode": os.path.exists("/etc/systemd/system/flower-superexec-client.service"),
        "runtimes": [name for name in ("docker", "podman") if shutil.which(name)],
        "docker": b'"nvidia"' in content("/etc/docker/daemon.json"),
    }


if __name__ == "__main__":
    print(json.dumps(look(json.loads(sys.argv[1]))))
