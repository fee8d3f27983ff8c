# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the inventory plugin makes of the answers of sites."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from flow import pool, service, vm
from servers import closed_port, http_server, oned

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    ConnectionFailed,
    InvalidInput,
    OpenNebulaError,
)
from ansible_collections.fact8ra.flower.plugins.plugin_utils import _inventory
from ansible_collections.fact8ra.flower.plugins.plugin_utils._inventory import Choices, Site


def _site(name: str = "alpha", url: str = "http://127.0.0.1:1", services: tuple[str, ...] = (), **given: Any) -> Site:
    params = {
        "endpoint": f"{url}/RPC2",
        "flow_endpoint": url,
        "username": "flower",
        "password": "secret",
        "validate_certs": True,
        "ca_path": None,
        "connect_timeout": 2.0,
        "read_timeout": 2.0,
    }
    return Site(name, {**params, **given}, services)


def _xml(*vms: dict[str, Any]) -> str:
    def element(name: str, value: Any) -> str:
        if isinstance(value, list):
            return "".join(element(name, item) for item in value)
        if isinstance(value, dict):
            return f"<{name}>{''.join(element(key, item) for key, item in value.items())}</{name}>"
        return f"<{name}><![CDATA[{value}]]></{name}>"

    return element("VM_POOL", {"VM": list(vms)})


def _answer(site: Site, services: list[Any], vms: list[dict[str, Any]]) -> dict[str, Any]:
    def respond(request: Any) -> tuple[int, bytes]:
        if request.method == "GET":
            return 200, json.dumps(pool(*services)).encode()
        return oned(lambda _method, _params: [True, _xml(*vms), 0])(request)  # type: ignore[return-value]

    with http_server(respond) as server:
        params = {**site.params, "endpoint": f"{server.url}/RPC2", "flow_endpoint": server.url}
        return _inventory.ask(Site(site.name, params, site.services))


SERVICE = service(7, cardinality=2)
VMS = [
    vm(10, "superlink_0_(service_7)", role="superlink"),
    vm(11, "supernode_3_(service_7)"),
    vm(12, "supernode_4_(service_7)"),
]


def test_hosts_of_a_service() -> None:
    answer = _answer(_site(), [SERVICE], VMS)
    assert json.loads(json.dumps(answer)) == answer, "it has to fit into a cache"
    assert "secret" not in json.dumps(answer)
    hosts = _inventory.hosts(_site(), answer, Choices())
    assert [(host.default_name, host.address, host.role) for host in hosts] == [
        ("alpha-superlink-0", "10.0.0.10", "superlink"),
        ("alpha-supernode-3", "10.0.0.11", "supernode"),
        ("alpha-supernode-4", "10.0.0.12", "supernode"),
    ]
    assert hosts[0].facts == {
        "id": 10,
        "name": "superlink_0_(service_7)",
        "ordinal": "0",
        "uname": "flower",
        "gname": "flower",
        "state": "ACTIVE",
        "lcm_state": "RUNNING",
        "addresses": ["10.0.0.10"],
        "nics": [{"network": "lan", "network_id": "1", "mac": "02:00:0a:00:00:01", "addresses": ["10.0.0.10"]}],
        "user_template": {"SERVICE_ID": "7", "ROLE_NAME": "superlink"},
        "role": "superlink",
        "service": "fed",
        "service_id": 7,
    }


def test_a_vm_that_claims_another_role_or_service_gets_neither() -> None:
    liar = vm(11, "supernode_3_(service_7)", role="superlink")
    stranger = vm(99, "superlink_0_(service_7)", role="superlink")
    hosts = _inventory.hosts(_site(), _answer(_site(), [SERVICE], [liar, stranger]), Choices())
    assert [(host.facts["id"], host.role) for host in hosts] == [(11, "supernode")]


def test_services_are_picked_by_their_whole_name() -> None:
    other = service(8, name="fed-two")
    for patterns, expected in [((), 2), (("fed",), 1), (("fed-.*",), 1), (("f",), 0), (("x", "fed.*"), 2)]:
        answer = _answer(_site(services=patterns), [SERVICE, other], VMS)
        assert len(answer["services"]) == expected


def test_a_pattern_that_is_none_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"'\[' is no regular expression"):
        _inventory.wanted(_site(services=("[",)), "x")


