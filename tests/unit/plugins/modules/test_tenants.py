# SPDX-License-Identifier: Apache-2.0
"""The rights in docs/tenants.md: with exactly these a federation is made, without one of them the preflight says so
before anything is created, and no other tenant sees, reads, uses or changes what was made."""

from __future__ import annotations

import base64
import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from module_runner import ModuleFailed
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.modules import (
    oneflow_service,
    oneflow_template,
    security_group,
    site_preflight,
    vm_template,
    vnet,
)
from fact8ra_lab.standin.model import VM
from fact8ra_lab.standin.testing import StandIn

IMAGE, PARENT = "flower-debian-12", "parent"
#: Rules of a tenant by the kind of network that its federation has; as the table in docs/tenants.md.
COMMON = {
    "VM/* CREATE": "may not create VMs",
    "TEMPLATE/* CREATE": "may not create VM templates",
    "DOCUMENT/* CREATE": "may not create services",
    "SECGROUP/* CREATE": "may not create security groups",
    "HOST/* MANAGE": "the right MANAGE on no host",
    "DATASTORE/* USE": "the right USE on no system datastore",
    "IMAGE/#0 USE": f"no image is called {IMAGE}",
}
NETWORK = {
    "existing": {"NET/#0 USE": f"no virtual network is called {PARENT}"},
    "reservation": {"NET/#0 USE": f"no virtual network is called {PARENT}"},
    "managed": {"NET/* CREATE": "may not create virtual networks", "CLUSTER/* ADMIN": "the right ADMIN on no cluster"},
}
CASES = [(mode, right) for mode in NETWORK for right in (*COMMON, *NETWORK[mode])]


def stand_in(*rights: str) -> StandIn:
    """A cloud with two tenants, of whom the first has these rights and the second all of them, in no default VDC."""
    rules = [
        f"@{name} {rule} *" for name, rules in (("a", rights), ("b", (*COMMON, *NETWORK["managed"]))) for rule in rules
    ]
    seed = {
        "oneadmin_password": StandIn.admin[1],
        "groups": ["a", "b"],
        "default_vdc": False,
        "users": [{"name": name, "password": f"secret-{name}", "group": name} for name in "ab"],
        "acls": rules,
        "images": [{"name": IMAGE, "size_mb": 100, "mode": "600"}],
    }
    return StandIn(seed=seed)


def as_user(standin: StandIn, name: str) -> Site:
    return Site(standin, (name, f"secret-{name}"))


def parent(standin: StandIn) -> None:
    """The operator's network 0, whose driver and group restrict."""
    text = f'NAME="{PARENT}"\nVN_MAD="fw"\nBRIDGE="b"\nAR=[TYPE="IP4",IP="10.9.0.10",SIZE="20"]'
    assert standin.one("one.vn.allocate", text, -1) == 0
    standin.one("one.vn.update", 0, 'SECURITY_GROUPS=""', 1)


def preflight(site: Site, mode: str) -> dict[str, Any]:
    network = "fed" if mode == "managed" else PARENT
    needs = {"network": network, "network_mode": mode, "vms": 1, "cpu": 0.1, "memory": 64}
    return site.run(site_preflight, site="alpha", service="fed", image=IMAGE, **needs)


def provision(site: Site, mode: str) -> dict[str, Any]:
    """What role site does at a site with one SuperNode; returns the service."""
    rules = [{"protocol": "TCP", "rule_type": "inbound", "range": "22"}, {"protocol": "ALL", "rule_type": "outbound"}]
    group = site.run(security_group, name="fed-supernode", rules=rules)["security_group"]["id"]
    if mode == "managed":
        ranges = [{"ip": "10.8.0.10", "size": 4}]
        network = {"name": "fed", "vn_mad": "fw", "bridge": "br-fed", "security_groups": ["fed-supernode"]}
        site.run(vnet, **network, address_ranges=ranges)
    context = {"NETWORK": "YES", "TOKEN": "YES", "REPORT_READY": "YES"}
    site.run(vm_template, name="fed-supernode", cpu=0.1, memory=64, disks=[{"image": IMAGE}], context=context)
    nic = {"NETWORK_ID": "$Private", "SECURITY_GROUPS": str(group)}
    role = {"name": "supernode", "template": "fed-supernode", "cardinality": 1, "template_contents": {"NIC": [nic]}}
    networks = {"Private": "M|network|Network| |id:"}
    site.run(oneflow_template, name="fed", ready_status_gate=True, networks=networks, roles=[role])
    value = (
        {"reserve_from": PARENT, "size": 2}
        if mode == "reservation"
        else {"network": "fed" if mode == "managed" else PARENT}
    )
    made: dict[str, Any] = site.run(
        oneflow_service, name="fed", template="fed", networks=[{"name": "Private", **value}], wait_timeout=10
    )
    return made["service"]


