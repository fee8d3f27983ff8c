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
from nasty import NASTY
from servers import closed_port, http_server, oned

from ansible_collections.fact8ra.flower.plugins.module_utils._connection import LIMITS
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    ConnectionFailed,
    InvalidInput,
    OpenNebulaError,
)
from ansible_collections.fact8ra.flower.plugins.plugin_utils._inventory import asking, hosts, sites
from ansible_collections.fact8ra.flower.plugins.plugin_utils._inventory.hosts import Choices, Host
from ansible_collections.fact8ra.flower.plugins.plugin_utils._inventory.sites import Query, Site

RUNNING = Choices(states=("RUNNING",))
EVERY = Query(every_vm=True)


def _site(
    name: str = "alpha",
    url: str = "http://127.0.0.1:1",
    services: tuple[str, ...] = (),
    query: Query | None = None,
    **given: Any,
) -> Site:
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
    return Site(name, {**params, **given}, services, query or Query())


def _xml(root: str, element: str, *items: Any) -> str:
    def one(name: str, value: Any) -> str:
        if isinstance(value, list):
            return "".join(one(name, item) for item in value)
        if isinstance(value, dict):
            return f"<{name}>{''.join(one(key, item) for key, item in value.items())}</{name}>"
        return f"<{name}><![CDATA[{value}]]></{name}>"

    return one(root, {element: list(items)})


CALLS: list[Any] = []
"""What the last site was asked for."""
CLUSTERS = [{"ID": "0", "NAME": "default"}, {"ID": "100", "NAME": "edge"}]


def _answer(site: Site, services: list[Any], vms: list[dict[str, Any]], *, flow: bool = True) -> dict[str, Any]:
    CALLS.clear()

    def respond(request: Any) -> tuple[int, bytes]:
        if request.method == "GET":
            CALLS.append(f"GET {request.path}")
            return 200, json.dumps(pool(*services)).encode()
        return oned(lambda method, params: [True, said(method, params), 0])(request)  # type: ignore[return-value]

    def said(method: str, params: Any) -> str:
        CALLS.append((method, *params[1:]))
        return _xml("VM_POOL", "VM", *vms) if "vmpool" in method else _xml("CLUSTER_POOL", "CLUSTER", *CLUSTERS)

    with http_server(respond) as server:
        given = {"endpoint": f"{server.url}/RPC2", "flow_endpoint": server.url if flow else None}
        return asking.ask(Site(site.name, {**site.params, **given}, site.services, site.query))


def _hosts(answer: dict[str, Any], choices: Choices = RUNNING) -> list[Host]:
    return list(hosts.hosts(_site(), answer, choices))


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
    found = _hosts(answer)
    assert CALLS == ["GET /service", ("one.vmpool.infoextended", -2, 10, 12, -1, "")]
    assert [(host.default_name, host.address, host.facts["role"]) for host in found] == [
        ("alpha-superlink-0", "10.0.0.10", "superlink"),
        ("alpha-supernode-3", "10.0.0.11", "supernode"),
        ("alpha-supernode-4", "10.0.0.12", "supernode"),
    ]
    assert found[0].facts == {
        "id": 10,
        "name": "superlink_0_(service_7)",
        "ordinal": "0",
        "uname": "flower",
        "pci": [],
        "gname": "flower",
        "state": "ACTIVE",
        "lcm_state": "RUNNING",
        "host": None,
        "cluster_id": None,
        "labels": [],
        "addresses": ["10.0.0.10"],
        "nics": [
            {"id": 0, "network": "lan", "network_id": "1", "mac": "02:00:0a:00:00:01", "addresses": ["10.0.0.10"]}
        ],
        "user_template": {"SERVICE_ID": "7", "ROLE_NAME": "superlink"},
        "role": "superlink",
        "service": "fed",
        "service_id": 7,
    }


