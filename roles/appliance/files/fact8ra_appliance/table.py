# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The table of the context's variables, as tools/context_table.py writes it into table.json beside this file."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PREFIX = "ONEAPP_FLOWER_"
"""What the names of our variables begin with; one-apps' images use ONEAPP_."""
KINDS = ("superlink", "supernode")
_PLAIN = ("ask", "type", "input", "form", "options", "default", "initial", "unit", "secret")
FLAVOURS_WITH_DATA = ("sklearn", "edge")
"""Flavours of the SuperNode image whose virtual environment has scikit-learn, which the digits come with."""


@dataclass(frozen=True)
class Entry:
    """One variable of the context.

    Attributes:
        name: With the prefix, such as `ONEAPP_FLOWER_FLEET_PORT`.
        becomes: Role and option by kind of VM, such as `{"superlink": ("superlink", "superlink_fleet_port")}`.
        ask: Where a OneFlow service asks for it: service (for all VMs), role (for the VMs of its kind) or vm (nowhere).
        type: Type of the option, of Ansible's argument specs: str, int, float, bool, list or dict.
        input: Type of OpenNebula's user input, such as `text64`.
        form: Text of the form.
        options: What the form offers: words with commas between them, `least..greatest`, or a space for nothing.
        default: What the form begins with; empty for nothing.
        initial: What the VM takes where nothing is given; None for options whose roles have a default of their own.
        unit: Unit of the value, or empty.
        secret: Whether the value is never shown.
    """

    name: str
    becomes: Mapping[str, tuple[str, str]]
    ask: str
    type: str
    input: str
    form: str
    options: str
    default: str
    initial: object
    unit: str
    secret: bool

    @property
    def user_input(self) -> str:
        """OpenNebula's form `M|O|type|description|options|default`; each is optional."""
        return f"O|{self.input}|{self.form}|{self.options}|{self.default}"


@functools.cache
def table() -> Mapping[str, Entry]:
    """Every variable by its name, in the order of the forms."""
    raw = json.loads(Path(__file__).with_name("table.json").read_text(encoding="utf-8"))
    return {
        name: Entry(
            name=name,
            becomes={kind: (role, option) for kind, (role, option) in entry["becomes"].items()},
            **{key: entry[key] for key in _PLAIN},
        )
        for name, entry in raw["variables"].items()
    }


@functools.cache
def standard() -> Mapping[str, str]:
    """OpenNebula's own variables of the context that every VM template sets."""
    raw: dict[str, str] = json.loads(Path(__file__).with_name("table.json").read_text(encoding="utf-8"))["standard"]
    return raw
