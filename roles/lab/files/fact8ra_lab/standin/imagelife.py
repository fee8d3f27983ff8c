# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The life of images: LOCKED until they are copied, then READY or ERROR; DELETE until they are gone.

Source: src/image/ImageManagerActions.cc and ImageManagerProtocol.cc of oned, release-7.4.0.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from .clock import Clock
from .cloud import Cloud
from .faults import Faults
from .model import VM, Image

READY, USED, DISABLED, LOCKED, ERROR, CLONE, DELETE, USED_PERS, LOCKED_USED, LOCKED_USED_PERS = range(1, 11)
STATE_NAMES: Final = (
    "INIT", "READY", "USED", "DISABLED", "LOCKED", "ERROR", "CLONE", "DELETE", "USED", "LOCKED_USED", "LOCKED_USED",
)  # fmt: skip
_UNLOCKED: Final = {LOCKED: READY, LOCKED_USED: USED, LOCKED_USED_PERS: USED_PERS}
#: The states of a VM that waits for its images, and of one that waits in vain.
VM_CLONING, VM_CLONING_FAILURE = 10, 11


def go(image: Image, state: int) -> None:
    """Changes the state; what upstream calls the previous one is the same as soon as the object is written."""
    image.state = image.prev_state = state


def finish(image: Image, problem: str = "") -> None:
    """Ends the copying: READY, or ERROR with the text of what went wrong."""
    if problem:
        image.template.put("ERROR", f"{time.strftime('%a %b %e %H:%M:%S %Y')} : {problem}")
        go(image, ERROR)
        return
    if image.path or not image.source:
        image.source, image.format = "dummy_path", "dummy_format"
    go(image, _UNLOCKED.get(image.state, READY))


def copy_problem(image: Image) -> str:
    """Why the image cannot be copied from its path, or "": a local file must be there, an address is believed.

    The path of a copy is the source of another image, which is always there.
    """
    if (
        image.cloning_id != -1
        or not image.path
        or image.path.startswith(("http://", "https://"))
        or Path(image.path).exists()
    ):
        return ""
    return f"Error copying image in the datastore: Error copying {image.path} to {image.datastore_id}/{image.id}"


class ImageLife:
    """Moves images through their states."""

    def __init__(self, cloud: Cloud, clock: Clock, faults: Faults, schedule: Callable[[], None]) -> None:
        self.cloud = cloud
        self.clock = clock
        self.faults = faults
        self._schedule = schedule

    def watch(self, image: Image) -> None:
        """Has an image in a passing state go on soon."""
        if image.state == DELETE or image.state in _UNLOCKED:
            self.clock.after(self.cloud.timers.image, lambda: self._step(image))

    def reconcile(self) -> None:
        """After a restart: what was under way goes on."""
        for image in self.cloud.pool(Image).values():
            self.watch(image)

    def _step(self, image: Image) -> None:
        with self.cloud.change():
            if self.cloud.pool(Image).get(image.id) is not image:
                return
            if image.state != DELETE and image.state not in _UNLOCKED:
                return
            if self.faults.active("stuck", image.name):
                self.clock.after(max(self.cloud.timers.image, 0.02), lambda: self._step(image))
            elif image.state == DELETE:
                self.cloud.remove(image)
            else:
                failed = self.faults.active("image_error", image.name)
                lead = "Error copying image in the datastore: "
                problem = lead + str(failed.options.get("text", "failed on request")) if failed else copy_problem(image)
                self._copied(image, problem)

    def _copied(self, image: Image, problem: str) -> None:
        source = self.cloud.pool(Image).get(image.cloning_id)
        if image.cloning_id != -1:
            image.cloning_id = -1
            if source and image.id in source.clones:
                source.clones.remove(image.id)
                if not source.clones and not source.vms:
                    go(source, READY)
                self.cloud.touch(source)
        finish(image, problem)
        self.cloud.touch(image)
        for number in image.vms:
            vm = self.cloud.pool(VM).get(number)
            if vm and vm.state == VM_CLONING:
                self.wake(vm)

    def wake(self, vm: VM) -> None:
        """Has a VM that waits for images go on, if all of them are copied, or fail."""
        ids = [int(disk["IMAGE_ID"]) for disk in vm.template.vectors("DISK") if disk.get("IMAGE_ID")]
        states = [self.cloud.pool(Image)[number].state for number in ids if number in self.cloud.pool(Image)]
        if ERROR in states:
            vm.go(VM_CLONING_FAILURE, 0)
        elif not any(state in _UNLOCKED for state in states):
            vm.go(2 if vm.held else 1, 0)
            self._schedule()
        self.cloud.touch(vm)
