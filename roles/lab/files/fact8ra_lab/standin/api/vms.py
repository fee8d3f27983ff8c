# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""VMs."""

from __future__ import annotations

from typing import Any, Final

from .. import vmcreate, vmrestricted
from ..access import ADMIN, MANAGE, Caller
from ..cloud import Cloud
from ..errors import ACTION, AUTHORIZATION, INTERNAL, RPC_API, OneError
from ..model import VM
from ..template import Template, escape
from ..vmcontext import context
from ..vmlife import VmLife
from ..vmstates import DONE, POWEROFF, STOPPED, SUSPENDED, state_name
from ..xmlout import field, header_xml, permissions_xml, text_field
from .base import Handler, PoolApi

_SHORT_DISK: Final = (
    "DISK_ID", "DATASTORE", "DATASTORE_ID", "IMAGE", "IMAGE_ID", "SIZE", "TYPE", "CLONE", "CLONE_TARGET", "LN_TARGET",
    "DISK_SNAPSHOT_TOTAL_SIZE",
)  # fmt: skip
_SHORT_NIC: Final = ("IP", "MAC", "NETWORK", "NETWORK_ID", "NIC_ID", "SECURITY_GROUPS")
_SHORT_USER: Final = ("LABELS", "SCHED_MESSAGE", "SCHED_REQUIREMENTS", "ERROR")


