# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What only administrators may set in a VM template: VM_RESTRICTED_ATTR of share/etc/oned.conf.

Source: Template::check_restricted (src/template/Template.cc) of 7.4.0. A name without a part, such as PCI, is looked up
among simple attributes alone, so that the vector PCI is refused to nobody; tests/contract has a tenant's.
"""

from __future__ import annotations

from typing import Final

from .template import Template

_RATES: Final = ("INBOUND_AVG_BW", "INBOUND_PEAK_BW", "INBOUND_PEAK_KB", "OUTBOUND_AVG_BW", "OUTBOUND_PEAK_BW",
                 "OUTBOUND_PEAK_KB")  # fmt: skip
_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "CONTEXT": ("FILES",),
    "DISK": (
        *(
            f"{what}_{unit}{end}"
            for unit in ("BYTES_SEC", "IOPS_SEC")
            for what in ("TOTAL", "READ", "WRITE")
            for end in ("", "_MAX_LENGTH", "_MAX")
        ),
        "SIZE_IOPS_SEC", "OPENNEBULA_MANAGED", "ORIGINAL_SIZE", "SIZE_PREV",
    ),
    "NIC": ("MAC", "VLAN_ID", "BRIDGE", "FILTER", "FILTER_IP_SPOOFING", "FILTER_MAC_SPOOFING", *_RATES,
            "OPENNEBULA_MANAGED", "EXTERNAL", "VLAN_TAGGED_ID"),
    "NIC_ALIAS": ("MAC", "VLAN_ID", "BRIDGE", *_RATES, "OPENNEBULA_MANAGED"),
    "NIC_DEFAULT": ("MAC", "VLAN_ID", "BRIDGE", "FILTER", "EXTERNAL"),
    "RAW": ("DATA",),
    "TOPOLOGY": ("PIN_POLICY", "HUGEPAGE_SIZE"),
    "USER_INPUTS": ("CPU", "MEMORY", "VCPU"),
}  # fmt: skip
_WHOLE: Final = ("DEPLOY_ID", "CPU_COST", "MEMORY_COST", "DISK_COST", "PCI", "EMULATOR", "USER_PRIORITY")


def _values(template: Template, name: str) -> list[str]:
    return sorted(
        f"{part}={vector[part]}" for vector in template.vectors(name) for part in _PARTS[name] if part in vector
    )


def first(template: Template) -> str:
    """The first restricted attribute of a new template, as oned names it; empty where there is none."""
    for name in sorted((*_PARTS, *_WHOLE)):
        if name in _PARTS:
            found = [part for vector in template.vectors(name) for part in sorted(_PARTS[name]) if part in vector]
            if found:
                return found[0]
        elif any(isinstance(value, str) for value in template.get(name, [])):
            return name
    return ""


def changed(new: Template, base: Template, append: bool) -> str:
    """The first restricted attribute that differs, as oned names it; empty where none does.

    Attributes that stand alone and are left out are taken over from the base.
    """
    for name in sorted((*_PARTS, *_WHOLE)):
        if name in _PARTS:
            there = bool(new.vectors(name)) or (not append and bool(base.vectors(name)))
            if there and _values(new, name) != _values(base, name):
                return name
        elif any(isinstance(value, str) for value in new.get(name, [])):
            if new.text(name) != base.text(name):
                return name
        elif base.text(name):
            new.add(name, base.text(name))
    return ""
