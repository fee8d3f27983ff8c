# SPDX-License-Identifier: Apache-2.0
"""A hypervisor under QEMU, with devices that stand for GPUs: QEMU's own display, whose ids it lets nobody change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine_image
from playbooks import ROOT, Played, play
from virtual_machine import VirtualMachine

LOGS = ROOT / "build" / "logs"
SCRIPTS = ROOT / "tests/gpu/scripts"
# What is made of them in the machine: a card with its further functions and their drivers, and the others.
DISPLAY = {"vendor": "1234", "device": "1111"}
CONSOLE, CARD, TWIN, SHARED, FOREIGN = "0000:00:08.0", "0000:01:00.0", "0000:02:00.0", "0000:04:01.0", "0000:04:02.0"
AUDIO, USB = "0000:01:00.1", "0000:01:00.2"
DRIVERS = {CARD: "bochs-drm", AUDIO: "snd_hda_intel", USB: "xhci_hcd"}
# A port of its own for each card, as in a server; all of QEMU's root ports keep devices apart (ACS).
DEVICES = (
    "VGA,bus=pcie.0,addr=0x8",  # shows the console
    *(f"pcie-root-port,id=port{slot},chassis={slot},slot={slot},bus=pcie.0,addr={15 + slot:#x}" for slot in (1, 2, 3)),
    # a consumer card: display, audio and USB are functions of one device
    "bochs-display,bus=port1,addr=0x0.0x0,multifunction=on",
    "ich9-intel-hda,bus=port1,addr=0x0.0x1",
    "qemu-xhci,bus=port1,addr=0x0.0x2",
    # its twin
    "bochs-display,bus=port2,addr=0x0",
    # a card that has something else in its group, since a PCI bridge hides who speaks
    "pcie-pci-bridge,id=bridge,bus=port3,addr=0x0",
    "bochs-display,bus=bridge,addr=0x1",
    "edu,bus=bridge,addr=0x2",
)


@dataclass
class Hypervisor:
    """The machine, and the playbook of hypervisors played on it."""

    machine: VirtualMachine
    inventory: Path

    def play(self, *arguments: str, **variables: Any) -> Played:
        """Play playbooks/gpu_hosts.yml with these variables of the role, given without their prefix."""
        named = {f"nvidia_host_{name}": value for name, value in variables.items()}
        return play("gpu_hosts", *arguments, "-e", json.dumps(named), inventory=self.inventory)

    def script(self, name: str, *arguments: str) -> Any:
        """Run a script of tests/gpu/scripts on it; returns its answer."""
        return self.machine.python((SCRIPTS / f"{name}.py").read_text(encoding="utf-8"), *arguments)

    def state(self) -> Any:
        """What a run could change: files, drivers, the kernel's command line and the boot's id."""
        return self.script("state")

    def facts(self, *devices: dict[str, str]) -> Any:
        """The facts that the module gathers there."""
        done = ad_hoc(self.inventory, "fact8ra.flower.gpu_host_facts", {"devices": list(devices)})
        return done["ansible_facts"]["fact8ra_gpu_host"]


def ad_hoc(inventory: Path, module: str, arguments: dict[str, Any]) -> Any:
    """Run a module on the only host of an inventory; returns its result.

    Raises AssertionError with all that Ansible said when it fails.
    """
    command = [str(Path(sys.executable).with_name("ansible")), "-i", str(inventory), "all", "-m", module]
    done = subprocess.run(
        [*command, "-a", json.dumps(arguments)],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.partition("=>")[2])


@contextmanager
def boot(directory: Path, name: str, **options: Any) -> Iterator[Hypervisor]:
    """Boot one; its console goes to build/logs/test-gpu-<name>.log."""
    LOGS.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    image = machine_image.ensure(machine_image.Recipe())
    built = time.monotonic()
    with VirtualMachine(image, directory, LOGS / f"test-gpu-{name}.log", DEVICES, **options) as machine:
        machine.wait_for_ssh()
        print(f"{name}: image {built - started:.0f} s, boot {time.monotonic() - built:.0f} s")
        inventory = directory / "hosts.json"
        hosts = {"hosts": {"hypervisor": dict(machine.variables())}}
        inventory.write_text(json.dumps({"gpu_hosts": hosts, "frontends": {}}), encoding="utf-8")
        yield Hypervisor(machine, inventory)
