# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Which SuperNodes are online, one JSON line for each change: ``{"online": [name]}`` or ``{"error": text}``.

Run by the Python of Flower's environment, as only there are the classes that speak with a SuperLink. One process asks
again and again over one connection: a process for each question would cost a second of CPU.
"""

from __future__ import annotations

import json
import time

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Control
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure

ADDRESS = "127.0.0.1:8000"
TRUST = "/etc/flower/trust.crt"
#: Seconds between two questions.
PERIOD = 2.0


def look(control: Control) -> dict[str, object]:
    """One answer."""
    try:
        return {"online": sorted(node.name for node in control.nodes() if node.status == "online")}
    except FlowerFailure as failure:
        return {"error": str(failure)}


def main() -> None:
    """Say what changes, for as long as somebody reads."""
    control: Control | None = None
    said: dict[str, object] = {}
    while True:
        try:
            # A SuperLink that got another authority needs another client.
            control = control or Control(ADDRESS, TRUST, 5.0)
            found = look(control)
        except FlowerFailure as failure:
            found = {"error": str(failure)}
        if "error" in found:
            control = None
        if found != said:
            said = found
            try:
                print(json.dumps(found), flush=True)
            except BrokenPipeError:
                return
        time.sleep(PERIOD)


if __name__ == "__main__":
    main()
