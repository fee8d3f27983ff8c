# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What role nvidia_host finds out, decides and refuses, on described machines of every distribution family."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import distributions
import pytest
import sysfs
from distributions import Hypervisor, build, planned, refused, written

# What is refused


DANGEROUS = {
    "boot_display": "0000:65:00.0 shows the host's console",
    "foreign_sibling": "IOMMU group 7 of 0000:03:00.0 has other devices too: 0000:04:00.0 (8086:1533, driver igb)",
    "l40s_sriov": "0000:ca:00.4 is a virtual function of 0000:ca:00.0",
    "no_iommu": "The firmware describes no IOMMU",
    "small_memory_window": "no address for its memory",
    "used_by_host": "is in use on the host by",
}


@pytest.mark.parametrize("machine", sorted(DANGEROUS))
def test_what_would_harm_the_host_is_refused_with_its_cure(machine: str, tmp_path: Path) -> None:
    sentences = planned(build(tmp_path, "debian", machine))["refused"]
    assert any(DANGEROUS[machine] in sentence and ": " in sentence for sentence in sentences), sentences


def test_only_machines_with_something_wrong_are_refused(tmp_path: Path) -> None:
    refusing = {
        name for name in sysfs.names() if planned(build(tmp_path / name, "debian", name), allow_reboot=False)["refused"]
    }
    blocked = {
        name
        for name in sysfs.names()
        if not all(gpu["viable"] for gpu in Hypervisor(tmp_path / name, sysfs.load(name)).facts()["gpus"])
    }
    assert refusing == blocked
    assert set(DANGEROUS) <= refusing


def test_a_host_whose_vms_have_their_cards_is_as_it_should_be(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "used_by_vms")
    found = planned(host)
    assert host.facts()["vms"] > 0
    assert (found["refused"], found["bind"], found["reboot"], found["left"]) == ([], [], [], [])


def _with_vm(name: str) -> dict[str, Any]:
    vm = {"exe": "/usr/bin/qemu-system-x86_64", "arguments": ["qemu-system-x86_64", "-name", "guest=one-12"]}
    return {**sysfs.load(name), "processes": {4321: vm}}


def test_no_host_is_rebooted_under_its_vms(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", _with_vm("iommu_off"))
    assert (
        "1 VM run on this host, and it would have to be rebooted (the kernel runs without intel_iommu=on)"
        in refused(host)
    )
    assert refused(host, allow_reboot=False) == ""
    assert planned(host, allow_reboot=False)["reboot"] == ["the kernel runs without intel_iommu=on"]


def test_a_vgpu_is_refused_with_the_licence(tmp_path: Path) -> None:
    said = refused(build(tmp_path, "debian", "amd_host"), vgpu=True)
    assert said.startswith("nvidia_host_vgpu is true; it must be false")
    assert "licence server" in said
    assert "nvidia_guest_mig_profiles" in said


def test_the_override_never_takes_what_a_host_lives_on(tmp_path: Path) -> None:
    machine = sysfs.load("foreign_sibling")
    host = build(tmp_path / "kept", "debian", machine)
    said = refused(host, allow_shared_groups=True)
    assert "0000:04:00.0, a network controller (8086:1533, driver igb), is in IOMMU group 7 of 0000:03:00.0" in said
    assert "0000:04:00.1, a storage controller" in said
    assert "has other devices too" not in said
    for address, cls in {"0000:04:00.0": "118000", "0000:04:00.1": "088000"}.items():
        machine["devices"][address]["class"] = cls
    found = planned(build(tmp_path / "taken", "debian", machine), allow_shared_groups=True)
    assert found["refused"] == []
    assert found["devices"] == ["0000:03:00.0", "0000:03:00.1", "0000:04:00.0", "0000:04:00.1"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        # a typo that hits the disk, its maker, and the network
        ({"address": "0000:04:00.1"}, "0000:04:00.1 (144d:a804, driver nvme) is a storage controller (class 0108)"),
        ({"vendor": "144d"}, "0000:04:00.1 (144d:a804, driver nvme) is a storage controller"),
        ({"address": "04:00.0"}, "0000:04:00.0 (8086:1533, driver igb) is a network controller (class 0200)"),
        # the board's sound, whose slot has the disks' controller too
        ({"address": "0000:00:1f.3"}, "0000:00:1f.2 (8086:a352, driver ahci) of class 0106"),
    ],
)
@pytest.mark.parametrize("shared", [True, False])
def test_what_a_host_lives_on_is_no_gpu_though_it_is_named(
    wanted: dict[str, str], said: str, shared: bool, tmp_path: Path
) -> None:
    machine = sysfs.load("foreign_sibling")
    machine["wanted"] = [wanted]
    machine["devices"] |= {
        "0000:00:1f.2": {"vendor": "8086", "device": "a352", "class": "010601", "driver": "ahci", "group": 9},
        "0000:00:1f.3": {"vendor": "8086", "device": "a348", "class": "040300", "group": 9},
    }
    assert said in refused(build(tmp_path, "debian", machine), allow_shared_groups=shared)


