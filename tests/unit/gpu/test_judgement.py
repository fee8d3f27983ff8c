# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""One thing at a time is wrong with a machine that is right: what the facts say then, and that the cure names it."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sysfs

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu import host

GPU = "0000:4b:00.0"
RIGHT = sysfs.load("secure_boot")

ISA = {"vendor": "8086", "device": "a1c3", "class": "060100", "driver": "lpc_ich"}

Facts = dict[str, Any]
Read = Callable[..., Facts]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read the right machine with some keys changed; those of C(gpu) are the card's."""

    def on(gpu: dict[str, Any] | None = None, **changes: Any) -> Facts:
        machine = {**copy.deepcopy(RIGHT), **changes}
        machine["devices"][GPU].update(gpu or {})
        return host.read(sysfs.build(machine, tmp_path / f"{len(list(tmp_path.iterdir()))}"))

    return on


def cure(problems: list[dict[str, str]], code: str, kind: str) -> str:
    """Return the cure of the one problem with a code, which has to be of a kind."""
    found = [one for one in problems if one["code"] == code]
    assert [one["kind"] for one in found] == [kind], problems
    return found[0]["cure"]


def with_parameters(*words: str) -> dict[str, Any]:
    """Return changes for a command line."""
    return {"command_line": " ".join(["BOOT_IMAGE=/vmlinuz", *words])}


def test_nothing_is_wrong_with_it(read: Read) -> None:
    facts = read()
    assert facts["problems"] == facts["gpus"][0]["problems"] == []
    assert facts["gpus"][0]["ready"]


def test_groups_alone_are_no_iommu(read: Read) -> None:
    facts = read(units=[], **with_parameters("quiet"))
    assert facts["iommu"]["groups"] == 1
    assert not facts["iommu"]["enabled"]
    assert "intel_iommu=on" in cure(facts["problems"], "iommu_off", "role")
    assert facts["gpus"][0]["viable"]
    assert not facts["gpus"][0]["ready"]


def test_units_of_the_other_maker_are_no_iommu(read: Read) -> None:
    assert not read(units=["ivhd0"])["iommu"]["enabled"]
    assert not read(cpu="amd", units=["dmar0"])["iommu"]["enabled"]


def test_an_intel_kernel_that_uses_it_by_default_needs_nothing(read: Read) -> None:
    facts = read(**with_parameters("quiet"))
    assert facts["iommu"]["enabled"]
    assert facts["iommu"]["parameters_needed"] == []
    assert facts["iommu"]["parameters_advised"] == ["intel_iommu=on"]
    assert facts["problems"] == []


@pytest.mark.parametrize(
    ("cpu", "words", "needed", "code", "kind", "named"),
    [
        ("intel", ["intel_iommu=off"], ["intel_iommu=on"], "iommu_off", "role", "intel_iommu=on"),
        ("intel", ["intel_iommu=on", "intel_iommu=off"], ["intel_iommu=on"], "iommu_off", "role", "intel_iommu=on"),
        ("intel", ["intel_iommu=sm_on"], ["intel_iommu=on"], "iommu_off", "role", "intel_iommu=on"),
        ("intel", ["intel_iommu=on,sm_on"], [], "iommu_unused", "blocks", "journalctl"),
        ("intel", ["iommu=off", "intel_iommu=on"], [], "iommu_switched_off", "blocks", "iommu=off"),
        ("amd", ["amd_iommu=off"], [], "iommu_switched_off", "blocks", "amd_iommu=off"),
        ("amd", ["amd_iommu=fullflush"], [], "iommu_unused", "blocks", "AMD-Vi"),
        # a word of init's is none of the kernel's
        ("intel", ["--", "intel_iommu=on"], ["intel_iommu=on"], "iommu_off", "role", "intel_iommu=on"),
    ],
)
def test_an_iommu_that_is_off(
    read: Read, cpu: str, words: list[str], needed: list[str], code: str, kind: str, named: str
) -> None:
    facts = read(cpu=cpu, units=[], tables=["DMAR", "IVRS"], **with_parameters(*words))
    assert facts["iommu"]["parameters_needed"] == needed
    assert named in cure(facts["problems"], code, kind)
    assert facts["viable"] == (kind == "role")


@pytest.mark.parametrize(
    ("cpu", "flags", "named"),
    [
        ("intel", ["vmx"], "Intel VT-d"),
        ("amd", ["svm"], "AMD-Vi"),
        ("other", [], "SMMU"),
        ("intel", ["vmx", "hypervisor"], "-device intel-iommu"),
    ],
)
def test_a_firmware_without_iommu(read: Read, cpu: str, flags: list[str], named: str) -> None:
    facts = read(cpu=cpu, flags=flags, units=[], tables=[])
    assert not facts["iommu"]["firmware"]
    assert named in cure(facts["problems"], "no_iommu", "blocks")
    assert not facts["viable"]
    assert not facts["gpus"][0]["viable"]


