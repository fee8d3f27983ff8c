# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a failed module returns beside its message."""

from __future__ import annotations

from opennebula_site import Site

from ansible_collections.fact8ra.flower.plugins.modules import vnet

UNKNOWN = {"object": None, "id": None, "operation": None, "server_message": None}


def test_a_refused_write_names_the_call_the_object_and_the_servers_words(admin: Site, tenant: Site) -> None:
    made = admin.run(vnet, name="plain", vn_mad="bridge", mode="604")["vnet"]
    result = tenant.fail(vnet, id=made["id"], dns="10.0.0.53")
    failure = result["failure"]
    assert failure == {
        "code": "not_authorized",
        "object": "virtual network 'plain'",
        "id": made["id"],
        "operation": "one.vn.update",
        "server_message": failure["server_message"],
        "details": {"endpoint": tenant.standin.endpoint},
    }
    assert "Not authorized" in failure["server_message"]
    assert failure["server_message"] in result["msg"]


def test_bad_input_is_about_the_modules_object(admin: Site) -> None:
    failure = admin.fail(vnet, name="plain")["failure"]
    assert failure == {
        **UNKNOWN,
        "code": "invalid_input",
        "object": "virtual network 'plain'",
        "details": {"option": "vn_mad"},
    }
    assert admin.writes == []


def test_a_wrong_password_is_about_no_object(admin: Site) -> None:
    failure = admin.fail(vnet, name="plain", password="wrong")["failure"]
    assert (failure["code"], failure["operation"]) == ("authentication_failed", "one.vnpool.info")
    assert (failure["object"], failure["id"]) == (None, None)
