#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flower_federation_info
short_description: Ask a SuperLink for its SuperNodes, its runs and its health
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Reads the SuperNodes and the last runs of a SuperLink.
  - Can wait until the SuperNodes that are expected are online; that one is missing is a result, not a failure.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.info_module
  - fact8ra.flower._flower
options:
  expected:
    description: Names of the SuperNodes that should be online.
    type: list
    elements: str
    default: []
  wait_timeout:
    description: Seconds to wait for all of O(expected); V(0) looks once.
    type: float
    default: 0.0
  runs:
    description: How many of the last runs are returned.
    type: int
    default: 20
  unregistered:
    description: Whether SuperNodes that were unregistered are returned too.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Wait until the SuperNodes of the inventory are online
  fact8ra.flower.flower_federation_info:
    expected: "{{ groups['supernodes'] }}"
    wait_timeout: 120
  vars:
    ansible_python_interpreter: /opt/flower/venv/bin/python
  register: federation
  failed_when: federation.missing | length > 0
"""

RETURN = r"""
nodes:
  description: The SuperNodes by time of registration.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name given at registration.
      type: str
    node_id:
      description: Flower's id of the node, as text.
      type: str
    status:
      description: V(registered), V(online), V(offline) or V(unregistered).
      type: str
    fingerprint:
      description: Fingerprint of the public key as C(ssh-keygen -l) prints it.
      type: str
    location:
      description: Latitude and longitude, or empty.
      type: str
    registered_at:
      description: Time of registration, ISO 8601.
      type: str
    online_since:
      description: Time since when the node is online, or empty.
      type: str
    offline_since:
      description: Time since when the node is offline, or empty.
      type: str
    unregistered_at:
      description: Time when the node was unregistered, or empty.
      type: str
    last_heartbeat:
      description: Time of the last sign of life, ISO 8601, or empty.
      type: str
missing:
  description: Those of O(expected) that are not online.
  returned: success
  type: list
  elements: str
unexpected:
  description: Online SuperNodes that are not in O(expected), empty when nothing is expected.
  returned: success
  type: list
  elements: str
runs:
  description: The last runs, the newest first, each with C(run_id), C(status), C(app), C(seconds) and further keys.
  returned: success
  type: list
  elements: dict
flwr_version:
  description: Version of flwr in the environment that the module ran in, which is the SuperLink's own.
  returned: success
  type: str
  sample: 1.41.0
health:
  description: What C(/health) and the certificate say; see M(fact8ra.flower.flower_endpoint_info).
  returned: success
  type: dict
"""

import time
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.argspec import FLOWER
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Control
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.endpoint import probe
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.supernodes import await_online

SPEC = FLOWER.merge(
    ArgumentSpec(
        argument_spec={
            "expected": {"type": "list", "elements": "str", "default": []},
            "wait_timeout": {"type": "float", "default": 0.0},
            "runs": {"type": "int", "default": 20},
            "unregistered": {"type": "bool", "default": False},
        },
    ),
)


def read(module: AnsibleModule) -> Mapping[str, Any]:
    """Read the federation; raises FlowerFailure when the SuperLink cannot be asked."""
    params = module.params
    control = Control(params["address"], params["root_certificates"], params["timeout"])
    expected = params["expected"]
    nodes = await_online(control.nodes, expected, params["wait_timeout"], time.monotonic, time.sleep)
    online = [node.name or node.node_id for node in nodes if node.status == "online"]
    return {
        "changed": False,
        "nodes": [node.public() for node in nodes if params["unregistered"] or node.status != "unregistered"],
        "missing": sorted(set(expected) - set(online)),
        "unexpected": sorted(set(online) - set(expected)) if expected else [],
        "runs": [run.public() for run in control.runs(params["runs"])] if params["runs"] > 0 else [],
        "flwr_version": control.version,
        "health": probe(params["address"], params["root_certificates"], params["timeout"]).public(),
    }


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), read)


if __name__ == "__main__":
    main()
