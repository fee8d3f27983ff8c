# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""No answer of OpenNebula makes a module or the inventory raise: one element or many, empty, missing or nested."""

from __future__ import annotations

import json
from typing import Any
from unittest import mock
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ragged import damaged_document, damaged_xml
from recording import RecordingClient

from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow import facts as oneflow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import comparable, document, legacy_body
from ansible_collections.fact8ra.flower.plugins.module_utils._vms import vms_of
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc import (
    image,
    leases,
    security_group,
    vm_template,
    vnet,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import (
    as_dict,
    as_dicts,
    as_int,
    as_ints,
    as_list,
    as_plain,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import VNET, Objects, common_state
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import normalise
from ansible_collections.fact8ra.flower.plugins.plugin_utils._inventory import asking, hosts, sites

TAGS = st.sampled_from(["ID", "AR_POOL", "AR", "NAME", "x"])
TEXT = st.sampled_from([None, "", " ", "\n", "7", "text"])


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> ElementTree.Element:
    """Any small XML tree."""
    root = ElementTree.Element(draw(TAGS))
    root.text = draw(TEXT)
    if depth:
        root.extend(draw(st.lists(trees(depth - 1), max_size=3)))
    return root


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TAGS, inner, max_size=3),
)


@given(trees())
def test_every_tree_is_a_plain_dict_and_can_be_read(root: ElementTree.Element) -> None:
    plain = as_plain(root)
    assert isinstance(plain, dict)
    assert json.loads(json.dumps(plain)) == plain
    children = [child for child in root if child.tag == "AR"]
    filled = [child for child in children if len(child) or child.text]
    assert len(as_list(plain, "AR")) == len(filled)
    assert len(as_dicts(plain, "AR")) == sum(len(child) > 0 for child in children)


@given(ANYTHING, st.lists(TAGS, max_size=3))
def test_the_readers_take_anything(value: Any, path: list[str]) -> None:
    items = as_list(value, *path)
    assert None not in items
    assert "" not in items
    assert all(isinstance(item, dict) and item in items for item in as_dicts(value, *path))
    assert all(type(number) in (int, bool) for number in as_ints(value, *path))
    assert isinstance(as_dict(value, "ID"), dict)
    assert as_int(value) is None or int(value) == as_int(value)
    assert normalise(value) == normalise(normalise(value))


def _json(value: Any) -> Any:
    """A result as Ansible gets it; what JSON cannot carry fails."""
    return json.loads(json.dumps(value))


@given(damaged_xml("one.vn.info", "VNET"))
def test_a_network(root: ElementTree.Element) -> None:
    raw = as_plain(root)
    for with_leases in (True, False):
        found = _json(vnet.facts(raw, leases=with_leases))
        assert (found["id"], found["name"]) == (int(raw["ID"]), raw["NAME"])
    assert _json(common_state(raw, {"owner": "0"}))["id"] == found["id"]


@given(damaged_xml("one.image.info", "IMAGE"))
def test_an_image(root: ElementTree.Element) -> None:
    raw = as_plain(root)
    found = _json(image.facts(raw))
    assert (found["id"], found["name"]) == (int(raw["ID"]), raw["NAME"])


@given(damaged_xml("one.secgroup.info", "SECURITY_GROUP"), damaged_xml("one.vnpool.info", "VNET"))
def test_a_security_group(root: ElementTree.Element, networks: ElementTree.Element) -> None:
    raw = as_plain(root)
    client = RecordingClient({"vnpool.info": as_plain(networks)})
    found = _json(security_group.ManagedSecurityGroup(client, {"id": None, "name": "x"}).facts(raw))
    assert (found["id"], found["name"]) == (int(raw["ID"]), raw["NAME"])


@given(damaged_xml("one.template.info", "VMTEMPLATE"))
def test_a_vm_template(root: ElementTree.Element) -> None:
    raw = as_plain(root)
    found = _json(vm_template.ManagedVmTemplate(RecordingClient({}), {"id": None, "name": "x"}).facts(raw))
    assert (found["id"], found["name"]) == (int(raw["ID"]), raw["NAME"])


@given(damaged_xml("one.vn.info", "VNET"), damaged_xml("one.vm.info", "VM"))
def test_who_holds_the_addresses_of_a_network(root: ElementTree.Element, holder: ElementTree.Element) -> None:
    raw = as_plain(root)
    client = RecordingClient({"vnpool.info": {"VNET": raw}, "vm.info": as_plain(holder)})
    found = leases.find_holders(Objects(client), raw)
    assert all(isinstance(name, str) for name in found.names)


@given(damaged_xml("one.vnpool.info", "VNET"))
def test_a_pool(root: ElementTree.Element) -> None:
    found = Objects(RecordingClient({"vnpool.info": as_plain(root)})).pool(VNET)
    assert [int(raw["ID"]) for raw in found] == sorted(int(raw["ID"]) for raw in found)


@given(damaged_xml("one.vmpool.infoextended", "VM"))
def test_virtual_machines(root: ElementTree.Element) -> None:
    for vm in vms_of(as_plain(root)):
        assert vm.describe()
        assert isinstance(vm.ordinal, str)
        _json([vm.addresses, vm.running, vm.user_template, vm.error, vm.role, vm.service_id])


@pytest.mark.parametrize("kind", ["100", "101"])
@given(st.data())
def test_a_document_of_oneflow(kind: str, data: st.DataObject) -> None:
    try:
        found = document(data.draw(damaged_document(kind)))
    except ValueError:
        return
    _json([found.body, comparable(found.body), oneflow.log_of(found.body), oneflow.node_ids(found.body)])
    _json([oneflow.failed_roles(found.body), oneflow.failed_on_the_way_up(found.body)])
    _json(oneflow.facts(found, {}))
    _json(legacy_body(found.body))


@given(damaged_document("100"), damaged_xml("one.vmpool.infoextended", "VM"))
def test_the_inventory(service: dict[str, Any], root: ElementTree.Element) -> None:
    try:
        services = [document(service)]
    except ValueError:
        return
    client = RecordingClient({"vmpool.infoextended": as_plain(root)})
    site = sites.Site("alpha", {"flow_endpoint": "http://one:2474"}, (), sites.Query(every_vm=True))
    with (
        mock.patch.object(asking.Client, "from_params", return_value=client),
        mock.patch.object(asking.OneFlow, "from_params", return_value=mock.Mock(**{"all.return_value": services})),
        mock.patch.object(sites.Site, "fingerprint", "none"),
    ):
        answer = asking.ask(site)
    assert _json(answer) == answer, "the cache keeps it as it is"
    found = list(hosts.hosts(site, answer, hosts.Choices()))
    assert [host.facts["id"] for host in found] == [vm["id"] for vm in answer["vms"]]
    for host in found:
        assert host.default_name
        host.groups(hosts.GROUP_KINDS)
