# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module security_group against the stand-in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from opennebula_site import Site
from recording import RecordingClient, pool_object

from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.security_group import (
    ManagedSecurityGroup,
    canonical_rule,
)
from ansible_collections.fact8ra.flower.plugins.modules import security_group, vnet

SSH = {"protocol": "TCP", "rule_type": "inbound", "range": "22, 8443"}
OUT = {"protocol": "ALL", "rule_type": "outbound"}
PING = {"protocol": "ICMP", "rule_type": "inbound", "icmp_type": 8}
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
    assert tenant.calls == ["secgrouppool.info", "secgroup.allocate", "secgroup.info"]
    tenant.run(security_group, **{**GROUP, "rules": [OUT, OUT, {**SSH, "range": "8443,22"}]})
    assert tenant.calls == ["secgrouppool.info"], "order, duplicates and blanks mean nothing"
    tenant.run(security_group, **{**GROUP, "rules": [OUT]})
    assert tenant.calls == ["secgrouppool.info", "secgroup.update", "secgroup.info"]


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
    failed = admin.fail(security_group, id=0, state="absent")
    assert "The default security group (ID 0) cannot be deleted" in failed["msg"]


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
    tenant.run(vnet, name="net", vn_mad="bridge", bridge="b", security_groups=["nodes"])
    failed = tenant.fail(security_group, name="nodes", state="absent")
    assert failed["failure"]["code"] == "refused"
    assert "could not delete security group 'nodes' (id 100, of user 'flower'): " in failed["msg"]
    assert "The security group is used by networks" in failed["msg"]


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"rules": [{**OUT, "range": "1"}]}, "invalid_input", r"'protocol': 'ALL'.* has a range of ports"),
        ({"rules": [{**SSH, "range": "99999"}]}, "refused", r"\[one.secgroup.allocate\] .*RANGE"),
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
    assert tenant.writes in ([], ["secgroup.allocate"])


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
    client.answers["secgroup.info"] = group
    params: dict[str, Any] = {
        **dict.fromkeys(security_group.SPEC.argument_spec),
        "name": "nodes",
        "username": "flower",
        "state": "present",
    }
    result = ManagedSecurityGroup(client, {**params, "commit": True}).run("security_group", check_mode=False)
    assert (result["changed"], result["diff"]["before"]["outdated_vms"]) == (True, [0, 3, 7])
    assert client.calls[1] == ("secgroup.commit", 100, True)
    client.calls.clear()
    result = ManagedSecurityGroup(client, {**params, "commit": False}).run("security_group", check_mode=False)
    assert (result["changed"], client.methods) == (False, ["secgrouppool.info"])


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
