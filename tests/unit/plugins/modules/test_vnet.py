# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module vnet against the stand-in, and with scripted answers where the stand-in has none."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from module_runner import ModuleFailed, run_module
from opennebula_site import Site
from recording import RecordingClient, pool_object
from servers import http_server, oned, self_signed, silent_socket

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import NotFound, Refused
from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.vnet import ManagedVnet
from ansible_collections.fact8ra.flower.plugins.modules import security_group, vnet

NETWORK: dict[str, Any] = {
    "name": "net",
    "vn_mad": "bridge",
    "bridge": "br0",
    "network_address": "10.71.1.0",
    "network_mask": "255.255.255.0",
    "gateway": "10.71.1.1",
    "dns": "10.71.1.1 9.9.9.9",
    "attributes": {"description": 'say "hi", a=b ✓ ü\nsecond ] line', "path": "C:\\"},
    "address_ranges": [{"ip": "10.71.1.10", "size": 50}],
}


def test_life_of_a_network(admin: Site) -> None:
    update = {
        "guest_mtu": 1450,
        "gateway": "10.71.1.2",
        "mode": "640",
        "address_ranges": [{"ip": "10.71.1.100", "size": 5}, {"ip": "10.71.1.10", "size": 60}],
    }
    network = admin.lifecycle(vnet, "vnet", create=NETWORK, update=update)
    assert network["template"]["DESCRIPTION"] == 'say "hi", a=b ✓ ü\nsecond ] line'
    assert network["template"]["PATH"] == "C:\\"
    assert (network["state"], network["mode"], network["uname"]) == ("READY", "640", "oneadmin")
    assert [(each["ip"], each["size"]) for each in network["address_ranges"]] == [
        ("10.71.1.10", 60),
        ("10.71.1.100", 5),
    ]


def test_life_of_a_tenants_network(tenant: Site) -> None:
    resized = [{"ip": "10.71.1.10", "size": 60}]
    tenant.lifecycle(vnet, "vnet", create=NETWORK, update={"mode": "640", "address_ranges": resized})
    tenant.run(vnet, **NETWORK)
    failed = tenant.fail(vnet, **{**NETWORK, "mtu": 1400, "address_ranges": [{"ip": "10.71.2.10", "size": 60}]})
    assert "could not add the address range" in failed["msg"]
    assert "Not authorized to perform ADMIN NET" in failed["msg"]
    assert "MTU" not in tenant.run(vnet, **NETWORK)["vnet"]["template"], "nothing else was written"


def test_the_calls_of_each_run(tenant: Site) -> None:
    tenant.run(vnet, **NETWORK, mode="600")
    assert tenant.calls[:2] == ["vnpool.info", "vn.allocate"]
    assert set(tenant.calls[2:]) == {"vn.info"}, "only the wait"
    tenant.run(vnet, **NETWORK)
    assert tenant.calls == ["vnpool.info"]
    number = tenant.run(vnet, **{**NETWORK, "mtu": 1400})["vnet"]["id"]
    assert tenant.calls == ["vnpool.info", "vn.update", "vn.info"]
    tenant.run(vnet, id=number)
    assert tenant.calls == ["vn.info"]


def test_only_differing_attributes_are_written_and_others_stay(tenant: Site) -> None:
    tenant.run(vnet, **NETWORK)
    result = tenant.run(vnet, diff=True, name="net", mtu=1400, gateway="10.71.1.1")
    assert result["diff"] == {
        "before": {"name": "net", "template": {"GATEWAY": "10.71.1.1"}},
        "after": {"name": "net", "template": {"GATEWAY": "10.71.1.1", "MTU": "1400"}},
    }
    assert result["vnet"]["template"]["DNS"] == "10.71.1.1 9.9.9.9"


def test_null_removes_an_attribute(tenant: Site) -> None:
    tenant.run(vnet, **NETWORK)
    for changed in (True, False):
        result = tenant.run(vnet, name="net", attributes={"path": None})
        assert result["changed"] is changed
        assert "PATH" not in result["vnet"]["template"]
    assert result["vnet"]["vn_mad"] == "bridge"


