# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Rights, names, locks, quotas, pools and networks beyond the recorded conversation."""

from __future__ import annotations

import re

import pytest

from fact8ra_lab.standin.access import parse_rule, rule_text
from fact8ra_lab.standin.model import Acl
from fact8ra_lab.standin.testing import StandIn

NET = 'NAME="{}"\nVN_MAD="bridge"\nBRIDGE="b"\nAR=[TYPE="IP4",IP="10.0.0.1",SIZE="9"]'
OTHER = ("other", "other-secret")


@pytest.fixture
def other(standin: StandIn) -> tuple[str, str]:
    """A user of another group who may create nothing."""
    group = standin.one("one.group.allocate", "others")
    standin.one("one.user.allocate", *OTHER, "core", [group])
    return OTHER


@pytest.mark.parametrize("text", ["@100 NET/* USE #0", "#2 VM+IMAGE/#7 USE+MANAGE *", "* ZONE/%100 ADMIN *"])
def test_rules_as_text(text: str) -> None:
    assert rule_text(Acl(0, *parse_rule(text, {}, {}))) == text


def test_rule_with_names() -> None:
    assert rule_text(Acl(0, *parse_rule("@g NET/* USE *", {}, {"g": 104}))) == "@104 NET/* USE *"


@pytest.mark.parametrize("text", ["", "@g NET/* USE *", "@1 NOTHING/* USE *", "@1 NET USE *", "@1 NET/* FLY *"])
def test_rules_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="a rule is '@group"):
        parse_rule(text, {}, {})


def test_names_are_unique_by_owner(standin: StandIn) -> None:
    standin.one("one.vn.allocate", NET.format("n"), -1)
    own = standin.one("one.vn.allocate", NET.format("n"), -1, user=standin.tenant)
    with pytest.raises(RuntimeError, match=rf"NAME is already taken by NET {own}\."):
        standin.one("one.vn.allocate", NET.format("n"), -1, user=standin.tenant)
    second = standin.one("one.vn.allocate", NET.format("m"), -1, user=standin.tenant)
    with pytest.raises(RuntimeError, match="virtual network cannot be renamed to n because it collides with virtual"):
        standin.one("one.vn.rename", second, "n", user=standin.tenant)


def test_foreign_template_is_hidden_until_it_is_shared(standin: StandIn, other: tuple[str, str]) -> None:
    number = standin.one("one.template.allocate", 'NAME="t"\nCPU="1"\nMEMORY="1"', user=standin.tenant)
    with pytest.raises(RuntimeError, match=r"User \[3\] : Not authorized to perform USE TEMPLATE \[0\]\."):
        standin.one("one.template.info", number, user=other)
    assert "<VMTEMPLATE>" not in standin.one("one.templatepool.info", -2, -1, -1, user=other)
    standin.one("one.template.chmod", number, -1, -1, -1, -1, -1, -1, 1, -1, -1, user=standin.tenant)
    assert "<NAME>t</NAME>" in standin.one("one.template.info", number, user=other)
    with pytest.raises(RuntimeError, match="MANAGE TEMPLATE"):
        standin.one("one.template.update", number, "X=1", 1, user=other)
    with pytest.raises(RuntimeError, match="ADMIN TEMPLATE"):
        standin.one("one.template.chmod", number, -1, -1, 1, -1, -1, -1, -1, -1, -1, user=standin.tenant)


def test_rule_can_be_added_and_removed(standin: StandIn, other: tuple[str, str]) -> None:
    rule = standin.one("one.acl.addrule", "200000065", "4400000000", "8", "400000000")
    with pytest.raises(RuntimeError, match="Not authorized to perform ADMIN CLUSTER"):
        standin.one("one.vn.allocate", NET.format("n"), -1, user=other)
    standin.one("one.acl.delrule", rule)
    with pytest.raises(RuntimeError, match="CREATE NET; Not authorized"):
        standin.one("one.vn.allocate", NET.format("n"), -1, user=other)
    with pytest.raises(RuntimeError, match="Not authorized to perform MANAGE ACL"):
        standin.one("one.acl.addrule", "200000065", "4400000000", "8", "400000000", user=other)


def test_lock(standin: StandIn) -> None:
    number = standin.one("one.vn.allocate", NET.format("n"), -1, user=standin.tenant)
    standin.one("one.vn.lock", number, 2, user=standin.tenant)
    assert "<LOCK><LOCKED>2</LOCKED><OWNER>2</OWNER>" in standin.one("one.vn.info", number, user=standin.tenant)
    for user in (standin.tenant, standin.admin):
        with pytest.raises(RuntimeError):
            standin.one("one.vn.delete", number, user=user)
    standin.one("one.vn.unlock", number, user=standin.tenant)
    standin.one("one.vn.update", number, "X=1", 1, user=standin.tenant)


