# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which cards can be split into instances (MIG); private to the collection.

Source of the products: NVIDIA Multi-Instance GPU User Guide, "Supported GPUs". Source of the device ids: pci.ids.
"""

from __future__ import annotations

CAPABLE = frozenset(
    {
        # A100 (40, 64 and 80 GB, SXM4 and PCIe) and its A800
        *("20b0", "20b1", "20b2", "20b3", "20b5", "20bd", "20f1", "20f3", "20f5", "20f6"),
        # A30
        "20b7",
        # H100 (SXM5, PCIe, NVL), H800, H20
        *("2321", "2322", "2324", "2329", "2330", "2331", "2336", "2339", "233a"),
        # H200 (SXM5, NVL), H100 on GH200
        *("2335", "233b", "2342", "2345", "2348"),
        # B200, GB200
        *("2901", "2941"),
        # RTX PRO 6000 Blackwell (Workstation, Max-Q, Server Edition), RTX PRO 5000 Blackwell
        *("2bb1", "2bb4", "2bb5", "2bb3"),
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
