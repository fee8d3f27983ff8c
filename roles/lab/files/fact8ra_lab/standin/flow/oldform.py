# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What OneFlow of 6.x does with the text that a role adds to its VM template.

Source: src/flow/lib/models/service.rb (resolve_attributes, resolve_networks) and role.rb (deploy) of release-6.10.0.
"""

from __future__ import annotations

import re
from typing import Any

from ..template import Template
from .errors import RubyError
from .schema import Body


def _keys(text: str) -> list[str]:
    return re.findall(r"\$(\w+)", text)


def resolve_attributes(body: Body) -> None:
    """Puts the values of custom attributes and user inputs into the contents of every role. Raises RubyError."""
    common = body.get("custom_attrs_values") or {}
    for role in body["roles"]:
        values = common | (role.get("custom_attrs_values") or {})
        text = role.get("vm_template_contents")
        if text:
            for key in _keys(text):
                if key not in values:
                    continue
                if not isinstance(values[key], str):
                    raise RubyError(f"no implicit conversion of {type(values[key]).__name__} into String")
                text = text.replace(f"${key}", values[key])
            role["vm_template_contents"] = text
        for key, value in (role.get("user_inputs_values") or {}).items():
            role["vm_template_contents"] = (role.get("vm_template_contents") or "") + f'\n{key}="{_plain(value)}"'


def resolve_networks(body: Body) -> None:
    """Puts the ids of the networks into the contents of every role."""
    nets = {name: net for entry in body.get("networks_values") or [] for name, net in entry.items()}
    for role in body["roles"]:
        text = role.get("vm_template_contents")
        if text:
            for key in _keys(text):
                if key in nets:
                    text = text.replace(f"${key}", _plain(nets[key].get("id")))
            role["vm_template_contents"] = text


def _plain(value: Any) -> str:
    """A value as Ruby's to_s writes it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def appended(text: str) -> list[str]:
    """The attributes that APPEND="A,B" in the text wants kept from the VM template."""
    found = re.search(r'^\s*APPEND="?(.*?)"?\s*$', text, re.MULTILINE)
    return [name for name in found[1].split(",") if name] if found else []


def kept(template: Template, names: list[str]) -> str:
    """Attributes of a VM template as text."""
    lines = []
    for name in names:
        for value in template.get(name.upper(), []):
            if isinstance(value, dict):
                inner = ", ".join(f'{key} = "{item}"' for key, item in value.items())
                lines.append(f"{name} = [ {inner} ]")
            else:
                lines.append(f'{name} = "{value}"')
    return "\n".join(lines)
