#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scale a role of a OneFlow service; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oneflow_scale
short_description: Scale a role of a OneFlow service
version_added: 1.1.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Brings a role of a running service to a number of VMs, or takes chosen VMs out of it, and returns which VMs came and
    went, with their addresses.
  - A service that is being deployed or scaled already is waited for first. One that failed or lost VMs is an error.
  - There is no option for a relative change, since a second run would scale once more.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
options:
  service:
    description: The service, by name. The own one comes before those of others.
    type: str
  service_id:
    description: The service, by id.
    type: int
  role:
    description: Name of the role.
    type: str
    required: true
  cardinality:
    description:
      - Number of VMs that the role is to have.
      - When a role shrinks, OneFlow removes its oldest VMs. To choose them, use O(remove_vms).
      - With O(remove_vms) it has to be the number that is left, and may be left out.
    type: int
  remove_vms:
    description:
      - VMs to take out of the role, by name or id. A number is an id. One that has left the role already is no error.
      - OneFlow has no call for this. The VMs are terminated, as C(shutdown_action) of the role or of the service says,
        and OneFlow then lowers the cardinality by itself. There is no C(COOLDOWN) after it.
      - OpenNebula allows it while the service is C(RUNNING), or C(WARNING), which is how a broken VM is taken out. In
        all other states OneFlow counts on the VMs that it started, so the module refuses it.
      - Refused too for VMs of other roles, of roles of virtual routers, below the role's C(min_vms) without O(force),
        and for the last VMs of a service with C(automatic_deletion), which OneFlow would delete.
    type: list
    elements: str
  force:
    description:
      - Whether O(cardinality) and O(remove_vms) may go beyond C(min_vms) and C(max_vms) of the role.
      - OneFlow's own scaling brings a role below C(min_vms) back to it at its next turn.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until the service is C(RUNNING) again and the VMs that leave are gone.
      - Without it, a service that is being deployed or scaled already is an error, and RV(removed) lacks VMs that are
        still leaving.
    type: bool
    default: true
  wait_timeout:
    description:
      - Most seconds to wait in all, with C(SCALING) and C(COOLDOWN), which is 300 seconds where the service template
        says nothing else.
    type: int
    default: 600
notes:
  - A second run takes two calls of the APIs.
seealso:
  - module: fact8ra.flower.oneflow_service
  - module: fact8ra.flower.oneflow_template
"""

EXAMPLES = r"""
- name: Five SuperNodes
  fact8ra.flower.oneflow_scale:
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ vault_one_password }}"
    service: poc-madrid
    role: supernode
    cardinality: 5
  register: scaled

- name: Addresses of the new ones
  ansible.builtin.debug:
    msg: "{{ scaled.added | map(attribute='addresses') | flatten }}"

- name: Without this one
  fact8ra.flower.oneflow_scale:
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ vault_one_password }}"
    service: poc-madrid
    role: supernode
    remove_vms:
      - supernode_3_(service_12)
"""

RETURN = r"""
service:
  description: The service, as M(fact8ra.flower.oneflow_service) returns it. In check mode as it is before the change.
  returned: success
  type: dict
before:
  description: The role before the change.
  returned: success
  type: dict
  contains:
    cardinality:
      description: Number of VMs that it was to have.
      type: int
    vms:
      description: Its VMs, the oldest first.
      type: list
      elements: dict
      contains:
        id:
          description: Id.
          type: int
        name:
          description: Name.
          type: str
        state:
          description: State; nothing when the user may not see the VM.
          type: str
          sample: ACTIVE
        lcm_state:
          description: What it does while it is C(ACTIVE).
          type: str
          sample: RUNNING
        addresses:
          description: Addresses, in the order of the NICs.
          type: list
          elements: str
after:
  description: The role after the change, with the keys of RV(before). In check mode without the VMs that would be made.
  returned: success
  type: dict
added:
  description: VMs that the role did not have before, with the keys of RV(before.vms). In check mode empty.
  returned: success
  type: list
  elements: dict
removed:
  description: VMs that the role has no more, with the keys of RV(before.vms) as they were before.
  returned: success
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import CONNECTION, ArgumentSpec, wait_spec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.scale import Manager

SPEC = CONNECTION.merge(
    wait_spec(600),
    ArgumentSpec(
        argument_spec={
            "service": {"type": "str"},
            "service_id": {"type": "int"},
            "role": {"type": "str", "required": True},
            "cardinality": {"type": "int"},
            "remove_vms": {"type": "list", "elements": "str"},
            "force": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("service", "service_id")],
        required_one_of=[("service", "service_id"), ("cardinality", "remove_vms")],
    ),
)


def scale(module: AnsibleModule) -> Mapping[str, Any]:
    """Bring the role to its cardinality; raises OpenNebulaError."""
    return Manager.from_params(module.params, module.warn).ensure(check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), scale)


if __name__ == "__main__":
    main()
