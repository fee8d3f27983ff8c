# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""In what OpenNebula 6.8.0 and 6.10.0 answer otherwise than 7.4.0.

Every test names where upstream has the difference: files of the repository github.com/OpenNebula/one at the tags
release-6.8.0 (commit bf030d2b6e), release-6.10.0 (5d6b8571b0) and release-7.4.0 (fe684f0c43), and the commit that
brought it where one can be named.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from fact8ra_lab.standin.personality import VERSIONS, Personality
from fact8ra_lab.standin.testing import StandIn

OLD, NEW = ("6.8.0", "6.10.0"), ("7.4.0",)
both = pytest.mark.parametrize("version", [*OLD, *NEW])
NET = 'NAME="n"\nVN_MAD="bridge"\nBRIDGE="b"\nAR=[TYPE="IP4",IP="10.0.0.1",SIZE="9"]'


@pytest.fixture(scope="module")
def started() -> Iterator[Callable[[str], StandIn]]:
    """One stand-in a version for the tests that do not disturb each other."""
    running: dict[str, StandIn] = {}
    with ExitStack() as stack:

        def get(version: str) -> StandIn:
            if version not in running:
                running[version] = stack.enter_context(StandIn(version=version))
            return running[version]

        yield get


@pytest.fixture
def flow_of(standin_of: Callable[[str], StandIn], make_flow: Callable[[StandIn], Any]) -> Callable[[str], Any]:
    """OneFlow of a version, with a network and a VM template."""
    return lambda version: make_flow(standin_of(version))


def refused(standin: StandIn, method: str, *params: Any, user: tuple[str, str] | None = None) -> str:
    """The text of a refused call, without the method."""
    with pytest.raises(RuntimeError) as error:
        standin.one(method, *params, user=user)
    return str(error.value).removeprefix(f"[{method}] ")


def ready(standin: StandIn, text: str = NET, user: tuple[str, str] | None = None) -> int:
    """A new network that is READY."""
    number: int = standin.one("one.vn.allocate", text, -1, user=user)
    standin.until(lambda: "<STATE><![CDATA[1]]>" in standin.one("one.vn.info", number))
    return number


def tags(xml: str, path: str = ".") -> list[str]:
    """The names of the elements below a path."""
    found = ElementTree.fromstring(xml).find(path)
    assert found is not None
    return [item.tag for item in found]


def old_body(flow: Any, **role: Any) -> dict[str, Any]:
    """A service template in the form of 6.x with one role."""
    one_role = {
        "name": "node", "cardinality": 1, "vm_template": flow.template,
        "vm_template_contents": 'NIC = [ NAME = "_NIC0", NETWORK_ID = "$Private" ]\nMEMORY = "$MEMORY"\n',
    }  # fmt: skip
    return {
        "name": "old", "deployment": "straight", "networks": {"Private": "M|network| | |id:"},
        "custom_attrs": {"MEMORY": "M|text|Megabytes| |"}, "roles": [one_role | role],
    }  # fmt: skip


def values(flow: Any, **more: Any) -> dict[str, Any]:
    """A merge template with what the service asks for."""
    return {"networks_values": [{"Private": {"id": str(flow.net)}}], "custom_attrs_values": {"MEMORY": "32"}} | more


def create(flow: Any, body: dict[str, Any]) -> tuple[int, Any]:
    """Makes a service template."""
    status, answer = flow.rest("POST", "/service_template", body)
    return status, answer if status != 201 else answer["DOCUMENT"]["TEMPLATE"]["BODY"] | {
        "id": answer["DOCUMENT"]["ID"]
    }


def instantiate(flow: Any, number: Any, merge: dict[str, Any]) -> tuple[int, Any]:
    """Instantiates without what the fixture adds."""
    action = {"action": {"perform": "instantiate", "params": {"merge_template": merge}}}
    return flow.rest("POST", f"/service_template/{number}/action", action)  # type: ignore[no-any-return]


# ------------------------------------------------------------------------------------------------------------ OneFlow


