#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check what an OpenNebula site offers against what a federation asks of it; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: site_preflight
short_description: Check what an OpenNebula site offers against what a federation asks of it
version_added: 1.0.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Reads, with about a dozen calls, the version, the user's rights and quotas, the image, the network, the capacity and
    the PCI devices of the hosts (where the user may see them), and whether the names that a federation will use are
    free.
  - Fails with everything that is wrong at once, so that nothing is created at a site that cannot take its share.
  - Never changes anything.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.actiongroup_opennebula
  - fact8ra.flower._attributes.info_module
  - fact8ra.flower._opennebula
options:
  site:
    description: Name of the site, for messages.
    type: str
    required: true
  minimum_version:
    description: Oldest OpenNebula that is accepted.
    type: str
    default: 7.0.0
  service:
    description: Name of the OneFlow service and its template; the VM templates and security groups add the role's name.
    type: str
    required: true
  image:
    description: Name of the image that the VMs boot.
    type: str
    required: true
  network:
    description: Name of the virtual network to use, to reserve from or to make, by O(network_mode).
    type: str
    required: true
  network_mode:
    description: How O(network) is used.
    type: str
    choices: [existing, reservation, managed]
    default: existing
  allow_open_network:
    description:
      - Whether O(network) may carry a security group that admits everything, or have a driver that holds no security
        group in force, such as V(bridge).
    type: bool
    default: false
  allow_shrink:
    description: Whether the service may have more VMs than O(vms), so that some of them would be removed.
    type: bool
    default: false
  vms:
    description: Number of VMs.
    type: int
    required: true
  addresses:
    description: Number of addresses of a reservation. One for each VM when not given.
    type: int
  cpu:
    description: Physical CPUs of all VMs together.
    type: float
    required: true
  memory:
    description: Memory of all VMs together in MB.
    type: int
    required: true
  disk_size:
    description: Size of each VM's disk in MB; V(0) is the image's own.
    type: int
    default: 0
    version_added: 1.1.0
  supernodes:
    description: How many of O(vms) are SuperNodes, the VMs of the role C(supernode).
    type: int
    default: 0
    version_added: 1.1.0
  supernode_vcpus:
    description: Virtual CPUs of each SuperNode.
    type: int
    default: 1
    version_added: 1.1.0
  supernode_memory:
    description: Memory of each SuperNode in MB.
    type: int
    default: 0
    version_added: 1.1.0
  gpus:
    description:
      - PCI devices that each SuperNode is to have, all of one host. Those that the service's own VMs hold count.
      - VMs keep what they were made with, and all SuperNodes have as many. So a service whose SuperNodes were made with
        another number is told of, V(0) included. What they were made with is one call more.
      - It can be checked only where the user may see the hosts.
    type: int
    default: 0
    version_added: 1.1.0
  gpu_vendor:
    description: Vendor of the devices, four hexadecimal digits; empty for any.
    type: str
    default: 10de
    version_added: 1.1.0
  gpu_device:
    description: Device id of the devices, four hexadecimal digits; empty for any.
    type: str
    default: ""
    version_added: 1.1.0
  gpu_class:
    description: Class of the devices, four hexadecimal digits; empty for any.
    type: str
    default: ""
    version_added: 1.1.0
  gpu_profile:
    description: Profile of virtual GPUs, as the hosts report it; empty for whole devices.
    type: str
    default: ""
    version_added: 1.1.0
  gpu_pinning:
    description:
      - Whether the CPUs are pinned. OpenNebula takes such VMs to hosts with C(PIN_POLICY=PINNED) only, and others to
        the other hosts only.
    type: bool
    default: true
    version_added: 1.1.0
  gpu_required:
    description:
      - Whether it is an error when the site cannot give the devices. With V(false) RV(site.gpus) says what it gives.
      - For a service whose VMs have GPUs, what is missing for more of them is always an error, as VMs of a role are
        alike. So is O(gpus=0) for it.
    type: bool
    default: true
    version_added: 1.1.0
  gpu_template:
    description:
      - Name of a VM template that carries the devices, for users who may not ask for them. Vendor, device, class,
        profile and pinning are then those of the template.
    type: str
    default: ""
    version_added: 1.1.0
"""

EXAMPLES = r"""
- name: Ask whether the site can take one SuperLink and two SuperNodes
  fact8ra.flower.site_preflight:
    endpoint: https://one.example.eu:2633/RPC2
    flow_endpoint: https://one.example.eu:2474
    username: flower
    password: "{{ vault_one_password }}"
    site: madrid
    service: poc-madrid
    image: Debian 12
    network: federation
    vms: 3
    cpu: 3
    memory: 12288

- name: Ask for two A100 for each of two SuperNodes, and go on without where there are none
  fact8ra.flower.site_preflight:
    endpoint: https://one.example.eu:2633/RPC2
    flow_endpoint: https://one.example.eu:2474
    username: flower
    password: "{{ vault_one_password }}"
    site: madrid
    service: poc-madrid
    image: Debian 12
    network: federation
    vms: 2
    cpu: 16
    memory: 131072
    supernodes: 2
    supernode_vcpus: 8
    supernode_memory: 65536
    gpus: 2
    gpu_device: 20b5
    gpu_required: false
