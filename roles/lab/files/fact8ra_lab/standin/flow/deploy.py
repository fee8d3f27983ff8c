# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a role does with its VMs: instantiate, terminate, release, and what waiting for them finds.

Source: models/vmrole.rb, models/role.rb and EventManager.rb of OpenNebula 7.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree

from ..access import Caller
from ..errors import CallError
from ..model import VM, VMTemplate
from ..rpc import Rpc
from ..template import Template
from ..vmstates import ACTIVE, BOOT_FAILURE, DONE, HOLD, POWEROFF, RUNNING, STOPPED, SUSPENDED, UNDEPLOYED
from .errors import RubyError
from .merge import deep_merge
from .oldform import appended, kept
from .schema import Body
from .service import Role, raw

#: States that end a wait for RUNNING and a wait for DONE alike.
_STOPPED = (STOPPED, SUSPENDED, POWEROFF, UNDEPLOYED)


class RoleFailed(Exception):
    """VMs of a role could not be made or stopped."""


def _as_body(template: Template) -> Body:
    """A template as OneFlow's hash: one value plain, several as a list."""
    return {key: list(values) if len(values) > 1 else values[0] for key, values in template.items()}


def _evaluate(rpc: Rpc, role: Role, text: str) -> str:
    """Replaces ${parent.path} with what the path finds in a VM of the parent, else with nothing."""

    def replace(match: re.Match[str]) -> str:
        parent, *path = match[1].split(".")
        if parent not in role.parents or parent not in role.service.roles or not path:
            return ""
        for vm_id in role.service.roles[parent].vm_ids:
            tree = ElementTree.fromstring(rpc.call(rpc.cloud.oneadmin, "one.vm.info", vm_id))
            found = tree.find(".//" + "/".join(part.upper() for part in path))
            if found is not None:
                return found.text or ""
        return ""

    return re.sub(r"\$\{(.*?)\}", replace, text)


def _extra(rpc: Rpc, caller: Caller, role: Role) -> str:
    """What a role adds to its VM template, on top of the template's own."""
    extra: Body = dict(role.body.get("template_contents") or {})
    if extra:
        template_id = role.template_id
        try:
            template = rpc.read(caller, "one.template.info", VMTemplate, template_id).template
        except CallError as error:
            role.service.log("E", f"Role {role.name} : Info template {template_id}; {error.text}")
            # Upstream calls a method on the error's text here, which ends its thread.
            raise RubyError("undefined method `instantiate' for an instance of String") from error
        extra = deep_merge(_as_body(template), extra, merge_lists=False)
    extra["SERVICE_ID"] = role.service.id
    extra["ROLE_NAME"] = role.name
    return raw(extra)


def _old_extra(rpc: Rpc, caller: Caller, role: Role) -> str:
    """What a role of 6.x adds: its text, after the attributes of the template that the text wants kept."""
    text = str(role.body.get("vm_template_contents") or "")
    names = appended(text)
    if names:
        template_id = role.template_id
        try:
            template = rpc.read(caller, "one.template.info", VMTemplate, template_id).template
        except CallError as error:
            role.service.log("E", f"Role {role.name} : Info template {template_id}; {error.text}")
            raise RoleFailed(
                f"Error fetching Info to instantiate VM Template {template_id} in Role {role.name}: {error.text}"
            ) from error
        text = f"{kept(template, names)}\n{text}"
    return f'{text}\nSERVICE_ID = {role.service.id}\nROLE_NAME = "{role.name}"'


def deploy(rpc: Rpc, caller: Caller, role: Role) -> list[int]:
    """Instantiates the VMs that the role lacks. Raises RoleFailed; a template that cannot be read ends the thread."""
    count = role.cardinality - len(role.nodes)
    if count == 0:
        return []
    role.body.setdefault("last_vmname", 0)
    template_id = role.template_id
    like = rpc.cloud.personality
    extra = _old_extra(rpc, caller, role) if like.flow_old_form else _extra(rpc, caller, role)
    text = _evaluate(rpc, role, extra)
    made = []
    for _unused in range(count):
        name = f"{role.name}_{role.body['last_vmname']}_(service_{role.service.id})"
        role.body["last_vmname"] += 1
        try:
            vm_id = rpc.call(caller, "one.template.instantiate", template_id, name, bool(role.body["on_hold"]), text)
        except CallError as error:
            role.service.log("E", f"Role {role.name} : Instantiate failed for template {template_id}; {error.text}")
            raise RoleFailed(
                f"{like.flow_not_instantiated} VM Template {template_id} in Role {role.name}: {error.text}"
            ) from error
        made.append(vm_id)
        vm = rpc.cloud.pool(VM)[vm_id]
        role.nodes.append({"deploy_id": vm_id, "vm_info": {"VM": _short(rpc, vm)}})
    return made


