#!/usr/bin/python
# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module that tells whether the GPUs of a hypervisor can be given to VMs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_host_facts
short_description: Tell whether the GPUs of a hypervisor can be given to VMs
version_added: 1.1.0
author:
  - The fact8ra.flower contributors (@fact8ra)
description:
  - Reads the GPUs of a host, its IOMMU, its firmware and what uses the GPUs, and judges whether they can be passed to
    VMs. Everything that stands against it comes with what to do about it.
  - It only reads files of the kernel, the firmware and the processes, and starts no program. It must run as root, else
    it cannot see which processes use a device.
  - That a host has IOMMU groups is no proof; the units that the kernel uses are looked at.
extends_documentation_fragment:
  - fact8ra.flower._attributes
  - fact8ra.flower._attributes.info_module
options:
  devices:
    description:
      - The devices that count as GPUs; one that fits any of the entries does. All that an entry gives must fit.
      - The default is NVIDIA's display controllers, vendor V(10de) and class V(03).
      - Values are hexadecimal and need quotes, so that YAML takes no number of them.
    type: list
    elements: dict
    suboptions:
      vendor:
        description: Vendor id, four digits.
        type: str
      device:
        description: Device id, four digits.
        type: str
      class:
        description: Class, or the beginning of it; two, four or six digits.
        type: str
      address:
        description: Address as C(lspci) prints it, with or without the domain.
        type: str
seealso:
  - module: ansible.builtin.setup
"""

EXAMPLES = r"""
- name: Look at the GPUs of the hypervisors
  fact8ra.flower.gpu_host_facts:
  become: true

- name: Look at the A100s alone
  fact8ra.flower.gpu_host_facts:
    devices:
      - vendor: "10de"
        device: "20b0"
  become: true

