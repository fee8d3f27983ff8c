# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""What an image is made of, and whether an image that exists still fits that.

Private to the collection: it may change without notice.

What oned takes from where is in src/image/Image.cc and src/rm/api/ImageAPI.cc: a file's size and format are found out
by the datastore's driver, an app's come from its marketplace, and only an empty image is of the size that is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, NotFound
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.market import app_template, find_app
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import IMAGE, Kind, Objects, Raw, is_id

DATASTORE = Kind("datastore", "datastore", "datastorepool", "DATASTORE", filtered=False)

FILES = frozenset({"KERNEL", "RAMDISK", "CONTEXT"})
"""Types of images that are files: they live in a files datastore and cannot be persistent."""
BARE = FILES | {"FILESYSTEM"}
"""Types of images that have no device prefix; a CDROM has none at first from 7.2 on, but may get one."""
EMPTY = frozenset({"OS", "DATABLOCK", "FILESYSTEM"})
"""Types of images that can be made without a file."""
ORIGINS = ("path", "url", "app", "clone_of", "size")

# include/Datastore.h
IMAGE_DATASTORE = 0
FILES_DATASTORE = 2
ENABLED = 0


@dataclass(frozen=True)
class Source:
    """What to make an image of.

    Attributes:
        datastore: id of the datastore; -1 for that of the image that is cloned.
        clone_of: id of the image to clone, its name in check mode when an earlier task would make it, or None.
        template: attributes that say where the content comes from.
    """

    datastore: int
    clone_of: int | str | None = None
    template: dict[str, Any] = field(default_factory=dict)


def check(params: Mapping[str, Any]) -> None:
    """See that the options of module image fit each other.

    Raises:
        InvalidInput: a path or URL that is none, or an option that the type of image has not.
    """
    path, url, size, kind = params["path"], params["url"], params["size"], params["type"]
    if path is not None and not path.startswith("/"):
        raise _invalid("path", path, "an absolute path on the front-end, such as /var/tmp/debian.qcow2 (or use url)")
    if url is not None and not re.match(r"https?://[^/\s]+", url):
        raise _invalid("url", url, "an address that begins with http:// or https://")
    if size is not None and size < 1:
        raise _invalid("size", size, "a number of MB, 1 at least")
    if size is not None and kind is not None and kind not in EMPTY:
        raise _invalid("type", kind, f"one of {', '.join(sorted(EMPTY))} for an empty image, or path or url be given")
    if kind in FILES and params["persistent"]:
        raise _invalid("persistent", True, f"false, since an image of type {kind} cannot be persistent")
    if kind in BARE and params["dev_prefix"] is not None:
        raise _invalid("dev_prefix", params["dev_prefix"], f"left out, since an image of type {kind} has none")


def source_of(objects: Objects, params: Mapping[str, Any], promise: Callable[[str], None] | None) -> Source:
    """Return what a new image is to be made of, with names resolved.

    Raises:
        InvalidInput: there is nothing to make it of.
        NotFound, Ambiguous, Refused: an app, image or datastore that cannot be used.
    """
    if all(params[option] is None for option in ORIGINS):
        raise InvalidInput(
            f"path, url, app, clone_of or size is needed to create image {params['name']!r}.",
            details={"option": "path"},
        )
    reference = params["clone_of"]
    if reference is not None:
        datastore = -1 if params["datastore"] is None else objects.referred(DATASTORE, params["datastore"], "datastore")
        return Source(datastore, objects.promised(IMAGE, reference, "clone_of", promise))
    template: dict[str, Any] = {}
    if params["app"] is not None:
        app = find_app(objects, params["app"], params["marketplace"])
        template = {**app_template(app), "FROM_APP": app["ID"]}
    elif params["size"] is not None:
        template = {"TYPE": "DATABLOCK", "SIZE": params["size"], "FS": params["fs"], "FORMAT": params["format"]}
    else:
        template = {"PATH": params["path"] or params["url"]}
    kind = params["type"] or str(template.get("TYPE") or "").upper()
    return Source(_datastore(objects, params["datastore"], kind), None, template)


def _datastore(objects: Objects, reference: str | None, kind: str) -> int:
    """Return the datastore of a new image: the given one, otherwise the first enabled one that is for its type."""
    if reference is not None:
        return objects.referred(DATASTORE, reference, "datastore")
    purpose, word = (FILES_DATASTORE, "files") if kind in FILES else (IMAGE_DATASTORE, "image")
    for raw in objects.pool(DATASTORE):
        if as_int(raw.get("TYPE")) == purpose and (as_int(raw.get("STATE")) or 0) == ENABLED:
            return int(raw["ID"])
    raise NotFound(
        f"{objects.client.endpoint}: user {objects.client.target.username!r} may use no {word} datastore; "
        "give datastore, or have the right to use one.",
        details={"endpoint": objects.client.endpoint, "option": "datastore"},
    )


def drift(raw: Raw, params: Mapping[str, Any]) -> list[str]:
    """Return in which of the given options an image differs that OpenNebula cannot change, as parts of a sentence.

    Names are compared with the names that the image carries, so that nothing has to be asked. What an image was cloned
    from is not kept by the server.
    """
    template = as_dict(raw, "TEMPLATE")
    has = {
        "path": raw.get("PATH"),
        "url": raw.get("PATH"),
        "app": template.get("FROM_APP" if is_id(params["app"]) else "FROM_APP_NAME"),
        "datastore": raw.get("DATASTORE_ID" if is_id(params["datastore"]) else "DATASTORE"),
        "size": raw.get("SIZE"),
        "fs": raw.get("FS"),
        "format": raw.get("FORMAT"),
    }
    return [
        f"{option} is {value or None!r} and not {params[option]!r}"
        for option, value in has.items()
        if params[option] is not None and str(value or "").lower() != str(params[option]).lower()
    ]


def _invalid(option: str, value: object, right: str) -> InvalidInput:
    return InvalidInput(f"{option} is {value!r}; it has to be {right}.", details={"option": option})
