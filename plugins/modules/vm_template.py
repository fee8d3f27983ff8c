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
  - Creates, clones, updates, renames, locks and deletes a VM template, with its owner and permissions.
  - Only what is given is compared. Other attributes of the template stay.
  - An option that holds a vector or a list of vectors, such as O(context) or O(nics), is compared and written as a
    whole. An empty one removes the attribute.
  - Some attributes may be set by administrators only, as C(VM_RESTRICTED_ATTR) in C(oned.conf) says. The module fails
    and names the attribute when the user is none.
  - The template is not instantiated.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
  - fact8ra.flower._opennebula.identity
  - fact8ra.flower._opennebula.state
  - fact8ra.flower._opennebula.permissions
  - fact8ra.flower._vm_template
  - fact8ra.flower._vm_template.boot
  - fact8ra.flower._vm_template.devices
options:
  context:
    description: Context variables.
    type: dict
  user_inputs:
    description: Inputs to ask for on instantiation, in the notation of OpenNebula.
    type: dict
  description:
    description: What the template is for.
    type: str
    version_added: 1.1.0
  logo:
    description: Path of a picture for the web interface.
    type: str
    version_added: 1.1.0
  labels:
    description: Labels. Replaces those that the template has.
    type: list
    elements: str
    version_added: 1.1.0
  attributes:
    description: Further attributes of the template. A null value removes an attribute.
    type: dict
  clone_of:
    description:
      - VM template, by name or id, that a new one is a copy of. The other options are applied to the copy.
      - A template that is there already is not cloned again, it is compared with the other options only.
    type: str
    version_added: 1.1.0
  clone_images:
    description:
      - Whether O(clone_of) copies the images of the disks too. Options that name images, such as O(disks), then replace
        those copies.
    type: bool
    default: false
    version_added: 1.1.0
  delete_images:
    description:
      - Whether the images of the disks are deleted with the template.
      - While one of them is in use the module fails, says by what, and deletes nothing.
      - OpenNebula deletes the template first. Where it keeps an image then, such as one that the user may not manage,
        the module fails and says which.
    type: bool
    default: false
    version_added: 1.1.0
  locked:
    description: Whether the template is locked against changes. It can be used in either case.
    type: bool
    version_added: 1.1.0
seealso:
  - module: fact8ra.flower.vm_template_info
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
      firmware: UEFI
    cpu_model:
      model: host-passthrough
    topology:
      pin_policy: THREAD

- name: A copy with a volatile disk and the network that the scheduler picks
  fact8ra.flower.vm_template:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: web
    clone_of: debian-12
    description: Web server
    labels: [web, test]
    disks:
      - image: debian-12
      - type: fs
        fs: ext4
        size: 1024
    nics:
      - network_mode: auto
        model: virtio
        security_groups: [web]
    features:
      guest_agent: true
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
    locked:
      description: Whether it is locked.
      type: bool
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
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vm_template_options import argument_spec

SPEC = CONNECTION.merge(
    IDENTITY,
    STATE,
    PERMISSIONS,
    ArgumentSpec(
        argument_spec={
            **argument_spec(),
            "clone_of": {"type": "str"},
            "clone_images": {"type": "bool", "default": False},
            "delete_images": {"type": "bool", "default": False},
            "locked": {"type": "bool"},
        },
    ),
)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Bring the VM template to the state that the parameters describe."""
    promise = module.warn if module.check_mode else None
    managed = ManagedVmTemplate(Client.from_params(module.params), module.params, promise)
    return managed.run("vm_template", check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(SPEC.create_module(), run)


if __name__ == "__main__":
    main()
