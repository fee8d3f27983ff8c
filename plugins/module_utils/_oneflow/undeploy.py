# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Removing a service: DELETE once and never twice, ``recover`` with ``delete`` where DELETE is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotFound, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import SERVICE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.facts import state_of
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import Document
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.states import DELETABLE, GOING_DOWN
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.watch import Watch
from ansible_collections.fact8ra.flower.plugins.module_utils._vms import Vm


class Undeploy:
    """Removes one service.

    Args:
        flow: the OneFlow endpoint.
        watch: waits for the service.
        warn: takes a warning for the user.
        wait: whether to wait until the service is gone.
        recover: whether to remove what is left when the removal fails.

    Attributes:
        lingering: VMs of the service that are still there although it is gone.
    """

    def __init__(self, flow: OneFlow, watch: Watch, warn: Callable[[str], None], *, wait: bool, recover: bool) -> None:
        self.flow = flow
        self.watch = watch
        self.warn = warn
        self.wait = wait
        self.recover = recover
        self.lingering: list[Vm] = []

    def facts(self) -> list[dict[str, Any]]:
        """Return the VMs that are still there as the module returns them."""
        return [{"id": vm.id, "name": vm.name, "state": vm.state_name} for vm in self.lingering]

    def run(self, found: Document) -> None:
        """Remove a service that nobody removes yet; raises Refused or ResourceTimeout."""
        if state_of(found.body) in DELETABLE:
            try:
                self.flow.delete_service(found.id)
            except NotFound:
                return
            except Refused as error:
                self._after_refusal(found, error)
        else:
            self._recover_delete(found)
        if self.wait:
            self.until_gone(found)

    def _after_refusal(self, found: Document, error: Refused) -> None:
        """The service went into another state between the look and the DELETE."""
        seen = self.flow.get(SERVICE, found.id)
        state = None if seen is None else state_of(seen.body)
        if seen is None or state in GOING_DOWN:
            return
        if state in DELETABLE:
            raise error
        self._recover_delete(seen)

    def _recover_delete(self, found: Document) -> None:
        """DELETE is refused while something goes on and after a failure; this works in any state."""
        try:
            self.watch.act(found, "recover", delete=True)
        except NotFound:
            return

    def until_gone(self, found: Document, *, may_return: bool = False) -> Document | None:
        """Wait until a service is gone.

        Args:
            may_return: whether it may be RUNNING again, because somebody removed only a role of it.

        Returns:
            None, or the service that is RUNNING again.
        """
        ended = self.watch.until_gone(found, recover=self.recover, may_return=may_return)
        if isinstance(ended, Document):
            return ended
        self.lingering = ended
        if ended:
            self.warn(
                f"{self.watch.label(found)} is gone, but these VMs of it are not: "
                f"{', '.join(vm.describe() for vm in ended)}. Terminate them by hand."
            )
        return None
