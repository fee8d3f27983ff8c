# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role nvidia_host does to a hypervisor, and what it refuses. Private to the collection: it may change.

`facts` are those of module gpu_host_facts, `look` is the answer of the role's look.py, `options` are the role's
variables without their prefix.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu import classes

VFIO = "vfio-pci"
_SWITCHES = ("intel_iommu=on",)
"""Parameters that the role adds by itself, and keeps once the kernel has them."""
_NO_CLAIM = ("", VFIO, "pci-stub", "pcieport")
"""Drivers that leave a group to VMs (drivers/vfio/vfio_main.c, group viability)."""
_UNSAFE = ("acs_override", "unsafe_noiommu", "unsafe_interrupts")
"""Warnings of the facts about a host whose VMs can reach what is not theirs; only the override lets them pass."""
_STATE = "/etc/fact8ra-gpu.json"
_LICENCE = (
    "nvidia_host_vgpu is true; it must be false: vGPUs need NVIDIA's vGPU software, a licensed driver on the host and "
    "a licence server, which this role does not install. It passes whole cards to VMs; a card is split by MIG in the "
    "VM (nvidia_guest_mig_profiles), and sites that have the licence request a profile (site_supernode_gpu_profile)"
)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def _key(parameter: str) -> str:
    """Name of a kernel parameter; the kernel takes `-` and `_` in it for the same."""
    return parameter.partition("=")[0].replace("-", "_")


def devices_of(facts: Mapping[str, Any], shared: bool) -> list[str]:
    """Addresses of everything that goes to VMs: the GPUs, their further functions, and their groups' other devices."""
    found: set[str] = set()
    bridges: set[str] = set()
    for gpu in facts["gpus"]:
        found |= {gpu["address"], *gpu["functions"]}
        bridges |= {sibling["address"] for sibling in gpu["siblings"] if sibling["bridge"]}
        if shared:
            found |= {sibling["address"] for sibling in gpu["siblings"]}
    return sorted(found - bridges)


def _refused_siblings(facts: Mapping[str, Any]) -> Iterator[str]:
    """Devices that the host may not live without, and that only the override would take from it."""
    meant = set(devices_of(facts, shared=False))
    for gpu in facts["gpus"]:
        for sibling in gpu["siblings"]:
            kept = classes.sibling_word(sibling["class"], sibling["vendor"])
            if kept and not sibling["bridge"] and sibling["address"] not in meant and sibling["driver"] != VFIO:
                yield (
                    f"{sibling['address']}, a {kept} ({sibling['vendor']}:{sibling['device']}, driver "
                    f"{sibling['driver'] or 'none'}), is in IOMMU group {gpu['iommu_group']} of {gpu['address']} and "
                    "would be taken from the host; put the card into another slot, or, if the host can do without the "
                    f"device, run `driverctl set-override {sibling['address']} vfio-pci` yourself"
                )


def _sentence(problem: Mapping[str, str]) -> str:
    return f"{problem['message'].rstrip('.')}: {problem['cure'].rstrip('.')}"


def _refused_cards(facts: Mapping[str, Any], shared: bool, wanted: Sequence[str]) -> Iterator[str]:
    """What the facts say against the host and its cards, but for what the role itself cures."""
    # the kernel gives the regions addresses when it boots with it
    passed = {"regions_unassigned"} if any(_reallocates(one) for one in _missing(facts, wanted)) else set()
    passed |= {"group_shared"} if shared else set()
    for problem in facts["problems"]:
        if problem["kind"] == "blocks":
            yield _sentence(problem)
        elif problem["code"] in _UNSAFE and not shared:
            yield f"{_sentence(problem)}; or set nvidia_host_allow_shared_groups: true, which accepts this"
    for gpu in facts["gpus"]:
        for problem in gpu["problems"]:
            if problem["kind"] == "blocks" and problem["code"] not in passed:
                yield _sentence(problem)


def _warnings(facts: Mapping[str, Any]) -> Iterator[str]:
    """What works nevertheless, but for VMs that have their cards."""
    for problem in [*facts["problems"], *(one for gpu in facts["gpus"] for one in gpu["problems"])]:
        if problem["kind"] == "warning" and problem["code"] != "in_use_by_vm":
            yield _sentence(problem)


def _missing(facts: Mapping[str, Any], wanted: Sequence[str]) -> list[str]:
    """Wanted parameters that the running kernel lacks."""
    return [one for one in wanted if one not in facts["kernel_parameters"]]


def _reallocates(parameter: str) -> bool:
    """Whether a kernel parameter has the kernel give regions their addresses anew."""
    name, _sign, value = parameter.partition("=")
    return name == "pci" and bool({"realloc", "realloc=on"} & set(value.split(",")))


