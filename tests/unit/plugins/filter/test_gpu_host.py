# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The filters of role nvidia_host; what they decide is tested in tests/unit/roles/test_nvidia_host*.py."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.fact8ra.flower.plugins.filter.gpu_host import FilterModule

FILTERS = FilterModule().filters()
FACTS: dict[str, Any] = {
    "kernel_parameters": ["quiet"],
    "iommu": {"enabled": True, "parameters_needed": []},
    "gpus": [],
    "problems": [{"kind": "blocks", "code": "no_gpu", "message": "No card.", "cure": "Look."}],
    "vms": 0,
}
LOOK: dict[str, Any] = {
    "family": "debian",
    "distribution": "Debian",
    "immutable": False,
    "bootloader": "update-grub",
    "loader": "",
    "boot": {"all": [], "any": []},
    "initramfs": "dracut",
    "driverctl": True,
    "vfio_builtin": False,
    "nvidia": False,
    "kvm": True,
    "oneadmin": None,
    "state_error": "",
    "ids": {},
    "state": None,
    "files": {},
    "overrides": {},
    "drivers": {},
}
OPTIONS = {
    "binding": "auto",
    "allow_shared_groups": False,
    "allow_reboot": False,
    "kernel_parameters": [],
    "vgpu": False,
}


def test_a_host_without_a_card_is_refused_with_the_cure() -> None:
    found = FILTERS["gpu_host_plan"](FACTS, LOOK, OPTIONS)
    assert found["refused"] == ["No card: Look"]
    assert found["devices"] == []


def test_a_host_that_nothing_was_done_to_has_nothing_to_undo() -> None:
    found = FILTERS["gpu_host_undo"](FACTS, LOOK, {"allow_reboot": False})
    assert found == {"refused": [], "parameters": {"add": [], "remove": []}, "files": [], "bind": [], "reboot": []}


@pytest.mark.parametrize(("name", "missing"), [("gpu_host_plan", "vgpu"), ("gpu_host_undo", "allow_reboot")])
def test_an_option_that_is_missing_is_named(name: str, missing: str) -> None:
    options = {key: value for key, value in OPTIONS.items() if key != missing}
    with pytest.raises(AnsibleFilterError, match=f"options lack {missing}"):
        FILTERS[name](FACTS, LOOK, options)
