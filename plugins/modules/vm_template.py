#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage a VM template of OpenNebula; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vm_template
short_description: Manage a VM template of OpenNebula
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Creates, updates, renames and deletes a VM template, with its owner and permissions.
  - Only what is given is compared. Other attributes of the template stay.
  - An option that holds a vector or a list of vectors, such as O(context) or O(nics), is compared and written as a
    whole. An empty one removes the attribute.
  - The template is not instantiated.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
  - fact8ra.flower._opennebula.identity
  - fact8ra.flower._opennebula.state
  - fact8ra.flower._opennebula.permissions
options:
  cpu:
    description: Share of physical CPUs. Needed to create a template.
    type: float
  vcpu:
    description: Number of virtual CPUs.
    type: int
  memory:
    description: Memory in MB. Needed to create a template.
    type: int
  disks:
    description: Disks, in order.
    type: list
    elements: dict
    suboptions:
      image:
        description:
          - Image, by name or id. The template keeps the id, since OpenNebula would look the name up among the images of
            whoever instantiates the template.
        type: str
      image_id:
        description: Image, by id.
        type: int
      size:
        description: Size in MB. The size of the image when not given.
        type: int
      attributes:
        description: Further attributes of the disk.
        type: dict
  nics:
    description: Network interfaces, in order.
    type: list
    elements: dict
    suboptions:
      network:
        description: Virtual network, by name or id. The template keeps the id.
        type: str
      network_id:
        description: Virtual network, by id.
        type: int
      attributes:
        description: Further attributes of the interface, such as C(MODEL).
        type: dict
  context:
    description: Context variables.
    type: dict
  user_inputs:
    description: Inputs to ask for on instantiation, in the notation of OpenNebula.
    type: dict
  pci:
    description: PCI devices to pass through, each with the keys C(vendor), C(device), C(class) or C(short_address).
    type: list
    elements: dict
  os:
    description: Attributes of C(OS), such as C(arch), C(machine) or C(firmware).
    type: dict
  topology:
    description: Attributes of C(TOPOLOGY), such as C(pin_policy) or C(sockets).
    type: dict
  features:
    description: Attributes of C(FEATURES), such as C(acpi) or C(guest_agent).
    type: dict
  attributes:
    description: Further attributes of the template. A null value removes an attribute.
    type: dict
seealso:
  - module: fact8ra.flower.oneflow_template
"""

EXAMPLES = r"""
- name: Template of a SuperNode
  fact8ra.flower.vm_template:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: flower-supernode
    cpu: 1
    vcpu: 2
    memory: 2048
    disks:
      - image: debian-12
        size: 10240
    context:
      NETWORK: "YES"
      TOKEN: "YES"
      REPORT_READY: "YES"
      SSH_PUBLIC_KEY: "{{ site_ssh_public_key }}"
    attributes:
      DESCRIPTION: SuperNode of a Flower federation

- name: The same with a GPU
  fact8ra.flower.vm_template:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: flower-supernode-gpu
    cpu: 8
    memory: 65536
    disks:
      - image: debian-12
    pci:
      - vendor: "10de"
        device: "20b5"
        class: "0302"
    os:
      machine: q35
"""

RETURN = r"""
vm_template:
  description:
    - The VM template, or null when it is absent.
    - In check mode, the template as it is now. When it would be created, its RV(vm_template.id) is null.
  returned: success
  type: dict
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
    template:
      description: All attributes, as OpenNebula has them.
      type: dict
      sample: {"CPU": "1", "MEMORY": "2048"}
"""

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
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vm_template import ManagedVmTemplate

SPEC = CONNECTION.merge(
    IDENTITY,
    STATE,
    PERMISSIONS,
    ArgumentSpec(
        argument_spec={
            "cpu": {"type": "float"},
            "vcpu": {"type": "int"},
            "memory": {"type": "int"},
            "disks": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "image": {"type": "str"},
                    "image_id": {"type": "int"},
                    "size": {"type": "int"},
                    "attributes": {"type": "dict"},
                },
                "mutually_exclusive": [("image", "image_id")],
            },
            "nics": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "network": {"type": "str"},
                    "network_id": {"type": "int"},
                    "attributes": {"type": "dict"},
                },
                "mutually_exclusive": [("network", "network_id")],
            },
            "context": {"type": "dict"},
            "user_inputs": {"type": "dict"},
            "pci": {"type": "list", "elements": "dict"},
            "os": {"type": "dict"},
            "topology": {"type": "dict"},
            "features": {"type": "dict"},
            "attributes": {"type": "dict"},
        },
    ),
)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Bring the VM template to the state that the parameters describe."""
    managed = ManagedVmTemplate(Client.from_params(module.params), module.params)
    return managed.run("vm_template", check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(SPEC.create_module(), run)


if __name__ == "__main__":
    main()
