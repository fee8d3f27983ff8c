# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of module vm_template for the parts of a virtual machine; private to the collection.

The argument specifications are in plugins/module_utils/_xmlrpc/vm_template_options.py.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments to extend module documentation with."""

    # CAPACITY
    DOCUMENTATION = r"""
options:
  cpu:
    description: Share of physical CPUs. Needed to create a template, but not to clone one.
    type: float
  vcpu:
    description: Number of virtual CPUs.
    type: int
  vcpu_max:
    description: Greatest number of virtual CPUs that a running machine can be given.
    type: int
    version_added: 1.1.0
  memory:
    description: Memory in MB. Needed to create a template, but not to clone one.
    type: int
  memory_max:
    description: Greatest memory in MB that a running machine can be given.
    type: int
    version_added: 1.1.0
  memory_slots:
    description: Number of slots for memory that is added to a running machine.
    type: int
    version_added: 1.1.0
  memory_resize_mode:
    description: How a running machine is given memory.
    type: str
    choices: [BALLOONING, HOTPLUG]
    version_added: 1.1.0
  cpu_cost:
    description: Cost of a CPU for an hour. By default only administrators may set it.
    type: float
    version_added: 1.1.0
  memory_cost:
    description: Cost of a MB of memory for an hour. By default only administrators may set it.
    type: float
    version_added: 1.1.0
  disk_cost:
    description: Cost of a MB of disk for an hour. By default only administrators may set it.
    type: float
    version_added: 1.1.0
  hypervisor:
    description: Kind of hypervisor, such as V(kvm) or V(lxc).
    type: str
    version_added: 1.1.0
  sched_requirements:
    description: Expression that a host has to fulfil.
    type: str
    version_added: 1.1.0
  sched_rank:
    description: Expression that hosts are ordered by.
    type: str
    version_added: 1.1.0
  sched_ds_requirements:
    description: Expression that a system datastore has to fulfil.
    type: str
    version_added: 1.1.0
  sched_ds_rank:
    description: Expression that system datastores are ordered by.
    type: str
    version_added: 1.1.0
  topology:
    description: How virtual CPUs and memory lie on the host.
    type: dict
    suboptions:
      sockets:
        description: Number of sockets.
        type: int
      cores:
        description: Cores of each socket.
        type: int
      threads:
        description: Threads of each core.
        type: int
      pin_policy:
        description: How virtual CPUs are bound to those of the host.
        type: str
        choices: [NONE, CORE, THREAD, SHARED]
      node_affinity:
        description: NUMA node of the host to use. Not for virtual CPUs that O(topology.pin_policy) binds.
        type: int
      hugepage_size:
        description: Size of huge pages in MB.
        type: int
      memory_access:
        description: Whether memory is shared with other processes of the host.
        type: str
        choices: [shared, private]
      attributes:
        description: Further attributes of C(TOPOLOGY).
        type: dict
        version_added: 1.1.0
  numa_nodes:
    description: NUMA nodes of the machine.
    type: list
    elements: dict
    version_added: 1.1.0
    suboptions:
      total_cpus:
        description: Number of its CPUs.
        type: int
      memory:
        description: Its memory in MB.
        type: int
      attributes:
        description: Further attributes of the node.
        type: dict
  cpu_model:
    description: Model of the CPU.
    type: dict
    version_added: 1.1.0
    suboptions:
      model:
        description: Name of the model, such as V(host-passthrough).
        type: str
      features:
        description: Features to switch on.
        type: list
        elements: str
      attributes:
        description: Further attributes of C(CPU_MODEL).
        type: dict
"""

    BOOT = r"""