@pytest.mark.parametrize(
    ("cls", "word"),
    {
        "0c0400": "Fibre Channel adapter",
        "0c0600": "InfiniBand adapter",
        "0c0330": "USB controller",
        "080501": "SD card controller",
        "030000": "display controller",
        "068000": "bridge",
    }.items(),
)
def test_the_override_leaves_every_kind_of_device_that_a_host_lives_on(cls: str, word: str, tmp_path: Path) -> None:
    machine = sysfs.load("foreign_sibling")
    machine["devices"]["0000:04:00.0"]["class"] = cls
    said = refused(build(tmp_path, "debian", machine), allow_shared_groups=True)
    assert f"0000:04:00.0, a {word} (8086:1533, driver igb), is in IOMMU group 7" in said
    assert "driverctl set-override 0000:04:00.0 vfio-pci" in said


@pytest.mark.parametrize(
    ("distribution", "change", "said"),
    [
        (
            "debian",
            {"/etc/os-release": 'ID=gentoo\nPRETTY_NAME="Gentoo"\n'},
            "this is Gentoo; the role knows Debian, Ubuntu",
        ),
        ("rhel", {"/run/ostree-booted": ""}, "this is AlmaLinux 9.4 with a read-only system"),
        ("debian", {"bin/update-grub": None}, "add intel_iommu=on by hand, reboot, and run this again"),
        ("debian", {"/boot/grub/grub.cfg": None}, "the boot loader (unknown, or none that the tools"),
        ("rhel", {"bin/grubby": None}, "add intel_iommu=on by hand"),
        ("suse", {"/etc/sysconfig/bootloader": 'LOADER_TYPE="none"\n'}, "add intel_iommu=on by hand"),
        ("debian", {"bin/mkinitramfs": None}, "neither update-initramfs nor dracut is there"),
        ("rhel", {"bin/dracut": None}, "neither update-initramfs nor dracut is there"),
        (
            "debian",
            {"/etc/driverctl.d/pci-0000:17:00.0": "nvidia\n"},
            "driverctl has 0000:17:00.0 for nvidia: run `driverctl unset-",
        ),
    ],
)
def test_hosts_that_the_role_cannot_write_for_are_refused(
    distribution: str, change: dict[str, str | None], said: str, tmp_path: Path
) -> None:
    host = build(tmp_path, distribution, "iommu_off")
    assert refused(host) == ""
    for path, text in change.items():
        if text is None:
            (tmp_path / path.lstrip("/")).unlink()
        else:
            host.write(path, text)
    assert said in refused(host)


def test_systemd_boot_is_refused_by_name_only_while_the_command_line_has_to_change(tmp_path: Path) -> None:
    variable = "sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
    for name in ("iommu_off", "amd_host"):
        host = build(tmp_path / name, "debian", name)
        place = tmp_path / name / variable
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"\6\0\0\0" + "systemd-boot 252.33\0".encode("utf-16-le"))
        said = refused(host)
        assert ("the boot loader (systemd-boot 252.33) is none" in said) == (name == "iommu_off"), said


def test_a_parameter_that_contradicts_one_by_hand_is_refused(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "amd_host", command_line="root=/dev/sda1 iommu=nopt")
    assert "has iommu=nopt, and iommu=pt is wanted" in refused(host, kernel_parameters=["iommu=pt"])


