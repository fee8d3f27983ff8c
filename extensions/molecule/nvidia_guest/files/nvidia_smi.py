# A stand-in for NVIDIA's nvidia-smi, which answers only where a card and its driver are.
# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers what role nvidia_guest asks, as nvidia-smi 535 does for A100 cards.

What the cards are like is in the state, JSON: ``cards`` (number), ``processes`` (text of those that use the card 0),
``uncorrected`` (memory errors of the card 0), ``reset`` (whether a change of the MIG mode has to wait for one),
``driver`` (path that must exist), ``mode`` and ``instances`` by card. ``--stand-in JSON`` changes it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

STATE = Path(os.environ.get("FAKE_NVIDIA", "/var/lib/fake-nvidia/state.json"))
VERSION = Path(os.environ.get("FAKE_NVIDIA_VERSION", "/sys/module/nvidia/version"))
PROFILES = {"1g.10gb": 9728, "2g.20gb": 19968, "3g.40gb": 40192, "7g.80gb": 81152}
NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA "
    "driver is installed and running.\n"
)


def uuid(card: int, instance: int | None = None) -> str:
    """UUID of a card or of an instance."""
    return (
        f"GPU-0000000{card}-7d19-9063-b049-1e69664bb298"
        if instance is None
        else f"MIG-0000000{card}-0000-0000-0000-00000000000{instance}"
    )


def report(state: dict[str, Any]) -> str:
    """What -q -x prints, of which the role reads this."""
    cards = []
    for card in range(state["cards"]):
        mode = state["mode"][card]
        made = "".join(
            f"<mig_device><index>{number}</index><gpu_instance_id>{number + 1}</gpu_instance_id><compute_instance_id>0"
            f"</compute_instance_id><fb_memory_usage><total>{PROFILES[profile]} MiB</total></fb_memory_usage>"
            "</mig_device>"
            for number, profile in enumerate(state["instances"][card])
        )
        errors = state["uncorrected"] if card == 0 else 0
        cards.append(
            f'<gpu id="00000000:0{card + 1}:00.0"><product_name>NVIDIA A100-SXM4-80GB</product_name>'
            f"<product_architecture>Ampere</product_architecture><mig_mode><current_mig>{mode[0]}</current_mig>"
            f"<pending_mig>{mode[1]}</pending_mig></mig_mode><mig_devices>{made or 'None'}</mig_devices>"
            f"<uuid>{uuid(card)}</uuid><pci><pci_bus_id>00000000:0{card + 1}:00.0</pci_bus_id></pci>"
            f"<gpu_reset_status><reset_required>No</reset_required></gpu_reset_status>"
            f"<fb_memory_usage><total>81920 MiB</total></fb_memory_usage>"
            f"<ecc_mode><current_ecc>Enabled</current_ecc></ecc_mode><ecc_errors><volatile><sram_uncorrectable>0"
            f"</sram_uncorrectable><dram_uncorrectable>{errors}</dram_uncorrectable></volatile><aggregate>"
            f"<dram_uncorrectable>{errors}</dram_uncorrectable></aggregate></ecc_errors>"
            f"<remapped_rows><remapped_row_pending>No</remapped_row_pending></remapped_rows>"
            f"<temperature><gpu_temp>27 C</gpu_temp></temperature></gpu>"
        )
    return (
        '<?xml version="1.0" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">\n<nvidia_smi_log>'
        f"<driver_version>{VERSION.read_text()}</driver_version><cuda_version>12.2</cuda_version>{''.join(cards)}</nvidia_smi_log>\n"
    )


def mig(state: dict[str, Any], words: list[str]) -> tuple[int, str]:
    """The command mig."""
    card = int(words[words.index("-i") + 1]) if "-i" in words else 0
    if words[0] in ("-lgi", "-lci"):
        rows = [
            f"|   {number}  MIG {profile}         9       {instance + 1}          0:4     |"
            if words[0] == "-lgi"
            else f"|   {number}      {instance + 1}       MIG {profile}          0         0          0:4     |"
            for number in range(state["cards"])
            for instance, profile in enumerate(state["instances"][number])
        ]
        return (0, "\n".join(rows)) if rows else (6, "No GPU instances found: Not Found")
    if words[0] == "-dgi":
        state["instances"][card] = []
    elif words[0] == "-cgi":
        wanted = words[1].split(",")
        unknown = [profile for profile in wanted if profile not in PROFILES]
        if unknown:
            return 19, f"Failed to parse GPU instance profile: {unknown[0]}"
        if state["instances"][card]:
            return 19, "Unable to create a GPU instance on GPU  0 using profile 9: Insufficient Resources"
        state["instances"][card] = wanted
    return 0, ""


def answer(state: dict[str, Any], words: list[str]) -> tuple[int, str]:
    """Status and output of a call; the state may change."""
    if words[0] == "--stand-in":
        state.update(json.loads(words[1]))
        return 0, ""
    if not Path(state["driver"]).exists():
        return 9, NO_DRIVER
    cards = range(state["cards"])
    if words == ["-q", "-x"]:
        return 0, report(state)
    if words == ["-L"]:
        lines = []
        for card in cards:
            lines.append(f"GPU {card}: NVIDIA A100-SXM4-80GB (UUID: {uuid(card)})")
            for number, profile in enumerate(state["instances"][card]):
                lines.append(f"  MIG {profile}     Device  {number}: (UUID: {uuid(card, number)})")
        return 0, "\n".join(lines)
    if words[0] == "--query-gpu=uuid,compute_cap":
        return 0, "\n".join(f"{uuid(card)}, 8.0" for card in cards)
    if words[0] == "--query-gpu=index,mig.mode.current,mig.mode.pending":
        return 0, "\n".join(f"{card}, {', '.join(state['mode'][card])}" for card in cards)
    if words[0] == "mig":
        return mig(state, words[1:])
    if words[0] == "-i" and words[2].startswith("--query-compute-apps"):
        return 0, state["processes"] if words[1] == "0" else ""
    if words[0] == "-i" and words[2:] == ["-mig", "1"]:
        state["mode"][int(words[1])] = ["Disabled" if state["reset"] else "Enabled", "Enabled"]
        return 0, ""
    return 2, f"the stand-in does not know {' '.join(words)}"


if __name__ == "__main__":
    held = json.loads(STATE.read_text())
    status, text = answer(held, sys.argv[1:])
    STATE.write_text(json.dumps(held))
    sys.stdout.write(text if text.endswith("\n") or not text else f"{text}\n")
    sys.exit(status)
