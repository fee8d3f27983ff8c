# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters `gpu_*` of role nvidia_guest: what GPUs a VM has, the driver they need, and what apps are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu import drivers, frameworks, guest_judge, select


def gpu_devices(devices: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those of a VM's PCI devices that are NVIDIA GPUs."""
    return [one for one in devices if select.matches(select.DEFAULT, {"vendor": "", "class": "", **one})]


def gpu_guest(seen: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The fact `fact8ra_gpu_guest` of a node from what the role's script saw."""
    return guest_judge.judge(seen, wanted)


def gpu_driver(
    seen: Mapping[str, Any],
    packages: Mapping[str, Sequence[str]],
    flavour: str = "auto",
    version: str = "",
    elsewhere: bool = False,
) -> dict[str, str]:
    """Flavour and version of the driver, or in `problem` why there is none; both empty while apt knows no package.

    Args:
        seen: What the role's script saw: `devices`, `codename`, and `packages` with `installed` and `available`.
        packages: Names of the packages that must be of one version, by flavour.
        flavour: `auto`, `open` or `proprietary`.
        version: The version that the operator wants, or empty.
        elsewhere: Whether the packages come from another repository, whose branch is not that of the distribution.
    """
    ids = [device["device"] for device in seen["devices"]]
    available = {name: found["available"] for name, found in seen["packages"].items()}
    installed = {name: drivers.upstream(found["installed"]) for name, found in seen["packages"].items()}
    wanted = drivers.upstream(version)
    of_distribution = 0 if elsewhere else drivers.DISTRIBUTION.get(seen["codename"], 0)
    # The node's list has packages beside the driver's, which are there before its sources are.
    known = [available[name] for group in packages.values() for name in group if available.get(name)]
    versions = [wanted or drivers.newest(map(drivers.upstream, found)) for found in known]
    branch = drivers.branch(wanted or drivers.newest(versions)) or of_distribution
    nothing = {"flavour": "", "version": ""}
    try:
        chosen = drivers.flavour(ids, branch, flavour) if branch else ""
    except drivers.NoDriver as error:
        return {**nothing, "problem": str(error), "cause": "lists" if elsewhere and not wanted else "cards"}
    if not versions:
        return {"flavour": chosen, "version": wanted, "problem": "", "cause": ""}
    group = packages[chosen]
    try:
        one = drivers.common_version(group, available, wanted, installed.get(group[0], ""))
    except drivers.NoDriver as error:
        return {**nothing, "problem": str(error), "cause": "lists"}
    return {"flavour": chosen, "version": one, "problem": "", "cause": ""}


def gpu_matrix(fact: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """The fact with the answer of the matrix product."""
    return guest_judge.with_matrix(fact, answer)


def gpu_node_config(
    fact: Mapping[str, Any], visible: Sequence[str] = (), fraction: float = 0, framework: str = ""
) -> dict[str, int | float | str]:
    """What apps find of the GPUs in their node_config."""
    return guest_judge.node_config(fact, visible, float(fraction), framework)


def gpu_requirements(wanted: Sequence[str], packages: Sequence[str] = ()) -> list[str]:
    """Requirements of frameworks with CUDA that `packages` does not have."""
    return frameworks.requirements(wanted, packages)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "gpu_devices": gpu_devices,
            "gpu_guest": gpu_guest,
            "gpu_driver": gpu_driver,
            "gpu_matrix": gpu_matrix,
            "gpu_node_config": gpu_node_config,
            "gpu_requirements": gpu_requirements,
        }