@pytest.mark.parametrize(
    ("words", "group_type", "passthrough"),
    [
        (["iommu=pt"], "DMA", True),
        (["iommu=pt", "iommu=nopt"], "identity", False),
        (["iommu.passthrough=1"], "DMA", True),
        (["iommu.passthrough=0"], "identity", False),
        ([], "identity", True),
        ([], "DMA-FQ", False),
    ],
)
def test_whether_the_hosts_devices_go_past_the_iommu(
    read: Read, words: list[str], group_type: str, passthrough: bool
) -> None:
    facts = read(group_type=group_type, **with_parameters("intel_iommu=on", *words))
    assert facts["iommu"]["passthrough"] == passthrough
    assert facts["iommu"]["parameters_advised"] == ([] if passthrough else ["iommu=pt"])


def test_interrupts_that_are_not_remapped(read: Read) -> None:
    facts = read(interrupts_remapped=False)
    assert facts["iommu"]["interrupt_remapping"] is False
    assert "intremap=off" in cure(facts["problems"], "no_interrupt_remapping", "blocks")

    unsafe = {"vfio_iommu_type1": {"parameters": {"allow_unsafe_interrupts": "Y"}}}
    facts = read(interrupts_remapped=False, modules=unsafe)
    cure(facts["problems"], "no_interrupt_remapping", "warning")
    assert "/etc/modprobe.d" in cure(facts["problems"], "unsafe_interrupts", "warning")
    assert facts["viable"]


@pytest.mark.parametrize("loaded", [True, False])
def test_vfio_without_an_iommu(read: Read, loaded: bool) -> None:
    by_module: dict[str, Any] = {"modules": {"vfio": {"parameters": {"enable_unsafe_noiommu_mode": "Y"}}}}
    by_line = with_parameters("intel_iommu=on", "vfio.enable-unsafe-noiommu-mode=1")
    facts = read(**(by_module if loaded else by_line))
    assert "enable_unsafe_noiommu_mode" in cure(facts["problems"], "unsafe_noiommu", "warning")


@pytest.mark.parametrize(
    ("content", "value", "problems"),
    [(1, True, []), (0, False, []), (2, None, ["unreadable"]), (None, None, [])],
)
def test_secure_boot(tmp_path: Path, content: int | None, value: bool | None, problems: list[str]) -> None:
    machine = {key: item for key, item in RIGHT.items() if key != "secure_boot"}
    facts = host.read(sysfs.build(machine if content is None else {**machine, "secure_boot": content}, tmp_path))
    assert facts["secure_boot"] is value
    assert [one["code"] for one in facts["problems"]] == problems


def test_a_variable_without_its_attributes_is_no_answer(tmp_path: Path) -> None:
    root = sysfs.build(RIGHT, tmp_path / "machine")
    next((root / "sys/firmware/efi/efivars").iterdir()).write_bytes(b"\x01")
    facts = host.read(root)
    assert facts["secure_boot"] is None
    assert "SecureBoot" in facts["problems"][0]["message"]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"modules.dep": "kernel/drivers/vfio/pci/vfio-pci.ko.zst: x\n"}, None),
        ({"modules.dep": "", "modules.builtin": "kernel/drivers/vfio/pci/vfio-pci.ko\n"}, None),
        ({"modules.dep": "kernel/fs/ext4/ext4.ko:\n"}, "no_vfio_pci"),
        ({}, None),
    ],
)
def test_a_kernel_without_vfio_pci(read: Read, files: dict[str, str], code: str | None) -> None:
    kernel = RIGHT["kernel"]
    facts = read({"driver": None}, files={f"/lib/modules/{kernel}/{name}": text for name, text in files.items()})
    if code:
        assert f"linux-modules-extra-{kernel}" in cure(facts["problems"], code, "blocks")
    else:
        assert facts["problems"] == []


def test_a_cpu_that_cannot_run_vms(read: Read) -> None:
    assert "VT-x" in cure(read(flags=[])["problems"], "no_virtualization", "warning")
    assert "SVM" in cure(read(cpu="amd", units=["ivhd0"], flags=[])["problems"], "no_virtualization", "warning")


def test_a_device_of_nvidia_that_is_no_bridge_shares_the_group(read: Read) -> None:
    devices = {**RIGHT["devices"], "0000:4c:00.0": {"vendor": "10de", "device": "22a3", "class": "068000", "group": 18}}
    card = read(devices=copy.deepcopy(devices))["gpus"][0]
    assert not card["isolated"]
    assert card["siblings"][0]["bridge"] is False
    assert "nvidia_host_allow_shared_groups" in cure(card["problems"], "group_shared", "blocks")
    assert "nvidia-fabricmanager" in cure(card["problems"], "nvswitch", "warning")


