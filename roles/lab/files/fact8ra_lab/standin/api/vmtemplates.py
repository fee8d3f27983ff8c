# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""VM templates: kept, cloned, instantiated."""

from __future__ import annotations

from typing import Any

from .. import vmcreate
from ..access import MANAGE, USE, Caller, Request
from ..cloud import now
from ..errors import INTERNAL, OneError
from ..model import Image, VMTemplate
from ..template import Template
from ..xmlout import field, header_xml
from .base import Handler, PoolApi


class VMTemplateApi(PoolApi[VMTemplate]):
    prefix, pool_prefix, kind = "one.template", "one.templatepool", VMTemplate

    def methods(self) -> dict[str, Handler]:
        return super().methods() | {
            "one.template.allocate": self.allocate,
            "one.template.clone": self.clone,
            "one.template.instantiate": self.instantiate,
        }

    def pool_xml(self, item: VMTemplate) -> str:
        return (
            f"<VMTEMPLATE>{header_xml(self.cloud, item)}{field('REGTIME', item.regtime)}"
            f"{item.template.xml()}</VMTEMPLATE>"
        )

    def info(self, caller: Caller, number: int, decrypt: bool = False, *_: Any) -> str:
        return super().info(caller, number)

    def allocate(self, caller: Caller, text: str) -> int:
        template = self.cloud.parse(text)
        self.cloud.authorize(caller, self.cloud.may_create(caller, "TEMPLATE"))
        return self._create(caller, template)

    def _create(self, caller: Caller, template: Template) -> int:
        name = template.text("NAME")
        template.pop("NAME", None)
        if not name:
            raise OneError(INTERNAL, "NAME cannot be empty.")
        self.cloud.check_name(VMTemplate, name, caller.uid)
        number = self.cloud.new_id("TEMPLATE")
        self.cloud.insert(VMTemplate(number, name, caller.uid, caller.gid, template=template, regtime=now()))
        return number

    def clone(self, caller: Caller, number: int, name: str, recursive: bool = False) -> int:
        item = self.cloud.allowed(caller, VMTemplate, number, USE)
        self.cloud.authorize(caller, self.cloud.may_create(caller, "TEMPLATE"))
        template = item.template.clone()
        template.put("NAME", name)
        return self._create(caller, template)

    def delete(self, caller: Caller, number: int, recursive: bool = False, *_: Any) -> int:
        item = self.cloud.allowed(caller, VMTemplate, number, MANAGE)
        if recursive:
            for disk in item.template.vectors("DISK"):
                image = self.cloud.pool(Image).get(int(disk.get("IMAGE_ID") or -1))
                if image and not image.vms:
                    self.cloud.authorize(caller, Request(MANAGE, "IMAGE", image))
                    self.cloud.remove(image)
        self.cloud.remove(item)
        return number

    def instantiate(
        self, caller: Caller, number: int, name: str = "", hold: bool = False, extra: str = "", persistent: bool = False
    ) -> int:
        item = self.cloud.find(VMTemplate, number)
        template = item.template.clone()
        added = self.cloud.parse(extra)
        for key in ("NAME", "TEMPLATE_ID", "TEMPLATE_NAME"):
            added.pop(key, None)
        template.merge(added)
        requests = [Request(USE, "TEMPLATE", item)]
        if extra:
            requests.append(self.cloud.may_create(caller, "TEMPLATE"))
        origin = vmcreate.Origin(number, name or f"{item.name}-{self.cloud.last_ids.get('VM', -1) + 1}")
        return vmcreate.create(self.cloud, caller, template, origin, hold, requests).id
