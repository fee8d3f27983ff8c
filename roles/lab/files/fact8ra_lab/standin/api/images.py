# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Images. A path that does not exist makes an image in state ERROR, as the real copy would."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from .. import quotas
from ..access import MANAGE, USE, Caller, Request
from ..cloud import Cloud, now
from ..errors import ACTION, ALLOCATE, INTERNAL, OneError
from ..model import Datastore, Image
from ..template import Template
from ..xmlout import field, header_xml, ids_xml, text_field
from .base import Handler, PoolApi

READY, USED, DISABLED, LOCKED, ERROR = 1, 2, 3, 4, 5
_TYPES: Final = ("OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT", "BACKUP")


def create(cloud: Cloud, uid: int, gid: int, template: Template, datastore: int) -> Image:
    """A new image, copied at once. Raises OneError with oned's text."""
    lead = "Error allocating a new image. "
    template = template.clone()
    name, kind, path = template.text("NAME"), template.text("TYPE", "OS").upper(), template.text("PATH")
    if not name:
        raise OneError(INTERNAL, "No NAME in template for Image.")
    try:
        cloud.check_name(Image, name, uid)
    except OneError as error:
        raise OneError(ALLOCATE, lead + error.text) from error
    if kind not in _TYPES:
        raise OneError(ALLOCATE, f"{lead}Unknown or missing image TYPE.")
    size = template.integer("SIZE") or 1024
    if not path and kind == "OS" and not template.text("SOURCE"):
        raise OneError(ALLOCATE, f"{lead}No PATH in template.")
    persistent = template.text("PERSISTENT").upper() == "YES"
    for key in ("NAME", "TYPE", "PATH", "PERSISTENT", "SIZE", "SOURCE", "FORMAT"):
        template.pop(key, None)
    template.setdefault("DEV_PREFIX", ["sd"])
    image = Image(cloud.new_id("IMAGE"), name, uid, gid, template=template, path=path, size=size)
    image.type, image.persistent, image.datastore_id = _TYPES.index(kind), int(persistent), datastore
    image.regtime = image.modtime = now()
    if not path or path.startswith(("http://", "https://")) or Path(path).exists():
        image.source, image.format, image.state, image.prev_state = "dummy_path", "dummy_format", READY, READY
    return cloud.insert(image)


class ImageApi(PoolApi[Image]):
    prefix, pool_prefix, kind = "one.image", "one.imagepool", Image

    def methods(self) -> dict[str, Handler]:
        return super().methods() | {
            "one.image.allocate": self.allocate,
            "one.image.enable": self.enable,
            "one.image.persistent": self.set_persistent,
            "one.image.clone": self.clone,
            "one.image.chtype": self.chtype,
        }

    def pool_xml(self, item: Image) -> str:
        datastore = self.cloud.pool(Datastore).get(item.datastore_id)
        return (
            f"<IMAGE>{header_xml(self.cloud, item)}"
            + field("TYPE", item.type)
            + "<DISK_TYPE>0</DISK_TYPE>"
            + field("PERSISTENT", item.persistent)
            + field("REGTIME", item.regtime)
            + field("MODTIME", item.modtime)
            + text_field("SOURCE", item.source)
            + text_field("PATH", item.path)
            + text_field("FORMAT", item.format)
            + text_field("FS", item.fs)
            + field("SIZE", item.size)
            + field("STATE", item.state)
            + field("PREV_STATE", item.prev_state)
            + field("RUNNING_VMS", len(item.vms))
            + "<CLONING_OPS>0</CLONING_OPS><CLONING_ID>-1</CLONING_ID><TARGET_SNAPSHOT>-1</TARGET_SNAPSHOT>"
            + field("DATASTORE_ID", item.datastore_id)
            + field("DATASTORE", datastore.name if datastore else "")
            + ids_xml("VMS", sorted(item.vms))
            + "<CLONES></CLONES><APP_CLONES></APP_CLONES>"
            + item.template.xml()
            + "<SNAPSHOTS><ALLOW_ORPHANS><![CDATA[NO]]></ALLOW_ORPHANS><CURRENT_BASE><![CDATA[-1]]></CURRENT_BASE>"
            "<NEXT_SNAPSHOT><![CDATA[0]]></NEXT_SNAPSHOT></SNAPSHOTS>"
            "<BACKUP_INCREMENTS></BACKUP_INCREMENTS><BACKUP_DISK_IDS></BACKUP_DISK_IDS></IMAGE>"
        )

    def allocate(self, caller: Caller, text: str, datastore: int, no_check: bool = False) -> int:
        template = self.cloud.parse(text)
        store = self.cloud.find(Datastore, datastore)
        if store.type == 1:
            raise OneError(
                ALLOCATE, "Error allocating a new image. New images cannot be allocated in a system datastore."
            )
        if not caller.admin and "SOURCE" in template:
            raise OneError(ALLOCATE, "Error allocating a new image. Template includes a restricted attribute SOURCE")
        self.cloud.authorize(caller, self.cloud.may_create(caller, "IMAGE"), Request(USE, "DATASTORE", store))
        demand = {str(datastore): {"IMAGES": 1.0, "SIZE": float(template.integer("SIZE") or 1024)}}
        quotas.check(self.cloud, caller.uid, caller.gid, "DATASTORE", demand, caller)
        return create(self.cloud, caller.uid, caller.gid, template, datastore).id

    def delete(self, caller: Caller, number: int, *_: Any) -> int:
        image = self.cloud.allowed(caller, Image, number, MANAGE)
        if image.vms:
            raise OneError(ACTION, f"Cannot delete image. There are {len(image.vms)} VMs using it.")
        self.cloud.remove(image)
        return number

    def enable(self, caller: Caller, number: int, enabled: bool) -> int:
        image = self.cloud.allowed(caller, Image, number, MANAGE)
        if image.vms:
            raise OneError(ACTION, "Could not disable/enable image: it is in use.")
        image.state = READY if enabled else DISABLED
        self.cloud.touch(image)
        return number

    def set_persistent(self, caller: Caller, number: int, persistent: bool) -> int:
        image = self.cloud.allowed(caller, Image, number, MANAGE)
        if image.vms:
            raise OneError(ACTION, "Image cannot be made persistent while it is in use.")
        image.persistent = int(persistent)
        self.cloud.touch(image)
        return number

    def chtype(self, caller: Caller, number: int, kind: str) -> int:
        image = self.cloud.allowed(caller, Image, number, MANAGE)
        if kind.upper() not in _TYPES:
            raise OneError(INTERNAL, "Unknown type")
        image.type = _TYPES.index(kind.upper())
        self.cloud.touch(image)
        return number

    def clone(self, caller: Caller, number: int, name: str, datastore: int = -1) -> int:
        image = self.cloud.allowed(caller, Image, number, USE)
        self.cloud.authorize(caller, self.cloud.may_create(caller, "IMAGE"))
        template = image.template.clone()
        template.put("NAME", name)
        template.put("PATH", image.path)
        template.put("SIZE", str(image.size))
        where = image.datastore_id if datastore == -1 else datastore
        return create(self.cloud, caller.uid, caller.gid, template, where).id
