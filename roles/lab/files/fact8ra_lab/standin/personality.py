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
    # Networks.
    #: Whether networks show the id of their template.
    net_template_id: bool = True
    #: Whether an update must name the driver, else the network loses it.
    net_update_needs_driver: bool = True
    #: Whether any text is taken for BRIDGE_TYPE.
    any_bridge_type: bool = False
    #: Whether ranges have SHARED and NEXT_INDEX.
    ranges_shared: bool = True
    #: The refusal of a MAC that is none.
    wrong_mac: str = "Wrong format for MAC attribute: {mac}"
    #: Whether the owner of a network that comes from a template may add and remove ranges.
    template_owner_ranges: bool = True
    #: What only administrators may set in a network and in a range (VNET_RESTRICTED_ATTR of share/etc/oned.conf).
    restricted_net: tuple[str, ...] = (
        "VN_MAD", "PHYDEV", "QINQ_TYPE", "BRIDGE", "CONF", "BRIDGE_CONF", "OVS_BRIDGE_CONF", "IP_LINK_CONF", "FILTER",
        "FILTER_IP_SPOOFING", "FILTER_MAC_SPOOFING", "CLUSTER_IDS", "EXTERNAL",
    )  # fmt: skip
    restricted_range: tuple[str, ...] = (
        "VN_MAD", "PHYDEV", "BRIDGE", "FILTER", "FILTER_IP_SPOOFING", "FILTER_MAC_SPOOFING",
    )  # fmt: skip
    #: Whether a change of these in a range is refused, else it is dropped (in reservations) or taken (in others).
    restricted_range_refused: bool = True
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
    net_template_id=False,
    net_update_needs_driver=False,
    any_bridge_type=True,
    ranges_shared=False,
    wrong_mac="Wrong format for MAC attribute",
    template_owner_ranges=False,
    restricted_net=(*LATEST.restricted_net, "VLAN_ID", "CVLANS"),
    restricted_range=(*LATEST.restricted_range, "VLAN_ID"),
    restricted_range_refused=False,
    image_modtime=False,
    filesystem_images=False,
    images_with_prefix=("OS", "DATABLOCK", "CDROM"),
    not_cloned="KERNEL, RAMDISK, BACKUP and CONTEXT cannot be cloned.",
)
_V6_8: Final = replace(_V6_10, version="6.8.0", image_backup_disks=False)
VERSIONS: Final = {known.version: known for known in (_V6_8, _V6_10, LATEST)}
