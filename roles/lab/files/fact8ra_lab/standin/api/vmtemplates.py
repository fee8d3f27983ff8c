# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""VM templates: kept, cloned, instantiated."""

from __future__ import annotations

from typing import Any

from .. import vmcreate, vmrestricted
from ..access import MANAGE, USE, Caller, Request
from ..cloud import Cloud, now
from ..errors import ACTION, AUTHORIZATION, INTERNAL, OneError
from ..model import VMTemplate
from ..template import Template
from ..xmlout import field, header_xml
from .base import Handler, PoolApi
from .images import ImageApi


class VMTemplateApi(PoolApi[VMTemplate]):
    prefix, pool_prefix, kind = "one.template", "one.templatepool", VMTemplate

    def __init__(self, cloud: Cloud, images: ImageApi) -> None:
        super().__init__(cloud)
        self.images = images

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
        name = "" if caller.admin else vmrestricted.first(template)
        if name:
            text = f"User [{caller.uid}] : VM Template includes a restricted attribute {name}."
            raise OneError(AUTHORIZATION, text)
        return self._create(caller, template)

    def _keep_restricted(self, caller: Caller, item: VMTemplate, changes: Template, append: bool) -> None:
        name = "" if caller.admin else vmrestricted.changed(changes, item.template, append)
        if name:
            how = "User Template includes a restricted attribute" if append else "Tried to change restricted attribute:"
            raise OneError(INTERNAL, f"Cannot update template. {how} {name}")

    def _create(self, caller: Caller, template: Template) -> int:
        name = template.text("NAME")
        template.pop("NAME", None)
        if not name:
            raise OneError(INTERNAL, "NAME cannot be empty.")
        self.cloud.check_name(VMTemplate, name, caller.uid)
        number = self.cloud.new_id("TEMPLATE")
        self.cloud.insert(VMTemplate(number, name, caller.uid, caller.gid, template=template, regtime=now()))
        return number

    def clone(
        self, caller: Caller, number: int, name: str, recursive: bool = False, persistent: bool = False, *_: Any
    ) -> int:
        item = self.cloud.find(VMTemplate, number)
        self._authorize_clone(caller, item)
        template = item.template.clone()
        template.put("NAME", name)
        made = self._copy(item, lambda: self._create(caller, template))
        if recursive:
            self._clone_images(caller, self.cloud.pool(VMTemplate)[made], name, persistent)
        return made

    def _clone_images(self, caller: Caller, item: VMTemplate, name: str, persistent: bool) -> None:
        """Gives a new template images of its own. Raises OneError, and then neither template nor images are left."""
        copies = []
        try:
            for index, disk in enumerate(item.template.vectors("DISK")):
                image = vmcreate.find_image(self.cloud, caller, disk)
                if image is None:
                    continue
                copies.append(self.images.clone(caller, image.id, f"{name}-disk-{index}", -1, persistent))
                for key in ("IMAGE", "IMAGE_UNAME", "IMAGE_UID", "OPENNEBULA_MANAGED"):
                    disk.pop(key, None)
                disk["IMAGE_ID"] = str(copies[-1])
        except OneError as error:
            for number in copies:
                self.images.delete(caller, number, True)
            self.cloud.remove(item)
            text = error.text.removeprefix("Error allocating a new image. ")
            raise OneError(ACTION, f"Failed to clone images: {text}") from error

    def delete(self, caller: Caller, number: int, recursive: bool = False, *_: Any) -> int:
        item = self.cloud.allowed(caller, VMTemplate, number, MANAGE)
        self.cloud.remove(item)
        for disk in item.template.vectors("DISK") if recursive else ():
            try:
                image = vmcreate.find_image(self.cloud, caller, disk)
                if image:
                    self.images.delete(caller, image.id)
            except OneError:  # upstream writes a line to its log; the template is gone all the same
                continue
        return number

    def instantiate(
        self, caller: Caller, number: int, name: str = "", hold: bool = False, extra: str = "", persistent: bool = False
    ) -> int:
        item = self.cloud.find(VMTemplate, number)
        template = item.template.clone()
        added = self.cloud.parse(extra)
        for key in ("NAME", "TEMPLATE_ID", "TEMPLATE_NAME"):
            added.pop(key, None)
        restricted = "" if caller.admin else vmrestricted.changed(added, item.template, True)
        if restricted:
            text = f"User [{caller.uid}] : User Template includes a restricted attribute {restricted}."
            raise OneError(AUTHORIZATION, text)
        template.merge(added)
        requests = [Request(USE, "TEMPLATE", item)]
        if extra:
            requests.append(self.cloud.may_create(caller, "TEMPLATE"))
        origin = vmcreate.Origin(number, name or f"{item.name}-{self.cloud.last_ids.get('VM', -1) + 1}")
        return vmcreate.create(self.cloud, caller, template, origin, hold, requests).id
