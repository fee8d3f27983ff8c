# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the script of role nvidia_host finds on described machines of every distribution family."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import distributions
import pytest
from distributions import NOTED, Hypervisor, build, planned, written

from ansible_collections.fact8ra.flower.plugins.plugin_utils._gpu_host import undo


def test_only_entries_that_boot_the_host_count(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "amd_host")
    host.write(
        "/boot/grub/grub.cfg",
        "\tlinux\t/boot/vmlinuz-1 root=/dev/sda1 ro a b\n  linuxefi /boot/vmlinuz-2 root=/dev/sda1 a c\n"
        "  linux /boot/vmlinuz-1 root=/dev/sda1 single\n  linux /boot/vmlinuz-1 ro recovery nomodeset\n"
        "  linux /boot/memtest86+x64.bin\n  initrd /boot/initrd.img\n",
    )
    assert host.look()["boot"] == {"all": ["a", "root=/dev/sda1"], "any": ["a", "b", "c", "ro", "root=/dev/sda1"]}


def test_suse_has_a_parameter_only_when_option_and_menu_have_it(tmp_path: Path) -> None:
    host = build(tmp_path, "suse", "amd_host")
    host.write("/boot/options", "quiet\nintel_iommu=on\n")
    assert "intel_iommu=on" not in host.look("intel_iommu=on")["boot"]["all"]
    host.write("/boot/grub2/grub.cfg", "  linux /boot/vmlinuz root=/dev/sda1 intel_iommu=on\n")
    assert host.look("intel_iommu=on")["boot"]["all"] == ["intel_iommu=on"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ("\0", "is no JSON"),
        ("[1]", "is not what the role writes"),
        ("{}", "has no binding"),
        (json.dumps({**NOTED, "parameters": "intel_iommu=on"}), "has no parameters"),
        (json.dumps({**NOTED, "devices": [1]}), "has no devices"),
        (json.dumps({**NOTED, "phase": None}), "has no phase"),
    ],
)
def test_a_state_that_makes_no_sense_stops_both_ways(text: str, said: str, tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "amd_host")
    host.write(distributions.STATE, text)
    sentences = [planned(host)["refused"], undo(host.facts(), host.look(), {"allow_reboot": True})["refused"]]
    for (sentence,) in sentences:
        assert f"{distributions.STATE}, where the role notes what it wrote on this host, {said}" in sentence
        assert "remove it, and run this again" in sentence
    written(host)
    assert planned(host)["refused"] == []


def test_entries_of_other_systems_do_not_count(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "amd_host", command_line="BOOT_IMAGE=/vmlinuz-6.1.0-28-amd64 root=UUID=aa ro")
    (tmp_path / "lib/modules/6.1.0-28-amd64").mkdir(parents=True)
    (tmp_path / "lib/modules/6.1.0-27-amd64").mkdir()
    host.write(
        "/boot/grub/grub.cfg",
        "  linux /vmlinuz-6.1.0-28-amd64 root=UUID=aa a b\n  linux /vmlinuz-6.1.0-27-amd64 root=UUID=aa a\n"
        # by os-prober, by hand, and of a kernel that is no longer installed
        "  linux /boot/vmlinuz-6.1.0-28-amd64 root=UUID=bb other=1\n  linux /tool/bzImage root=UUID=aa\n"
        "  linux /vmlinuz-6.1.0-9-amd64 root=UUID=aa old=1\n",
    )
    assert host.look()["boot"] == {"all": ["a", "root=UUID=aa"], "any": ["a", "b", "root=UUID=aa"]}


def test_the_files_that_set_kernel_parameters_are_named_in_their_order(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "amd_host")
    host.write("/etc/default/grub.d/zz-local.cfg", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n')
    host.write("/etc/default/grub.d/fact8ra-gpu.cfg", 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT a"\n')
    host.write("/etc/default/grub.d/timeout.cfg", "GRUB_TIMEOUT=1\n")
    assert host.look()["command_line_files"] == [
        "/etc/default/grub",
        "/etc/default/grub.d/fact8ra-gpu.cfg",
        "/etc/default/grub.d/zz-local.cfg",
    ]


def test_the_script_is_for_the_oldest_python_that_may_be_there() -> None:
    ast.parse((distributions.ROLE / "files" / "look.py").read_text(encoding="utf-8"), feature_version=(3, 6))
    assert "annotations" not in vars(distributions._LOOK)


def test_the_script_looks_at_what_there_is_on_any_host(tmp_path: Path) -> None:
    found = Hypervisor(tmp_path, {}).look("intel_iommu=on")
    assert (found["family"], found["distribution"], found["bootloader"], found["initramfs"]) == ("", "unknown", "", "")
    assert found["files"] == {}
