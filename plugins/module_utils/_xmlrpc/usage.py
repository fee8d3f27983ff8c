# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Who uses an object, in the words of messages.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotAuthorized, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_ints
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import VM, Kind, Objects, Raw, named, thing

NAMED_AT_MOST = 10
"""Most virtual machines that are asked for their name."""

HIDDEN = "objects that this user may not see"


def ids(raw: Raw, pool: str) -> list[int]:
    """Return the ids of one of the lists of ids of an object, such as C(VMS), in order."""
    return sorted(as_ints(raw, pool, "ID"))


def vm_names(objects: Objects, numbers: Iterable[int]) -> list[str]:
    """Return virtual machines for messages: the first ten with name and owner, as far as the user may see them."""
    return [
        _vm_name(objects, number) if at < NAMED_AT_MOST else thing(VM, None, number)
        for at, number in enumerate(numbers)
    ]


def _vm_name(objects: Objects, number: int) -> str:
    try:
        seen = objects.by_id(VM, number)
    except NotAuthorized:
        seen = None
    return thing(VM, None, number) if seen is None else named(VM, seen)


def in_use(objects: Objects, kind: Kind, raw: Raw, cannot: str, holders: Sequence[str], advice: str) -> Refused:
    """Return the error that an object is in use.

    Args:
        cannot: what cannot be done: "be deleted".
        holders: who uses it, for messages.
        advice: a sentence.
    """
    who = list(holders) or [HIDDEN]
    details: dict[str, Any] = {
        "endpoint": objects.client.endpoint,
        "object": thing(kind, raw["NAME"], None),
        "id": int(raw["ID"]),
        "holders": list(holders),
    }
    return Refused(
        f"{objects.client.endpoint}: {named(kind, raw)} cannot {cannot} while it is used by {', '.join(who)}. {advice}",
        code="in_use",
        details=details,
    )