@pytest.mark.parametrize("version", OLD)
def test_oneflow_keeps_the_old_form_as_it_was_given(flow_of: Callable[[str], Any], version: str) -> None:
    """release-6.10.0 src/oca/ruby/opennebula/flow/service_template.rb: ROLE_SCHEMA, SCHEMA."""
    flow = flow_of(version)
    given = old_body(flow)
    status, body = create(flow, given)
    assert status == 201
    assert {key: body[key] for key in given} == given
    assert not {"type", "template_id", "template_contents"} & set(body["roles"][0])


def test_oneflow_7_converts_the_old_form(flow_of: Callable[[str], Any]) -> None:
    """Commit 87c6d4a697, "Add service template compability mode <v7.0": convert_template of service_template.rb."""
    flow = flow_of("7.4.0")
    status, body = create(flow, old_body(flow))
    assert (status, body["user_inputs"]) == (201, {"MEMORY": "M|text|Megabytes| |"})
    role = body["roles"][0]
    assert (role["type"], role["template_id"]) == ("vm", flow.template)
    assert role["template_contents"] == {"NIC": [{"NAME": "_NIC0", "NETWORK_ID": "$Private"}], "MEMORY": "$MEMORY"}


@both
def test_oneflow_refuses_the_other_form(flow_of: Callable[[str], Any], version: str) -> None:
    """release-6.10.0 and release-7.4.0 src/oca/ruby/opennebula/flow/validator.rb, validate_object; 6.x requires
    vm_template, and 7.x type and template_id of a role that is not in the old form."""
    flow = flow_of(version)
    new = {"name": "new", "roles": [{"name": "node", "type": "vm", "template_id": flow.template}]}
    status, answer = create(flow, new)
    if version in OLD:
        assert (status, answer) == (400, "KEY: 'vm_template' is required;")
        return
    assert status == 201
    new["roles"].append({"name": "other", "vm_template": flow.template})  # type: ignore[attr-defined]
    status, answer = create(flow, new)
    assert status == 400
    assert answer.startswith("Mandatory document key 'type (string)' is missing from {")


@pytest.mark.parametrize(("version", "cardinality"), [("6.8.0", 1), ("6.10.0", 0), ("7.4.0", 0)])
def test_the_default_cardinality_of_a_role(flow_of: Callable[[str], Any], version: str, cardinality: int) -> None:
    """service_template.rb: 1 at release-6.8.0, 0 since commit 47126115dc (release-6.10.0)."""
    flow = flow_of(version)
    role = {"name": "node", "vm_template": flow.template}
    status, body = create(flow, {"name": "s", "roles": [role]})
    assert (status, body["roles"][0]["cardinality"]) == (201, cardinality)


@both
def test_wrong_types_are_told_in_other_words(flow_of: Callable[[str], Any], version: str) -> None:
    """validator.rb: validate_object and validate_boolean of release-6.10.0; commit 080e0e14e7 changed the texts."""
    flow = flow_of(version)
    status, answer = create(flow, old_body(flow) | {"networks": ["x"]})
    new = version in NEW
    assert (status, answer) == (
        400,
        "KEY: 'networks' must be an Object;" if new else "KEY: networks must be a Hash; SCHEMA:",
    )
    status, answer = create(flow, old_body(flow) | {"ready_status_gate": "yes"})
    rule = " in {:type=>:boolean, :required=>false}" if new else ""
    assert (status, answer) == (400, f"KEY: 'ready_status_gate' is not allowed{rule};")


@both
def test_inputs_without_values_are_told_in_other_words(flow_of: Callable[[str], Any], version: str) -> None:
    """src/flow/oneflow-server.rb: check_custom_attrs of release-6.10.0, check_user_inptus of release-7.4.0."""
    flow = flow_of(version)
    number = create(flow, old_body(flow))[1]["id"]
    many, one = ("custom attributes", "custom attribute") if version in OLD else ("User Inputs", "User Input")
    merge = values(flow)
    del merge["custom_attrs_values"]
    text = f"The Service template specifies {many} but no values have been found"
    assert instantiate(flow, number, merge) == (400, text)
    text = f"Verify that every {one} have its corresponding value defined"
    assert instantiate(flow, number, merge | {"custom_attrs_values": {}}) == (400, text)


