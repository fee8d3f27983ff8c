# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""VM templates.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import scalar
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import State
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.managed import Managed
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    IMAGE,
    VM_TEMPLATE,
    VNET,
    Kind,
    Raw,
    identity,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import from_options, render

OPTIONS = {
    "cpu": "CPU",
    "vcpu": "VCPU",
    "memory": "MEMORY",
    "disks": "DISK",
    "nics": "NIC",
    "context": "CONTEXT",
    "user_inputs": "USER_INPUTS",
    "pci": "PCI",
    "os": "OS",
    "topology": "TOPOLOGY",
    "features": "FEATURES",
}
"""Options of the module to attributes of the template."""
RESERVED = {"NAME": "name"}
NUMBERS = ("CPU", "VCPU", "MEMORY")
"""Attributes that are compared as numbers: others may have written 1.0 for 1."""


def number(value: Any) -> str:
    """Return the text of a number without superfluous zeros; other text as it is."""
    try:
        return scalar(float(value))
    except (TypeError, ValueError):
        return scalar(value)


class ManagedVmTemplate(Managed):
    """The VM template of module vm_template."""

    kind = VM_TEMPLATE

    def facts(self, raw: Raw) -> dict[str, Any]:
        return {**identity(raw), "regtime": as_int(raw.get("REGTIME")), "template": as_dict(raw, "TEMPLATE")}

    def prepare(self) -> None:
        params = dict(self.params)
        if params["disks"] is not None:
            params["disks"] = [self._reference(each, IMAGE, "image", "disks") for each in params["disks"]]
        if params["nics"] is not None:
            params["nics"] = [self._reference(each, VNET, "network", "nics") for each in params["nics"]]
        # a vector without members is the same as no vector
        for option, attribute in OPTIONS.items():
            if params[option] in ({}, []):
                params[option] = None
                params["attributes"] = {**(params["attributes"] or {}), attribute: None}
        self._template = self._numbers(from_options(params, OPTIONS, RESERVED))

    def _reference(self, given: Mapping[str, Any], kind: Kind, option: str, place: str) -> dict[str, Any]:
        """Return a disk or NIC with the id in place of the name.

        OpenNebula would look a name up among the objects of whoever instantiates the template, later.
        """
        vector = {name: value for name, value in given.items() if name != "attributes" and value is not None}
        for name, value in (given.get("attributes") or {}).items():
            if str(name).lower() in {*vector, option, f"{option}_id"}:
                raise InvalidInput(
                    f"{place}[].attributes has {name}, for which there is an option; give it there only.",
                    details={"option": place},
                )
            vector[str(name)] = value
        if option in vector:
            vector[f"{option}_id"] = self.objects.referred(kind, vector.pop(option), f"{place}[].{option}")
        return vector

    def _numbers(self, template: dict[str, Any]) -> dict[str, Any]:
        return {
            name: number(value) if name in NUMBERS and value is not None else value for name, value in template.items()
        }

    def see(self, raw: Raw) -> State:
        return {"template": self._numbers(self.template_of(raw))}

    def desired(self, current: State | None) -> dict[str, Any]:
        if current is None:
            for option, example in (("cpu", "1"), ("memory", "1024 (MB)")):
                if OPTIONS[option] not in self._template:
                    raise InvalidInput(
                        f"{option} is needed to create VM template {self.params['name']!r}, for example {example}.",
                        details={"option": option},
                    )
        return {"template": self._template} if self._template else {}

    def allocate(self, desired: Mapping[str, Any]) -> int:
        text = render({"NAME": desired["name"], **desired.get("template", {})})
        return int(self.client.call("template.allocate", text, what=f"create VM template {desired['name']!r}"))

    def change(self, current: State, changes: dict[str, Any]) -> None:
        if "template" in changes:
            self.apply_template(current["raw"], changes["template"])
        self.apply_common(current["raw"], changes)