def test_a_virtual_gpu_is_told_from_a_whole_one() -> None:
    ids = {"VENDOR": "10de", "DEVICE": "26b9", "CLASS": "0302"}
    there = {**ids, "ADDRESS": "0000:41:00:0", "VM_ADDRESS": "01:00.0", "NUMA_NODE": "0"}
    node = vm(12, "supernode_4_(service_7)")
    node["TEMPLATE"] = {**node["TEMPLATE"], "PCI": [there, {**ids, "PROFILE": "557"}]}
    *_others, found = _hosts(_answer(_site(), [SERVICE], [*VMS[:2], node]))
    whole = {"vendor": "10de", "device": "26b9", "class": "0302", "address": "0000:41:00:0", "vm_address": "01:00.0"}
    waiting = {**whole, "address": "", "vm_address": "", "numa_node": "", "profile": "557"}
    assert found.facts["pci"] == [{**whole, "numa_node": "0", "profile": ""}, waiting]


REWRITTEN = {
    "SERVICE_ID": "8",
    "ROLE_NAME": "superlink",
    "SERVICE_NAME": "other",
    "NAME": "superlink_9_(service_7)",
    "IP": "192.0.2.66",
    "ETH0_IP": "192.0.2.66",
    "NIC": {"NETWORK": "lan", "IP": "192.0.2.66"},
    "ANSIBLE_HOST": "192.0.2.66",
    "SITE_NAME": "beta",
    "STATE": "9",
    "HOSTNAME": "-oProxyCommand=id",
    "SSH_PUBLIC_KEY": "ssh-ed25519 AAAA evil",
    "READY": "NO",
}
"""What a SuperNode that is in other hands may write into its siblings' user template by OneGate."""


def test_onegate_data_that_a_sibling_has_rewritten_changes_nothing() -> None:
    def seen(vms: list[dict[str, Any]]) -> list[Any]:
        found = _hosts(_answer(_site(), [SERVICE], vms))
        kinds = [kind for kind in hosts.GROUP_KINDS if kind != "label"]
        assert "192.0.2.66" not in str([(host.address, host.facts["addresses"], host.facts["nics"]) for host in found])
        told = [{key: value for key, value in host.facts.items() if key != "user_template"} for host in found]
        return [(host.default_name, host.address, list(host.groups(kinds)), told) for host in found]

    rewritten = [{**one, "USER_TEMPLATE": {**one["USER_TEMPLATE"], **REWRITTEN}} for one in VMS]
    emptied = [{**one, "USER_TEMPLATE": ""} for one in VMS]
    assert seen(rewritten) == seen(emptied) == seen(VMS)


@pytest.mark.parametrize(
    "nasty",
    [*NASTY.values(), "", "../../etc", "{{ lookup('pipe', 'id') }}"],
    ids=[*NASTY, "nothing", "above", "lookup"],
)
def test_names_and_addresses_of_the_cloud_reach_a_command_line_as_such_alone(nasty: str) -> None:
    named = {"facts": {"role": None, "name": f"{nasty}web{nasty}", "id": 5}}
    member = {"facts": {"role": f"{nasty}supernode{nasty}", "ordinal": "0", "name": "x", "id": 5}}
    for given in (named, member):
        name = Host("alpha", None, given["facts"]).default_name
        assert hosts.HOST_NAME.fullmatch(name)
        assert len(name) <= 140
        assert not name.startswith((".", "-"))
    for address in (nasty, f"192.0.2.1{nasty}", f"{nasty}192.0.2.1", f"fe80::1%{nasty}"):
        nic = {"id": 0, "network": "lan", "network_id": "1", "addresses": [address]}
        picked = hosts.pick_address([nic], {}, Choices())
        assert picked == (address if address == "192.0.2.1" else None)


