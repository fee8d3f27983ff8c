# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module security_group against the stand-in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from opennebula_site import Site
from recording import RecordingClient, pool_object

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import Refused, ResourceTimeout
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.security_group import ManagedSecurityGroup
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.security_group_rules import (
    canonical_rule,
    rule_line,
)
from ansible_collections.fact8ra.flower.plugins.modules import security_group, vnet

SSH = {"protocol": "TCP", "rule_type": "inbound", "range": "22, 8443"}
OUT = {"protocol": "ALL", "rule_type": "outbound"}
PING = {"protocol": "ICMP", "rule_type": "inbound", "icmp_type": 8}
PARAMS: dict[str, Any] = {
    **{name: option.get("default") for name, option in security_group.SPEC.argument_spec.items()},
    "name": "nodes",
    "username": "flower",
    "wait_timeout": 5,
}
GROUP: dict[str, Any] = {"name": "nodes", "description": 'of "flower"', "rules": [SSH, OUT]}


def test_life_of_a_group(tenant: Site) -> None:
    update = {"rules": [OUT, PING], "mode": "640", "attributes": {"site": "alpha"}}
    group = tenant.lifecycle(security_group, "security_group", create=GROUP, update=update)
    assert group["id"] == 100
    assert group["description"] == 'of "flower"'
    assert group["template"] == {"DESCRIPTION": 'of "flower"', "SITE": "alpha"}
    assert {"protocol": "ICMP", "rule_type": "inbound", "icmp_type": "8"} in group["rules"]
    assert len(group["rules"]) == 2


def test_the_calls_of_each_run(tenant: Site) -> None:
    tenant.run(security_group, **GROUP)
    assert tenant.calls == ["secgrouppool.info", "secgroup.allocate", "secgroup.info", "vnpool.info"]
    tenant.run(security_group, **{**GROUP, "rules": [OUT, OUT, {**SSH, "range": "8443,22"}]})
    assert tenant.calls == ["secgrouppool.info", "vnpool.info"], "order, duplicates and blanks mean nothing"
    tenant.run(security_group, **{**GROUP, "rules": [OUT]})
    assert tenant.calls == ["secgrouppool.info", "secgroup.update", "secgroup.info", "vnpool.info"]
    tenant.run(security_group, name="nodes", state="absent")
    assert tenant.calls == ["secgrouppool.info", "vnpool.info", "secgroup.delete", "secgroup.info"]


def test_rules_are_untouched_when_not_given_and_removed_when_empty(tenant: Site) -> None:
    tenant.run(security_group, **GROUP)
    result = tenant.run(security_group, name="nodes", description="other")
    assert len(result["security_group"]["rules"]) == 2
    for changed in (True, False):
        result = tenant.run(security_group, name="nodes", rules=[])
        assert (result["changed"], result["security_group"]["rules"]) == (changed, [])
    assert result["security_group"]["description"] == "other"


def test_the_default_group_has_id_0(admin: Site) -> None:
    both = [{"protocol": "ALL", "rule_type": direction} for direction in ("inbound", "outbound")]
    assert admin.run(security_group, id=0, rules=both)["changed"] is False
    result = admin.run(security_group, id=0, rules=[SSH, OUT])
    assert (result["changed"], result["security_group"]["id"]) == (True, 0)
    assert result["security_group"]["description"].startswith("The default security group")
    for check in (False, True):
        failed = admin.fail(security_group, id=0, state="absent", check=check)
        assert "The default security group (ID 0) cannot be deleted" in failed["msg"]
        assert admin.calls == ["secgroup.info"]


def test_peers_by_network_address_and_cidr(tenant: Site) -> None:
    network = {"name": "net", "vn_mad": "bridge", "bridge": "b", "address_ranges": [{"ip": "10.0.0.2", "size": 2}]}
    number = tenant.run(vnet, **network)["vnet"]["id"]
    rules = [{**SSH, "network": "net"}, {**OUT, "ip": "10.0.0.0", "size": 256}, {**PING, "cidrs": ["10.1.0.0/16"]}]
    result = tenant.run(security_group, name="nodes", rules=rules)
    assert {each.get("network_id") for each in result["security_group"]["rules"]} == {str(number), None}
    assert {each.get("size") for each in result["security_group"]["rules"]} == {"256", "65536", None}
    rules[0] = {**SSH, "network_id": number}
    assert tenant.run(security_group, name="nodes", rules=rules)["changed"] is False


