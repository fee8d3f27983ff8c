# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Images. Source: src/rm/api/ImageAPI.cc and src/image/ImageManagerActions.cc of oned, release-7.4.0."""

from __future__ import annotations

from typing import Any, Final

from .. import quotas
from ..access import ADMIN, MANAGE, USE, Caller, Request
from ..cloud import now
from ..errors import ACTION, ALLOCATE, AUTHORIZATION, INTERNAL, OneError
from ..imagecreate import (
    BACKUP_DS,
    FILES,
    IMAGE_DS,
    SYSTEM_DS,
    TYPES,
    create,
    from_app,
    image_type,
    known_types,
    size_of,
)
from ..imagelife import (
    CLONE,
    DELETE,
    DISABLED,
    ERROR,
    LOCKED,
    LOCKED_USED,
    LOCKED_USED_PERS,
    READY,
    STATE_NAMES,
    USED,
    USED_PERS,
    go,
)
from ..model import Datastore, Image
from ..xmlout import field, header_xml, ids_xml, text_field
from .base import Handler, PoolApi

_LOCKED: Final = (LOCKED, LOCKED_USED, LOCKED_USED_PERS)
_IN_USE: Final = (USED, USED_PERS, LOCKED_USED, LOCKED_USED_PERS)
_DISKS: Final = ("OS", "DATABLOCK", "CDROM")


