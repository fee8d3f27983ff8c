#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage an address range of a virtual network of OpenNebula; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vnet_address_range
short_description: Manage an address range of a virtual network of OpenNebula
version_added: 1.1.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Adds, updates and removes one address range, and leaves the others of the network alone.
    M(fact8ra.flower.vnet) manages all ranges of a network at once.
  - A range is known by its O(id), or by where it begins. For the latter, the first given of O(ip), O(ip6), O(mac),
    O(global_prefix) and O(ula_prefix) counts.
  - Type and first addresses of a range never change. When they are given and differ, the module fails.
  - Adding and removing needs the right to administer the network, which owners do not have by default. Updating, and
    giving back a range of a reservation, needs only the right to manage it.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
  - fact8ra.flower._opennebula.state
  - fact8ra.flower._waiting
options:
  network:
    description: Virtual network, by name or id. With O(state=absent) it need not exist.
    type: str
    required: true
  id:
    description: Id of the range within its network. The range has to exist, unless O(state=absent).
    type: int
  type:
    description:
      - Kind of addresses. V(IP6) and V(IP4_6) are made of a prefix and the MAC address, as in SLAAC.
      - If not given, a new range is of the kind that the given addresses tell. O(mac) alone tells V(ETHER).
    type: str
    choices: [IP4, IP6, IP6_STATIC, IP4_6, IP4_6_STATIC, ETHER]
  ip:
    description: First IPv4 address. Needed to add V(IP4), V(IP4_6) and V(IP4_6_STATIC).
    type: str
  ip6:
    description: First IPv6 address. Needed to add V(IP6_STATIC) and V(IP4_6_STATIC).
    type: str
  mac:
    description: First MAC address. OpenNebula derives it otherwise.
    type: str
  global_prefix:
    description: Global IPv6 prefix of V(IP6) and V(IP4_6), such as V(2001:db8:a::).
    type: str
  ula_prefix:
    description: Unique local IPv6 prefix of V(IP6) and V(IP4_6), such as V(fd00:a::).
    type: str
  size:
    description:
      - Number of addresses. Needed to add a range, but for V(IP6_STATIC) and V(IP4_6_STATIC), where OpenNebula takes
        what the prefix leaves.
      - The size of a range of a reservation does not change. M(fact8ra.flower.vnet_reservation) extends a reservation.
    type: int
  prefix_length:
    description: Length of the IPv6 prefix. Needed to add V(IP6_STATIC) and V(IP4_6_STATIC).
    type: int
  security_groups:
    description:
      - Security groups for the addresses of this range, by name or id, beside those of the network. Replaces those that
        the range has.
    type: list
    elements: str
  attributes:
    description:
      - Further attributes of the range, such as C(GATEWAY), C(DNS) or C(IPAM_MAD). They count before those of the
        network. A null value removes an attribute; those that are not given stay.
    type: dict
  force:
    description:
      - Whether to remove a range whose addresses are in use.
      - The holders keep them. OpenNebula knows nothing of it any more and can give the same addresses to others, when
        they are in another range.
      - Without it, the module waits while virtual machines are being removed, and fails when a holder stays.
    type: bool
    default: false
seealso:
  - module: fact8ra.flower.vnet
  - module: fact8ra.flower.vnet_reservation
"""

EXAMPLES = r"""
- name: Fifty more addresses with a gateway of their own
  fact8ra.flower.vnet_address_range:
    endpoint: http://one.example.com:2633/RPC2
    username: oneadmin
    password: "{{ one_password }}"
    network: flower
    ip: 10.71.2.10
    size: 50
    attributes:
      GATEWAY: 10.71.2.1

- name: IPv6 addresses from the prefix and the MAC address
  fact8ra.flower.vnet_address_range:
    endpoint: http://one.example.com:2633/RPC2
    username: oneadmin
    password: "{{ one_password }}"
    network: flower
    type: IP6
    global_prefix: "2001:db8:71::"
    size: 100

- name: Make it larger
  fact8ra.flower.vnet_address_range:
    endpoint: http://one.example.com:2633/RPC2
    username: oneadmin
    password: "{{ one_password }}"
    network: flower
    ip: 10.71.2.10
    size: 80

- name: Remove the first one
  fact8ra.flower.vnet_address_range:
    endpoint: http://one.example.com:2633/RPC2
    username: oneadmin
    password: "{{ one_password }}"
    network: flower
    id: 0
    state: absent
"""

RETURN = r"""
address_range:
  description:
    - The range, or null when it is absent. It has further attributes under their names in small letters.
    - In check mode, the range as it is now, or as it would be added, with a null RV(address_range.id).
  returned: success
  type: dict
  contains:
    network_id:
      description: Id of its network.
      type: int
      sample: 4
    id:
      description: Id within the network.
      type: int
      sample: 0
    type:
      description: Kind of addresses.
      type: str
      sample: IP4
    size:
      description: Number of addresses.
      type: int
      sample: 50
    ip:
      description: First IPv4 address.
      returned: when it has IPv4 addresses
      type: str
      sample: 10.71.2.10
    ip_end:
      description: Last IPv4 address.
      returned: when it has IPv4 addresses
      type: str
      sample: 10.71.2.59
    ip6:
      description: First IPv6 address.
      returned: when its IPv6 addresses are static
      type: str
    ip6_end:
      description: Last IPv6 address.
      returned: when its IPv6 addresses are static
      type: str
    prefix_length:
      description: Length of the IPv6 prefix.
      returned: when its IPv6 addresses are static
      type: str
    global_prefix:
      description: Global IPv6 prefix.
      returned: when it has one
      type: str
    ula_prefix:
      description: Unique local IPv6 prefix.
      returned: when it has one
      type: str
    mac:
      description: First MAC address.
      type: str
      sample: 02:00:0a:47:02:0a
    mac_end:
      description: Last MAC address.
      type: str
    leases:
      description: Addresses in use, each with the id of its holder under C(vm), C(vnet) or C(vrouter).
      type: list
      elements: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import CONNECTION, STATE, WAIT, ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.address_range import AddressRange
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client

SPEC = CONNECTION.merge(
    STATE,
    WAIT,
    ArgumentSpec(
        argument_spec={
            "network": {"type": "str", "required": True},
            "id": {"type": "int"},
            "type": {"type": "str", "choices": ["IP4", "IP6", "IP6_STATIC", "IP4_6", "IP4_6_STATIC", "ETHER"]},
            "ip": {"type": "str"},
            "ip6": {"type": "str"},
            "mac": {"type": "str"},
            "global_prefix": {"type": "str"},
            "ula_prefix": {"type": "str"},
            "size": {"type": "int"},
            "prefix_length": {"type": "int"},
            "security_groups": {"type": "list", "elements": "str"},
            "attributes": {"type": "dict"},
            "force": {"type": "bool", "default": False},
        },
        required_one_of=[("id", "ip", "ip6", "mac", "global_prefix", "ula_prefix")],
    ),
)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Bring the range to the state that the parameters describe."""
    promise = module.warn if module.check_mode else None
    managed = AddressRange(Client.from_params(module.params), module.params, promise)
    return managed.run(check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(SPEC.create_module(), run)


if __name__ == "__main__":
    main()
