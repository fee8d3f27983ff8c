# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Images.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_int, as_list
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import Raw, identity

ImageState = IntEnum(
    "ImageState",
    "INIT READY USED DISABLED LOCKED ERROR CLONE DELETE USED_PERS LOCKED_USED LOCKED_USED_PERS",
    start=0,
)
"""States of an image (include/Image.h of OpenNebula)."""

ImageType = IntEnum("ImageType", "OS CDROM DATABLOCK KERNEL RAMDISK CONTEXT BACKUP FILESYSTEM", start=0)
"""Types of an image (include/Image.h of OpenNebula)."""


def _word(words: type[IntEnum], value: Any) -> str:
    number = as_int(value)
    known = {int(word): word.name for word in words}
    return f"UNKNOWN({value})" if number is None or number not in known else known[number]


def facts(raw: Raw) -> dict[str, Any]:
    """Return an image as modules return it; size in MB."""
    return {
        **identity(raw),
        "state": _word(ImageState, raw.get("STATE")),
        "type": _word(ImageType, raw.get("TYPE")),
        "persistent": raw.get("PERSISTENT") == "1",
        "size": as_int(raw.get("SIZE")),
        "format": raw.get("FORMAT") or None,
        "datastore_id": as_int(raw.get("DATASTORE_ID")),
        "datastore": raw.get("DATASTORE") or None,
        "running_vms": as_int(raw.get("RUNNING_VMS")) or 0,
        "vms": [int(number) for number in as_list(raw, "VMS", "ID")],
        "template": as_dict(raw, "TEMPLATE"),
    }
