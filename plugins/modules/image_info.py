#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List images of OpenNebula; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: List images of OpenNebula
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Returns images with their state, type and size.
  - It is no error when nothing fits.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.info_module
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
options:
  id:
    description: Only the image with this id.
    type: int
  name:
    description: Only the images of this name, whoever owns them.
    type: str
  filter:
    description:
      - Whose images. V(all) are those that the user may use, V(mine) those that it owns, V(group) those that it or its
        groups own.
    type: str
    choices: [all, mine, group]
    default: all
"""

EXAMPLES = r"""
- name: Look for the image of the federation
  fact8ra.flower.image_info:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: debian-12
  register: image
  failed_when: image.images | selectattr('state', 'in', ['READY', 'USED']) | length != 1
"""

RETURN = r"""
images:
  description: The images, by id.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id.
      type: int
      sample: 1
    name:
      description: Name.
      type: str
      sample: debian-12
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
      sample: "604"
    state:
      description: State, such as V(READY), V(USED), V(LOCKED) or V(ERROR).
      type: str
      sample: READY
    type:
      description: Type, such as V(OS) or V(DATABLOCK).
      type: str
      sample: OS
    persistent:
      description: Whether a virtual machine writes into the image itself.
      type: bool
    size:
      description: Size in MB.
      type: int
      sample: 2252
    format:
      description: Format, or null when it is not known.
      type: str
      sample: qcow2
    datastore_id:
      description: Id of its datastore.
      type: int
    datastore:
      description: Name of its datastore.
      type: str
    running_vms:
      description: Number of virtual machines that use it.
      type: int
    vms:
      description: Ids of the virtual machines that use it.
      type: list
      elements: int
    template:
      description: Further attributes, as OpenNebula has them.
      type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import CONNECTION, INFO
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.image import facts
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import IMAGE, Objects

SPEC = CONNECTION.merge(INFO)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Return the images that the parameters pick."""
    found = Objects(Client.from_params(module.params)).selected(IMAGE, module.params)
    return {"changed": False, "images": [facts(raw) for raw in found]}


def main() -> None:
    """Entry point."""
    run_module(SPEC.create_module(), run)


if __name__ == "__main__":
    main()