def test_ownership(admin: Site) -> None:
    result = admin.run(security_group, **GROUP, owner="flower", group="flower", mode="604")
    assert (result["security_group"]["uname"], result["security_group"]["gname"]) == ("flower", "flower")
    number = result["security_group"]["id"]
    assert admin.run(security_group, **GROUP, owner="flower", mode="604")["changed"] is False
    result = admin.run(security_group, id=number, owner="0", group="0")
    assert (result["security_group"]["uid"], result["security_group"]["gid"]) == (0, 0)


def test_a_group_of_another_user(admin: Site, tenant: Site) -> None:
    admin.run(security_group, **GROUP, mode="604")
    failed = tenant.fail(security_group, **GROUP)
    assert failed["failure"]["code"] == "ambiguous"
    assert "id 100 of user 'oneadmin'. None belongs to user 'flower'" in failed["msg"]
    failed = tenant.fail(security_group, id=100, rules=[])
    assert "could not update RULE of security group 'nodes' (id 100, of user 'oneadmin')" in failed["msg"]
    assert failed["failure"]["code"] == "not_authorized"


def test_a_group_in_use_is_not_deleted(tenant: Site) -> None:
    tenant.run(security_group, **GROUP)
    number = tenant.run(vnet, name="net", vn_mad="bridge", bridge="b", security_groups=["nodes"])["vnet"]["id"]
    for check in (False, True):
        failed = tenant.fail(security_group, name="nodes", state="absent", check=check)
        assert failed["failure"]["code"] == "in_use"
        assert failed["failure"]["object"] == "security group 'nodes'"
        assert failed["failure"]["details"]["holders"] == [f"virtual network 'net' (id {number}, of user 'flower')"]
        assert (
            "security group 'nodes' (id 100, of user 'flower') cannot be deleted while it is used by" in failed["msg"]
        )
        assert tenant.writes == []
    used = tenant.run(security_group, name="nodes")["security_group"]["used_by"]
    assert used == {"virtual_networks": [number], "vms": []}


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (
            {"rules": [{**OUT, "range": "1"}]},
            "invalid_input",
            r"'protocol': 'ALL'.* has range, which is for TCP and UDP only",
        ),
        ({"rules": [{**SSH, "range": "99999"}]}, "invalid_input", "'99999' in its range; ports go from 0 to 65535"),
        ({"rules": [{**SSH, "range": "90:80"}]}, "invalid_input", "the lower one first"),
        ({"rules": [{**SSH, "range": "ssh"}]}, "invalid_input", "'ssh' in its range; write ports like 22"),
        ({"rules": [{**SSH, "range": ","}]}, "invalid_input", "has 0 ports in its range"),
        ({"rules": [{**SSH, "range": "1:2," * 8}]}, "invalid_input", "has 16 ports in its range"),
        ({"rules": [{**OUT, "icmp_type": 8}]}, "invalid_input", "has icmp_type, which is for ICMP only"),
        ({"rules": [{**PING, "icmpv6_type": 1}]}, "invalid_input", "has icmpv6_type, which is for ICMPV6 only"),
        ({"rules": [{**PING, "icmp_type": 256}]}, "invalid_input", "has icmp_type 256; it has to be 0 to 255"),
        ({"rules": [{**OUT, "ip": "10.0.0", "size": 1}]}, "invalid_input", "has ip '10.0.0', which is no address"),
        (
            {"rules": [{**OUT, "ip": "10.0.0.1", "size": 0}]},
            "invalid_input",
            "has size 0; it has to be 1 to 4294967295",
        ),
        ({"rules": [{**OUT, "cidrs": ["fd00::/64"]}]}, "invalid_input", "a prefix of 97 or longer is right"),
        ({"clone_of": "none"}, "not_found", "clone_of names the security group 'none'"),
        ({"rules": [{**SSH, "network": "none"}]}, "not_found", r"rules\[\]\.network names the virtual network 'none'"),
        ({"rules": [{**SSH, "cidrs": ["10.0.0.1/8"]}]}, "invalid_input", "10.0.0.1/8 has host bits set"),
        ({"attributes": {"rule": "x"}}, "invalid_input", "attributes has RULE, which is set by the option rules"),
        ({"id": 4242}, "not_found", "there is no security group with id 4242"),
    ],
)
def test_errors_name_the_object_and_quote_the_server(
    tenant: Site, options: dict[str, Any], code: str, text: str
) -> None:
    failed = tenant.fail(security_group, name="nodes", **options)
    assert failed["failure"]["code"] == code
    assert re.search(text, failed["msg"]), failed["msg"]
    assert tenant.writes == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({**SSH, "protocol": "SCTP"}, "value of protocol must be one of: ALL, TCP"),
        ({**SSH, "ip": "10.0.0.1"}, "parameters are required together: ip, size found in rules"),
        ({**SSH, "network": "a", "network_id": 0}, "mutually exclusive: network.*network_id"),
        ({"protocol": "TCP"}, "missing required arguments: rule_type found in rules"),
    ],
)
def test_rules_that_cannot_be_are_refused_before_any_call(tenant: Site, rule: dict[str, Any], text: str) -> None:
    failed = tenant.fail(security_group, name="nodes", rules=[rule])
    assert re.search(text, failed["msg"]), failed["msg"]
    assert tenant.calls == []


