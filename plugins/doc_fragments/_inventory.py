# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the inventory plugin on VMs; private to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments to extend the plugin's documentation with."""

    VMS = r"""
options:
  vms:
    description:
      - Which VMs become hosts. V(services) takes those of OneFlow services, V(all) takes every VM.
    type: str
    choices: [services, all]
    default: services
    version_added: 1.1.0
  services:
    description:
      - Services to take, as regular expressions for whole names. May be templates of the variables of a site in
        O(endpoints_from_group). All services when not given.
      - Not to be given with O(vms=all).
    type: list
    elements: str
    default: []
  filter:
    description:
      - Whose VMs to take. V(all) takes all that the user may see, V(mine) those that the user owns, V(group) those and
        the ones of the user's groups.
      - The server picks them.
    type: str
    choices: [all, mine, group]
    default: all
    version_added: 1.1.0
  search:
    description:
      - Query that the server picks VMs by, passed on as it is. It needs MySQL or MariaDB behind OpenNebula; with SQLite
        the server refuses it.
      - From OpenNebula 6.10 on it is C(PATH=TEXT), such as V(VM.USER_TEMPLATE.ENV=prod), and takes the VMs that have
        the text anywhere in that value. Several are joined by C(&).
      - Before that it is a full-text search, such as V(ENV=prod).
    type: str
    version_added: 1.1.0
  states:
    description:
      - States of VMs such as V(ACTIVE), V(POWEROFF) or V(SUSPENDED), or of the life cycle of active ones such as
        V(RUNNING) or V(BOOT_FAILURE). VMs in one of them become hosts. O(only_running) then has no effect.
      - The server picks them where they belong to one state of VMs.
    type: list
    elements: str
    version_added: 1.1.0
  only_running:
    description: Whether VMs are left out that are not C(ACTIVE) and C(RUNNING). Without, all but C(DONE) become hosts.
    type: bool
    default: true
  labels:
    description:
      - Labels to take VMs by, from C(LABELS) in their user template. With V(prod), VMs with V(prod/web) are taken too.
      - Labels that newer releases of Sunstone keep with users and groups are not read.
    type: list
    elements: str
    default: []
    version_added: 1.1.0
  clusters:
    description: Names or ids of clusters to take VMs of; the one that a VM runs in or ran in last counts.
    type: list
    elements: str
    default: []
    version_added: 1.1.0
  hosts:
    description: Names of OpenNebula's hosts to take VMs of; the one that a VM runs on or ran on last counts.
    type: list
    elements: str
    default: []
    version_added: 1.1.0
  role_groups:
    description: Group for the VMs of each role of the services.
    type: dict
    default:
      superlink: superlink
      supernode: supernodes
  group_by:
    description:
      - More groups to make, C(service_NAME), C(role_NAME), C(label_NAME), C(cluster_NAME), C(host_NAME) and
        C(state_NAME). What Ansible does not allow in the name of a group becomes an underscore.
      - A label V(prod/web) makes the group C(label_prod_web) below the group C(label_prod).
      - The state is the one of the life cycle for active VMs, such as C(state_running), otherwise the one of the VM,
        such as C(state_poweroff).
      - A cluster that the user may not see is called by its id.
      - A VM that has none of these, such as a host before it ran, is in none of those groups.
    type: list
    elements: str
    choices: [service, role, label, cluster, host, state]
    default: []
    version_added: 1.1.0
  hostname:
    description:
      - Template of a host's name, of C(site_name) and the prefixed variables.
      - A VM has its id appended when an earlier one got the same name, or when a group, the controller or a site in
        O(endpoints_from_group) has it.
      - When not given, the name is C(SITE-ROLE-N) for a VM of a service, where C(N) is the number in the VM's own name,
        and for others the VM's own name, with an underscore for what is not a letter, digit, C(_), C(.) or C(-).
    type: str
  network:
    description:
      - Network whose address becomes C(ansible_host), by its name in OpenNebula or in the service template.
      - When not given, it is the first address that fits.
    type: str
  nic:
    description:
      - Number of the NIC whose address becomes C(ansible_host), as OpenNebula counts them; the first one is V(0).
      - With O(network) as well, it has to be on that network.
    type: int
    version_added: 1.1.0
  address_family:
    description: Kind of address for C(ansible_host).
    type: str
    choices: [any, ipv4, ipv6]
    default: any
"""
