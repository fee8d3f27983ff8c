# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What C(nvidia-smi) prints of the GPUs of a VM; private to the collection.

Source of the elements: output of C(nvidia-smi -q -x) of the drivers 470 to 575 (schemas nvsmi_device_v11 to v13), which
name the same things alike but for the ECC counters and what is given as C(N/A).
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

MOST = 4_000_000
"""Longest text (characters) that is read; 16 GPUs with seven instances each are 0.5 MB."""

_NOTHING = ("", "N/A", "[N/A]", "None", "Unknown Error", "Requested functionality has been deprecated")


class BadReport(Exception):
    """A text that is not the report of C(nvidia-smi)."""


def parse(text: str) -> dict[str, Any]:
    """Return C(driver), C(cuda) (str or None) and C(gpus) of a report in XML.

    Each GPU has C(index), C(uuid), C(name), C(memory_mb) (MiB), C(driver), C(cuda), C(compute_capability) (None; the
    report lacks it), C(pci_address), C(mig) (instances: C(index), C(gpu_instance), C(compute_instance), C(memory_mb)),
    C(mig_mode) (C(current) and C(pending): True, False, or None where the card has none), C(ecc), C(temperature)
    (degrees Celsius), C(architecture), C(reset_required) and C(processes).

    Raises:
        BadReport: the text is no such report; the message says what it is.
    """
    if len(text) > MOST:
        raise BadReport(f"nvidia-smi printed {len(text)} characters in place of a report")
    # The report declares no entities; what does is not from nvidia-smi, and may grow without bounds.
    if "<!ENTITY" in text:
        raise BadReport("the report of nvidia-smi declares entities")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        first = " ".join(text.split())[:120]
        raise BadReport(f"nvidia-smi printed no report: {first or 'nothing'} ({error})") from error
    if root.tag != "nvidia_smi_log":
        raise BadReport(f"nvidia-smi printed <{root.tag[:40]}> in place of <nvidia_smi_log>")
    driver, cuda = _text(root, "driver_version"), _text(root, "cuda_version")
    gpus = [_gpu(number, gpu, driver, cuda) for number, gpu in enumerate(root.findall("gpu"))]
    return {"driver": driver, "cuda": cuda, "gpus": gpus}


def _gpu(number: int, gpu: ElementTree.Element, driver: str | None, cuda: str | None) -> dict[str, Any]:
    return {
        "index": number,
        "uuid": _text(gpu, "uuid"),
        "name": _text(gpu, "product_name"),
        "architecture": _text(gpu, "product_architecture"),
        "memory_mb": _number(gpu, "fb_memory_usage/total"),
        "driver": driver,
        "cuda": cuda,
        "compute_capability": None,
        "pci_address": address(_text(gpu, "pci/pci_bus_id") or (gpu.get("id") or "")),
        "mig": [_instance(one) for one in gpu.findall("mig_devices/mig_device")],
        "mig_mode": {
            "current": _enabled(gpu, "mig_mode/current_mig"),
            "pending": _enabled(gpu, "mig_mode/pending_mig"),
        },
        "ecc": _ecc(gpu),
        "temperature": _number(gpu, "temperature/gpu_temp"),
        "reset_required": _yes(gpu, "gpu_reset_status/reset_required"),
        "processes": len(gpu.findall("processes/process_info")),
    }


def _instance(one: ElementTree.Element) -> dict[str, Any]:
    return {
        "index": _number(one, "index"),
        "gpu_instance": _number(one, "gpu_instance_id"),
        "compute_instance": _number(one, "compute_instance_id"),
        "memory_mb": _number(one, "fb_memory_usage/total"),
    }


def _ecc(gpu: ElementTree.Element) -> dict[str, Any]:
    """C(enabled) (None: the card has none), counters of uncorrected errors, and what waits for a reset."""
    return {
        "enabled": _enabled(gpu, "ecc_mode/current_ecc"),
        "volatile_uncorrected": _uncorrected(gpu.find("ecc_errors/volatile")),
        "aggregate_uncorrected": _uncorrected(gpu.find("ecc_errors/aggregate")),
        "remapping_pending": _yes(gpu, "remapped_rows/remapped_row_pending"),
        "remapping_failed": _yes(gpu, "remapped_rows/remapped_row_failure"),
        "retirement_pending": _yes(gpu, "retired_pages/pending_retirement"),
    }


def _uncorrected(counters: ElementTree.Element | None) -> int | None:
    """Sum of the uncorrected errors; None where the card counts none."""
    if counters is None:
        return None
    if counters.find("double_bit") is not None:
        return _number(counters, "double_bit/total")
    found = [_number(one, ".") for one in counters if "uncorrectable" in one.tag and "threshold" not in one.tag]
    counted = [number for number in found if number is not None]
    return sum(counted) if counted else None


def _text(element: ElementTree.Element, path: str) -> str | None:
    found = element if path == "." else element.find(path)
    text = "" if found is None else " ".join((found.text or "").split())
    return None if text in _NOTHING else text[:200]


def _number(element: ElementTree.Element, path: str) -> int | None:
    match = re.match(r"\d{1,15}", _text(element, path) or "", re.ASCII)
    return int(match[0]) if match else None


def _enabled(element: ElementTree.Element, path: str) -> bool | None:
    return {"Enabled": True, "Disabled": False}.get(_text(element, path) or "")


def _yes(element: ElementTree.Element, path: str) -> bool:
    return _text(element, path) == "Yes"


def address(text: str) -> str | None:
    """Return a PCI address as sysfs writes it; nvidia-smi writes the domain with eight digits, in capitals."""
    match = re.fullmatch(r"(?:([0-9a-f]{1,8}):)?([0-9a-f]{2}:[0-9a-f]{2}\.[0-7])", text.strip().lower())
    return f"{int(match[1] or '0', 16):04x}:{match[2]}" if match else None


def listed(text: str) -> dict[str, dict[str, str]]:
    """Return the instances that C(nvidia-smi -L) lists: UUID of the GPU and number to C(profile) and C(uuid)."""
    found: dict[str, dict[str, str]] = {}
    gpu = ""
    for line in text.splitlines():
        card = re.match(r"GPU \d+: .*\(UUID: (GPU-[0-9a-f-]+)\)", line)
        instance = re.match(r"\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: (MIG-[\w/-]+)\)", line)
        if card:
            gpu = card[1]
        elif instance:
            found[f"{gpu}/{instance[2]}"] = {"profile": instance[1], "uuid": instance[3]}
    return found


def capabilities(text: str) -> dict[str, str]:
    """Return UUID to compute capability of lines "UUID, 8.0"; what the driver does not tell is left out."""
    pairs = [line.split(",") for line in text.splitlines() if line.count(",") == 1]
    return {one.strip(): other.strip() for one, other in pairs if re.fullmatch(r"\d{1,2}\.\d", other.strip())}


def xids(lines: list[str]) -> list[dict[str, Any]]:
    """Return the Xid errors in lines of the kernel's log: C(pci_address) (or None), C(code) and C(text)."""
    found = []
    for line in lines:
        match = re.search(r"NVRM: Xid \((?:PCI:)?([0-9A-Fa-f:.]+)\): (\d{1,4}),?\s*(.*)", line)
        if match:
            # The log names the card without its function.
            full = match[1] if "." in match[1] else f"{match[1]}.0"
            found.append({"pci_address": address(full), "code": int(match[2]), "text": match[3].strip()[:200]})
    return found
