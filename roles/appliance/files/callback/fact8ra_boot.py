# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What Ansible prints while an appliance configures itself: what changed, what took long, and why it failed.

The failure is also written to the file FACT8RA_FAILURE as JSON: task, role and message, which is the task's own.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: fact8ra_boot
type: stdout
short_description: What changed, what took long and why it failed
description: For the journal of an appliance.
"""

#: Seconds from which a task's time is told.
_LONG = 1.0


def message(result: dict[str, Any]) -> str:
    """The sentence of a failed task: its msg, of a loop that of its first failed item, else what a command said."""
    failed = [item for item in result.get("results", []) if isinstance(item, dict) and item.get("failed")]
    if failed:
        return message(failed[0])
    found = result.get("msg")
    text = "\n".join(str(line) for line in found) if isinstance(found, list) else str(found or "")
    said = str(result.get("stderr") or result.get("module_stderr") or "").strip()
    # All that Ansible has to say of a command or a module that ended badly.
    if said and (not text or text.startswith(("non-zero return code", "MODULE FAILURE", "Task failed: Module failed"))):
        text = said
    return text.strip() or "the task failed and gave no reason"


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Prints for the journal; every line is one sentence."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "fact8ra_boot"

    def __init__(self) -> None:
        super().__init__()
        self._begun = time.monotonic()
        self._task = time.monotonic()
        self._times: list[tuple[float, str]] = []

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Begin to measure."""
        self._task = time.monotonic()

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Begin to measure."""
        self._task = time.monotonic()

    def v2_runner_on_ok(self, result: Any) -> None:
        """Tell a change."""
        name = self._measured(result)
        if result._result.get("changed"):
            self._display.display(f"changed: {name}")
        elif self._verbose(result):
            self._display.display(f"{name}: {message(result._result)}")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Tell the failure, and write it down."""
        name = self._measured(result)
        if ignore_errors:
            return
        text = message(result._result)
        self._display.display(f"failed: {name}: {text}")
        path = os.environ.get("FACT8RA_FAILURE")
        if path:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
                json.dump({"task": result._task.get_name(), "message": text}, stream)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A local connection that cannot run a thing."""
        self.v2_runner_on_failed(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Tell how long it took, and where."""
        total = time.monotonic() - self._begun
        slow = [f"{name} {seconds:.1f} s" for seconds, name in sorted(self._times, reverse=True) if seconds >= _LONG]
        self._display.display(f"{len(self._times)} tasks in {total:.1f} s{': ' if slow else ''}{', '.join(slow)}")

    def _measured(self, result: Any) -> str:
        name = str(result._task.get_name())
        self._times.append((time.monotonic() - self._task, name))
        return name

    @staticmethod
    def _verbose(result: Any) -> bool:
        return result._task.action == "ansible.builtin.debug" and "msg" in result._result
