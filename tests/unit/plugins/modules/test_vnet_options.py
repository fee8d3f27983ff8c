# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module vnet: options for drivers and guests, clusters, and range changes that leases or others are in the way of."""

from __future__ import annotations

from typing import Any

import pytest
from opennebula_site import Site
from recording import RecordingClient, pool_object

from ansible_collections.fact8ra.flower.plugins.module_utils import _waiting
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotAuthorized, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet import ManagedVnet
from ansible_collections.fact8ra.flower.plugins.modules import vnet

FIRST = {"AR_ID": "0", "TYPE": "IP4", "IP": "10.0.0.10", "SIZE": "50", "MAC": "02:00:0a:00:00:0a"}
SECOND = {
    "AR_ID": "1",
    "TYPE": "IP4",
    "IP": "10.0.1.10",
    "SIZE": "5",
    "MAC": "02:00:0a:00:01:0a",
    "GATEWAY": "10.0.1.1",
}
WISH = {"type": "IP4", "ip": "10.0.0.10", "size": 50}


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_waiting, "FIRST_DELAY", 0.001)
    monkeypatch.setattr(_waiting, "MAX_DELAY", 0.002)


def _managed(client: RecordingClient, **options: Any) -> dict[str, Any]:
    with_defaults: dict[str, Any] = {
        **dict.fromkeys(vnet.SPEC.argument_spec),
        **{name: rules["default"] for name, rules in vnet.SPEC.argument_spec.items() if "default" in rules},
        "username": "flower",
        **options,
    }
    return ManagedVnet(client, with_defaults).run("vnet", check_mode=False)


def _network(*ranges: dict[str, Any], **more: Any) -> dict[str, Any]:
    template = {"VN_MAD": "bridge", **more.pop("TEMPLATE", {})}
    return pool_object(4, "net", STATE="1", TEMPLATE=template, AR_POOL={"AR": list(ranges)}, **more)


def _refused(text: str) -> Refused:
    return Refused(f"could not do it: {text}", details={"server": text})


