#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reserve addresses of a virtual network of OpenNebula; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vnet_reservation
short_description: Reserve addresses of a virtual network of OpenNebula
version_added: 1.1.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Takes addresses of a virtual network into a network of the user's own, extends such a reservation, and frees it.
    That needs only the right to use the network, so it is the way to a network for users who may create none.
  - A reservation is known by O(id) or O(name). One of that name from another network is an error, and so is a network
    that is no reservation.
  - Driver, bridge and VLAN ids are those of the network. M(fact8ra.flower.vnet) sets everything else that a reservation
    may have of its own.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
  - fact8ra.flower._opennebula.identity
  - fact8ra.flower._opennebula.state
  - fact8ra.flower._opennebula.permissions
  - fact8ra.flower._waiting
options:
  network:
    description: Virtual network to reserve from, by name or id. Needed to create a reservation.
    type: str
  size:
    description:
      - Number of addresses that the reservation has in all. Needed to create one.
      - OpenNebula reserves addresses that follow each other. When the reservation has fewer than this, the missing ones
        are reserved as a range of their own.
      - When it has more, the module fails and lists its ranges, since only whole ranges can be freed. See O(range_id).
    type: int
  address_range:
    description: Id of the address range of O(network) to take addresses from. It counts only when some are taken.
    type: int
  ip:
    description:
      - First IPv4 address to reserve. O(address_range) is found by it where it is not given.
      - A reservation with a range that begins there is not changed, and may be extended by addresses from anywhere. One
        without is extended from there.
    type: str
  ip6:
    description: First IPv6 address to reserve, as O(ip).
    type: str
  mac:
    description: First MAC address to reserve, as O(ip).
    type: str
  security_groups:
    description: Security groups for every address, by name or id. Replaces those that come from O(network).
    type: list
    elements: str
  attributes:
    description:
      - Attributes of the reservation's own, such as C(DESCRIPTION), C(GATEWAY) or C(GUEST_MTU). A null value removes an
        attribute; those that are not given stay.
    type: dict
  range_id:
    description:
      - Id of one address range of the reservation, not of O(network). With O(state=absent) only this range is freed,
        and the reservation stays.
    type: int
seealso:
  - module: fact8ra.flower.vnet
  - module: fact8ra.flower.vnet_address_range
"""

EXAMPLES = r"""
- name: Twenty addresses of a shared network
  fact8ra.flower.vnet_reservation:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    network: shared
    name: flower
    size: 20
    attributes:
      DESCRIPTION: Federation
  register: reserved

- name: Five addresses from a certain one on
  fact8ra.flower.vnet_reservation:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    network: shared
    name: front-ends
    size: 5
    ip: 10.71.1.100

- name: Ten more
  fact8ra.flower.vnet_reservation:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: flower
    size: 30

- name: Give the ten back
  fact8ra.flower.vnet_reservation:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: flower
    range_id: 1
    state: absent

- name: Give all back
  fact8ra.flower.vnet_reservation:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: flower
    state: absent
"""

RETURN = r"""
reservation:
  description:
    - The reservation, or null when it is absent. It has the keys that M(fact8ra.flower.vnet) returns, and two more.
    - In check mode, the reservation as it is now. When it would be created, its RV(reservation.id) is null.
  returned: success
  type: dict
  contains:
    id:
      description: Id.
      type: int
      sample: 7
    name:
      description: Name.
      type: str
      sample: flower
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
      sample: "600"
    state:
      description: State.
      type: str
      sample: READY
    locked:
      description: Whether it is locked.
      type: bool
    parent_network_id:
      description: Id of the network that it is reserved from.
      type: int
      sample: 4
    vn_mad:
      description: Network driver.
      type: str
    bridge:
      description: Bridge.
      type: str
    phydev:
      description: Physical device.
      type: str
    vlan_id:
      description: VLAN id.
      type: str
    clusters:
      description: Ids of its clusters.
      type: list
      elements: int
    security_groups:
      description: Ids of its security groups.
      type: list
      elements: int
    template:
      description: All attributes, as OpenNebula has them.
      type: dict
    used_leases:
      description: Number of addresses in use.
      type: int
    size:
      description: Number of addresses.
      type: int
      sample: 20
    addresses:
      description:
        - Its addresses one by one, IPv4 where it has them, otherwise static IPv6, otherwise MAC addresses.
        - Null when it has more than 4096.
      type: list
      elements: str
      sample: [10.71.1.10, 10.71.1.11]
    address_ranges:
      description:
        - Address ranges with the keys C(id), C(size), C(type), C(ip), C(mac) and so on. C(parent_network_ar_id) is the
          id of the range of the network that it is a part of.
      type: list
      elements: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import (
    CONNECTION,
    IDENTITY,
    PERMISSIONS,
    STATE,
    WAIT,
    ArgumentSpec,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.reservation import Reservation, free_range

SPEC = CONNECTION.merge(
    IDENTITY,
    STATE,
    PERMISSIONS,
    WAIT,
    ArgumentSpec(
        argument_spec={
            "network": {"type": "str"},
            "size": {"type": "int"},
            "address_range": {"type": "int"},
            "ip": {"type": "str"},
            "ip6": {"type": "str"},
            "mac": {"type": "str"},
            "security_groups": {"type": "list", "elements": "str"},
            "attributes": {"type": "dict"},
            "range_id": {"type": "int"},
        },
        mutually_exclusive=[("ip", "ip6", "mac")],
    ),
)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Bring the reservation to the state that the parameters describe."""
    client = Client.from_params(module.params)
    if module.params["range_id"] is not None:
        if module.params["state"] != "absent":
            raise InvalidInput(
                "range_id says which range to free and needs state: absent.", details={"option": "range_id"}
            )
        return free_range(client, module.params, check_mode=module.check_mode)
    promise = module.warn if module.check_mode else None
    return Reservation(client, module.params, promise).run("reservation", check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(SPEC.create_module(), run)


if __name__ == "__main__":
    main()