@both
def test_roles_merge_by_position_or_by_name(flow_of: Callable[[str], Any], version: str) -> None:
    """release-6.10.0 validator.rb, Hash#deep_merge: lists merge place by place. release-7.4.0 service_template.rb,
    handle_nested_values: roles by name (commits e2539c32c8 and 9cfc9a5be7)."""
    flow = flow_of(version)
    body = old_body(flow)
    body["roles"].append(dict(body["roles"][0]) | {"name": "other"})
    number = create(flow, body)[1]["id"]
    status, answer = instantiate(flow, number, values(flow, roles=[{"name": "other", "cardinality": 3}]))
    if version in OLD:  # the first role becomes a second "other"
        assert (status, answer) == (500, "Role name 'other' is repeated")
        merge = values(flow, roles=[{}, {"cardinality": 3}])
        status, answer = instantiate(flow, number, merge)
    assert status == 201
    roles = answer["DOCUMENT"]["TEMPLATE"]["BODY"]["roles"]
    assert [(role["name"], role["cardinality"]) for role in roles] == [("node", 1), ("other", 3)]


@both
def test_other_lists_are_replaced_or_joined(flow_of: Callable[[str], Any], version: str) -> None:
    """validator.rb, Hash#deep_merge: 6.x takes the other list, 7.x joins both and drops equal objects."""
    flow = flow_of(version)
    number = create(flow, old_body(flow) | {"labels": ["a"], "marks": [{"x": 1}]})[1]["id"]
    merge = values(flow, labels=["b"], marks=[{"x": 1}, {"y": 2}])
    status, answer = instantiate(flow, number, merge)
    assert status == 201
    body = answer["DOCUMENT"]["TEMPLATE"]["BODY"]
    assert body["labels"] == (["b"] if version in OLD else ["a", "b"])
    assert body["marks"] == [{"x": 1}, {"y": 2}]


@both
def test_values_and_networks_reach_the_vms(flow_of: Callable[[str], Any], version: str) -> None:
    """release-6.10.0 src/flow/lib/models/service.rb: resolve_attributes when the service is made and resolve_networks
    when its networks are; release-7.4.0: generate_template_contents when the roles are deployed."""
    flow = flow_of(version)
    number = create(flow, old_body(flow))[1]["id"]
    status, answer = instantiate(flow, number, values(flow))
    assert status == 201
    service = int(answer["DOCUMENT"]["ID"])
    role = answer["DOCUMENT"]["TEMPLATE"]["BODY"]["roles"][0]
    if version in OLD:
        assert 'MEMORY = "32"' in role["vm_template_contents"]
    body = flow.reach(service, 2)
    role = body["roles"][0]
    vm = ElementTree.fromstring(flow.vm(role["nodes"][0]["deploy_id"]))
    assert (vm.findtext("TEMPLATE/MEMORY"), vm.findtext("TEMPLATE/NIC/NETWORK_ID")) == ("32", str(flow.net))
    assert vm.findtext("USER_TEMPLATE/ROLE_NAME") == "node"
    assert ("vm_template" in role, "template_contents" in role) == (version in OLD, version in NEW)


