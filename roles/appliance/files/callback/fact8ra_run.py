# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What module flower_run tells while the role run follows a run: lines of JSON in the file FACT8RA_PROGRESS."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: fact8ra_run
type: notification
short_description: Rounds of a run, while it goes on
description: For the appliance, which tells them to OneGate.
"""

_MODULES = frozenset({"fact8ra.flower.flower_run", "flower_run"})
_KEYS = ("run_id", "label", "status", "rounds", "rounds_total", "metrics", "failures")


def line(result: Mapping[str, Any]) -> str:
    """What is told of a result of flower_run, failed ones too; empty where it knows of no run."""
    known = result if result.get("run_id") else result.get("failure", {}).get("details", {}).get("run", {})
    return json.dumps({key: known.get(key) for key in _KEYS}) if known.get("run_id") else ""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Writes; nothing of it reaches the display."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "fact8ra_run"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        """A look at the run, or its end."""
        self._tell(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """A round."""
        self._tell(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A run that is stuck or has failed."""
        self._tell(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """The same in the loop over the rounds."""
        self._tell(result)

    @staticmethod
    def _tell(result: Any) -> None:
        path = os.environ.get("FACT8RA_PROGRESS")
        text = line(result._result) if path and result._task.action in _MODULES else ""
        if path and text:
            with open(path, "a", encoding="utf-8") as stream:
                stream.write(text + "\n")