def test_replace_removes_what_is_not_given_and_keeps_the_driver(admin: Site) -> None:
    two = {**NETWORK, "address_ranges": [*NETWORK["address_ranges"], {"type": "ETHER", "size": 3}]}
    admin.run(vnet, **two)
    wanted: dict[str, Any] = {
        "name": "net",
        "update_mode": "replace",
        "gateway": "10.71.1.1",
        "address_ranges": NETWORK["address_ranges"],
    }
    for changed in (True, False):
        result = admin.run(vnet, **wanted)
        assert result["changed"] is changed
    network = result["vnet"]
    assert (network["vn_mad"], network["bridge"], network["security_groups"]) == ("bridge", "br0", [0])
    assert not {"DNS", "PATH", "DESCRIPTION", "NETWORK_ADDRESS"} & network["template"].keys()
    assert [each["type"] for each in network["address_ranges"]] == ["IP4"]


def test_security_groups_by_name_and_id(tenant: Site) -> None:
    rule = {"protocol": "ALL", "rule_type": "inbound"}
    group = tenant.run(security_group, name="nodes", rules=[rule])["security_group"]["id"]
    result = tenant.run(vnet, **NETWORK, security_groups=["nodes", "0"])
    assert result["vnet"]["security_groups"] == [0, group]
    assert tenant.run(vnet, **NETWORK, security_groups=[0, str(group), "nodes"])["changed"] is False
    assert tenant.run(vnet, **NETWORK, security_groups=["nodes"])["vnet"]["security_groups"] == [group]
    failed = tenant.fail(vnet, **NETWORK, security_groups=["nods"])
    assert "security_groups names the security group 'nods'" in failed["msg"]
    assert "There are: default, nodes." in failed["msg"]


def test_ownership_lock_and_id_0(admin: Site) -> None:
    assert admin.run(vnet, **NETWORK, owner="flower", group="flower")["vnet"]["uname"] == "flower"
    number = admin.run(vnet, **NETWORK, owner="flower")["vnet"]["id"]
    assert number == 0
    for changed in (True, False):
        result = admin.run(vnet, id=0, owner="0", group="0", mode="604", locked=True)
        assert result["changed"] is changed
    network = result["vnet"]
    assert (network["uid"], network["gid"], network["mode"], network["locked"]) == (0, 0, "604", True)
    assert admin.run(vnet, id=0, locked=True, mtu=1400)["vnet"]["locked"] is True
    assert admin.writes == ["vn.unlock", "vn.update", "vn.lock"]
    for changed in (True, False):
        result = admin.run(vnet, id=0, locked=False)
        assert (result["changed"], result["vnet"]["locked"]) == (changed, False)
    assert admin.run(vnet, id=0, state="absent")["changed"] is True


def test_a_network_of_another_user(admin: Site, tenant: Site) -> None:
    admin.run(vnet, **NETWORK, mode="604")
    for state in ("present", "absent"):
        failed = tenant.fail(vnet, **NETWORK, state=state)
        assert failed["failure"]["code"] == "ambiguous"
        assert (
            "id 0 of user 'oneadmin'. None belongs to user 'flower'. To work on one of these, give its id"
            in failed["msg"]
        )
        assert tenant.writes == []
    failed = tenant.fail(vnet, id=0, mtu=1400)
    assert failed["failure"]["code"] == "not_authorized"
    assert "could not update MTU of virtual network 'net' (id 0, of user 'oneadmin')" in failed["msg"]
    assert "Not authorized to perform MANAGE NET [0]" in failed["msg"]


def test_a_network_in_use_is_not_deleted_and_its_holder_named(admin: Site) -> None:
    admin.run(vnet, **NETWORK)
    _call(admin, "vn.reserve", 0, 'NAME="part"\nSIZE="5"')
    failed = admin.fail(vnet, name="net", state="absent")
    assert failed["failure"]["code"] == "in_use"
    assert "5 of its addresses are in use by virtual network 'part' (id 1, of user 'oneadmin')" in failed["msg"]
    assert admin.writes == []
    assert admin.run(vnet, name="part", state="absent")["changed"] is True
    assert admin.run(vnet, name="net", state="absent")["changed"] is True