options:
  os:
    description: Machine type, firmware and boot.
    type: dict
    suboptions:
      arch:
        description: Architecture, such as V(x86_64).
        type: str
      machine:
        description: Machine type, such as V(q35).
        type: str
      firmware:
        description: Firmware, such as V(BIOS), V(UEFI) or the path of an image on the hosts.
        type: str
      firmware_secure:
        description: Whether the firmware boots signed systems only.
        type: bool
      boot:
        description: Devices to boot from, in order, such as V(disk0,nic0).
        type: str
      kernel:
        description: Path of a kernel on the hosts.
        type: str
      initrd:
        description: Path of an initial RAM disk on the hosts.
        type: str
      kernel_cmd:
        description: Arguments of the kernel.
        type: str
      root:
        description: Root device for the kernel.
        type: str
      bootloader:
        description: Path of a boot loader on the hosts.
        type: str
      sd_disk_bus:
        description: Bus of disks with the prefix C(sd).
        type: str
        choices: [scsi, sata]
      uuid:
        description: Unique id of the machine's BIOS.
        type: str
      attributes:
        description: Further attributes of C(OS).
        type: dict
        version_added: 1.1.0
  features:
    description: Features of the machine.
    type: dict
    suboptions:
      acpi:
        description: Whether it has ACPI.
        type: bool
      apic:
        description: Whether it has an advanced programmable interrupt controller.
        type: bool
      pae:
        description: Whether it has physical address extension.
        type: bool
      hyperv:
        description: Whether it has the extensions of Hyper-V.
        type: bool
      localtime:
        description: Whether its clock has the local time.
        type: bool
      guest_agent:
        description: Whether it has a channel to an agent in the guest.
        type: bool
      virtio_scsi_queues:
        description: Number of queues of the virtio SCSI controller, or V(auto).
        type: str
      virtio_blk_queues:
        description: Number of queues of virtio disks, or V(auto).
        type: str
      iothreads:
        description: Number of threads for its disks.
        type: int
      attributes:
        description: Further attributes of C(FEATURES).
        type: dict
        version_added: 1.1.0
  graphics:
    description: Graphical console.
    type: dict
    version_added: 1.1.0
    suboptions:
      type:
        description: Protocol, such as V(vnc).
        type: str
      listen:
        description: Address of the host that it listens on.
        type: str
      port:
        description: Port that it listens on. OpenNebula picks one otherwise.
        type: int
      keymap:
        description: Layout of the keyboard.
        type: str
      passwd:
        description: Password. OpenNebula keeps it in the template as it is.
        type: str
      random_passwd:
        description: Whether each machine gets a password of its own.
        type: bool
      attributes:
        description: Further attributes of C(GRAPHICS).
        type: dict
  inputs:
    description: Input devices.
    type: list
    elements: dict
    version_added: 1.1.0
    suboptions:
      type:
        description: Kind of device.
        type: str
        choices: [tablet, mouse]
      bus:
        description: Bus of the device.
        type: str
        choices: [usb, ps2]
      attributes:
        description: Further attributes of the device.
        type: dict
  raw:
    description: Text that goes to the hypervisor as it is. Using it may need the rights of an administrator.
    type: dict
    version_added: 1.1.0
    suboptions:
      type:
        description: Hypervisor that the text is for, such as V(kvm).
        type: str
      data:
        description: The text.
        type: str
      data_vmx:
        description: The text for the C(vmx) file of vCenter.
        type: str
      validate:
        description: Whether the text is checked against the schema of libvirt.
        type: bool
      attributes:
        description: Further attributes of C(RAW).
        type: dict
"""

    DEVICES = r"""
