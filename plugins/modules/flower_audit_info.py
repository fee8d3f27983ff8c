#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flower_audit_info
short_description: Tell who submitted which run to a SuperLink
version_added: 1.1.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Lays the audit log of role P(fact8ra.flower.access#role), Flower's list of runs and the journal of sshd side by
    side. Flower itself knows one account.
  - A run that began while nginx had a submission of a user at the SuperLink is that user's; nginx lets one at a time
    through. A run that began at no such time was submitted on the host itself, past nginx, which the firewall leaves to
    root, and is said to be the operator's.
  - What is not certain is not said; RV(runs[].candidates) has everybody who may have been it. Where there is no audit
    log, nothing is certain.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.info_module
  - fact8ra.flower._flower
options:
  log:
    description: The audit log on that host. Rotated logs beside it are read as well.
    type: path
    default: /var/log/flower-control/audit.jsonl
  runs:
    description: How many of the last runs are returned.
    type: int
    default: 100
  refused:
    description: How many of the last requests that were refused are returned.
    type: int
    default: 20
"""

EXAMPLES = r"""
- name: Ask who submitted which run
  fact8ra.flower.flower_audit_info:
    runs: 10
  vars:
    ansible_python_interpreter: /opt/flower/venv/bin/python
  register: audit

- name: Show it
  ansible.builtin.debug:
    msg: "{{ item.submitted_at }} {{ item.user or item.candidates | join(' or ') or 'unknown' }}"
  loop: "{{ audit.runs }}"
  loop_control:
    label: "{{ item.run_id }}"
"""

RETURN = r"""
runs:
  description: The last runs, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    run_id:
      description: Id of the run, as text because it exceeds what JSON readers take for an integer.
      type: str
    user:
      description:
        - Name in C(access_users) of who submitted the run, V(operator) for one that was submitted on the host itself,
          or empty when it is not certain.
      type: str
    candidates:
      description: Everybody who may have submitted it; empty when the log does not reach back to the run.
      type: list
      elements: str
    submitted_at:
      description: When the SuperLink took it, ISO 8601.
      type: str
    sources:
      description:
        - Addresses that the SSH sessions came from that the user had at that time, as far as the journal reaches back;
          more than one when he had several sessions.
      type: list
      elements: str
    status:
      description: State as Flower prints it, such as V(finished:completed).
      type: str
    app:
      description: Publisher and name of the app.
      type: str
    app_version:
      description: Version of the app.
      type: str
    fab_hash:
      description: SHA-256 of the app that was submitted.
      type: str
refused:
  description: The last requests that nginx refused, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    user:
      description: Name of the user.
      type: str
    role:
      description: What the user may do.
      type: str
    verb:
      description: What was asked for.
      type: str
    status:
      description: Status of HTTP.
      type: int
    at:
      description: When, ISO 8601 in UTC.
      type: str
since:
  description: Time of the oldest line of the audit log, ISO 8601, or empty when there is no log.
  returned: success
  type: str
unreadable_lines:
  description: Lines of the audit log that could not be read, which should be none.
  returned: success
  type: int
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.argspec import FLOWER
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.audit import attribute, read_log, sessions
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Control

SPEC = FLOWER.merge(
    ArgumentSpec(
        argument_spec={
            "log": {"type": "path", "default": "/var/log/flower-control/audit.jsonl"},
            "runs": {"type": "int", "default": 100},
            "refused": {"type": "int", "default": 20},
        },
    ),
)
# Names of sshd's processes in the journal; the second since OpenSSH 9.8.
_SSHD = ("SYSLOG_IDENTIFIER=sshd", "SYSLOG_IDENTIFIER=sshd-session")


def journal(module: AnsibleModule) -> list[Mapping[str, Any]]:
    """Entries of sshd about sessions; none where there is no journal."""
    program = module.get_bin_path("journalctl")
    if program is None:
        return []
    said = "^Accepted |session closed for user "
    status, printed, _told = module.run_command([program, "--output=json", "--quiet", f"--grep={said}", *_SSHD])
    # journalctl fails when it finds nothing, too.
    return [json.loads(line) for line in printed.splitlines()] if status == 0 else []


def read(module: AnsibleModule) -> Mapping[str, Any]:
    """Read log, runs and journal; raises FlowerFailure when one cannot be read."""
    params = module.params
    log = read_log(Path(params["log"]))
    # One more than is told, since it may have begun together with the oldest of them.
    runs = Control(params["address"], params["root_certificates"], params["timeout"]).runs(params["runs"] + 1)
    refused = [one for one in reversed(log.requests) if one.status in (403, 404, 405)][: params["refused"]]
    return {
        "changed": False,
        "runs": attribute(runs, log, sessions(journal(module)))[: params["runs"]],
        "refused": [
            {"user": one.user, "role": one.role, "verb": one.verb, "status": one.status, "at": _iso(one.at)}
            for one in refused
        ],
        "since": _iso(log.since) if log.since is not None else "",
        "unreadable_lines": log.unreadable,
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), read)


if __name__ == "__main__":
    main()
