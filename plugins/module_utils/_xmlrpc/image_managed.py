# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The image of module image.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import State
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, NotFound
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.image import (
    BUSY,
    COPYING,
    facts,
    failed,
    holders_of,
    state_of,
    type_of,
    wait_gone,
    wait_ready,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.image_source import check, drift, source_of
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.lock import unlocked
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.managed import Managed
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import IMAGE, Raw, named
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import from_options, normalise, render
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.usage import ids, in_use

OPTIONS = {"description": "DESCRIPTION", "dev_prefix": "DEV_PREFIX", "target": "TARGET"}
"""Options of the module to attributes of the template."""
RESERVED = {
    "NAME": "name",
    "TYPE": "type",
    "PERSISTENT": "persistent",
    "SIZE": "size",
    "FS": "fs",
    "FORMAT": "format",
    "DRIVER": "format",
    "PATH": "path",
    "SOURCE": "path",
    "FROM_APP": "app",
}
OWN = ("type", "persistent", "enabled", "locked")
"""Options that are compared under their own names."""
AS_IT_IS = frozenset({"OS", "CDROM", "DATABLOCK"})
"""Types that can be changed into each other; the three of files can as well (ImageAPI::change_type)."""


class ManagedImage(Managed):
    """The image of module image.

    Args:
        client: the endpoint.
        params: the module's parameters.
        warn: takes a warning for the user.
        check_mode: whether nothing shall be changed.
    """

    kind = IMAGE

    def __init__(
        self, client: Client, params: Mapping[str, Any], warn: Callable[[str], None], *, check_mode: bool
    ) -> None:
        super().__init__(client, params, warn if check_mode else None)
        self.warn = warn

    def facts(self, raw: Raw) -> dict[str, Any]:
        return facts(raw)

    def see(self, raw: Raw) -> State:
        seen = facts(raw)
        return {"template": normalise(raw.get("TEMPLATE")), **{name: seen[name] for name in OWN}}

    def prepare(self) -> None:
        check(self.params)
        self._template = from_options(self.params, OPTIONS, RESERVED)

    def desired(self, current: State | None) -> dict[str, Any]:
        desired = {name: self.params[name] for name in OWN if self.params[name] is not None}
        if self._template:
            desired["template"] = self._template
        if current is None:
            if self.params["id"] is None:
                self._plan_creation()
        else:
            self._check_change(current, desired)
        return desired

    def _plan_creation(self) -> None:
        self._source = source_of(self.objects, self.params, self.promise)
        if self.params["enabled"] is False and not self.params["wait"]:
            raise InvalidInput(
                "enabled is false and so is wait; an image can only be disabled when it has been written, so let the "
                "module wait.",
                details={"option": "enabled"},
            )

    def _check_change(self, current: State, desired: Mapping[str, Any]) -> None:
        """See that an image can become what is wanted, and warn of what it cannot.

        Raises:
            Refused: the image is in state ERROR, or in use and has to be free for that.
            InvalidInput: its type cannot become the wanted one.
        """
        raw = current["raw"]
        if state_of(raw) == "ERROR" and self.params["enabled"] is None:
            raise failed(
                self.objects, raw, "Delete the image and run again when the cause is mended, or give enabled: true."
            )
        differences = drift(raw, self.params)
        if differences:
            self.warn(
                f"{self.client.endpoint}: {named(IMAGE, raw)} differs from what is asked in what OpenNebula cannot "
                f"change on a living image: {'; '.join(differences)}. Delete the image, or take another name, to "
                "have it made anew."
            )
        for option in ("persistent", "enabled"):
            if option in desired and desired[option] != current[option] and state_of(raw) in BUSY:
                raise self._in_use(raw, f"get {option}: {str(desired[option]).lower()}")
        wanted = desired.get("type", current["type"])
        if wanted != current["type"] and (
            "FILESYSTEM" in (wanted, current["type"]) or (wanted in AS_IT_IS) != (current["type"] in AS_IT_IS)
        ):
            raise InvalidInput(
                f"{self.client.endpoint}: type is {wanted!r}, but {named(IMAGE, raw)} is of type {current['type']}. "
                "OpenNebula changes OS, CDROM and DATABLOCK into each other, and KERNEL, RAMDISK and CONTEXT.",
                details={"option": "type", "id": current["id"]},
            )

    def _in_use(self, raw: Raw, cannot: str) -> Exception:
        holders = holders_of(self.objects, raw)
        return in_use(self.objects, IMAGE, raw, cannot, holders, "Remove these first, or wait for them.")

    def allocate(self, desired: Mapping[str, Any]) -> int:
        source, name = self._source, desired["name"]
        what = f"create image {name!r}"
        if source.clone_of is not None:
            what = f"clone image {source.clone_of} as {name!r}"
            number = self.client.call("image.clone", source.clone_of, name, source.datastore, what=what)
        else:
            text = render(
                {
                    **source.template,
                    **desired.get("template", {}),
                    "NAME": name,
                    "TYPE": desired.get("type", source.template.get("TYPE")),
                    "PERSISTENT": desired.get("persistent", source.template.get("PERSISTENT")),
                }
            )
            number = self.client.call("image.allocate", text, source.datastore, what=what)
        self._wait(int(number))
        return int(number)

    def change(self, current: State, changes: dict[str, Any]) -> None:
        raw, number, who = current["raw"], current["id"], named(IMAGE, current["raw"])
        with unlocked(self.client, IMAGE, raw, self.params["locked"]):
            if changes.get("template"):
                self.apply_template(raw, changes["template"])
            if "type" in changes:
                self.client.call("image.chtype", number, changes["type"], what=f"make {who} of type {changes['type']}")
            if "persistent" in changes:
                what = f"make {who} {'' if changes['persistent'] else 'non-'}persistent"
                self.client.call("image.persistent", number, changes["persistent"], what=what)
            if "enabled" in changes:
                what = f"{'enable' if changes['enabled'] else 'disable'} {who}"
                self.client.call("image.enable", number, changes["enabled"], what=what)
            self.apply_common(raw, changes)

    def settle(self, raw: Raw) -> Raw | None:
        state, number, timeout = state_of(raw), int(raw["ID"]), self.params["wait_timeout"]
        if not self.params["wait"]:
            return raw
        if state == "DELETE":
            wait_gone(self.objects, number, timeout)
            return None
        if state in COPYING and not (self.params["state"] == "absent" and self.params["force"]):
            return wait_ready(self.objects, number, timeout)
        return raw

    def remove(self, current: State) -> None:
        raw, number = current["raw"], current["id"]
        try:
            self.client.call("image.delete", number, self.params["force"], what=f"delete {named(IMAGE, raw)}")
        except NotFound:
            return
        if self.params["wait"]:
            wait_gone(self.objects, number, self.params["wait_timeout"])
            self.remember(number, None)

    def _state(self, raw: Raw, absent: bool) -> State:
        # a backup counts the VM that it was taken of
        if absent and type_of(raw) != "BACKUP" and (ids(raw, "VMS") or as_int(raw.get("CLONING_OPS"))):
            raise self._in_use(raw, "be deleted")
        return super()._state(raw, absent)

    def gone(self, raw: Raw | None) -> bool:
        return raw is None or state_of(raw) == "DELETE"

    def _wait(self, number: int) -> None:
        if self.params["wait"]:
            self.remember(number, wait_ready(self.objects, number, self.params["wait_timeout"]))