class VmApi(PoolApi[VM]):
    prefix, pool_prefix, kind = "one.vm", "one.vmpool", VM

    def __init__(self, cloud: Cloud, life: VmLife) -> None:
        super().__init__(cloud)
        self.life = life

    def methods(self) -> dict[str, Handler]:
        known = super().methods()
        del known["one.vm.delete"]
        return known | {
            "one.vm.allocate": self.allocate,
            "one.vm.action": self.action,
            "one.vm.recover": self.recover,
            "one.vm.updateconf": self.update_conf,
            "one.vm.attachnic": self.attach_nic,
            "one.vm.detachnic": self.detach_nic,
            "one.vmpool.infoextended": self.pool_extended,
            "one.vmpool.infoset": self.pool_set,
        }

    # XML.

    def _states(self, vm: VM, full: bool) -> str:
        previous = field("PREV_STATE", vm.prev_state) + field("PREV_LCM_STATE", vm.prev_lcm) if full else ""
        return (
            "<LAST_POLL>0</LAST_POLL>"
            + field("STATE", vm.state)
            + field("LCM_STATE", vm.lcm)
            + previous
            + "<RESCHED>0</RESCHED>"
            + field("STIME", vm.stime)
            + field("ETIME", vm.etime)
            + field("DEPLOY_ID", vm.deploy_id)
        )

    def pool_xml(self, item: VM) -> str:
        records = "".join(
            "<HISTORY>" + "".join(_history_field(key, value) for key, value in record.items()) + "</HISTORY>"
            for record in item.history
        )
        history = f"<HISTORY_RECORDS>{records}</HISTORY_RECORDS>" if records else "<HISTORY_RECORDS/>"
        return (
            f"<VM>{header_xml(self.cloud, item, permissions=False)}{permissions_xml(item)}{self._states(item, True)}"
            "<MONITORING></MONITORING><SCHED_ACTIONS></SCHED_ACTIONS>"
            f"{item.template.xml()}{item.user_template.xml('USER_TEMPLATE')}{history}"
            "<BACKUPS><BACKUP_CONFIG/><BACKUP_IDS></BACKUP_IDS></BACKUPS></VM>"
        )

    def _short_xml(self, vm: VM) -> str:
        core = "".join(field(key, vm.template.text(key)) for key in ("CPU", "MEMORY", "VCPU") if key in vm.template)
        for name, keys in (("DISK", _SHORT_DISK), ("NIC", _SHORT_NIC)):
            for vector in vm.template.vectors(name):
                inner = "".join(text_field(key, vector[key]) for key in keys if key in vector)
                core += f"<{name}>{inner}</{name}>"
        user = Template({key: vm.user_template[key] for key in _SHORT_USER if key in vm.user_template})
        history = ""
        if vm.history:
            last = vm.history[-1]
            inner = field("OID", last["OID"]) + field("SEQ", last["SEQ"]) + text_field("HOSTNAME", last["HOSTNAME"])
            inner += "".join(field(key, last[key]) for key in ("HID", "CID", "DS_ID"))
            inner += "".join(text_field(key, last[key]) for key in ("VM_MAD", "TM_MAD", "ACTION"))
            history = f"<HISTORY>{inner}</HISTORY>"
        return (
            f"<VM>{header_xml(self.cloud, vm, permissions=False)}{self._states(vm, False)}<TEMPLATE>{core}</TEMPLATE>"
            f"<MONITORING/>{user.xml('USER_TEMPLATE')}<HISTORY_RECORDS>{history}</HISTORY_RECORDS></VM>"
        )

    # Pools.

    def _select(self, caller: Caller, flag: int, start: int, end: int, state: int) -> list[VM]:
        vms = self.cloud.visible(caller, VM, flag, start, end)
        if state == -1:
            return [vm for vm in vms if vm.state != DONE]
        return vms if state == -2 else [vm for vm in vms if vm.state == state]

    def pool_info(
        self, caller: Caller, flag: int = -2, start: int = -1, end: int = -1, state: int = -1, *_: Any
    ) -> str:
        vms = self._select(caller, flag, start, end, state)
        return f"<VM_POOL>{''.join(self._short_xml(vm) for vm in vms)}</VM_POOL>"

    def pool_extended(
        self, caller: Caller, flag: int = -2, start: int = -1, end: int = -1, state: int = -1, *_: Any
    ) -> str:
        vms = self._select(caller, flag, start, end, state)
        return f"<VM_POOL>{''.join(self.pool_xml(vm) for vm in vms)}</VM_POOL>"

    def pool_set(self, caller: Caller, numbers: str, extended: bool = True) -> str:
        wanted = {int(part) for part in numbers.split(",") if part.strip().isdigit()}
        vms = [vm for vm in self.cloud.visible(caller, VM, -2) if vm.id in wanted]
        return f"<VM_POOL>{''.join(self.pool_xml(vm) if extended else self._short_xml(vm) for vm in vms)}</VM_POOL>"

    # Calls.

    def allocate(self, caller: Caller, text: str, hold: bool = False) -> int:
        template = self.cloud.parse(text)
        self.cloud.authorize(caller, self.cloud.may_create(caller, "VM"))
        restricted = "" if caller.admin else vmrestricted.first(template)
        if restricted:
            text = f"User [{caller.uid}] : VM Template includes a restricted attribute {restricted}."
            raise OneError(AUTHORIZATION, text)
        name = template.text("NAME") or f"one-{self.cloud.last_ids.get('VM', -1) + 1}"
        template.pop("NAME", None)
        return vmcreate.create(self.cloud, caller, template, vmcreate.Origin(-1, name), hold, []).id

    def update(self, caller: Caller, number: int, text: str, kind: int = 0) -> int:
        vm = self.cloud.allowed(caller, VM, number, MANAGE)
        changes = self.cloud.parse(text, ACTION)
        new = vm.user_template.clone() if kind == 1 else Template()
        new.merge(changes)
        vm.user_template = new
        self.cloud.touch(vm)
        return number

    def update_conf(self, caller: Caller, number: int, text: str, kind: int = 0) -> int:
        """Changes the context (VirtualMachineAPI::update_conf); the guest gets it at its next boot.

        A live OpenNebula also hands a running guest the new context, and knows more sections.
        """
        if kind not in (0, 1):
            raise OneError(RPC_API, "Wrong update type")
        given = self.cloud.parse(text, INTERNAL)
        vm = self.cloud.allowed(caller, VM, number, MANAGE)
        if vm.state in (DONE, SUSPENDED, STOPPED):
            raise OneError(INTERNAL, f"configuration cannot be updated in state {state_name(vm)}")
        unknown = set(given) - {"CONTEXT"}
        if unknown:
            raise OneError(INTERNAL, f"the stand-in updates CONTEXT alone, not {', '.join(sorted(unknown))}")
        known = vm.template.vectors("CONTEXT")
        if not known:
            raise OneError(INTERNAL, "Virtual machine does not have context, cannot add a new one.")
        vm.template.put("CONTEXT", context(self.cloud, vm, (known[0] if kind else {}) | given.vectors("CONTEXT")[0]))
        self.cloud.touch(vm)
        return number

    def _off(self, caller: Caller, number: int) -> VM:
        """A VM that is off. Source: DispatchManager::attach_nic, which a live OpenNebula also does while a VM runs."""
        vm = self.cloud.allowed(caller, VM, number, MANAGE)
        if vm.state != POWEROFF:
            raise OneError(ACTION, f"the stand-in changes NICs of a VM in POWEROFF alone, not in {state_name(vm)}")
        return vm

    def attach_nic(self, caller: Caller, number: int, text: str) -> int:
        vm = self._off(caller, number)
        nics = self.cloud.parse(text, INTERNAL).vectors("NIC")
        if len(nics) != 1:
            raise OneError(INTERNAL, "The template has no NIC, or more than one")
        vmcreate.attach_nic(self.cloud, caller, vm, nics[0])
        self.cloud.touch(vm)
        return number

    def detach_nic(self, caller: Caller, number: int, nic: int) -> int:
        vm = self._off(caller, number)
        vmcreate.detach_nic(self.cloud, vm, nic)
        self.cloud.touch(vm)
        return number

    def action(self, caller: Caller, name: str, number: int) -> int:
        vm = self.cloud.allowed(caller, VM, number, ADMIN if name in ("resched", "unresched") else MANAGE)
        self.life.action(vm, name)
        return number

    def recover(self, caller: Caller, number: int, operation: int) -> int:
        vm = self.cloud.find(VM, number)
        # Retry is a right of the owner (VM_MANAGE_OPERATIONS holds it), the rest is for administrators.
        self.cloud.allowed(caller, VM, number, MANAGE if operation in (2, 3) else ADMIN)
        self.life.recover(vm, operation)
        return number


def _history_field(key: str, value: Any) -> str:
    return text_field(key, value) if key in ("VM_MAD", "TM_MAD") else f"<{key}>{escape(str(value))}</{key}>"
