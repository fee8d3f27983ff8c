# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module vm_template: images that go with a template, and attributes that only administrators may set.

one.template.delete answers success when an image stays (TemplateAPI.cc of OpenNebula), and so does the stand-in.
"""

from __future__ import annotations

from typing import Any

import pytest
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.modules import image, vm_template

SMALL: dict[str, Any] = {"name": "node", "cpu": 1, "memory": 512}
GONE: dict[str, Any] = {"name": "node", "state": "absent", "delete_images": True}
IMAGES = ["image.info", "image.info"]


@pytest.fixture
def disks(tenant: Site) -> list[int]:
    """The ids of two images of the tenant that its template C(node) names, one by id and one by name."""
    made = [tenant.run(image, name=name, type="DATABLOCK", size=10)["image"]["id"] for name in ("one", "two")]
    drives = f'DISK=[IMAGE_ID="{made[0]}"]\nDISK=[IMAGE="two"]\nDISK=[TYPE="swap",SIZE="1"]'
    tenant.standin.one("one.template.allocate", f'NAME="node"\n{drives}', user=tenant.user)
    return made


def names(site: Site) -> list[str]:
    answer = str(site.standin.one("one.imagepool.info", -2, -1, -1))
    return [name for name in ("one", "two", "flower-debian-12") if f"<NAME>{name}<" in answer]


@pytest.mark.usefixtures("disks")
def test_images_stay_when_not_asked(tenant: Site) -> None:
    tenant.run(vm_template, name="node", state="absent")
    assert tenant.calls == ["templatepool.info", "template.delete", "template.info"]
    assert names(tenant) == ["one", "two", "flower-debian-12"]


@pytest.mark.usefixtures("disks")
def test_images_go_with_a_template(tenant: Site) -> None:
    predicted = tenant.run(vm_template, check=True, diff=True, **GONE)
    assert tenant.calls == ["templatepool.info", "imagepool.info", *IMAGES]
    done = tenant.run(vm_template, diff=True, **GONE)
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert tenant.calls == [
        "templatepool.info",
        "imagepool.info",
        *IMAGES,
        "template.delete",
        "template.info",
        *IMAGES,
    ]
    tenant.standin.until(lambda: names(tenant) == ["flower-debian-12"])
    assert tenant.run(vm_template, **GONE)["changed"] is False
    assert tenant.calls == ["templatepool.info"]


def test_an_image_that_is_gone_already(tenant: Site, disks: list[int]) -> None:
    tenant.run(image, id=disks[0], state="absent")
    assert tenant.run(vm_template, **GONE)["changed"] is True
    tenant.standin.until(lambda: names(tenant) == ["flower-debian-12"])


def test_an_image_in_use_keeps_the_template(tenant: Site, disks: list[int]) -> None:
    text = f'NAME="web"\nCPU="1"\nMEMORY="64"\nDISK=[IMAGE_ID="{disks[1]}"]'
    vm = tenant.standin.one("one.vm.allocate", text, False, user=tenant.user)
    for check in (True, False):
        failed = tenant.fail(vm_template, check=check, **GONE)
        assert (failed["failure"]["code"], failed["failure"]["object"]) == ("in_use", "image 'two'")
        assert f"used by virtual machine 'web' (id {vm}, of user 'flower'). Neither it nor the VM" in failed["msg"]
        assert tenant.writes == []
    assert tenant.run(vm_template, name="node", state="absent")["changed"] is True
    assert names(tenant) == ["one", "two", "flower-debian-12"]


def test_an_image_of_another_stays_and_is_named(tenant: Site) -> None:
    tenant.run(vm_template, **SMALL, disks=[{"image": "flower-debian-12"}])
    failed = tenant.fail(vm_template, **GONE)
    assert failed["failure"]["code"] == "not_applied"
    assert failed["failure"]["details"]["images"] == [0]
    assert "was deleted, but OpenNebula kept image 'flower-debian-12' (id 0, of user 'oneadmin')" in failed["msg"]
    assert tenant.run(vm_template, **GONE)["changed"] is False


@pytest.mark.usefixtures("disks")
def test_a_template_that_stays_is_not_said_to_be_gone(tenant: Site) -> None:
    tenant.standin.faults.add({"lie": "one.template.delete"})
    failed = tenant.fail(vm_template, **GONE)
    assert failed["failure"]["code"] == "not_applied"
    assert "the server accepted deleting it, but it is still there" in failed["msg"]


@pytest.mark.parametrize(
    ("call", "text", "create"),
    [
        ("allocate", "User [2] : VM Template includes a restricted attribute PCI.", True),
        ("update", "Cannot update template. Tried to set restricted attribute: TOPOLOGY/PIN_POLICY", False),
    ],
)
def test_what_only_administrators_may_set(tenant: Site, call: str, text: str, create: bool) -> None:
    if not create:
        tenant.run(vm_template, **SMALL)
    tenant.standin.faults.add({"refuse": f"one.template.{call}", "code": 8192, "text": text})
    failed = tenant.fail(vm_template, **SMALL, topology={"pin_policy": "CORE"}, pci=[{"short_address": "0a:00.0"}])
    name = "PCI" if create else "TOPOLOGY/PIN_POLICY"
    assert (failed["failure"]["code"], failed["failure"]["details"]["attribute"]) == ("not_authorized", name)
    assert f"Only administrators may set {name} of a VM template, as VM_RESTRICTED_ATTR in oned.conf" in failed["msg"]
