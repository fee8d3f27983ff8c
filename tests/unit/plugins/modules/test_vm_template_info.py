# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module vm_template_info against the stand-in."""

from __future__ import annotations

from typing import Any

import pytest
from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.modules import vm_template, vm_template_info


@pytest.fixture
def site(admin: Site, tenant: Site) -> Site:
    """A tenant with a template of its own, beside two of oneadmin of which it may use one."""
    admin.run(vm_template, name="node", cpu=1, memory=256, mode="604")
    admin.run(vm_template, name="hidden", cpu=1, memory=256)
    disks = [{"image": "flower-debian-12"}, {"type": "swap", "size": 8}]
    tenant.run(vm_template, name="own", cpu=0.5, memory=512, disks=disks, locked=True)
    return tenant


def test_the_same_as_the_module_that_makes_it(site: Site) -> None:
    made = site.run(vm_template, name="own")["vm_template"]
    result = site.run(vm_template_info, name="own")
    assert (result["changed"], result["vm_templates"]) == (False, [made])
    assert (made["locked"], made["mode"], made["template"]["DISK"][1]["SIZE"]) == (True, "600", "8")
    assert site.calls == ["templatepool.info"]
    assert site.run(vm_template_info, id=made["id"])["vm_templates"] == [made]
    assert site.calls == ["template.info"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, ["node", "own"]),
        ({"filter": "mine"}, ["own"]),
        ({"filter": "group"}, ["own"]),
        ({"id": 0}, ["node"]),
        ({"name": "hidden"}, []),
        ({"name": "none"}, []),
        ({"id": 4242}, []),
    ],
)
def test_what_is_picked(site: Site, options: dict[str, Any], found: list[str]) -> None:
    result = site.run(vm_template_info, check=True, **options)
    assert [each["name"] for each in result["vm_templates"]] == found
    assert len(site.calls) == 1
    assert site.writes == []


def test_what_the_user_may_not_use(site: Site) -> None:
    failed = site.fail(vm_template_info, id=1)
    assert (failed["failure"]["code"], failed["failure"]["operation"]) == ("not_authorized", "one.template.info")
    assert site.fail(vm_template_info, password="wrong")["failure"]["code"] == "authentication_failed"
