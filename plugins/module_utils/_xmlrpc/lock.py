# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Locks of pool objects.

Private to the collection: it may change without notice.

Images, virtual networks, VM templates, VMs, marketplace apps and documents can be locked; security groups cannot
(PoolObjectSQL::LockableObject of OpenNebula).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client, as_dict
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import Kind, Raw, named

MANAGE = 2
"""Lock level that forbids managing and administering, but not using (include/PoolObjectSQL.h)."""


def is_locked(raw: Raw) -> bool:
    """Whether an object is locked, at any level."""
    return bool(as_dict(raw, "LOCK"))


@contextmanager
def unlocked(client: Client, kind: Kind, raw: Raw, wanted: bool | None) -> Iterator[None]:
    """Change an object from within, locked or not, and leave it as it shall be; an error leaves it unlocked.

    Only who locked an object and administrators may unlock it. Raises what C(Client.call) does.

    Args:
        raw: the object as it was read.
        wanted: whether it shall be locked against changes, which does not keep it from being used; None if the lock
            that there may be is not to be touched.
    """
    number, who = int(raw["ID"]), named(kind, raw)
    if is_locked(raw) and wanted is not None:
        client.call(f"{kind.api}.unlock", number, what=f"unlock {who}")
    yield
    if wanted:
        # the last parameter: do not fail on an object that is locked already
        client.call(f"{kind.api}.lock", number, MANAGE, False, what=f"lock {who}")