def test_what_a_reservation_inherits_is_not_compared(admin: Site) -> None:
    admin.run(vnet, **NETWORK)
    _call(admin, "vn.reserve", 0, 'NAME="part"\nSIZE="5"')
    wanted = {**NETWORK, "name": "part", "vn_mad": "802.1Q", "bridge": "other", "phydev": "eth9", "vlan_id": 7}
    result = admin.run(vnet, **wanted, update_mode="replace")
    assert result["changed"] is False
    assert result["vnet"]["parent_network_id"] == 0
    result = admin.run(vnet, **wanted, mtu=1400)
    assert result["changed"] is True
    assert admin.writes == ["vn.update"]


def _call(site: Site, method: str, *params: Any) -> Any:
    return Client(Target(site.standin.endpoint, *site.user)).call(method, *params, what="arrange the test")


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"name": "net"}, "invalid_input", "vn_mad is needed to create virtual network 'net'"),
        ({"id": 77, "name": "net"}, "not_found", "there is no virtual network with id 77, and an id cannot be chosen"),
        ({**NETWORK, "name": ""}, "invalid_input", "name is empty"),
        ({**NETWORK, "mode": 640}, "invalid_input", "mode is 640; it has to be three octal digits in quotes"),
        ({**NETWORK, "cluster": "999"}, "not_found", "could not create virtual network 'net': .*cluster.*999"),
        ({**NETWORK, "cluster": "none"}, "not_found", "cluster names the cluster 'none', .*user 'flower' may use none"),
        ({**NETWORK, "attributes": {"mtu": 1, "AR": "x"}}, "invalid_input", "attributes has AR.*address_ranges"),
        ({**NETWORK, "attributes": {"a-b": 1}}, "invalid_input", "'A-B' cannot be the name of a template attribute"),
        ({**NETWORK, "address_ranges": [{"size": 3}]}, "invalid_input", r"address_ranges\[0\]: .* type IP4 needs ip"),
        ({**NETWORK, "endpoint": "one:2633"}, "invalid_input", "endpoint is 'one:2633'; it has to be an http://"),
        ({**NETWORK, "password": "wrong"}, "authentication_failed", r"list the virtual networks \(user 'flower'\)"),
    ],
)
def test_errors_name_the_object_and_quote_the_server(
    tenant: Site, options: dict[str, Any], code: str, text: str
) -> None:
    failed = tenant.fail(vnet, **options)
    assert failed["failure"]["code"] == code
    assert re.search(text, failed["msg"]), failed["msg"]


def test_a_network_that_fails_is_said_at_once(admin: Site) -> None:
    admin.standin.faults.add({"net_error": "net"})
    began = time.monotonic()
    failed = admin.fail(vnet, **NETWORK, wait_timeout=60)
    assert time.monotonic() - began < 30
    assert failed["failure"]["code"] == "failed_state"
    assert "is in state ERROR" in failed["msg"]


def test_a_network_that_hangs_runs_into_the_timeout(admin: Site) -> None:
    admin.standin.faults.add({"stuck": "net"})
    failed = admin.fail(vnet, **NETWORK, wait_timeout=1)
    assert failed["failure"]["code"] == "timeout"
    assert failed["failure"]["details"]["last_state"] == "LOCK_CREATE"
    assert "Waited 1 s for virtual network (id 0) at http" in failed["msg"]


def _managed(client: RecordingClient, **options: Any) -> dict[str, Any]:
    with_defaults: dict[str, Any] = {
        **dict.fromkeys(vnet.SPEC.argument_spec),
        **{name: rules["default"] for name, rules in vnet.SPEC.argument_spec.items() if "default" in rules},
        "username": "flower",
        **options,
    }
    return ManagedVnet(client, with_defaults).run("vnet", check_mode=False)


def test_a_cluster_is_added_and_others_stay() -> None:
    clusters: dict[str, Any] = {"ID": "0"}

    def add(cluster: int, _number: int) -> int:
        clusters["ID"] = ["0", str(cluster)]
        return cluster

    client = RecordingClient(
        {
            "vn.info": lambda *_: pool_object(4, "net", STATE="1", CLUSTERS=dict(clusters)),
            "clusterpool.info": {"CLUSTER": [{"ID": "0", "NAME": "default"}, {"ID": "100", "NAME": "edge"}]},
            "cluster.addvnet": add,
        }
    )
    result = _managed(client, id=4, cluster="edge")
    assert (result["changed"], result["vnet"]["clusters"]) == (True, [0, 100])
    assert ("cluster.addvnet", 100, 4) in client.calls
    assert _managed(client, id=4, cluster="100")["changed"] is False


