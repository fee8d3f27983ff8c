#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flower_run
short_description: Submit a Flower app to a federation, follow its rounds and judge its end
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Builds an app that lies on the SuperLink's host, submits it, follows it round by round and collects its results.
  - Every submission has a label. A label whose run is active or has succeeded is not submitted again, so a play that
    lost its connection, or was killed, finds its run again; a run that failed or was stopped is replaced.
  - Flower calls a run completed when its ServerApp returned, even if every ClientApp raised. This module reads the log;
    a run succeeds when it is C(finished:completed), no reply of a SuperNode failed, and results are there.
  - The ServerApp may print a line C(FLWR_RESULT {"round":...}) after each round; other apps are read from the lines
    that Flower's strategies log.
  - A SuperLink that is away for less than two minutes is waited for; its runs go on meanwhile.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._flower
attributes:
  check_mode:
    support: full
    details: Nothing is submitted or stopped, and O(state=waited) and O(state=finished) look once.
  diff_mode:
    support: partial
    details: With O(state=submitted) only.
  idempotent:
    support: full
    details: Unless O(force) is set.
options:
  state:
    description:
      - V(submitted) starts a run and returns.
      - V(waited) returns when O(until_round) is over, the run has ended, or O(wait_timeout) has passed. It fails only
        when the run is stuck.
      - V(finished) waits for the end, collects log and results, and fails unless the run succeeded.
      - V(stopped) ends the run.
    type: str
    choices: [submitted, waited, finished, stopped]
    default: submitted
  app:
    description:
      - App on this host, a directory or an archive of M(fact8ra.flower.flower_app_archive).
      - Required for O(state=submitted).
    type: path
  label:
    description:
      - Name of the submission. V(submitted) makes one from name, version, build and O(run_config) of the app when it is
        missing, so the same app with the same configuration is the same submission.
    type: str
  run_id:
    description: Id of a run, instead of its label.
    type: str
  run_config:
    description: Overrides of the app's configuration. Keys and types are checked against what the app declares.
    type: dict
    default: {}
  force:
    description: Submit again although the run of this label succeeded. An active run is never doubled.
    type: bool
    default: false
  until_round:
    description: Round to wait for; V(0) is the begin of the training.
    type: int
    default: 0
  wait_timeout:
    description: Seconds to wait. V(waited) returns then, V(finished) fails and leaves the run alone.
    type: float
    default: 3600.0
  pending_timeout:
    description: Seconds that a run may be pending or starting before it counts as stuck; V(0) for ever.
    type: float
    default: 60.0
  nodes_timeout:
    description: Seconds that an app may wait for SuperNodes before it counts as stuck; V(0) for ever.
    type: float
    default: 120.0
  accept_failures:
    description: How many replies of SuperNodes may have failed, over all rounds.
    type: int
    default: 0
  required_files:
    description: Files that the ServerApp must have written to its folder in O(results_directory).
    type: list
    elements: str
    default: []
  results_directory:
    description: Where ServerApps write C(<run id>/<file>), their environment variable E(FACT8RA_RESULTS_DIR).
    type: path
    default: /var/lib/flower/results
  state_directory:
    description: Where this module keeps labels, logs and checked copies of the results, for root alone.
    type: path
    default: /var/lib/fact8ra-flower
  keep:
    description: With O(state=finished), remove the results of all but this many of the newest runs; V(0) keeps all.
    type: int
    default: 0
  log_lines:
    description: How many of the last lines of the log are returned.
    type: int
    default: 40
"""

EXAMPLES = r"""
- name: Submit
  fact8ra.flower.flower_run:
    app: /var/lib/fact8ra-flower/apps/poc
    label: poc-monday
    run_config:
      num-server-rounds: 5

- name: Wait for the second round
  fact8ra.flower.flower_run:
    state: waited
    label: poc-monday
    until_round: 2

- name: Wait for the end and take the results
  fact8ra.flower.flower_run:
    state: finished
    label: poc-monday
    required_files: [model.npz]
"""

RETURN = r"""
run_id:
  description: Id of the run, as text because it exceeds what JSON readers take for an integer.
  returned: always but in check mode of a new submission
  type: str
label:
  description: Label of the submission, empty for a run that was not submitted by this module.
  returned: always
  type: str
status:
  description: State as Flower prints it, such as V(running) or V(finished:completed).
  returned: when there is a run
  type: str
ended:
  description: Whether the run is over.
  returned: when there is a run
  type: bool
reached:
  description: Whether what was waited for has come.
  returned: O(state=waited) and O(state=finished)
  type: bool
rounds:
  description: The finished rounds with C(round), C(loss), C(accuracy), C(nodes), C(failures), C(seconds) and more.
  returned: when there is a run
  type: list
  elements: dict
rounds_total:
  description: Rounds that the app will train, null when it does not say.
  returned: when there is a run
  type: int
metrics:
  description: The app's final FLWR_RESULT object, or its last round.
  returned: when there is a run
  type: dict
failures:
  description: Replies of SuperNodes that failed, over all rounds.
  returned: when there is a run
  type: int
reply_errors:
  description: The last error of each SuperNode, as C(node_id), C(name), C(reason).
  returned: when there is a run
  type: list
  elements: dict
seconds:
  description: Seconds that the run has been running.
  returned: when there is a run
  type: float
bytes_sent:
  description: Bytes that the SuperLink sent to SuperNodes.
  returned: when there is a run
  type: int
bytes_received:
  description: Bytes that the SuperLink received from SuperNodes.
  returned: when there is a run
  type: int
log:
  description: The last lines of the ServerApp's log.
  returned: when there is a run
  type: list
  elements: str
files:
  description:
    - Log and results in O(state_directory), each with C(name), C(path) and C(size).
    - Files whose names have other characters than letters, digits, dots, underscores and hyphens, or begin with a dot
      or a hyphen, are left, with a warning.
  returned: O(state=finished)
  type: list
  elements: dict
failure:
  description: On failure C(code), C(message) and C(details); C(details.run) holds all of the above.
  returned: failure
  type: dict
"""

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.argspec import FLOWER
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.run_states import act

SPEC = FLOWER.merge(
    ArgumentSpec(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["submitted", "waited", "finished", "stopped"],
                "default": "submitted",
            },
            "app": {"type": "path"},
            "label": {"type": "str"},
            "run_id": {"type": "str"},
            "run_config": {"type": "dict", "default": {}},
            "force": {"type": "bool", "default": False},
            "until_round": {"type": "int", "default": 0},
            "wait_timeout": {"type": "float", "default": 3600.0},
            "pending_timeout": {"type": "float", "default": 60.0},
            "nodes_timeout": {"type": "float", "default": 120.0},
            "accept_failures": {"type": "int", "default": 0},
            "required_files": {"type": "list", "elements": "str", "default": []},
            "results_directory": {"type": "path", "default": "/var/lib/flower/results"},
            "state_directory": {"type": "path", "default": "/var/lib/fact8ra-flower"},
            "keep": {"type": "int", "default": 0},
            "log_lines": {"type": "int", "default": 40},
        },
        mutually_exclusive=[("label", "run_id")],
        required_if=[
            ("state", "submitted", ["app"]),
            ("state", "waited", ["label", "run_id"], True),
            ("state", "finished", ["label", "run_id"], True),
            ("state", "stopped", ["label", "run_id"], True),
        ],
    ),
)


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), act)


if __name__ == "__main__":
    main()