@pytest.mark.parametrize("version", OLD)
def test_a_role_may_keep_attributes_of_its_template(flow_of: Callable[[str], Any], version: str) -> None:
    """release-6.10.0 src/flow/lib/models/role.rb, deploy: APPEND in the contents; 7.x has no such word."""
    flow = flow_of(version)
    flow.standin.one("one.template.update", flow.template, f'NIC=[NETWORK_ID="{flow.net}",NAME="first"]', 1)
    contents = 'APPEND="NIC"\nNIC = [ NAME = "second", NETWORK_ID = "$Private" ]'
    number = create(flow, old_body(flow, vm_template_contents=contents))[1]["id"]
    service = int(instantiate(flow, number, values(flow))[1]["DOCUMENT"]["ID"])
    vm = ElementTree.fromstring(flow.vm(flow.reach(service, 2)["roles"][0]["nodes"][0]["deploy_id"]))
    assert [item.text for item in vm.findall("TEMPLATE/NIC/NAME")] == ["first", "second"]


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("6.8.0", "Error trying to instantiate the VM Template 77 in Role node: "),
        ("6.10.0", "Error instantiating VM Template 77 in Role node: "),
    ],
)
def test_a_vm_template_that_is_missing(flow_of: Callable[[str], Any], version: str, text: str) -> None:
    """src/flow/lib/models/role.rb, deploy, of release-6.8.0 and release-6.10.0: the add_role that fails says so."""
    flow = flow_of(version)
    number = create(flow, old_body(flow))[1]["id"]
    service = int(instantiate(flow, number, values(flow))[1]["DOCUMENT"]["ID"])
    flow.reach(service, 2)
    role = json.dumps({"name": "late", "cardinality": 1, "vm_template": 77})
    action = {"action": {"perform": "add_role", "params": {"role": role}}}
    status, answer = flow.rest("POST", f"/service/{service}/role_action", action)
    assert status == 500
    assert answer.startswith(f"Error deploying role late: {text.replace('node', 'late')}")


@both
def test_add_role_takes_an_object_since_6_10(flow_of: Callable[[str], Any], version: str) -> None:
    """src/flow/oneflow-server.rb, role_action; release-6.8.0 always parses text, and shows an uncaught error as
    Sinatra's page, release-6.10.0 and later as JSON (error 500 block)."""
    flow = flow_of(version)
    number = create(flow, old_body(flow))[1]["id"]
    service = int(instantiate(flow, number, values(flow))[1]["DOCUMENT"]["ID"])
    flow.reach(service, 2)
    role = {"name": "late", "cardinality": 1, "vm_template": flow.template}
    if version in NEW:
        role = {"name": "late", "cardinality": 1, "type": "vm", "template_id": flow.template}
    answer = flow.rest(
        "POST", f"/service/{service}/role_action", {"action": {"perform": "add_role", "params": {"role": role}}}
    )
    if version == "6.8.0":
        assert answer == (500, "<h1>Internal Server Error</h1>")
    else:
        assert answer == (204, "")
        body = flow.reach(service, 2)
        assert [item["name"] for item in body["roles"]] == ["node", "late"]
        remove = {"action": {"perform": "remove_role", "params": {"role": "late"}}}
        assert flow.rest("POST", f"/service/{service}/role_action", remove) == (204, "")
        flow.standin.until(lambda: len(flow.body(service)["roles"]) == 1)


@both
def test_uncaught_errors(flow_of: Callable[[str], Any], version: str) -> None:
    """release-6.10.0 src/flow/oneflow-server.rb, "error 500 do"; release-6.8.0 has no such block."""
    flow = flow_of(version)
    number = create(flow, old_body(flow))[1]["id"]
    service = int(instantiate(flow, number, values(flow))[1]["DOCUMENT"]["ID"])
    flow.reach(service, 2)
    status, answer = flow.rest("POST", f"/service/{service}/scale", {"role_name": "node", "cardinality": 2})
    assert status == 500
    assert (
        answer == "<h1>Internal Server Error</h1>"
        if version == "6.8.0"
        else answer["message"] == "Internal server error"
    )


@both
def test_scaling_and_deletion_work_in_either_form(flow_of: Callable[[str], Any], version: str) -> None:
    """The routes are the same in all versions (src/flow/oneflow-server.rb), as are the states."""
    flow = flow_of(version)
    body = old_body(flow, cooldown=1)
    number = create(flow, body)[1]["id"]
    service = int(instantiate(flow, number, values(flow))[1]["DOCUMENT"]["ID"])
    flow.reach(service, 2)
    scale = {"role_name": "node", "cardinality": 2, "force": False}
    assert flow.rest("POST", f"/service/{service}/scale", scale) == (204, "")
    assert len(flow.reach(service, 2)["roles"][0]["nodes"]) == 2
    assert flow.rest("DELETE", f"/service/{service}") == (204, "")
    flow.reach(service, None)
    clone = {"action": {"perform": "clone", "params": {"name": "copy", "recursive": "templates"}}}
    status, answer = flow.rest("POST", f"/service_template/{number}/action", clone)
    assert status == 201
    key = "vm_template" if version in OLD else "template_id"
    assert answer["DOCUMENT"]["TEMPLATE"]["BODY"]["roles"][0][key] != flow.template


