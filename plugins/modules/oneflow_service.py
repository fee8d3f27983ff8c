#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage services of OneFlow; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oneflow_service
short_description: Manage services of OneFlow
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Instantiates a service template, waits until all VMs run, and returns their names, states and addresses.
  - A service that is there is scaled, renamed, given owner, group and mode, and roles are added to it and removed.
    Networks and inputs of a living service cannot be changed; when they differ, a warning says so.
  - A service that hangs while its networks are made, or fails at that, is told with what is wrong with its parents, VM
    templates and networks, which OneFlow itself does not say.
  - A service that a run left half deployed is waited for. One that failed is tried again with O(recover=true).
  - Removing a service takes whatever its state allows, waits until it is gone, and reports VMs that are not.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
  - fact8ra.flower._opennebula.identity
  - fact8ra.flower._opennebula.state
  - fact8ra.flower._opennebula.permissions
options:
  template:
    description: Service template of a new service, by name. The own one comes before those of others.
    type: str
  template_id:
    description: Service template of a new service, by id.
    type: int
  networks:
    description:
      - What a new service gets for each network that its template declares. Needed for all that have no default there.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the network in the service template.
        type: str
        required: true
      network:
        description: Virtual network to use, by name.
        type: str
      network_id:
        description: Virtual network to use, by id.
        type: int
      template_id:
        description: Virtual network template to make a network of, by id. The network goes with the service.
        type: int
      reserve_from:
        description: Virtual network to reserve addresses from, by name or id. The reservation goes with the service.
        type: str
      size:
        description: Number of addresses to reserve.
        type: int
      extra:
        description: Further lines for the reservation or the network template, in OpenNebula's template language.
        type: str
  user_inputs:
    description:
      - Values for inputs that the service template declares. For all others the defaults of the template are sent,
        since OneFlow takes none by itself.
    type: dict
  roles:
    description:
      - Roles with something of their own. A role that is missing here has what the service template says, or keeps what
        it has.
      - A role that neither the service nor its template has is added, when the entry names a VM template. OneFlow adds
        and removes roles only of a service that is C(RUNNING), so a new service gets them after that.
      - What is given for the making of a role counts for a new one. Of one that is there it cannot be changed; when it
        differs, a warning says so.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the role, of letters, digits and underscores.
        type: str
        required: true
      state:
        description:
          - With V(absent) the role is removed, with its VMs. The last role cannot be; OneFlow would delete the service.
        type: str
        choices: [present, absent]
        default: present
        version_added: 1.1.0
      cardinality:
        description:
          - Number of VMs. A running service is scaled to it, role by role, through C(SCALING) and C(COOLDOWN).
          - When a role shrinks, OneFlow removes its oldest VMs; M(fact8ra.flower.oneflow_scale) removes chosen ones.
          - A role that is added has 1.
        type: int
      user_inputs:
        description: As O(user_inputs), for inputs that the role declares. A role that is added takes any.
        type: dict
      template:
        description: VM template of a role to add, by name.
        type: str
        version_added: 1.1.0
      template_id:
        description: VM template of a role to add, by id.
        type: int
        version_added: 1.1.0
      type:
        description: Kind of a role to add, VMs or virtual routers, which OpenNebula 6 has not. Without it one of VMs.
        type: str
        choices: [vm, vr]
        version_added: 1.1.0
      template_contents:
        description: Attributes of a role to add that come to its VM template, such as C(NIC).
        type: dict
        version_added: 1.1.0
      parents:
        description: Parents of a role to add, which have to be roles of the service.
        type: list
        elements: str
        version_added: 1.1.0
      min_vms:
        description: Least cardinality of a role to add.
        type: int
        version_added: 1.1.0
      max_vms:
        description: Greatest cardinality of a role to add.
        type: int
        version_added: 1.1.0
      cooldown:
        description: Seconds that the service rests after scaling a role to add.
        type: int
        version_added: 1.1.0
      shutdown_action:
        description: How VMs of a role to add are shut down.
        type: str
        choices: [terminate, terminate-hard]
        version_added: 1.1.0
      attributes:
        description: Further keys of a role to add, as OneFlow takes them, such as C(elasticity_policies).
        type: dict
        version_added: 1.1.0
  recover:
    description:
      - Whether a service that failed on its way up is tried again, and, with O(state=absent), whether what is left of
        one that fails on its way down is removed. Without it both are errors.
    type: bool
    default: false
  hold:
    description:
      - With V(true) a new service goes into C(HOLD) and its VMs wait. With V(false) a service in C(HOLD) is released.
      - When not given, a service in C(HOLD) is an error.
    type: bool
  wait:
    description:
      - Whether to wait until the service is C(RUNNING), or gone. A failed service ends the wait at once.
      - Without it only one role can be scaled, added or removed.
    type: bool
    default: true
  wait_timeout:
    description:
      - Most seconds to wait in all, with the cooldown after each scaled role, which is 300 seconds where the service
        template says nothing else.
    type: int
    default: 600
