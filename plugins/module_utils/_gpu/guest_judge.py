# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Whether the GPUs of a VM can be trained on, and what to do when not; private to the collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu import guest
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu._problems import (
    BLOCKS,
    WARNING,
    Problem,
    blocked,
    listed,
    problem,
)

HARDWARE = {
    48: "uncorrected memory error",
    62: "the card's microcontroller has halted",
    64: "a row or page of memory could not be taken out of use",
    74: "NVLink error",
    79: "the card has fallen off the bus",
    92: "many corrected memory errors",
    95: "uncontained memory error",
    119: "the card's system processor (GSP) does not answer",
    120: "the card's system processor (GSP) has failed",
    140: "uncorrected memory error",
    143: "the card could not be initialised",
}
"""Xid codes that stand for a fault of the card until it is reset.

Source: NVIDIA GPU Debug Guidelines and the Xid catalog (docs.nvidia.com/deploy/xid-errors). Others come from the code
of an app (13, 31, 43, 45, 94), or tell that something was repaired (63), and are warnings.
"""

_RESET = "reboot the VM (the host resets the card), and have the card looked at when it comes again"
_PREFLIGHT = "put it right, and play the role nvidia_guest"


class _Device(NamedTuple):
    """What CUDA takes for a device: a whole card, or an instance of a split one; C(memory_mb) in MiB."""

    name: str
    memory_mb: int
    instance: bool
    place: tuple[int, int]