options:
  disks:
    description: Disks, in order. Each is an image or a volatile disk.
    type: list
    elements: dict
    suboptions:
      image:
        description:
          - Image, by name or id. The template keeps the id, since OpenNebula would look the name up among the images of
            whoever instantiates the template.
        type: str
      image_id:
        description: Image, by id.
        type: int
      type:
        description: Kind of volatile disk, which goes with the machine. Needs O(disks[].size).
        type: str
        choices: [fs, swap]
        version_added: 1.1.0
      size:
        description: Size in MB. The size of the image when not given.
        type: int
      format:
        description: Format of a volatile disk.
        type: str
        choices: [raw, qcow2]
        version_added: 1.1.0
      fs:
        description: File system of a volatile disk, such as V(ext4).
        type: str
        version_added: 1.1.0
      target:
        description: Device in the machine, such as V(vda).
        type: str
        version_added: 1.1.0
      dev_prefix:
        description: Start of the name of the device in the machine, such as V(vd) or V(sd).
        type: str
        version_added: 1.1.0
      driver:
        description: Format that the hypervisor reads the disk in, such as V(qcow2).
        type: str
        version_added: 1.1.0
      cache:
        description: How the hypervisor caches it.
        type: str
        choices: [default, none, writethrough, writeback, directsync, unsafe]
        version_added: 1.1.0
      io:
        description: How the hypervisor reads and writes it.
        type: str
        choices: [threads, native, io_uring]
        version_added: 1.1.0
      discard:
        description: Whether blocks that are not used any more are given back.
        type: str
        choices: [ignore, unmap]
        version_added: 1.1.0
      readonly:
        description: Whether it cannot be written.
        type: bool
        version_added: 1.1.0
      attributes:
        description: Further attributes of the disk.
        type: dict
  nics:
    description: Network interfaces, in order.
    type: list
    elements: dict
    suboptions:
      network:
        description: Virtual network, by name or id. The template keeps the id.
        type: str
      network_id:
        description: Virtual network, by id.
        type: int
      network_mode:
        description: With V(auto) the scheduler picks the network.
        type: str
        choices: [auto]
        version_added: 1.1.0
      sched_requirements:
        description: Expression that the network has to fulfil, with O(nics[].network_mode=auto).
        type: str
        version_added: 1.1.0
      sched_rank:
        description: Expression that networks are ordered by, with O(nics[].network_mode=auto).
        type: str
        version_added: 1.1.0
      security_groups:
        description: Security groups beside those of the network, by name or id.
        type: list
        elements: str
        version_added: 1.1.0
      name:
        description: Name of the interface.
        type: str
        version_added: 1.1.0
      model:
        description: Model of the interface, such as V(virtio).
        type: str
        version_added: 1.1.0
      mac:
        description: MAC address. It has to be free in the network.
        type: str
        version_added: 1.1.0
      ip:
        description: IPv4 address. It has to be free in the network.
        type: str
        version_added: 1.1.0
      ip6:
        description: IPv6 address. It has to be free in the network.
        type: str
        version_added: 1.1.0
      method:
        description: How the machine gets its address.
        type: str
        choices: [static, dhcp, skip]
        version_added: 1.1.0
      virtio_queues:
        description: Number of queues of a virtio interface, or V(auto).
        type: str
        version_added: 1.1.0
      attributes:
        description: Further attributes of the interface.
        type: dict
  pci:
    description: PCI devices to pass through. By default only administrators may set them.
    type: list
    elements: dict
    suboptions:
      vendor:
        description: Id of the vendor, four hexadecimal digits.
        type: str
      device:
        description: Id of the device, four hexadecimal digits.
        type: str
      class:
        description: Class of the device, four hexadecimal digits.
        type: str
      short_address:
        description: Address of the device on the host, such as V(0a:00.0), in place of its ids.
        type: str
      profile:
        description: Profile of a virtual GPU.
        type: str
        version_added: 1.1.0
      type:
        description: With V(NIC) the device is a network interface.
        type: str
        choices: [NIC]
        version_added: 1.1.0
      network:
        description: Virtual network of a device with O(pci[].type=NIC), by name or id. The template keeps the id.
        type: str
        version_added: 1.1.0
      network_id:
        description: Virtual network of a device with O(pci[].type=NIC), by id.
        type: int
        version_added: 1.1.0
      attributes:
        description: Further attributes of the device.
        type: dict
        version_added: 1.1.0
"""
