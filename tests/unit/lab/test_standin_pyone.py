# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OpenNebula's own Python binding works against the stand-in: it reads the XML and raises the right errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fact8ra_lab.standin.testing import StandIn

try:
    import pyone
except ModuleNotFoundError:
    pyone = None  # where only the tests that need Flower are run; these would fail there


@pytest.fixture
def one(standin: StandIn) -> Any:
    """A client of the tenant."""
    return pyone.OneServer(standin.endpoint, session=":".join(standin.tenant))


def test_objects_are_bound(one: Any, standin: StandIn) -> None:
    assert one.system.version() == "7.4.0"
    net = one.vn.allocate('NAME="n"\nVN_MAD="bridge"\nBRIDGE="b"\nAR=[TYPE="IP4",IP="10.0.0.1",SIZE="4"]', -1)
    standin.until(lambda: one.vn.info(net).STATE == 1)
    found = one.vn.info(net)
    assert (found.NAME, found.AR_POOL.AR[0].SIZE, found.TEMPLATE["VN_MAD"]) == ("n", 4, "bridge")
    template = one.template.allocate(
        {"TEMPLATE": {"NAME": "t", "CPU": "0.1", "MEMORY": "64", "NIC": {"NETWORK_ID": str(net)}}}
    )
    assert one.template.info(template).TEMPLATE["NIC"] == {"NETWORK_ID": str(net)}
    vm = one.template.instantiate(template, "vm", False, "", False)
    standin.until(lambda: one.vm.info(vm).LCM_STATE == 3)
    assert one.vm.info(vm).TEMPLATE["NIC"]["IP"] == "10.0.0.1"
    assert [item.ID for item in one.vmpool.infoextended(-2, -1, -1, -1).VM] == [vm]
    assert [item.NAME for item in one.vmpool.info(-2, -1, -1, -1).VM] == ["vm"]
    assert vm == one.vn.info(net).AR_POOL.AR[0].LEASES.LEASE[0].VM
    assert one.user.info(-1).NAME == "flower"
    assert one.imagepool.info(-2, -1, -1).IMAGE[0].NAME == "flower-debian-12"
    assert one.secgrouppool.info(-2, -1, -1).SECURITY_GROUP[0].ID == 0
    assert one.zonepool.info().ZONE[0].NAME == "OpenNebula"
    assert one.acl.info().ACL[0].STRING.endswith("CREATE *")


def test_administrators_pools(standin: StandIn) -> None:
    one = pyone.OneServer(standin.endpoint, session=":".join(standin.admin))
    assert [host.NAME for host in one.hostpool.info().HOST] == ["dummyhost1", "dummyhost0"]
    assert one.host.info(0).HOST_SHARE.PCI_DEVICES.PCI[0].TYPE == "10de:20b5:0302"
    assert one.clusterpool.info().CLUSTER[0].HOSTS.ID == [0, 1]
    assert [store.NAME for store in one.datastorepool.info().DATASTORE] == ["files", "default", "system"]
    assert [user.NAME for user in one.userpool.info().USER] == ["flower", "serveradmin", "oneadmin"]
    assert one.group.info(100).NAME == "flower"
    assert [group.NAME for group in one.grouppool.info().GROUP] == ["flower", "users", "oneadmin"]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda one: one.vm.info(9), "OneNoExistsException", "[one.vm.info] Error getting virtual machine [9]."),
        (
            lambda one: one.group.allocate("x"),
            "OneAuthorizationException",
            "[one.group.allocate] User [2] : Not authorized to perform CREATE GROUP.",
        ),
        (
            lambda one: one.vn.allocate("A=[", -1),
            "OneInternalException",
            "[one.vn.allocate] Parse error: syntax error, unexpected $end, expecting CBRACKET or VARIABLE at line 0,"
            " columns 3:4",
        ),
    ],
)
def test_errors(one: Any, call: Callable[[Any], Any], error: str, text: str) -> None:
    with pytest.raises(getattr(pyone, error)) as caught:
        call(one)
    assert str(caught.value) == text


def test_bad_password(standin: StandIn) -> None:
    with pytest.raises(pyone.OneAuthenticationException, match="couldn't be authenticated"):
        pyone.OneServer(standin.endpoint, session="flower:wrong").user.info(-1)
