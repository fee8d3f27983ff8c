# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module vm_template against the stand-in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.modules import vm_template, vnet

TEMPLATE: dict[str, Any] = {
    "name": "node",
    "cpu": 0.5,
    "vcpu": 2,
    "memory": 1024,
    "disks": [{"image": "flower-debian-12", "size": 4096}],
    "context": {
        "NETWORK": True,
        "ssh_public_key": "$USER[SSH_PUBLIC_KEY]",
        "START_SCRIPT": "#!/bin/sh\necho \"a = [b], c\" # d\nprintf 'x\\n' \\",
        "count": 0,
    },
    "user_inputs": {"FLOWER_ROLE": "O|text|Role| |supernode"},
}


def test_life_of_a_template(admin: Site) -> None:
    update = {
        "memory": 2048,
        "mode": "640",
        "context": {"NETWORK": True},
        "pci": [{"vendor": "10de", "device": "20b5", "class": "0302"}],
        "os": {"machine": "q35"},
        "topology": {"pin_policy": "THREAD", "sockets": 1},
        "features": {"guest_agent": True},
        "attributes": {"description": "x", "graphics": {"type": "VNC"}, "empty": ""},
    }
    template = admin.lifecycle(vm_template, "vm_template", create=TEMPLATE, update=update)
    assert (template["mode"], template["uname"]) == ("640", "oneadmin")
    assert template["template"] == {
        "CONTEXT": {"NETWORK": "YES"},
        "CPU": "0.5",
        "DESCRIPTION": "x",
        "DISK": {"IMAGE_ID": "0", "SIZE": "4096"},
        "EMPTY": "",
        "FEATURES": {"GUEST_AGENT": "YES"},
        "GRAPHICS": {"TYPE": "VNC"},
        "MEMORY": "2048",
        "OS": {"MACHINE": "q35"},
        "PCI": {"CLASS": "0302", "DEVICE": "20b5", "VENDOR": "10de"},
        "TOPOLOGY": {"PIN_POLICY": "THREAD", "SOCKETS": "1"},
        "USER_INPUTS": {"FLOWER_ROLE": "O|text|Role| |supernode"},
        "VCPU": "2",
    }


def test_scripts_arrive_as_they_were_given(tenant: Site) -> None:
    context = tenant.run(vm_template, **TEMPLATE)["vm_template"]["template"]["CONTEXT"]
    assert context["START_SCRIPT"] == TEMPLATE["context"]["START_SCRIPT"]
    assert context["SSH_PUBLIC_KEY"] == "$USER[SSH_PUBLIC_KEY]"
    assert context["COUNT"] == "0"


def test_the_calls_of_each_run(tenant: Site) -> None:
    tenant.run(vm_template, **TEMPLATE)
    assert tenant.calls == ["imagepool.info", "templatepool.info", "template.allocate", "template.info"]
    by_id = {**TEMPLATE, "disks": [{"image_id": 0, "size": 4096}]}
    tenant.run(vm_template, **by_id)
    assert tenant.calls == ["templatepool.info"]
    tenant.run(vm_template, **{**by_id, "vcpu": 4})
    assert tenant.calls == ["templatepool.info", "template.update", "template.info"]


def test_numbers_are_compared_as_numbers_and_text_as_text(tenant: Site) -> None:
    text = 'NAME="node"\nCPU="1.00"\nMEMORY="0512"\nVERSION="1.10"'
    Client(Target(tenant.standin.endpoint, *tenant.user)).call("template.allocate", text, what="arrange")
    assert tenant.run(vm_template, name="node", cpu=1, memory=512, attributes={"version": "1.10"})["changed"] is False
    assert tenant.run(vm_template, name="node", attributes={"version": "1.1"})["changed"] is True


