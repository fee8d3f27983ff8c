# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Saying which attribute only administrators may set.

Private to the collection: it may change without notice.

A site chooses these attributes with VNET_RESTRICTED_ATTR and VM_RESTRICTED_ATTR in oned.conf, so only the server knows
them. It names the first one: "VNET Template includes a restricted attribute X", "VM Template includes a restricted
attribute X" and "AR includes a restricted attribute X" (code AUTHORIZATION, or INTERNAL from update_ar;
src/rm/api/VirtualNetworkAPI.cc, src/rm/api/TemplateAPI.cc, src/vnm/AddressRange.cc), "Tried to change restricted
attribute: X" and "Tried to set restricted attribute: X" (code INTERNAL; src/pool/PoolObjectSQL.cc).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotAuthorized, OpenNebulaError
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import VM_TEMPLATE, VNET, Kind

_SETTINGS = {VNET: "VNET_RESTRICTED_ATTR", VM_TEMPLATE: "VM_RESTRICTED_ATTR"}
_RESTRICTED = re.compile(r"restricted attribute:? *([A-Za-z_][\w/]*)")


@contextmanager
def explained(client: Client, kind: Kind = VNET) -> Iterator[None]:
    """Name the restricted attribute in errors from within.

    Args:
        client: the endpoint.
        kind: whose attribute it is, a virtual network's or a VM template's.

    Raises:
        NotAuthorized: the user set an attribute that only administrators may; C(details["attribute"]) is its name.
    """
    try:
        yield
    except OpenNebulaError as error:
        match = _RESTRICTED.search(str(error.details.get("server") or ""))
        if match is None:
            raise
        raise NotAuthorized(
            f"{error.message.rstrip('.')}. Only administrators may set {match[1]} of a {kind.word}, as "
            f"{_SETTINGS[kind]} in oned.conf says; user {client.target.username!r} is none. Leave it out, or let "
            "an administrator set it.",
            details={**error.details, "attribute": match[1]},
        ) from None