def test_commit_reaches_outdated_machines() -> None:
    group = pool_object(100, "nodes", OUTDATED_VMS={"ID": "0"}, ERROR_VMS={"ID": ["7", "3"]}, UPDATED_VMS="")
    client = RecordingClient({"secgrouppool.info": {"SECURITY_GROUP": group}, "secgroup.commit": 100})
    client.answers |= {"secgroup.info": group, "vnpool.info": ""}
    result = ManagedSecurityGroup(client, {**PARAMS, "commit": True}).run("security_group", check_mode=False)
    assert (result["changed"], result["diff"]["before"]["outdated_vms"]) == (True, [0, 3, 7])
    assert client.calls[1] == ("secgroup.commit", 100, True)
    client.calls.clear()
    result = ManagedSecurityGroup(client, PARAMS).run("security_group", check_mode=False)
    assert (result["changed"], client.methods) == (False, ["secgrouppool.info", "vnpool.info"])
    assert result["security_group"]["error_vms"] == [3, 7]
    assert result["security_group"]["used_by"]["vms"] == [0, 3, 7]


def group_of(**machines: list[str]) -> dict[str, Any]:
    """The group nodes, with the ids of its machines in the lists of oned."""
    lists = ("UPDATED_VMS", "OUTDATED_VMS", "UPDATING_VMS", "ERROR_VMS")
    return pool_object(100, "nodes", **{name: {"ID": machines[name]} if name in machines else "" for name in lists})


def scripted(*groups: dict[str, Any], networks: Any = "") -> RecordingClient:
    """A oned where the group is as given, one after the other, the last one from then on."""
    left = list(groups)
    answers: dict[str, Any] = {"secgrouppool.info": lambda *_: {"SECURITY_GROUP": left[0]}, "vnpool.info": networks}
    answers["secgroup.info"] = lambda *_: left.pop(0) if len(left) > 1 else left[0]
    answers["secgroup.commit"] = 100
    answers["vm.info"] = lambda number, _decrypt: pool_object(number, f"vm-{number}")
    return RecordingClient(answers)


def test_waiting_until_every_machine_has_the_rules() -> None:
    old, going = group_of(OUTDATED_VMS=["1", "2"]), group_of(UPDATING_VMS=["2"], UPDATED_VMS=["1"])
    client = scripted(old, going, group_of(UPDATED_VMS=["1", "2"]))
    managed = ManagedSecurityGroup(client, {**PARAMS, "commit": True, "wait": True})
    group = managed.run("security_group", check_mode=False)["security_group"]
    assert client.calls[1] == ("secgroup.commit", 100, True)
    assert (group["updated_vms"], group["outdated_vms"], group["updating_vms"]) == ([1, 2], [], [])
    assert client.methods.count("vnpool.info") == 1
    client = scripted(group_of(UPDATED_VMS=["1"]))
    ManagedSecurityGroup(client, {**PARAMS, "wait": True}).run("security_group", check_mode=False)
    assert client.methods == ["secgrouppool.info", "vnpool.info"]