@pytest.mark.parametrize("mode", list(NETWORK))
def test_exactly_these_rights_suffice(mode: str) -> None:
    with stand_in(*COMMON, *NETWORK[mode]) as standin:
        parent(standin)
        tenant = as_user(standin, "a")
        assert preflight(tenant, mode)["site"]["networks_open_to"] == ["@1"]
        assert provision(tenant, mode)["state"] == "RUNNING"
        assert preflight(tenant, mode)["site"]["vms"] == 1


@pytest.mark.parametrize(("mode", "taken"), CASES)
def test_without_one_of_them_the_preflight_says_which_before_anything_is_created(mode: str, taken: str) -> None:
    rights = {**COMMON, **NETWORK[mode]}
    with stand_in(*(right for right in rights if right != taken)) as standin:
        parent(standin)
        tenant = as_user(standin, "a")
        with pytest.raises(ModuleFailed) as failed:
            preflight(tenant, mode)
        assert rights[taken] in failed.value.result["msg"]
        assert len(failed.value.result["failure"]["details"]["problems"]) == 1
        assert tenant.writes == []


def test_without_a_host_a_vm_stays_pending() -> None:
    with stand_in(*(right for right in COMMON if not right.startswith("HOST")), "NET/#0 USE") as standin:
        number = standin.one("one.vm.allocate", 'NAME="v"\nCPU="0.1"\nMEMORY="9"', user=("a", "secret-a"))
        standin.until(lambda: "User is not authorized to use any host" in standin.one("one.vm.info", number))


def test_the_table_in_the_docs_is_this_one() -> None:
    text = (Path(__file__).parents[4] / "docs/tenants.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z]+) ([A-Z]+)`", text, re.MULTILINE)
    tested = {
        (right.partition("/")[0], right.rpartition(" ")[2]) for mode in NETWORK for right in (*COMMON, *NETWORK[mode])
    }
    assert set(rows) == tested | {("HOST", "USE"), ("TEMPLATE", "USE")}, "the last two are for GPUs"


# ------------------------------------------------------------------------------------------------------ other tenants


@pytest.fixture(scope="module")
def cloud() -> Iterator[tuple[StandIn, dict[str, int]]]:
    """Two federations of the same names, each of its tenant; with the ids of what the first has."""
    with stand_in(*COMMON, *NETWORK["managed"], "IMAGE/* CREATE") as standin:
        first = provision(as_user(standin, "a"), "managed")
        provision(as_user(standin, "b"), "managed")
        owner = ("a", "secret-a")
        image = standin.one(
            "one.image.allocate", 'NAME="own"\nTYPE="OS"\nPATH="/etc/hostname"\nSIZE="1"', 1, user=owner
        )
        text = standin.one("one.templatepool.info", -3, -1, -1, user=owner)
        vms = standin.one("one.vmpool.info", -3, -1, -1, -1, user=owner)
        ids = {
            "vm": int(re.findall(r"<ID>(\d+)</ID>", vms)[0]),
            "template": int(re.findall(r"<ID>(\d+)</ID>", text)[0]),
            "vn": int(re.findall(r"<ID>(\d+)</ID>", standin.one("one.vnpool.info", -3, -1, -1, user=owner))[0]),
            "secgroup": int(
                re.findall(r"<ID>(\d+)</ID>", standin.one("one.secgrouppool.info", -3, -1, -1, user=owner))[0]
            ),
            "image": image,
            "document": int(first["id"]),
        }
        yield standin, ids


