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
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, NotFound
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.lock import is_locked, unlocked
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.managed import Managed
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    IMAGE,
    SECURITY_GROUP,
    VM_TEMPLATE,
    VNET,
    Kind,
    Raw,
    identity,
    named,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.restricted import explained
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import from_options, render
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vm_template_images import (
    check_free,
    check_gone,
    images_of,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vm_template_options import (
    ATTRIBUTES,
    LISTS,
    NUMBERS,
    VECTORS,
    check_disk,
    check_pci,
    check_topology,
    vector,
)

RESERVED = {"NAME": "name"}


def number(value: Any) -> str:
    """Return the text of a number without superfluous zeros; other text as it is."""
    try:
        return scalar(float(value))
    except (TypeError, ValueError):
        return scalar(value)


def facts(raw: Raw) -> dict[str, Any]:
    """Return a VM template as modules return it."""
    return {
        **identity(raw),
        "regtime": as_int(raw.get("REGTIME")),
        "locked": is_locked(raw),
        "template": as_dict(raw, "TEMPLATE"),
    }


class ManagedVmTemplate(Managed):
    """The VM template of module vm_template."""

    kind = VM_TEMPLATE

    def facts(self, raw: Raw) -> dict[str, Any]:
        return facts(raw)

    def prepare(self) -> None:
        params = dict(self.params)
        check_topology(params["topology"] or {})
        for option in VECTORS:
            if params[option] is not None:
                params[option] = vector(params[option], option)
        for option in LISTS:
            if params[option] is not None:
                params[option] = [self._entry(option, each) for each in params[option]]
        # a vector without members is the same as no vector
        for option in (*VECTORS, *LISTS, "context", "user_inputs", "labels"):
            if params[option] in ({}, []):
                params[option] = None
                params["attributes"] = {**(params["attributes"] or {}), ATTRIBUTES[option]: None}
        if params["labels"] is not None:
            params["labels"] = ",".join(params["labels"])
        self._template = self._numbers(from_options(params, ATTRIBUTES, RESERVED))

    def _entry(self, option: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return an entry of a list of vectors, checked, with ids in place of names."""
        if option == "disks":
            check_disk(given)
            return self._by_id(given, option, IMAGE, "image")
        if option == "pci":
            check_pci(given)
            return self._by_id(given, option, VNET, "network")
        if option == "nics":
            entry = dict(given)
            if given["security_groups"] is not None:
                groups = [
                    self._id_of(SECURITY_GROUP, each, "nics[].security_groups") for each in given["security_groups"]
                ]
                entry["security_groups"] = groups or None
            return self._by_id(entry, option, VNET, "network")
        return vector(given, f"{option}[]")

    def _by_id(self, given: Mapping[str, Any], place: str, kind: Kind, option: str) -> dict[str, Any]:
        """Return an entry with the id in place of the name.

        OpenNebula would look a name up among the objects of whoever instantiates the template, later.
        """
        entry = vector(given, f"{place}[]", (option, f"{option}_id"))
        if option in entry:
            entry[f"{option}_id"] = self._id_of(kind, entry.pop(option), f"{place}[].{option}")
        return entry

    def _id_of(self, kind: Kind, reference: str, option: str) -> int | str:
        return self.objects.promised(kind, reference, option, self.promise)

    def _numbers(self, template: dict[str, Any]) -> dict[str, Any]:
        return {
            name: number(value) if name in NUMBERS and value is not None else value for name, value in template.items()
        }

    def see(self, raw: Raw) -> State:
        return {"template": self._numbers(self.template_of(raw)), "locked": is_locked(raw)}

    def desired(self, current: State | None) -> dict[str, Any]:
        if current is None and self.params["clone_of"] is None:
            for option, example in (("cpu", "1"), ("memory", "1024 (MB)")):
                if ATTRIBUTES[option] not in self._template:
                    raise InvalidInput(
                        f"{option} is needed to create VM template {self.params['name']!r}, for example {example}.",
                        details={"option": option},
                    )
        desired: dict[str, Any] = {"template": self._template} if self._template else {}
        if current is None and self.params["clone_of"] is not None:
            # before anything is planned, so that check mode finds a wrong name too
            self._origin = self._id_of(VM_TEMPLATE, self.params["clone_of"], "clone_of")
        if self.params["locked"] is not None:
            desired["locked"] = self.params["locked"]
        return desired

    def allocate(self, desired: Mapping[str, Any]) -> int:
        name = desired["name"]
        if self.params["clone_of"] is not None:
            return int(
                self.client.call(
                    "template.clone",
                    self._origin,
                    name,
                    self.params["clone_images"],
                    what=f"clone VM template {self._origin} as {name!r}",
                )
            )
        text = render({"NAME": name, **desired.get("template", {})})
        with explained(self.client, self.kind):
            return int(self.client.call("template.allocate", text, what=f"create VM template {name!r}"))

    def change(self, current: State, changes: dict[str, Any]) -> None:
        raw = current["raw"]
        with unlocked(self.client, self.kind, raw, self.params["locked"]):
            if "template" in changes:
                with explained(self.client, self.kind):
                    self.apply_template(raw, changes["template"])
            self.apply_common(raw, changes)

    def remove(self, current: State) -> None:
        raw = current["raw"]
        images = self.params["delete_images"]
        what = f"delete {named(self.kind, raw)}" + (" and its images" if images else "")
        try:
            self.client.call("template.delete", current["id"], images, what=what)
        except NotFound:
            return

    def gone(self, raw: Raw | None) -> bool:
        # only now is it known that the template itself went
        if raw is None and self.params["delete_images"]:
            check_gone(self.objects, self._images, self._who)
        return raw is None

    def _state(self, raw: Raw, absent: bool) -> State:
        if absent and self.params["delete_images"]:
            # before anything is deleted, in check mode too
            self._who = named(self.kind, raw)
            self._images = images_of(self.objects, raw)
            check_free(self.objects, self._images)
        return super()._state(raw, absent)