# ------------------------------------------------------------------------------------------------------------ networks


@both
def test_networks_show_the_id_of_their_template(started: Callable[[str], StandIn], version: str) -> None:
    """src/vnm/VirtualNetwork.cc, to_xml_extended: TEMPLATE_ID since commit d48a32e252 (7.x); before, the attribute of
    the template alone (insert of release-6.10.0)."""
    standin = started(version)
    template = standin.one("one.vntemplate.allocate", 'NAME="vt"\nVN_MAD="bridge"\nBRIDGE="b"')
    number = standin.one("one.vntemplate.instantiate", template, "made", "")
    net = standin.one("one.vn.info", number)
    assert ("TEMPLATE_ID" in tags(net), "TEMPLATE_ID" in tags(net, "TEMPLATE")) == (version in NEW, version in OLD)


@both
def test_ranges_show_shared_and_the_next_index(started: Callable[[str], StandIn], version: str) -> None:
    """src/vnm/AddressRange.cc, from_attr: SHARED and NEXT_INDEX at release-7.4.0, neither at release-6.10.0."""
    standin = started(version)
    number = standin.one("one.vn.allocate", NET.replace('"n"', '"ranges"'), -1)
    shown = tags(standin.one("one.vn.info", number), "AR_POOL/AR")
    assert {"SHARED", "NEXT_INDEX"} & set(shown) == ({"SHARED", "NEXT_INDEX"} if version in NEW else set())


@both
def test_a_wrong_mac_is_named_since_7(started: Callable[[str], StandIn], version: str) -> None:
    """src/vnm/AddressRange.cc, init_mac."""
    text = "Wrong format for MAC attribute" + (": x" if version in NEW else "")
    net = 'NAME="mac"\nVN_MAD="bridge"\nAR=[TYPE="ETHER",SIZE="1",MAC="x"]'
    assert refused(started(version), "one.vn.allocate", net, -1) == text


@both
def test_an_update_without_driver(started: Callable[[str], StandIn], version: str) -> None:
    """src/vnm/VirtualNetwork.cc, post_update_template: release-6.10.0 takes an empty VN_MAD."""
    standin = started(version)
    number = ready(standin, NET.replace('"n"', '"driver"'))
    if version in NEW:
        text = "Cannot update template. No VN_MAD in template for Virtual Network."
        assert refused(standin, "one.vn.update", number, 'DNS="1.1.1.1"', 0) == text
    else:
        standin.one("one.vn.update", number, 'DNS="1.1.1.1"', 0)
        assert "<VN_MAD/>" in standin.one("one.vn.info", number)


@both
def test_a_bridge_type_is_checked_since_7(started: Callable[[str], StandIn], version: str) -> None:
    """src/vnm/VirtualNetwork.cc, parse_bridge_type, of release-7.4.0; release-6.10.0 keeps any known word."""
    standin = started(version)
    net = NET.replace('"n"', '"type"') + '\nBRIDGE_TYPE="openvswitch"'
    if version in NEW:
        text = 'Attribute BRIDGE_TYPE has wrong value "openvswitch" for VN_MAD_CONF bridge in oned.conf'
        assert refused(standin, "one.vn.allocate", net, -1) == text
    else:
        number = standin.one("one.vn.allocate", net, -1)
        assert "<BRIDGE_TYPE><![CDATA[openvswitch]]>" in standin.one("one.vn.info", number)


