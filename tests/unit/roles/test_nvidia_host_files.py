# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The files and commands of role nvidia_host, as Ansible makes them for a host of each distribution family."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from pathlib import Path
from typing import Any
from unittest import mock

import distributions
import pytest
import rendering
import sysfs
from ansible.parsing.dataloader import DataLoader
from ansible.template import trust_as_template
from distributions import Hypervisor, build


@functools.cache
def _role() -> dict[str, Any]:
    loader, known = DataLoader(), dict[str, Any]()
    for part in ("defaults", "vars"):
        known |= loader.load_from_file(str(distributions.ROLE / part / "main.yml"), trusted_as_template=True)
    return known


def evaluate(host: Hypervisor, *names: str, **variables: Any) -> list[Any]:
    """What variables of the role are for a host that was looked at now; in the order of their names."""
    further = variables.get("nvidia_host_kernel_parameters", [])
    known = {**_role(), **variables, **host.variables()}
    known["__nvidia_host_look"] = {"stdout": json.dumps(host.look("intel_iommu=on", *further))}
    templar = rendering.templar()

    def template(text: str) -> Any:
        templar.available_variables = known
        return templar.template(trust_as_template(text), escape_backslashes=False)

    # Ansible finds lookups in playbooks alone.
    def lookup(_plugin: str, source: str) -> str:
        return str(template((distributions.ROLE / "templates" / source).read_text(encoding="utf-8")))

    with mock.patch.dict(templar.environment.globals, {"lookup": lookup}):
        # Once, since most others are made of these.
        for name in ("_nvidia_host_found", "_nvidia_host_plan", "_nvidia_host_wanted", "_nvidia_host_different"):
            known[name] = template(f"{{{{ {name} }}}}")
        return [template(f"{{{{ {name} }}}}") for name in names]


def play(host: Hypervisor, **variables: Any) -> list[str]:
    """Do what the tasks do with the role's variables; return the changes that there were to make."""
    changes, files, leftovers, state, boot, initramfs = evaluate(
        host,
        "_nvidia_host_changes",
        "(_nvidia_host_files + _nvidia_host_override_files) | selectattr('path', 'in', _nvidia_host_different)",
        "_nvidia_host_leftovers",
        "_nvidia_host_state",
        "_nvidia_host_boot_commands[_nvidia_host_found.bootloader] if _nvidia_host_boot_differs else []",
        "[_nvidia_host_initramfs_commands[_nvidia_host_found.initramfs]] if _nvidia_host_initramfs_differs else []",
        _nvidia_host_boot_change=trust_as_template("{{ _nvidia_host_plan.parameters }}"),
        **variables,
    )
    texts = evaluate(host, *(f"lookup('template', '{entry['src']}')" for entry in files), **variables)
    if changes:
        host.write(distributions.STATE, json.dumps({**state, "phase": "writing"}))
        for entry, text in zip(files, texts, strict=True):
            host.write(entry["path"], text)
            (host.root / entry["path"].lstrip("/")).chmod(int(entry["mode"], 8))
        for path in leftovers:
            (host.root / path.lstrip("/")).unlink()
        for command in [*boot, *initramfs]:
            subprocess.run([f"{host.path}/{command[0]}", *command[1:]], check=True)
        host.write(distributions.STATE, json.dumps(state))
    return list(changes)


COMMANDS = {
    "debian": ["update-grub", "update-initramfs -u -k all"],
    "ubuntu": ["update-grub", "dracut --force --regenerate-all"],
    "rhel": ["grubby --update-kernel=ALL --args=intel_iommu=on iommu=pt", "dracut --force --regenerate-all"],
    "suse": [
        "pbl --add-option intel_iommu=on",
        "pbl --add-option iommu=pt",
        "pbl --config",
        "dracut --force --regenerate-all",
    ],
}


@pytest.mark.parametrize("distribution", sorted(COMMANDS))
def test_a_host_is_written_once_and_by_its_own_tools(distribution: str, tmp_path: Path) -> None:
    host = build(tmp_path, distribution, "iommu_off")
    both = {"nvidia_host_kernel_parameters": ["iommu=pt"]}
    assert distributions.STATE in play(host, **both)
    assert host.calls() == COMMANDS[distribution]
    assert {"intel_iommu=on", "iommu=pt"} <= set(host.look("intel_iommu=on", "iommu=pt")["boot"]["all"])
    assert play(host, **both) == []
    assert play(host) != []
    assert [call for call in host.calls() if "initramfs" in call or "dracut" in call] == []
    found = host.look("intel_iommu=on", "iommu=pt")["boot"]
    assert "intel_iommu=on" in found["all"]
    assert "iommu=pt" not in found["any"]


def test_a_file_that_ends_what_the_role_says_leaves_something_to_change(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "iommu_off")
    host.write("/etc/default/grub.d/zz-local.cfg", 'GRUB_CMDLINE_LINUX_DEFAULT="quiet"\n')
    for _run in range(2):
        assert "the kernel command line" in play(host)
        [plan] = evaluate(host, "_nvidia_host_plan")
        assert plan["parameters"]["add"] == ["intel_iommu=on"]


@pytest.mark.parametrize("distribution", ["debian", "suse"])
def test_a_run_that_was_cut_short_is_finished_by_the_next(distribution: str, tmp_path: Path) -> None:
    host = build(tmp_path, distribution, "iommu_off")
    play(host)
    host.calls()
    state = json.loads(host.text(distributions.STATE))
    host.write(distributions.STATE, json.dumps({**state, "phase": "writing"}))
    for path in ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"):
        host.write(path, "  linux /boot/vmlinuz root=/dev/sda1 quiet\n")
    assert play(host) == ["the kernel command line", distributions.STATE]
    assert host.calls() == [command for command in COMMANDS[distribution] if command != "pbl --add-option iommu=pt"]
    assert play(host) == []