def test_vms_that_do_not_run_are_left_out_unless_asked_for() -> None:
    vms = [VMS[0], vm(11, "supernode_3_(service_7)", state=8, lcm_state=0), vm(12, "x", lcm_state=36)]
    answer = _answer(_site(), [SERVICE], vms)
    assert [host.facts["id"] for host in _inventory.hosts(_site(), answer, Choices())] == [10]
    every = _inventory.hosts(_site(), answer, Choices(only_running=False))
    assert [(host.facts["state"], host.facts["lcm_state"]) for host in every] == [
        ("ACTIVE", "RUNNING"),
        ("POWEROFF", "LCM_INIT"),
        ("ACTIVE", "BOOT_FAILURE"),
    ]


def test_a_service_that_has_no_vms_yet() -> None:
    answer = _answer(_site(), [service(7, 11, vms=False)], [])
    assert _inventory.hosts(_site(), answer, Choices()) == []


NICS = [
    {"network": "lan", "network_id": "1", "addresses": []},
    {"network": "wan", "network_id": "2", "addresses": ["192.0.2.1", "2001:db8::1"]},
    {"network": "lan", "network_id": "1", "addresses": ["10.0.0.1"]},
    {"network": "", "network_id": "", "addresses": ["10.0.9.9"]},
]


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        (Choices(), "192.0.2.1"),
        (Choices(network="lan"), "10.0.0.1"),
        (Choices(network="Private"), "10.0.0.1"),
        (Choices(network="wan", family="ipv6"), "2001:db8::1"),
        (Choices(family="ipv6"), "2001:db8::1"),
        (Choices(network="lan", family="ipv6"), None),
        (Choices(network="ghost"), None),
        (Choices(network="Unset"), None),
    ],
)
def test_the_address_is_the_first_that_fits(choices: Choices, expected: str | None) -> None:
    assert _inventory.pick_address(NICS, {"Private": "1", "Unset": ""}, choices) == expected


@pytest.mark.parametrize("address", ["-oProxyCommand=x", "host.example", "10.0.0.1; x", "{{ x }}", ""])
def test_what_is_no_address_is_not_used(address: str) -> None:
    nics = [{"network": "lan", "network_id": "1", "addresses": [address]}]
    assert _inventory.pick_address(nics, {}, Choices()) is None


@pytest.mark.parametrize("nics", ["", {"NETWORK": "lan"}, [{}, {"IP": ""}]])
def test_a_vm_without_an_address(nics: Any) -> None:
    answer = _answer(_site(), [service()], [vm(10, "superlink_0_(service_7)", nics=nics)])
    (host,) = _inventory.hosts(_site(), answer, Choices())
    assert host.address is None


def test_sites_are_asked_at_the_same_time_and_an_error_is_the_matter_of_its_site() -> None:
    together = threading.Barrier(2, timeout=5)

    def respond(_request: Any) -> tuple[int, bytes]:
        together.wait()  # breaks when the other site is not asked meanwhile
        return 200, json.dumps(pool()).encode()

    with http_server(respond) as one, http_server(respond) as two:
        sites = [_site("alpha", one.url), _site("gone", f"http://127.0.0.1:{closed_port()}"), _site("beta", two.url)]
        alpha, gone, beta = _inventory.ask_all(sites)
    assert isinstance(alpha, dict)
    assert isinstance(gone, ConnectionFailed)
    assert isinstance(beta, dict)


def test_a_silent_site_holds_the_others_up_for_its_timeout_only() -> None:
    def silent(_request: Any) -> None:
        time.sleep(1)

    with http_server(silent) as server:
        start = time.monotonic()
        (answer,) = _inventory.ask_all([_site("slow", server.url, read_timeout=0.1)])
        assert time.monotonic() - start < 1
    assert isinstance(answer, OpenNebulaError)
    assert "read_timeout=0.1" in answer.message


def test_a_cached_answer_belongs_to_endpoint_user_and_services() -> None:
    same = _site(password="other")
    assert same.fingerprint == _site().fingerprint
    others = [_site(username="x"), _site(url="http://127.0.0.1:2"), _site(services=("a",))]
    assert all(other.fingerprint != same.fingerprint for other in others)
    assert "secret" not in repr(_site())
