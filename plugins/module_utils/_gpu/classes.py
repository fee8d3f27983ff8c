# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which devices a host lives on, by PCI class; private to the collection.

Source of the classes: the list of classes in pci.ids of the PCI SIG.
"""

from __future__ import annotations

HOST = {
    "01": "storage controller",
    "02": "network controller",
    "0c04": "Fibre Channel adapter",
    "0c06": "InfiniBand adapter",
    "06": "bridge",
}
"""What no GPU is, and what a host may be lost without."""

SIBLINGS = {**HOST, "03": "display controller", "0c03": "USB controller", "0805": "SD card controller"}
"""What is not taken from the host only since it shares a group with a card."""

CARD = ("03", "04", "0c03", "0c80")
"""What the functions of a card are: display, audio, USB, and the controller of its USB-C connector."""


def host_word(cls: str, vendor: str) -> str:
    """Return what a device is that the host lives on, or nothing; NVIDIA's NVSwitches are "other bridges" (0680)."""
    return "" if vendor == "10de" and cls.startswith("0680") else _word(HOST, cls)


def sibling_word(cls: str, vendor: str) -> str:
    """Return what a device is that is not taken along with a card, or nothing."""
    return "" if vendor == "10de" and cls.startswith("0680") else _word(SIBLINGS, cls)


def of_card(cls: str) -> bool:
    """Whether a card has functions of this class."""
    return cls.startswith(CARD)


def _word(words: dict[str, str], cls: str) -> str:
    return next((word for prefix, word in words.items() if cls.startswith(prefix)), "")
