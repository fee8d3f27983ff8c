# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which form of bodies a server takes.

7.0 renamed ``vm_template`` and ``custom_attrs`` and brought roles of virtual routers. It converts the old form of whole
templates alone (``ServiceTemplate.convert_template``); 6.x takes no other, and keeps unknown keys without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import (
    as_list,
    legacy_body,
    legacy_merge,
    legacy_role,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client


class Version:
    """What goes to one endpoint; its version is asked for when, and only when, something is to be sent."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @property
    def legacy(self) -> bool:
        """Whether it is older than 7.0 and takes the old form of bodies only."""
        major = self.client.version.partition(".")[0]
        return major.isdigit() and int(major) < 7

    def body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return a body of the 7.x form as the server takes it; raises InvalidInput for what 6.x has not."""
        if not self.legacy:
            return dict(body)
        self._check_types(as_list(body.get("roles")))
        return legacy_body(body)

    def role(self, role: Mapping[str, Any]) -> dict[str, Any]:
        """Return a role of the 7.x form as the server takes it; raises InvalidInput for what 6.x has not."""
        if not self.legacy:
            return dict(role)
        self._check_types([role])
        return legacy_role(role)

    def merge(self, merge_template: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is merged into a template, as the server takes it."""
        return legacy_merge(merge_template) if self.legacy else dict(merge_template)

    def _check_types(self, roles: list[Mapping[str, Any]]) -> None:
        for role in roles:
            if role.get("type") == "vr":
                raise InvalidInput(
                    f"{self.client.endpoint} is OpenNebula {self.client.version}, which has no virtual router roles; "
                    f"role {role.get('name')!r} needs OpenNebula 7.0.",
                    details={"option": "roles.type", "role": role.get("name"), "version": self.client.version},
                )
