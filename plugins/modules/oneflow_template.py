#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage service templates of OneFlow; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oneflow_template
short_description: Manage service templates of OneFlow
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Creates, changes, renames and removes service templates. Running services are not touched by that.
  - Compares only what is given. OneFlow's own additions, numbers given as text, and the names that OpenNebula 6 uses
    for the same things make no difference.
  - Refuses what OneFlow would accept and its services would hang on, such as parents or VM templates that do not exist.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
  - fact8ra.flower._opennebula.identity
  - fact8ra.flower._opennebula.state
  - fact8ra.flower._opennebula.permissions
options:
  description:
    description: What the template is for.
    type: str
  deployment:
    description:
      - V(straight) starts a role when its parents run, V(none) starts all roles at once, as OneFlow does by default.
    type: str
    choices: [none, straight]
  ready_status_gate:
    description: Whether a VM counts as running only when it has reported C(READY=YES) to OneGate.
    type: bool
  automatic_deletion:
    description: Whether a service is deleted when its last VM is gone.
    type: bool
    version_added: 1.1.0
  shutdown_action:
    description: How VMs are shut down when the service is removed or scaled down.
    type: str
    choices: [terminate, terminate-hard]
  labels:
    description: Labels for Sunstone. Given as a whole, an empty list removes them.
    type: list
    elements: str
    version_added: 1.1.0
  attributes:
    description:
      - Further keys of the body, which OneFlow keeps as they are. Only those given are compared; an empty value removes
        one.
      - A key that has an option of its own is an error.
    type: dict
    version_added: 1.1.0
  networks:
    description:
      - Networks that a service is given when it is instantiated, by the name that the roles use as C($NAME).
      - A value is in OneFlow's form C(M|network|DESCRIPTION| |DEFAULT), where DEFAULT is C(id:ID), C(template_id:ID),
        or C(id:) for none. An empty value means a mandatory network without a default.
      - Given as a whole, a network that is missing here is removed from the template.
    type: dict
  user_inputs:
    description:
      - Values that a service is given when it is instantiated, by name. A value is in OneFlow's form
        C(M|text|DESCRIPTION| |DEFAULT), with C(O) for an optional one.
      - Given as a whole, as O(networks).
    type: dict
  roles:
    description:
      - Roles of the service. Needed for a new template. Given as a whole, a role that is missing here is removed.
      - What is not given of a role stays as it is.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the role, of letters, digits and underscores.
        type: str
        required: true
      type:
        description: Kind of the role, VMs or virtual routers, which OpenNebula 6 has not. A new role is one of VMs.
        type: str
        choices: [vm, vr]
      cardinality:
        description: Number of VMs of a new service. A new role has 1.
        type: int
      template:
        description: VM template of the role, by name.
        type: str
      template_id:
        description: VM template of the role, by id.
        type: int
      template_contents:
        description:
          - Attributes added to the VM template, such as C(NIC) with C(NETWORK_ID) V($Private). Given as a whole.
        type: dict
      min_vms:
        description: Least cardinality.
        type: int
      max_vms:
        description: Greatest cardinality.
        type: int
      parents:
        description: Roles that have to run before this one starts, with O(deployment=straight).
        type: list
        elements: str
      cooldown:
        description: Seconds that the service rests after scaling this role. The server's default is usually 300.
        type: int
      shutdown_action:
        description: As O(shutdown_action), for this role.
        type: str
        choices: [terminate, terminate-hard]
      on_hold:
        description: Whether the VMs of a new service are held.
        type: bool
      user_inputs:
        description: As O(user_inputs), for this role.
        type: dict
      elasticity_policies:
        description:
          - Rules for scaling by monitored values. They need O(roles[].min_vms) and O(roles[].max_vms).
          - Given as a whole.
        type: list
        elements: dict
        suboptions:
          type:
            description: &policy_type
              - V(CHANGE) adds O(roles[].elasticity_policies[].adjust) VMs, V(CARDINALITY) sets the number of VMs to it,
                V(PERCENTAGE_CHANGE) adds so many per cent.
            type: str
            choices: [CHANGE, CARDINALITY, PERCENTAGE_CHANGE]
            required: true
          adjust:
            description: Number of VMs or per cent, negative to remove some.
            type: int
            required: true
          min_adjust_step:
            description: Least number of VMs that V(PERCENTAGE_CHANGE) adds or removes.
            type: int
          expression:
            description: Condition on attributes of the VMs, such as C(CPU > 80), averaged over the role.
            type: str
            required: true
          period_number:
            description: Number of periods for which the condition has to hold.
            type: int
          period:
            description: Seconds of a period.
            type: int
          cooldown:
            description: Seconds that the service rests after this rule scaled it; otherwise those of the role.
            type: int
      scheduled_policies:
        description:
          - Rules for scaling by time. They need O(roles[].min_vms) and O(roles[].max_vms). Given as a whole.
        type: list
        elements: dict
        suboptions:
          type:
            description: *policy_type
            type: str
            choices: [CHANGE, CARDINALITY, PERCENTAGE_CHANGE]
            required: true
          adjust:
            description: Number of VMs or per cent, negative to remove some.
            type: int
            required: true
          min_adjust_step:
            description: Least number of VMs that V(PERCENTAGE_CHANGE) adds or removes.
            type: int
          recurrence:
            description: Time as a cron expression, such as C(0 8 * * mon-fri). Either this or the next option.
            type: str
          start_time:
            description: Moment, such as C(2027-01-31 08:00:00), or seconds since 1970.
            type: str
      attributes:
        description: As O(attributes), for this role.
        type: dict
        version_added: 1.1.0
  clone_of:
    description:
      - Service template that a new one is a copy of, by name or id. What is given besides is changed in the copy.
      - It has no meaning for a template that is there.
    type: str
    version_added: 1.1.0
  clone_vm_templates:
    description:
      - What is copied with O(clone_of). V(templates) are the VM templates of its roles, V(all) are these and their
        images.
    type: str
    choices: [none, templates, all]
    default: none
    version_added: 1.1.0
  delete_vm_templates:
    description:
      - What is removed together with the service template. V(templates) are the VM templates of its roles, V(all) are
        these and their images.
    type: str
    choices: [none, templates, all]
    default: none