def _short(rpc: Rpc, vm: VM) -> Body:
    return {
        "ID": str(vm.id),
        "UID": str(vm.uid),
        "GID": str(vm.gid),
        "UNAME": rpc.cloud.user_name(vm.uid),
        "GNAME": rpc.cloud.group_name(vm.gid),
        "NAME": vm.name,
    }


def shutdown(rpc: Rpc, caller: Caller, role: Role, recover: bool) -> list[int]:
    """Terminates the VMs that are more than wanted, or all. Raises RoleFailed."""
    count = len(role.nodes) - role.cardinality or len(role.nodes)
    # With fewer VMs than wanted upstream's slice leaves some out; so does this.
    end = count if count > 0 else max(len(role.nodes) + count, 0)
    ended = []
    for vm_id in role.vm_ids[:end]:
        if _end_vm(rpc, caller, role, vm_id, recover):
            ended.append(vm_id)
    if count >= 0 and len(ended) != count:
        raise RoleFailed(f"Error undeploying nodes for role `{role.name}`")
    return ended


def _end_vm(rpc: Rpc, caller: Caller, role: Role, vm_id: int, recover: bool) -> bool:
    hard = role.shutdown_action == "terminate-hard"
    vm = rpc.cloud.pool(VM).get(vm_id)
    attempts: list[tuple[str, str | int, int]] = []
    if recover and vm and is_failed(vm):
        attempts.append(("one.vm.recover", vm_id, 2))
    else:
        attempts.append(("one.vm.action", "terminate-hard" if hard else "terminate", vm_id))
    if not hard:
        attempts.append(("one.vm.action", "terminate-hard", vm_id))
    attempts.append(("one.vm.recover", vm_id, 3))
    for number, (method, first, second) in enumerate(attempts):
        try:
            rpc.call(caller, method, first, second)
            return True
        except CallError as error:
            if number == 0:
                role.service.log(
                    "E", f"Role {role.name} : Terminate failed for VM {vm_id}, will perform a Delete; {error.text}"
                )
            elif number == len(attempts) - 1:
                role.service.log("E", f"Role {role.name} : Delete failed for VM {vm_id}; {error.text}")
    return False


def release(rpc: Rpc, caller: Caller, role: Role) -> list[int]:
    """Releases the held VMs. Raises RoleFailed."""
    released = []
    failed = False
    for vm_id in role.vm_ids:
        try:
            rpc.call(caller, "one.vm.action", "release", vm_id)
            released.append(vm_id)
        except CallError as error:
            role.service.log("E", f"Role {role.name}: Release failed for VM {vm_id}, {error.text}")
            failed = True
    if failed:
        raise RoleFailed(f"Error releasing role {role.name}: false")
    return released


def recover_deploy(rpc: Rpc, caller: Caller, role: Role) -> list[int]:
    """Retries failed VMs, resumes stopped ones, makes missing ones; returns those to wait for."""
    waiting = []
    for vm_id in role.vm_ids:
        vm = rpc.cloud.pool(VM).get(vm_id)
        if vm is None or vm.state == DONE or ((vm.state, vm.lcm) == (ACTIVE, RUNNING) and not role.service.gated):
            continue
        if is_failed(vm):
            try:
                rpc.call(caller, "one.vm.recover", vm_id, 2)
            except CallError as error:
                role.service.log("E", f"Role {role.name} : Retry failed for VM {vm_id}; {error.text}")
                continue
        elif vm.state in _STOPPED:
            try:
                rpc.call(caller, "one.vm.action", "resume", vm_id)
            except CallError as error:
                role.service.log("E", f"Role {role.name} : Resume failed for VM {vm_id}; {error.text}")
        waiting.append(vm_id)
    return waiting + deploy(rpc, caller, role)


def is_failed(vm: VM) -> bool:
    """Whether the VM is in one of the failure states."""
    return vm.state == ACTIVE and vm.lcm == BOOT_FAILURE


def is_warning(vm: VM) -> bool:
    """Whether the VM makes its role WARNING."""
    return is_failed(vm) or vm.state in _STOPPED or (vm.state == ACTIVE and vm.lcm == 16)


def _reached(vm: VM, target: str, gated: bool) -> bool:
    if vm.state == DONE or vm.state in _STOPPED:
        return True
    if target == "hold":
        return vm.state == HOLD
    ready = not gated or vm.user_template.text("READY") == "YES"
    return target == "running" and (vm.state, vm.lcm) == (ACTIVE, RUNNING) and ready


def look(vms: Iterable[VM | None], target: str, gated: bool) -> tuple[set[int], set[int]]:
    """The VMs that reached a target ("running", "done", "hold") and those that failed."""
    known = [vm for vm in vms if vm is not None]
    failed = {vm.id for vm in known if is_failed(vm)}
    return {vm.id for vm in known if vm.id not in failed and _reached(vm, target, gated)}, failed