def _refused_state(look: Mapping[str, Any]) -> list[str]:
    if not look["state_error"]:
        return []
    return [
        f"{_STATE}, where the role notes what it wrote on this host, {look['state_error']}: restore it, or take away "
        "by hand what the role wrote (files named fact8ra-gpu* and pci-* in /etc/driverctl.d, kernel parameters), "
        "remove it, and run this again"
    ]


def _holders(facts: Mapping[str, Any], look: Mapping[str, Any], devices: Iterable[str]) -> list[str]:
    """Processes that hold some of the devices through vfio, be they VMs or not (DPDK, SPDK)."""
    meant = set(devices)
    return [
        f"{gpu['address']} is in use by {_listed(gpu['users'])}: power the VM off, or end the process, before it is "
        "taken away"
        for gpu in facts["gpus"]
        if gpu["address"] in meant
        and any(look["drivers"].get(one, "").endswith(VFIO) for one in (gpu["address"], *gpu["functions"]))
        and any(user.startswith(("vm ", "process ")) for user in gpu["users"])
    ]


def parameters(facts: Mapping[str, Any], look: Mapping[str, Any], further: Sequence[str]) -> dict[str, list[str]]:
    """Kernel parameters: `wanted`, `own` (those that the role has to write), `add` and `remove` in the boot loader."""
    before = list((look["state"] or {}).get("parameters", []))
    needed = list(facts["iommu"]["parameters_needed"])
    wanted = list(dict.fromkeys([*needed, *(one for one in before if one in _SWITCHES), *further]))
    foreign = {*facts["kernel_parameters"], *look["boot"]["all"]} - set(before)
    own = [one for one in wanted if one not in foreign]
    return {
        "wanted": wanted,
        "own": own,
        "add": [one for one in own if one not in look["boot"]["all"]],
        "remove": [one for one in before if one not in own and one in look["boot"]["any"]],
    }


def _refused_parameters(
    facts: Mapping[str, Any], look: Mapping[str, Any], chosen: Mapping[str, list[str]]
) -> Iterator[str]:
    before = set((look["state"] or {}).get("parameters", []))
    there = (set(facts["kernel_parameters"]) | set(look["boot"]["any"])) - before
    for one in chosen["own"]:
        against = sorted(other for other in there if _key(other) == _key(one) and other != one)
        if against:
            yield (
                f"the kernel command line has {_listed(against)}, and {one} is wanted: take it out where it was "
                "written, or write there what both need"
            )
    if (chosen["add"] or chosen["remove"]) and not look["bootloader"]:
        what = [f"add {_listed(chosen['add'])}"] if chosen["add"] else []
        what += [f"take out {_listed(chosen['remove'])}"] if chosen["remove"] else []
        named = look["loader"] or "unknown, or none that the tools of the distribution write for"
        yield (
            f"the kernel command line has to change, and the boot loader ({named}) is none that this role writes for: "
            f"{' and '.join(what)} by hand, reboot, and run this again"
        )


def _refused_tools(look: Mapping[str, Any], binding: str) -> Iterator[str]:
    if not look["family"]:
        yield f"this is {look['distribution']}; the role knows Debian, Ubuntu, openSUSE, SLES and the RHEL family"
    if look["immutable"]:
        yield (
            f"this is {look['distribution']} with a read-only system (ostree or transactional-update), which the role "
            "does not write to"
        )
    if not look["initramfs"]:
        yield "neither update-initramfs nor dracut is there, one of which has to write the initramfs"
    if binding == "modprobe" and look["vfio_builtin"]:
        yield (
            "nvidia_host_binding is modprobe, and vfio-pci is built into this kernel, so that no rule of modprobe is "
            "read: set driverctl"
        )
    if binding == "driverctl" and look["family"] == "suse" and not look["driverctl"]:
        yield "nvidia_host_binding is driverctl, which this distribution does not have: set modprobe or auto"


def binding_of(look: Mapping[str, Any], asked: str) -> str:
    """How devices are bound: driverctl where the distribution has it, unless something else was asked for.

    Not where NVIDIA's driver may come first: `blacklist` keeps no service from loading it by name.
    """
    if asked != "auto":
        return asked
    if look["nvidia"] and not look["vfio_builtin"]:
        return "modprobe"
    return "driverctl" if look["driverctl"] or look["family"] in ("debian", "rhel") else "modprobe"


def _reboot(facts: Mapping[str, Any], wanted: Sequence[str], held: Mapping[str, str]) -> list[str]:
    """Why the host has to be rebooted."""
    reasons = [f"the kernel runs without {one}" for one in _missing(facts, wanted)]
    return reasons + [f"{address} is bound to {driver}" for address, driver in held.items() if driver not in ("", VFIO)]


