# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A hypervisor's GPU is made ready for VMs and given back, on a real kernel with an IOMMU, across real reboots.

The tests are the life of one machine, in this order; `make test-gpu` ends at the first that fails, as the next ones
have nothing to stand on then. QEMU's displays stand for GPUs: what is proven is the host's side, not the cards'.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypervisor import AUDIO, CARD, CONSOLE, DISPLAY, DRIVERS, FOREIGN, SHARED, TWIN, USB, Hypervisor

pytestmark = pytest.mark.root

WANTED: dict[str, Any] = {
    "devices": [{**DISPLAY, "address": CARD}],
    "kernel_parameters": ["intel_iommu=on", "iommu=pt"],
    # the twin stays with the host, and has the same driver
    "blacklist": [],
}
# Which of the files of a distribution's own the tools write that the role runs.
WRITTEN_BY_TOOLS = re.compile(r"/boot/(grub/grub\.cfg|initrd\.img-.*)")


def changed_files(before: Any, after: Any) -> set[str]:
    """Paths that are new, gone or different."""
    return {path for path, _state in before["files"].items() ^ after["files"].items()}


def changed_tasks(output: str) -> set[str]:
    """Names of the tasks that changed something, but for what check mode says instead and notes of steps."""
    found, task = set(), ""
    for line in output.splitlines():
        header = re.match(r"TASK \[(?:.* : )?(.*)\] \**$", line)
        task = header[1] if header else task
        if line.startswith("changed: ") and not task.startswith(("Say ", "Note that ")):
            found.add(task)
    return found


@pytest.fixture(scope="module")
def fresh(intel: Hypervisor) -> Any:
    """The machine's state before anything was done to it."""
    return intel.state()


@pytest.fixture
def unchanged(intel: Hypervisor) -> Iterator[Any]:
    """For tests after which the machine has to be as it was before them."""
    before = intel.state()
    yield before
    assert intel.state() == before


def test_the_facts_are_those_of_the_machine(intel: Hypervisor) -> None:
    facts = intel.facts(DISPLAY)
    assert facts["viable"]
    assert facts["iommu"]["cpu"] == "intel"
    assert facts["iommu"]["firmware"]
    assert facts["iommu"]["enabled"]
    assert facts["iommu"]["interrupt_remapping"]
    assert (facts["firmware"], facts["vms"]) == ("bios", 0)
    gpus = {gpu["address"]: gpu for gpu in facts["gpus"]}
    assert list(gpus) == [CONSOLE, CARD, TWIN, SHARED]
    assert [address for address, gpu in gpus.items() if gpu["boot_display"]] == [CONSOLE]
    assert [address for address, gpu in gpus.items() if gpu["viable"]] == [CARD, TWIN]
    assert [address for address, gpu in gpus.items() if gpu["isolated"]] == [CONSOLE, CARD, TWIN]
    assert gpus[CARD]["functions"] == [AUDIO, USB]
    assert {gpu["driver"] for gpu in gpus.values()} == {"bochs-drm"}
    groups = intel.state()["groups"]
    assert {address: str(gpu["iommu_group"]) for address, gpu in gpus.items()} == {one: groups[one] for one in gpus}


def test_a_shared_group_and_the_boot_display_are_refused(intel: Hypervisor, unchanged: Any) -> None:
    played = intel.play(**{**WANTED, "devices": [DISPLAY]}, allow_reboot=True)
    group = unchanged["groups"][SHARED]
    played.failed_with(f"{CONSOLE} shows the host's console", f"IOMMU group {group} of {SHARED}", FOREIGN)
    assert played.changed == 0


def test_check_mode_predicts_and_a_run_without_permission_only_writes(intel: Hypervisor, fresh: Any) -> None:
    predicted = intel.play("--check", "--diff", **WANTED).succeeded()
    assert intel.state() == fresh
    played = intel.play(**WANTED).failed_with("nvidia_host_allow_reboot: true", "a reboot is left", CARD)
    assert changed_tasks(predicted.output) == changed_tasks(played.output) - {
        "Write the boot loader's entries",
        "Write the initramfs of every kernel",
    }
    after = intel.state()
    assert {key: value for key, value in after.items() if key != "files"} == {
        key: value for key, value in fresh.items() if key != "files"
    }
    files = changed_files(fresh, after)
    own = {path for path in files if not WRITTEN_BY_TOOLS.fullmatch(path)}
    assert own
    assert not own & set(fresh["files"]), "the role changed a file that was there before"
    assert {path for path in own if "fact8ra-gpu" not in path} == {
        f"/etc/driverctl.d/pci-{address}" for address in DRIVERS
    }
    for path in own:
        assert path in predicted.output
    assert "update-grub would be run" in predicted.output
    assert "update-initramfs -u -k all would be run" in predicted.output


def test_a_permitted_run_reboots_once_and_binds_the_card_by_its_address(intel: Hypervisor, fresh: Any) -> None:
    intel.play(**WANTED, allow_reboot=True).succeeded()
    after = intel.state()
    assert after["boot"] != fresh["boot"]
    assert {"intel_iommu=on", "iommu=pt"} <= set(after["command_line"])
    assert {one for one, driver in after["drivers"].items() if driver == "vfio-pci"} == set(DRIVERS)
    assert {one: driver for one, driver in after["drivers"].items() if one not in DRIVERS} == {
        one: driver for one, driver in fresh["drivers"].items() if one not in DRIVERS
    }
    (group,) = {after["groups"][address] for address in DRIVERS}
    assert after["vfio"] == [group, "vfio"]
    # as QEMU does when a VM gets the card
    for address in DRIVERS:
        answer = intel.script("take", group, address)
        assert answer["version"] == 0
        assert (answer["type1v2"], answer["viable"]) == (1, True)
        assert answer["regions"] > 0
    (gpu,) = intel.facts(*WANTED["devices"])["gpus"]
    assert (gpu["ready"], gpu["problems"]) == (True, [])


def test_a_second_run_changes_nothing(intel: Hypervisor, unchanged: Any) -> None:
    assert intel.play(**WANTED, allow_reboot=True).succeeded().changed == 0


def test_undoing_restores_the_host_with_a_reboot_of_its_own(intel: Hypervisor, fresh: Any) -> None:
    bound = intel.state()
    predicted = intel.play("-e", "gpu_hosts_state=absent", "--check", "--diff", allow_reboot=True).succeeded()
    assert predicted.changed > 0
    intel.play("-e", "gpu_hosts_state=absent", allow_reboot=True).succeeded()
    after = intel.state()
    assert len({fresh["boot"], bound["boot"], after["boot"]}) == 3
    assert not {"intel_iommu=on", "iommu=pt"} & set(after["command_line"])
    assert after["drivers"] == fresh["drivers"]
    assert after["overrides"] == fresh["overrides"]
    left = {path for path in changed_files(fresh, after) if not WRITTEN_BY_TOOLS.fullmatch(path)}
    assert left == set()
    names = intel.machine.run("for initrd in /boot/initrd.img-*; do lsinitramfs $initrd; done")
    assert "bochs.ko" in names
    assert "fact8ra-gpu" not in names
    assert "vfio" not in names


def test_after_the_undo_everything_is_predicted_anew_and_undoing_is_done(intel: Hypervisor, unchanged: Any) -> None:
    assert intel.play("-e", "gpu_hosts_state=absent", allow_reboot=True).succeeded().changed == 0
    predicted = intel.play("--check", **WANTED).succeeded()
    assert "update-grub would be run" in predicted.output
    assert f"{CARD} is bound to bochs-drm" in " ".join(predicted.output.split())
