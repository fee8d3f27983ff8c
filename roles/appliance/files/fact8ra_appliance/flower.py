# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the journals of Flower's services say, by the words that the role flower knows."""

from __future__ import annotations

import importlib.util
from typing import Any, Final

from .apply import COLLECTION

UNITS: Final = ("flower-supernode.service", "flower-superexec-client.service")


def why_offline(units: tuple[str, ...] = UNITS, tell: Any = None) -> str:
    """Why a SuperNode is not online, one sentence.

    Args:
        units: those that are asked, in the order in which they need each other.
        tell: the role's ready.py, or what answers like it.
    """
    ready = tell or _ready()
    for unit in units:
        lines = ready.journal(unit)
        meaning, _final = ready.cause(lines)
        if meaning:
            return f"{unit}: {meaning}"
    state = ready.systemd(units[0]).get("ActiveState", "unknown")
    last = next((line.strip() for line in reversed(ready.journal(units[0]))), "nothing")
    return f"{units[0]} is {state} and said last: {last[:300]}"


def _ready() -> Any:
    path = COLLECTION / "roles" / "flower" / "files" / "ready.py"
    spec = importlib.util.spec_from_file_location("fact8ra_flower_ready", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
