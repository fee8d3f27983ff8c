# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""A hypervisor's GPUs and whether its VMs can have them, read from sysfs, procfs, ACPI and efivars.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu import (
    card,
    iommu,
    judge_host,
    kernel,
    names,
    pci,
    select,
    users,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu._problems import blocked
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu._tree import Tree


def read(root: Path, devices: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """Return the facts of the host whose files are under C(root).

    Args:
        root: C(/), or where a copy of the files is.
        devices: which devices count; see C(select.DEFAULT).

    Raises:
        InvalidInput: C(devices) is not as it has to be. What the files hold never raises.
    """
    wanted = select.parse(devices)
    tree = Tree(root)
    system = kernel.read(tree)
    unit = iommu.read(tree, system)
    functions = pci.read_all(tree)
    running = users.processes(tree)
    meant = card.chosen(functions, wanted)
    called = names.find(tree, {(one.vendor, one.device) for one in meant})
    # cards first: what is found odd about them is told with the host's problems
    facts = [
        card.read(tree, functions, one, running, called.get((one.vendor, one.device)), unit.enabled) for one in meant
    ]
    problems = judge_host.judge(tree, system, unit, len(meant), wanted)
    viable = not blocked(problems)
    for one in facts:
        one["viable"] = one["viable"] and viable
        one["ready"] = one["ready"] and viable and unit.enabled
    return {
        "kernel": system.release,
        "kernel_command_line": system.command_line,
        "kernel_parameters": list(system.parameters),
        "firmware": system.firmware,
        "secure_boot": system.secure_boot,
        "lockdown": system.lockdown,
        "iommu": unit.public(),
        "gpus": facts,
        "kept": card.kept(functions, meant),
        "problems": problems,
        "viable": viable,
        "vms": sum(process.vm for process in running),
    }
