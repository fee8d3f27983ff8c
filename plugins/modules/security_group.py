#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage a security group of OpenNebula; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: security_group
short_description: Manage a security group of OpenNebula
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Creates, updates, renames and deletes a security group, with its rules, owner and permissions.
  - The rules are compared as a set. When O(rules) is given, the group has exactly these afterwards.
  - OpenNebula hands changed rules to the running virtual machines by itself, one after the other. O(wait) waits for
    that.
  - A group that a virtual machine or a virtual network uses is not deleted, and never the default group with id 0.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
  - fact8ra.flower._opennebula.identity
  - fact8ra.flower._opennebula.state
  - fact8ra.flower._opennebula.permissions
options:
  description:
    description: What the group is for.
    type: str
  clone_of:
    description:
      - Security group that a new group is made of, by name or id. What other options say comes over that.
      - It means nothing for a group that exists, since OpenNebula does not keep it.
    type: str
    version_added: 1.1.0
  rules:
    description: All rules of the group. What no rule allows is dropped.
    type: list
    elements: dict
    suboptions:
      protocol:
        description: Protocol.
        type: str
        choices: [ALL, TCP, UDP, ICMP, ICMPV6, IPSEC]
        required: true
      rule_type:
        description: Direction, as seen by the virtual machine.
        type: str
        choices: [inbound, outbound]
        required: true
      range:
        description:
          - Ports of TCP or UDP, such as V(22), V(8000:8010) or V(22,443), 15 at most. All ports when not given.
        type: str
      ip:
        description: First address of the peers. All peers when neither this nor a network is given.
        type: str
      size:
        description: Number of addresses from O(rules[].ip) on.
        type: int
      cidrs:
        description:
          - Networks of the peers, such as V(10.8.0.0/24). A rule is made for each of them.
          - OpenNebula counts addresses up to 4294967295, so an IPv6 network has to be a V(/97) or smaller.
          - V(0.0.0.0/0) stands for all peers.
        type: list
        elements: str
      network:
        description: Virtual network of the peers, by name or id.
        type: str
      network_id:
        description: Virtual network of the peers, by id.
        type: int
      icmp_type:
        description: Type of ICMP, such as V(8) for an echo request. All types when not given.
        type: int
      icmpv6_type:
        description: Type of ICMPv6, such as V(128) for an echo request. All types when not given.
        type: int
  attributes:
    description: Further attributes of the template. A null value removes an attribute.
    type: dict
  commit:
    description:
      - Whether to ask OpenNebula again to hand the rules to virtual machines that do not have them yet, or where that
        failed.
      - The module reports a change as long as there are such virtual machines.
    type: bool
    default: false
  wait:
    description:
      - Whether to wait until all virtual machines have the rules. The module fails when they could not be set on some.
    type: bool
    default: false
    version_added: 1.1.0
  wait_timeout:
    description: Most seconds to wait.
    type: int
    default: 120
    version_added: 1.1.0
seealso:
  - module: fact8ra.flower.vnet
"""

EXAMPLES = r"""
- name: SSH and the Fleet API, everything outwards
  fact8ra.flower.security_group:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: flower-superlink
    rules:
      - protocol: TCP
        rule_type: inbound
        range: "22,8443"
      - protocol: ALL
        rule_type: outbound

- name: Ping from the network of the nodes alone, and wait until every virtual machine has that
  fact8ra.flower.security_group:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: flower-nodes
    rules:
      - protocol: ICMP
        rule_type: inbound
        icmp_type: 8
        network: flower
      - protocol: ICMPV6
        rule_type: inbound
      - protocol: TCP
        rule_type: inbound
        range: "22,8000:8010"
        cidrs: [10.71.0.0/16, "fd00:71::/112"]
      - protocol: ALL
        rule_type: outbound
    commit: true
    wait: true

- name: A group like another one
  fact8ra.flower.security_group:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: flower-test
    clone_of: flower-nodes

- name: Delete it
  fact8ra.flower.security_group:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
    name: flower-superlink
    state: absent
"""

RETURN = r"""
security_group:
  description:
    - The security group, or null when it is absent.
    - In check mode, the group as it is now. When it would be created, its RV(security_group.id) is null.
  returned: success
  type: dict
  contains:
    id:
      description: Id.
      type: int
      sample: 100
    name:
      description: Name.
      type: str
      sample: flower-superlink
    uid:
      description: Id of the owner.
      type: int
    gid:
      description: Id of the group of users.
      type: int
    uname:
      description: Name of the owner.
      type: str
    gname:
      description: Name of the group of users.
      type: str
    mode:
      description: Permissions.
      type: str
      sample: "600"
    description:
      description: What it is for, or null.
      type: str
    rules:
      description: Its rules, with the keys of the option and text as values.
      type: list
      elements: dict
      sample: [{"protocol": "TCP", "range": "22,8443", "rule_type": "inbound"}]
    template:
      description: All other attributes.
      type: dict
    updated_vms:
      description: Ids of the virtual machines that have the rules.
      type: list
      elements: int
    outdated_vms:
      description: Ids of the virtual machines that do not have them yet, or where that failed.
      type: list
      elements: int
    updating_vms:
      description: Ids of the virtual machines that are getting them just now.
      type: list
      elements: int
      version_added: 1.1.0
    error_vms:
      description: Ids of the virtual machines where that failed.
      type: list
      elements: int
      version_added: 1.1.0
    used_by:
      description: Who uses the group, as far as the user may see it.
      type: dict
      version_added: 1.1.0
      contains:
        virtual_networks:
          description: Ids of the virtual networks that name it, for all their addresses or for a range.
          type: list
          elements: int
        vms:
          description: Ids of the virtual machines that use it.
          type: list
          elements: int
"""

from collections.abc import Mapping
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
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.security_group import ManagedSecurityGroup

RULE: Mapping[str, Mapping[str, Any]] = {
    "protocol": {"type": "str", "choices": ["ALL", "TCP", "UDP", "ICMP", "ICMPV6", "IPSEC"], "required": True},
    "rule_type": {"type": "str", "choices": ["inbound", "outbound"], "required": True},
    "range": {"type": "str"},
    "ip": {"type": "str"},
    "size": {"type": "int"},
    "cidrs": {"type": "list", "elements": "str"},
    "network": {"type": "str"},
    "network_id": {"type": "int"},
    "icmp_type": {"type": "int"},
    "icmpv6_type": {"type": "int"},
}

SPEC = CONNECTION.merge(
    IDENTITY,
    STATE,
    PERMISSIONS,
    ArgumentSpec(
        argument_spec={
            "description": {"type": "str"},
            "rules": {
                "type": "list",
                "elements": "dict",
                "options": RULE,
                "mutually_exclusive": [("network", "network_id", "ip", "cidrs")],
                "required_together": [("ip", "size")],
            },
            "clone_of": {"type": "str"},
            "attributes": {"type": "dict"},
            "commit": {"type": "bool", "default": False},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 120},
        },
    ),
)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Bring the security group to the state that the parameters describe."""
    promise = module.warn if module.check_mode else None
    managed = ManagedSecurityGroup(Client.from_params(module.params), module.params, promise)
    return managed.run("security_group", check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(SPEC.create_module(), run)


if __name__ == "__main__":
    main()
