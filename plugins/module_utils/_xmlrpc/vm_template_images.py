# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""The images that are deleted with a VM template.

Private to the collection: it may change without notice.

C(one.template.delete) with its flag deletes the template first and then the images of its disks. It answers success
when an image stays, and tells only its own log (TemplateAPI.cc, before 7.0 RequestManagerDelete.cc). So the images are
looked at before, as to use, and after, as to whether they are gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotAuthorized, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_dict, as_dicts, as_int
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.image import holders_of, state_of
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import IMAGE, Objects, Raw, named
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.usage import in_use


def images_of(objects: Objects, raw: Raw) -> list[Raw]:
    """Return the images of the disks of a VM template, by id; without those that are gone already.

    Raises:
        NotAuthorized: the user may not see one of them, so that it cannot be deleted.
    """
    disks = as_dicts(as_dict(raw, "TEMPLATE"), "DISK")
    numbers = {number for disk in disks if (number := _image_id(objects, disk)) is not None}
    found = [objects.by_id(IMAGE, number) for number in sorted(numbers)]
    return [image for image in found if image is not None]


def _image_id(objects: Objects, disk: Mapping[str, Any]) -> int | None:
    """Return the id of a disk's image, found by name as OpenNebula does; None for a volatile disk.

    An image without IMAGE_UID and IMAGE_UNAME is one of the calling user (VirtualMachineDisk::get_image_id).
    """
    if as_int(disk.get("IMAGE_ID")) is not None:
        return as_int(disk["IMAGE_ID"])
    if not disk.get("IMAGE"):
        return None
    owner = disk.get("IMAGE_UID") or disk.get("IMAGE_UNAME") or objects.client.target.username
    by = "UID" if disk.get("IMAGE_UID") else "UNAME"
    same = [image for image in objects.pool(IMAGE) if image["NAME"] == disk["IMAGE"] and image.get(by) == owner]
    return int(same[0]["ID"]) if same else None


def check_free(objects: Objects, images: Iterable[Raw]) -> None:
    """See that nothing keeps images from being deleted with their template.

    Raises:
        Refused: with code C(in_use) and C(details["holders"]), when an image is in use.
    """
    for image in images:
        holders = holders_of(objects, image)
        if holders:
            advice = "Neither it nor the VM template was deleted. Remove these first, or leave delete_images out."
            raise in_use(objects, IMAGE, image, "be deleted with the VM template", holders, advice)


def check_gone(objects: Objects, images: Iterable[Raw], template: str) -> None:
    """See that images went with their template, or are going.

    Args:
        objects: the endpoint.
        images: as they were before.
        template: the template in messages.

    Raises:
        Refused: with code C(not_applied), when one stayed.
    """
    left = [image for image in images if not _is_gone(objects, image)]
    if left:
        kept = ", ".join(named(IMAGE, image) for image in left)
        raise Refused(
            f"{objects.client.endpoint}: {template} was deleted, but OpenNebula kept {kept}. "
            f"User {objects.client.target.username!r} may lack the right to manage them; the log of oned says why. "
            "Delete them with module image, as a user who may.",
            code="not_applied",
            details={"endpoint": objects.client.endpoint, "images": [int(image["ID"]) for image in left]},
        )


def _is_gone(objects: Objects, image: Raw) -> bool:
    try:
        seen = objects.by_id(IMAGE, int(image["ID"]))
    except NotAuthorized:
        return False
    return seen is None or state_of(seen) == "DELETE"