seealso:
  - module: fact8ra.flower.oneflow_service
  - module: fact8ra.flower.oneflow_template_info
"""

EXAMPLES = r"""
- name: One SuperLink and its SuperNodes
  fact8ra.flower.oneflow_template:
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ vault_one_password }}"
    name: flower
    deployment: straight
    ready_status_gate: true
    shutdown_action: terminate-hard
    networks:
      Private: "M|network|Network of the federation| |id:"
    user_inputs:
      FLOWER_VERSION: "M|text|Version of Flower| |1.41.0"
    roles:
      - name: superlink
        template: flower-superlink
        min_vms: 1
        max_vms: 1
        template_contents:
          NIC:
            - NETWORK_ID: $Private
      - name: supernode
        template: flower-supernode
        cardinality: 2
        max_vms: 8
        cooldown: 10
        parents: [superlink]
        template_contents:
          NIC:
            - NETWORK_ID: $Private

- name: A copy that scales by itself
  fact8ra.flower.oneflow_template:
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ vault_one_password }}"
    name: flower-elastic
    clone_of: flower
    labels: [research]
    roles:
      - name: superlink
      - name: supernode
        min_vms: 2
        max_vms: 8
        elasticity_policies:
          - type: CHANGE
            adjust: 1
            expression: CPU > 80
            period_number: 3
            period: 60
        scheduled_policies:
          - type: CARDINALITY
            adjust: 2
            recurrence: 0 20 * * *

- name: No such template
  fact8ra.flower.oneflow_template:
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ vault_one_password }}"
    name: flower
    state: absent
"""

RETURN = r"""
service_template:
  description: The service template, or nothing when it is absent. In check mode as it would be.
  returned: success
  type: dict
  contains:
    id:
      description: Its id; missing in check mode for a new one.
      type: int
    name:
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
    body:
      description: All of the template, in the form of OpenNebula 7.
      type: dict
      sample: {name: flower, deployment: straight, roles: [{name: superlink, type: vm, template_id: 2, cardinality: 1}]}
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
)
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.argspec import (
    ELASTICITY_POLICIES,
    ROLE,
    SCHEDULED_POLICIES,
    SHUTDOWN_ACTION,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.template import Manager

SPEC = CONNECTION.merge(
    IDENTITY,
    STATE,
    PERMISSIONS,
    ArgumentSpec(
        argument_spec={
            "description": {"type": "str"},
            "deployment": {"type": "str", "choices": ["none", "straight"]},
            "ready_status_gate": {"type": "bool"},
            "automatic_deletion": {"type": "bool"},
            "shutdown_action": SHUTDOWN_ACTION,
            "labels": {"type": "list", "elements": "str"},
            "attributes": {"type": "dict"},
            "networks": {"type": "dict"},
            "user_inputs": {"type": "dict"},
            "roles": {
                "type": "list",
                "elements": "dict",
                "mutually_exclusive": [("template", "template_id")],
                "options": {
                    **ROLE,
                    "on_hold": {"type": "bool"},
                    "elasticity_policies": ELASTICITY_POLICIES,
                    "scheduled_policies": SCHEDULED_POLICIES,
                },
            },
            "clone_of": {"type": "str"},
            "clone_vm_templates": {"type": "str", "choices": ["none", "templates", "all"], "default": "none"},
            "delete_vm_templates": {"type": "str", "choices": ["none", "templates", "all"], "default": "none"},
        },
    ),
)


def manage(module: AnsibleModule) -> Mapping[str, Any]:
    """Bring the service template to its state; raises OpenNebulaError."""
    return Manager.from_params(module.params, module.warn).ensure(check_mode=module.check_mode)


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), manage)


if __name__ == "__main__":
    main()