def test_tenant_may_not_change_the_driver_of_a_network(standin: StandIn) -> None:
    number = standin.one("one.vn.allocate", NET.format("n"), -1, user=standin.tenant)
    with pytest.raises(RuntimeError, match="User Template includes a restricted attribute BRIDGE"):
        standin.one("one.vn.update", number, 'BRIDGE="c"', 1, user=standin.tenant)
    with pytest.raises(RuntimeError, match="Tried to change restricted attribute: BRIDGE"):
        standin.one("one.vn.update", number, 'BRIDGE="c"', 0, user=standin.tenant)
    standin.one("one.vn.update", number, 'BRIDGE="b"\nDNS="1.1.1.1"', 1, user=standin.tenant)


def test_pool_flags_and_ranges(standin: StandIn) -> None:
    for number in range(3):
        standin.one("one.vn.allocate", NET.format(f"a{number}"), -1)
    standin.one("one.vn.allocate", NET.format("t"), -1, user=standin.tenant)

    def ids(*params: int) -> list[str]:
        return re.findall(r"<VNET><ID>(\d+)", standin.one("one.vnpool.info", *params, user=standin.tenant))

    assert ids(-2, -1, -1) == ["3", "2", "1", "0"], "a group may use the networks of its cluster"
    assert ids(-3, -1, -1) == ["3"]
    assert ids(0, -1, -1) == ["2", "1", "0"]
    assert ids(-2, 1, 2) == ["2", "1"]


def test_network_without_a_free_address_range(standin: StandIn) -> None:
    with pytest.raises(RuntimeError, match="PHYDEV is mandatory for driver vxlan"):
        standin.one("one.vn.allocate", 'NAME="v"\nVN_MAD="vxlan"', -1)
    with pytest.raises(RuntimeError, match=r"VLAN_ID .or AUTOMATIC_VLAN_ID. is mandatory for driver vxlan"):
        standin.one("one.vn.allocate", 'NAME="v"\nVN_MAD="vxlan"\nPHYDEV="e"', -1)
    number = standin.one("one.vn.allocate", 'NAME="v"\nVN_MAD="vxlan"\nPHYDEV="e"\nAUTOMATIC_VLAN_ID="YES"', -1)
    assert "<VLAN_ID_AUTOMATIC>1<" in standin.one("one.vn.info", number)


def ready(standin: StandIn, text: str) -> int:
    """A new network that is READY."""
    number: int = standin.one("one.vn.allocate", text, -1)
    standin.until(lambda: "<STATE><![CDATA[1]]>" in standin.one("one.vn.info", number))
    return number


def test_address_range_changes(standin: StandIn) -> None:
    number = ready(standin, NET.format("n"))
    standin.one("one.vn.hold", number, 'LEASES=[IP="10.0.0.9"]')
    with pytest.raises(RuntimeError, match="There are used leases that would fall outside the range"):
        standin.one("one.vn.update_ar", number, 'AR=[AR_ID="0",SIZE="3"]')
    with pytest.raises(RuntimeError, match="Unknown or missing address range TYPE"):
        standin.one("one.vn.add_ar", number, 'AR=[IP="1.1.1.1",SIZE="1"]')
    with pytest.raises(RuntimeError, match="Wrong AR definition"):
        standin.one("one.vn.add_ar", number, "X=1")


