# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters for role nvidia_host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.fact8ra.flower.plugins.plugin_utils._gpu_host import plan, undo

_OPTIONS = ("binding", "allow_shared_groups", "allow_reboot", "kernel_parameters", "vgpu")


def gpu_host_plan(facts: Mapping[str, Any], look: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What role nvidia_host does on a hypervisor, and what it refuses; see `_gpu_host.plan`.

    Raises:
        AnsibleFilterError: When an option is missing.
    """
    missing = [name for name in _OPTIONS if name not in options]
    if missing:
        raise AnsibleFilterError(f"options lack {', '.join(missing)}")
    return plan(facts, look, options)


def gpu_host_undo(facts: Mapping[str, Any], look: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """What giving the devices back does on a hypervisor; see `_gpu_host.undo`.

    Raises:
        AnsibleFilterError: When an option is missing.
    """
    if "allow_reboot" not in options:
        raise AnsibleFilterError("options lack allow_reboot")
    return undo(facts, look, options)


class FilterModule:
    """Filters of role nvidia_host."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        return {"gpu_host_plan": gpu_host_plan, "gpu_host_undo": gpu_host_undo}
