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
  - Returns images with their state, type and size, where they come from, who uses them, and why one is in error.
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

- name: Ask why images are in error
  fact8ra.flower.image_info:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    filter: mine
  register: mine

- name: Show it
  ansible.builtin.debug:
    msg: "{{ mine.images | selectattr('state', 'eq', 'ERROR') | items2dict(key_name='name', value_name='error') }}"
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
    enabled:
      description: Whether new virtual machines may use it, as far as its state says.
      type: bool
    locked:
      description: Whether it is locked against changes. State V(LOCKED) means something else, that it is being written.
      type: bool
    size:
      description: Size in MB.
      type: int
      sample: 2252
    format:
      description: Format, or null when it is not known.
      type: str
      sample: qcow2
    fs:
      description: File system that it was made with, or null.
      type: str
    path:
      description: Path or URL that it was made of, or null.
      type: str
    source:
      description: Where its datastore keeps it, or null.
      type: str
    from_app:
      description: Id of the marketplace app that it was made of, or null.
      type: int
    from_app_name:
      description: Name of that app, or null.
      type: str
    description:
      description: What it is for, or null.
      type: str
    error:
      description: Why it is in state V(ERROR), or null. OpenNebula keeps the last reason.
      type: str
    regtime:
      description: When it was made, in seconds since 1970.
      type: int
    modtime:
      description: When its content was last changed, in seconds since 1970, or null.
      type: int
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
    cloning_id:
      description: Id of the image that it is being copied from, or null.
      type: int
    clones:
      description: Ids of the images that are being copied from it.
      type: list
      elements: int
    app_clones:
      description: Ids of the marketplace apps that are being made of it.
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
