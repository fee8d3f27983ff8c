# SPDX-License-Identifier: Apache-2.0
"""Tenant B, with an account and VMs on the same site, against the objects, VMs and OneGate data of tenant A."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from adversary import Federation, Host, World, unfettered
from promises import Attempt, promise

pytestmark = [pytest.mark.lab, pytest.mark.root]

# Kind of object to the calls that read and change it; C(%) stands for the object's number.
OBJECTS = {
    "vm": [
        ("one.vm.info", "%"),
        ("one.vm.action", "terminate-hard", "%"),
        ("one.vm.update", "%", 'FL_ROLE="superlink"', 1),
        ("one.vm.chmod", "%", 1, 1, 1, 1, 1, 1, 1, 1, 1),
        ("one.vm.chown", "%", 0, 0),
        ("one.vm.rename", "%", "stolen"),
    ],
    "vnet": [
        ("one.vn.info", "%"),
        ("one.vn.update", "%", 'STOLEN="yes"', 1),
        ("one.vn.delete", "%"),
        ("one.vn.hold", "%", 'LEASES=[IP="10.71.1.99"]'),
        ("one.vn.chmod", "%", 1, 1, 1, 1, 1, 1, 1, 1, 1),
    ],
    "security_group": [
        ("one.secgroup.info", "%"),
        ("one.secgroup.update", "%", 'RULE=[PROTOCOL="ALL",RULE_TYPE="inbound"]', 0),
        ("one.secgroup.delete", "%"),
    ],
    "template": [
        ("one.template.info", "%"),
        ("one.template.update", "%", 'CONTEXT=[START_SCRIPT="id"]', 1),
        ("one.template.instantiate", "%", "stolen", False, "", False),
        ("one.template.delete", "%", False),
    ],
}
POOLS = {"vm": "vmpool", "vnet": "vnpool", "security_group": "secgrouppool", "template": "templatepool"}


def shared_site(world: World) -> str:
    """A site that both tenants use, by its endpoint; the name in A's inventory."""
    theirs = {
        str(values.get("one_endpoint")) for values in map(world.theirs.variables.get, world.theirs.sites) if values
    }
    return next(name for name in world.ours.sites if str(world.ours.variables[name]["one_endpoint"]) in theirs)


def site_of(world: World, federation: Federation) -> str:
    """That site's name in another inventory."""
    endpoint = world.ours.variables[shared_site(world)]["one_endpoint"]
    return next(name for name in federation.sites if federation.variables[name]["one_endpoint"] == endpoint)


def owned(federation: Federation, site: str, kind: str) -> dict[int, str]:
    """Numbers and names of the tenant's own objects of a kind."""
    arguments: list[object] = [-3, -1, -1, -1] if kind == "vm" else [-3, -1, -1]
    _agreed, answer = federation.one(site, f"one.{POOLS[kind]}.info", *arguments)
    tag = {"vm": "VM", "vnet": "VNET", "security_group": "SECURITY_GROUP", "template": "VMTEMPLATE"}[kind]
    found = re.findall(rf"<{tag}><ID>(\d+)</ID>.*?<NAME>(.*?)</NAME>", answer, re.DOTALL)
    return {int(number): name for number, name in found if federation.name in name or kind == "vm"}


def _whole(federation: Federation, site: str) -> dict[str, str]:
    """All that the tenant owns, as text that can be compared, without what changes by itself."""
    return {
        f"{kind} {number}": re.sub(
            r"<(MONITORING|LAST_POLL|HISTORY_RECORDS|LOCK)>.*?</\1>",
            "",
            federation.one(site, call, number)[1],
            flags=re.DOTALL,
        )
        for kind, call in (
            ("vm", "one.vm.info"),
            ("vnet", "one.vn.info"),
            ("security_group", "one.secgroup.info"),
            ("template", "one.template.info"),
        )
        for number in owned(federation, site, kind)
    }


@promise(
    "A tenant's objects in OpenNebula are neither seen nor changed by another tenant.",
    attempt="B's account on A's {kind}s",
)
@pytest.mark.parametrize("kind", OBJECTS)
def test_objects_are_out_of_reach(world: World, attempt: Attempt, kind: str) -> None:
    site, there = shared_site(world), site_of(world, world.theirs)
    targets = owned(world.ours, site, kind)
    reading = OBJECTS[kind][0][0]
    attempt.control(bool(targets) and all(world.ours.one(site, reading, each)[0] for each in targets), "A reads them")
    own = owned(world.theirs, there, kind)
    attempt.control(bool(own) and all(world.theirs.one(there, reading, each)[0] for each in own), "B reads its own")
    before = _whole(world.ours, site)
    listed = {number for number in owned(world.theirs, there, kind) if number in targets}
    agreed, refusals = [], []
    for call, *arguments in OBJECTS[kind]:
        for number in targets:
            done, text = world.theirs.one(there, call, *(number if each == "%" else each for each in arguments))
            (agreed if done else refusals).append(call if done else text)
    attempt.outcome(
        f"{len(refusals)} calls refused, {len(agreed)} agreed {agreed}; {len(listed)} of A's in B's pool"
        if agreed or listed
        else f"{len(refusals)} calls, all refused: not authorized; none in B's pool"
    )
    assert agreed == []
    assert listed == set()
    assert all("Not authorized" in text for text in refusals), refusals
    assert _whole(world.ours, site) == before


