#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: flower_supernode
short_description: Register and unregister SuperNodes with a SuperLink
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Brings the SuperNodes that a SuperLink admits to what is listed, all in one call.
  - A SuperNode is recognised by its public key. Flower cannot rename a registered key nor move it to another location.
  - Unregistering a key burns it; Flower never admits it again, and a SuperNode that is online with it ends.
  - Module M(fact8ra.flower.flower_federation_info) lists what is registered, unregistered keys included.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
  - fact8ra.flower._flower
options:
  supernodes:
    description: The SuperNodes.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the SuperNode; in this collection the inventory name of its host.
        type: str
        required: true
      public_key:
        description:
          - OpenSSH public key line of an EC key on a NIST curve, C(ecdsa-sha2-nistp384 AAAA...).
          - Required for O(state=present); with O(state=absent) a name alone means every key of that name.
        type: str
      location:
        description: Latitude and longitude in degrees, such as V(40.4168,-3.7038).
        type: str
  state:
    description: Whether the SuperNodes shall be registered or not.
    type: str
    choices: [present, absent]
    default: present
  purge:
    description:
      - Unregister every key that is not listed, which is how a rotated key or a removed host loses its access.
      - Only with O(state=present).
    type: bool
    default: false
  replace:
    description:
      - Unregister every other key of the names that are listed, each as soon as the SuperNode is online with the key
        that is listed; until then the other key stays, and a warning says so. The last step of a rotation.
      - Keys of other names stay. Only with O(state=present).
    type: bool
    default: false
    version_added: 1.1.0
"""

EXAMPLES = r"""
- name: Admit exactly the SuperNodes of the inventory
  fact8ra.flower.flower_supernode:
    supernodes:
      - name: alpha-supernode-0
        public_key: "{{ lookup('ansible.builtin.file', pki_directory ~ '/supernodes/alpha-supernode-0.pub') }}"
        location: 40.4168,-3.7038
    purge: true
  vars:
    ansible_python_interpreter: /opt/flower/venv/bin/python

- name: End the rotation of a key, the new one being registered and in use
  fact8ra.flower.flower_supernode:
    supernodes:
      - name: alpha-supernode-0
        public_key: "{{ lookup('ansible.builtin.file', pki_directory ~ '/supernodes/alpha-supernode-0.pub') }}"
    replace: true
  vars:
    ansible_python_interpreter: /opt/flower/venv/bin/python

- name: Expel a SuperNode
  fact8ra.flower.flower_supernode:
    supernodes:
      - name: beta-supernode-3
    state: absent
"""

RETURN = r"""
supernodes:
  description: The SuperNodes that are registered now; in check mode those that would be, without ids where new.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the SuperNode.
      type: str
    node_id:
      description: Flower's id of the node, as text because it exceeds what JSON readers take for an integer.
      type: str
    status:
      description: V(registered) before it first connects, then V(online) or V(offline).
      type: str
    fingerprint:
      description: Fingerprint of the public key as C(ssh-keygen -l) prints it.
      type: str
    location:
      description: Latitude and longitude, or empty.
      type: str
registered:
  description: Names of the SuperNodes that were registered.
  returned: success
  type: list
  elements: str
unregistered:
  description: Names, or ids where they have none, of the SuperNodes that were unregistered.
  returned: success
  type: list
  elements: str
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import STATE, ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.argspec import FLOWER
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Control
from ansible_collections.fact8ra.flower.plugins.module_utils._flower.supernodes import reconcile

SPEC = FLOWER.merge(
    STATE,
    ArgumentSpec(
        argument_spec={
            "supernodes": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "public_key": {"type": "str", "no_log": False},
                    "location": {"type": "str"},
                },
            },
            "purge": {"type": "bool", "default": False},
            "replace": {"type": "bool", "default": False},
        },
    ),
)


def apply(module: AnsibleModule) -> Mapping[str, Any]:
    """Register and unregister; raises FlowerFailure naming the SuperNode and the remedy."""
    params = module.params
    control = Control(params["address"], params["root_certificates"], params["timeout"])
    done = reconcile(
        control,
        params["supernodes"],
        params["state"] == "present",
        params["purge"],
        replace=params["replace"],
        check_mode=module.check_mode,
    )
    for warning in done.pop("warnings"):
        module.warn(warning)
    return done


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), apply)


if __name__ == "__main__":
    main()
