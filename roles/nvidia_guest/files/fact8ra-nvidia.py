# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes the GPUs of this node ready for the apps of Flower, at boot and when role nvidia_guest asks for it.

Started by fact8ra-nvidia.service. Apps may neither load modules nor make device files, so that all of it has to be
there before them: the driver, its device files, the MIG instances that /etc/fact8ra/nvidia.json names, and the
specification for containers (CDI). What is there already is left alone: instances are compared by their profiles, and
none is made or taken away on a card that is in use. Exits with 1 and one line for each card on which something failed.
"""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
import sys
from collections import Counter
from typing import Any

CONFIGURATION = "/etc/fact8ra/nvidia.json"
# Drivers that the kernel has since the last change; whoever was started before it may open none of their devices.
DRIVERS = "/run/fact8ra-nvidia"
_KERNEL = "/proc/devices"
_CAPABILITIES = "/proc/driver/nvidia/capabilities/gpu*/mig/gi*"
# Seconds; making an instance takes less than one, a card that does not answer minutes.
_PATIENCE = 120
_INSTANCE = re.compile(r"\|\s+(\d+)\s+MIG (\S+)\s+(\d+)\s+(\d+)\s+\d+:\d+\s+\|")
_COMPUTE = re.compile(r"\|\s+(\d+)\s+(\d+)\s+MIG (\S+)\s+(\d+)\s+(\d+)\s+\d+:\d+\s+\|")


class Refused(Exception):
    """Something that the operator has to put right; the message says what."""


def call(*command: str, check: bool = True) -> str:
    """Output of a command.

    Raises:
        Refused: it failed, with what it said.
    """
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refused(f"{' '.join(command)}: {error}") from error
    said = done.stdout.decode(errors="replace").strip()
    if check and done.returncode:
        raise Refused(f"{' '.join(command)}: {' '.join(said.split())[-300:] or f'status {done.returncode}'}")
    return said


def cards() -> list[dict[str, str]]:
    """Index, and MIG mode now and after the next reset, of every GPU."""
    lines = call("nvidia-smi", "--query-gpu=index,mig.mode.current,mig.mode.pending", "--format=csv,noheader")
    rows = [[word.strip() for word in line.split(",")] for line in lines.splitlines()]
    return [{"index": row[0], "current": row[1], "pending": row[2]} for row in rows if len(row) == 3]


def instances(index: str) -> tuple[Counter[str], int]:
    """Profiles of the GPU instances of a card, and the number of compute instances in them."""
    made = Counter(
        found[2] for found in _INSTANCE.finditer(call("nvidia-smi", "mig", "-lgi", check=False)) if found[1] == index
    )
    within = [one for one in _COMPUTE.finditer(call("nvidia-smi", "mig", "-lci", check=False)) if one[1] == index]
    return made, len(within)


def in_use(index: str) -> str:
    """Process that uses a card, or an empty string."""
    query = "--query-compute-apps=pid,process_name"
    return ", ".join(call("nvidia-smi", "-i", index, query, "--format=csv,noheader").splitlines())


def split(card: dict[str, str], profiles: list[str]) -> bool:
    """Give a card its instances; return whether something was changed.

    Raises:
        Refused: the card cannot be split, is in use, or needs a reboot first.
    """
    index = card["index"]
    if card["current"] not in ("Enabled", "Disabled"):
        raise Refused(f"GPU {index} cannot be split into MIG instances; leave nvidia_guest_mig_profiles empty")
    wanted = Counter(profiles)
    if card["current"] == "Enabled":
        made, within = instances(index)
        if made == wanted and within >= len(profiles):
            return False
    user = in_use(index)
    if user:
        raise Refused(
            f"GPU {index} is in use by {user}; stop it (systemctl stop flower-superexec-client), then run this again"
        )
    if card["current"] == "Disabled":
        if card["pending"] != "Enabled":
            call("nvidia-smi", "-i", index, "-mig", "1")
        if not any(one["index"] == index and one["current"] == "Enabled" for one in cards()):
            raise Refused(f"GPU {index} goes into MIG mode at its next reset, which a VM cannot do; reboot the VM")
        made, within = instances(index)
    if within:
        call("nvidia-smi", "mig", "-dci", "-i", index)
    if made:
        call("nvidia-smi", "mig", "-dgi", "-i", index)
    call("nvidia-smi", "mig", "-cgi", ",".join(profiles), "-C", "-i", index)
    if instances(index)[0] != wanted:
        raise Refused(f"GPU {index} has not the instances {', '.join(profiles)} although nvidia-smi has made them")
    return True


def device_files() -> None:
    """Make what the kernel makes only when a privileged program asks for it."""
    call("nvidia-smi", "-L")
    call("nvidia-modprobe", "-c=0", "-u")
    for path in glob.glob(f"{_CAPABILITIES}/access") + glob.glob(f"{_CAPABILITIES}/ci*/access"):
        call("nvidia-modprobe", "-f", path)


def note_drivers() -> None:
    """Write down NVIDIA's drivers of devices, unless they are those that are written down."""
    with open(_KERNEL, encoding="ascii") as stream:
        drivers = "".join(sorted(line for line in stream if " nvidia" in line))
    try:
        with open(DRIVERS, encoding="ascii") as stream:
            if stream.read() == drivers:
                return
    except FileNotFoundError:
        pass
    with open(DRIVERS, "w", encoding="ascii") as stream:
        stream.write(drivers)


def prepare(configuration: dict[str, Any]) -> tuple[bool, list[str]]:
    """Do all of it; return whether instances were changed, and what failed."""
    changed, failed = False, []
    try:
        call("modprobe", "nvidia")
        call("modprobe", "nvidia-uvm")
        for card in cards() if configuration["mig_profiles"] else []:
            try:
                changed = split(card, configuration["mig_profiles"]) or changed
            except Refused as error:
                failed.append(str(error))
        device_files()
        if configuration["cdi"]:
            os.makedirs("/etc/cdi", exist_ok=True)
            call("nvidia-ctk", "cdi", "generate", "--output=/etc/cdi/nvidia.yaml")
    except Refused as error:
        failed.append(str(error))
    note_drivers()
    return changed, failed


if __name__ == "__main__":
    with open(CONFIGURATION, encoding="utf-8") as stream:
        has_changed, faults = prepare(json.load(stream))
    if has_changed:
        print("the MIG instances were made anew")
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)
