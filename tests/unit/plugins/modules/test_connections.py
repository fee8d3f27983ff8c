# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Modules over a TLS proxy with an authority of its own, with credentials from a file, and with servers that fail."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from module_runner import ModuleFailed, run_module
from opennebula_site import Site
from servers import Reply, Request, Server, forward, http_server, own_authority, self_signed, silent_socket

from ansible_collections.fact8ra.flower.plugins.module_utils import _http
from ansible_collections.fact8ra.flower.plugins.module_utils._connection import ENVIRONMENT, INSECURE
from ansible_collections.fact8ra.flower.plugins.modules import (
    oneflow_template,
    oneflow_template_info,
    vm_template,
    vnet,
)

PATIENCE = 10.0
"""Seconds after which a timeout of less than half a second has failed, however busy the machine is."""
NETWORK = {"name": "net", "vn_mad": "bridge"}
TEMPLATE = {"name": "app", "roles": [{"name": "web", "template_id": 0}]}


@pytest.fixture(autouse=True)
def _nothing_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "RETRY_DELAY", 0.0)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (*(each for names in ENVIRONMENT.values() for each in names), INSECURE):
        monkeypatch.delenv(name, raising=False)


@dataclass
class Proxy:
    """A TLS proxy in front of a site, both interfaces under paths of their own."""

    server: Server
    ca: Path
    options: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def proxy(admin: Site, tmp_path: Path) -> Iterator[Proxy]:
    """A proxy with a certificate of its own authority."""
    ca, certificate = own_authority(tmp_path)
    paths = {"/one/RPC2": admin.standin.endpoint, "/one/flow": admin.standin.flow_endpoint}
    with http_server(forward(paths), certificate) as server:
        options = {
            **dict(zip(("username", "password"), admin.user, strict=True)),
            "endpoint": f"{server.url}/one/RPC2",
            "flow_endpoint": f"{server.url}/one/flow/",
        }
        yield Proxy(server, ca, options)


def test_both_interfaces_work_under_a_path_behind_tls(proxy: Proxy) -> None:
    options = {**proxy.options, "ca_path": str(proxy.ca)}
    made = run_module(vnet, {**options, **NETWORK})
    assert (made["changed"], made["vnet"]["name"]) == (True, "net")
    found = run_module(oneflow_template_info, {**options, "name": "none"})
    assert found["changed"] is False
    seen = {(request.method, request.path) for request in proxy.server.requests}
    assert seen == {("POST", "/one/RPC2"), ("GET", "/one/flow/service_template")}


@pytest.mark.parametrize(
    ("module", "options", "wrong"),
    [(vnet, NETWORK, "endpoint"), (oneflow_template_info, {}, "flow_endpoint")],
)
def test_a_certificate_of_an_unknown_authority_is_refused_by_both(
    proxy: Proxy,
    module: ModuleType,
    options: dict[str, Any],
    wrong: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    given = {**proxy.options, **options}
    # what the libraries below would take for the authorities to trust
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(proxy.ca))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(proxy.ca))
    other = self_signed(tmp_path).cert
    for trust in ({}, {"ca_path": str(other)}, {"validate_certs": True}):
        with pytest.raises(ModuleFailed, match="certificate is not trusted") as caught:
            run_module(module, {**given, **trust})
        failure = caught.value.result["failure"]
        assert (failure["code"], failure["details"]["reason"]) == ("connection_failed", "tls")
        assert failure["details"]["endpoint"] == given[wrong].rstrip("/")
    assert proxy.server.requests == [], "nothing was sent to a server that is not trusted"