def plan(facts: Mapping[str, Any], look: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What the role does on a host.

    Returns:
        `refused`: sentences, empty when it may go on. `warnings`: sentences about what works nevertheless. `devices`:
        addresses that are bound. `ids`: their "vendor:device" by address. `binding`: driverctl or
        modprobe. `overrides`: addresses that driverctl gets a file for. `parameters`: see `parameters`. `bind`:
        devices that no driver has, to be bound at once. `reboot`: why the host has to be rebooted. `left`: what keeps
        VMs from the devices as things are, beyond that.
    """
    shared = bool(options["allow_shared_groups"])
    binding = binding_of(look, options["binding"])
    devices = devices_of(facts, shared)
    chosen = parameters(facts, look, options["kernel_parameters"])
    held = {address: look["drivers"].get(address, "") for address in devices}
    reboot = _reboot(facts, chosen["wanted"], held)
    written = (look["state"] or {}).get("overrides", [])
    foreign = {path: word for path, word in look["overrides"].items() if path not in written}
    paths = {address: f"/etc/driverctl.d/pci-{address}" for address in devices}
    refused = [*([_LICENCE] if options["vgpu"] else []), *_refused_state(look)]
    refused += [*_refused_cards(facts, shared, chosen["wanted"]), *(_refused_siblings(facts) if shared else ())]
    refused += [
        *_refused_tools(look, binding),
        *_refused_parameters(facts, look, chosen),
    ]
    refused += [
        f"driverctl has {address} for {foreign[path] or 'no driver'}: run `driverctl unset-override {address}`, or "
        "leave the device out of nvidia_host_devices"
        for address, path in paths.items()
        if foreign.get(path, VFIO) != VFIO
    ]
    if look["oneadmin"] is False and look["kvm"]:
        refused.append(
            "the user oneadmin, as whom OpenNebula runs QEMU, is not in the group kvm, which gets the devices: run "
            "`usermod -aG kvm oneadmin` and restart libvirt's services"
        )
    if reboot and options["allow_reboot"]:
        refused += [_running(facts["vms"], reboot)] if facts["vms"] else _holders(facts, look, devices)
    return {
        "refused": list(dict.fromkeys(refused)),
        "warnings": list(dict.fromkeys(_warnings(facts))),
        "devices": devices,
        "ids": {one: look["ids"].get(one, "") for one in devices},
        "binding": binding,
        "overrides": [one for one in devices if binding == "driverctl" and paths[one] not in foreign],
        "parameters": chosen,
        "bind": [] if reboot else [address for address, driver in held.items() if not driver],
        "reboot": reboot,
        "left": list(_left(facts)),
    }


def _running(vms: int, reasons: Sequence[str]) -> str:
    return (
        f"{vms} VM{'s' if vms > 1 else ''} run on this host, and it would have to be rebooted ({'; '.join(reasons)}): "
        "move them to other hosts first (onehost flush), or set nvidia_host_allow_reboot: false, which writes "
        "everything and leaves the reboot to you"
    )


def _left(facts: Mapping[str, Any]) -> Iterator[str]:
    """Devices that keep a group from VMs, as the kernel judges it."""
    for gpu in facts["gpus"]:
        if gpu["driver"] == VFIO:
            for sibling in gpu["siblings"]:
                if not sibling["bridge"] and (sibling["driver"] or "") not in _NO_CLAIM:
                    yield (
                        f"IOMMU group {gpu['iommu_group']} of {gpu['address']} is not free for VMs, since "
                        f"{sibling['address']} is bound to {sibling['driver']}"
                    )


def undo(facts: Mapping[str, Any], look: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What giving the devices back does on a host.

    Returns:
        `refused`: sentences, empty when it may go on. `parameters`: `remove`, those that the boot loader still has.
        `files`: paths that the role wrote and that are there. `bind`: devices to give back at once. `reboot`: why the
        host has to be rebooted.
    """
    state = look["state"] or {}
    own, devices = list(state.get("parameters", [])), list(state.get("devices", []))
    remove = [one for one in own if one in look["boot"]["any"]]
    reboot = [f"the kernel runs with {one}" for one in own if one in facts["kernel_parameters"]]
    used = _holders(facts, look, devices)
    refused = [*_refused_state(look), *used]
    if remove and not look["bootloader"]:
        refused = [*refused, f"the boot loader is none that this role writes for: take {_listed(remove)} out by hand"]
    if reboot and options["allow_reboot"] and facts["vms"] and not used:
        refused = [*refused, _running(facts["vms"], reboot)]
    return {
        "refused": refused,
        "parameters": {"add": [], "remove": remove},
        "files": sorted(
            path for path in look["files"] if path not in look["overrides"] or path in state.get("overrides", [])
        ),
        "bind": [] if reboot else [one for one in devices if look["drivers"].get(one) == VFIO],
        "reboot": reboot,
    }
