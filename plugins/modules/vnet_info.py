#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List virtual networks of OpenNebula; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vnet_info
short_description: List virtual networks of OpenNebula
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Returns virtual networks with their address ranges. Those that O(id) or O(name) picks come with their leases too.
  - It is no error when nothing fits.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.info_module
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
options:
  id:
    description: Only the network with this id.
    type: int
  name:
    description: Only the networks of this name, whoever owns them.
    type: str
  filter:
    description:
      - Whose networks. V(all) are those that the user may use, V(mine) those that it owns, V(group) those that it or
        its groups own.
    type: str
    choices: [all, mine, group]
    default: all
seealso:
  - module: fact8ra.flower.vnet
"""

EXAMPLES = r"""
- name: All networks that the user may use
  fact8ra.flower.vnet_info:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
  register: networks

- name: Who has which address
  fact8ra.flower.vnet_info:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: flower
  register: network
"""

RETURN = r"""
vnets:
  description:
    - The networks, by id. They have the keys that M(fact8ra.flower.vnet) returns.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id.
      type: int
      sample: 4
    name:
      description: Name.
      type: str
      sample: flower
    state:
      description: State.
      type: str
      sample: READY
    used_leases:
      description: Number of addresses in use.
      type: int
    address_ranges:
      description:
        - Address ranges with the keys C(id), C(size), C(type), C(ip), C(mac) and so on.
        - With O(id) or O(name) they have C(ip_end), C(mac_end) and C(leases) too. A lease has the keys C(ip), C(mac)
          and the id of its holder under C(vm), C(vnet) or C(vrouter).
      type: list
      elements: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import CONNECTION, INFO
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import VNET, Objects
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet_facts import facts

SPEC = CONNECTION.merge(INFO)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Return the networks that the parameters pick."""
    objects = Objects(Client.from_params(module.params))
    found = objects.selected(VNET, module.params)
    picked = module.params["name"] is not None or module.params["id"] is not None
    if module.params["name"] is not None:
        # the pool's answer has no leases
        read = [objects.by_id(VNET, int(raw["ID"])) for raw in found]
        found = [raw for raw in read if raw is not None]
    return {"changed": False, "vnets": [facts(raw, leases=picked) for raw in found]}


def main() -> None:
    """Entry point."""
    run_module(SPEC.create_module(), run)


if __name__ == "__main__":
    main()