def test_bindings_that_a_host_cannot_do_are_refused(tmp_path: Path) -> None:
    suse = build(tmp_path / "suse", "suse", "amd_host")
    assert "set modprobe or auto" in refused(suse, binding="driverctl")
    assert planned(suse)["binding"] == "modprobe"
    debian = build(tmp_path / "debian", "debian", "amd_host")
    debian.write(f"/lib/modules/{os.uname().release}/modules.builtin", "kernel/drivers/vfio/pci/vfio-pci.ko\n")
    assert "built into this kernel" in refused(debian, binding="modprobe")
    assert planned(debian)["binding"] == "driverctl"


def test_an_iommu_that_no_reboot_would_switch_on_asks_for_none(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "iommu_off", command_line="root=/dev/sda1 intel_iommu=on")
    assert planned(host)["reboot"] == []
    assert "the kernel does not use it, though nothing switches it off" in refused(host)


def test_groups_that_the_hardware_does_not_keep_apart_are_refused_without_the_override(tmp_path: Path) -> None:
    line = "root=/dev/sda1 pcie_acs_override=downstream vfio.enable_unsafe_noiommu_mode=1"
    host = build(tmp_path, "debian", "amd_host", command_line=line)
    said = planned(host)["refused"]
    assert len(said) == 2
    assert all(one.endswith("nvidia_host_allow_shared_groups: true, which accepts this") for one in said)
    found = planned(host, allow_shared_groups=True)
    assert found["refused"] == []
    assert "pcie_acs_override=downstream makes the kernel show groups" in ". ".join(found["warnings"])


def test_warnings_are_told_but_for_vms_that_have_their_cards(tmp_path: Path) -> None:
    assert planned(build(tmp_path / "used", "debian", "used_by_vms"))["warnings"] == []
    machine = {**sysfs.load("amd_host"), "flags": []}
    (said,) = planned(build(tmp_path / "flags", "debian", machine))["warnings"]
    assert said.startswith("The CPU does not say that it can run VMs (no flag vmx or svm): Switch on SVM Mode")


def test_the_kernel_may_give_a_card_its_addresses_once(tmp_path: Path) -> None:
    machine = sysfs.load("small_memory_window")
    machine["devices"] = {address: {**device, "dead": False} for address, device in machine["devices"].items()}
    host = build(tmp_path / "before", "debian", machine)
    assert "no address for its memory" in refused(host)
    found = planned(host, kernel_parameters=["pci=realloc"])
    assert found["refused"] == []
    assert "the kernel runs without pci=realloc" in found["reboot"]
    line = f"{machine.get('command_line', 'root=/dev/sda1')} pci=realloc"
    host = build(tmp_path / "after", "debian", machine, command_line=line)
    assert "no address for its memory" in refused(host, kernel_parameters=["pci=realloc"])


@pytest.mark.parametrize(
    ("users", "groups", "right"),
    [
        ("root:x:0:0:root:/root:/bin/sh\n", "kvm:x:104:\n", True),
        ("oneadmin:x:9869:9869::/var/lib/one:/bin/sh\n", "kvm:x:104:libvirt-qemu,oneadmin\n", True),
        ("oneadmin:x:9869:104::/var/lib/one:/bin/sh\n", "kvm:x:104:\n", True),
        ("oneadmin:x:9869:9869::/var/lib/one:/bin/sh\n", "kvm:x:104:libvirt-qemu\n", False),
        # nothing is given to a group that there is not
        ("oneadmin:x:9869:9869::/var/lib/one:/bin/sh\n", "root:x:0:\n", True),
    ],
)
def test_qemu_has_to_be_in_the_group_that_gets_the_devices(
    users: str, groups: str, right: bool, tmp_path: Path
) -> None:
    host = build(tmp_path, "debian", "amd_host")
    host.write("/etc/passwd", users)
    host.write("/etc/group", groups)
    assert ("usermod -aG kvm oneadmin" not in refused(host)) == right


