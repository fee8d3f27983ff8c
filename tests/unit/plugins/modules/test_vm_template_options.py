# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module vm_template: its options for the parts of a machine, copies, locks and what goes with a template."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from module_runner import ModuleFailed
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.doc_fragments._vm_template import ModuleDocFragment
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vm_template_options import (
    ATTRIBUTES,
    LISTS,
    VECTORS,
    argument_spec,
)
from ansible_collections.fact8ra.flower.plugins.modules import image_info, security_group, vm_template, vnet

SMALL: dict[str, Any] = {"name": "node", "cpu": 1, "memory": 512}
WHOLE: dict[str, Any] = {
    **SMALL,
    "vcpu": 4,
    "vcpu_max": 8,
    "memory_max": 1024,
    "memory_resize_mode": "HOTPLUG",
    "hypervisor": "kvm",
    "sched_requirements": 'CLUSTER_ID = "0" & !(HOST = "x")',
    "labels": ["web", "test/a"],
    "description": "x",
    "os": {"arch": "x86_64", "firmware": "UEFI", "firmware_secure": True, "attributes": {"nvram": "x"}},
    "cpu_model": {"model": "host-passthrough", "features": ["vmx", "-svm"]},
    "topology": {"sockets": 1, "cores": 2, "threads": 2, "pin_policy": "NONE", "node_affinity": 0},
    "features": {"acpi": False, "guest_agent": True, "virtio_scsi_queues": "auto"},
    "graphics": {"type": "vnc", "listen": "127.0.0.1"},
    "inputs": [{"type": "tablet", "bus": "usb"}],
    "numa_nodes": [{"total_cpus": 4, "memory": 512}],
    "raw": {"type": "kvm", "data": "<devices><a b='c'/></devices>", "validate": False},
    "disks": [
        {"image": "flower-debian-12", "dev_prefix": "vd", "cache": "none", "io": "native", "discard": "unmap"},
        {"type": "fs", "fs": "ext4", "size": 1024, "format": "qcow2"},
    ],
    "nics": [
        {"network": "lan", "model": "virtio", "security_groups": ["default", "nodes"], "ip": "10.71.1.11"},
        {"network_mode": "auto", "sched_requirements": "FREE_LEASES > 1"},
    ],
    "pci": [{"short_address": "0a:00.0"}, {"vendor": "15b3", "type": "NIC", "network": "lan"}],
}


@pytest.fixture
def site(admin: Site) -> Site:
    """An administrator, who may set every attribute, with a network C(lan) and a security group C(nodes)."""
    admin.run(vnet, name="lan", vn_mad="bridge", address_ranges=[{"ip": "10.71.1.10", "size": 10}])
    admin.run(security_group, name="nodes", rules=[])
    return admin