def test_vectors_are_replaced_as_a_whole_and_removed_when_empty(tenant: Site) -> None:
    for name in ("one", "two"):
        tenant.run(vnet, name=name, vn_mad="bridge", bridge=name)
    nics = [{"network": "two", "attributes": {"model": "virtio"}}, {"network_id": 0}]
    result = tenant.run(vm_template, **TEMPLATE, nics=nics)
    assert result["vm_template"]["template"]["NIC"] == [{"MODEL": "virtio", "NETWORK_ID": "1"}, {"NETWORK_ID": "0"}]
    assert tenant.run(vm_template, **TEMPLATE, nics=nics[::-1])["changed"] is True, "the order of NICs means something"
    for changed in (True, False):
        result = tenant.run(vm_template, name="node", nics=[], user_inputs={}, context={"a": 1})
        assert result["changed"] is changed
    template = result["vm_template"]["template"]
    assert template["CONTEXT"] == {"A": "1"}
    assert not {"NIC", "USER_INPUTS"} & template.keys()
    assert (template["CPU"], template["DISK"]["IMAGE_ID"]) == ("0.5", "0")


def test_what_others_added_stays(tenant: Site) -> None:
    tenant.run(vm_template, **TEMPLATE, attributes={"logo": "x.svg"})
    assert tenant.run(vm_template, **TEMPLATE)["changed"] is False
    result = tenant.run(vm_template, diff=True, **{**TEMPLATE, "memory": 4096})
    assert result["vm_template"]["template"]["LOGO"] == "x.svg"
    assert result["diff"]["before"]["template"]["MEMORY"] == "1024"
    assert "LOGO" not in result["diff"]["before"]["template"]


def test_ids_0(admin: Site) -> None:
    result = admin.run(vm_template, **TEMPLATE, owner="flower", group="flower")
    assert (result["vm_template"]["id"], result["vm_template"]["uname"]) == (0, "flower")
    result = admin.run(vm_template, id=0, owner="0", group="0", memory=512)
    assert (result["vm_template"]["uid"], result["vm_template"]["gid"]) == (0, 0)
    assert result["vm_template"]["template"]["MEMORY"] == "512"


def test_a_template_of_another_user(admin: Site, tenant: Site) -> None:
    admin.run(vm_template, **TEMPLATE, mode="604")
    failed = tenant.fail(vm_template, **TEMPLATE)
    assert failed["failure"]["code"] == "ambiguous"
    assert "the name 'node' fits these VM templates: id 0 of user 'oneadmin'" in failed["msg"]
    failed = tenant.fail(vm_template, id=0, memory=1)
    assert failed["failure"]["code"] == "not_authorized"
    assert "could not update MEMORY of VM template 'node' (id 0, of user 'oneadmin')" in failed["msg"]


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"cpu": None}, "invalid_input", "cpu is needed to create VM template 'node', for example 1"),
        ({"memory": None}, "invalid_input", "memory is needed to create VM template 'node'"),
        ({"disks": [{"image": "debian"}]}, "not_found", r"disks\[\]\.image names the image 'debian'.*flower-debian-12"),
        ({"nics": [{"network": "x"}]}, "not_found", r"nics\[\]\.network names the virtual network 'x'"),
        ({"disks": [{"image_id": 0, "attributes": {"Image": "x"}}]}, "invalid_input", "has Image, for which there is"),
        ({"context": {"a": {"b": 1}}}, "invalid_input", r"context\.A|CONTEXT\.A is .*holds only text there"),
        ({"context": {"s": "[[ a ]]>b"}}, "invalid_input", r"CONTEXT\.S contains '\]\]>'.*START_SCRIPT_BASE64"),
        ({"attributes": {"cpu": 2}}, "invalid_input", "attributes has CPU, which is set by the option cpu"),
        ({"id": 4242}, "not_found", "there is no VM template with id 4242"),
    ],
)
def test_errors_name_the_object_and_the_option(tenant: Site, changes: dict[str, Any], code: str, text: str) -> None:
    failed = tenant.fail(vm_template, **{**TEMPLATE, **changes})
    assert failed["failure"]["code"] == code
    assert re.search(text, failed["msg"]), failed["msg"]
    assert tenant.writes == []


def test_the_text_of_the_server_is_quoted(tenant: Site) -> None:
    tenant.standin.faults.add({"refuse": "one.template.allocate", "code": 8192, "text": "the disk is full"})
    failed = tenant.fail(vm_template, **TEMPLATE)
    assert failed["failure"]["code"] == "refused"
    assert failed["msg"].endswith("could not create VM template 'node': [one.template.allocate] the disk is full")
