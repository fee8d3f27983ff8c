# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Services that a tenant starts from the files alone, in a stand-in of OpenNebula."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

import marketplace
import pytest
from appliance_cloud import TEMPLATES, Cloud, cloud_with_images, contents, entered, of_file, start, with_ids

from fact8ra_appliance.table import PREFIX, standard, table
from fact8ra_appliance.values import validate

TOKEN = "Zm9vYmFyYmF6cXV4-_.~0123"


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A stand-in with the images."""
    with cloud_with_images() as made:
        yield made


def uploaded(cloud: Cloud, name: str, *kinds: str) -> dict[str, Any]:
    """Everything of a service, by hand; the service template as OneFlow has it."""
    ids = {kind: cloud.upload(f"flower-{kind}") for kind in kinds}
    status, answer = cloud.flow("POST", "/service_template", with_ids(of_file(name), **ids))
    assert status == 201, answer
    return cloud.services()[name]


def context_of(cloud: Cloud, number: int) -> dict[str, str]:
    """The context of a VM."""
    vm = ET.fromstring(cloud.standin.one("one.vm.info", number, False))
    return {each.tag: each.text or "" for each in vm.find("TEMPLATE/CONTEXT") or ()}


def vms(cloud: Cloud, service: int, role: str) -> list[int]:
    """Ids of the VMs of a role."""
    body = cloud.flow("GET", f"/service/{service}")[1]["DOCUMENT"]["TEMPLATE"]["BODY"]
    nodes: list[dict[str, Any]] = next(each for each in body["roles"] if each["name"] == role).get("nodes") or []
    return [node["deploy_id"] for node in nodes]


def test_a_service_with_nothing_filled_in_starts_and_its_contexts_are_right(cloud: Cloud) -> None:
    uploaded(cloud, "flower-service", "superlink", "supernode")
    status, answer = start(cloud, "flower-service")
    assert status == 201, answer
    service = int(answer["DOCUMENT"]["ID"])
    cloud.standin.until(lambda: len(vms(cloud, service, "superlink")) == 1)
    [superlink] = vms(cloud, service, "superlink")
    # Nothing but the appliance says that it is ready, and until then there is no SuperNode.
    cloud.standin.until(lambda: "<LCM_STATE>3<" in cloud.standin.one("one.vm.info", superlink, False))
    assert vms(cloud, service, "supernode") == []
    cloud.standin.one("one.vm.update", superlink, "READY=YES", 1)
    cloud.standin.until(lambda: len(vms(cloud, service, "supernode")) == 2)
    for kind, number in (("superlink", superlink), *(("supernode", vm) for vm in vms(cloud, service, "supernode"))):
        context = context_of(cloud, number)
        assert context["TOKEN"] == "YES"
        assert context["NETWORK"] == "YES"
        assert set(standard()) <= set(context)
        assert "REPORT_READY" not in context
        found = validate(context, kind)
        assert (found.problems, found.notes) == ([], [])


def test_what_is_asked_once_comes_to_every_vm_and_a_key_to_the_superlink_alone(cloud: Cloud) -> None:
    uploaded(cloud, "flower-service", "superlink", "supernode")
    status, answer = start(cloud, "flower-service", superlink={f"{PREFIX}TLS_KEY": "c2VjcmV0"}, JOIN_TOKEN=TOKEN)
    assert status == 201, answer
    service = int(answer["DOCUMENT"]["ID"])
    cloud.standin.until(lambda: len(vms(cloud, service, "superlink")) == 1)
    [superlink] = vms(cloud, service, "superlink")
    cloud.standin.one("one.vm.update", superlink, "READY=YES", 1)
    cloud.standin.until(lambda: len(vms(cloud, service, "supernode")) == 2)
    assert context_of(cloud, superlink)[f"{PREFIX}TLS_KEY"] == "c2VjcmV0"
    for number in vms(cloud, service, "supernode"):
        assert context_of(cloud, number)[f"{PREFIX}JOIN_TOKEN"] == TOKEN
        assert "c2VjcmV0" not in cloud.standin.one("one.vm.info", number, False)


def test_supernodes_of_another_site_ask_for_what_they_need(cloud: Cloud) -> None:
    body = uploaded(cloud, "flower-site", "supernode")
    mandatory = {name for name, text in body["user_inputs"].items() if text.startswith("M|")}
    assert mandatory == {f"{PREFIX}{name}" for name in ("SUPERLINK_ADDRESS", "SUPERLINK_FINGERPRINT", "JOIN_TOKEN")}
    given = {"SUPERLINK_ADDRESS": "192.0.2.1", "SUPERLINK_FINGERPRINT": "ab" * 32, "JOIN_TOKEN": TOKEN}
    status, answer = start(cloud, "flower-site", **given)
    assert status == 201, answer
    service = int(answer["DOCUMENT"]["ID"])
    cloud.standin.until(lambda: len(vms(cloud, service, "supernode")) == 1)
    found = validate(context_of(cloud, vms(cloud, service, "supernode")[0]), "supernode")
    assert (found.problems, found.notes) == ([], [])
    assert found.variables["appliance_superlink_fingerprint"] == "ab" * 32


@pytest.mark.parametrize("name", ["flower-service", "flower-site"])
def test_a_service_is_sane(name: str) -> None:
    body = of_file(name)
    assert body["deployment"] == "straight"
    assert body["ready_status_gate"] is True
    assert body["networks"] == {"Private": "M|network|Network of the federation| |id:"}
    kinds = [role["name"] for role in body["roles"]]
    asked = set(body["user_inputs"])
    for role in body["roles"]:
        assert role["min_vms"] <= role["cardinality"] <= role["max_vms"]
        assert role["parents"] == [kind for kind in kinds if (kind, role["name"]) == ("superlink", "supernode")]
        assert role["template_contents"] == {"NIC": [{"NETWORK_ID": "$Private"}]}
        assert not role.get("elasticity_policies")
        # Each variable is asked for in one place.
        assert asked.isdisjoint(role["user_inputs"])
        assert all(role["name"] in table()[variable].becomes for variable in role["user_inputs"])
        assert len(entered(role["user_inputs"])) == len(role["user_inputs"])
    if name == "flower-service":
        superlink, supernode = body["roles"]
        assert superlink["max_vms"] == 1
        assert supernode["min_vms"] >= int(table()[f"{PREFIX}RUN_MIN_NODES"].default)
        alone = {variable for variable, entry in table().items() if entry.ask == "vm"}
        assert asked | set(superlink["user_inputs"]) | set(supernode["user_inputs"]) == set(table()) - alone


@pytest.mark.parametrize("path", sorted(TEMPLATES.glob("*.vm")), ids=lambda path: path.stem)
def test_a_vm_template_of_a_file(cloud: Cloud, path: Any) -> None:
    cloud.upload(path.stem)
    template = contents(cloud.templates()[path.stem])
    kind = "superlink" if "superlink" in path.stem else "supernode"
    mine = [name for name, entry in table().items() if kind in entry.becomes]
    assert template["USER_INPUTS"] == {name: table()[name].user_input for name in mine}
    assert template["CONTEXT"] == {**standard(), **{name: f"${name}" for name in mine}}
    assert template["INPUTS_ORDER"].split(",") == mine
    assert template["DISK"]["IMAGE"] == path.stem
    assert template["GRAPHICS"]["RANDOM_PASSWD"] == "YES"
    # The app of the marketplace has the same, but for the disk, which its import adds.
    app = marketplace.vm_template(path)
    assert {name.upper(): text for name, text in app["user_inputs"].items()} == template["USER_INPUTS"]
    assert {name.upper(): text for name, text in app["context"].items()} == template["CONTEXT"]
    assert [app[name] for name in ("cpu", "vcpu", "memory")] == [template[name] for name in ("CPU", "VCPU", "MEMORY")]


@pytest.mark.parametrize("name", ["flower-service", "flower-site"])
def test_the_service_of_the_marketplace_is_the_file(name: str) -> None:
    assert marketplace.service_template(TEMPLATES / f"{name}.json") == of_file(name)
