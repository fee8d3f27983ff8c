# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The fault ``lie``, and the version that a stand-in is started as."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fact8ra_lab.standin.config import ConfigError, from_dict
from fact8ra_lab.standin.testing import StandIn

NETWORK = 'NAME="net"\nVN_MAD="bridge"\nBRIDGE="br0"\nAR=[TYPE="IP4",IP="10.0.0.10",SIZE="50"]'


def test_an_update_that_lies_answers_the_id_and_changes_nothing(standin: StandIn) -> None:
    net = standin.one("one.vn.allocate", NETWORK, -1)
    standin.until(lambda: "<STATE><![CDATA[1]]></STATE>" in standin.one("one.vn.info", net, False))
    before = standin.one("one.vn.info", net, False)
    standin.faults.add({"lie": "one.vn.rename", "times": 1})
    assert standin.one("one.vn.rename", net, "other") == net
    assert standin.one("one.vn.info", net, False) == before
    standin.one("one.vn.rename", net, "other")
    assert "<NAME>other</NAME>" in standin.one("one.vn.info", net, False)


def test_a_creation_that_lies_answers_the_next_id(standin: StandIn) -> None:
    first = standin.one("one.template.allocate", 'NAME="a"')
    standin.faults.add({"lie": "one.template.allocate", "times": 1})
    assert standin.one("one.template.allocate", 'NAME="b"') == first + 1
    with pytest.raises(RuntimeError, match=rf"Error getting virtual machine template \[{first + 1}\]"):
        standin.one("one.template.info", first + 1)


def test_an_action_that_lies_answers_the_id_of_the_vm(standin: StandIn, flow: Any) -> None:
    standin.faults.add({"lie": "one.vm.action"})
    assert standin.one("one.vm.action", "terminate", 7) == 7


def test_a_wrong_password_is_refused_before_any_lie(standin: StandIn) -> None:
    standin.faults.add({"lie": "one.vn.rename"})
    with pytest.raises(RuntimeError, match=r"couldn't be authenticated"):
        standin.one("one.vn.rename", 0, "other", user=("oneadmin", "wrong"))


def test_oneflow_lies_with_its_own_status(standin: StandIn, flow: Any) -> None:
    template = flow.define()
    path = f"/service_template/{template}"
    for target in (f"PUT {path}", f"POST {path}/action", f"DELETE {path}", "POST /service_template"):
        standin.faults.add({"lie": target})
    _status, before = flow.rest("GET", path)
    status, answer = flow.rest("PUT", path, {"description": "new"})
    assert (status, answer["DOCUMENT"]["TEMPLATE"]["BODY"]["description"]) == (200, "new")
    rename = {"action": {"perform": "rename", "params": {"name": "other"}}}
    assert flow.rest("POST", f"{path}/action", rename) == (204, "")
    status, answer = flow.instantiate(template)
    assert (status, answer["DOCUMENT"]["ID"], answer["DOCUMENT"]["TYPE"]) == (201, str(template + 1), "100")
    status, answer = flow.rest("POST", "/service_template", {"name": "second", "roles": []})
    assert (status, answer["DOCUMENT"]["ID"], answer["DOCUMENT"]["NAME"]) == (201, str(template + 1), "second")
    assert flow.rest("DELETE", path) == (204, "")
    assert flow.rest("GET", path) == (200, before)
    assert flow.rest("GET", f"/service/{template + 1}")[0] == 404


@pytest.mark.parametrize("target", ["one.vn.info", "GET /service", "vnet", "oneflow", "PATCH /service/1"])
def test_what_is_no_change_cannot_be_lied_about(standin: StandIn, target: str) -> None:
    with pytest.raises(ValueError, match=r"fault lie is .* it must be a change, like one.vn.update"):
        standin.faults.add({"lie": target})


@pytest.mark.parametrize("version", ["6.8.0", "6.10.0", "7.4.0"])
def test_the_version_is_answered(standin_of: Callable[[str], StandIn], version: str) -> None:
    assert standin_of(version).one("one.system.version") == version


@pytest.mark.parametrize("make", [lambda: StandIn(version="5.12.0"), lambda: from_dict({"version": "5.12.0"})])
def test_an_unknown_version_is_refused_with_the_known_ones(make: Callable[[], Any]) -> None:
    with pytest.raises(ConfigError, match=r"version is '5.12.0'; it must be one of 6.8.0, 6.10.0, 7.4.0"):
        make()


def test_a_network_joins_a_cluster_and_leaves_it(standin: StandIn) -> None:
    net = standin.one("one.vn.allocate", NETWORK, -1)
    flower = 0
    assert standin.one("one.cluster.delvnet", flower, net) == flower
    assert "<CLUSTERS></CLUSTERS>" in standin.one("one.vn.info", net, False)
    assert standin.one("one.cluster.delvnet", flower, net) == flower
    assert standin.one("one.cluster.addvnet", flower, net) == flower
    assert f"<VNETS><ID>{net}</ID></VNETS>" in standin.one("one.cluster.info", flower, False)
    with pytest.raises(RuntimeError, match=r"Error getting virtual network \[99\]"):
        standin.one("one.cluster.addvnet", flower, 99)
    with pytest.raises(RuntimeError, match=rf"Not authorized to perform ADMIN NET \[{net}\]"):
        standin.one("one.cluster.addvnet", flower, net, user=standin.tenant)
