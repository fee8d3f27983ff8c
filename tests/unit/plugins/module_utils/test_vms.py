# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Facts of VMs out of ragged data."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from flow import vm

from ansible_collections.fact8ra.flower.plugins.module_utils._vms import LcmState, VmState, vms_of
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import as_plain


def test_the_state_numbers_are_those_of_pyone() -> None:
    pyone = pytest.importorskip("pyone")
    for ours, theirs in ((VmState, pyone.VM_STATE), (LcmState, pyone.LCM_STATE)):
        assert {state.name: state.value for state in theirs}.items() <= {one.name: one.value for one in ours}.items()


POOL = """<VM_POOL><VM><ID>9</ID><UNAME>flower</UNAME><GNAME>flower</GNAME><NAME>supernode_1_(service_6)</NAME>
<STATE>3</STATE><LCM_STATE>3</LCM_STATE><TEMPLATE>
<NIC><IP><![CDATA[10.9.1.20]]></IP><MAC>02:00:0a:09:01:14</MAC><NETWORK>lan</NETWORK><NETWORK_ID>1</NETWORK_ID></NIC>
<NIC><IP6_GLOBAL>2001:db8::9</IP6_GLOBAL><IP6_LINK>fe80::9</IP6_LINK><IP>10.9.2.20</IP><NETWORK>wan</NETWORK></NIC>
<NIC_ALIAS><IP>192.0.2.9</IP><NETWORK>public</NETWORK></NIC_ALIAS>
</TEMPLATE><USER_TEMPLATE><ROLE_NAME>supernode</ROLE_NAME><SERVICE_ID>6</SERVICE_ID></USER_TEMPLATE></VM>
<VM><ID>0</ID><NAME>alone</NAME><STATE>1</STATE><LCM_STATE>0</LCM_STATE><TEMPLATE></TEMPLATE>
<USER_TEMPLATE><SCHED_MESSAGE>No host with enough memory</SCHED_MESSAGE></USER_TEMPLATE></VM></VM_POOL>"""


def test_a_pool() -> None:
    alone, node = vms_of(as_plain(ElementTree.fromstring(POOL)))
    assert (alone.id, alone.service_id, alone.role, alone.addresses) == (0, None, None, [])
    assert alone.describe() == "alone (id 0, PENDING: No host with enough memory)"
    assert (node.service_id, node.role, node.ordinal) == (6, "supernode", "1")
    assert node.addresses == ["10.9.1.20", "10.9.2.20", "2001:db8::9", "192.0.2.9"]
    assert node.running
    assert not alone.running


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"TEMPLATE": "", "USER_TEMPLATE": ""},
        {"TEMPLATE": {"NIC": ""}},
        {"TEMPLATE": {"NIC": ["", "text", {"IP": {"NOT": "TEXT"}}]}},
        {"USER_TEMPLATE": {"SERVICE_ID": "x", "ROLE_NAME": ["a", "b"], "ERROR": {"A": "b"}}},
        {"STATE": "", "LCM_STATE": "x"},
    ],
)
def test_nothing_in_a_vm_has_to_be_there(data: dict[str, Any]) -> None:
    (one,) = vms_of({"VM": {"ID": "4", **data}})
    assert one.id == 4
    assert one.addresses == []
    assert one.service_id is None
    assert not one.running
    assert "id 4" in one.describe()


@pytest.mark.parametrize("answer", [{}, {"VM": ""}, {"VM": []}, None, {"VM": {"ID": ""}}])
def test_no_vms(answer: Any) -> None:
    assert vms_of(answer) == []


def test_unknown_states_keep_their_number() -> None:
    (one,) = vms_of({"VM": vm(1, "x", state=3, lcm_state=999)})
    assert one.lcm_state_name == "UNKNOWN(999)"


def test_a_renamed_vm_is_numbered_by_its_id() -> None:
    (one,) = vms_of({"VM": vm(31, "my-node")})
    assert one.ordinal == "31"


def test_the_same_address_comes_once() -> None:
    nics = [{"IP": "10.0.0.1"}, {"IP": "10.0.0.1"}]
    (one,) = vms_of({"VM": vm(1, "x", nics=nics)})
    assert one.addresses == ["10.0.0.1"]