def test_every_option_becomes_its_attribute(site: Site) -> None:
    predicted = site.run(vm_template, check=True, diff=True, **WHOLE)
    assert site.writes == []
    made = site.run(vm_template, diff=True, **WHOLE)
    assert site.calls == [
        "imagepool.info",
        "secgrouppool.info",
        "vnpool.info",
        "templatepool.info",
        "template.allocate",
        "template.info",
    ]
    assert made["diff"] == predicted["diff"]
    group = site.run(security_group, name="nodes")["security_group"]["id"]
    lan = str(site.run(vnet, name="lan")["vnet"]["id"])
    assert made["vm_template"]["template"] == {
        "CPU": "1",
        "VCPU": "4",
        "VCPU_MAX": "8",
        "MEMORY": "512",
        "MEMORY_MAX": "1024",
        "MEMORY_RESIZE_MODE": "HOTPLUG",
        "HYPERVISOR": "kvm",
        "SCHED_REQUIREMENTS": 'CLUSTER_ID = "0" & !(HOST = "x")',
        "LABELS": "web,test/a",
        "DESCRIPTION": "x",
        "OS": {"ARCH": "x86_64", "FIRMWARE": "UEFI", "FIRMWARE_SECURE": "YES", "NVRAM": "x"},
        "CPU_MODEL": {"MODEL": "host-passthrough", "FEATURES": "vmx,-svm"},
        "TOPOLOGY": {"SOCKETS": "1", "CORES": "2", "THREADS": "2", "PIN_POLICY": "NONE", "NODE_AFFINITY": "0"},
        "FEATURES": {"ACPI": "NO", "GUEST_AGENT": "YES", "VIRTIO_SCSI_QUEUES": "auto"},
        "GRAPHICS": {"TYPE": "vnc", "LISTEN": "127.0.0.1"},
        "INPUT": {"TYPE": "tablet", "BUS": "usb"},
        "NUMA_NODE": {"TOTAL_CPUS": "4", "MEMORY": "512"},
        "RAW": {"TYPE": "kvm", "DATA": "<devices><a b='c'/></devices>", "VALIDATE": "NO"},
        "DISK": [
            {"IMAGE_ID": "0", "DEV_PREFIX": "vd", "CACHE": "none", "IO": "native", "DISCARD": "unmap"},
            {"TYPE": "fs", "FS": "ext4", "SIZE": "1024", "FORMAT": "qcow2"},
        ],
        "NIC": [
            {"NETWORK_ID": lan, "MODEL": "virtio", "SECURITY_GROUPS": f"0,{group}", "IP": "10.71.1.11"},
            {"NETWORK_MODE": "auto", "SCHED_REQUIREMENTS": "FREE_LEASES > 1"},
        ],
        "PCI": [{"SHORT_ADDRESS": "0a:00.0"}, {"VENDOR": "15b3", "TYPE": "NIC", "NETWORK_ID": lan}],
    }
    assert site.run(vm_template, **WHOLE)["changed"] is False
    assert site.writes == []


def test_empty_options_remove_what_they_stand_for(site: Site) -> None:
    site.run(vm_template, **WHOLE)
    nothing: dict[str, Any] = {**{name: {} for name in VECTORS}, **{name: [] for name in LISTS}, "labels": []}
    for changed in (True, False):
        result = site.run(vm_template, name="node", **nothing)
        assert result["changed"] is changed
    left = result["vm_template"]["template"]
    assert not left.keys() & {ATTRIBUTES[name] for name in nothing}
    assert left["VCPU"] == "4"


def test_a_copy_is_made_once_and_then_compared(site: Site) -> None:
    site.run(vm_template, **WHOLE)
    options = {"name": "copy", "clone_of": "node", "memory": 2048, "description": "copy"}
    predicted = site.run(vm_template, check=True, diff=True, **options)
    assert (predicted["changed"], site.writes) == (True, [])
    made = site.run(vm_template, diff=True, **options)
    assert site.calls == ["templatepool.info", "template.clone", "template.info", "template.update", "template.info"]
    assert made["diff"] == predicted["diff"]
    template = made["vm_template"]["template"]
    assert (template["MEMORY"], template["DESCRIPTION"], template["VCPU"]) == ("2048", "copy", "4")
    assert site.run(vm_template, **options)["changed"] is False
    assert site.calls == ["templatepool.info"]


def test_a_copy_has_images_of_its_own_when_asked(site: Site) -> None:
    original = site.run(vm_template, **SMALL, disks=[{"image": "flower-debian-12"}, {"type": "swap", "size": 1}])
    options = {"name": "copy", "clone_of": str(original["vm_template"]["id"]), "clone_images": True}
    made = site.run(vm_template, **options)["vm_template"]["template"]
    assert site.calls == ["templatepool.info", "template.clone", "template.info"]
    number = int(made["DISK"][0]["IMAGE_ID"])
    assert number != 0
    assert site.run(image_info, id=number)["images"][0]["name"] == "copy-disk-0"
    assert site.run(vm_template, **options)["changed"] is False


