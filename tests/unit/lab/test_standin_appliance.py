# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What an appliance meets: user inputs of a service, a changed context, and OneGate's ways with values."""

from __future__ import annotations

import email.utils
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest

from fact8ra_lab.standin.gate import _quoted
from fact8ra_lab.standin.testing import StandIn

INPUTS = {"ONEAPP_FLOWER_SITE": "O|text|Name of the site", "ONEAPP_FLOWER_RUN_ROUNDS": "O|number|Rounds||3"}


def context(flow: Any, vm: int) -> dict[str, str]:
    """The variables of a VM's context."""
    found = ElementTree.fromstring(flow.vm(vm)).find("TEMPLATE/CONTEXT")
    assert found is not None
    return {child.tag: child.text or "" for child in found}


# What upstream's escape_attr makes of the lines, by src/onegate/onegate-server.rb of release-7.4.0.
@pytest.mark.parametrize(
    ("body", "template"),
    [
        ("A=b\nC=d", 'A="b"\nC="d"'),
        ("A=two words\n", 'A="two words"\n'),
        ("A=YWI==\nB=c", 'A="YWI=="\nB="c"'),
        ('A="b"', 'A="b"'),
        ('A=""\nB=c', 'A=""\nB="c"'),
        ("A=[B=c]", 'A=[B="c"]'),
        ("A=[B=c,D=e]", 'A=[B="c",D=e"]'),
    ],
)
def test_values_get_quotes(body: str, template: str) -> None:
    assert _quoted(body) == template


@pytest.mark.parametrize("body", ["A=one, two", 'A="one, two"', "A=a[b", "A=a\\b", "A=\nB=", 'A="YWI=="'])
def test_values_that_upstream_spoils(flow: Any, gate: Callable[..., Any], body: str) -> None:
    vm = flow.vm_ids(_running(flow), "supernode")[0]
    status, text = gate(flow, vm).send("PUT", "/vm", body)
    kept = json.loads(gate(flow, vm).send("GET", "/vm")[1])["VM"]["USER_TEMPLATE"].get("A")
    assert status == 500 or kept not in ("one, two", "a[b", "a\\b", "YWI=="), text


def _running(flow: Any, **more: Any) -> int:
    service: int = flow.run(**more)
    flow.reach(service, 2)
    return service


def test_a_sibling_shows_its_attributes_only_when_asked_for_all(flow: Any, gate: Callable[..., Any]) -> None:
    """Source: fill_node_info and VM_INFO of src/flow/lib/models/role.rb, build_service_hash of onegate-server.rb."""
    service = _running(flow)
    superlink, supernode = flow.vm_ids(service, "superlink")[0], flow.vm_ids(service, "supernode")[0]
    assert gate(flow, superlink).send("PUT", "/vm", "FLOWER_ADDRESS=10.0.0.10")[0] == 200

    def of(path: str) -> dict[str, Any]:
        roles = json.loads(gate(flow, supernode).send("GET", path)[1])["SERVICE"]["roles"]
        vm: dict[str, Any] = roles[0]["nodes"][0]["vm_info"]["VM"]
        return vm

    assert set(of("/service")) == {"ID", "UID", "GID", "UNAME", "GNAME", "NAME"}
    assert of("/service?extended=true")["USER_TEMPLATE"]["FLOWER_ADDRESS"] == "10.0.0.10"


def test_user_inputs_reach_the_context_of_every_role(flow: Any) -> None:
    service = flow.define(user_inputs=INPUTS)
    values = {"ONEAPP_FLOWER_SITE": "north", "ONEAPP_FLOWER_RUN_ROUNDS": ""}
    status, answer = flow.instantiate(service, user_inputs_values=values)
    assert status == 201, answer
    number = int(answer["DOCUMENT"]["ID"])
    flow.reach(number, 2)
    for role in ("superlink", "supernode"):
        for vm in flow.vm_ids(number, role):
            given = context(flow, vm)
            assert (given["ONEAPP_FLOWER_SITE"], given["ONEAPP_FLOWER_RUN_ROUNDS"]) == ("north", "")


def test_optional_user_inputs_need_values_too(flow: Any) -> None:
    """OneFlow takes no default from the text of a user input; Sunstone and the CLI fill them in."""
    service = flow.define(user_inputs=INPUTS)
    assert flow.instantiate(service)[0] == 400
    assert flow.instantiate(service, user_inputs_values={"ONEAPP_FLOWER_SITE": "north"}) == (
        400,
        "Verify that every User Input have its corresponding value defined",
    )