@promise(
    "A tenant's objects in OpenNebula are neither seen nor changed by another tenant.",
    attempt="B's account on A's OneFlow service",
)
def test_services_are_out_of_reach(world: World, attempt: Attempt) -> None:
    site, there = shared_site(world), site_of(world, world.theirs)
    targets = _services(world.ours, site)
    attempt.control(bool(targets), f"A sees {len(targets)} documents")
    attempt.control(bool(_services(world.theirs, there)), "B sees its own")
    tried = []
    for path in targets:
        tried.append(world.theirs.flow(there, path)[0])
        tried.append(world.theirs.flow(there, path, "PUT", json.dumps({"name": "stolen"}))[0])
        ends = {"perform": "recover", "params": {"delete": True}}
        action = {"action": ends if path.startswith("service/") else {"perform": "instantiate", "params": {}}}
        tried.append(world.theirs.flow(there, f"{path}/action", "POST", json.dumps(action))[0])
        tried.append(world.theirs.flow(there, path, "DELETE")[0])
    listed = [path for path in _services(world.theirs, there) if path in targets]
    attempt.outcome(
        f"{len(tried)} requests: {', '.join(map(str, sorted(set(tried))))}; {len(listed)} of A's in B's pool"
    )
    # 400 is a document that OneFlow refuses before it asks who may.
    assert set(tried) <= {400, 401, 403, 404}
    assert listed == []
    assert _services(world.ours, site) == targets


def _services(federation: Federation, site: str) -> list[str]:
    found = []
    for kind in ("service", "service_template"):
        _status, text = federation.flow(site, kind)
        documents: Any = json.loads(text)["DOCUMENT_POOL"].get("DOCUMENT", [])
        documents = documents if isinstance(documents, list) else [documents]
        found += [f"{kind}/{each['ID']}" for each in documents]
    return found


def certificate(host: Host, address: str, port: int) -> str:
    """Fingerprint of the certificate that a host is shown at an address; empty when there is none."""
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    ask = f"echo | timeout 8 openssl s_client -connect {where} 2>/dev/null | openssl x509 -noout -fingerprint -sha256"
    return host.run(ask, check=False).stdout.strip().rpartition("=")[2]


@promise(
    "Tenants whose networks have the same addresses never meet.", attempt="B's VM dials the address of A's SuperLink"
)
def test_the_same_address_is_another_host(world: World, attempt: Attempt) -> None:
    ours, node = world.ours.superlink, world.ours.supernodes[0]
    expected = ours.run("openssl x509 -noout -fingerprint -sha256 -in /etc/flower/superlink.crt").stdout
    mine = expected.strip().rpartition("=")[2]
    with unfettered(node):
        attempt.control(certificate(node, ours.address, 8443) == mine, "A's SuperNode is shown A's certificate there")
    foreign = world.theirs.supernodes[0]
    with unfettered(foreign):
        address, port = foreign.superlink
        attempt.control(
            len(certificate(foreign, address, port)) > 0, "B's VM is shown B's certificate by B's SuperLink"
        )
        shown = certificate(foreign, ours.address, 8443)
    attempt.outcome(f"shown {shown[:17] or 'nothing'}, A's is {mine[:17]}")
    assert shown != mine


GATE = (
    "curl -s -o /dev/null -w '%{{http_code}}' --max-time 10 -H 'X-ONEGATE-TOKEN: {token}' -H 'X-ONEGATE-VMID: {vm}' "
    "{method} http://{address}:5030{path}"
)


def gate(host: Host, address: str, vm: str, token: str, path: str, method: str = "") -> str:
    """Status that OneGate answers a host, 000 when it does not answer."""
    command = GATE.format(token=token, vm=vm, address=address, path=path, method=method)
    return host.run(command, check=False).stdout


@promise("A VM's OneGate data answers to that VM's service alone.", attempt="{who} asks for A's SuperLink")
@pytest.mark.parametrize("who", ["the stranger", "B's VM"])
def test_onegate_of_our_vms_is_out_of_reach(world: World, attempt: Attempt, who: str) -> None:
    ours = world.ours.superlink.context
    address = ours["ONEGATE_ENDPOINT"].split("/")[2].split(":")[0]
    own = gate(world.ours.superlink, address, ours["VMID"], ours["TOKENTXT"], "/vm")
    attempt.control(own == "200", f"the VM itself is answered {own}")
    if who == "the stranger":
        host, vm, token = world.stranger, "0", "AAAA"
    else:
        host = next(each for each in world.theirs.hosts("superlink") + world.theirs.supernodes)
        vm, token = host.context["VMID"], host.context["TOKENTXT"]
        address = host.context["ONEGATE_ENDPOINT"].split("/")[2].split(":")[0]
        mine = gate(host, address, vm, token, "/vm")
        attempt.control(mine == "200", f"B's VM is answered {mine} about itself")
    put = "-X PUT -d FL_ENDPOINT=hostile"
    answers = {
        f"{path} as VM {number} {method[:6]}": gate(host, address, number, token, path, method)
        for path, number, method in (
            ("/vm", ours["VMID"], ""),
            ("/service", ours["VMID"], ""),
            ("/vm", ours["VMID"], put),
            (f"/vms/{ours['VMID']}", vm, ""),
            (f"/vms/{ours['VMID']}", vm, put),
        )
        # with the stranger's number of its own choice there is nothing but A's VMs
        if number != vm or who != "the stranger" or number == ours["VMID"]
    }
    attempt.outcome(f"{len(answers)} requests: {', '.join(sorted(set(answers.values())))}")
    assert set(answers.values()) <= {"000", "400", "401", "403", "404"}, answers
