# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""One service: its body, its states and the order of its roles.

Source: models/service.rb, models/role.rb, models/vmrole.rb and strategy/straight.rb of OpenNebula 7.4.
"""

from __future__ import annotations

import copy
import re
from typing import Any, Final

from ..cloud import Cloud, now
from ..model import Document
from . import oldform
from .merge import deep_merge
from .schema import Body, to_integer

STATES: Final = (
    "PENDING", "DEPLOYING", "RUNNING", "UNDEPLOYING", "WARNING", "DONE", "FAILED_UNDEPLOYING", "FAILED_DEPLOYING",
    "SCALING", "FAILED_SCALING", "COOLDOWN", "DEPLOYING_NETS", "UNDEPLOYING_NETS", "FAILED_DEPLOYING_NETS",
    "FAILED_UNDEPLOYING_NETS", "HOLD",
)  # fmt: skip
ROLE_STATES: Final = (*STATES[:11], "HOLD")
TRANSIENT: Final = ("DEPLOYING", "UNDEPLOYING", "SCALING", "COOLDOWN", "DEPLOYING_NETS", "UNDEPLOYING_NETS")
FAILED: Final = tuple(name for name in STATES if name.startswith("FAILED_"))
_IMMUTABLE: Final = (
    "custom_attrs", "custom_attrs_values", "user_inputs", "user_inputs_values", "deployment",
    "log", "name", "networks", "networks_values",
    "ready_status_gate", "state", "start_time",
)  # fmt: skip
_ROLE_IMMUTABLE: Final = ("cardinality", "last_vmname", "nodes", "parents", "state", "template_id", "vm_template")
_MAX_LOG: Final = 50


class Role:
    """A view on one role of a service's body."""

    def __init__(self, body: Body, service: Service) -> None:
        self.body = body
        self.service = service
        if body.get("state") is None:
            body["state"] = 0
        if body.get("nodes") is None:
            body["nodes"] = []
        if body.get("on_hold") is None:
            body["on_hold"] = False
        if body.get("cooldown") is None and body.get("type", "vm") == "vm":
            body["cooldown"] = service.cloud.timers.cooldown

    @property
    def name(self) -> str:
        """The role's name."""
        return str(self.body["name"])

    @property
    def state(self) -> str:
        """The state by name."""
        return ROLE_STATES[self.body["state"]]

    @state.setter
    def state(self, name: str) -> None:
        self.body["state"] = ROLE_STATES.index(name)

    @property
    def nodes(self) -> list[Body]:
        """The nodes, each with the id of its VM in ``deploy_id``."""
        nodes: list[Body] = self.body["nodes"]
        return nodes

    @property
    def vm_ids(self) -> list[int]:
        """The ids of the VMs."""
        return [node["deploy_id"] for node in self.nodes]

    def drop_nodes(self, vm_ids: set[int]) -> None:
        """Removes the nodes of these VMs."""
        self.body["nodes"] = [node for node in self.nodes if node["deploy_id"] not in vm_ids]

    @property
    def template_id(self) -> int:
        """The VM template."""
        return int(self.body[self.service.cloud.personality.flow_template_key])

    @property
    def parents(self) -> list[str]:
        """The names of the roles that must run before."""
        return self.body.get("parents") or []

    @property
    def cardinality(self) -> int:
        """The wanted number of VMs."""
        return to_integer(self.body.get("cardinality"))

    def set_cardinality(self, wanted: int) -> None:
        """Changes the wanted number and logs it."""
        way = "up" if wanted > self.cardinality else "down"
        self.service.log("I", f"Role {self.name} scaling {way} from {self.cardinality} to {wanted} nodes")
        self.body["cardinality"] = wanted

    @property
    def shutdown_action(self) -> str:
        """terminate or terminate-hard."""
        return str(self.body.get("shutdown_action") or self.service.body.get("shutdown_action") or "terminate")


