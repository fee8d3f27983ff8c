# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""In what the versions of OpenNebula differ that a stand-in can be: one switch a difference, no version elsewhere.

Each switch is shown by a test that cites where upstream has the difference: tests/unit/lab/test_personalities.py.
What is not named here answers as 7.4.0 does. That is so where the source of the versions is the same, and also where
it could not be told from the source: what hosts report of themselves, how long a state lasts and which of two fitting
hosts is taken. Quotas of clusters, addresses leased more than once, virtual routers and gRPC, which only 7.x has, are
in no version here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True)
class InputTexts:
    """How OneFlow calls what a service asks for: its key, and the words of refusals."""

    key: str
    one: str
    many: str
    of_role: str
    wrong: str


_USER_INPUTS: Final = InputTexts(
    "user_inputs", "User Input", "User Inputs", "user inputs", "Wrong User Inputs or User Inputs Values format"
)
_CUSTOM_ATTRS: Final = InputTexts(
    "custom_attrs",
    "custom attribute",
    "custom attributes",
    "custom attributes",
    "Wrong custom_attrs or custom_attrs_values format",
)


@dataclass(frozen=True)
class Personality:
    """How one version answers; the defaults are 7.4.0's."""

    #: What ``one.system.version`` answers.
    version: str = "7.4.0"
    #: Whether a copy asks for CREATE on the original, else for USE.
    clone_asks_create: bool = True
    #: Whether a copy that cannot be made is an error of kind ALLOCATE.
    clone_error_allocates: bool = False
    # Networks.
    #: Whether networks show the id of their template.
    net_template_id: bool = True
    #: Whether an update must name the driver, else the network loses it.
    net_update_needs_driver: bool = True
    #: Whether any text is taken for BRIDGE_TYPE.
    any_bridge_type: bool = False
    #: Whether ranges have SHARED and NEXT_INDEX.
    ranges_shared: bool = True
    #: The refusal of a MAC that is none.
    wrong_mac: str = "Wrong format for MAC attribute: {mac}"
    #: Whether the owner of a network that comes from a template may add and remove ranges.
    template_owner_ranges: bool = True
    #: What only administrators may set in a network and in a range (VNET_RESTRICTED_ATTR of share/etc/oned.conf).
    restricted_net: tuple[str, ...] = (
        "VN_MAD", "PHYDEV", "QINQ_TYPE", "BRIDGE", "CONF", "BRIDGE_CONF", "OVS_BRIDGE_CONF", "IP_LINK_CONF", "FILTER",
        "FILTER_IP_SPOOFING", "FILTER_MAC_SPOOFING", "CLUSTER_IDS", "EXTERNAL",
    )  # fmt: skip
    restricted_range: tuple[str, ...] = (
        "VN_MAD", "PHYDEV", "BRIDGE", "FILTER", "FILTER_IP_SPOOFING", "FILTER_MAC_SPOOFING",
    )  # fmt: skip
    #: Whether a change of these in a range is refused, else it is dropped (in reservations) or taken (in others).
    restricted_range_refused: bool = True
    # OneFlow.
    #: Whether services have the form of 6.x: vm_template, its contents as text, custom_attrs, no type of a role.
    flow_old_form: bool = False
    #: Where a role names its VM template.
    flow_template_key: str = "template_id"
    #: The cardinality of a role that gives none, in the form of 6.x.
    flow_cardinality: int = 0
    #: Whether a merge_template's lists merge place by place, else roles and networks by name and others by joining.
    flow_merge_by_position: bool = False
    #: Texts of refusals.
    flow_missing_key: str = "Mandatory document key '{key} ({type})' is missing from {body}"
    flow_no_object: str = "KEY: '{key}' must be an Object;"
    flow_no_boolean: str = " in {:type=>:boolean, :required=>false}"
    flow_not_instantiated: str = "Error instantiating"
    flow_inputs: InputTexts = _USER_INPUTS
    #: Whether uncaught errors are answered as JSON, else as Sinatra's page.
    flow_errors_as_json: bool = True
    #: Whether add_role takes an object, else only its text.
    flow_role_as_object: bool = True
    # The scheduler.
    #: What it writes into SCHED_MESSAGE where no host can take a VM: by what the hosts lack, in the order in which the
    #: reasons are written one after the other; {hosts} are their ids. None where one text stands for all.
    reasons: tuple[str, ...] | None = (
        "[HOST] Not enough CPU on hosts: {hosts}",
        "[HOST] Not enough MEMORY on hosts: {hosts}",
        "[HOST] Cannot allocate NUMA on hosts: {hosts}",
        "[HOST] Unavailable PCI devices on hosts: {hosts}",
    )
    no_capacity: str = ""
    no_hosts: str = "User is not authorized to use any host"
    no_match: str = "No host meets SCHED_REQUIREMENTS"
    #: Whether a message that is no longer true stays as an empty one.
    keeps_empty_message: bool = False
    #: Whether VMs show the plan that placed them.
    history_plan: bool = True
    #: Whether requirements name public clouds.
    public_cloud: bool = False
    # Users and groups.
    #: Whether groups show rules for VLANs, and VM quotas count PCI devices.
    group_vlan_rules: bool = True
    pci_quotas: bool = True
    #: Whether PCI_FILTER and PCI_SHORT_ADDRESS of hosts and clusters are read.
    host_pci_filter: bool = True
    #: Whether zones name a gRPC endpoint.
    grpc: bool = True
    # Images.
    #: Whether images show MODTIME, and BACKUP_DISK_IDS.
    image_modtime: bool = True
    image_backup_disks: bool = True
    #: Whether there is the type FILESYSTEM.
    filesystem_images: bool = True
    #: The types of images that get a DEV_PREFIX of their own.
    images_with_prefix: tuple[str, ...] = ("OS", "DATABLOCK")
    #: The refusal to clone what is no disk.
    not_cloned: str = "{type} images cannot be cloned."