"""

RETURN = r"""
ansible_facts:
  description: Facts of the host, for later plays.
  returned: when O(gpus) is not 0
  type: dict
  contains:
    fact8ra_site_gpus:
      description: The parts C(requested), C(granted) and C(reason) of RV(site.gpus).
      type: dict
      sample: {requested: 2, granted: 2, reason: ""}
site:
  description: What was read.
  returned: success
  type: dict
  contains:
    version:
      description: Release of OpenNebula.
      type: str
      sample: 7.4.0
    user:
      description: Name of the user.
      type: str
    uid:
      description: Id of the user.
      type: int
    groups:
      description: Names of the user's groups.
      type: list
      elements: str
    vms:
      description: Number of VMs that the service has already.
      type: int
    hosts_visible:
      description: Whether the user may read the hosts, so that their capacity could be checked.
      type: bool
    image_id:
      description: Id of the image.
      type: int
      version_added: 1.1.0
    gpus:
      description: PCI devices of each SuperNode.
      type: dict
      version_added: 1.1.0
      contains:
        requested:
          description: How many are asked for.
          type: int
        granted:
          description: How many each SuperNode has or gets.
          type: int
        reason:
          description: Why that is less, or why it cannot be told; else empty.
          type: str
          sample: "the hosts have room for 0 of 1 SuperNode with 1 GPU (10de:20b5): hosts node1, node2 have none"
        numa_nodes:
          description: NUMA nodes that a VM with pinned CPUs needs, so that each device is on one of its own.
          type: int
        in_template:
          description: For how many the role made the SuperNodes' VM template, as that is now.
          type: int
    networks_open_to:
      description:
        - Who else may use every virtual network by the cloud's access rules, V(@) and the id of a group, V(#) and that
          of a user, or V(*) for all. They may attach VMs to a network that the federation makes. Reservations are
          exempt.
      type: list
      elements: str
      sample: ["@1"]
      version_added: 1.1.0
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import CONNECTION, ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import OpenNebulaError
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.gpus import judge
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.judge import problems, summary
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.made import devices_made
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.offer import Needs, collect
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client

SPEC = CONNECTION.merge(
    ArgumentSpec(
        argument_spec={
            "site": {"type": "str", "required": True},
            "minimum_version": {"type": "str", "default": "7.0.0"},
            "service": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "network": {"type": "str", "required": True},
            "network_mode": {
                "type": "str",
                "choices": ["existing", "reservation", "managed"],
                "default": "existing",
            },
            "allow_open_network": {"type": "bool", "default": False},
            "allow_shrink": {"type": "bool", "default": False},
            "vms": {"type": "int", "required": True},
            "addresses": {"type": "int"},
            "cpu": {"type": "float", "required": True},
            "memory": {"type": "int", "required": True},
            "disk_size": {"type": "int", "default": 0},
            "supernodes": {"type": "int", "default": 0},
            "supernode_vcpus": {"type": "int", "default": 1},
            "supernode_memory": {"type": "int", "default": 0},
            "gpus": {"type": "int", "default": 0},
            "gpu_vendor": {"type": "str", "default": "10de"},
            "gpu_device": {"type": "str", "default": ""},
            "gpu_class": {"type": "str", "default": ""},
            "gpu_profile": {"type": "str", "default": ""},
            "gpu_pinning": {"type": "bool", "default": True},
            "gpu_required": {"type": "bool", "default": True},
            "gpu_template": {"type": "str", "default": ""},
        },
    ),
)


def check(module: AnsibleModule) -> Mapping[str, Any]:
    """Read the site and judge it; raises OpenNebulaError naming the site and everything that is wrong."""
    params = module.params
    site = params["site"]
    needs = Needs(**{name: params[name] for name in Needs.__dataclass_fields__})
    try:
        client = Client.from_params(params)
        offer = collect(client, OneFlow.from_params(params))
        made = devices_made(client, offer, needs)
    except OpenNebulaError as error:
        raise OpenNebulaError(f"Site {site}: {error.message}", code=error.code, details=error.details) from error
    gpus = judge(offer, needs, made)
    found = [*problems(offer, needs), *gpus.problems]
    for warning in gpus.warnings:
        module.warn(f"Site {site}: {warning}")
    if found:
        raise OpenNebulaError(
            f"Site {site} ({params['endpoint']}): {'; '.join(found)}.",
            code="preflight",
            details={"site": site, "problems": found},
        )
    facts = {name: value for name, value in gpus.facts().items() if name in ("requested", "granted", "reason")}
    return {
        "changed": False,
        "site": {**summary(offer, needs), "gpus": gpus.facts()},
        **({"ansible_facts": {"fact8ra_site_gpus": facts}} if needs.gpus else {}),
    }


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), check)


if __name__ == "__main__":
    main()