def judge(seen: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fact of a node.

    Args:
        seen: What the role's script saw: C(devices) (NVIDIA's display controllers in sysfs), C(smi) (C(status), C(xml),
            C(list), C(capabilities), C(error)), C(loaded) (version of the module in the kernel, or empty), C(nouveau),
            C(library) (version of the packages, or empty), C(secure_boot), C(kernel_log), C(built) (whether there is a
            module for the running kernel), C(said) (what fact8ra-nvidia.service said if it failed).
        wanted: C(gpus), C(driver), C(mig_profiles) and C(visible_devices), and in C(problems) the sentences of the role
            on what else is in the way, such as Secure Boot.

    C(ready) is whether nothing is in the way. C(usable) is the same, but stays when a matrix product fails later: it
    decides what apps get, by whichever entry point of the role the node was looked at. C(pending) is set by the role
    where check mode leaves out what would change the answer.
    """
    problems: list[Problem] = []
    report: dict[str, Any] = {"driver": None, "cuda": None, "gpus": []}
    if not seen["devices"]:
        problems += _count(0, 0, wanted)
    elif not seen["smi"]["xml"]:
        problems.append(_no_driver(seen, wanted))
    else:
        try:
            report = guest.parse(seen["smi"]["xml"])
        except guest.BadReport as error:
            problems.append(problem("report", BLOCKS, str(error), "run `nvidia-smi -q -x` on the node"))
        else:
            problems += _count(len(report["gpus"]), len(seen["devices"]), wanted)
    _complete(report["gpus"], seen["smi"])
    problems += _versions(seen, report)
    for gpu in report["gpus"]:
        problems += _health(gpu) + _mig(gpu, wanted["mig_profiles"], seen["said"])
    problems += _visible(report["gpus"], wanted["visible_devices"])
    problems += _log(guest.xids(seen["kernel_log"]))
    problems += [problem("preflight", BLOCKS, one, _PREFLIGHT) for one in wanted.get("problems", ())]
    ready = bool(report["gpus"]) and not blocked(problems)
    return {
        "gpus": report["gpus"],
        "driver": report["driver"],
        "cuda": report["cuda"],
        "secure_boot": seen["secure_boot"],
        "problems": problems,
        "matrix": None,
        "ready": ready,
        "usable": ready,
        "pending": False,
    }


def _complete(gpus: Sequence[dict[str, Any]], smi: Mapping[str, Any]) -> None:
    """Add what nvidia-smi tells beside its report."""
    instances, capabilities = guest.listed(smi["list"]), guest.capabilities(smi["capabilities"])
    for gpu in gpus:
        gpu["compute_capability"] = capabilities.get(gpu["uuid"] or "")
        for one in gpu["mig"]:
            one.update(instances.get(f"{gpu['uuid']}/{one['index']}", {"profile": None, "uuid": None}))


def _no_driver(seen: Mapping[str, Any], wanted: Mapping[str, Any]) -> Problem:
    names = listed(f"{one['address']} (10de:{one['device']})" for one in seen["devices"])
    if seen["nouveau"]:
        return problem(
            "nouveau", BLOCKS, f"the driver nouveau holds {names}", "reboot the node, which loads NVIDIA's driver"
        )
    if not seen["loaded"]:
        why = "" if seen["built"] else ", and none was built for the running kernel"
        cure = (
            "install a driver in the image of the VM, or set nvidia_guest_driver"
            if wanted["driver"] == "none"
            else "see `modprobe nvidia`, `dkms status` and `journalctl -k` on the node; reboot it after a kernel update"
            + (f"; {seen['said']}" if seen["said"] else "")
        )
        return problem("driver", BLOCKS, f"no NVIDIA driver is loaded for {names}{why}", cure)
    said = " ".join(str(seen["smi"]["error"]).split())[:200] or f"status {seen['smi']['status']}"
    cure = "see `journalctl -k -g NVRM` on the node"
    if "mismatch" in said:
        cure = "reboot the node: the module in the kernel is older than the library"
    return problem("nvidia_smi", BLOCKS, f"nvidia-smi does not answer: {said}", cure)


def _count(found: int, devices: int, wanted: Mapping[str, Any]) -> list[Problem]:
    if found >= wanted["gpus"]:
        return []
    message = (
        f"the driver has {found} GPU(s), {wanted['gpus']} are expected (nvidia_guest_gpus), {devices} are on the bus"
    )
    if devices >= wanted["gpus"]:
        cure = "see `journalctl -k -g NVRM`: a card that does not come up is named there"
    else:
        cure = (
            "give the VM its GPUs (site_supernode_gpus, and PCI of the VM in OpenNebula), or set nvidia_guest_gpus"
            " to what it has"
        )
    return [problem("count", BLOCKS, message, cure)]


def _versions(seen: Mapping[str, Any], report: Mapping[str, Any]) -> list[Problem]:
    loaded, library = seen["loaded"] or report["driver"] or "", seen["library"]
    if loaded and library and loaded != library:
        message = f"the kernel has the driver {loaded}, the installed packages are {library}"
        return [problem("version", BLOCKS, message, "reboot the node")]
    return []


def _health(gpu: Mapping[str, Any]) -> list[Problem]:
    name, ecc = f"GPU {gpu['index']} ({gpu['name']})", gpu["ecc"]
    found = []
    if ecc["volatile_uncorrected"]:
        message = f"{name} has {ecc['volatile_uncorrected']} uncorrected memory errors since it was started"
        found.append(problem("ecc_volatile", BLOCKS, message, _RESET))
    elif ecc["aggregate_uncorrected"]:
        message = f"{name} has had {ecc['aggregate_uncorrected']} uncorrected memory errors in its life"
        found.append(problem("ecc_aggregate", WARNING, message, "watch whether the number grows"))
    if ecc["remapping_pending"] or ecc["retirement_pending"]:
        message = f"{name} has memory that is taken out of use at its next reset"
        found.append(problem("ecc_pending", BLOCKS, message, _RESET))
    if ecc["remapping_failed"]:
        message = f"{name} has no spare memory left for what failed"
        found.append(problem("ecc_worn", BLOCKS, message, "have the card replaced"))
    if gpu["reset_required"]:
        found.append(problem("reset", BLOCKS, f"{name} asks for a reset", _RESET))
    return found


def _mig(gpu: Mapping[str, Any], profiles: Sequence[str], said: str) -> list[Problem]:
    name, mode = f"GPU {gpu['index']} ({gpu['name']})", gpu["mig_mode"]
    if mode["current"] is not None and mode["pending"] is not None and mode["current"] != mode["pending"]:
        message = f"{name} changes its MIG mode at its next reset"
        return [problem("mig_pending", BLOCKS, message, "reboot the VM")]
    if not profiles:
        if mode["current"] and not gpu["mig"]:
            message = f"{name} is in MIG mode without an instance, so that no app can use it"
            return [problem("mig_empty", BLOCKS, message, "set nvidia_guest_mig_profiles, or `nvidia-smi -mig 0`")]
        return []
    has = Counter(one["profile"] for one in gpu["mig"])
    if has == Counter(profiles):
        return []
    message = (
        f"{name} has the MIG instances {listed(sorted(map(str, has.elements()))) or 'none'}, not {listed(profiles)}"
    )
    cure = said or "restart fact8ra-nvidia.service on the node"
    return [problem("mig", BLOCKS, message, cure)]


def _visible(gpus: Sequence[Mapping[str, Any]], visible: Sequence[str]) -> list[Problem]:
    if not gpus:
        return []
    found = [_devices(gpus).get(str(one)) for one in visible]
    unknown = [one for one, devices in zip(visible, found, strict=True) if devices is None]
    # CUDA takes the list up to the first device that it does not know, none of one with repetitions, and says nothing.
    if unknown:
        message = f"nvidia_guest_visible_devices names {listed(unknown)}, which this node has not"
        return [problem("visible", BLOCKS, message, f"choose of {listed(sorted(_devices(gpus)))}")]
    if any(found.count(one) > 1 for one in found):
        message = f"nvidia_guest_visible_devices ({listed(visible)}) names a device more than once"
        return [problem("visible", BLOCKS, message, "name it once, by its index or its UUID")]
    return []


def _devices(gpus: Sequence[Mapping[str, Any]]) -> dict[str, _Device]:
    """Return what each name stands for: an index or UUID of a split card for its first instance."""
    found: dict[str, _Device] = {}
    for gpu in gpus:
        instances = [
            _Device(f"{gpu['name']} MIG {one['profile']}", int(one["memory_mb"] or 0), True, (gpu["index"], number))
            for number, one in enumerate(gpu["mig"])
        ]
        whole = _Device(str(gpu["name"]), int(gpu["memory_mb"] or 0), False, (gpu["index"], 0))
        found |= {str(name): (instances or [whole])[0] for name in (gpu["index"], gpu["uuid"]) if name is not None}
        found |= {str(one["uuid"]): this for one, this in zip(gpu["mig"], instances, strict=True) if one["uuid"]}
    return found


def _log(errors: Sequence[Mapping[str, Any]]) -> list[Problem]:
    found = []
    for (address, code), times in Counter((one["pci_address"], one["code"]) for one in errors).items():
        last = [one["text"] for one in errors if (one["pci_address"], one["code"]) == (address, code)][-1]
        many = f", {times} times" if times > 1 else ""
        message = f"Xid {code} of {address or 'a card'} since boot{many}: {HARDWARE.get(code) or last or 'no text'}"
        if code in HARDWARE:
            found.append(problem(f"xid_{code}", BLOCKS, message, _RESET))
        else:
            cure = "look for the app that caused it: `journalctl -k -g 'NVRM: Xid'`; a reboot clears the list"
            found.append(problem(f"xid_{code}", WARNING, message, cure))
    return found


def with_matrix(fact: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a fact with the answer of the matrix product, which is a problem when it failed."""
    matrix = {key: answer[key] for key in ("framework", "device", "seconds", "ok")}
    problems = [one for one in fact["problems"] if one["code"] != "matrix"]
    if not answer["ok"]:
        message = f"no matrix product by {answer['framework']} as an app: {answer['problem']}"
        cure = (
            f"is {answer['framework']} installed (nvidia_guest_frameworks, flower_packages), and has the apps' unit the"
            " devices (supernode_devices)? `journalctl -u flower-gpu-check` tells more"
        )
        problems.append(problem("matrix", BLOCKS, message, cure))
    return {**fact, "matrix": matrix, "problems": problems, "ready": bool(fact["gpus"]) and not blocked(problems)}


def node_config(
    fact: Mapping[str, Any], visible: Sequence[str], fraction: float, framework: str
) -> dict[str, int | float | str]:
    """Return the keys that apps find in their node_config; none on a node without GPUs that can be trained on.

    CUDA gives a process one MIG instance, the first that is visible, and beside it no whole card (MIG User Guide,
    "CUDA Device Enumeration"), so a node of instances counts as one.
    """
    if fact.get("usable") is not True:
        return {}
    devices = _devices(fact["gpus"])
    names = [str(one) for one in visible] or [str(gpu["index"]) for gpu in fact["gpus"]]
    if any(name not in devices for name in names):
        return {}
    chosen = [devices[name] for name in names]
    chosen = [one for one in chosen if one.instance][:1] or chosen
    config: dict[str, int | float | str] = {
        "gpu-count": len(chosen),
        "gpu-name": chosen[0].name,
        "gpu-memory-mb": min(one.memory_mb for one in chosen),
    }
    if fraction:
        config["gpu-memory-fraction"] = float(fraction)
    if framework:
        config["gpu-framework"] = framework
    return config