notes:
  - A second run on a running service takes three calls of the APIs.
seealso:
  - module: fact8ra.flower.oneflow_template
  - module: fact8ra.flower.oneflow_service_info
  - module: fact8ra.flower.oneflow_scale
"""

EXAMPLES = r"""
- name: A service with three SuperNodes
  fact8ra.flower.oneflow_service:
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ vault_one_password }}"
    name: poc-madrid
    template: flower
    networks:
      - name: Private
        reserve_from: campus
        size: 8
    user_inputs:
      FLOWER_VERSION: 1.41.0
    roles:
      - name: supernode
        cardinality: 3
    recover: true
  register: service

- name: Addresses of the SuperNodes
  ansible.builtin.debug:
    msg: "{{ service.service.roles | selectattr('name', 'eq', 'supernode') | map(attribute='vms') | flatten
      | map(attribute='addresses') }}"

- name: A role more, and another one less
  fact8ra.flower.oneflow_service:
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ vault_one_password }}"
    name: poc-madrid
    roles:
      - name: monitor
        template: flower-monitor
        parents: [superlink]
        template_contents:
          NIC:
            - NETWORK_ID: $Private
      - name: probe
        state: absent

- name: No such service
  fact8ra.flower.oneflow_service:
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ vault_one_password }}"
    name: poc-madrid
    state: absent
"""

RETURN = r"""
service:
  description:
    - The service, or nothing when it is absent. In check mode as it would be, for a new one with what is known of it.
  returned: success
  type: dict
  contains:
    id: &id
      description: Its id.
      type: int
    name: &name
      description: Its name.
      type: str
    uid:
      description: Id of its owner.
      type: int
    gid:
      description: Id of its group.
      type: int
    uname:
      description: Name of its owner.
      type: str
    gname:
      description: Name of its group.
      type: str
    mode:
      description: Its permissions.
      type: str
      sample: "600"
    state:
      description: Its state.
      type: str
      sample: RUNNING
    state_id:
      description: Its state as OneFlow numbers it.
      type: int
      sample: 2
    roles:
      description: Its roles.
      type: list
      elements: dict
      contains:
        name: *name
        state:
          description: State of the role.
          type: str
          sample: RUNNING
        cardinality:
          description: Number of VMs that it is to have.
          type: int
        vms:
          description: Its VMs.
          type: list
          elements: dict
          contains:
            id: *id
            name: *name
            state:
              description: Its state; nothing when the user may not see the VM.
              type: str
              sample: ACTIVE
            lcm_state:
              description: What it does while it is C(ACTIVE).
              type: str
              sample: RUNNING
            addresses:
              description: Its addresses, in the order of its NICs.
              type: list
              elements: str
    networks:
      description: What each declared network became, by its name in the template.
      type: dict
      sample: {Private: {id: 6, reserve_from: 1, extra: SIZE=8}}
    log:
      description: The last lines of its log.
      type: list
      elements: str
      sample: ["I: New state: DEPLOYING", "I: New state: RUNNING"]
lingering_vms:
  description: VMs of a removed service that are still there, with ids, names and states. A warning names them too.
  returned: when O(state=absent)
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import (
    CONNECTION,
    IDENTITY,
    PERMISSIONS,
    STATE,
    ArgumentSpec,
    wait_spec,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.argspec import ROLE
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.service import Manager

NETWORK_SOURCES = ("network", "network_id", "template_id", "reserve_from")

SPEC = CONNECTION.merge(
    IDENTITY,
    STATE,
    PERMISSIONS,
    wait_spec(600),
    ArgumentSpec(
        argument_spec={
            "template": {"type": "str"},
            "template_id": {"type": "int"},
            "networks": {
                "type": "list",
                "elements": "dict",
                "mutually_exclusive": [NETWORK_SOURCES],
                "required_one_of": [NETWORK_SOURCES],
                "options": {
                    "name": {"type": "str", "required": True},
                    "network": {"type": "str"},
                    "network_id": {"type": "int"},
                    "template_id": {"type": "int"},
                    "reserve_from": {"type": "str"},
                    "size": {"type": "int"},
                    "extra": {"type": "str"},
                },
            },
            "user_inputs": {"type": "dict"},
            "roles": {
                "type": "list",
                "elements": "dict",
                "mutually_exclusive": [("template", "template_id")],
                "options": {
                    **ROLE,
                    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                },
            },
            "recover": {"type": "bool", "default": False},
            "hold": {"type": "bool"},
        },
        mutually_exclusive=[("template", "template_id")],
    ),
)


def manage(module: AnsibleModule) -> Mapping[str, Any]:
    """Bring the service to its state; raises OpenNebulaError."""
    return Manager.from_params(module.params, module.warn).ensure(check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), manage)


if __name__ == "__main__":
    main()