def test_a_bridge_by_its_header_alone_is_one(read: Read) -> None:
    odd = {"vendor": "1b4b", "device": "0001", "class": "ff0000", "group": 18, "header": 1}
    card = read(devices=copy.deepcopy({**RIGHT["devices"], "0000:4a:00.0": odd}))["gpus"][0]
    assert card["siblings"][0]["bridge"] is True
    assert card["isolated"]


def test_a_card_that_no_unit_translates_for(read: Read) -> None:
    devices = {GPU: {"vendor": "10de", "device": "2331", "class": "030200"}, "0000:00:1f.0": {**ISA, "group": 3}}
    card = read(devices=devices)["gpus"][0]
    assert not card["isolated"]
    assert "Intel VMD" in cure(card["problems"], "no_group", "blocks")
    assert read(devices=devices, units=[])["gpus"][0]["problems"][0]["code"] == "not_bound"


@pytest.mark.parametrize(("kind", "refused"), [("direct", True), ("direct-relaxable", False), ("msi", False)])
def test_memory_that_the_firmware_keeps(read: Read, kind: str, refused: bool) -> None:
    regions = f"0x00000000bdf6f000 0x00000000bdf7efff {kind}\n0x00000000fee00000 0x00000000feefffff msi\n"
    problems = read(files={"/sys/kernel/iommu_groups/18/reserved_regions": regions})["gpus"][0]["problems"]
    assert [one["code"] for one in problems] == (["memory_reserved"] if refused else [])


def test_functions_go_with_the_card_and_are_bound_with_it(read: Read) -> None:
    audio = {"vendor": "10de", "device": "10f7", "class": "040300", "group": 18, "driver": "snd_hda_intel"}
    card = read(devices=copy.deepcopy({**RIGHT["devices"], "0000:4b:00.1": audio}))["gpus"][0]
    assert card["driver"] == "vfio-pci"
    assert "driverctl set-override 0000:4b:00.1 vfio-pci" in cure(card["problems"], "not_bound", "role")
    assert card["viable"]
    assert not card["ready"]


def test_a_driver_of_the_vfio_family_will_do(read: Read) -> None:
    assert read({"driver": "nvgrace-gpu-vfio-pci"})["gpus"][0]["ready"]


@pytest.mark.parametrize(
    ("regions", "unassigned"),
    [
        # an NVIDIA card without any region lost them all; a port that is not used is no loss
        (["0x0000000000000000 0x0000000000000000 0x0000000000000000"] * 6, True),
        (["0x0000000000000000 0x000000000000007f 0x0000000000040101"], False),
        (["0x00000000f6000000 0x00000000f6ffffff 0x0000000000040200"], False),
        # the seventh is the ROM, which nobody needs
        (["0x00000000f6000000 0x00000000f6ffffff 0x40200"] * 6 + ["0x0 0x7ffff 0x46200"], False),
        (["0x0000000000000000 0x0000001fffffffff 0x000000000014220c"], True),
    ],
)
def test_memory_without_an_address(read: Read, regions: list[str], unassigned: bool) -> None:
    problems = read({"regions": regions})["gpus"][0]["problems"]
    if unassigned:
        assert "Above 4G Decoding" in cure(problems, "regions_unassigned", "blocks")
    else:
        assert problems == []


def test_a_card_without_power(read: Read) -> None:
    assert "disable_idle_d3" in cure(read({"power": "D3cold"})["gpus"][0]["problems"], "powered_off", "warning")
    assert read({"power": "D3hot"})["gpus"][0]["problems"] == []


def test_mediated_devices_stand_against_it(read: Read) -> None:
    uuid = "aa618089-8b16-4d01-a136-25a0f3c73123"
    vm = {
        "exe": "/usr/bin/qemu-system-x86_64",
        "arguments": ["qemu", "-name", "one-3", "-device", f"vfio-pci,sysfsdev={uuid}"],
    }
    card = read({"driver": "nvidia", "mediated": [uuid]}, processes={77: vm})["gpus"][0]
    assert card["users"] == ["vm one-3 (pid 77)", f"mediated device {uuid}"]
    assert "mdevctl" in cure(card["problems"], "mediated_devices", "blocks")
    cure(card["problems"], "in_use", "blocks")