def test_machines_that_failed_or_stay_behind_fail_a_wait() -> None:
    failed = group_of(ERROR_VMS=["0"], UPDATED_VMS=["1"])
    with pytest.raises(Refused, match=r"could not be set on virtual machine 'vm-0' \(id 0, .*commit: true") as caught:
        ManagedSecurityGroup(scripted(failed), {**PARAMS, "wait": True}).run("security_group", check_mode=False)
    assert (caught.value.code, caught.value.details["error_vms"]) == ("vms_failed", [0])
    behind = scripted(group_of(OUTDATED_VMS=["5"]))
    options = {**PARAMS, "wait": True, "wait_timeout": 0}
    with pytest.raises(ResourceTimeout, match=r"machines of security group 'nodes' \(id 100\)") as late:
        ManagedSecurityGroup(behind, options).run("security_group", check_mode=False)
    assert late.value.last_state == {"outdated_vms": [5], "updating_vms": []}
    ManagedSecurityGroup(behind, {**PARAMS, "wait": True}).run("security_group", check_mode=True)


def test_machines_and_ranges_that_use_a_group_are_named() -> None:
    networks = {
        "VNET": [
            pool_object(0, "by-range", AR_POOL={"AR": [{"AR_ID": "0", "SECURITY_GROUPS": "0,100"}]}),
            pool_object(1, "other", TEMPLATE={"SECURITY_GROUPS": "10,1000"}),
        ]
    }
    client = scripted(group_of(UPDATED_VMS=[str(number) for number in range(12)]), networks=networks)
    with pytest.raises(Refused) as caught:
        ManagedSecurityGroup(client, {**PARAMS, "state": "absent"}).run("security_group", check_mode=False)
    holders = caught.value.details["holders"]
    assert holders[0] == "virtual network 'by-range' (id 0, of user 'flower')"
    assert (holders[1], holders[12]) == (
        "virtual machine 'vm-0' (id 0, of user 'flower')",
        "virtual machine (id 11)",
    )
    assert client.methods.count("vm.info") == 10
    assert "secgroup.delete" not in client.methods


def test_a_group_like_another_one(tenant: Site) -> None:
    tenant.run(security_group, **GROUP)
    options = {"name": "copy", "clone_of": "nodes", "description": "a copy", "mode": "640"}
    predicted = tenant.run(security_group, check=True, diff=True, **options)
    assert tenant.writes == []
    made = tenant.run(security_group, diff=True, **options)
    assert tenant.writes == ["secgroup.clone", "secgroup.update", "secgroup.chmod"]
    assert (made["changed"], made["diff"]) == (True, predicted["diff"])
    assert len(made["security_group"]["rules"]) == 2
    assert tenant.run(security_group, **options)["changed"] is False
    promised = tenant.run(security_group, check=True, warns=True, name="third", clone_of="later")
    assert promised["changed"] is True


def test_the_diff_has_a_line_for_each_rule(tenant: Site) -> None:
    rules = [
        {**SSH, "cidrs": ["10.8.0.0/24"]},
        {**PING, "network_id": 0},
        {"protocol": "ICMPV6", "rule_type": "outbound", "icmpv6_type": 128, "ip": "fd00::1", "size": 1},
        {"protocol": "IPSEC", "rule_type": "inbound"},
    ]
    tenant.run(security_group, name="nodes", rules=[OUT])
    diff = tenant.run(security_group, diff=True, name="nodes", rules=rules)["diff"]
    assert diff["before"]["rules"] == ["outbound ALL"]
    assert sorted(diff["after"]["rules"]) == [
        "inbound ICMP type 8 from virtual network 0",
        "inbound IPSEC",
        "inbound TCP 22,8443 from 10.8.0.0 (256 addresses)",
        "outbound ICMPV6 type 128 to fd00::1 (1 addresses)",
    ]
    assert rule_line({"PROTOCOL": "TCP", "RULE_TYPE": "inbound", "NOTE": "x"}) == "inbound TCP NOTE=x"


def test_rules_are_compared_in_one_form() -> None:
    users = {
        "protocol": "tcp",
        "rule_type": "INBOUND",
        "range": " 443,22:23, 22 ",
        "ip": None,
        "size": "",
        "network_id": 0,
    }
    assert canonical_rule(users) == {
        "PROTOCOL": "TCP",
        "RULE_TYPE": "inbound",
        "RANGE": "22,22:23,443",
        "NETWORK_ID": "0",
    }
    assert canonical_rule({"IP": "2001:DB8:0::1"}) == {"IP": "2001:db8::1"}
