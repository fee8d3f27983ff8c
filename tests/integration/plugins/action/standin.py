# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Action ``standin`` of the generated playbooks: sets faults, calls as oneadmin, and returns the calls since last time.

Runs on the controller, so it costs no Python of its own, as module ``uri`` would.
"""

from __future__ import annotations

import base64
import json
import urllib.request
import xmlrpc.client
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

READING = ("info", "infoextended", "version")


class ActionModule(ActionBase):  # type: ignore[misc]
    """Arguments: C(endpoint), C(flow_endpoint), C(username) and C(password) of oneadmin; C(faults) and C(calls)."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do what the arguments say, after reading and forgetting the calls so far.

        Raises:
            AnsibleActionFail: the stand-in refuses a call.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        # Plain values: xmlrpc.client takes no subclass of int, such as Ansible's of what a template made.
        args = json.loads(json.dumps(self._task.args))
        made = self._ask(args, "GET", "calls")
        self._ask(args, "DELETE", "faults")
        if args.get("faults"):
            self._ask(args, "POST", "faults", args["faults"])
        with xmlrpc.client.ServerProxy(args["endpoint"]) as proxy:
            for method, *params in args.get("calls") or []:
                answer: Any = getattr(proxy, method)(f"{args['username']}:{args['password']}", *params)
                if not answer[0]:
                    raise AnsibleActionFail(f"{method}: {answer[1]}")
        self._ask(args, "DELETE", "calls")
        calls = [what.removeprefix("one.") for _api, what in made]
        writes = [call for call in calls if not call.startswith("GET ") and call.rpartition(".")[2] not in READING]
        return {**result, "changed": False, "calls": calls, "writes": writes}

    @staticmethod
    def _ask(args: dict[str, Any], verb: str, what: str, body: Any = None) -> Any:
        token = base64.b64encode(f"{args['username']}:{args['password']}".encode()).decode("ascii")
        request = urllib.request.Request(
            f"{args['flow_endpoint']}/_standin/{what}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {token}"},
            method=verb,
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None