def test_an_update_that_did_nothing_is_an_error() -> None:
    client = RecordingClient(
        {"vn.info": lambda *_: pool_object(4, "net", STATE="1", TEMPLATE={"MTU": "1500"}), "vn.update": 4}
    )
    with pytest.raises(Refused, match=r"the server accepted .*'MTU': '1400'.* still has .*'MTU': '1500'"):
        _managed(client, id=4, mtu=1400)


CONNECTION = {"username": "flower", "password": "pass-of-flower", "name": "net", "state": "absent"}


def test_a_silent_endpoint_costs_no_more_than_the_timeout() -> None:
    with silent_socket() as address:
        began = time.monotonic()
        with pytest.raises(ModuleFailed, match=r"no answer within read_timeout=0\.5 s") as caught:
            run_module(vnet, {**CONNECTION, "endpoint": f"http://{address}/RPC2", "read_timeout": 0.5})
        assert time.monotonic() - began < 10
    assert caught.value.result["failure"]["code"] == "connection_failed"


def test_a_self_signed_certificate_needs_ca_path(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    with http_server(oned(lambda _method, _params: [True, "<VNET_POOL></VNET_POOL>", 0]), certificate) as server:
        options = {**CONNECTION, "endpoint": server.url + "/RPC2"}
        with pytest.raises(ModuleFailed, match="its certificate is not trusted"):
            run_module(vnet, options)
        assert run_module(vnet, {**options, "ca_path": str(certificate.cert)})["changed"] is False
        assert run_module(vnet, {**options, "validate_certs": False})["changed"] is False


def test_the_environment_gives_the_connection(tenant: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"endpoint": "ONE_URL", "username": "OPENNEBULA_USERNAME", "password": "ONE_PASSWORD"}
    for option, variable in names.items():
        monkeypatch.setenv(variable, tenant.connection[option])
    assert run_module(vnet, {"name": "net", "state": "absent"})["changed"] is False
    monkeypatch.delenv("ONE_PASSWORD")
    with pytest.raises(ModuleFailed, match=r"^password is missing; give it, set ONE_PASSWORD"):
        run_module(vnet, {"name": "net", "state": "absent"})


def _passing(*states: str) -> RecordingClient:
    """A network that goes through states, one a look."""
    left = list(states)

    def look(*_params: Any) -> dict[str, Any]:
        state = left.pop(0) if len(left) > 1 else left[0]
        if state == "gone":
            raise NotFound("gone")
        return pool_object(4, "net", STATE=state, TEMPLATE={"VN_MAD": "bridge"})

    pool = {"VNET": pool_object(4, "net", STATE=left.pop(0))}
    return RecordingClient({"vnpool.info": pool, "vn.info": look, "vn.allocate": 5, "vn.delete": 4})


def test_a_network_that_is_being_created_is_waited_for() -> None:
    client = _passing("2", "2", "1")
    assert _managed(client, name="net")["changed"] is False
    assert client.methods == ["vnpool.info", "vn.info", "vn.info"]


def test_a_network_that_is_being_deleted_is_created_anew() -> None:
    client = _passing("3", "3", "gone", "1")
    result = _managed(client, name="net", vn_mad="bridge")
    assert result["changed"] is True
    assert client.methods == ["vnpool.info", "vn.info", "vn.info", "vn.allocate", "vn.info"]


def test_a_network_in_error_is_no_success_but_can_be_deleted() -> None:
    with pytest.raises(Refused, match="is in state ERROR"):
        _managed(_passing("5", "5"), name="net")
    client = _passing("5", "3", "gone")
    assert _managed(client, name="net", state="absent")["changed"] is True
    assert client.methods == ["vnpool.info", "vn.delete", "vn.info", "vn.info"]


def test_without_wait_a_deletion_under_way_is_enough() -> None:
    client = _passing("1", "3")
    assert _managed(client, name="net", state="absent", wait=False)["changed"] is True
    assert client.methods == ["vnpool.info", "vn.delete", "vn.info"]
