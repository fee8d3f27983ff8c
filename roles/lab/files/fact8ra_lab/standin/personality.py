# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""In what the versions of OpenNebula differ that a stand-in can be: one switch a difference, no version elsewhere.

Each switch is shown by a test that cites where upstream has the difference: tests/unit/lab/test_personalities.py.
What is not named here answers as 7.4.0 does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True)
class Personality:
    """How one version answers; the defaults are 7.4.0's."""

    #: What ``one.system.version`` answers.
    version: str = "7.4.0"
    # Images.
    #: Whether images show MODTIME, and BACKUP_DISK_IDS.
    image_modtime: bool = True
    image_backup_disks: bool = True
    #: Whether there is the type FILESYSTEM.
    filesystem_images: bool = True
    #: The types of images that get a DEV_PREFIX of their own.
    images_with_prefix: tuple[str, ...] = ("OS", "DATABLOCK")
    #: The types that can be cloned, and the refusal of the others.
    images_cloned: tuple[str, ...] = ("OS", "DATABLOCK", "CDROM")
    not_cloned: str = "{type} images cannot be cloned."


LATEST: Final = Personality()
_V6_10: Final = Personality(
    version="6.10.0",
    image_modtime=False,
    filesystem_images=False,
    images_with_prefix=("OS", "DATABLOCK", "CDROM"),
    not_cloned="KERNEL, RAMDISK, BACKUP and CONTEXT cannot be cloned.",
)
_V6_8: Final = replace(_V6_10, version="6.8.0", image_backup_disks=False)
VERSIONS: Final = {known.version: known for known in (_V6_8, _V6_10, LATEST)}
