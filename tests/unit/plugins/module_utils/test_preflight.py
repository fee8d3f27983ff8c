# SPDX-License-Identifier: Apache-2.0
"""Judgements about a site: each problem is found, and alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import document
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.judge import problems
from ansible_collections.fact8ra.flower.plugins.module_utils._preflight.offer import Needs, Offer
from ansible_collections.fact8ra.flower.plugins.module_utils._rights import Rights

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
        user={"ID": "2", "GID": "100", "NAME": "flower", "GROUPS": {"ID": ["100"]}, "VM_QUOTA": ""},
        groups=(
            {
                "ID": "100",
                "NAME": "tenant",
                "VM_QUOTA": {"VM": {"VMS": "3", "VMS_USED": "1", "CPU": "-1", "MEMORY": "-2"}},
            },
        ),
        acls=(
            "@100 VM+IMAGE+TEMPLATE+DOCUMENT+SECGROUP/* CREATE #0",
            "@100 HOST/* MANAGE #0",
            "* DATASTORE/#0 USE *",
        ),
        images=({"ID": "0", "UID": "0", "UNAME": "oneadmin", "NAME": "debian", "STATE": "1"},),
        networks=(
            {"ID": "0", "UID": "0", "NAME": "federation", "AR_POOL": {"AR": {"SIZE": "10"}}, "USED_LEASES": "8"},
        ),
        security_groups=(),
        vm_templates=(),
        datastores=(),
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
            {"acls": ("@100 HOST+DATASTORE/* USE+MANAGE *",)},
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
    offer = _offer(acls=(rule,))
    assert Rights(offer.uid, offer.gids, offer.acls).may("CREATE", "NET") is allowed


def test_members_of_oneadmin_may_do_everything() -> None:
    assert Rights(2, frozenset({0}), ()).may("CREATE", "NET")
    assert Rights(0, frozenset({0}), ()).may("MANAGE", "HOST")


CREATE = "@100 VM+TEMPLATE+DOCUMENT+SECGROUP+NET/* CREATE *"
PLACE = ("@100 HOST/%3 MANAGE *", "#2 DATASTORE/#0 USE *")


@pytest.mark.parametrize(
    ("acls", "text"),
    [
        ((CREATE, *PLACE), "may create virtual networks, but has the right ADMIN on no cluster"),
        (
            (CREATE, PLACE[1], "@100 CLUSTER/* ADMIN *"),
            "has the right MANAGE on no host, so that its VMs would stay PENDING",
        ),
        ((CREATE, PLACE[0], "@100 CLUSTER/* ADMIN *"), "has the right USE on no system datastore"),
        (
            ("@101 VM/* CREATE *", CREATE.replace("VM+", ""), *PLACE, "* CLUSTER/* ADMIN *"),
            "user flower may not create VMs",
        ),
    ],
)
def test_a_right_that_is_missing_is_named_alone(acls: tuple[str, ...], text: str) -> None:
    found = problems(_offer(acls=acls, networks=()), replace(NEEDS, network_mode="managed"))
    assert len(found) == 1
    assert text in found[0]


def test_who_else_may_use_every_network() -> None:
    closed = ("@100 NET/* USE #0", "@7 NET/#4 USE *", "@8 NET/* CREATE *")
    assert Rights(2, frozenset({100}), closed).users_of_networks() == []
    opened = ("@1 HOST+NET/* USE+MANAGE #0", "* NET/* USE *", "#2 NET/* USE *")
    assert Rights(2, frozenset({100}), opened).users_of_networks() == ["*", "@1"]


def _quota(section: str, **limits: str) -> dict[str, Any]:
    return {f"{section}_QUOTA": {section: limits}}


QUOTAS = [
    (_quota("VM", VMS="2", VMS_USED="1"), "VMS is 2, of which 1 are used; the federation needs 2"),
    (_quota("VM", CPU="1.5", CPU_USED="0"), "CPU is 1.5, of which 0 are used; the federation needs 2"),
    (
        _quota("VM", MEMORY="4096", MEMORY_USED="3000"),
        "MEMORY is 4096, of which 3000 are used; the federation needs 2048",
    ),
    (_quota("VM", RUNNING_VMS="1"), "RUNNING_VMS is 1, of which 0 are used; the federation needs 2"),
    (_quota("VM", RUNNING_CPU="0"), "RUNNING_CPU is 0, of which 0 are used; the federation needs 2"),
    (_quota("VM", RUNNING_MEMORY="1024"), "RUNNING_MEMORY is 1024, of which 0 are used; the federation needs 2048"),
    (
        _quota("VM", SYSTEM_DISK_SIZE="9000"),
        "SYSTEM_DISK_SIZE is 9000, of which 0 are used; the federation needs 20480",
    ),
    (
        _quota("NETWORK", ID="0", LEASES="5", LEASES_USED="4"),
        "LEASES of virtual network federation (id 0) is 5, of which 4 are used; the federation needs 2",
    ),
    (
        _quota("IMAGE", ID="0", RVMS="1", RVMS_USED="1"),
        "RVMS of image debian (id 0) is 1, of which 1 are used; the federation needs 2",
    ),
]
IMAGE = {
    "ID": "0",
    "UID": "0",
    "NAME": "debian",
    "STATE": "1",
    "SIZE": "10240",
    "DATASTORE_ID": "1",
    "DATASTORE": "ceph",
}


@pytest.mark.parametrize("kind", ["user", "group"])
@pytest.mark.parametrize("default", [False, True], ids=["own", "default"])
@pytest.mark.parametrize(("quota", "text"), QUOTAS)
def test_each_quota_of_user_and_group_is_asked(kind: str, default: bool, quota: dict[str, Any], text: str) -> None:
    offer = _offer(images=(IMAGE,))
    holder = {**(offer.user if kind == "user" else offer.groups[0]), "VM_QUOTA": ""}
    if default:  # the limit is the cloud's, the use one's own
        section, values = next((name, next(iter(entry.values()))) for name, entry in quota.items())
        unlimited = {key: value if key.endswith(("ID", "_USED")) else "-1" for key, value in values.items()}
        holder |= {section: {section.removesuffix("_QUOTA"): unlimited}, f"DEFAULT_{kind.upper()}_QUOTAS": quota}
    else:
        holder |= quota
    offer = replace(offer, user=holder) if kind == "user" else replace(offer, groups=(holder,))
    assert problems(offer, NEEDS) == [f"the quota of {kind} {holder['NAME']} for {text}"]


def test_quotas_that_are_none_or_suffice() -> None:
    own = {"VM": {"VMS": "-2", "CPU": "2", "MEMORY": "2048.0"}}
    defaults = {"VM_QUOTA": {"VM": {"VMS": "0"}}}
    offer = _offer()
    assert problems(replace(offer, user={**offer.user, "VM_QUOTA": own, "DEFAULT_USER_QUOTAS": defaults}), NEEDS) == []
    other = {"ID": "101", "NAME": "second", **_quota("VM", VMS="0")}
    assert problems(replace(offer, groups=(*offer.groups, other)), NEEDS) == [], "only the main group counts"


def test_disks_that_stay_in_the_images_datastore_take_of_it() -> None:
    ceph = {"ID": "1", "NAME": "ceph", "TEMPLATE": {"CLONE_TARGET": "SELF"}}
    quota = _quota("DATASTORE", ID="1", SIZE="9000", SIZE_USED="100") | _quota("VM", SYSTEM_DISK_SIZE="0")
    offer = _offer(images=(IMAGE,), datastores=(ceph,))
    assert problems(replace(offer, user={**offer.user, **quota}), replace(NEEDS, disk_size=5000)) == [
        "the quota of user flower for SIZE of datastore ceph (id 1) is 9000, of which 100 are used; "
        "the federation needs 10000"
    ]


def test_a_reservation_takes_its_addresses_of_the_parents_quota() -> None:
    network = {"ID": "0", "UID": "0", "NAME": "federation", "AR_POOL": {"AR": {"SIZE": "100"}}}
    offer = _offer(networks=(network,))
    offer = replace(offer, user={**offer.user, **_quota("NETWORK", ID="0", LEASES="7")})
    reservation = replace(NEEDS, network_mode="reservation", addresses=8)
    assert "LEASES of virtual network federation (id 0) is 7" in problems(offer, reservation)[0]
    assert problems(offer, NEEDS) == []
    inside = replace(offer, networks=({**network, "PARENT_NETWORK_ID": "9"},))
    inside = replace(inside, user={**offer.user, **_quota("NETWORK", ID="0", LEASES="0")})
    assert problems(inside, NEEDS) == []