def test_the_variable_for_unverified_certificates_counts_where_the_option_is_not_given(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(INSECURE, "true")
    assert run_module(vnet, {**proxy.options, **NETWORK})["changed"] is True
    assert run_module(oneflow_template_info, proxy.options)["changed"] is False
    with pytest.raises(ModuleFailed, match="not trusted"):
        run_module(vnet, {**proxy.options, **NETWORK, "validate_certs": True})


@pytest.mark.parametrize("by_option", [True, False])
def test_credentials_of_a_file_reach_both_interfaces_and_no_result(
    admin: Site, tmp_path: Path, by_option: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "auth"
    path.write_text(":".join(admin.user) + "\n")
    options = {name: admin.connection[name] for name in ("endpoint", "flow_endpoint")}
    if by_option:
        options["auth_file"] = str(path)
    else:
        monkeypatch.setenv("ONE_AUTH", str(path))
    assert run_module(vnet, {**options, **NETWORK})["vnet"]["uname"] == admin.user[0]
    assert run_module(oneflow_template_info, options)["changed"] is False
    # found by the name of the user in the file
    shown = run_module(vnet, {**options, **NETWORK, "attributes": {"NOTE": f"it is {admin.user[1]}"}})
    assert admin.user[1] not in str(shown), "a password is hidden wherever it comes from"


def test_missing_credentials_are_a_failure_of_the_module(admin: Site) -> None:
    with pytest.raises(ModuleFailed, match=r"^username is missing; give it, set ONE_USERNAME") as caught:
        run_module(vnet, {**NETWORK, "endpoint": admin.standin.endpoint})
    assert caught.value.result["failure"]["details"] == {"option": "username"}


def test_a_password_with_colons_reaches_both_interfaces_whole() -> None:
    # the stand-in's users have none; what a server sees is what counts
    def refuse(request: Request) -> Reply:
        return (500, b"") if request.path == "/RPC2" else (401, b"Invalid credentials")

    options = {"username": "alice", "password": "a:b:c"}
    with http_server(refuse) as server:
        for module, more in ((vnet, NETWORK), (oneflow_template_info, {})):
            with pytest.raises(ModuleFailed):
                run_module(module, {**options, **more, "endpoint": f"{server.url}/RPC2", "flow_endpoint": server.url})
    assert b"<string>alice:a:b:c</string>" in server.requests[0].body
    assert server.requests[1].headers["Authorization"] == "Basic YWxpY2U6YTpiOmM="


def test_flow_endpoint_is_asked_for_where_it_is_needed(admin: Site) -> None:
    options = {name: value for name, value in admin.connection.items() if name != "flow_endpoint"}
    with pytest.raises(ModuleFailed, match=r"^flow_endpoint is missing; give it, .*or set ONEFLOW_URL") as caught:
        run_module(oneflow_template_info, options)
    assert caught.value.result["failure"]["details"] == {"option": "flow_endpoint"}
    assert run_module(vnet, {**options, **NETWORK})["changed"] is True


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("module", "options"), [(vnet, NETWORK), (oneflow_template_info, {})])
def test_a_silent_server_costs_no_more_than_the_timeout(
    module: ModuleType, options: dict[str, Any], scheme: str
) -> None:
    with silent_socket() as address:
        given = {
            **options,
            "username": "alice",
            "password": "secret",
            "endpoint": f"{scheme}://{address}/RPC2",
            "flow_endpoint": f"{scheme}://{address}",
            "connect_timeout": 0.3,
            "read_timeout": 0.4,
        }
        began = time.monotonic()
        limit = r"read_timeout=0\.4 s" if scheme == "http" else r"connect_timeout=0\.3 s"
        with pytest.raises(ModuleFailed, match=limit) as caught:
            run_module(module, given)
        assert time.monotonic() - began < PATIENCE
    assert caught.value.result["failure"]["details"]["reason"] == "timeout"


def _breaking(respond: Callable[[Request], Reply], word: bytes, failures: list[Reply | None]) -> Any:
    """Pass requests on, but answer those with a word in them from a list as long as it lasts."""

    def answer(request: Request) -> Reply | None:
        if word in request.body + request.path.encode() and failures:
            return failures.pop(0)
        return respond(request)

    return answer


@pytest.mark.parametrize("failure", [None, (502, b"Bad Gateway")])
def test_a_read_is_sent_again_and_a_write_once(admin: Site, failure: Reply | None) -> None:
    passed = forward({"/RPC2": admin.standin.endpoint})
    options = {**admin.connection, **NETWORK}
    with http_server(_breaking(passed, b"one.vnpool.info", [failure, failure])) as server:
        assert run_module(vnet, {**options, "endpoint": f"{server.url}/RPC2"}, check=True)["changed"] is True
        assert sum(b"one.vnpool.info" in request.body for request in server.requests) == 3
    with http_server(_breaking(passed, b"one.vn.allocate", [failure])) as server:
        with pytest.raises(ModuleFailed) as caught:
            run_module(vnet, {**options, "endpoint": f"{server.url}/RPC2"})
        assert sum(b"one.vn.allocate" in request.body for request in server.requests) == 1
    assert caught.value.result["failure"]["operation"] == "one.vn.allocate"


@pytest.mark.parametrize("failure", [None, (502, b"Bad Gateway")])
def test_a_read_of_oneflow_is_sent_again_and_a_write_once(admin: Site, failure: Reply | None) -> None:
    passed = forward({"/flow": admin.standin.flow_endpoint})
    options = {**admin.connection, "mode": "640"}
    run_module(vm_template, {**admin.connection, "name": "vm", "cpu": 1, "memory": 64})
    run_module(oneflow_template, {**options, **TEMPLATE})
    with http_server(_breaking(passed, b"/flow/service_template", [failure, failure])) as server:
        run_module(oneflow_template_info, {**admin.connection, "flow_endpoint": f"{server.url}/flow"})
        assert [request.method for request in server.requests] == ["GET"] * 3
    with http_server(_breaking(passed, b"chmod", [failure])) as server:
        changed = {**options, "name": "app", "mode": "600", "flow_endpoint": f"{server.url}/flow"}
        with pytest.raises(ModuleFailed) as caught:
            run_module(oneflow_template, changed)
        writes = [request.method for request in server.requests if request.method != "GET"]
    assert writes == ["POST"]
    assert caught.value.result["failure"]["operation"].startswith("POST /service_template/")


def test_an_empty_variable_does_not_hide_the_next(admin: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE_URL", "")
    monkeypatch.setenv("OPENNEBULA_ENDPOINT", admin.standin.endpoint)
    options = {name: value for name, value in admin.connection.items() if name != "endpoint"}
    assert run_module(vnet, {**options, **NETWORK})["changed"] is True
