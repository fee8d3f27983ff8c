# SPDX-License-Identifier: Apache-2.0
"""Judgements about a site: each problem is found, and alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import document
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight import Needs, Offer, may_create, problems

NEEDS = Needs("poc-alpha", "debian", "federation", "existing", vms=2, cpu=2, memory=2048, minimum_version="7.0.0")


def _document(name: str, uid: int, vms: int = 0) -> Any:
    roles = [{"name": "supernode", "nodes": [{"deploy_id": number} for number in range(vms)]}]
    template = {"BODY": {"roles": roles}}
    return document(
        {"ID": "5", "UID": str(uid), "GID": "1", "UNAME": "eve", "NAME": name, "TYPE": "100", "TEMPLATE": template}
    )


def _offer(**changes: Any) -> Offer:
    offer = Offer(
        version="7.4.0",
        user={"ID": "2", "NAME": "flower", "GROUPS": {"ID": ["100"]}, "VM_QUOTA": ""},
        groups=(
            {
                "ID": "100",
                "NAME": "tenant",
                "VM_QUOTA": {"VM": {"VMS": "3", "VMS_USED": "1", "CPU": "-1", "MEMORY": "-2"}},
            },
        ),
        acls=("@100 VM+IMAGE+TEMPLATE+DOCUMENT+SECGROUP/* CREATE #0",),
        images=({"ID": "0", "UID": "0", "UNAME": "oneadmin", "NAME": "debian", "STATE": "1"},),
        networks=(
            {"ID": "0", "UID": "0", "NAME": "federation", "AR_POOL": {"AR": {"SIZE": "10"}}, "USED_LEASES": "8"},
        ),
        security_groups=(),
        vm_templates=(),
        hosts=(
            {
                "STATE": "2",
                "HOST_SHARE": {"MAX_CPU": "800", "CPU_USAGE": "600", "MAX_MEM": "4194304", "MEM_USAGE": "2097152"},
            },
        ),
        service_templates=(),
        services=(),
    )
    return replace(offer, **changes)


def test_a_site_that_fits_exactly_has_no_problems() -> None:
    assert problems(_offer(), NEEDS) == []


@pytest.mark.parametrize(
    ("offer", "needs", "text"),
    [
        ({"version": "6.10.3"}, {}, "OpenNebula is 6.10.3; 7.0.0 or later is needed"),
        ({"images": ()}, {}, "no image is called debian (site_image); the user sees: none"),
        ({}, {"image": "Debian"}, "no image is called Debian (site_image); the user sees: debian"),
        ({}, {"network": "other"}, "no virtual network is called other (site_network_name); the user sees: federation"),
        ({}, {"vms": 3}, "virtual network federation (id 0) has 2 free addresses; 3 are needed"),
        ({}, {"vms": 3}, "the quota of group tenant for VMS is 3, of which 1 are used; the federation needs 3"),
        ({}, {"cpu": 2.5}, "the hosts have 2 free CPUs; the federation needs 2.5"),
        ({}, {"memory": 4096}, "the hosts have 2048 free MB of memory; the federation needs 4096"),
        (
            {"acls": ()},
            {},
            "user flower may not create VMs and VM templates and services and security groups",
        ),
        (
            {},
            {"network_mode": "managed"},
            "user flower may not create virtual networks; set site_network_mode to existing or reservation",
        ),
        (
            {"services": (_document("poc-alpha", 9),)},
            {},
            "service poc-alpha (id 5) belongs to user eve; choose another federation_name or site_service_name, "
            "or ask for its ownership",
        ),
        (
            {"security_groups": ({"ID": "7", "UID": "9", "UNAME": "eve", "NAME": "poc-alpha-supernode"},)},
            {},
            "security group poc-alpha-supernode (id 7) belongs to user eve; choose another federation_name or "
            "site_service_name, or ask for its ownership",
        ),
    ],
)
def test_each_problem_is_named(offer: dict[str, Any], needs: dict[str, Any], text: str) -> None:
    assert text in problems(_offer(**offer), replace(NEEDS, **needs))


def test_an_image_that_is_not_ready() -> None:
    offer = _offer(images=({"ID": "0", "UID": "0", "NAME": "debian", "STATE": "5"},))
    assert problems(offer, NEEDS) == ["image debian (id 0) is in state 5, not READY"]


def test_two_images_of_a_name() -> None:
    image = {"ID": "0", "UID": "0", "NAME": "debian", "STATE": "1"}
    offer = _offer(images=(image, {**image, "ID": "4", "UID": "2"}))
    assert problems(offer, NEEDS) == ["2 images are called debian (ids 0, 4); site_image has to name one"]


def test_two_own_services_of_a_name() -> None:
    offer = _offer(services=(_document("poc-alpha", 2), _document("poc-alpha", 2)))
    assert problems(offer, NEEDS) == ["2 services are called poc-alpha (ids 5, 5); remove or rename all but one"]


def test_a_deployed_federation_does_not_need_its_own_room_again() -> None:
    offer = _offer(services=(_document("poc-alpha", 2, vms=3),))
    assert problems(offer, replace(NEEDS, vms=3, cpu=64, memory=65536)) == []


def test_what_a_federation_grows_by_is_checked() -> None:
    offer = _offer(services=(_document("poc-alpha", 2, vms=1),))
    assert problems(offer, replace(NEEDS, vms=2, cpu=2, memory=2048)) == []
    assert "the hosts have 2 free CPUs; the federation needs 32" in problems(offer, replace(NEEDS, cpu=64))


def test_a_service_that_would_lose_vms() -> None:
    offer = _offer(services=(_document("poc-alpha", 2, vms=3),))
    assert "OpenNebula removes the oldest first, with the data on them" in problems(offer, NEEDS)[0]
    assert problems(offer, replace(NEEDS, allow_shrink=True)) == []


def test_a_service_that_never_got_vms_counts_for_nothing() -> None:
    offer = _offer(services=(_document("poc-alpha", 2),))
    assert "the hosts have 2 free CPUs; the federation needs 64" in problems(offer, replace(NEEDS, cpu=64))


def test_a_reservation_needs_all_its_addresses_once() -> None:
    reservation = replace(NEEDS, network_mode="reservation", addresses=8)
    assert "virtual network federation (id 0) has 2 free addresses; 8 are needed" in problems(_offer(), reservation)
    assert problems(_offer(services=(_document("poc-alpha", 2, vms=2),)), reservation) == []


@pytest.mark.parametrize("where", ["network", "range"])
@pytest.mark.parametrize(
    ("rule", "admits"),
    [
        ({"PROTOCOL": "ALL", "RULE_TYPE": "inbound"}, True),
        ({"PROTOCOL": "ALL", "RULE_TYPE": "outbound"}, False),
        ({"PROTOCOL": "TCP", "RULE_TYPE": "inbound", "RANGE": "22"}, False),
        ({"PROTOCOL": "ALL", "RULE_TYPE": "inbound", "IP": "10.0.0.0", "SIZE": "8"}, False),
    ],
)
def test_a_group_of_the_network_that_admits_everything(where: str, rule: dict[str, str], admits: bool) -> None:
    carried = {"SECURITY_GROUPS": "7"}
    network = {
        "ID": "0",
        "UID": "0",
        "NAME": "federation",
        "TEMPLATE": carried if where == "network" else "",
        "AR_POOL": {"AR": {"SIZE": "10", **(carried if where == "range" else {})}},
    }
    group = {"ID": "7", "UID": "2", "NAME": "open", "TEMPLATE": {"RULE": rule}}
    offer = _offer(networks=(network,), security_groups=(group,))
    assert any("carries security group 7" in problem for problem in problems(offer, NEEDS)) is admits
    assert problems(offer, replace(NEEDS, allow_open_network=True)) == []


def test_hosts_that_the_user_may_not_see_are_no_problem() -> None:
    assert problems(_offer(hosts=()), replace(NEEDS, cpu=64)) == []


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ("#2 NET/* CREATE *", True),
        ("@100 VM+NET/* MANAGE+CREATE #0", True),
        ("* NET/* CREATE *", True),
        ("#3 NET/* CREATE *", False),
        ("@100 NET/#7 CREATE *", False),
        ("@100 NET/* USE *", False),
    ],
)
def test_rights_come_from_the_access_rules(rule: str, allowed: bool) -> None:
    assert may_create(_offer(acls=(rule,)), "NET") is allowed


def test_members_of_oneadmin_may_create_everything() -> None:
    assert may_create(_offer(acls=(), user={"ID": "2", "NAME": "x", "GROUPS": {"ID": "0"}}), "NET")
