# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Entries C(vendor:device:class) that take PCI devices, as hosts of OpenNebula and pci.conf have them.

Private to the collection: it may change without notice.
"""

from __future__ import annotations


def canonical(entry: str) -> str:
    """Return an entry with its three fields, of which an empty one is any: C(10de:*) is C(10de:*:*)."""
    fields = [field.strip() or "*" for field in entry.split(":")][:3]
    return ":".join([*fields, "*", "*"][:3])


def takes(entry: str, other: str) -> bool:
    """Whether an entry takes all devices that another one does; ids are compared as text, as oned does."""
    pairs = zip(canonical(entry).split(":"), canonical(other).split(":"), strict=True)
    return all(one in ("*", two) for one, two in pairs)