def test_freed_reservation_gives_its_addresses_back(standin: StandIn) -> None:
    number = standin.one("one.vn.allocate", NET.format("n"), -1)
    reservation = standin.one("one.vn.reserve", number, 'NAME="r"\nSIZE="9"')
    standin.until(lambda: "<STATE><![CDATA[1]]>" in standin.one("one.vn.info", reservation))
    with pytest.raises(RuntimeError, match="Cannot reserve addresses from a reserved VNET"):
        standin.one("one.vn.reserve", reservation, 'NAME="s"\nSIZE="1"')
    with pytest.raises(RuntimeError, match="The SIZE of a reservation cannot be changed"):
        standin.one("one.vn.update_ar", reservation, 'AR=[AR_ID="0",SIZE="3"]')
    standin.one("one.vn.free_ar", reservation, 0)
    assert "<USED_LEASES>0<" in standin.one("one.vn.info", number)
    assert standin.one("one.vn.reserve", number, 'NAME="s"\nSIZE="2"\nAR_ID="0"\nIP="10.0.0.4"') == reservation + 1
    assert "<IP><![CDATA[10.0.0.4]]>" in standin.one("one.vn.info", reservation + 1)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ('PROTOCOL="ICMP",RULE_TYPE="inbound",RANGE="1"', "RANGE is only supported for TCP and UDP"),
        ('PROTOCOL="TCP",RULE_TYPE="inbound",RANGE="70000"', "RANGE out of bounds"),
        ('PROTOCOL="TCP",RULE_TYPE="inbound",RANGE="9:1"', "RANGE BEGIN value is greater"),
        ('PROTOCOL="TCP",RULE_TYPE="inbound",RANGE="x"', "Invalid RANGE specification"),
        ('PROTOCOL="TCP",RULE_TYPE="up"', "Wrong RULE_TYPE in rule"),
        ('PROTOCOL="TCP",RULE_TYPE="inbound",IP="10.0.0.0"', "Wrong or empty SIZE"),
        ('PROTOCOL="TCP",RULE_TYPE="inbound",IP="x",SIZE="1"', "Wrong format for IP value"),
        ('PROTOCOL="TCP",RULE_TYPE="inbound",ICMP_TYPE="1"', "ICMP_TYPE is supported only for ICMP"),
    ],
)
def test_security_group_rules(standin: StandIn, rule: str, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        standin.one("one.secgroup.allocate", f'NAME="s"\nRULE=[{rule}]')


def test_quotas_of_user_and_networks(standin: StandIn) -> None:
    net = standin.one("one.vn.allocate", NET.format("n"), -1)
    standin.one("one.vn.chmod", net, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    standin.one("one.user.quota", 2, f'NETWORK=[ID="{net}",LEASES="2"]\nVM=[CPU="0.5"]')
    with pytest.raises(RuntimeError, match=r"user \[2\] limit of 2 reached for LEASES quota in NETWORK with ID: 0"):
        standin.one("one.vn.reserve", net, 'NAME="r"\nSIZE="3"', user=standin.tenant)
    standin.one("one.vn.reserve", net, 'NAME="r"\nSIZE="2"', user=standin.tenant)
    standin.one("one.template.allocate", 'NAME="t"\nCPU="1"\nMEMORY="1"', user=standin.tenant)
    with pytest.raises(RuntimeError, match=r"limit of 0.5 reached for CPU quota in VM"):
        standin.one("one.template.instantiate", 0, "x", False, "", False, user=standin.tenant)
    info = standin.one("one.user.info", 2)
    assert "<LEASES><![CDATA[2]]></LEASES><LEASES_USED><![CDATA[2]]></LEASES_USED>" in info


def test_owner_changes(standin: StandIn, other: tuple[str, str]) -> None:
    number = standin.one("one.vn.allocate", NET.format("n"), -1, user=standin.tenant)
    with pytest.raises(RuntimeError, match=r"Not authorized to perform MANAGE USER \[3\]"):
        standin.one("one.vn.chown", number, 3, -1, user=standin.tenant)
    with pytest.raises(RuntimeError, match=r"Error getting user \[77\]"):
        standin.one("one.vn.chown", number, 77, -1)
    standin.one("one.vn.chown", number, 3, 101)
    assert "<UNAME>other</UNAME><GNAME>others</GNAME>" in standin.one("one.vn.info", number, user=other)


def test_a_tenant_finds_itself_and_its_groups_in_the_pools(standin: StandIn, other: tuple[str, str]) -> None:
    """Source: PoolSharedAPI.cc (where_filter), User.cc (set_user(oid, name)), Group.cc (group_u = 1), release-7.4.0."""
    for user in (standin.tenant, other):
        users = standin.one("one.userpool.info", user=user)
        groups = standin.one("one.grouppool.info", user=user)
        assert re.findall(r"<USER><ID>\d+</ID>.*?<NAME>(\w+)</NAME>", users) == [user[0]]
        assert len(re.findall(r"<GROUP><ID>", groups)) == 1
    standin.one("one.acl.addrule", "200000064", "10400000000", "1", "400000000")
    assert len(re.findall("<USER><ID>", standin.one("one.userpool.info", user=standin.tenant))) == 4


def test_password_change(standin: StandIn) -> None:
    standin.one("one.user.passwd", 2, "new", user=standin.tenant)
    with pytest.raises(RuntimeError, match="couldn't be authenticated"):
        standin.one("one.user.info", -1, user=standin.tenant)
    assert "<NAME>flower</NAME>" in standin.one("one.user.info", -1, user=("flower", "new"))
