# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The appliances' service by the role, against a stand-in of OpenNebula, and what the role refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from appliance_cloud import Cloud, cloud_with_images, contents, of_file, with_ids, without_cloud


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A stand-in with the images."""
    with cloud_with_images() as made:
        yield made


def test_role_and_files_make_the_same_and_a_second_run_changes_nothing(cloud: Cloud, tmp_path: Path) -> None:
    variables = {"appliance_service_network": "private", "appliance_service_admin_sources": ["192.0.2.0/24"]}
    checked = cloud.play(tmp_path, "--check", "--diff", **variables).succeeded()
    assert (cloud.services(), cloud.templates()) == ({}, {})
    assert cloud.play(tmp_path, **variables).succeeded().changed == checked.changed == 3
    assert cloud.play(tmp_path, "--check", **variables).succeeded().changed == 0

    made = cloud.templates()
    assert set(made) == {"flower-superlink", "flower-supernode"}
    ids = {name: int(each.findtext("ID") or "") for name, each in made.items()}
    body = with_ids(of_file("flower-service"), superlink=ids["flower-superlink"], supernode=ids["flower-supernode"])
    assert cloud.flow("POST", "/service_template", body)[0] == 201
    role, file = cloud.services()["flower"], cloud.services()["flower-service"]
    assert without_cloud(role) == without_cloud(file)
    assert role["networks"]["Private"] == f"{file['networks']['Private']}{cloud.network}"
    assert [each["template_id"] for each in role["roles"]] == [ids["flower-superlink"], ids["flower-supernode"]]
    for name in ids:
        cloud.upload(name, called=f"{name}-by-hand")
        by_role, by_file = contents(made[name]), contents(cloud.templates()[f"{name}-by-hand"])
        assert by_role.pop("DISK")["SIZE"] == by_file.pop("DISK")["SIZE"]
        assert by_role == by_file

    assert cloud.groups() == {
        "flower-superlink": {
            ("TCP", "inbound", "8443", f"network {cloud.network}"),
            ("TCP", "inbound", "22", "192.0.2.0"),
            ("ICMP", "inbound", "", ""),
            ("ALL", "outbound", "", ""),
        },
        "flower-supernode": {
            ("TCP", "inbound", "22", "192.0.2.0"),
            ("ICMP", "inbound", "", ""),
            ("ALL", "outbound", "", ""),
        },
    }
    absent = {"appliance_service_state": "absent"} | variables
    assert cloud.play(tmp_path, **absent).succeeded().changed == 3
    assert (set(cloud.templates()), cloud.groups()) == ({f"{name}-by-hand" for name in ids}, {})
    assert set(cloud.services()) == {"flower-service"}


def test_what_the_tenant_asks_for_is_in_the_templates(cloud: Cloud, tmp_path: Path) -> None:
    cloud.play(
        tmp_path,
        appliance_service_name="digits",
        appliance_service_flavour="sklearn",
        appliance_service_supernodes=5,
        appliance_service_min_supernodes=3,
        appliance_service_max_supernodes=8,
        appliance_service_fleet_port=443,
        appliance_service_fleet_sources=["10.8.0.0/16"],
        appliance_service_supernode_memory=1024,
        appliance_service_supernode_disk_size=6000,
        appliance_service_superlink_vcpu=4,
        appliance_service_gpus=2,
    ).succeeded()
    body = cloud.services()["digits"]
    superlink, supernode = body["roles"]
    assert [supernode[key] for key in ("cardinality", "min_vms", "max_vms")] == [5, 3, 8]
    assert superlink["user_inputs"]["ONEAPP_FLOWER_RUN_MIN_NODES"].endswith("|1..1000|3")
    assert superlink["user_inputs"]["ONEAPP_FLOWER_FLEET_PORT"].endswith("| |443")
    assert supernode["user_inputs"]["ONEAPP_FLOWER_GPUS"].endswith("|0..16|2")
    assert body["networks"]["Private"].endswith("|id:")
    vms = {name: contents(each) for name, each in cloud.templates().items()}
    assert vms["digits-superlink"]["VCPU"] == "4"
    assert vms["digits-supernode"]["MEMORY"] == "1024"
    assert vms["digits-supernode"]["PCI"] == {"VENDOR": "10de"}
    assert (vms["digits-supernode"]["OS"]["FIRMWARE"], vms["digits-superlink"]["OS"]) == ("UEFI", {"ARCH": "x86_64"})
    assert vms["digits-supernode"]["DISK"]["SIZE"] == "6000"
    assert vms["digits-supernode"]["DISK"]["IMAGE_ID"] == str(cloud.image("flower-supernode-sklearn"))
    assert ("TCP", "inbound", "443", "10.8.0.0") in cloud.groups()["digits-superlink"]
    assert not [rule for rule in cloud.groups()["digits-superlink"] if rule[2] == "22"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "appliance_service_fleet_sources is empty, and so is appliance_service_network"),
    ({"appliance_service_supernodes": 5}, "appliance_service_supernodes is 5; it must be at least 6"),
    ({"appliance_service_min_supernodes": 6}, "which is appliance_service_min_supernodes"),
    ({"appliance_service_max_supernodes": 1}, "appliance_service_supernodes is 5; it must be at most 1"),
    ({"appliance_service_gpus": 1, "appliance_service_gpu_vendor": ""}, "nothing says which devices"),
    ({"appliance_service_fleet_port": 8000}, "appliance_service_fleet_port is 8000; it must be neither 22 nor 8000"),
    ({"appliance_service_name": "a b"}, "appliance_service_name is 'a b'; it must be 1 to 200 letters"),
]


def test_everything_that_is_wrong_is_said_before_anything_is_made(cloud: Cloud, tmp_path: Path) -> None:
    variables: dict[str, Any] = {}
    for change, _message in WRONG:
        variables |= change
    cloud.play(tmp_path, **variables).failed_with(*(message for _change, message in WRONG))
    assert (cloud.services(), cloud.templates(), cloud.groups()) == ({}, {}, {})


def test_a_network_that_there_is_not(cloud: Cloud, tmp_path: Path) -> None:
    cloud.play(tmp_path, appliance_service_network="nowhere").failed_with(
        "appliance_service_network is nowhere; there are 0 networks of this name that flower may use"
    )
    assert cloud.templates() == {}
