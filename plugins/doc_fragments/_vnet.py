# Copyright: (c) 2026, fact8ra.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of module vnet for its driver and its guests; private to the collection.

The argument specifications are in plugins/module_utils/_xmlrpc/vnet_options.py.
"""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments to extend module documentation with."""

    # DRIVER
    DOCUMENTATION = r"""
options:
  vn_mad:
    description:
      - Network driver. Needed to create a network.
      - V(bridge), V(fw), V(802.1Q), V(vxlan), V(ovswitch), V(ovswitch_vxlan) and V(elastic) come with OpenNebula. A
        site may have others.
      - V(802.1Q) and V(vxlan) need O(phydev), and O(vlan_id) or O(automatic_vlan_id). V(ovswitch_vxlan) needs
        O(outer_vlan_id) or O(automatic_outer_vlan_id).
    type: str
  bridge:
    description: Bridge on the hypervisors. OpenNebula names one after the network otherwise.
    type: str
  bridge_type:
    description:
      - Technology of the bridge, such as V(linux), V(openvswitch) or V(openvswitch_dpdk). The driver has a default.
    type: str
    version_added: 1.1.0
  phydev:
    description: Physical device on the hypervisors.
    type: str
  vlan_id:
    description: VLAN id, or network identifier of VXLAN.
    type: int
  automatic_vlan_id:
    description: Whether OpenNebula picks the VLAN id. This is chosen once, when the network is created.
    type: bool
  outer_vlan_id:
    description: Network identifier of VXLAN for O(vn_mad=ovswitch_vxlan), whose O(vlan_id) is that of the inner VLAN.
    type: int
    version_added: 1.1.0
  automatic_outer_vlan_id:
    description: Whether OpenNebula picks the outer VLAN id. This is chosen once, when the network is created.
    type: bool
    version_added: 1.1.0
  vlan_tagged_id:
    description: VLANs that an interface of Open vSwitch carries with their tags, such as V(100,200,300-310).
    type: str
    version_added: 1.1.0
  cvlans:
    description: Customer VLANs of Q-in-Q with Open vSwitch, such as V(101,103,110-113).
    type: str
    version_added: 1.1.0
  qinq_type:
    description: Type of Q-in-Q with Open vSwitch, such as V(802.1ad).
    type: str
    version_added: 1.1.0
  mtu:
    description: MTU of the device on the hypervisors.
    type: int
  vxlan_mode:
    description: How VXLAN reaches other hypervisors.
    type: str
    choices: [multicast, evpn]
    version_added: 1.1.0
  vxlan_tep:
    description: Tunnel endpoint of VXLAN with O(vxlan_mode=evpn), the device or its first address.
    type: str
    choices: [dev, local_ip]
    version_added: 1.1.0
  vxlan_mc:
    description: Base multicast address of VXLAN, such as V(239.0.0.0).
    type: str
    version_added: 1.1.0
  conf:
    description: Settings of the driver for this network, over those of its configuration file.
    type: dict
    version_added: 1.1.0
  bridge_conf:
    description: Parameters for creating a Linux bridge. One that takes no value has an empty one.
    type: dict
    version_added: 1.1.0
  ovs_bridge_conf:
    description: Parameters for creating a bridge of Open vSwitch.
    type: dict
    version_added: 1.1.0
  ip_link_conf:
    description: Parameters for creating the link. One that takes no value has an empty one.
    type: dict
    version_added: 1.1.0
  filter_mac_spoofing:
    description: Whether frames with a foreign MAC address are dropped.
    type: bool
    version_added: 1.1.0
  filter_ip_spoofing:
    description: Whether packets with a foreign IP address are dropped.
    type: bool
    version_added: 1.1.0
  spoofchk:
    description: Whether the check for spoofing of an SR-IOV virtual function is on.
    type: bool
    version_added: 1.1.0
  trust:
    description: Whether an SR-IOV virtual function is trusted.
    type: bool
    version_added: 1.1.0
"""

    GUEST = r"""
options:
  network_address:
    description: Address of the network.
    type: str
  network_mask:
    description: Mask of the network.
    type: str
  gateway:
    description: Default gateway of the virtual machines.
    type: str
  gateway6:
    description: Default gateway of the virtual machines for IPv6.
    type: str
    version_added: 1.1.0
  dns:
    description: DNS servers of the virtual machines, separated by spaces.
    type: str
  search_domain:
    description: Domains that the virtual machines search for names.
    type: str
    version_added: 1.1.0
  guest_mtu:
    description: MTU of the interface in the virtual machines.
    type: int
  metric:
    description: Metric of the route to the gateway.
    type: int
    version_added: 1.1.0
  ip6_metric:
    description: Metric of the route to the IPv6 gateway.
    type: int
    version_added: 1.1.0
  method:
    description: How the virtual machines get their address.
    type: str
    choices: [static, dhcp, skip]
  ip6_method:
    description: How the virtual machines get their IPv6 address.
    type: str
    choices: [static, auto, dhcp, disable, skip]
    version_added: 1.1.0
  context_force_ipv4:
    description: Whether the context has the IPv4 settings even where the interface has only an IPv6 address.
    type: bool
    version_added: 1.1.0
  qos:
    description: Limits for each interface, seen from the virtual machine. Averages and peaks are in kB/s.
    type: dict
    version_added: 1.1.0
    suboptions:
      inbound_avg_bw:
        description: Average of inbound traffic.
        type: int
      inbound_peak_bw:
        description: Peak of inbound traffic.
        type: int
      inbound_peak_kb:
        description: Kilobytes that may come in at peak speed.
        type: int
      outbound_avg_bw:
        description: Average of outbound traffic.
        type: int
      outbound_peak_bw:
        description: Peak of outbound traffic.
        type: int
      outbound_peak_kb:
        description: Kilobytes that may go out at peak speed.
        type: int
"""
