# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Images: states, types, what modules return, waiting.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._waiting import wait_for
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.lock import is_locked
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    IMAGE,
    Objects,
    Raw,
    identity,
    label,
    named,
    thing,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.usage import ids, vm_names

ImageState = IntEnum(
    "ImageState",
    "INIT READY USED DISABLED LOCKED ERROR CLONE DELETE USED_PERS LOCKED_USED LOCKED_USED_PERS",
    start=0,
)
"""States of an image (include/Image.h of OpenNebula)."""

ImageType = IntEnum("ImageType", "OS CDROM DATABLOCK KERNEL RAMDISK CONTEXT BACKUP FILESYSTEM", start=0)
"""Types of an image (include/Image.h of OpenNebula)."""

COPYING = frozenset({"INIT", "LOCKED", "LOCKED_USED", "LOCKED_USED_PERS"})
"""States in which OpenNebula still writes the image."""
BUSY = frozenset({"USED", "USED_PERS", "CLONE", "LOCKED_USED", "LOCKED_USED_PERS"})
"""States in which neither persistence nor enabling can be changed (include/Image.h, ImageManagerActions.cc)."""


def _word(words: type[IntEnum], value: Any) -> str:
    number = as_int(value)
    known = {int(word): word.name for word in words}
    return f"UNKNOWN({value})" if number is None or number not in known else known[number]


def state_of(raw: Raw) -> str:
    """Return the name of the state of an image."""
    return _word(ImageState, raw.get("STATE"))


def type_of(raw: Raw) -> str:
    """Return the name of the type of an image."""
    return _word(ImageType, raw.get("TYPE"))


def reason_of(raw: Raw) -> str | None:
    """Return why an image is in state ERROR, as its driver said it, or None."""
    return as_dict(raw, "TEMPLATE").get("ERROR") or None


def facts(raw: Raw) -> dict[str, Any]:
    """Return an image as modules return it; size in MB, times in seconds since 1970."""
    template = as_dict(raw, "TEMPLATE")
    origin = as_int(raw.get("CLONING_ID"))
    return {
        **identity(raw),
        "state": state_of(raw),
        "type": type_of(raw),
        "persistent": raw.get("PERSISTENT") == "1",
        "enabled": state_of(raw) not in ("DISABLED", "ERROR"),
        "locked": is_locked(raw),
        "size": as_int(raw.get("SIZE")),
        "format": raw.get("FORMAT") or None,
        "fs": raw.get("FS") or None,
        "path": raw.get("PATH") or None,
        "source": raw.get("SOURCE") or None,
        "from_app": as_int(template.get("FROM_APP")),
        "from_app_name": template.get("FROM_APP_NAME") or None,
        "description": template.get("DESCRIPTION") or None,
        "error": reason_of(raw),
        "regtime": as_int(raw.get("REGTIME")) or None,
        "modtime": as_int(raw.get("MODTIME")) or None,
        "datastore_id": as_int(raw.get("DATASTORE_ID")),
        "datastore": raw.get("DATASTORE") or None,
        "running_vms": as_int(raw.get("RUNNING_VMS")) or 0,
        "vms": ids(raw, "VMS"),
        "cloning_id": None if origin is None or origin < 0 else origin,
        "clones": ids(raw, "CLONES"),
        "app_clones": ids(raw, "APP_CLONES"),
        "template": template,
    }


def holders_of(objects: Objects, raw: Raw) -> list[str]:
    """Return for messages who uses an image: virtual machines, and copies that are being made of it."""
    copies = as_int(raw.get("CLONING_OPS")) or 0
    making = [f"{copies} copies that are being made of it"] if copies else []
    return vm_names(objects, ids(raw, "VMS")) + making


def failed(objects: Objects, raw: Raw, advice: str) -> Refused:
    """Return the error that an image is in state ERROR, with the reason that OpenNebula keeps in its template."""
    reason = reason_of(raw)
    return Refused(
        f"{objects.client.endpoint}: {named(IMAGE, raw)} is in state {state_of(raw)}: "
        f"{reason or 'OpenNebula keeps no reason, the log of oned may have one'}. {advice}",
        code="failed_state",
        details={
            "endpoint": objects.client.endpoint,
            "object": thing(IMAGE, raw["NAME"], None),
            "id": int(raw["ID"]),
            "last_state": state_of(raw),
            "server": reason,
        },
    )


def wait_ready(objects: Objects, number: int, timeout: float) -> Raw:
    """Wait until OpenNebula has written an image and return it.

    Raises:
        Refused: it came to ERROR, with the reason, or went away.
        ResourceTimeout: the time is over.
    """

    def look() -> Raw:
        raw = objects.by_id(IMAGE, number)
        if raw is None or state_of(raw) == "DELETE":
            raise Refused(f"{label(objects.client, IMAGE, None, number)} went away while it was waited for.")
        return raw

    def check(raw: Raw) -> None:
        if state_of(raw) == "ERROR":
            raise failed(objects, raw, "Delete the image and run again when the cause is mended.")

    return wait_for(
        look,
        lambda raw: state_of(raw) not in COPYING and state_of(raw) != "ERROR",
        what=f"{label(objects.client, IMAGE, None, number)} to become READY",
        timeout=timeout,
        state=state_of,
        check=check,
    )


def wait_gone(objects: Objects, number: int, timeout: float) -> None:
    """Wait until an image does not exist any more; raises as C(wait_ready) does."""

    def check(raw: Raw | None) -> None:
        if raw is not None and state_of(raw) == "ERROR":
            raise failed(objects, raw, "It could not be deleted; with force it goes, and files may stay behind.")

    wait_for(
        lambda: objects.by_id(IMAGE, number),
        lambda raw: raw is None,
        what=f"{label(objects.client, IMAGE, None, number)} to be gone",
        timeout=timeout,
        state=lambda raw: "gone" if raw is None else state_of(raw),
        check=check,
    )