@pytest.mark.parametrize(
    ("process", "users"),
    [
        ({"arguments": ["qemu", "-device", "vfio-pci,host=4b:00.0"]}, ["vm qemu-system-x86_64 (pid 5)"]),
        ({"arguments": ["qemu", "-name", "a", "-device", "vfio-pci,host=0000:4b:00.0,id=x"]}, ["vm a (pid 5)"]),
        (
            {"arguments": ["qemu", "-device", "vfio-pci,sysfsdev=/sys/bus/pci/devices/0000:4b:00.0", "-name", "b"]},
            ["vm b (pid 5)"],
        ),
        ({"arguments": ["qemu", "-name", "c"], "opened": ["/dev/vfio/18"]}, ["vm c (pid 5)"]),
        ({"arguments": ["qemu", "-name", "d"], "opened": ["/dev/vfio/devices/vfio0"]}, ["vm d (pid 5)"]),
        # others' devices
        ({"arguments": ["qemu", "-device", "vfio-pci,host=0000:4b:00.01"]}, []),
        ({"arguments": ["qemu", "-device", "vfio-pci,host=0001:4b:00.0"]}, []),
        ({"arguments": ["qemu", "-drive", "file=/sys/bus/pci/devices/0000:4c:00.0"]}, []),
        ({"opened": ["/dev/vfio/1", "/dev/vfio/180", "/dev/vfio/vfio"]}, []),
    ],
)
def test_which_vms_use_a_card(read: Read, process: dict[str, Any], users: list[str]) -> None:
    vm = {"exe": "/usr/bin/qemu-system-x86_64", **process}
    files = {f"/sys/bus/pci/devices/{GPU}/vfio-dev/vfio0/dev": "511:0\n"}
    facts = read(processes={5: vm}, files=files)
    assert facts["vms"] == 1
    assert facts["gpus"][0]["users"] == users


def test_who_may_not_look_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = sysfs.build({**RIGHT, "processes": {5: {"exe": "/usr/bin/qemu-system-x86_64"}}}, tmp_path / "machine")
    real = os.listdir

    def refuse(path: Any) -> list[str]:
        if str(path).endswith("/proc/5/fd"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("os.listdir", refuse)
    facts = host.read(root)
    assert "become: true" in cure(facts["problems"], "not_privileged", "blocks")
    assert not facts["viable"]


@pytest.mark.parametrize(
    ("changes", "consoles", "shown"),
    [
        ({"boot_vga": 0}, "tty0", False),
        ({"boot_vga": 1}, "ttyS0", True),
        ({"files": {"boot_display": "1"}}, "ttyS0", True),
        ({"drm": ["card0"], "files": {"drm/card0/boot_display": "1"}}, "ttyS0", True),
        ({"fb": "fb0"}, "ttyS0 tty0", True),
        ({"fb": "fb0"}, None, True),
        ({"fb": "fb0"}, "ttyS0", False),
        ({"fb": "fb1"}, "tty0", False),
    ],
)
def test_the_boot_display(read: Read, changes: dict[str, Any], consoles: str | None, shown: bool) -> None:
    files = {
        "/sys/devices/virtual/vtconsole/vtcon1/name": "(M) frame buffer device\n",
        "/sys/devices/virtual/vtconsole/vtcon1/bind": "1\n",
        **({"/sys/class/tty/console/active": f"{consoles}\n"} if consoles else {}),
    }
    links = {"/sys/class/vtconsole/vtcon1": "../../devices/virtual/vtconsole/vtcon1"}
    card = read(changes, files=files, links=links)["gpus"][0]
    assert card["boot_display"] == shown
    if shown:
        assert "Primary Display" in cure(card["problems"], "boot_display", "blocks")


@pytest.mark.parametrize(
    ("vendor", "device", "capable"),
    [
        *[("10de", device, True) for device in ("20b0", "20b5", "20b7", "2330", "2335", "2901", "2bb5")],
        # V100, T4, RTX A6000, RTX 4090, L4
        *[("10de", device, False) for device in ("1db6", "1eb8", "2230", "2684", "27b8")],
        # of an architecture that has it, and not in NVIDIA's list: CMP 170HX, H100 CNX, RTX 5090
        *[("10de", device, None) for device in ("2082", "2313", "2b85")],
        ("1234", "1111", False),
    ],
)
def test_who_can_be_split(vendor: str, device: str, capable: bool | None, tmp_path: Path) -> None:
    machine = copy.deepcopy(RIGHT)
    machine["devices"][GPU].update(vendor=vendor, device=device)
    facts = host.read(sysfs.build(machine, tmp_path / "machine"), [{"address": GPU}])
    assert facts["gpus"][0]["mig_capable"] is capable


@pytest.mark.parametrize(("vendor", "refused"), [("10de", False), ("8086", True)])
def test_switches_of_nvidia_go_to_vms_and_other_bridges_do_not(vendor: str, refused: bool, tmp_path: Path) -> None:
    machine = copy.deepcopy(RIGHT)
    machine["devices"][GPU].update({"vendor": vendor, "class": "068000"})
    (card,) = host.read(sysfs.build(machine, tmp_path), [{"address": GPU}])["gpus"]
    assert ("not_a_gpu" in [one["code"] for one in card["problems"]]) == refused