def _wrong_state(image: Image, what: str) -> OneError:
    return OneError(INTERNAL, f"Could not {what}: Image cannot be in state {STATE_NAMES[image.state]}.")


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
        like = self.cloud.personality
        return (
            f"<IMAGE>{header_xml(self.cloud, item)}"
            + field("TYPE", item.type)
            + "<DISK_TYPE>0</DISK_TYPE>"
            + field("PERSISTENT", item.persistent)
            + field("REGTIME", item.regtime)
            + (field("MODTIME", item.modtime) if like.image_modtime else "")
            + text_field("SOURCE", item.source)
            + text_field("PATH", item.path)
            + text_field("FORMAT", item.format)
            + text_field("FS", item.fs)
            + field("SIZE", item.size)
            + field("STATE", item.state)
            + field("PREV_STATE", item.prev_state)
            + field("RUNNING_VMS", len(item.vms))
            + field("CLONING_OPS", len(item.clones))
            + field("CLONING_ID", item.cloning_id)
            + "<TARGET_SNAPSHOT>-1</TARGET_SNAPSHOT>"
            + field("DATASTORE_ID", item.datastore_id)
            + field("DATASTORE", datastore.name if datastore else "")
            + ids_xml("VMS", sorted(item.vms))
            + ids_xml("CLONES", sorted(item.clones))
            + "<APP_CLONES></APP_CLONES>"
            + item.template.xml()
            + "<SNAPSHOTS><ALLOW_ORPHANS><![CDATA[NO]]></ALLOW_ORPHANS><CURRENT_BASE><![CDATA[-1]]></CURRENT_BASE>"
            "<NEXT_SNAPSHOT><![CDATA[0]]></NEXT_SNAPSHOT></SNAPSHOTS><BACKUP_INCREMENTS></BACKUP_INCREMENTS>"
            + ("<BACKUP_DISK_IDS></BACKUP_DISK_IDS>" if like.image_backup_disks else "")
            + "</IMAGE>"
        )

    # New ones.

    def allocate(self, caller: Caller, text: str, datastore: int, no_check: bool = False) -> int:
        template = self.cloud.parse(text)
        store = self.cloud.find(Datastore, datastore)
        if store.type in (SYSTEM_DS, BACKUP_DS):
            raise OneError(
                ALLOCATE,
                "Error allocating a new image. New images can only be allocated in a files or image datastore.",
            )
        template = from_app(self.cloud, template)
        size = size_of(self.cloud, template)
        self._check_space(store, size)
        template.put("SIZE", str(size))
        if not caller.admin and "SOURCE" in template:
            text = f"User [{caller.uid}] : Template includes a restricted attribute SOURCE."
            raise OneError(AUTHORIZATION, text)
        self.cloud.authorize(caller, self.cloud.may_create(caller, "IMAGE"), Request(USE, "DATASTORE", store))
        self._check_quota(caller, caller.uid, caller.gid, datastore, size)
        return create(self.cloud, caller.uid, caller.gid, template, datastore).id

    @staticmethod
    def _check_space(store: Datastore, size: int) -> None:
        if size > store.free_mb:
            raise OneError(ACTION, "Not enough space in datastore")

    def _check_quota(self, caller: Caller, uid: int, gid: int, datastore: int, size: int) -> None:
        demand = {str(datastore): {"IMAGES": 1.0, "SIZE": float(size)}}
        quotas.check(self.cloud, uid, gid, "DATASTORE", demand, caller)

    def check_owner(self, caller: Caller, item: Image, uid: int, gid: int) -> None:
        self._check_quota(caller, uid, gid, item.datastore_id, item.size)

    def clone(self, caller: Caller, number: int, name: str, datastore: int = -1, persistent: bool = False) -> int:
        image = self.cloud.find(Image, number)
        kind = TYPES[image.type]
        if kind not in _DISKS:
            raise OneError(ACTION, self.cloud.personality.not_cloned.format(type=kind))
        store = self.cloud.find(Datastore, image.datastore_id if datastore == -1 else datastore)
        origin = self.cloud.find(Datastore, image.datastore_id)
        if IMAGE_DS not in (store.type, origin.type) or store.type != origin.type:
            raise OneError(ACTION, "Clone only supported for IMAGE_DS Datastores")
        if store.ds_mad != origin.ds_mad:
            raise OneError(ACTION, "Clone only supported to same DS_MAD Datastores")
        self._check_space(store, image.size)
        requests = [
            self.cloud.may_create(caller, "IMAGE"),
            Request(USE, "IMAGE", image),
            Request(USE, "DATASTORE", store),
        ]
        if store is not origin:
            requests.append(Request(USE, "DATASTORE", origin))
        self.cloud.authorize(caller, *requests)
        self._check_quota(caller, caller.uid, caller.gid, store.id, image.size)
        template = image.template.clone()
        lasting = persistent or bool(image.persistent)
        for key, value in (
            ("NAME", name), ("TYPE", kind), ("PATH", image.source), ("FORMAT", image.format),
            ("SIZE", str(image.size)), ("PERSISTENT", "YES" if lasting else "NO"),
        ):  # fmt: skip
            template.put(key, value)
        if image.state not in (READY, USED, CLONE):
            lead = "Error allocating a new image. "
            raise OneError(ALLOCATE, f"{lead}Cannot clone image in state: {STATE_NAMES[image.state]}")
        copy = create(self.cloud, caller.uid, caller.gid, template, store.id, cloning=number)
        image.clones.append(copy.id)
        if image.state == READY:
            go(image, CLONE if image.persistent else USED)
        self.cloud.touch(image)
        return copy.id

    # Changes.

    def delete(self, caller: Caller, number: int, force: bool = False, *_: Any) -> int:
        image = self.cloud.find(Image, number)
        if image.state in _LOCKED and not force:
            raise OneError(
                INTERNAL,
                "Image locked, use --force flag to remove the image. Force delete may leave some files on Datastore",
            )
        if force:
            image.template.put("FORCE_DELETE", "YES")
        right = ADMIN if image.state in _LOCKED else MANAGE
        self.cloud.authorize(caller, Request(right, "IMAGE", image))
        lead = "Cannot delete image. "
        if image.state in _IN_USE or (image.state == READY and image.vms):
            raise OneError(ACTION, f"{lead}There are {len(image.vms)} VMs using it.")
        if image.state == CLONE:
            raise OneError(ACTION, f"{lead}There are {len(image.clones)} active clone operations.")
        if image.source:
            go(image, DELETE)
            self.cloud.touch(image)
        else:
            self.cloud.remove(image)
        return number

    def enable(self, caller: Caller, number: int, enabled: bool) -> int:
        image = self.cloud.allowed(caller, Image, number, MANAGE)
        if enabled:
            if image.state == ERROR:
                go(image, (USED_PERS if image.persistent else USED) if image.vms else READY)
            elif image.state == DISABLED:
                go(image, READY)
            elif image.state != READY:
                raise _wrong_state(image, "enable image")
        elif image.state in (READY, ERROR):
            go(image, DISABLED)
        elif image.state != DISABLED:
            raise _wrong_state(image, "disable image")
        self.cloud.touch(image)
        return number

    def set_persistent(self, caller: Caller, number: int, persistent: bool) -> int:
        image = self.cloud.allowed(caller, Image, number, MANAGE)
        if persistent == bool(image.persistent):
            return number
        if TYPES[image.type] in FILES:
            raise OneError(ACTION, "KERNEL, RAMDISK and CONTEXT must be non-persistent")
        if image.state in (*_IN_USE, CLONE):
            raise _wrong_state(image, f"make image {'persistent' if persistent else 'non-persistent'}")
        image.persistent = int(persistent)
        self.cloud.touch(image)
        return number

    def chtype(self, caller: Caller, number: int, text: str) -> int:
        image = self.cloud.allowed(caller, Image, number, MANAGE)
        wanted, current = image_type(self.cloud, text), TYPES[image.type]
        for family in (_DISKS, FILES):
            if current in family and wanted not in family:
                raise OneError(ACTION, "Cannot change image type to an incompatible type for the current datastore.")
        if current not in (*_DISKS, *FILES):
            raise OneError(ACTION, f"Cannot change type for{current} images.")
        if text and text.upper() not in known_types(self.cloud):
            # Upstream adds the type's number to the address of the text, which shortens it.
            raise OneError(INTERNAL, "Unknown type "[image.type :])
        image.type = TYPES.index(wanted)
        self.cloud.touch(image)
        return number

    def restricted(self) -> tuple[str, ...]:
        return ("SOURCE",)

    def updated(self, item: Image) -> None:
        item.modtime = now()
