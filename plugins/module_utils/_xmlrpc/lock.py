# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Locks of pool objects.

Private to the collection: it may change without notice.

Images, virtual networks, VM templates, VMs, marketplace apps and documents can be locked; security groups cannot
(PoolObjectSQL::LockableObject of OpenNebula).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_dict
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import Kind, Raw, named

MANAGE = 2
"""Lock level that forbids managing and administering, but not using (include/PoolObjectSQL.h)."""


def is_locked(raw: Raw) -> bool:
    """Whether an object is locked, at any level."""
    return bool(as_dict(raw, "LOCK"))


def lock(client: Client, kind: Kind, raw: Raw) -> Any:
    """Lock an object against changes; it can be used all the same. Raises what C(Client.call) does."""
    # the last parameter: do not fail on an object that is locked already
    return client.call(f"{kind.api}.lock", int(raw["ID"]), MANAGE, False, what=f"lock {named(kind, raw)}")


def unlock(client: Client, kind: Kind, raw: Raw) -> Any:
    """Unlock an object; only who locked it and administrators may. Raises what C(Client.call) does."""
    return client.call(f"{kind.api}.unlock", int(raw["ID"]), what=f"unlock {named(kind, raw)}")
