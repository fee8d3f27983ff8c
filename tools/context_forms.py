# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The forms of OpenNebula for the context's variables: VM templates and OneFlow services."""

from __future__ import annotations

from typing import Any

PREFIX = "ONEAPP_FLOWER_"
NETWORK = "M|network|Network of the federation| |id:"
# Numbers, ranges, lists and booleans always have a default: OpenNebula's command line leaves the empty ones out, and
# OneFlow refuses a service that lacks one. (OpenNebulaHelper.parse_user_inputs, oneflow-server.rb.)


def user_input(entry: dict[str, Any], mandatory: bool = False) -> str:
    """OpenNebula's form ``M|O|type|description|options|default``."""
    parts = ("M" if mandatory else "O", entry["input"], entry["form"], entry["options"], entry["default"])
    return "|".join(parts)


def of_kind(table: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The variables that a kind of VM reads."""
    return {name: entry for name, entry in table["variables"].items() if kind in entry["becomes"]}


def vm_templates(table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The VM templates by name, each as the options of the module vm_template that are not the tenant's choice."""
    found = {}
    for name, raw in table["templates"].items():
        variables = of_kind(table, raw["kind"])
        found[name] = {
            "description": raw["description"],
            "cpu": 1,
            "vcpu": raw["vcpu"],
            "memory": raw["memory"],
            "disks": [{"image": name, "size": raw["disk"]}],
            "os": {"arch": "x86_64"},
            # The console tells what is wrong with a context; whoever finds its port shall need a password.
            "graphics": {"type": "vnc", "listen": "0.0.0.0", "random_passwd": True},
            "context": {**table["standard"], **{variable: f"${variable}" for variable in variables}},
            "user_inputs": {variable: user_input(entry) for variable, entry in variables.items()},
            "attributes": {"INPUTS_ORDER": ",".join(variables)},
        }
    return found


def _vector(name: str, values: dict[str, Any]) -> str:
    inner = ",\n".join(f'  {key.upper()} = "{_text(value)}"' for key, value in values.items())
    return f"{name} = [\n{inner}\n]\n"


def _text(value: Any) -> str:
    """A value as OpenNebula's templates write it; form texts have no quotes, see context_table.FORM."""
    return ("YES" if value else "NO") if isinstance(value, bool) else str(value)


def vm_text(options: dict[str, Any]) -> str:
    """A VM template in OpenNebula's own syntax, for ``onetemplate create`` and Sunstone."""
    lines = ["# Made from roles/appliance/meta/context.yml by `make docs`. SPDX-License-" + "Identifier: Apache-2.0\n"]
    singles = {name: options[name] for name in ("description", "cpu", "vcpu", "memory")} | options["attributes"]
    lines += [f'{name.upper()} = "{_text(value)}"\n' for name, value in singles.items()]
    lines += [_vector("DISK", disk) for disk in options["disks"]]
    lines += [_vector(name.upper(), options[name]) for name in ("os", "graphics", "context", "user_inputs")]
    return "".join(lines)


def services(table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The OneFlow service templates by name, without the ids of the VM templates, which each cloud has its own of."""
    found = {}
    for name, raw in table["services"].items():
        mandatory = {PREFIX + variable for variable in raw["mandatory"]}
        kinds = raw["roles"]
        found[name] = {
            "name": name,
            "description": raw["description"],
            "deployment": "straight",
            "ready_status_gate": True,
            "shutdown_action": "terminate",
            "networks": {"Private": NETWORK},
            "user_inputs": {
                variable: user_input(entry, variable in mandatory)
                for variable, entry in table["variables"].items()
                if set(entry["becomes"]) & set(kinds) and (entry["ask"] == "service" or variable in mandatory)
            },
            "roles": [_role(table, kind, raw) for kind in kinds],
        }
    return found


def _role(table: dict[str, Any], kind: str, service: dict[str, Any]) -> dict[str, Any]:
    supernodes = service["supernodes"] if kind == "supernode" else {"cardinality": 1, "minimum": 1, "maximum": 1}
    return {
        "name": kind,
        "type": "vm",
        "cardinality": supernodes["cardinality"],
        "min_vms": supernodes["minimum"],
        "max_vms": supernodes["maximum"],
        "parents": [other for other in service["roles"] if other != kind] if kind == "supernode" else [],
        "template_contents": {"NIC": [{"NETWORK_ID": "$Private"}]},
        "user_inputs": {
            variable: user_input(entry) for variable, entry in of_kind(table, kind).items() if entry["ask"] == "role"
        },
    }