def test_a_vm_that_claims_another_role_or_service_gets_neither() -> None:
    liar = vm(11, "supernode_3_(service_7)", role="superlink")
    stranger = vm(99, "superlink_0_(service_7)", role="superlink")
    found = _hosts(_answer(_site(), [SERVICE], [liar, stranger]))
    assert [(host.facts["id"], host.facts["role"]) for host in found] == [(11, "supernode")]
    every = _hosts(_answer(_site(query=EVERY), [SERVICE], [liar, stranger]))
    assert [(host.facts["id"], host.facts["role"], host.facts["service"]) for host in every] == [
        (11, "supernode", "fed"),
        (99, None, None),
    ]


def test_services_are_picked_by_their_whole_name() -> None:
    other = service(8, name="fed-two")
    for patterns, expected in [((), 2), (("fed",), 1), (("fed-.*",), 1), (("f",), 0), (("x", "fed.*"), 2)]:
        answer = _answer(_site(services=patterns), [SERVICE, other], VMS)
        assert len(answer["networks"]) == expected


def test_a_pattern_that_is_none_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"'\[' is no regular expression"):
        asking.wanted(_site(services=("[",)), "x")


def test_vms_that_do_not_run_are_left_out_unless_asked_for() -> None:
    vms = [VMS[0], vm(11, "supernode_3_(service_7)", state=8, lcm_state=0), vm(12, "x", lcm_state=36)]
    answer = _answer(_site(), [SERVICE], vms)
    assert [host.facts["id"] for host in _hosts(answer)] == [10]
    every = _hosts(answer, Choices())
    assert [(host.facts["state"], host.facts["lcm_state"]) for host in every] == [
        ("ACTIVE", "RUNNING"),
        ("POWEROFF", "LCM_INIT"),
        ("ACTIVE", "BOOT_FAILURE"),
    ]


def test_a_service_that_has_no_vms_yet() -> None:
    answer = _answer(_site(), [service(7, 11, vms=False)], [])
    assert _hosts(answer) == []
    assert CALLS == ["GET /service"]


NICS = [
    {"id": 0, "network": "lan", "network_id": "1", "addresses": []},
    {"id": 1, "network": "wan", "network_id": "2", "addresses": ["192.0.2.1", "2001:db8::1"]},
    {"id": 3, "network": "lan", "network_id": "1", "addresses": ["10.0.0.1"]},
    {"id": 4, "network": "", "network_id": "", "addresses": ["10.0.9.9"]},
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
        (Choices(nic=0), None),
        (Choices(nic=1), "192.0.2.1"),
        (Choices(nic=2), None),
        (Choices(nic=4), "10.0.9.9"),
        (Choices(nic=3, network="lan"), "10.0.0.1"),
        (Choices(nic=1, network="lan"), None),
        (Choices(nic=1, family="ipv6"), "2001:db8::1"),
    ],
)
def test_the_address_is_the_first_that_fits(choices: Choices, expected: str | None) -> None:
    assert hosts.pick_address(NICS, {"Private": "1", "Unset": ""}, choices) == expected


@pytest.mark.parametrize("address", ["-oProxyCommand=x", "host.example", "10.0.0.1; x", "{{ x }}", "fe80::1%-oX", ""])
def test_what_is_no_address_is_not_used(address: str) -> None:
    nics = [{"id": 0, "network": "lan", "network_id": "1", "addresses": [address]}]
    assert hosts.pick_address(nics, {}, Choices()) is None


@pytest.mark.parametrize("nics", ["", {"NETWORK": "lan"}, [{}, {"IP": ""}]])
def test_a_vm_without_an_address(nics: Any) -> None:
    answer = _answer(_site(), [service()], [vm(10, "superlink_0_(service_7)", nics=nics)])
    (host,) = _hosts(answer)
    assert host.address is None


def _plain(number: int = 1, name: str = "web", **user: Any) -> dict[str, Any]:
    record = {"SEQ": "0", "HOSTNAME": "node1", "CID": "100"}
    return {
        **vm(number, name, service_id=None),
        "USER_TEMPLATE": user or "",
        "HISTORY_RECORDS": {"HISTORY": record},
    }


