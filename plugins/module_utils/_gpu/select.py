# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Which devices are meant: by vendor, device, class and address, as in OpenNebula's PCI filters.

Private to the collection: it may change without notice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput

DEFAULT: list[dict[str, str]] = [{"vendor": "10de", "class": "03"}]
"""NVIDIA's display controllers: VGA (0300), 3D (0302) and other (0380)."""

FORMS = {
    "vendor": (r"[0-9a-f]{4}", 'four hexadecimal digits such as "10de"'),
    "device": (r"[0-9a-f]{4}", 'four hexadecimal digits such as "20b0"'),
    "class": (r"([0-9a-f]{2}){1,3}", 'two, four or six hexadecimal digits such as "03" or "0302"'),
    "address": (
        r"([0-9a-f]{4,8}:)?[0-9a-f]{2}:[01][0-9a-f]\.[0-7]",
        'an address as lspci prints it, such as "0000:41:00.0"',
    ),
}


def parse(devices: Sequence[Mapping[str, Any]] | None) -> list[dict[str, str]]:
    """Return C(devices) in lower case, without what is empty, addresses with their domain.

    Raises:
        InvalidInput: a value has not the form it needs, or an entry would mean every device.
    """
    if devices is None:
        return [dict(one) for one in DEFAULT]
    if not devices:
        raise InvalidInput(
            f"devices is []; name at least one kind of device, such as {DEFAULT[0]}.", details=_about([])
        )
    return [_one(number, device) for number, device in enumerate(devices)]


def _one(number: int, device: Mapping[str, Any]) -> dict[str, str]:
    given: dict[str, str] = {}
    for key, (form, right) in FORMS.items():
        raw = device.get(key)
        text = "" if raw is None else str(raw).strip().lower()
        if not text:
            continue
        if not re.fullmatch(form, text):
            raise InvalidInput(
                f"devices[{number}].{key} is {raw!r}; it must be {right}, quoted so that YAML makes no number of it.",
                details=_about(raw, f"[{number}].{key}"),
            )
        given[key] = f"0000:{text}" if key == "address" and text.count(":") == 1 else text
    if not given:
        said = {key: value for key, value in device.items() if value is not None}
        raise InvalidInput(
            f"devices[{number}] is {said!r}, which would mean every PCI device; give it at least one of "
            f"{', '.join(FORMS)}.",
            details=_about(said, f"[{number}]"),
        )
    return given


def _about(value: Any, where: str = "") -> dict[str, Any]:
    return {"option": f"devices{where}", "value": value}


def matches(devices: Sequence[Mapping[str, str]], facts: Mapping[str, str]) -> bool:
    """Whether a device with these C(vendor), C(device), C(class) and C(address) is one of those that are meant."""
    return any(
        all(facts[key].startswith(text) if key == "class" else facts[key] == text for key, text in one.items())
        for one in devices
    )
