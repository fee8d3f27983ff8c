# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Copies of VM templates, with their images or without. Expectations are from OpenNebula's source, release-7.4.0:
TemplateAPI.cc (clone, drop), SharedAPI.cc (clone)."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from fact8ra_lab.standin.testing import StandIn

TEMPLATE = 'NAME="t"\nCPU="1"\nMEMORY="1"\nDISK=[IMAGE="a",SIZE="9"]\nDISK=[SIZE="5",TYPE="swap"]\nDISK=[IMAGE_ID="{}"]'


@pytest.fixture
def images(standin: StandIn) -> list[int]:
    """Two images that are ready."""
    made = [standin.one("one.image.allocate", f'NAME="{name}"\nPATH="/etc/hostname"', 1) for name in "ab"]
    for number in made:
        standin.until(lambda image=number: "<STATE>1</STATE>" in standin.one("one.image.info", image))  # type: ignore[misc]
    return made


def disks(standin: StandIn, number: int) -> list[dict[str, str]]:
    """The disks of a template."""
    template = ElementTree.fromstring(standin.one("one.template.info", number))
    return [{item.tag: item.text or "" for item in disk} for disk in template.findall("TEMPLATE/DISK")]


def names(standin: StandIn, pool: str) -> list[str]:
    """The names in a pool."""
    return [str(item.findtext("NAME")) for item in ElementTree.fromstring(standin.one(pool, -2, -1, -1))]


def test_a_copy_with_images_has_images_of_its_own(standin: StandIn, images: list[int]) -> None:
    number = standin.one("one.template.allocate", TEMPLATE.format(images[1]))
    plain = standin.one("one.template.clone", number, "plain")
    assert disks(standin, plain) == disks(standin, number)
    whole = standin.one("one.template.clone", number, "whole", True)
    first, second = images[-1] + 1, images[-1] + 2
    assert disks(standin, whole) == [
        {"IMAGE_ID": str(first), "SIZE": "9"}, {"SIZE": "5", "TYPE": "swap"}, {"IMAGE_ID": str(second)},
    ]  # fmt: skip
    assert names(standin, "one.imagepool.info")[:2] == ["whole-disk-2", "whole-disk-0"]
    standin.until(lambda: "<STATE>1</STATE>" in standin.one("one.image.info", second))
    standin.one("one.template.delete", whole, True)
    standin.until(lambda: "whole-disk-0" not in names(standin, "one.imagepool.info"))
    assert {"a", "b"} <= set(names(standin, "one.imagepool.info"))


def test_a_copy_whose_images_cannot_be_copied_leaves_nothing(standin: StandIn, images: list[int]) -> None:
    number = standin.one("one.template.allocate", TEMPLATE.format(images[1]))
    standin.one("one.image.enable", images[1], False)
    with pytest.raises(RuntimeError) as error:
        standin.one("one.template.clone", number, "whole", True)
    assert str(error.value) == "[one.template.clone] Failed to clone images: Cannot clone image in state: DISABLED"
    assert names(standin, "one.templatepool.info") == ["t"]
    standin.until(lambda: "whole-disk-0" not in names(standin, "one.imagepool.info"))


def test_a_template_is_deleted_though_its_images_are_not(standin: StandIn, images: list[int]) -> None:
    number = standin.one("one.template.allocate", TEMPLATE.format(images[1]))
    standin.one("one.vm.allocate", f'NAME="v"\nCPU="1"\nMEMORY="1"\nDISK=[IMAGE_ID="{images[1]}"]')
    assert standin.one("one.template.delete", number, True) == number
    standin.until(lambda: "a" not in names(standin, "one.imagepool.info"))
    assert "b" in names(standin, "one.imagepool.info")


def test_a_copy_asks_for_the_right_to_create_templates_and_no_more(standin: StandIn) -> None:
    """SharedAPI::clone overwrites the operation USE with CREATE before it asks."""
    number = standin.one("one.template.allocate", 'NAME="t"')
    with pytest.raises(RuntimeError, match="Not authorized to perform USE TEMPLATE"):
        standin.one("one.template.info", number, user=standin.tenant)
    copy = standin.one("one.template.clone", number, "mine", user=standin.tenant)
    assert "<UNAME>flower</UNAME>" in standin.one("one.template.info", copy, user=standin.tenant)
    with pytest.raises(RuntimeError, match=r"\[one.template.clone\] NAME is already taken by TEMPLATE 1\."):
        standin.one("one.template.clone", number, "mine", user=standin.tenant)


def test_network_templates_and_security_groups_are_copied(standin: StandIn) -> None:
    network = standin.one("one.vntemplate.allocate", 'NAME="v"\nVN_MAD="bridge"')
    group = standin.one("one.secgroup.allocate", 'NAME="s"\nRULE=[PROTOCOL="ALL",RULE_TYPE="inbound"]')
    assert standin.one("one.vntemplate.clone", network, "copy") == network + 1
    assert standin.one("one.secgroup.clone", group, "copy") == group + 1
    assert "<PROTOCOL><![CDATA[ALL]]>" in standin.one("one.secgroup.info", group + 1)
