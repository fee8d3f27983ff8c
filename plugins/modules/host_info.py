#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List hosts of OpenNebula; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: List hosts of OpenNebula
version_added: 1.1.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Returns hosts with their state, capacity, PCI devices and who holds each, and NUMA nodes. Can wait until a host has
    certain PCI devices.
  - It is no error when nothing fits, unless O(devices) or O(absent_devices) are waited for.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.info_module
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
options:
  id:
    description: Only the host with this id.
    type: int
  name:
    description: Only the host of this name.
    type: str
  devices:
    description:
      - Addresses of PCI devices, such as V(0000:41:00.0), that the host of O(id) or O(name) shall have in its pool. The
        module waits until they are there, and otherwise fails with those that are missing and what to look at.
      - OpenNebula looks at the devices of its hosts every ten minutes. M(fact8ra.flower.host_pci_filter) has it look at
        once.
    type: list
    elements: str
    default: []
  absent_devices:
    description:
      - Addresses of PCI devices that the host shall not have in its pool, such as those that it keeps for itself. The
        module waits until they are gone, and otherwise fails with those that are there.
    type: list
    elements: str
    default: []
  wait_timeout:
    description: Seconds to wait for O(devices) and O(absent_devices); V(0) is one look.
    type: int
    default: 300
seealso:
  - module: fact8ra.flower.host_pci_filter
"""

EXAMPLES = r"""
- name: Which PCI devices are free
  fact8ra.flower.host_info:
    endpoint: http://one.example.com:2633/RPC2
    username: flower
    password: "{{ one_password }}"
  register: all

- name: Show them by host
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.pci_devices | selectattr('vm', 'none') | map(attribute='address') | join(', ') }}"
  loop: "{{ all.hosts }}"
  loop_control:
    label: "{{ item.name }}"

- name: Wait until OpenNebula knows the GPUs of a host
  fact8ra.flower.host_info:
    endpoint: http://one.example.com:2633/RPC2
    username: oneadmin
    password: "{{ one_password }}"
    name: kvm1.example.com
    devices: ["0000:41:00.0", "0000:81:00.0"]
"""

RETURN = r"""
hosts:
  description: The hosts, by id.
  returned: success
  type: list
  elements: dict
  contains:
    id:
      description: Id.
      type: int
      sample: 0
    name:
      description: Name.
      type: str
      sample: kvm1.example.com
    state:
      description: State, such as V(MONITORED), V(INIT), V(ERROR), V(DISABLED) or V(OFFLINE).
      type: str
      sample: MONITORED
    error:
      description: Why the last monitoring failed, or null.
      type: str
    cluster_id:
      description: Id of its cluster.
      type: int
    cluster:
      description: Name of its cluster.
      type: str
      sample: default
    im_mad:
      description: Its information driver.
      type: str
      sample: kvm
    vm_mad:
      description: Its virtualization driver.
      type: str
      sample: kvm
    cpu:
      description:
        - CPU in per cent of one, with the keys C(total), C(max) (what VMs may have) and C(used) (what they have).
      type: dict
      sample: {total: 800, max: 800, used: 200}
    memory:
      description: Memory in KB, with the same keys.
      type: dict
      sample: {total: 16777216, max: 16777216, used: 2097152}
    running_vms:
      description: Number of virtual machines on it.
      type: int
    vms:
      description: Ids of these.
      type: list
      elements: int
    pci_devices:
      description: The devices in its PCI pool, by address.
      type: list
      elements: dict
      contains:
        address:
          description: Address as the kernel writes it.
          type: str
          sample: "0000:41:00.0"
        short_address:
          description: Address as OpenNebula's templates have it.
          type: str
          sample: "41:00.0"
        vendor:
          description: Id of the vendor.
          type: str
          sample: 10de
        device:
          description: Id of the device.
          type: str
          sample: 20b5
        class:
          description: Class.
          type: str
          sample: "0302"
        vendor_name:
          description: Name of the vendor.
          type: str
          sample: NVIDIA Corporation
        device_name:
          description: Name of the device.
          type: str
        class_name:
          description: Name of the class.
          type: str
          sample: 3D controller
        numa_node:
          description: Its NUMA node, or null.
          type: int
        profiles:
          description: The vGPU profiles that it offers.
          type: list
          elements: str
        vm:
          description: Id of the virtual machine that holds it, or null.
          type: int
    numa_nodes:
      description: Its NUMA nodes.
      type: list
      elements: dict
      contains:
        id:
          description: Number of the node.
          type: int
        memory:
          description: Memory in KB, C(total) and C(used).
          type: dict
        distance:
          description: The nodes, the nearest first.
          type: list
          elements: int
        cores:
          description:
            - Its cores, with C(id), C(free) (threads), C(dedicated) and C(cpus). The latter are threads with C(id) and
              C(vm), the id of the virtual machine that is pinned to it, or null.
          type: list
          elements: dict
        hugepages:
          description: Huge pages by C(size) in KB, with C(pages) and C(usage).
          type: list
          elements: dict
    template:
      description: Further attributes, as OpenNebula has them.
      type: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import CONNECTION, ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.host import (
    checked_addresses,
    facts,
    find,
    missing_devices,
    not_found,
    present_devices,
    wait_devices,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import HOST, Objects

SPEC = CONNECTION.merge(
    ArgumentSpec(
        argument_spec={
            "id": {"type": "int"},
            "name": {"type": "str"},
            "devices": {"type": "list", "elements": "str", "default": []},
            "absent_devices": {"type": "list", "elements": "str", "default": []},
            "wait_timeout": {"type": "int", "default": 300},
        },
        mutually_exclusive=[("id", "name")],
    ),
)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Return the hosts that the parameters pick; wait for devices."""
    params = module.params
    devices, gone = (checked_addresses(params[option], option) for option in ("devices", "absent_devices"))
    picks = params["id"] is not None or params["name"] is not None
    if (devices or gone) and not picks:
        option = "devices" if devices else "absent_devices"
        raise InvalidInput(f"{option} belong to one host; give its id or name.", details={"option": option})
    objects = Objects(Client.from_params(params))
    if not picks:
        return {"changed": False, "hosts": [facts(raw) for raw in objects.pool(HOST)]}
    found = find(objects, params)
    if found is None and (devices or gone):
        raise not_found(objects, params)
    if found is not None and (missing_devices(found, devices) or present_devices(found, gone)):
        found = wait_devices(objects, int(found["ID"]), devices, params["wait_timeout"], gone)
    return {"changed": False, "hosts": [] if found is None else [facts(found)]}


def main() -> None:
    """Entry point."""
    run_module(SPEC.create_module(), run)


if __name__ == "__main__":
    main()
