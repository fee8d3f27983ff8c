#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage an image of OpenNebula; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Manage an image of OpenNebula
version_added: 1.1.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Creates an image from a file, an address, a marketplace app or another image, or an empty one; changes, renames and
    deletes it.
  - One of O(path), O(url), O(app), O(clone_of) and O(size) is needed to create an image.
  - An image that exists is never made again. These options and O(datastore), O(fs) and O(format) are compared with it
    as far as OpenNebula keeps them, and a warning says where it differs. O(clone_of) and O(marketplace) are not kept.
  - An image in state V(ERROR) fails the module with the reason that OpenNebula has, unless O(enabled) is given.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
  - fact8ra.flower._opennebula.identity
  - fact8ra.flower._opennebula.state
  - fact8ra.flower._opennebula.permissions
options:
  path:
    description:
      - File on the front-end of OpenNebula, by its absolute path. The datastore has to permit its directory
        (C(SAFE_DIRS)).
    type: str
  url:
    description: Address that OpenNebula downloads the image from, with C(http) or C(https).
    type: str
  app:
    description: Marketplace app of type V(IMAGE), by name or id.
    type: str
  marketplace:
    description: Marketplace of the app, by name or id. Needed when several have an app of that name.
    type: str
  clone_of:
    description:
      - Image to copy, by name or id. OpenNebula copies those of type V(OS), V(DATABLOCK) and V(CDROM), without
        snapshots.
    type: str
  size:
    description: Size of an empty image in MB. OpenNebula finds out the size of all others.
    type: int
  fs:
    description: File system to make in an empty image, such as V(ext4) or V(xfs).
    type: str
  format:
    description:
      - Format of an empty image, such as V(raw) or V(qcow2). A datastore with a C(DRIVER) of its own decides instead.
    type: str
  datastore:
    description:
      - Datastore of a new image, by name or id.
      - When it is not given, a copy goes to the datastore of its origin. All others go to the datastore with the
        lowest id that the user may use, that is enabled, and that is for files (O(type=KERNEL), O(type=RAMDISK),
        O(type=CONTEXT)) or for images (all other types).
    type: str
  type:
    description:
      - Type. When it is not given, an app or its origin decides, an empty image is a V(DATABLOCK), and all others are
        what the front-end has as its default, V(OS) usually.
      - V(OS), V(CDROM) and V(DATABLOCK) can be changed into each other, and V(KERNEL), V(RAMDISK) and V(CONTEXT).
      - V(FILESYSTEM) needs OpenNebula 7.2.
    type: str
    choices: [OS, CDROM, DATABLOCK, KERNEL, RAMDISK, CONTEXT, FILESYSTEM]
  persistent:
    description:
      - Whether a virtual machine writes into the image itself, so that only one can use it.
      - Cannot be changed while virtual machines use the image.
    type: bool
  enabled:
    description:
      - Whether new virtual machines may use the image. Cannot be changed while virtual machines use it.
      - With V(true), OpenNebula takes an image in state V(ERROR) for ready, without another try to write it.
    type: bool
  description:
    description: What the image is for.
    type: str
  dev_prefix:
    description: Prefix of the device in virtual machines, such as V(vd) or V(sd).
    type: str
  target:
    description: Device in virtual machines, such as V(vda).
    type: str
  attributes:
    description: Further attributes of the template. A null value removes an attribute.
    type: dict
  locked:
    description: Whether the image is locked against changes. It can be used in either case.
    type: bool
  force:
    description:
      - With O(state=absent), also delete an image that OpenNebula is still writing. Files may stay in the datastore.
      - An image that virtual machines use is never deleted.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until the image is written, or gone. State V(ERROR) ends the wait at once.
    type: bool
    default: true
  wait_timeout:
    description: Most seconds to wait.
    type: int
    default: 600
seealso:
  - module: fact8ra.flower.image_info
  - module: fact8ra.flower.vm_template
"""

EXAMPLES = r"""
- name: Debian from the public marketplace
  fact8ra.flower.image:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: debian-12
    app: Debian 12
    marketplace: OpenNebula Public
    datastore: default
    mode: "640"

- name: From an address
  fact8ra.flower.image:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: debian-13
    url: https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2
    type: OS
    dev_prefix: vd
    wait_timeout: 1800

- name: An empty disk for data
  fact8ra.flower.image:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: patients
    size: 20480
    fs: ext4
    persistent: true

- name: A copy
  fact8ra.flower.image:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: debian-12-test
    clone_of: debian-12

- name: Delete it
  fact8ra.flower.image:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: debian-12-test
    state: absent
"""

RETURN = r"""
image:
  description:
    - The image, or null when it is absent.
    - In check mode, the image as it is now. When it would be created, its RV(image.id) is null.
  returned: success
  type: dict
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

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import (
    CONNECTION,
    IDENTITY,
    PERMISSIONS,
    STATE,
    ArgumentSpec,
    wait_spec,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.image_managed import ManagedImage

SPEC = CONNECTION.merge(
    IDENTITY,
    STATE,
    PERMISSIONS,
    wait_spec(600),
    ArgumentSpec(
        argument_spec={
            "path": {"type": "str"},
            "url": {"type": "str"},
            "app": {"type": "str"},
            "marketplace": {"type": "str"},
            "clone_of": {"type": "str"},
            "size": {"type": "int"},
            "fs": {"type": "str"},
            "format": {"type": "str"},
            "datastore": {"type": "str"},
            "type": {
                "type": "str",
                "choices": ["OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT", "FILESYSTEM"],
            },
            "persistent": {"type": "bool"},
            "enabled": {"type": "bool"},
            "description": {"type": "str"},
            "dev_prefix": {"type": "str"},
            "target": {"type": "str"},
            "attributes": {"type": "dict"},
            "locked": {"type": "bool"},
            "force": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("path", "url", "app", "clone_of", "size")],
        required_by={"marketplace": ("app",), "fs": ("size",), "format": ("size",)},
    ),
)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Bring the image to the state that the parameters describe."""
    client = Client.from_params(module.params)
    managed = ManagedImage(client, module.params, module.warn, check_mode=module.check_mode)
    return managed.run("image", check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(SPEC.create_module(), run)


if __name__ == "__main__":
    main()
