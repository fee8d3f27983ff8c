# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module image_info against the stand-in, and the words for states and types."""

from __future__ import annotations

from typing import Any

import pytest
from opennebula_site import Site
from recording import pool_object

from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.image import facts
from ansible_collections.fact8ra.flower.plugins.modules import image_info


def test_the_image_of_the_lab(tenant: Site) -> None:
    result = tenant.run(image_info, name="flower-debian-12")
    assert result["changed"] is False
    image = result["images"][0]
    assert (image["state"], image["type"], image["persistent"], image["uname"]) == ("READY", "OS", False, "oneadmin")
    assert image["size"] > 0
    assert tenant.calls == ["imagepool.info"]
    assert tenant.run(image_info, id=image["id"])["images"] == [image]
    assert tenant.calls == ["image.info"]


def test_id_0_is_an_id(tenant: Site) -> None:
    assert [image["id"] for image in tenant.run(image_info, id=0)["images"]] == [0]


@pytest.mark.parametrize("options", [{"name": "none"}, {"id": 4242}, {"filter": "mine"}])
def test_nothing_fits(tenant: Site, options: dict[str, Any]) -> None:
    assert tenant.run(image_info, check=True, **options)["images"] == []


def test_a_refused_login_fails(tenant: Site) -> None:
    failed = tenant.fail(image_info, password="wrong")
    assert failed["failure"]["code"] == "authentication_failed"
    assert "User couldn't be authenticated" in failed["msg"]


@pytest.mark.parametrize(
    ("number", "word"), [("4", "LOCKED"), ("5", "ERROR"), ("8", "USED_PERS"), ("77", "UNKNOWN(77)")]
)
def test_states(number: str, word: str) -> None:
    image = facts(pool_object(1, "x", STATE=number, TYPE="2", VMS={"ID": "0"}, SIZE="10", PERSISTENT="1"))
    assert (image["state"], image["type"], image["vms"], image["persistent"]) == (word, "DATABLOCK", [0], True)


def test_where_it_comes_from_and_who_uses_it() -> None:
    template = {"ERROR": "no space", "FROM_APP": "0", "FROM_APP_NAME": "Debian 12", "DESCRIPTION": "d"}
    more: dict[str, Any] = {"CLONES": {"ID": ["9", "8"]}, "APP_CLONES": {"ID": "4"}, "CLONING_ID": "0", "FS": "ext4"}
    more |= {"LOCK": {"LOCKED": "2", "OWNER": "0"}, "PATH": "/a", "SOURCE": "/ds/1", "REGTIME": "1795492188"}
    image = facts(pool_object(1, "x", STATE="5", TYPE="0", MODTIME="0", TEMPLATE=template, **more))
    assert (image["from_app"], image["from_app_name"], image["error"]) == (0, "Debian 12", "no space")
    assert (image["clones"], image["app_clones"], image["cloning_id"]) == ([8, 9], [4], 0)
    assert (image["path"], image["source"], image["fs"], image["description"]) == ("/a", "/ds/1", "ext4", "d")
    assert (image["regtime"], image["modtime"]) == (1795492188, None)
    assert (image["locked"], image["enabled"]) == (True, False)
    bare = facts(pool_object(1, "x", STATE="1", CLONING_ID="-1"))
    assert (bare["from_app"], bare["error"], bare["cloning_id"], bare["clones"]) == (None, None, None, [])
    assert (bare["locked"], bare["enabled"], bare["type"]) == (False, True, "UNKNOWN(None)")
