#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let PCI devices of a host through its filter, and have it monitored; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_pci_filter
short_description: Let PCI devices of an OpenNebula host through its filter
version_added: 1.1.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Sees to it that the attributes C(PCI_FILTER) and C(PCI_SHORT_ADDRESS) of a host, or else of its cluster, do not hide
    PCI devices, and has the host monitored at once when something changed or O(devices) are not as wanted. Entries that
    are there stay.
  - What the module adds is noted in the host's attributes C(FACT8RA_PCI_FILTER) and C(FACT8RA_PCI_SHORT_ADDRESS), and
    O(state=absent) takes away only that. A filter that the operator had is never left empty, which would let every
    device through; V(0:0) stands there then, which no device fits.
  - These attributes only narrow what the host reports, and C(pci.conf) on the front-end says what that is, by default
    nothing. A device that C(pci.conf) hides comes into no pool, whatever the host's attributes are.
  - A host without such an attribute takes all that is reported, so nothing is written there, unless O(restrict) is set.
    Where only the cluster has one, the host gets a copy with the entries that are missing.
  - OpenNebula reads the attributes since 7.0. Older ones are left as they are.
  - To force monitoring, the host goes offline for half a second and comes back as it was, as with C(onehost
    forceupdate). Running virtual machines are not touched. A host that is offline is refused.
  - The user needs ADMIN on the host, and USE on its cluster.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.reconciles
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._opennebula
  - fact8ra.flower._opennebula.state
options:
  id:
    description: Host, by id.
    type: int
  name:
    description: Host, by name. With O(state=absent) it need not exist.
    type: str
  filters:
    description:
      - Entries C(vendor:device:class), each four hexadecimal digits, C(*) or empty for any, such as V(10de:*:0302).
        Vendor alone, or vendor and device, will do.
      - An entry that another one includes is not added. Only an equal one that the module added is removed by
        O(state=absent).
    type: list
    elements: str
    default: []
  devices:
    description:
      - Addresses of the devices, such as V(0000:41:00.0). Where the attribute C(PCI_SHORT_ADDRESS) is in force, they
        are added there.
      - The host is monitored also when one of them is not in its PCI pool, or is with O(state=absent). As long as the
        front-end lets them through, the latter is so each time.
      - The module does not wait for them, M(fact8ra.flower.host_info) does.
    type: list
    elements: str
    default: []
  restrict:
    description:
      - Whether a host without a filter in force gets one, so that other devices which C(pci.conf) allows stay away.
        Devices that are in its pool now are kept by entries of their own, which go when O(state=absent) has taken the
        last of the others away.
      - Refused by OpenNebula before 7.0.
    type: bool
    default: false
  only_devices:
    description:
      - Whether other devices that O(filters) let through stay out of the pool, such as a card of the same kind that the
        host keeps. A host without C(PCI_SHORT_ADDRESS) in force gets one with O(devices) and what else is in its pool
        now; addresses that the module added and that are not in O(devices) any more go.
      - A device that a virtual machine holds stays until that ends.
      - Refused by OpenNebula before 7.0.
    type: bool
    default: false
  monitor:
    description: Whether to have the host monitored at once.
    type: bool
    default: true
seealso:
  - module: fact8ra.flower.host_info
"""

EXAMPLES = r"""
- name: The GPUs of a host shall come into its PCI pool
  fact8ra.flower.host_pci_filter:
    endpoint: http://one.example.com:2633/RPC2
    username: oneadmin
    password: "{{ one_password }}"
    name: kvm1.example.com
    filters: ["10de:20b5:0302"]
    devices: ["0000:41:00.0", "0000:81:00.0"]

- name: Wait until they are there
  fact8ra.flower.host_info:
    endpoint: http://one.example.com:2633/RPC2
    username: oneadmin
    password: "{{ one_password }}"
    name: kvm1.example.com
    devices: ["0000:41:00.0", "0000:81:00.0"]

- name: Lend no other cards from now on
  fact8ra.flower.host_pci_filter:
    endpoint: http://one.example.com:2633/RPC2
    username: oneadmin
    password: "{{ one_password }}"
    name: kvm1.example.com
    filters: ["10de:20b5:0302"]
    restrict: true

- name: Lend one card of two, and keep the other
  fact8ra.flower.host_pci_filter:
    endpoint: http://one.example.com:2633/RPC2
    username: oneadmin
    password: "{{ one_password }}"
    name: kvm1.example.com
    filters: ["10de:20b5:0302"]
    devices: ["0000:41:00.0"]
    only_devices: true

- name: Take the entry away
  fact8ra.flower.host_pci_filter:
    endpoint: http://one.example.com:2633/RPC2
    username: oneadmin
    password: "{{ one_password }}"
    name: kvm1.example.com
    filters: ["10de:20b5:0302"]
    state: absent
"""

RETURN = r"""
host:
  description: The host, or null when there is none.
  returned: success
  type: dict
  contains:
    id:
      description: Id.
      type: int
      sample: 0
    name:
      description: Name.
      type: str
      sample: kvm1.example.com
    pci_filter:
      description: Its own entries, with all three fields. Empty when it has none.
      type: list
      elements: str
      sample: ["8086:10fb:*", "10de:20b5:0302"]
    pci_short_address:
      description: Its own addresses. Empty when it has none.
      type: list
      elements: str
    missing:
      description: Those of O(devices) that are not in its PCI pool, at the time of the last look.
      type: list
      elements: str
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import CONNECTION, IDENTITY, STATE, ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.host_pci_filter import HostPciFilter

SPEC = CONNECTION.merge(
    IDENTITY,
    STATE,
    ArgumentSpec(
        argument_spec={
            "filters": {"type": "list", "elements": "str", "default": []},
            "devices": {"type": "list", "elements": "str", "default": []},
            "restrict": {"type": "bool", "default": False},
            "only_devices": {"type": "bool", "default": False},
            "monitor": {"type": "bool", "default": True},
        },
        mutually_exclusive=[("id", "name")],
    ),
)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Bring the filter to the state that the parameters describe."""
    return HostPciFilter(Client.from_params(module.params), module.params).run(check_mode=module.check_mode)


def main() -> None:
    """Entry point."""
    run_module(SPEC.create_module(), run)


if __name__ == "__main__":
    main()