def test_another_binding_takes_the_files_of_the_first_away(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "consumer_card")
    play(host)
    assert len(list(tmp_path.glob("etc/driverctl.d/pci-*"))) == 4
    play(host, nvidia_host_binding="modprobe")
    assert list(tmp_path.glob("etc/driverctl.d/pci-*")) == []
    assert play(host, nvidia_host_binding="modprobe") == []


def test_a_file_that_was_changed_by_hand_is_written_again(tmp_path: Path) -> None:
    host = build(tmp_path, "rhel", "amd_host")
    play(host)
    (tmp_path / "etc/udev/rules.d/fact8ra-gpu.rules").chmod(0o666)
    host.write("/etc/modprobe.d/fact8ra-gpu.conf", "")
    assert play(host) == ["/etc/modprobe.d/fact8ra-gpu.conf", "/etc/udev/rules.d/fact8ra-gpu.rules"]
    assert "/etc/default/grub.d" not in "".join(host.look()["files"])


def test_the_devices_of_vms_are_for_the_group_kvm_alone(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "amd_host")
    play(host)
    rules = [line for line in host.text("/etc/udev/rules.d/fact8ra-gpu.rules").splitlines() if not line.startswith("#")]
    assert len(rules) == 2
    assert all(rule.endswith('GROUP="kvm", MODE="0660"') for rule in rules)
    # /dev/vfio/vfio gives nothing by itself and is everybody's by the kernel: the first rule is for numbers.
    assert 'KERNEL=="[0-9]*"' in rules[0]
    host.write("/etc/group", "root:x:0:\n")
    assert play(host)[0] == "/etc/udev/rules.d/fact8ra-gpu.rules"


# The rule of modprobe, done as modprobe does it


def _install(host: Hypervisor, initial: str = "") -> str:
    """Run the command that the rule gives for vfio-pci, with the paths of the host."""
    [line] = [
        line
        for line in host.text("/etc/modprobe.d/fact8ra-gpu.conf").splitlines()
        if line.startswith("install vfio-pci ")
    ]
    command = line.removeprefix("install vfio-pci ").replace("$CMDLINE_OPTS", initial)
    command = command.replace("/sys/bus", f"{host.root}/sys/bus").replace("/sbin/modprobe", f"{host.path}/modprobe")
    subprocess.run(["/bin/sh", "-c", command], check=True, env={"PATH": "/usr/bin:/bin"})
    return command


def test_one_of_two_cards_of_a_kind_is_bound_by_modprobe(tmp_path: Path) -> None:
    machine = sysfs.load("a100_nvlink")
    machine["wanted"] = [{"address": "0000:0f:00.0"}]
    host = build(tmp_path, "suse", machine)
    for address in ("0000:07:00.0", "0000:0f:00.0"):
        place = tmp_path / f"sys/bus/pci/devices/{address}/driver_override"
        place.write_text("(null)\n")
    play(host, nvidia_host_blacklist=[])
    _install(host, "disable_vga=1")
    assert host.text("/sys/bus/pci/devices/0000:0f:00.0/driver_override") == "vfio-pci\n"
    assert host.text("/sys/bus/pci/devices/0000:07:00.0/driver_override") == "(null)\n"
    assert host.calls()[-1] == "modprobe --ignore-install vfio-pci disable_vga=1"
    assert "blacklist" not in host.text("/etc/modprobe.d/fact8ra-gpu.conf")
    assert "softdep nvidia pre: vfio-pci" in host.text("/etc/modprobe.d/fact8ra-gpu.conf")


def test_a_usb_controller_of_a_card_is_taken_from_a_driver_that_is_built_in(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "consumer_card")
    play(host, nvidia_host_binding="modprobe")
    _install(host)
    devices = tmp_path / "sys/bus/pci/devices"
    assert (devices / "0000:01:00.2/driver/unbind").read_text() == "0000:01:00.2\n"
    # What another driver holds at run time stays until the reboot.
    assert not (devices / "0000:01:00.0/driver/unbind").exists()
    assert not (devices / "0000:01:00.1/driver/unbind").exists()


def test_a_card_that_was_pulled_out_does_not_keep_the_others_from_being_bound(tmp_path: Path) -> None:
    host = build(tmp_path, "suse", "a100_nvlink")
    play(host)
    (tmp_path / "sys/bus/pci/devices/0000:07:00.0").unlink()
    _install(host)
    assert host.text("/sys/bus/pci/devices/0000:0f:00.0/driver_override") == "vfio-pci\n"


def test_a_disk_that_got_the_address_of_a_card_stays_with_the_host(tmp_path: Path) -> None:
    host = build(tmp_path, "suse", "a100_nvlink")
    play(host)
    for name, number in {"vendor": "0x144d", "device": "0xa804"}.items():
        host.write(f"/sys/bus/pci/devices/0000:07:00.0/{name}", f"{number}\n")
    before = host.text("/sys/bus/pci/devices/0000:07:00.0/driver_override")
    _install(host)
    assert host.text("/sys/bus/pci/devices/0000:07:00.0/driver_override") == before
    assert host.text("/sys/bus/pci/devices/0000:0f:00.0/driver_override") == "vfio-pci\n"


def test_the_hook_of_the_initramfs_is_a_program_and_says_its_order(tmp_path: Path) -> None:
    host = build(tmp_path, "debian", "amd_host")
    play(host)
    hook = tmp_path / "etc/initramfs-tools/hooks/fact8ra-gpu"
    assert os.access(hook, os.X_OK)
    done = subprocess.run([hook, "prereqs"], check=True, capture_output=True, text=True)
    assert done.stdout == ""
