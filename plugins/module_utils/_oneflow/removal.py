# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Taking VMs that the user named out of a role: they are terminated in oned, and OneFlow follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    Ambiguous,
    InvalidInput,
    Refused,
    ResourceTimeout,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import SERVICE
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.facts import (
    node_ids,
    role_vms,
    service_vms,
    state_of,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import Document
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.states import GOING_DOWN
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.watch import LEAVING, Watch
from ansible_collections.fact8ra.flower.plugins.module_utils._vms import Vm, vms_of
from ansible_collections.fact8ra.flower.plugins.module_utils._waiting import wait_for
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import is_id

DONE = 6
"""State filter of the VM pool for terminated VMs, which oned keeps."""
ANY_STATE = -2
"""State filter of the VM pool for all of them."""


class Removal:
    """The VMs that are to leave a role.

    Args:
        client: the XML-RPC endpoint.
        watch: waits for the service.
        found: the service.
        role: one of its roles.
        vms: what oned knows of the service's VMs.
        given: names and ids of VMs; a number is an id.

    Raises:
        InvalidInput: one is no VM of the role and never was.
        Ambiguous: a name fits several VMs of the role.
    """

    def __init__(
        self,
        client: Client,
        watch: Watch,
        found: Document,
        role: Mapping[str, Any],
        vms: Mapping[int, Vm],
        given: Sequence[str],
    ) -> None:
        self.client = client
        self.watch = watch
        self.found = found
        self.role = role
        self.vms = vms
        self.given = list(dict.fromkeys(given))
        self._there = {vm["id"]: str(vm["name"]) for vm in role_vms(role, vms)}
        self.ids: list[int] = []
        """The ones that are still there, each once, in the order of the list."""
        for reference in self.given:
            number = self._resolved(reference)
            if number is not None and number not in self.ids:
                self.ids.append(number)

    @property
    def label(self) -> str:
        """The role for messages."""
        return f"role {self.role.get('name')!r} of {self.watch.label(self.found)}"

    def named(self, role: Mapping[str, Any]) -> dict[str, str]:
        """Return those of the named VMs that a role has, id to name."""
        have = node_ids({"roles": [role]})
        return {str(number): self._there[number] for number in self.ids if number in have}

    def _resolved(self, reference: str) -> int | None:
        """Return the id of a VM of the role, None for one that has left it already."""
        fitting = (
            [int(reference)] if is_id(reference) else [one for one, name in self._there.items() if name == reference]
        )
        if len(fitting) > 1:
            raise Ambiguous(
                f"remove_vms: {self.label} has several VMs named {reference!r}, with the ids "
                f"{', '.join(map(str, fitting))}. Give the id.",
                details={"option": "remove_vms", "name": reference, "candidates": fitting},
            )
        if fitting and fitting[0] in self._there:
            return fitting[0]
        self._check_left(reference, fitting)
        return None

    def _check_left(self, reference: str, numbers: Sequence[int]) -> None:
        """Raise InvalidInput unless a VM that is not in the role was in it and is terminated."""
        first, last, state = (numbers[0], numbers[0], ANY_STATE) if numbers else (-1, -1, DONE)
        answer = self.client.call("vmpool.infoextended", -2, first, last, state, "", what=f"look for VM {reference}")
        seen = [vm for vm in vms_of(answer) if vm.id in numbers or vm.name == reference]
        belongs = [vm for vm in seen if vm.service_id == self.found.id and vm.role == self.role.get("name")]
        if any(vm.gone for vm in belongs):
            return
        where = next((f"; it is VM {vm.describe()}" for vm in seen), "")
        listed = ", ".join(f"{name} (id {number})" for number, name in self._there.items())
        raise InvalidInput(
            f"remove_vms: {reference!r} is no VM of {self.label}{where}. Its VMs are: {listed or 'none'}.",
            details={"option": "remove_vms", "vm": reference, "vms": self._there},
        )

    def run(self, *, wait: bool) -> None:
        """Terminate the VMs as OneFlow itself would and, if asked to, wait until OneFlow has taken them off the role.

        Raises:
            Refused: oned refuses it, or the service goes away meanwhile.
            ResourceTimeout: a VM does not stop.
        """
        action = self.role.get("shutdown_action") or self.found.body.get("shutdown_action") or "terminate"
        # 'shutdown' and 'shutdown-hard' are older words for the same
        action = str(action).replace("shutdown", "terminate")
        for number in self.ids:
            vm = self.vms.get(number)
            if vm is None or vm.lcm_state_name not in LEAVING:
                what = f"{action} VM {self._there[number]} (id {number}) of {self.label}"
                self.client.call("vm.action", action, number, what=what)
        if wait:
            self._wait()

    def _wait(self) -> None:
        def look() -> list[int]:
            seen = self.watch.flow.get(SERVICE, self.found.id)
            if seen is None or state_of(seen.body) in GOING_DOWN:
                raise Refused(f"{self.label} is being removed while VMs of it are.", code="gone")
            # OneFlow takes a VM off when it is DONE, not before.
            return [number for number in node_ids(seen.body) if number in self.ids]

        try:
            wait_for(
                look,
                lambda left: not left,
                what=f"the VMs to leave {self.label}",
                timeout=self.watch.left(),
                clock=self.watch.clock,
                sleep=self.watch.sleep,
            )
        except ResourceTimeout as error:
            there = service_vms(self.client, list(error.last_state))
            listed = ", ".join(vm.describe() for vm in there.values())
            raise ResourceTimeout(
                f"{self.label} still has VMs that are to leave after wait_timeout={self.watch.timeout:g} s: "
                f"{listed or error.last_state}. A guest that does not shut down stays; with shutdown_action: "
                "terminate-hard of the role, nobody asks it.",
                last_state=error.last_state,
                details={"id": self.found.id, "vms": [vm.describe() for vm in there.values()]},
            ) from None
