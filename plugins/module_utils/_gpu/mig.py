# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which cards can be split into instances (MIG); private to the collection.

Source of the products: NVIDIA Multi-Instance GPU User Guide, "Supported GPUs"
(docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-gpus.html). Source of the device ids: pci.ids of 2025-06.
"""

from __future__ import annotations

CAPABLE = frozenset(
    {
        *("20b0", "20b1", "20f1"),  # A100 40 GB: SXM4, PCIe
        *("20b2", "20b5"),  # A100 80 GB: SXM4, PCIe
        "20b7",  # A30
        *("2330", "2331"),  # H100 80 GB: SXM5, PCIe
        *("2339", "2321"),  # H100 94 GB: SXM5, PCIe (NVL)
        "2342",  # H100 on GH200
        "2329",  # H20
        *("2335", "233b"),  # H200: SXM5, NVL
        *("2901", "2941"),  # B200, GB200
        *("2bb1", "2bb4", "2bb5", "2bb3"),  # RTX PRO 6000 Blackwell (Workstation, Max-Q, Server Edition), 5000
    }
)

WITHOUT = ((0x0000, 0x207F), (0x2180, 0x22FF), (0x2400, 0x28FF))
"""Device ids of what came before Ampere, of GA102 to GA107 and of Ada, none of which the guide lists."""


def capable(vendor: str, device: str) -> bool | None:
    """Whether a card can be split; None where this is not known."""
    if vendor != "10de":
        return False if vendor else None
    if device in CAPABLE:
        return True
    if device and any(low <= int(device, 16) <= high for low, high in WITHOUT):
        return False
    return None
