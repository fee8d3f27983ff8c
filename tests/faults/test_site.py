# SPDX-License-Identifier: Apache-2.0
"""Bad input and faults on the way to VMs: a message names site, object and cause, and a new run finishes the job."""

from __future__ import annotations

import re
from typing import Any

import pytest
from federation import Federation

NEVER_ANSWERED = ("did not answer SSH", "127.71.")


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({"site_image": None}, ["site_image", "alpha"]),
        ({"site_fleet_sources": []}, ["Site alpha", "site_fleet_sources is empty"]),
        ({"site_supernodes": "many"}, ["site_supernodes", "many"]),
        ({"site_network_mode": "own"}, ["site_network_mode", "existing, reservation, managed"]),
        ({"one_endpoint": "one.example.eu:2633"}, ["one_endpoint is", "it must be an http(s) address"]),
        ({"one_endpoint": None, "one_endpont": "x"}, ["one_endpont is not a variable", "did you mean one_endpoint?"]),
        ({"site_supernode": 2}, ["site_supernode is not a variable of this collection; did you mean site_supernodes?"]),
        ({"site_network_first_address": ""}, ["it needs site_network_address and site_network_first_address"]),
        (
            {"site_ssh_public_key": "id_ed25519"},
            ["site_ssh_public_key is 'id_ed25519'; it must be public keys in OpenSSH's format"],
        ),
        ({"site_image": "debian"}, ["Site alpha", "no image is called debian", "flower-debian-12"]),
        ({"one_password": "wrong"}, ["Site alpha", "'flower'", "couldn't be authenticated"]),
    ],
)
def test_bad_input_is_named_before_anything_is_created(
    federation: Federation, changes: dict[str, Any], texts: list[str]
) -> None:
    for name, value in changes.items():
        if value is None:
            del federation.hosts["alpha"][name]
        else:
            federation.hosts["alpha"][name] = value
    federation.site().failed_with(*texts)
    assert federation.objects("alpha") == federation.objects("beta") == []


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({"beta": {"site_superlink": True}}, ["site_superlink is true for alpha and beta"]),
        ({"alpha": {"site_superlink": False}}, ["site_superlink is true for no site"]),
        (
            {"alpha": {"site_supernodes": 0}, "beta": {"site_supernodes": 0}},
            ["site_supernodes is 0 at every site"],
        ),
    ],
)
def test_sites_that_do_not_fit_together(
    federation: Federation, changes: dict[str, dict[str, Any]], texts: list[str]
) -> None:
    for site, variables in changes.items():
        federation.hosts[site].update(variables)
    federation.site().failed_with(*texts)
    assert federation.objects("alpha") == federation.objects("beta") == []


def test_a_federation_without_a_name(federation: Federation) -> None:
    del federation.everywhere["federation_name"]
    federation.site().failed_with("federation_name")


def test_a_site_that_does_not_answer_stops_all_sites(federation: Federation, closed_port: str) -> None:
    federation.hosts["beta"]["one_endpoint"] = f"{closed_port}/RPC2"
    federation.site().failed_with("Site beta", closed_port, "refused")
    assert federation.objects("alpha") == []


def test_a_silent_site_does_not_hang(federation: Federation) -> None:
    federation.hosts["beta"]["one_read_timeout"] = 1
    federation.sites["beta"].faults.add({"silence": "oneflow"})
    silent = federation.site().failed_with("Site beta", federation.sites["beta"].flow_endpoint)
    assert silent.seconds < 60
    assert federation.objects("alpha") == []


def test_a_name_that_belongs_to_somebody_else(federation: Federation) -> None:
    other = federation.sites["beta"]
    number = other.one("one.secgroup.allocate", 'NAME="poc-beta-supernode"')
    other.one("one.secgroup.chmod", number, -1, -1, -1, -1, -1, -1, 1, -1, -1)
    federation.site().failed_with(
        "Site beta", f"security group poc-beta-supernode (id {number}) belongs to user oneadmin", "choose another"
    )
    assert federation.objects("alpha") == []


def test_a_quota_that_is_too_small(federation: Federation) -> None:
    federation.sites["beta"].one("one.group.quota", 100, 'VM=[VMS="0",CPU="-2",MEMORY="-2",SYSTEM_DISK_SIZE="-2"]')
    federation.site().failed_with("Site beta", "the quota of group flower for VMS is 0")


def test_a_vm_that_never_answers_ssh(federation: Federation) -> None:
    federation.site().failed_with("Site beta: VM 0 (supernode_0_(service_1), state ACTIVE)", *NEVER_ANSWERED)


def test_vms_carry_the_federations_security_groups_and_no_other(federation: Federation) -> None:
    federation.site()
    alpha = federation.sites["alpha"]
    groups = alpha.one("one.secgrouppool.info", -2, -1, -1)
    ids = dict(
        re.findall(
            r"<ID>(\d+)</ID>(?:<[UG]ID>\d+</[UG]ID>)*<UNAME>flower</UNAME>.*?<NAME>poc-alpha-(\w+)</NAME>", groups
        )
    )
    own = {name: number for number, name in ids.items()}
    vms = alpha.one("one.vmpool.infoextended", -2, -1, -1, -1, "")
    carried = re.findall(r"<SECURITY_GROUPS><!\[CDATA\[([\d,]*)\]\]>", vms)
    both = ",".join(sorted([own["supernode"], own["superlink"]], key=int))
    assert sorted(carried) == sorted([both, own["supernode"]])


def test_a_vm_that_does_not_boot_is_named_and_a_new_run_recovers(federation: Federation) -> None:
    beta = federation.sites["beta"]
    beta.faults.add({"boot_failure": "supernode", "text": "no room on the hypervisor"})
    federation.site().failed_with("beta", "service 'poc-beta'", "FAILED_DEPLOYING", "no room on the hypervisor")
    beta.faults.clear()
    federation.site().failed_with(*NEVER_ANSWERED)
    assert federation.objects("beta").count("vm") == 1


def test_vms_that_never_report_ready(federation: Federation) -> None:
    for variables in federation.hosts.values():
        variables.update(site_ready_gate=True, site_wait_timeout=3)
    federation.sites["beta"].faults.add({"no_ready": "supernode"})
    federation.site().failed_with("service 'poc-beta'", "3 s", "supernode_0")


@pytest.mark.parametrize("task", ["Network", "Security groups", "VM templates", "Service template", "Service"])
def test_a_killed_run_is_finished_by_the_next(federation: Federation, task: str) -> None:
    federation.site_until(f"TASK [fact8ra.flower.site : {task}]")
    federation.site().failed_with(*NEVER_ANSWERED)
    assert sorted(federation.objects("alpha")) == [
        "secgrouppool poc-alpha-superlink",
        "secgrouppool poc-alpha-supernode",
        "templatepool poc-alpha-superlink",
        "templatepool poc-alpha-supernode",
        "vm",
        "vm",
        "vnpool poc-alpha",
    ]


def test_teardown_of_a_half_made_federation(federation: Federation) -> None:
    federation.site_until("TASK [fact8ra.flower.site : Service template]")
    assert federation.objects("alpha")
    federation.teardown().succeeded()
    assert federation.objects("alpha") == federation.objects("beta") == []


def test_teardown_of_a_failed_service(federation: Federation) -> None:
    federation.sites["beta"].faults.add({"boot_failure": "supernode", "text": "no room"})
    federation.site().failed_with("FAILED_DEPLOYING")
    federation.teardown().succeeded()
    assert federation.objects("alpha") == federation.objects("beta") == []
