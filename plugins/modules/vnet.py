#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage a virtual network of OpenNebula; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: vnet
short_description: Manage a virtual network of OpenNebula
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Creates, updates, renames and deletes a virtual network, with its address ranges, security groups, cluster, owner,
    permissions and lock.
  - Only what is given is compared. What OpenNebula and others add to the network stays, unless
    O(update_mode=replace).
  - Of a reservation, what it has from its parent network is neither compared nor changed. This is O(vn_mad),
    O(bridge), O(bridge_type), O(phydev), the VLAN ids and O(address_ranges). M(fact8ra.flower.vnet_reservation) makes
    and extends reservations.
  - Many attributes may be set by administrators only, as C(VNET_RESTRICTED_ATTR) in C(oned.conf) says. The module
    fails and names the attribute when the user is none.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
  - fact8ra.flower._opennebula.identity
  - fact8ra.flower._opennebula.state
  - fact8ra.flower._opennebula.permissions
  - fact8ra.flower._vnet
  - fact8ra.flower._vnet.guest
  - fact8ra.flower._waiting
options:
  security_groups:
    description: Security groups for every address, by name or id. Replaces those that the network has.
    type: list
    elements: str
  attributes:
    description: Further attributes of the template, and those that have an option. A null value removes an attribute.
    type: dict
  update_mode:
    description:
      - With V(merge), attributes and address ranges that are not given stay.
      - With V(replace), they are removed, and clusters that are not given are left. The network driver, what it
        derives, and the security groups stay.
    type: str
    choices: [merge, replace]
    default: merge
  address_ranges:
    description:
      - Address ranges, in any order. Missing ones are added. One of the same type that begins at the same addresses is
        updated where its size, prefixes or attributes differ.
      - Removing and shrinking wait while leases of virtual machines linger that are being removed, and are tried again
        when somebody else changes the network meanwhile, for O(wait_timeout) seconds.
      - Adding ranges to an existing network and removing them needs the right to administer it, which owners do not
        have by default.
    type: list
    elements: dict
    suboptions:
      type:
        description: Kind of addresses.
        type: str
        choices: [IP4, IP6, IP6_STATIC, IP4_6, IP4_6_STATIC, ETHER]
        default: IP4
      ip:
        description: First IPv4 address.
        type: str
      ip6:
        description: First IPv6 address of a static range.
        type: str
      mac:
        description: First MAC address. OpenNebula derives it otherwise.
        type: str
      size:
        description: Number of addresses.
        type: int
        required: true
      prefix_length:
        description: Length of the IPv6 prefix of a static range.
        type: int
      global_prefix:
        description: Global IPv6 prefix.
        type: str
      ula_prefix:
        description: Unique local IPv6 prefix.
        type: str
      attributes:
        description: Further attributes of the range, such as C(GATEWAY). A null value removes an attribute.
        type: dict
        version_added: 1.1.0
  cluster:
    description: Cluster, by name or id, that the network has to be in. It stays in others with O(update_mode=merge).
    type: str
  clusters:
    description:
      - As O(cluster), for several. With O(update_mode=replace) the network is taken out of all others.
    type: list
    elements: str
    version_added: 1.1.0
  locked:
    description: Whether the network is locked against changes. It can be used in either case.
    type: bool
seealso:
  - module: fact8ra.flower.vnet_info
  - module: fact8ra.flower.vnet_address_range
  - module: fact8ra.flower.vnet_reservation
  - module: fact8ra.flower.security_group
"""

EXAMPLES = r"""
- name: Network of the federation
  fact8ra.flower.vnet:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: flower
    vn_mad: bridge
    bridge: br0
    network_address: 10.71.1.0
    network_mask: 255.255.255.0
    gateway: 10.71.1.1
    dns: 10.71.1.1
    security_groups: [flower-nodes]
    address_ranges:
      - ip: 10.71.1.10
        size: 50
    mode: "640"

- name: VXLAN with an id that OpenNebula picks, and limits for each interface
  fact8ra.flower.vnet:
    endpoint: http://one.example.com:2633/RPC2
    username: oneadmin
    password: "{{ one_password }}"
    name: tenants
    vn_mad: vxlan
    phydev: bond0
    automatic_vlan_id: true
    mtu: 1450
    ip_link_conf:
      udpcsum: ""
      tos: 10
    qos:
      inbound_avg_bw: 12500
      outbound_avg_bw: 12500
    filter_mac_spoofing: true
    filter_ip_spoofing: true
    clusters: [default, edge]
    address_ranges:
      - type: IP4_6_STATIC
        ip: 10.72.0.10
        ip6: 2001:db8:72::10
        prefix_length: 64
        size: 100

- name: Give it another name
  fact8ra.flower.vnet:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    id: 4
    name: flower-lab

- name: Delete it
  fact8ra.flower.vnet:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: flower-lab
    state: absent
"""

RETURN = r"""
vnet:
  description:
    - The network, or null when it is absent.
    - In check mode, the network as it is now. When it would be created, its RV(vnet.id) is null.
  returned: success
  type: dict
  contains:
    id:
      description: Id.
      type: int
      sample: 4
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
      sample: "640"
    state:
      description: State.
      type: str
      sample: READY
    locked:
      description: Whether it is locked.
      type: bool
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
      description: VLAN id, the given or the automatic one.
      type: str
    clusters:
      description: Ids of its clusters.
      type: list
      elements: int
    parent_network_id:
      description: Id of the network that it is a reservation of, otherwise null.
      type: int
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
    address_ranges:
      description: Address ranges with the keys C(id), C(size), C(type), C(ip), C(mac) and so on.
      type: list
      elements: dict
"""

from collections.abc import Mapping
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
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet import ManagedVnet
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet_options import DRIVER, GUEST

RANGE: Mapping[str, Mapping[str, Any]] = {
    "type": {
        "type": "str",
        "choices": ["IP4", "IP6", "IP6_STATIC", "IP4_6", "IP4_6_STATIC", "ETHER"],
        "default": "IP4",
    },
    "ip": {"type": "str"},
    "ip6": {"type": "str"},
    "mac": {"type": "str"},
    "size": {"type": "int", "required": True},
    "prefix_length": {"type": "int"},
    "global_prefix": {"type": "str"},
    "ula_prefix": {"type": "str"},
    "attributes": {"type": "dict"},
}

SPEC = CONNECTION.merge(
    IDENTITY,
    STATE,
    PERMISSIONS,
    WAIT,
    ArgumentSpec(
        argument_spec={
            **DRIVER,
            **GUEST,
            "security_groups": {"type": "list", "elements": "str"},
            "attributes": {"type": "dict"},
            "update_mode": {"type": "str", "choices": ["merge", "replace"], "default": "merge"},
            "address_ranges": {"type": "list", "elements": "dict", "options": RANGE},
            "cluster": {"type": "str"},
            "clusters": {"type": "list", "elements": "str"},
            "locked": {"type": "bool"},
        },
        mutually_exclusive=[("cluster", "clusters")],
    ),
)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Bring the network to the state that the parameters describe."""
    promise = module.warn if module.check_mode else None
    managed = ManagedVnet(Client.from_params(module.params), module.params, promise)
    return managed.run("vnet", check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(SPEC.create_module(), run)


if __name__ == "__main__":
    main()