- name: Say what stands against them
  ansible.builtin.debug:
    msg: "{{ item.message }} {{ item.cure }}"
  loop: "{{ fact8ra_gpu_host.problems + fact8ra_gpu_host.gpus | map(attribute='problems') | flatten }}"
  loop_control:
    label: "{{ item.code }}"
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: success
  type: dict
  contains:
    fact8ra_gpu_host:
      description: What the host says of its GPUs.
      returned: success
      type: dict
      contains:
        kernel:
          description: Release of the running kernel.
          type: str
          sample: 6.1.0-28-amd64
        kernel_command_line:
          description: The command line that it was started with.
          type: str
        kernel_parameters:
          description: The words of the command line, up to those of init.
          type: list
          elements: str
        firmware:
          description: V(uefi) or V(bios).
          type: str
        secure_boot:
          description: Whether Secure Boot is on; V(null) where the firmware does not say.
          type: bool
        lockdown:
          description: V(none), V(integrity) or V(confidentiality); V(null) where the kernel has no lockdown.
          type: str
        iommu:
          description:
            - The IOMMU. C(cpu) is V(intel), V(amd) or V(other). C(firmware) is whether the firmware describes one, and
              C(enabled) whether the kernel uses it. C(passthrough) is whether the host's own devices go past it.
              C(groups) is the number of groups. C(interrupt_remapping) is V(null) where it cannot be told.
            - C(parameters_needed) is what the kernel command line lacks for the kernel to use it. C(parameters_advised)
              is what it could have beyond that, so that it does not depend on the kernel's defaults.
          type: dict
        gpus:
          description: The devices that O(devices) means, by address.
          type: list
          elements: dict
          contains:
            address:
              description: Address with domain.
              type: str
              sample: "0000:41:00.0"
            vendor:
              description: Vendor id, four digits.
              type: str
            device:
              description: Device id, four digits.
              type: str
            subsystem_vendor:
              description: Vendor id of the card's maker, four digits, or empty.
              type: str
            subsystem_device:
              description: Id that the card's maker gave it, four digits, or empty.
              type: str
            class:
              description: Class and subclass, four digits.
              type: str
              sample: "0302"
            name:
              description: Name from the host's C(pci.ids), or V(null).
              type: str
            driver:
              description: The driver that has it, or V(null).
              type: str
            driver_override:
              description: The driver that alone may have it, or V(null).
              type: str
            iommu_group:
              description: Number of its IOMMU group, or V(null).
              type: int
            functions:
              description: Addresses of the other functions of the same card, such as audio and USB. They go with it.
              type: list
              elements: str
            siblings:
              description:
                - The other devices of the group, its own functions among them, each with C(address), C(vendor),
                  C(device), C(class), C(driver) and C(bridge).
              type: list
              elements: dict
            isolated:
              description: Whether its group has no device but bridges and the card's own functions.
              type: bool
            numa_node:
              description: Its NUMA node, or V(null) where the firmware does not say.
              type: int
            sriov:
              description: C(capable), and how many virtual functions it can have (C(total)) and has (C(enabled)).
              type: dict
            virtual_function_of:
              description: Address of the device that it is a virtual function of, or V(null).
              type: str
            mig_capable:
              description: Whether it can be split into instances (MIG); V(null) where this is not known.
              type: bool
            boot_display:
              description: Whether the host's console is on it.
              type: bool
            users:
              description: What uses it now.
              type: list
              elements: str
              sample: ["vm one-12 (pid 1234)"]
            viable:
              description: Whether a VM can have it once the role has done its part.
              type: bool
            ready:
              description: Whether a VM can have it as things are.
              type: bool
            problems:
              description:
                - What stands against it, as the host's C(problems).
                - The code is one of V(not_a_gpu), V(foreign_functions), V(not_answering), V(virtual_function),
                  V(virtual_functions_enabled),
                  V(mediated_devices), V(no_group), V(memory_reserved), V(group_shared), V(boot_display), V(in_use),
                  V(in_use_by_vm), V(regions_unassigned), V(powered_off), V(not_bound), V(nvswitch).
              type: list
              elements: dict
        kept:
          description:
            - What else the host has of the vendors of C(gpus), without these cards' own functions, with C(address),
              C(vendor), C(device), C(class) and C(driver). A filter by kind may lend it as well.
          type: list
          elements: dict
        problems:
          description:
            - What stands against passing any device, the worst first. C(code) is for programs and stable, C(message)
              says what it is and C(cure) what to do.
            - C(kind) is V(blocks) where somebody has to do something, V(role) where the role C(nvidia_host) does, and
              V(warning) where it works nevertheless.
            - The code is one of V(no_iommu), V(iommu_switched_off), V(iommu_off), V(iommu_unused),
              V(no_interrupt_remapping), V(no_vfio_pci), V(no_virtualization), V(acs_override), V(unsafe_noiommu),
              V(unsafe_interrupts), V(not_privileged), V(unreadable), V(no_gpu).
          type: list
          elements: dict
        viable:
          description: Whether nothing about the host needs somebody's hand.
          type: bool
        vms:
          description: How many VMs (QEMU processes) run.
          type: int
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fact8ra.flower.plugins.module_utils._argspec import ArgumentSpec
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import run_module
from ansible_collections.fact8ra.flower.plugins.module_utils._gpu.host import read

ROOT = Path("/")

SPEC = ArgumentSpec(
    argument_spec={
        "devices": {
            "type": "list",
            "elements": "dict",
            "options": {name: {"type": "str"} for name in ("vendor", "device", "class", "address")},
        },
    },
)


def facts(module: AnsibleModule) -> Mapping[str, Any]:
    """Read the host; raises InvalidInput when C(devices) is not as it has to be."""
    return {"changed": False, "ansible_facts": {"fact8ra_gpu_host": read(ROOT, module.params["devices"])}}


def main() -> None:
    """Run the module."""
    run_module(SPEC.create_module(), facts)


if __name__ == "__main__":
    main()
