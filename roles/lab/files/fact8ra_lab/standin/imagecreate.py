# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A new image from a path, a source, an address, a marketplace app or another image.

Source: ImageAPI.cc (allocate, clone), Image.cc (insert), ImagePool.cc (allocate) of oned, release-7.4.0. The size of a
path is what the template says, else 1024 MB, which is what the dummy datastore answers for any.
"""

from __future__ import annotations

from typing import Final

from .cloud import Cloud, now
from .errors import ALLOCATE, INTERNAL, OneError
from .imagelife import LOCKED
from .model import Datastore, Image, MarketApp
from .template import Template

TYPES: Final = ("OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT", "BACKUP", "FILESYSTEM")
FILES: Final = ("KERNEL", "RAMDISK", "CONTEXT")
_LEAD: Final = "Error allocating a new image. "
_OWN: Final = ("NAME", "TYPE", "PERSISTENT", "SIZE", "FS", "DRIVER", "PATH", "SOURCE", "FORMAT", "TM_MAD")
SYSTEM_DS, IMAGE_DS, FILE_DS, BACKUP_DS = 1, 0, 2, 3
_DEFAULT_SIZE: Final = 1024


def _refuse(text: str) -> OneError:
    return OneError(ALLOCATE, _LEAD + text)


def from_app(cloud: Cloud, template: Template) -> Template:
    """The template completed from the app that FROM_APP names, if it names one. Raises OneError."""
    number = template.integer("FROM_APP")
    if number is None:
        return template
    app = cloud.pool(MarketApp).get(number)
    if app is None:
        raise OneError(INTERNAL, "Cannot determine image SIZE.")
    result = template.clone()
    for name, value in (
        ("FROM_APP_NAME", app.name),
        ("PATH", app.source),
        ("FORMAT", app.format),
        ("FROM_APP_MD5", app.md5),
        ("SIZE", str(app.size)),
    ):
        result.put(name, value)
    return result


def known_types(cloud: Cloud) -> tuple[str, ...]:
    """The types of this version."""
    return TYPES if cloud.personality.filesystem_images else TYPES[:-1]


def image_type(cloud: Cloud, text: str) -> str:
    """The type that oned reads, which takes what it does not know for OS."""
    kind = text.upper() or "OS"
    return kind if kind in known_types(cloud) else "OS"


def size_of(cloud: Cloud, template: Template) -> int:
    """Megabytes, as the datastore would find out. Raises OneError."""
    lead = "Cannot parse image SIZE: "
    kind = image_type(cloud, template.text("TYPE"))
    path, source, given = template.text("PATH"), template.text("SOURCE"), template.integer("SIZE")
    if "FROM_APP" in template:
        return given or 0
    if kind in ("CDROM", *FILES) and not path and not source:
        raise OneError(INTERNAL, f"{lead}Either PATH or SOURCE are required for {template.text('TYPE')}")
    if (source or not path) and given is None:
        raise OneError(INTERNAL, f"{lead}Wrong number or missing SIZE attribute.")
    return _DEFAULT_SIZE if given is None else given


def _check_store(kind: str, store: Datastore) -> None:
    if kind in FILES and store.type != FILE_DS:
        raise _refuse("IMAGES of type KERNEL, RAMDISK and CONTEXT cannot be registered in an IMAGE_DS datastore")
    if kind == "BACKUP":
        raise _refuse("IMAGES of type BACKUP can only be registered in an BACKUP_DS datastore")
    if kind not in FILES and store.type != IMAGE_DS:
        raise _refuse("Only IMAGES of type KERNEL, RAMDISK and CONTEXT can be registered in a FILE_DS datastore")


def _content(kind: str, template: Template) -> tuple[str, str, str]:
    """PATH, SOURCE and FORMAT as the new image has them. Raises OneError."""
    path, source, form = (template.text(key) for key in ("PATH", "SOURCE", "FORMAT"))
    if source:
        if path:
            raise _refuse("PATH and SOURCE cannot be both set.")
        if not form:
            raise _refuse("SOURCE needs FORMAT to be set.")
        return "", source, form
    if path:
        return path, "", ""
    if kind in ("OS", "DATABLOCK"):
        return "", "", form or "raw"
    if kind == "FILESYSTEM":
        return "", "", "dir"
    raise _refuse("No PATH nor SOURCE in template.")


def create(cloud: Cloud, uid: int, gid: int, template: Template, datastore: int, cloning: int = -1) -> Image:
    """A new image in state LOCKED, to be watched. Raises OneError with oned's text."""
    template = template.clone()
    name, kind_text = template.text("NAME"), template.text("TYPE")
    try:
        cloud.check_name(Image, name, uid, unique=False)
        _check_store(image_type(cloud, kind_text), cloud.find(Datastore, datastore))
        cloud.check_name(Image, name, uid)
    except OneError as error:
        raise error if error.text.startswith(_LEAD) else _refuse(error.text) from error
    kind = kind_text.upper() or "OS"
    if kind not in known_types(cloud):
        raise _refuse("Unknown type ")
    if cloning == -1:
        path, source, form = _content(kind, template)
    else:
        path, source, form = template.text("PATH"), "", template.text("FORMAT")
    lasting = kind in ("OS", "DATABLOCK", "FILESYSTEM") and template.text("PERSISTENT").upper() == "YES"
    size, fs = template.integer("SIZE") or 0, template.text("FS")
    for key in _OWN:
        template.pop(key, None)
    if kind in cloud.personality.images_with_prefix:
        template.setdefault("DEV_PREFIX", ["hd" if kind == "CDROM" else "sd"])
    else:
        template.pop("DEV_PREFIX", None)
    image = Image(cloud.new_id("IMAGE"), name, uid, gid, template=template, path=path, size=size, source=source)
    image.format, image.state, image.prev_state = form, LOCKED, 0
    image.type, image.persistent, image.datastore_id = TYPES.index(kind), int(lasting), datastore
    image.regtime = image.modtime = now()
    image.cloning_id, image.fs = cloning, fs
    return cloud.insert(image)