class Service:
    """A service as loaded: a copy of its body that ``save`` writes back, so a step that fails changes nothing."""

    def __init__(self, cloud: Cloud, document: Document) -> None:
        self.cloud = cloud
        self.document = document
        self.body: Body = copy.deepcopy(document.body or {})
        self.roles: dict[str, Role] = {}
        self.load_roles()

    def load_roles(self) -> None:
        """Builds the roles anew from the body."""
        self.roles = {role["name"]: Role(role, self) for role in self.body.get("roles") or []}

    def save(self) -> None:
        """Writes the body back."""
        self.document.body = self.body
        self.cloud.touch(self.document)

    @property
    def id(self) -> int:
        """The id of the document."""
        return self.document.id

    @property
    def state(self) -> str:
        """The state by name."""
        return STATES[to_integer(self.body.get("state"))]

    @state.setter
    def state(self, name: str) -> None:
        self.body["state"] = STATES.index(name)
        self.log("I", f"New state: {name}")

    def log(self, severity: str, message: str) -> None:
        """Adds a line to the service's log, which keeps the last 50."""
        lines = self.body.get("log") or []
        lines.append({"timestamp": now(), "severity": severity, "message": message})
        self.body["log"] = lines[-_MAX_LOG:]

    @property
    def straight(self) -> bool:
        """Whether roles wait for their parents."""
        return self.body.get("deployment") == "straight"

    @property
    def gated(self) -> bool:
        """Whether VMs must report READY."""
        return bool(self.body.get("ready_status_gate"))

    @property
    def on_hold(self) -> bool:
        """Whether the whole service is made on hold."""
        return bool(self.body.get("on_hold"))

    @property
    def can_undeploy(self) -> bool:
        """Whether a plain delete is allowed."""
        passing = self.state in TRANSIENT and self.state != "UNDEPLOYING"
        return not (passing or self.state == "DONE" or self.state in FAILED)

    def all_roles(self, state: str) -> bool:
        """Whether every role is in the state."""
        return all(role.state == state for role in self.roles.values())

    # The order of roles.

    def _parents_are(self, role: Role, state: str) -> bool:
        return all(parent in self.roles and self.roles[parent].state == state for parent in role.parents)

    def to_deploy(self) -> dict[str, Role]:
        """The roles that can be deployed now."""
        if not self.straight:
            return {name: role for name, role in self.roles.items() if role.state in ("PENDING", "SCALING")}
        return {
            name: role
            for name, role in self.roles.items()
            if role.state == "PENDING" and self._parents_are(role, "RUNNING")
        }

    def to_shutdown(self) -> dict[str, Role]:
        """The roles that can be shut down now."""
        left = {
            name: role
            for name, role in self.roles.items()
            if role.state not in ("UNDEPLOYING", "DONE", "FAILED_UNDEPLOYING")
        }
        if not self.straight:
            return left
        needed = {parent for role in self.roles.values() if role.state != "DONE" for parent in role.parents}
        return {name: role for name, role in left.items() if name not in needed}

    def to_hold(self) -> dict[str, Role]:
        """The roles that can be deployed on hold now."""
        waiting = {name: role for name, role in self.roles.items() if role.state == "PENDING"}
        if not self.straight:
            return waiting
        return {name: role for name, role in waiting.items() if self._parents_are(role, "HOLD")}

    def to_release(self) -> dict[str, Role]:
        """The roles that can be released from hold now."""
        held = {name: role for name, role in self.roles.items() if role.state == "HOLD"}
        if not self.straight:
            return held
        return {name: role for name, role in held.items() if self._parents_are(role, "RUNNING")}

    # Networks and template contents.

    def networks(self) -> list[Body]:
        """The values of all networks, each with its name in the key that leads to it."""
        return [net for entry in self.body.get("networks_values") or [] for net in entry.values()]

    def network_ids(self) -> list[int]:
        """The ids of all networks; a missing one counts as 0, as nil.to_i does."""
        return [to_integer(net.get("id")) for net in self.networks()]

    def fill_contents(self) -> None:
        """Puts network ids and user inputs into the template contents of every role."""
        if self.cloud.personality.flow_old_form:
            oldform.resolve_networks(self.body)
            return
        inputs = self.body.get("user_inputs_values") or {}
        nets = {name: net for entry in self.body.get("networks_values") or [] for name, net in entry.items()}
        for role in self.body.get("roles") or []:
            contents = role.get("template_contents") or {}
            for nic in contents.get("NIC") or []:
                found = re.search(r"\$(\w+)", nic["NETWORK_ID"]) if isinstance(nic.get("NETWORK_ID"), str) else None
                if found and found[1] in nets:
                    nic["NETWORK_ID"] = nets[found[1]].get("id")
            own = role.get("user_inputs_values") or {}
            if inputs or own:
                context = contents.setdefault("CONTEXT", {})
                for key, value in deep_merge(inputs, own).items():
                    contents[key] = value
                    context[key] = f"${key}"
            role["template_contents"] = contents

    def immutable_change(self, new: Body, append: bool) -> str | None:
        """The first value that an update may not change, or None."""
        if append:
            return next((f"service/{key}" for key in _IMMUTABLE if new.get(key) is not None), None)
        if len(new["roles"]) != len(self.roles):
            return "service/roles size"
        for key in _IMMUTABLE:
            if new.get(key) != self.body.get(key):
                return f"service/{key}"
        for role in new["roles"]:
            known = self.roles.get(role["name"])
            if known is None:
                return "name"
            for key in _ROLE_IMMUTABLE:
                if role.get(key) != known.body.get(key):
                    return f"role/{key}"
        return None


def raw(content: Body) -> str:
    """An object as KEY = VALUE lines, as OneFlow hands it to OpenNebula."""
    lines = []
    for key, value in content.items():
        if isinstance(value, dict):
            # Every line gets the comma, those within a value too: text of several lines in a vector is spoilt upstream.
            inner = ",\n".join(raw(value).rstrip("\n").split("\n"))
            lines.append(f"{key} = [\n{inner}\n]\n")
        elif isinstance(value, list):
            lines.extend(raw({key: item}) for item in value)
        else:
            lines.append(f'{key} = "{_text(value)}"\n')
    return "".join(lines)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).replace('"', '\\"')