NO_BITS = [-1] * 9
#: What else each method takes beside the object's id.
ARGUMENTS: dict[str, list[Any]] = {
    "info": [], "delete": [], "unlock": [], "lock": [4], "rename": ["mine"], "update": ['X="1"', 1], "chmod": NO_BITS,
    "chown": [3, -1], "clone": ["copy"], "commit": [False], "instantiate": ["vm"], "recover": [3], "enable": [False],
    "persistent": [True], "chtype": ["CDROM"], "add_ar": ['AR=[TYPE="IP4",IP="10.8.9.1",SIZE="1"]'], "rm_ar": [0],
    "update_ar": ['AR=[AR_ID="0",SIZE="9"]'], "free_ar": [0], "hold": ['LEASES=[IP="10.8.0.13"]'],
    "updateconf": ['CONTEXT=[X="1"]', 1], "attachnic": ['NIC=[NETWORK_ID="0"]'], "detachnic": [0],
    "release": ['LEASES=[IP="10.8.0.13"]'], "reserve": ['NAME="r"\nSIZE="1"'],
}  # fmt: skip


#: SharedAPI::clone of OpenNebula 7.4 asks for CREATE on the original, which a rule to create objects of the kind gives.
COPIES = {"one.template.clone": "templatepool", "one.secgroup.clone": "secgrouppool"}


def test_no_call_reaches_an_object_of_another_tenant(cloud: tuple[StandIn, dict[str, int]]) -> None:
    standin, ids = cloud
    tried = set()
    for method in standin.site.rpc.methods:
        _one, family, name = method.split(".")
        if family not in ids or name == "allocate" or method in COPIES:
            continue
        number = ids[family]
        tries = [[number, *ARGUMENTS[name]]] if name != "action" else [["poweroff", number], ["terminate-hard", number]]
        for arguments in tries:
            before = standin.one(f"one.{family}.info", number)
            with pytest.raises(RuntimeError, match=r"Not authorized to perform (USE|MANAGE|ADMIN)"):
                standin.one(method, *arguments, user=("b", "secret-b"))
            assert standin.one(f"one.{family}.info", number) == before
        tried.add(method)
    assert len(tried) > 50


@pytest.mark.parametrize("method", list(COPIES))
def test_what_opennebula_lets_others_copy_holds_no_secret(cloud: tuple[StandIn, dict[str, int]], method: str) -> None:
    standin, ids = cloud
    family = method.split(".")[1]
    before = standin.one(f"one.{family}.info", ids[family])
    copy = standin.one(method, ids[family], "copy", user=("b", "secret-b"))
    shown = standin.one(f"one.{family}.info", copy, user=("b", "secret-b"))
    assert standin.one(f"one.{family}.info", ids[family]) == before
    assert "secret" not in shown
    assert "TOKENTXT" not in shown
    standin.one(f"one.{family}.delete", copy, user=("b", "secret-b"))


def test_no_pool_shows_an_object_of_another_tenant(cloud: tuple[StandIn, dict[str, int]]) -> None:
    standin, ids = cloud
    for family, number in ids.items():
        if family == "document":
            continue
        more = [-1] if family == "vm" else []
        for flag in (-4, -3, -2, -1, 2):
            listed = standin.one(f"one.{family}pool.info", flag, -1, -1, *more, user=("b", "secret-b"))
            assert f"<ID>{number}</ID><UID>2</UID>" not in listed
        assert f"<ID>{number}</ID><UID>2</UID>" in standin.one(f"one.{family}pool.info", -2, -1, -1, *more)


@pytest.mark.parametrize(
    "part",
    [
        'DISK=[IMAGE_ID="{image}"]',
        'DISK=[IMAGE="own",IMAGE_UNAME="a"]',
        'NIC=[NETWORK_ID="{vn}"]',
        'NIC=[NETWORK="fed",NETWORK_UNAME="a"]',
    ],
)
def test_no_vm_takes_an_object_of_another_tenant(cloud: tuple[StandIn, dict[str, int]], part: str) -> None:
    standin, ids = cloud
    with pytest.raises(RuntimeError, match=r"Not authorized to perform USE (IMAGE|NET) \[\d+\]"):
        standin.one("one.vm.allocate", 'NAME="v"\nCPU="0.1"\nMEMORY="9"\n' + part.format(**ids), user=("b", "secret-b"))