def test_elasticity_is_kept_and_scaling_stays_within_it(flow: Any) -> None:
    role = flow.role("supernode", 2, parents=["superlink"], min_vms=2, max_vms=3)
    role["elasticity_policies"] = [
        {"type": "CHANGE", "adjust": 1, "expression": "ATT > 90", "period": 10, "period_number": 3, "cooldown": 60}
    ]
    service = _running(flow, roles=[flow.role("superlink"), role])
    kept = next(item for item in flow.body(service)["roles"] if item["name"] == "supernode")
    assert (kept["min_vms"], kept["max_vms"], kept["elasticity_policies"][0]["expression"]) == (2, 3, "ATT > 90")
    for wanted in (1, 4):
        status, _answer = flow.rest(
            "POST",
            f"/service/{service}/scale",
            {"role_name": "supernode", "cardinality": wanted, "force": False},
        )
        assert status == 500


def test_a_changed_context_is_there_at_the_next_boot(flow: Any, standin: StandIn) -> None:
    vm = flow.vm_ids(_running(flow), "supernode")[0]
    assert standin.one("one.vm.updateconf", vm, 'CONTEXT=[ONEAPP_FLOWER_SITE="a"]', 1, user=standin.tenant) == vm
    appended = context(flow, vm)
    assert (appended["ONEAPP_FLOWER_SITE"], appended["ETH0_IP"], appended["TOKEN"]) == ("a", "10.0.0.11", "YES")
    standin.one("one.vm.updateconf", vm, 'CONTEXT=[NETWORK="YES"]', user=standin.tenant)
    replaced = context(flow, vm)
    assert "ONEAPP_FLOWER_SITE" not in replaced
    assert "ONEGATE_ENDPOINT" not in replaced
    assert replaced["ETH0_IP"] == "10.0.0.11"


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [("CONTEXT=[A=", 0, "(?i)syntax|parse"), ('CONTEXT=[A="b"]', 2, "Wrong update type"), ('OS=[ARCH="x"]', 0, "OS")],
)
def test_a_context_that_cannot_be(flow: Any, standin: StandIn, text: str, kind: int, message: str) -> None:
    vm = flow.vm_ids(_running(flow), "supernode")[0]
    with pytest.raises(RuntimeError, match=message):
        standin.one("one.vm.updateconf", vm, text, kind, user=standin.tenant)


def test_a_vm_that_is_off_gets_another_address(flow: Any, standin: StandIn) -> None:
    vm = flow.vm_ids(_running(flow), "supernode")[0]
    with pytest.raises(RuntimeError, match="POWEROFF alone"):
        standin.one("one.vm.detachnic", vm, 0, user=standin.tenant)
    standin.one("one.vm.action", "poweroff-hard", vm, user=standin.tenant)
    standin.until(lambda: "<STATE>8</STATE>" in flow.vm(vm))
    standin.one("one.vm.attachnic", vm, f'NIC=[NETWORK_ID="{flow.net}",IP="10.0.0.40"]', user=standin.tenant)
    standin.one("one.vm.detachnic", vm, 0, user=standin.tenant)
    given = context(flow, vm)
    assert (given["ETH1_IP"], "ETH0_IP" in given) == ("10.0.0.40", False)
    net = standin.one("one.vn.info", flow.net, False, user=standin.tenant)
    assert "10.0.0.40" in net
    assert f"<IP><![CDATA[10.0.0.11]]></IP><MAC><![CDATA[02:00:0a:00:00:0b]]></MAC><VM>{vm}</VM>" not in net
    with pytest.raises(RuntimeError, match="does not exist"):
        standin.one("one.vm.detachnic", vm, 7, user=standin.tenant)


def test_onegate_refuses_on_request(flow: Any, gate: Callable[..., Any], standin: StandIn) -> None:
    vm = flow.vm_ids(_running(flow), "superlink")[0]
    standin.faults.add({"refuse": "PUT /vm", "code": 403, "text": "no"})
    assert gate(flow, vm).send("PUT", "/vm", "A=b") == (403, "no")
    assert gate(flow, vm).send("GET", "/vm")[0] == 200
    standin.faults.clear()
    assert gate(flow, vm).send("PUT", "/vm", "A=b")[0] == 200


def test_onegate_has_another_clock_on_request(standin: StandIn) -> None:
    def year() -> int:
        # Without a token it says no, with the date.
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{standin.gate_endpoint}/vm", timeout=5)
        with refused.value as answer:
            return email.utils.parsedate_to_datetime(answer.headers["Date"]).year

    now = year()
    standin.faults.add({"skew": {"api": "onegate", "seconds": -2 * 366 * 86400}})
    assert year() in (now - 2, now - 3)