def test_every_vm_needs_no_oneflow() -> None:
    answer = _answer(_site(query=EVERY), [], [_plain(5), _plain(4, "db")], flow=False)
    assert CALLS == [("one.vmpool.infoextended", -2, -1, -1, -1, "")]
    assert [(host.default_name, host.facts["service"], host.facts["ordinal"]) for host in _hosts(answer)] == [
        ("db", None, "4"),
        ("web", None, "5"),
    ]


def test_every_vm_with_oneflow_has_services_first() -> None:
    answer = _answer(_site(query=EVERY), [SERVICE], [_plain(), *VMS])
    assert CALLS == ["GET /service", ("one.vmpool.infoextended", -2, -1, -1, -1, "")]
    assert [host.default_name for host in _hosts(answer)] == [
        "alpha-superlink-0",
        "alpha-supernode-3",
        "alpha-supernode-4",
        "web",
    ]


def test_services_without_oneflow_are_an_error() -> None:
    with pytest.raises(InvalidInput, match="flow_endpoint is missing"):
        _answer(_site(), [], [], flow=False)


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        (Query(), (-2, -1)),
        (Query(who="mine"), (-3, -1)),
        (Query(who="group"), (-1, -1)),
        (Query(states=("RUNNING",)), (-2, 3)),
        (Query(states=("RUNNING", "BOOT_FAILURE", "ACTIVE")), (-2, 3)),
        (Query(states=("POWEROFF",)), (-2, 8)),
        (Query(states=("INIT",)), (-2, 0)),
        (Query(states=("RUNNING", "POWEROFF")), (-2, -1)),
        (Query(states=("DONE",)), (-2, 6)),
        (Query(states=("RUNNING", "DONE")), (-2, -2)),
    ],
)
def test_what_the_server_filters_by(query: Query, sent: tuple[int, int]) -> None:
    assert query.pool == sent


def test_the_search_is_passed_on_as_it_is() -> None:
    text = "VM.USER_TEMPLATE.ENV=prod&VM.NAME=a b'"
    _answer(_site(query=Query(every_vm=True, who="mine", states=("POWEROFF",), search=text)), [], [], flow=False)
    assert list(CALLS) == [("one.vmpool.infoextended", -3, -1, -1, 8, text)]


def test_states_are_those_of_vms_and_of_their_life_cycle() -> None:
    assert sites.states_of([" running", "Poweroff"], True) == ("RUNNING", "POWEROFF")
    assert sites.states_of(None, True) == ("RUNNING",)
    assert sites.states_of(None, False) == ()
    with pytest.raises(InvalidInput, match="states has 'UP', which is no state of a VM, such as PENDING, HOLD, ACTIVE"):
        sites.states_of(["up"], True)


def _state(state: int, lcm_state: int) -> dict[str, Any]:
    return {"STATE": str(state), "LCM_STATE": str(lcm_state)}


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        (Choices(), [1, 2, 3, 4]),
        (Choices(states=("RUNNING",)), [1]),
        (Choices(states=("ACTIVE",)), [1, 2]),
        (Choices(states=("BOOT", "POWEROFF")), [2, 3]),
        (Choices(labels={"prod"}), [1, 2]),
        (Choices(labels={"prod/web"}), [1]),
        (Choices(labels={"pro"}), []),
        (Choices(labels={"a b", "prod/web"}), [1, 2]),
        (Choices(clusters={"edge"}), [1, 2]),
        (Choices(clusters={"100"}), [1, 2]),
        (Choices(clusters={"0"}), [3]),
        (Choices(hosts={"node2"}), [3]),
        (Choices(hosts={"node1"}, labels={"a b"}), [2]),
    ],
)
def test_what_the_plugin_filters_by(choices: Choices, expected: list[int]) -> None:
    vms = [
        {**_plain(1, LABELS="prod/web"), **_state(3, 3)},
        {**_plain(2, LABELS=" a b , prod //db/"), **_state(3, 2)},
        {**_plain(3), **_state(8, 0), "HISTORY_RECORDS": {"HISTORY": {"HOSTNAME": "node2", "CID": "0"}}},
        {**_plain(4), **_state(1, 0), "HISTORY_RECORDS": ""},
    ]
    answer = _answer(_site(query=Query(every_vm=True, cluster_names=True)), [], vms, flow=False)
    assert CALLS == [("one.vmpool.infoextended", -2, -1, -1, -1, ""), ("one.clusterpool.info",)]
    assert [host.facts["id"] for host in _hosts(answer, choices)] == expected