def flow(standin: StandIn, verb: str, path: str, body: Any = None) -> tuple[int, str]:
    """What OneFlow answers the second tenant."""
    connection = http.client.HTTPConnection(standin.flow_endpoint.partition("//")[2], timeout=10)
    token = base64.b64encode(b"b:secret-b").decode()
    connection.request(verb, path, json.dumps(body) if body else None, {"Authorization": f"Basic {token}"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_oneflow_shows_and_changes_nothing_of_another_tenant(cloud: tuple[StandIn, dict[str, int]]) -> None:
    standin, ids = cloud
    service = ids["document"]
    listed = json.loads(flow(standin, "GET", "/service_template")[1])["DOCUMENT_POOL"]["DOCUMENT"]
    assert {document["UNAME"] for document in listed} == {"b"}
    services = json.loads(flow(standin, "GET", "/service")[1])["DOCUMENT_POOL"]["DOCUMENT"]
    assert {document["UNAME"] for document in services} == {"b"}
    template = next(int(number) for number in range(service) if "TYPE>101" in standin.one("one.document.info", number))
    before = [standin.one("one.document.info", number) for number in (service, template)]
    scale = {"role_name": "supernode", "cardinality": 2, "force": False}
    calls: list[tuple[str, str, Any]] = [
        ("GET", f"/service/{service}", None),
        ("DELETE", f"/service/{service}", None),
        ("PUT", f"/service/{service}", {"append": True, "template": '{"description": "mine"}'}),
        ("POST", f"/service/{service}/action", {"action": {"perform": "recover", "params": {"delete": True}}}),
        ("POST", f"/service/{service}/scale", scale),
        ("POST", f"/service/{service}/role/supernode/action", {"action": {"perform": "poweroff", "params": {}}}),
        ("GET", f"/service_template/{template}", None),
        ("DELETE", f"/service_template/{template}", None),
        ("PUT", f"/service_template/{template}", {"name": "mine", "roles": []}),
        ("POST", f"/service_template/{template}/action", {"action": {"perform": "instantiate", "params": {}}}),
        ("POST", f"/service_template/{template}/action", {"action": {"perform": "clone", "params": {"name": "mine"}}}),
    ]
    for call in calls:
        status, text = flow(standin, *call)
        # A refused copy is an error of the server's own to OneFlow.
        assert (status in (401, 500), "Not authorized" in text) == (True, True), (call, status, text)
    # These answer 204 whatever oned said, see the reference of the API; so the object is looked at.
    for perform, params in (("chmod", {"octet": "777"}), ("chown", {"owner_id": "3"}), ("rename", {"name": "mine"})):
        flow(
            standin, "POST", f"/service_template/{template}/action", {"action": {"perform": perform, "params": params}}
        )
    assert [standin.one("one.document.info", number) for number in (service, template)] == before


def test_onegate_serves_no_vm_of_another_tenant(cloud: tuple[StandIn, dict[str, int]]) -> None:
    standin, ids = cloud
    life = standin.site.life
    vms = standin.site.cloud.pool(VM)
    own = next(vm for vm in vms.values() if vm.uid == 3)
    token = life.machine(own).context["TOKENTXT"]

    def ask(verb: str, path: str, number: int) -> int:
        connection = http.client.HTTPConnection(standin.gate_endpoint.partition("//")[2], timeout=10)
        headers = {"X-ONEGATE-TOKEN": token, "X-ONEGATE-VMID": str(number)}
        connection.request(verb, path, "READY=NO" if verb == "PUT" else None, headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    before = standin.one("one.vm.info", ids["vm"])
    assert ask("GET", "/vm", own.id) == 200
    assert [ask(verb, "/vm", ids["vm"]) for verb in ("GET", "PUT")] == [401, 401], (
        "another VM's number with the own token"
    )
    assert [ask(verb, f"/vms/{ids['vm']}", own.id) for verb in ("GET", "PUT")] == [400, 400]
    assert standin.one("one.vm.info", ids["vm"]) == before
