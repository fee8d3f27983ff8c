# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One row of the judgement, and reading what may be anything. Private to this collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

OK = "ok"
WARNING = "warning"
FAILED = "FAILED"
UNCHECKED = "not checked"
GUIDE = "docs/gpu.md"
NVIDIA = {"vendor": "10de", "class": "03"}

Row = dict[str, str]
_LONGEST = 400


def text(value: object) -> str:
    """A value as one line. Hosts may be in foreign hands: no character of theirs moves the cursor or ends a line."""
    line = " ".join("".join(each if each.isprintable() else " " for each in str(value)).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def row(layer: str, host: str, check: str, result: str, found: object = "", cure: object = "") -> Row:
    """Return one row."""
    cells = {"layer": layer, "host": host, "check": check, "result": result, "found": found, "cure": cure}
    return {key: text(value) for key, value in cells.items()}


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The mappings in a list, and none if it is no list."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list | tuple) else []


def values(value: object) -> list[str]:
    """The values in a list as texts, and none if it is no list."""
    return [str(each) for each in value] if isinstance(value, list | tuple) else []


def integer(value: object) -> int:
    """The value as an integer of at least 0; 0 for what is none."""
    try:
        return max(0, int(str(value)))
    except ValueError:
        return 0


def problems(layer: str, host: str, told: object, check: str = "") -> list[Row]:
    """A row for each problem {code, message, cure}; one whose kind is `warning` is a warning, all others FAILED."""
    return [
        row(
            layer,
            host,
            check or str(each.get("code", "problem")).replace("_", " "),
            WARNING if each.get("kind") == "warning" else FAILED,
            each.get("message", ""),
            each.get("cure", ""),
        )
        for each in mappings(told)
    ]


def fits(device: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether a PCI device is one that is asked for: vendor, device and the beginning of the class, where both tell."""
    for key in ("vendor", "device", "class"):
        asked, has = (str(each.get(key, "") or "").lower() for each in (wanted, device))
        if asked and has and not has.startswith(asked):
            return False
    return True


def count(number: int, what: str) -> str:
    """Such as `1 GPU` and `2 GPUs`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def listed(values: Iterable[object]) -> str:
    """Values as one text, each once, in their order; `2 x NVIDIA L40S` for equal ones."""
    every = [text(value) for value in values]
    return ", ".join(
        name if every.count(name) == 1 else f"{every.count(name)} x {name}" for name in dict.fromkeys(every)
    )