class Answers:
    """Answers one after the other, errors raised; the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.left = list(answers)

    def __call__(self, *_params: Any) -> Any:
        answer = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    "options",
    [
        {"vn_mad": "fw", "bridge": "br0"},
        {"vn_mad": "802.1Q", "phydev": "eth0", "vlan_id": 100, "mtu": 9000, "bridge_conf": {"sethello": 6}},
        {"vn_mad": "802.1Q", "phydev": "eth0", "automatic_vlan_id": True},
        {"vn_mad": "vxlan", "phydev": "eth0", "automatic_vlan_id": True, "vxlan_mode": "evpn", "vxlan_tep": "local_ip"},
        {"vn_mad": "vxlan", "phydev": "eth0", "vlan_id": 9, "vxlan_mc": "239.0.0.0", "ip_link_conf": {"udpcsum": ""}},
        {"vn_mad": "ovswitch", "bridge": "ovs0", "vlan_tagged_id": "100,200", "cvlans": "101", "qinq_type": "802.1ad"},
        {"vn_mad": "ovswitch", "bridge": "ovs0", "ovs_bridge_conf": {"stp_enable": True}, "bridge_type": "openvswitch"},
        {"vn_mad": "ovswitch_vxlan", "phydev": "eth0", "automatic_outer_vlan_id": True, "vlan_id": 5},
        {"vn_mad": "ovswitch_vxlan", "phydev": "eth0", "outer_vlan_id": 7},
        {"vn_mad": "elastic", "bridge": "br0"},
        {"vn_mad": "of-the-site"},
        {"vn_mad": "dummy", "bridge": "br0", "filter_mac_spoofing": True, "filter_ip_spoofing": False},
        {"vn_mad": "bridge", "gateway6": "fe80::1", "ip6_method": "auto", "metric": 10, "ip6_metric": 20},
        {"vn_mad": "bridge", "search_domain": "a.example b.example", "context_force_ipv4": True, "method": "skip"},
        {"vn_mad": "bridge", "qos": {"inbound_avg_bw": 100, "inbound_peak_bw": 200, "outbound_peak_kb": 300}},
        {"vn_mad": "bridge", "spoofchk": True, "trust": False, "conf": {"validate_vlan_id": True}},
    ],
    ids=lambda options: options["vn_mad"],
)
def test_each_driver_and_option_is_kept(admin: Site, options: dict[str, Any]) -> None:
    predicted = admin.run(vnet, check=True, diff=True, name="net", **options)
    assert (predicted["changed"], admin.writes) == (True, [])
    made = admin.run(vnet, diff=True, name="net", **options)
    assert (made["changed"], admin.writes, made["diff"]) == (True, ["vn.allocate"], predicted["diff"])
    again = admin.run(vnet, name="net", **options)
    assert (again["changed"], admin.writes) == (False, [])


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"vn_mad": "802.1Q", "bridge": "br0", "vlan_id": 1}, "phydev"),
        ({"vn_mad": "vxlan", "phydev": "eth0"}, "vlan_id"),
        ({"vn_mad": "vxlan", "phydev": "eth0", "vlan_id": 1, "automatic_vlan_id": True}, "automatic_vlan_id"),
        ({"vn_mad": "ovswitch_vxlan", "phydev": "eth0"}, "outer_vlan_id"),
        ({"vn_mad": "dummy"}, "bridge"),
        ({"vn_mad": "bridge", "attributes": {"cluster_ids": "0"}}, "attributes"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_created(admin: Site, options: dict[str, Any], option: str) -> None:
    failed = admin.fail(vnet, name="net", **options)
    assert (failed["failure"]["code"], failed["failure"]["details"]["option"]) == ("invalid_input", option)
    assert admin.writes == []


def test_the_choice_of_an_automatic_id_is_made_once(admin: Site) -> None:
    automatic = {"name": "net", "vn_mad": "vxlan", "phydev": "eth0", "automatic_vlan_id": True}
    chosen = admin.run(vnet, **automatic)["vnet"]["vlan_id"]
    assert chosen
    for options in ({"vlan_id": 99}, {"automatic_vlan_id": False}):
        failed = admin.fail(vnet, name="net", **options)
        assert (failed["failure"]["code"], admin.writes) == ("invalid_input", [])
        assert "create another network" in failed["msg"]


def test_an_option_is_unset_by_its_attribute_and_changed_alone(admin: Site) -> None:
    admin.run(vnet, name="net", vn_mad="bridge", bridge="br0", qos={"inbound_avg_bw": 1, "inbound_peak_bw": 2})
    done = admin.run(vnet, diff=True, name="net", qos={"inbound_avg_bw": 5}, attributes={"inbound_peak_bw": None})
    assert done["diff"]["before"]["template"] == {"INBOUND_AVG_BW": "1", "INBOUND_PEAK_BW": "2"}
    assert done["diff"]["after"]["template"] == {"INBOUND_AVG_BW": "5"}


def test_attributes_of_a_range_are_updated_in_place_and_others_stay(admin: Site) -> None:
    ranges = [{"ip": "10.0.0.10", "size": 5, "attributes": {"gateway": "10.0.0.1", "dns": "9.9.9.9"}}]
    admin.run(vnet, name="net", vn_mad="bridge", address_ranges=ranges)
    bigger = [{"ip": "10.0.0.10", "size": 9, "attributes": {"dns": None}}]
    for changed in (True, False):
        result = admin.run(vnet, name="net", address_ranges=bigger)
        assert (result["changed"], admin.writes) == (changed, ["vn.update_ar"] if changed else [])
    (found,) = result["vnet"]["address_ranges"]
    assert (found["size"], found["gateway"], "dns" in found) == (9, "10.0.0.1", False)


def test_clusters_are_joined_and_left() -> None:
    clusters = ["0", "7"]

    def add(cluster: int, _number: int) -> int:
        clusters.append(str(cluster))
        return cluster

    def leave(cluster: int, _number: int) -> int:
        clusters.remove(str(cluster))
        return cluster

    pool = {"CLUSTER": [{"ID": str(number), "NAME": name} for number, name in ((0, "default"), (7, "a"), (9, "b"))]}
    client = RecordingClient(
        {
            "vn.info": lambda *_: _network(CLUSTERS={"ID": list(clusters)}),
            "clusterpool.info": pool,
            "cluster.addvnet": add,
            "cluster.delvnet": leave,
        }
    )
    assert _managed(client, id=4, clusters=["default", "b"])["vnet"]["clusters"] == [0, 7, 9]
    assert [call for call in client.calls if call[0].startswith("cluster.")] == [("cluster.addvnet", 9, 4)]
    client.calls.clear()
    done = _managed(client, id=4, clusters=["9", "a"], update_mode="replace")
    assert done["diff"] == {"before": {"clusters": [0, 7, 9]}, "after": {"clusters": [7, 9]}}
    assert [call for call in client.calls if call[0].startswith("cluster.")] == [("cluster.delvnet", 0, 4)]
    assert _managed(client, id=4, clusters=["9", "a"], update_mode="replace")["changed"] is False
    assert _managed(client, id=4, clusters=[], update_mode="merge")["changed"] is False


def test_what_the_server_writes_is_no_change() -> None:
    written = {
        "VNET_UPDATE": {"MTU": ""},
        "ERROR": "no",
        "TEMPLATE_ID": "3",
        "SECURITY_GROUPS": "0",
        "BRIDGE_TYPE": "linux",
    }
    client = RecordingClient({"vn.info": _network(TEMPLATE=written)})
    assert _managed(client, id=4, update_mode="replace")["changed"] is False


def _with_lease(each: dict[str, Any], vm: int) -> dict[str, Any]:
    return {**each, "USED_LEASES": "1", "LEASES": {"LEASE": {"MAC": each["MAC"], "IP": each["IP"], "VM": str(vm)}}}


VANISHING = pool_object(9, "web", STATE="3", LCM_STATE="12")


def test_a_range_is_removed_when_its_last_lease_is_gone() -> None:
    held = _network(FIRST, _with_lease(SECOND, 9))
    client = RecordingClient(
        {
            "vn.info": Answers(held, held, held, _network(FIRST)),
            "vn.rm_ar": Answers(*[_refused("[one.vn.rm_ar] Address Range has leases in use")] * 2, 4),
            "vm.info": VANISHING,
        }
    )
    result = _managed(client, id=4, update_mode="replace", address_ranges=[WISH])
    assert (result["changed"], len(result["vnet"]["address_ranges"])) == (True, 1)
    again = ["vn.rm_ar", "vn.info", "vm.info"]
    assert client.methods == ["vn.info", *again, *again, "vn.rm_ar", "vn.info"]


def test_a_holder_that_stays_is_named_at_once() -> None:
    client = RecordingClient(
        {
            "vn.info": _network(FIRST, _with_lease(SECOND, 9)),
            "vn.rm_ar": _refused("[one.vn.rm_ar] Address Range has leases in use"),
            "vm.info": pool_object(9, "web", STATE="3", LCM_STATE="3"),
        }
    )
    with pytest.raises(Refused, match=r"1 of its addresses are in use by virtual machine 'web' \(id 9") as caught:
        _managed(client, id=4, update_mode="replace", address_ranges=[WISH], mtu=1400)
    assert caught.value.code == "in_use"
    assert client.methods == ["vn.info", "vn.rm_ar", "vn.info", "vm.info"], "nothing else was written"


def test_ranges_that_somebody_else_changes_are_planned_anew() -> None:
    moved = {**FIRST, "AR_ID": "3", "SIZE": "20"}
    client = RecordingClient(
        {
            "vn.info": Answers(_network({**FIRST, "SIZE": "20"}), _network(moved), _network({**moved, "SIZE": "50"})),
            "vn.update_ar": Answers(_refused("[one.vn.update_ar] Address Range with ID 0 was not found."), 4),
        }
    )
    assert _managed(client, id=4, address_ranges=[WISH])["changed"] is True
    assert [call for call in client.calls if call[0] == "vn.update_ar"] == [
        ("vn.update_ar", 4, 'AR=[AR_ID="0",SIZE="50"]'),
        ("vn.update_ar", 4, 'AR=[AR_ID="3",SIZE="50"]'),
    ]


def test_a_network_is_deleted_when_its_last_lease_is_gone() -> None:
    held = _network(_with_lease(FIRST, 9), USED_LEASES="1")
    free = _network(FIRST, USED_LEASES="0")
    gone = {**free, "STATE": "4"}
    client = RecordingClient(
        {"vn.info": Answers(held, held, free, gone), "vm.info": VANISHING, "vn.delete": 4},
    )
    assert _managed(client, id=4, state="absent")["changed"] is True
    assert client.methods == ["vn.info", "vn.info", "vm.info", "vn.info", "vn.delete", "vn.info"]


def test_a_lease_taken_between_look_and_deletion_is_named() -> None:
    text = "[one.vn.delete] Cannot delete virtual network. Can not remove a virtual network with leases in use"
    client = RecordingClient(
        {
            "vn.info": Answers(_network(FIRST, USED_LEASES="0"), _network(_with_lease(FIRST, 9), USED_LEASES="1")),
            "vm.info": pool_object(9, "web", STATE="3", LCM_STATE="3"),
            "vn.delete": _refused(text),
        }
    )
    with pytest.raises(Refused, match=r"with leases in use. 1 of its addresses are in use by virtual machine 'web'"):
        _managed(client, id=4, state="absent")
    assert client.methods == ["vn.info", "vn.delete", "vn.info", "vm.info"]


@pytest.mark.parametrize(
    ("method", "text", "attribute"),
    [
        ("vn.allocate", "[one.vn.allocate] VNET Template includes a restricted attribute PHYDEV", "PHYDEV"),
        ("vn.update", "[one.vn.update] Cannot update template. Tried to change restricted attribute: BRIDGE", "BRIDGE"),
        ("vn.update", "[one.vn.update] Cannot update template. Tried to set restricted attribute: CONF", "CONF"),
        ("vn.add_ar", "[one.vn.add_ar] AR includes a restricted attribute VN_MAD", "VN_MAD"),
    ],
)
def test_a_restricted_attribute_is_named(method: str, text: str, attribute: str) -> None:
    client = RecordingClient({"vnpool.info": {}, "vn.info": _network(), method: _refused(text)})
    which: dict[str, Any] = {"name": "net", "vn_mad": "bridge"} if method == "vn.allocate" else {"id": 4}
    more = {"address_ranges": [WISH]} if method == "vn.add_ar" else {"mtu": 1400}
    with pytest.raises(
        NotAuthorized, match=f"Only administrators may set {attribute} .*user 'flower' is none"
    ) as caught:
        _managed(client, **which, **more)
    assert caught.value.details["attribute"] == attribute
    assert text in caught.value.message