def test_the_original_of_a_copy_has_to_be_clear(admin: Site, tenant: Site) -> None:
    result = tenant.run(vm_template, check=True, diff=True, warns=True, name="copy", clone_of="later", memory=1)
    assert (result["changed"], tenant.writes) == (True, [])
    assert "clone_of names the VM template 'later', which is not there" in str(result["warnings"])
    admin.run(vm_template, **SMALL, mode="644")
    other = admin.run(vm_template, **{**SMALL, "name": "other"}, mode="644")["vm_template"]["id"]
    admin.run(vm_template, id=other, owner="serveradmin")
    admin.run(vm_template, id=other, name="node")
    failed = tenant.fail(vm_template, name="copy", clone_of="node")
    assert failed["failure"]["code"] == "ambiguous"
    assert [each["id"] for each in failed["failure"]["details"]["candidates"]] == [0, 1]
    assert "Give its id in clone_of." in failed["msg"]
    assert tenant.writes == []
    assert tenant.run(vm_template, name="copy", clone_of="0")["vm_template"]["template"]["MEMORY"] == "512"


def test_a_lock_forbids_changes_but_not_ours(site: Site) -> None:
    locked = {**SMALL, "locked": True}
    assert site.run(vm_template, **locked)["vm_template"]["locked"] is True
    assert site.run(vm_template, **locked)["changed"] is False
    site.run(vm_template, **{**locked, "memory": 1024})
    assert site.calls == [
        "templatepool.info",
        "template.unlock",
        "template.update",
        "template.lock",
        "template.info",
    ]
    assert site.run(vm_template, **SMALL, locked=False)["vm_template"]["locked"] is False


def test_check_mode_takes_for_granted_what_earlier_tasks_would_make(tenant: Site) -> None:
    options = {
        **SMALL,
        "disks": [{"image": "later"}],
        "nics": [{"network": "later", "security_groups": ["later"]}],
    }
    result = tenant.run(vm_template, check=True, diff=True, warns=True, **options)
    assert result["changed"] is True
    assert result["diff"]["after"]["template"]["DISK"] == [{"IMAGE_ID": "later"}]
    with pytest.raises(ModuleFailed, match=r"disks\[\]\.image names the image 'later'"):
        tenant.run(vm_template, **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"disks": [{"size": 10}]}, r"disks\[\] has a disk without image, image_id and type"),
        ({"disks": [{"type": "swap"}]}, r"disks\[\]\.size is needed for a volatile disk of type swap"),
        ({"pci": [{"vendor": "nvidia"}]}, r"pci\[\]\.vendor is 'nvidia'; it has to be four hexadecimal digits"),
        ({"pci": [{"short_address": "0000:0a:00.0"}]}, r"pci\[\]\.short_address is '0000:0a:00\.0'"),
        ({"pci": [{"profile": "x"}]}, r"pci\[\] has an entry that describes no device"),
        ({"pci": [{"vendor": "10de", "network": "lan"}]}, r"pci\[\]\.network is only for a device with type: NIC"),
        ({"topology": {"node_affinity": 0, "pin_policy": "CORE"}}, "node_affinity cannot be given with pin_policy"),
        ({"os": {"arch": "x", "attributes": {"ARCH": "y"}}}, r"os\.attributes has ARCH, for which there is an option"),
        ({"nics": [{"security_groups": ["x"]}]}, r"nics\[\]\.security_groups names the security group 'x'"),
        ({"name": "copy", "cpu": None, "memory": None, "clone_of": "x"}, "clone_of names the VM template 'x'"),
    ],
)
def test_bad_input_is_named_before_anything_is_made(tenant: Site, options: dict[str, Any], text: str) -> None:
    failed = tenant.fail(vm_template, **{**SMALL, **options})
    assert re.search(text, failed["msg"]), failed["msg"]
    assert tenant.writes == []


def test_every_option_is_documented() -> None:
    documented: dict[str, Any] = {}
    for part in ("DOCUMENTATION", "BOOT", "DEVICES"):
        documented |= yaml.safe_load(getattr(ModuleDocFragment, part))["options"]
    spec = {name: option for name, option in argument_spec().items() if name in documented}
    assert {*VECTORS, *LISTS, "cpu", "memory"} <= documented.keys()
    for name, option in spec.items():
        assert documented[name]["type"] == option["type"], name
        assert (documented[name].get("suboptions") or {}).keys() == (option.get("options") or {}).keys(), name