def test_groups() -> None:
    kinds = hosts.GROUP_KINDS
    answer = _answer(
        _site(query=Query(every_vm=True, cluster_names=True)), [SERVICE], [*VMS[:1], _plain(LABELS="p/w,x")]
    )
    node, plain = _hosts(answer)
    assert list(node.groups(kinds)) == [("service_fed",), ("role_superlink",), ("state_running",)]
    assert list(plain.groups(kinds)) == [
        ("label_p", "label_p/w"),
        ("label_x",),
        ("cluster_edge",),
        ("host_node1",),
        ("state_running",),
    ]
    assert list(plain.groups([])) == []


def test_a_cluster_that_the_user_may_not_see_is_called_by_its_id() -> None:
    raw = {**_plain(), "HISTORY_RECORDS": {"HISTORY": {"HOSTNAME": "n", "CID": "101"}}}
    (host,) = _hosts(_answer(_site(query=Query(every_vm=True, cluster_names=True)), [], [raw], flow=False))
    assert list(host.groups(["cluster"])) == [("cluster_101",)]


def test_the_last_record_of_the_history_counts() -> None:
    records = [{"SEQ": "9", "HOSTNAME": "old", "CID": "0"}, {"SEQ": "10", "HOSTNAME": "new", "CID": "-1"}, ""]
    raw = {**_plain(), "HISTORY_RECORDS": {"HISTORY": records}}
    (host,) = _hosts(_answer(_site(query=Query(every_vm=True, cluster_names=True)), [], [raw], flow=False))
    assert (host.facts["host"], host.facts["cluster_id"], host.facts["cluster"]) == ("new", None, None)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("web.example-1", "web.example-1"), ("-oX", "_oX"), ("a b/ü", "a_b__"), ("{{ x }}", "___x___"), ("", "vm_1")],
)
def test_the_name_of_a_vm_of_no_service(name: str, expected: str) -> None:
    (host,) = _hosts(_answer(_site(query=EVERY), [], [_plain(1, name)], flow=False))
    assert host.default_name == expected
    assert hosts.HOST_NAME.fullmatch(host.default_name)


@pytest.mark.parametrize(
    "raw",
    [
        {"ID": "1"},
        {"ID": "1", "TEMPLATE": "", "USER_TEMPLATE": "", "HISTORY_RECORDS": ""},
        {"ID": "1", "USER_TEMPLATE": {"LABELS": {"A": "b"}, "SSH_PORT": {"PORT": "22"}}},
        {
            "ID": "1",
            "USER_TEMPLATE": {"LABELS": " ,/, "},
            "HISTORY_RECORDS": {"HISTORY": ["", {"SEQ": "x", "CID": ""}]},
        },
        {"ID": "1", "TEMPLATE": {"NIC": [{"NIC_ID": "x", "IP": {"A": "b"}}, ""], "NIC_ALIAS": {"IP": ""}}},
    ],
)
def test_ragged_vms_are_hosts_without_address(raw: dict[str, Any]) -> None:
    (host,) = _hosts(_answer(_site(query=EVERY), [], [raw], flow=False), Choices())
    assert (host.default_name, host.address, host.facts["labels"]) == ("vm_1", None, [])
    assert not [group for group in host.groups(hosts.GROUP_KINDS) if group[-1] != "state_unknown(-1)"]