# What is done


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            f"/lib/modules/{os.uname().release}/modules.dep",
            "updates/dkms/nvidia.ko.xz: kernel/drivers/video/video.ko\n",
        ),
        ("/etc/modules", "# NVIDIA's\nnvidia_uvm\n"),
        ("/usr/lib/modules-load.d/nvidia.conf", "nvidia-drm\n"),
    ],
)
def test_a_driver_that_is_loaded_by_name_is_kept_away_by_modprobe(path: str, text: str, tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "amd_host")
    assert planned(host)["binding"] == "driverctl"
    host.write(path, text)
    assert planned(host)["binding"] == "modprobe"
    assert planned(host, binding="driverctl")["binding"] == "driverctl"
    host.write(f"/lib/modules/{os.uname().release}/modules.builtin", "kernel/drivers/vfio/pci/vfio-pci.ko\n")
    assert planned(host)["binding"] == "driverctl"


def test_every_function_of_a_card_goes_with_it_by_address(tmp_path: Path) -> None:
    found = planned(build(tmp_path, "debian", "consumer_card"))
    assert found["devices"] == [f"0000:01:00.{number}" for number in range(4)]
    assert found["overrides"] == found["devices"]
    assert "0000:01:00.2 is bound to xhci_hcd" in found["reboot"]
    assert found["bind"] == []


def test_one_of_two_cards_of_a_kind_can_be_left_to_the_host(tmp_path: Path) -> None:
    machine = sysfs.load("a100_nvlink")
    machine["wanted"] = [{"address": "0000:0f:00.0"}]
    assert planned(build(tmp_path, "debian", machine))["devices"] == ["0000:0f:00.0"]


def test_devices_without_a_driver_need_no_reboot(tmp_path: Path) -> None:
    found = planned(build(tmp_path, "debian", "amd_host"))
    assert (found["bind"], found["reboot"]) == (["0000:41:00.0"], [])
    assert found["parameters"]["wanted"] == []


@pytest.mark.parametrize("distribution", sorted(distributions.RELEASES))
def test_an_intel_host_gets_its_parameter_where_its_distribution_has_it(distribution: str, tmp_path: Path) -> None:
    host = build(tmp_path, distribution, "iommu_off")
    asked = ["intel_iommu=on", "iommu=pt"]
    found = planned(host, kernel_parameters=["iommu=pt"])
    assert found["refused"] == []
    assert found["parameters"] == {"wanted": asked, "own": asked, "add": asked, "remove": []}
    assert found["binding"] == ("modprobe" if distribution == "suse" else "driverctl")


def test_parameters_by_hand_stay_by_hand(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "iommu_off")
    host.write("/boot/grub/grub.cfg", "  linux /boot/vmlinuz root=/dev/sda1 intel_iommu=on\n")
    found = planned(host)
    assert found["parameters"] == {"wanted": ["intel_iommu=on"], "own": [], "add": [], "remove": []}
    assert found["reboot"] == ["the kernel runs without intel_iommu=on"]


def test_own_parameters_are_kept_while_the_kernel_has_them_and_taken_out_when_unwanted(tmp_path: Path) -> None:
    host = build(tmp_path, "rhel", "consumer_card", command_line="ro intel_iommu=on iommu=pt")
    host.write("/boot/args", "ro quiet intel_iommu=on iommu=pt\n")
    written(host, parameters=["intel_iommu=on", "iommu=pt"])
    found = planned(host)["parameters"]
    assert found == {"wanted": ["intel_iommu=on"], "own": ["intel_iommu=on"], "add": [], "remove": ["iommu=pt"]}


def test_an_override_of_the_operator_is_his(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "amd_host")
    host.write("/etc/driverctl.d/pci-0000:41:00.0", "vfio-pci\n")
    assert planned(host)["overrides"] == []
    written(host, overrides=["/etc/driverctl.d/pci-0000:41:00.0"])
    assert planned(host)["overrides"] == ["0000:41:00.0"]


def test_a_group_that_is_not_free_is_left_to_say(tmp_path: Path) -> None:
    machine = sysfs.load("foreign_sibling")
    for address in ("0000:03:00.0", "0000:03:00.1"):
        machine["devices"][address]["driver"] = "vfio-pci"
    left = planned(build(tmp_path, "debian", machine), allow_shared_groups=True)["left"]
    assert "IOMMU group 7 of 0000:03:00.0 is not free for VMs, since 0000:04:00.0 is bound to igb" in left
