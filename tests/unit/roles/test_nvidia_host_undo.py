# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""When and how role nvidia_host gives devices back, and what its commands do on the host."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import distributions
import pytest
import sysfs
import yaml
from distributions import Hypervisor, build, refused, written

from ansible_collections.fact8ra.flower.plugins.plugin_utils._gpu_host import undo

_VARIABLES: dict[str, Any] = yaml.safe_load((distributions.ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))


def test_a_device_that_a_vm_uses_is_not_taken_back(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "used_by_vms")
    used = [gpu["address"] for gpu in host.facts()["gpus"] if any(one.startswith("vm ") for one in gpu["users"])]
    written(host, devices=used, parameters=["intel_iommu=on"])
    said = ". ".join(undo(host.facts(), host.look(), {"allow_reboot": True})["refused"])
    assert used
    for address in used:
        assert f"{address} is in use by vm " in said
    written(host, devices=[])
    assert undo(host.facts(), host.look(), {"allow_reboot": True})["refused"] == []


def test_a_device_that_any_process_holds_is_not_taken_back(tmp_path: Path) -> None:
    machine = sysfs.load("secure_boot")
    machine["processes"] = {77: {"exe": "/usr/bin/dpdk-testpmd", "opened": ["/dev/vfio/18"]}}
    host = build(tmp_path, "debian", machine)
    written(host, devices=["0000:4b:00.0"], parameters=["intel_iommu=on"])
    (said,) = undo(host.facts(), host.look(), {"allow_reboot": False})["refused"]
    assert said.startswith("0000:4b:00.0 is in use by process dpdk-testpmd (pid 77): power the VM off, or end the")
    assert "dpdk-testpmd" in refused(host, kernel_parameters=["audit=0"])
    assert refused(host, kernel_parameters=["audit=0"], allow_reboot=False) == ""


def steps(name: str) -> list[dict[str, Any]]:
    """Tasks of a file in their order, those that it includes in place of what includes them."""
    found = []
    for task in yaml.safe_load((distributions.ROLE / "tasks" / name).read_text(encoding="utf-8")):
        for one in task.get("block", [task]):
            inner = one.get("ansible.builtin.include_tasks") or one.get("ansible.builtin.import_tasks")
            found += steps(inner) if inner else [one]
    return found


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("main.yml", "Reboot"),
        ("absent.yml", "Reboot"),
        ("absent.yml", "Give the devices to their drivers"),
    ],
)
def test_a_look_and_refusals_alone_stand_before_what_cannot_be_undone(name: str, last: str) -> None:
    before = steps(name)
    place = next(number for number, task in enumerate(before) if task["name"] == last)
    assert "timeout" in before[place] or last == "Reboot"
    modules = [next(key for key in task if "." in key) for task in before[:place]]
    asked = max(number for number, module in enumerate(modules) if module == "fact8ra.flower.gpu_host_facts")
    after = before[asked + 1 : place]
    assert after
    # OpenNebula's scheduler may be kept away from the host last, which takes a moment and touches nothing on it.
    assert {next(key for key in task if "." in key) for task in after} <= {
        "ansible.builtin.assert",
        "fact8ra.flower.host_scheduling",
    }
    conditions = str([task["ansible.builtin.assert"]["that"] for task in after if "ansible.builtin.assert" in task])
    assert "_nvidia_host_against" in conditions or "_nvidia_host_undo.refused" in conditions


def test_the_boot_loader_is_read_again_before_the_host_is_rebooted_for_it() -> None:
    after = [task["name"] for task in steps("absent_files.yml")]
    assert after[-3:-1] == ["Look at its GPUs", "Check that the boot loader has lost the kernel parameters"]
    after = [task["name"] for task in steps("configure.yml")]
    assert after[-3:] == [
        "Look at its GPUs",
        "Check that the boot loader has the kernel parameters",
        "Check that everything is as it was written",
    ]


def test_undo_gives_back_what_is_its_own_alone(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "iommu_off", command_line="ro intel_iommu=on")
    host.write("/etc/modprobe.d/fact8ra-gpu.conf", "blacklist nouveau\n")
    host.write("/etc/modprobe.d/mine.conf", "blacklist nouveau\n")
    for address in ("0000:17:00.0", "0000:99:00.0"):
        host.write(f"/etc/driverctl.d/pci-{address}", "vfio-pci\n")
    host.write("/boot/grub/grub.cfg", "  linux /boot/vmlinuz intel_iommu=on mine=1\n")
    own = "/etc/driverctl.d/pci-0000:17:00.0"
    written(host, devices=["0000:17:00.0"], overrides=[own], parameters=["intel_iommu=on"])
    assert undo(host.facts(), host.look(), {"allow_reboot": False}) == {
        "refused": [],
        "parameters": {"add": [], "remove": ["intel_iommu=on"]},
        "files": [own, "/etc/modprobe.d/fact8ra-gpu.conf"],
        "bind": [],
        "reboot": ["the kernel runs with intel_iommu=on"],
    }


def test_undo_without_the_tool_names_what_to_take_out(tmp_path: Path) -> None:
    host = build(tmp_path, "rhel", "iommu_off")
    host.write("/boot/args", "ro intel_iommu=on\n")
    written(host, parameters=["intel_iommu=on"])
    look = {**host.look(), "bootloader": ""}
    assert "take intel_iommu=on out by hand" in ". ".join(undo(host.facts(), look, {"allow_reboot": True})["refused"])


# What is run on the host


def _sh(host: Hypervisor, script: str, *addresses: str) -> None:
    command = ["/bin/sh", "-c", _VARIABLES[script], "sh", str(host.root), *addresses]
    subprocess.run(command, env={"PATH": f"{host.path}:/usr/bin:/bin"}, check=True, capture_output=True)


def test_devices_are_bound_and_given_back_by_address(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "consumer_card")
    device = tmp_path / "sys/bus/pci/devices/0000:01:00.1"
    _sh(host, "_nvidia_host_bind", "0000:01:00.1")
    assert host.calls() == ["modprobe vfio-pci"]
    assert (device / "driver_override").read_text() == "vfio-pci\n"
    assert host.text("/sys/bus/pci/drivers_probe") == "0000:01:00.1\n"
    _sh(host, "_nvidia_host_give_back", "0000:01:00.1")
    assert (device / "driver_override").read_text() == "\n"
    assert (device / "driver" / "unbind").read_text() == "0000:01:00.1\n"
    assert host.calls() == [f"udevadm trigger --action=add {device}", "udevadm settle"]
    # Others of the same driver stay as they are.
    assert "vfio" not in "".join(path.read_text() for path in tmp_path.glob("sys/bus/pci/devices/*/driver_override"))
