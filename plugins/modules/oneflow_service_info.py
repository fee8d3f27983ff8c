#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List services of OneFlow; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oneflow_service_info
short_description: List services of OneFlow
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Returns services with their roles, and with names, states and addresses of their VMs, which one call reads for all.
  - It is no error when nothing fits.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.info_module
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
options:
  id:
    description: Only the service with this id.
    type: int
  name:
    description: Only the services of this name, whoever owns them. OneFlow does not keep names unique.
    type: str
  vms:
    description:
      - Whether to read the VMs. OneFlow knows only their ids and first names, so states and addresses take a call of
        OpenNebula.
      - With V(false) the states are null and the lists of addresses empty.
    type: bool
    default: true
    version_added: 1.1.0
seealso:
  - module: fact8ra.flower.oneflow_service
"""

EXAMPLES = r"""
- name: All services that the user may use
  fact8ra.flower.oneflow_service_info:
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ vault_one_password }}"
  register: every

- name: Those of one name
  fact8ra.flower.oneflow_service_info:
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ vault_one_password }}"
    name: flower
  register: named

- name: Only its state
  fact8ra.flower.oneflow_service_info:
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ vault_one_password }}"
    name: flower
    vms: false
  register: states
"""

RETURN = r"""
services:
  description:
    - The services, by id. They have the keys that M(fact8ra.flower.oneflow_service) returns.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id.
      type: int
    name:
      description: Name.
      type: str
    uname:
      description: Name of the owner.
      type: str
    state:
      description: State.
      type: str
      sample: RUNNING
    roles:
      description: Roles with their VMs.
      type: list
      elements: dict
    networks:
      description: What each declared network became.
      type: dict
    log:
      description: The last lines of the log.
      type: list
      elements: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import CONNECTION, ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import SERVICE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.facts import facts, node_ids, service_vms
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client

SPEC = CONNECTION.merge(
    ArgumentSpec(
        argument_spec={
            "id": {"type": "int"},
            "name": {"type": "str"},
            "vms": {"type": "bool", "default": True},
        },
        mutually_exclusive=[("id", "name")],
    ),
)


def read(module: AnsibleModule) -> Mapping[str, Any]:
    """Return the services that the parameters pick."""
    found = OneFlow.from_params(module.params).selected(SERVICE, module.params)
    vms = {}
    if module.params["vms"]:
        ids = [number for one in found for number in node_ids(one.body)]
        vms = service_vms(Client.from_params(module.params), ids)
    return {"changed": False, "services": [facts(one, vms) for one in found]}


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), read)


if __name__ == "__main__":
    main()
