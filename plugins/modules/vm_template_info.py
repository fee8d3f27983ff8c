#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List VM templates of OpenNebula; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_template_info
short_description: List VM templates of OpenNebula
version_added: 1.1.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Returns VM templates with all their attributes. A password that a template holds is among them.
  - It is no error when nothing fits.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.info_module
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
options:
  id:
    description: Only the VM template with this id.
    type: int
  name:
    description: Only the VM templates of this name, whoever owns them.
    type: str
  filter:
    description:
      - Whose VM templates. V(all) are those that the user may use, V(mine) those that it owns, V(group) those that it
        or its groups own.
    type: str
    choices: [all, mine, group]
    default: all
seealso:
  - module: fact8ra.flower.vm_template
"""

EXAMPLES = r"""
- name: Look at the templates that the user owns
  fact8ra.flower.vm_template_info:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    filter: mine
  register: own

- name: Show how much memory their machines get
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.template.MEMORY }} MB"
  loop: "{{ own.vm_templates }}"
  loop_control:
    label: "{{ item.name }}"
"""

RETURN = r"""
vm_templates:
  description: The VM templates, by id.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id.
      type: int
      sample: 2
    name:
      description: Name.
      type: str
      sample: flower-supernode
    uid:
      description: Id of the owner.
      type: int
    gid:
      description: Id of the group.
      type: int
    uname:
      description: Name of the owner.
      type: str
    gname:
      description: Name of the group.
      type: str
    mode:
      description: Permissions.
      type: str
      sample: "640"
    regtime:
      description: When it was created, in seconds since 1970.
      type: int
    locked:
      description: Whether it is locked.
      type: bool
    template:
      description:
        - All attributes, as OpenNebula has them. One that is there several times, such as C(DISK), is a list.
      type: dict
      sample: {"CPU": "1", "MEMORY": "2048"}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import CONNECTION, INFO
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import VM_TEMPLATE, Objects
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vm_template import facts

SPEC = CONNECTION.merge(INFO)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Return the VM templates that the parameters pick."""
    found = Objects(Client.from_params(module.params)).selected(VM_TEMPLATE, module.params)
    return {"changed": False, "vm_templates": [facts(raw) for raw in found]}


def main() -> None:
    """Entry point."""
    run_module(SPEC.create_module(), run)


if __name__ == "__main__":
    main()