_NO_CAPACITY: Final = "Cannot dispatch VM: No host with enough capacity to deploy the VM"
LATEST: Final = Personality()
_V6_10: Final = Personality(
    version="6.10.0",
    clone_asks_create=False,
    clone_error_allocates=True,
    net_template_id=False,
    net_update_needs_driver=False,
    any_bridge_type=True,
    ranges_shared=False,
    wrong_mac="Wrong format for MAC attribute",
    template_owner_ranges=False,
    restricted_net=(*LATEST.restricted_net, "VLAN_ID", "CVLANS"),
    restricted_range=(*LATEST.restricted_range, "VLAN_ID"),
    restricted_range_refused=False,
    flow_old_form=True,
    flow_template_key="vm_template",
    flow_merge_by_position=True,
    flow_missing_key="KEY: '{key}' is required;",
    flow_no_object="KEY: {key} must be a Hash; SCHEMA:",
    flow_no_boolean="",
    flow_inputs=_CUSTOM_ATTRS,
    reasons=None,
    no_capacity=_NO_CAPACITY,
    no_hosts="Cannot dispatch VM: No hosts enabled to run VMs",
    no_match="Cannot dispatch VM: No host meets capacity and SCHED_REQUIREMENTS: {requirements}",
    keeps_empty_message=True,
    history_plan=False,
    public_cloud=True,
    group_vlan_rules=False,
    pci_quotas=False,
    host_pci_filter=False,
    grpc=False,
    image_modtime=False,
    filesystem_images=False,
    images_with_prefix=("OS", "DATABLOCK", "CDROM"),
    not_cloned="KERNEL, RAMDISK, BACKUP and CONTEXT cannot be cloned.",
)
_V6_8: Final = replace(
    _V6_10,
    version="6.8.0",
    flow_cardinality=1,
    flow_not_instantiated="Error trying to instantiate the",
    flow_errors_as_json=False,
    flow_role_as_object=False,
    image_backup_disks=False,
)
VERSIONS: Final = {known.version: known for known in (_V6_8, _V6_10, LATEST)}
