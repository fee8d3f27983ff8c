#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List service templates of OneFlow; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: oneflow_template_info
short_description: List service templates of OneFlow
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Returns service templates with their whole bodies, those of OpenNebula 6 in the form of 7.
  - It is no error when nothing fits.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.info_module
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
options:
  id:
    description: Only the service template with this id.
    type: int
  name:
    description: Only the service templates of this name, whoever owns them. OneFlow does not keep names unique.
    type: str
seealso:
  - module: fact8ra.flower.oneflow_template
"""

EXAMPLES = r"""
- name: All service templates that the user may use
  fact8ra.flower.oneflow_template_info:
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ vault_one_password }}"
  register: every

- name: Those of one name
  fact8ra.flower.oneflow_template_info:
    endpoint: https://one.example.com:2633/RPC2
    flow_endpoint: https://one.example.com:2474
    username: flower
    password: "{{ vault_one_password }}"
    name: flower
  register: named
"""

RETURN = r"""
service_templates:
  description:
    - The service templates, by id. They have the keys that M(fact8ra.flower.oneflow_template) returns.
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
    mode:
      description: Permissions.
      type: str
      sample: "600"
    body:
      description: All of the template.
      type: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import CONNECTION, ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import TEMPLATE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.template import facts

SPEC = CONNECTION.merge(
    ArgumentSpec(
        argument_spec={"id": {"type": "int"}, "name": {"type": "str"}},
        mutually_exclusive=[("id", "name")],
    ),
)


def read(module: AnsibleModule) -> Mapping[str, Any]:
    """Return the service templates that the parameters pick."""
    found = OneFlow.from_params(module.params).selected(TEMPLATE, module.params)
    return {"changed": False, "service_templates": [facts(one) for one in found]}


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), read)


if __name__ == "__main__":
    main()