def test_sites_are_asked_at_the_same_time_and_an_error_is_the_matter_of_its_site() -> None:
    together = threading.Barrier(2, timeout=5)

    def respond(_request: Any) -> tuple[int, bytes]:
        together.wait()  # breaks when the other site is not asked meanwhile
        return 200, json.dumps(pool()).encode()

    with http_server(respond) as one, http_server(respond) as two:
        sites = [_site("alpha", one.url), _site("gone", f"http://127.0.0.1:{closed_port()}"), _site("beta", two.url)]
        alpha, gone, beta = asking.ask_all(sites)
    assert isinstance(alpha, dict)
    assert isinstance(gone, ConnectionFailed)
    assert isinstance(beta, dict)


def test_a_silent_site_holds_the_others_up_for_its_timeout_only() -> None:
    def silent(_request: Any) -> None:
        time.sleep(1)

    with http_server(silent) as server:
        start = time.monotonic()
        (answer,) = asking.ask_all([_site("slow", server.url, read_timeout=0.1)])
        assert time.monotonic() - start < 1
    assert isinstance(answer, OpenNebulaError)
    assert "read_timeout=0.1" in answer.message


def test_a_cached_answer_belongs_to_endpoint_user_and_services() -> None:
    same = _site(password="other")
    assert same.fingerprint == _site().fingerprint
    queries = [
        Query(every_vm=True),
        Query(who="mine"),
        Query(states=("POWEROFF",)),
        Query(search="a"),
        Query(cluster_names=True),
    ]
    others = [
        *(_site(username="x"), _site(url="http://127.0.0.1:2"), _site(services=("a",))),
        *(_site(query=query) for query in queries),
    ]
    assert len({other.fingerprint for other in others}) == len(others)
    assert all(other.fingerprint != same.fingerprint for other in others)
    assert "secret" not in repr(_site())
    # what is filtered here does not need another answer
    assert _site(query=Query(states=("RUNNING",))).fingerprint == _site(query=Query(states=("BOOT",))).fingerprint


ENVIRON = {
    "ONE_URL": "http://env:2633/RPC2",
    "ONEFLOW_URL": "http://env:2474",
    "ONE_USERNAME": "someone",
    "ONE_PASSWORD": "a:b",
    "OPENNEBULA_INSECURE": "yes",
}


def test_the_environment_fills_in_what_is_not_given() -> None:
    params = sites.params_of({"username": "", "read_timeout": "5"}, ENVIRON, flow=True)
    assert params == {
        "endpoint": "http://env:2633/RPC2",
        "flow_endpoint": "http://env:2474",
        "username": "someone",
        "password": "a:b",
        "validate_certs": False,
        "ca_path": None,
        "connect_timeout": LIMITS["connect_timeout"],
        "read_timeout": 5.0,
    }


def test_the_urls_of_the_environment_are_for_an_only_site(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    assert sites.environment(sole=True).items() >= ENVIRON.items()
    kept = sites.environment(sole=False)
    assert {name for name in ENVIRON if name in kept} == {"ONE_USERNAME", "ONE_PASSWORD", "OPENNEBULA_INSECURE"}
    with pytest.raises(InvalidInput, match="endpoint is missing; give it, or set ONE_URL where it is the only site"):
        sites.params_of({}, kept, flow=False)


def test_a_host_of_the_group_has_to_say_all() -> None:
    given = {"endpoint": "http://one:2633/RPC2", "username": "flower"}
    with pytest.raises(InvalidInput, match="flow_endpoint, password is missing; it is the variable one_flow_endpoint"):
        sites.params_of(given, None, flow=True)
    assert sites.params_of({**given, "password": "x"}, None, flow=False)["flow_endpoint"] is None


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"validate_certs": "perhaps"}, "validate_certs is 'perhaps'; it has to be true or false"),
        ({"read_timeout": "long"}, "read_timeout is 'long'; it has to be a number of seconds"),
    ],
)
def test_options_of_a_site_that_are_of_no_use(given: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        sites.params_of(given, ENVIRON, flow=True)