@both
def test_the_owner_of_a_network_from_a_template_changes_its_ranges(
    started: Callable[[str], StandIn], version: str
) -> None:
    """release-7.4.0 src/rm/api/VirtualNetworkAPI.cc, add_ar and rm_ar: ADMIN only where the network comes from no
    template. release-6.10.0 include/RequestManagerVirtualNetwork.h: ADMIN always."""
    standin = started(version)
    template = standin.one("one.vntemplate.allocate", 'NAME="owner"\nVN_MAD="bridge"\nBRIDGE="b"')
    standin.one("one.vntemplate.chmod", template, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    number = standin.one("one.vntemplate.instantiate", template, "owned", "", user=standin.tenant)
    standin.until(lambda: "<STATE><![CDATA[1]]>" in standin.one("one.vn.info", number))
    ar = 'AR=[TYPE="ETHER",SIZE="1"]'
    if version in NEW:
        standin.one("one.vn.add_ar", number, ar, user=standin.tenant)
        standin.one("one.vn.rm_ar", number, 0, user=standin.tenant)
    else:
        text = f"User [2] : Not authorized to perform ADMIN NET [{number}]."
        assert refused(standin, "one.vn.add_ar", number, ar, user=standin.tenant) == text
        assert refused(standin, "one.vn.rm_ar", number, 0, user=standin.tenant) == text


@both
def test_what_tenants_may_not_change_in_a_network(started: Callable[[str], StandIn], version: str) -> None:
    """VNET_RESTRICTED_ATTR of share/etc/oned.conf: VLAN_ID and CVLANS are restricted at release-6.10.0 and are not at
    release-7.4.0 (commit d48a32e252 brought rules for VLANs instead)."""
    standin = started(version)
    number = ready(standin, NET.replace('"n"', '"vlan"'), user=standin.tenant)
    if version in NEW:
        standin.one("one.vn.update", number, 'VLAN_ID="7"', 1, user=standin.tenant)
    else:
        text = "Cannot update template. User Template includes a restricted attribute VLAN_ID"
        assert refused(standin, "one.vn.update", number, 'VLAN_ID="7"', 1, user=standin.tenant) == text


@both
def test_a_restricted_attribute_in_the_update_of_a_range(started: Callable[[str], StandIn], version: str) -> None:
    """src/vnm/AddressRange.cc, update_attributes: refused at release-7.4.0. release-6.10.0 drops it, and in
    VirtualNetwork.cc, update_ar, only for reservations."""
    standin = started(version)
    number = ready(standin, NET.replace('"n"', '"range"'), user=standin.tenant)
    update = 'AR=[AR_ID="0",PHYDEV="e"]'
    if version in NEW:
        text = "AR includes a restricted attribute PHYDEV"
        assert refused(standin, "one.vn.update_ar", number, update, user=standin.tenant) == text
        return
    standin.one("one.vn.update_ar", number, update, user=standin.tenant)
    assert "<PHYDEV><![CDATA[e]]>" in standin.one("one.vn.info", number)
    reservation = standin.one("one.vn.reserve", number, 'NAME="part"\nSIZE="1"', user=standin.tenant)
    standin.until(lambda: "<STATE><![CDATA[1]]>" in standin.one("one.vn.info", reservation))
    standin.one("one.vn.update_ar", reservation, 'AR=[AR_ID="0",BRIDGE="x"]', user=standin.tenant)
    assert "BRIDGE" not in tags(standin.one("one.vn.info", reservation), "AR_POOL/AR")


# -------------------------------------------------------------------------------------------------- images, templates


@both
def test_what_images_show(started: Callable[[str], StandIn], version: str) -> None:
    """src/image/Image.cc, to_xml: BACKUP_DISK_IDS since commit 1a320ba8e0 (6.10), MODTIME since 215d93ea56 (7.x)."""
    standin = started(version)
    shown = tags(standin.one("one.image.info", 0))
    assert ("MODTIME" in shown) is (version in NEW)
    assert ("BACKUP_DISK_IDS" in shown) is (version != "6.8.0")


@both
def test_file_systems_are_a_type_of_image_since_7(started: Callable[[str], StandIn], version: str) -> None:
    """src/image/Image.cc, set_type: FILESYSTEM since commit fa72e8fd7f (7.x)."""
    standin = started(version)
    text = 'NAME="fs"\nTYPE="FILESYSTEM"\nPATH="/etc/hostname"'
    if version in NEW:
        number = standin.one("one.image.allocate", text, 1)
        assert "<TYPE>7</TYPE>" in standin.one("one.image.info", number)
    else:
        assert refused(standin, "one.image.allocate", text, 1) == "Error allocating a new image. Unknown type "


@both
def test_the_device_prefix_of_a_cdrom(started: Callable[[str], StandIn], version: str) -> None:
    """src/image/Image.cc, insert: release-6.10.0 gives DEFAULT_CDROM_DEVICE_PREFIX of share/etc/oned.conf, "hd";
    release-7.4.0 leaves it to the VM."""
    standin = started(version)
    number = standin.one("one.image.allocate", 'NAME="cd"\nTYPE="CDROM"\nPATH="/etc/hostname"', 1)
    shown = standin.one("one.image.info", number)
    assert ("<DEV_PREFIX><![CDATA[hd]]>" in shown, "DEV_PREFIX" in shown) == (version in OLD, version in OLD)


@both
def test_the_refusal_to_clone_a_kernel(started: Callable[[str], StandIn], version: str) -> None:
    """clone of src/rm/RequestManagerImage.cc (release-6.10.0) and of src/rm/api/ImageAPI.cc (release-7.4.0)."""
    standin = started(version)
    number = standin.one("one.image.allocate", 'NAME="k"\nTYPE="KERNEL"\nPATH="/etc/hostname"', 2)
    text = (
        "KERNEL, RAMDISK, BACKUP and CONTEXT cannot be cloned." if version in OLD else "KERNEL images cannot be cloned."
    )
    assert refused(standin, "one.image.clone", number, "copy", 2) == text


@both
def test_the_right_to_copy_a_template(started: Callable[[str], StandIn], version: str) -> None:
    """auth_op of include/RequestManagerClone.h (release-6.10.0) is USE; SharedAPI::clone of src/rm/api/SharedAPI.cc
    (release-7.4.0) asks for CREATE on the original."""
    standin = started(version)
    number = standin.one("one.template.allocate", 'NAME="original"')
    if version in NEW:
        standin.one("one.template.clone", number, "copy", user=standin.tenant)
    else:
        text = f"User [2] : Not authorized to perform USE TEMPLATE [{number}]."
        assert refused(standin, "one.template.clone", number, "copy", user=standin.tenant) == text


@both
def test_the_refusal_of_a_copy_whose_name_is_taken(started: Callable[[str], StandIn], version: str) -> None:
    """RequestManagerClone::clone of src/rm/RequestManagerClone.cc (release-6.10.0) answers ALLOCATE,
    TemplateAPI::pool_allocate of src/rm/api/TemplateAPI.cc (release-7.4.0) INTERNAL."""
    standin = started(version)
    number = standin.one("one.template.allocate", 'NAME="taken"')
    lead = "Error allocating a new virtual machine template. " if version in OLD else ""
    text = f"{lead}NAME is already taken by TEMPLATE {number}."
    assert refused(standin, "one.template.clone", number, "taken") == text


# ---------------------------------------------------------------------------------- VMs, scheduler, users, and the rest


@both
def test_what_the_scheduler_says_of_a_vm_that_no_host_can_take(started: Callable[[str], StandIn], version: str) -> None:
    """release-6.10.0 src/scheduler/src/sched/Scheduler.cc (mm_sched), match_schedule; the text of the rank scheduler
    of 7.x is recorded (tests/contract)."""
    standin = started(version)
    number = standin.one("one.vm.allocate", 'NAME="greedy"\nCPU="99"\nMEMORY="16"')
    standin.until(lambda: "SCHED_MESSAGE" in standin.one("one.vm.info", number))
    message = ElementTree.fromstring(standin.one("one.vm.info", number)).findtext("USER_TEMPLATE/SCHED_MESSAGE") or ""
    old = "Cannot dispatch VM: No host with enough capacity to deploy the VM"
    assert message.endswith(old if version in OLD else "[HOST] Not enough CPU on hosts: 0,1")
    standin.one("one.vm.action", "terminate-hard", number)


@both
def test_a_message_of_the_scheduler_that_is_no_longer_true(standin_of: Callable[[str], StandIn], version: str) -> None:
    """release-6.10.0 src/scheduler/src/pool/VirtualMachineXML.cc, clear_log: an empty message stays."""
    standin = standin_of(version)
    for host in (0, 1):
        standin.one("one.host.status", host, 1)
    number = standin.one("one.vm.allocate", 'NAME="late"\nCPU="1"\nMEMORY="16"')
    standin.until(lambda: "SCHED_MESSAGE" in standin.one("one.vm.info", number))
    old = "Cannot dispatch VM: No hosts enabled to run VMs" in standin.one("one.vm.info", number)
    assert old is (version in OLD)
    standin.one("one.host.status", 0, 0)
    standin.until(lambda: "<LCM_STATE>3<" in standin.one("one.vm.info", number))
    empty = "<SCHED_MESSAGE><![CDATA[]]></SCHED_MESSAGE>"
    assert (empty in standin.one("one.vm.info", number)) is (version in OLD)


@both
def test_what_the_history_of_a_vm_shows(started: Callable[[str], StandIn], version: str) -> None:
    """src/vm/History.cc, to_xml: PLAN_ID and ACTION_ID at release-7.4.0, neither at release-6.10.0."""
    standin = started(version)
    number = standin.one("one.vm.allocate", 'NAME="small"\nCPU="0.1"\nMEMORY="16"')
    standin.until(lambda: "<LCM_STATE>3<" in standin.one("one.vm.info", number))
    vm = standin.one("one.vm.info", number)
    shown = {"PLAN_ID", "ACTION_ID"} & set(tags(vm, "HISTORY_RECORDS/HISTORY"))
    assert shown == ({"PLAN_ID", "ACTION_ID"} if version in NEW else set())
    assert ("!(PUBLIC_CLOUD = YES)" in vm) is (version in OLD), "src/vm/VirtualMachine.cc, set_automatic_requirements"


@both
def test_what_groups_and_their_quotas_show(started: Callable[[str], StandIn], version: str) -> None:
    """src/group/Group.cc, to_xml_extended: VLAN_RULES since commit d48a32e252; src/um/QuotaVirtualMachine.cc,
    VM_METRICS: PCI_DEV and PCI_NIC since commit f68c826ac8; both 7.x."""
    standin = started(version)
    standin.one("one.group.quota", 100, 'VM=[VMS="99"]')
    group = standin.one("one.group.info", 100)
    assert ("VLAN_RULES" in tags(group), "PCI_DEV" in tags(group, "VM_QUOTA/VM")) == (version in NEW, version in NEW)


@both
def test_zones_have_a_second_endpoint_since_7(started: Callable[[str], StandIn], version: str) -> None:
    """src/rm/grpc came with commit 8f57c337e1 (7.x)."""
    assert ("ENDPOINT_GRPC" in started(version).one("one.zonepool.info")) is (version in NEW)


@both
def test_the_version_string(started: Callable[[str], StandIn], version: str) -> None:
    """src/rm/RequestManagerSystem.cc, SystemVersion, and src/rm/api/SystemAPI.cc: Nebula::version()."""
    assert started(version).one("one.system.version") == version


# --------------------------------------------------------------------------------------------------------- structure


def test_every_switch_differs_somewhere() -> None:
    """A switch that no version turns is no difference."""
    for switch in fields(Personality):
        assert len({getattr(known, switch.name) for known in VERSIONS.values()}) > 1, switch.name


def test_versions_are_compared_nowhere_else() -> None:
    source = Path(__file__).parents[3] / "roles" / "lab" / "files" / "fact8ra_lab" / "standin"
    naming = {path.name for path in source.rglob("*.py") if '"6.' in path.read_text() or '"7.' in path.read_text()}
    assert naming == {"personality.py"}
