# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Names of PCI devices from the distribution's list; private to the collection."""

from __future__ import annotations

import re

from ansible_collections.fact8ra.flower.plugins.module_utils._gpu._tree import Tree

LISTS = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids")
"""Debian and SUSE, RHEL family, others."""


def find(tree: Tree, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the names of C((vendor, device)) as far as there is a list that has them."""
    found: dict[tuple[str, str], str] = {}
    if not wanted:
        return found
    text = next(filter(None, (tree.text(path) for path in LISTS)), "")
    vendor = maker = ""
    for line in text.splitlines():
        # a vendor begins the line, a device stands after one tab, subsystems after two
        entry = re.match(r"(\t?)([0-9a-f]{4})  (.+)", line)
        if entry is None:
            continue
        tab, number, name = entry.groups()
        if not tab:
            vendor, maker = number, name
        elif (vendor, number) in wanted:
            found[vendor, number] = f"{maker} {name}".strip()
    return found
