# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module vnet_address_range against the stand-in, and with scripted answers where the stand-in has none."""

from __future__ import annotations

import re
from typing import Any

import pytest
from opennebula_site import Site
from recording import RecordingClient, pool_object

from ansible_collections.fact8ra.flower.plugins.module_utils import _waiting
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    Ambiguous,
    InvalidInput,
    NotAuthorized,
    NotFound,
    Refused,
    ResourceTimeout,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.address_range import AddressRange
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.modules import vnet, vnet_address_range

NETWORK: dict[str, Any] = {
    "name": "net",
    "vn_mad": "bridge",
    "bridge": "br0",
    "address_ranges": [{"ip": "10.71.1.10", "size": 50}],
}
ADDED: dict[str, Any] = {"network": "net", "ip": "10.71.2.10", "size": 5, "attributes": {"gateway": "10.71.2.1"}}


def _call(site: Site, method: str, *params: Any) -> Any:
    return Client(Target(site.standin.endpoint, *site.user)).call(method, *params, what="arrange the test")


def _twice(site: Site, calls: list[str], **options: Any) -> dict[str, Any]:
    """Run in check mode, for real, and again; return what the real run did."""
    predicted = site.run(vnet_address_range, check=True, diff=True, **options)
    assert (predicted["changed"], site.writes) == (True, [])
    done = site.run(vnet_address_range, diff=True, **options)
    assert (done["changed"], site.calls) == (True, calls)
    assert done["diff"] == predicted["diff"]
    again = site.run(vnet_address_range, diff=True, **options)
    assert (again["changed"], site.writes) == (False, [])
    assert again["address_range"] == done["address_range"]
    return done


def test_life_of_a_range(admin: Site) -> None:
    admin.run(vnet, **NETWORK)
    added = _twice(admin, ["vnpool.info", "vn.info", "vn.add_ar", "vn.info"], **ADDED)
    assert added["diff"]["before"] == {}
    found = added["address_range"]
    assert (found["network_id"], found["id"], found["type"], found["size"]) == (0, 1, "IP4", 5)
    assert (found["gateway"], found["leases"]) == ("10.71.2.1", [])
    change = {"network": "0", "ip": "10.71.2.10", "size": 8, "attributes": {"dns": "9.9.9.9"}}
    updated = _twice(admin, ["vn.info", "vn.update_ar", "vn.info"], **change)
    assert updated["diff"]["before"] == {"range": {"IP": "10.71.2.10", "SIZE": "5"}}
    assert updated["diff"]["after"] == {"range": {"IP": "10.71.2.10", "SIZE": "8", "DNS": "9.9.9.9"}}
    assert updated["address_range"]["gateway"] == "10.71.2.1", "what is not given stays"
    _twice(admin, ["vn.info", "vn.update_ar", "vn.info"], network="0", id=1, attributes={"gateway": None})
    removed = _twice(admin, ["vn.info", "vn.rm_ar", "vn.info"], network="0", ip="10.71.2.10", state="absent")
    assert removed["address_range"] is None
    assert removed["diff"]["before"]["id"] == 1
    assert removed["diff"]["before"]["range"]["IP"] == "10.71.2.10"
    assert [each["id"] for each in admin.run(vnet, name="net")["vnet"]["address_ranges"]] == [0]


def test_range_0_is_a_range(admin: Site) -> None:
    admin.run(vnet, **NETWORK)
    assert admin.run(vnet_address_range, network="net", id=0, size=50)["changed"] is False
    assert admin.run(vnet_address_range, network="net", id=0, size=60)["address_range"]["size"] == 60
    assert admin.run(vnet_address_range, network="net", id=0, state="absent")["changed"] is True
    assert admin.run(vnet_address_range, network="net", id=0, state="absent")["changed"] is False


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"ip": "10.71.2.10", "size": 5}, "IP4"),
        ({"ip6": "2001:DB8::10", "prefix_length": 64, "size": 5}, "IP6_STATIC"),
        ({"ip": "10.71.2.10", "ip6": "2001:db8::10", "prefix_length": 64, "size": 5}, "IP4_6_STATIC"),
        ({"mac": "02:00:0A:47:02:0A", "size": 5}, "ETHER"),
        ({"global_prefix": "2001:db8:a::", "size": 5}, "IP6"),
        ({"ula_prefix": "fd00:a::", "size": 5}, "IP6"),
        ({"ip": "10.71.2.10", "ula_prefix": "fd00:a::", "size": 5}, "IP4_6"),
    ],
)
def test_each_type_is_told_by_its_addresses(admin: Site, options: dict[str, Any], kind: str) -> None:
    admin.run(vnet, **NETWORK)
    done = _twice(admin, ["vnpool.info", "vn.info", "vn.add_ar", "vn.info"], network="net", **options)
    assert done["address_range"]["type"] == kind
    assert admin.run(vnet_address_range, network="net", type=kind, **options)["changed"] is False


def test_groups_of_a_range(admin: Site) -> None:
    admin.run(vnet, **NETWORK)
    _twice(admin, ["secgrouppool.info", "vnpool.info", "vn.info", "vn.update_ar", "vn.info"],
           network="net", id=0, security_groups=["default"])  # fmt: skip


def test_a_range_in_use_is_not_removed_and_its_holder_named(admin: Site) -> None:
    admin.run(vnet, **NETWORK)
    _call(admin, "vn.reserve", 0, 'NAME="part"\nSIZE="5"')
    failed = admin.fail(vnet_address_range, network="net", id=0, state="absent")
    assert failed["failure"]["code"] == "in_use"
    assert failed["failure"]["details"]["holders"] == ["virtual network 'part' (id 1, of user 'oneadmin')"]
    assert "could not remove address range 0 of virtual network 'net'" in failed["msg"]
    assert "Address Range has leases in use. 5 of its addresses are in use by virtual network 'part'" in failed["msg"]
    assert admin.writes == ["vn.rm_ar"]
    failed = admin.fail(vnet_address_range, network="net", id=0, size=4)
    assert "1 of its addresses are in use by virtual network 'part'" in failed["msg"], "the others are in the new size"
    assert admin.run(vnet_address_range, network="net", id=0, size=5)["changed"] is True
    assert admin.run(vnet_address_range, network="net", id=0, state="absent", force=True)["changed"] is True


def test_ranges_of_a_reservation(admin: Site) -> None:
    admin.run(vnet, **NETWORK)
    _call(admin, "vn.reserve", 0, 'NAME="part"\nSIZE="5"')
    _call(admin, "vn.reserve", 0, 'NETWORK_ID="1"\nSIZE="3"')
    failed = admin.fail(vnet_address_range, network="part", ip="10.71.9.1", size=5)
    assert failed["failure"]["code"] == "invalid_input"
    assert "is a reservation from network 0 and gets its addresses from there" in failed["msg"]
    failed = admin.fail(vnet_address_range, network="part", id=0, size=6)
    assert "size is '6', but address range 0 of virtual network 'part'" in failed["msg"]
    assert "extend the reservation with vnet_reservation" in failed["msg"]
    assert admin.run(vnet_address_range, network="part", id=0, size=5, attributes={"dns": "9.9.9.9"})["changed"] is True
    assert admin.writes == ["vn.update_ar"]
    assert admin.run(vnet_address_range, network="part", id=1, state="absent")["changed"] is True
    assert admin.writes == ["vn.free_ar"]
    assert admin.run(vnet, name="net")["vnet"]["used_leases"] == 5


def test_what_a_network_that_is_not_there_means(admin: Site) -> None:
    for network in ("none", "77"):
        assert admin.run(vnet_address_range, network=network, id=0, state="absent")["changed"] is False
        assert admin.fail(vnet_address_range, network=network, id=0)["failure"]["code"] == "not_found"
    predicted = admin.run(vnet_address_range, check=True, warns=True, **{**ADDED, "network": "none"})
    assert predicted["changed"] is True
    assert predicted["address_range"]["id"] is None
    assert predicted["address_range"]["network_id"] is None


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ({"id": 7}, "not_found", "there is no address range with id 7 in virtual network 'net'.*cannot be chosen"),
        ({"id": 0, "ip": "10.71.1.11"}, "invalid_input", "ip is '10.71.1.11', but address range 0 .*has '10.71.1.10'"),
        ({"id": 0, "mac": "02:00:00:00:00:01"}, "invalid_input", "mac is .* cannot change that; remove the range"),
        ({"ip": "10.71.1.10", "type": "IP4_6"}, "invalid_input", "type is 'IP4_6', but address range 0 .*has 'IP4'"),
        ({"id": 0, "attributes": {"shared": True}}, "invalid_input", "shared is 'YES', but .* has 'NO'"),
        ({"id": 0, "prefix_length": 64}, "invalid_input", "of type IP4 has no prefix_length, only IP6_STATIC and"),
        ({"id": 0, "size": 0}, "invalid_input", "size is 0; it has to be 1 or more"),
        ({"ip": "10.71.2.10"}, "invalid_input", "an address range of type IP4 needs size"),
        ({"ip": "10.71.2", "size": 1}, "invalid_input", "ip is '10.71.2'; it has to be an IPv4 address"),
        ({"ip6": "::1", "size": 1}, "invalid_input", "type IP6_STATIC needs prefix_length"),
        ({"ip": "10.71.2.1", "ip6": "::1", "type": "IP4", "size": 1}, "invalid_input", "type IP4 has no ip6"),
        ({"id": 0, "attributes": {"ip": "10.0.0.1"}}, "invalid_input", "attributes has IP, which is set by an option"),
        ({"id": 0, "security_groups": ["none"]}, "not_found", "security_groups names the security group 'none'"),
    ],
)
def test_errors(admin: Site, options: dict[str, Any], code: str, text: str) -> None:
    admin.run(vnet, **NETWORK)
    failed = admin.fail(vnet_address_range, network="net", **options)
    assert (failed["failure"]["code"], admin.writes) == (code, [])
    assert re.search(text, failed["msg"]), failed["msg"]


def test_a_way_to_know_the_range_is_needed(admin: Site) -> None:
    failed = admin.fail(vnet_address_range, network="net", size=5)
    assert "one of the following is required: id, ip, ip6, mac, global_prefix, ula_prefix" in failed["msg"]


def test_what_a_tenant_may_not(tenant: Site) -> None:
    tenant.run(vnet, **NETWORK)
    failed = tenant.fail(vnet_address_range, **ADDED)
    assert failed["failure"]["code"] == "not_authorized"
    assert "could not add the address range" in failed["msg"]
    assert "Not authorized to perform ADMIN NET [0]" in failed["msg"]
    assert tenant.run(vnet_address_range, network="net", id=0, size=60)["changed"] is True


FIRST = {"AR_ID": "0", "TYPE": "IP4", "IP": "10.0.0.10", "SIZE": "50", "MAC": "02:00:0a:00:00:0a"}


@pytest.fixture
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_waiting, "FIRST_DELAY", 0.001)
    monkeypatch.setattr(_waiting, "MAX_DELAY", 0.002)


def _network(*found: dict[str, Any], **more: Any) -> dict[str, Any]:
    return pool_object(4, "net", **{"STATE": "1", **more, "AR_POOL": {"AR": list(found)}})


def _managed(client: RecordingClient, **options: Any) -> dict[str, Any]:
    with_defaults: dict[str, Any] = {
        **dict.fromkeys(vnet_address_range.SPEC.argument_spec),
        **{
            name: rules["default"]
            for name, rules in vnet_address_range.SPEC.argument_spec.items()
            if "default" in rules
        },
        "username": "flower",
        "network": "4",
        **options,
    }
    return AddressRange(client, with_defaults).run(check_mode=False)


def _refused(text: str) -> Refused:
    return Refused(f"could not do it: {text}", details={"server": text})


@pytest.mark.usefixtures("_fast")
def test_lingering_leases_are_waited_for() -> None:
    held = _network({**FIRST, "USED_LEASES": "1", "LEASES": {"LEASE": {"IP": "10.0.0.10", "VM": "9"}}})
    networks = [held, held, held, _network()]
    answers: list[Any] = [_refused("[one.vn.rm_ar] Address Range has leases in use")] * 2 + [4]

    def remove(*_params: Any) -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return int(answer)

    client = RecordingClient(
        {
            "vn.info": lambda *_: networks.pop(0),
            "vn.rm_ar": remove,
            "vm.info": pool_object(9, "web", STATE="3", LCM_STATE="12"),
        }
    )
    assert _managed(client, id=0, state="absent")["changed"] is True
    again = ["vn.rm_ar", "vn.info", "vm.info"]
    assert client.methods == ["vn.info", *again, *again, "vn.rm_ar", "vn.info"]


@pytest.mark.usefixtures("_fast")
def test_lingering_leases_end_with_the_time() -> None:
    held = _network({**FIRST, "USED_LEASES": "1", "LEASES": {"LEASE": {"IP": "10.0.0.10", "VM": "9"}}})
    client = RecordingClient(
        {
            "vn.info": held,
            "vn.rm_ar": _refused("[one.vn.rm_ar] Address Range has leases in use"),
            "vm.info": pool_object(9, "web", STATE="3", LCM_STATE="12"),
        }
    )
    with pytest.raises(ResourceTimeout, match=r"Waited 0 s .*virtual machine 'web' \(id 9"):
        _managed(client, id=0, state="absent", wait=False)
    assert client.methods == ["vn.info", "vn.rm_ar", "vn.info", "vm.info"]


def test_a_network_that_is_not_ready_is_waited_for() -> None:
    networks = [_network(FIRST, STATE="2"), _network(FIRST)]
    client = RecordingClient({"vn.info": lambda *_: networks.pop(0)})
    assert _managed(client, id=0, size=50)["changed"] is False
    assert networks == []


def test_a_range_that_somebody_removes_meanwhile() -> None:
    networks = [_network(FIRST), _network()]
    gone = _refused("[one.vn.update_ar] Address Range with ID 0 was not found.")
    client = RecordingClient({"vn.info": lambda *_: networks.pop(0), "vn.update_ar": gone})
    with pytest.raises(NotFound, match=r"address range 0 of virtual network 'net' .*somebody else removed it"):
        _managed(client, id=0, size=60)


def test_two_ranges_that_begin_alike_are_told_apart_by_their_type_or_not_at_all() -> None:
    both = {**FIRST, "AR_ID": "1", "TYPE": "IP4_6"}
    client = RecordingClient({"vn.info": _network(FIRST, both)})
    assert _managed(client, ip="10.0.0.10", type="IP4_6", size=50)["address_range"]["id"] == 1
    with pytest.raises(
        Ambiguous, match=r"several address ranges .* begin at 10.0.0.10: id 0, id 1. Give the id"
    ) as found:
        _managed(client, ip="10.0.0.10", size=50)
    assert found.value.details["candidates"] == [{"id": 0}, {"id": 1}]


def test_answers_that_lie() -> None:
    client = RecordingClient({"vn.info": _network(FIRST), "vn.add_ar": 4, "vn.update_ar": 4, "vn.rm_ar": 4})
    with pytest.raises(Refused, match="the server accepted adding it, but the network has it not") as caught:
        _managed(client, ip="10.0.9.10", size=5)
    assert caught.value.code == "not_applied"
    with pytest.raises(Refused, match=r"the server accepted setting .*'SIZE': '60'"):
        _managed(client, id=0, size=60)
    with pytest.raises(Refused, match="the server accepted deleting it, but it is still there"):
        _managed(client, id=0, state="absent")


def test_the_text_of_each_call() -> None:
    client = RecordingClient({"vn.info": _network({**FIRST, "GATEWAY": "10.0.0.1"}), "vn.add_ar": 4, "vn.update_ar": 4})
    with pytest.raises(Refused):
        _managed(client, type="IP4_6", ip="10.0.9.10", ula_prefix="FD00:A::", size=5, attributes={"x": 'a "b"'})
    with pytest.raises(Refused):
        _managed(client, id=0, size=60, attributes={"shared": False})
    assert [call for call in client.calls if call[0] != "vn.info"] == [
        (
            "vn.add_ar",
            4,
            'AR=[TYPE="IP4_6",IP="10.0.9.10",ULA_PREFIX="fd00:a::",SIZE="5",X="a \\"b\\""]',
        ),
        ("vn.update_ar", 4, 'AR=[AR_ID="0",SIZE="60",GATEWAY="10.0.0.1"]'),
    ]


def test_a_restricted_attribute_is_named() -> None:
    refused = NotAuthorized(
        "could not add it: [one.vn.add_ar] AR includes a restricted attribute PHYDEV",
        details={"server": "[one.vn.add_ar] AR includes a restricted attribute PHYDEV"},
    )
    client = RecordingClient({"vn.info": _network(), "vn.add_ar": refused})
    with pytest.raises(NotAuthorized, match=r"Only administrators may set PHYDEV .*VNET_RESTRICTED_ATTR") as caught:
        _managed(client, ip="10.0.9.10", size=5, attributes={"phydev": "eth0"})
    assert caught.value.details["attribute"] == "PHYDEV"
    with pytest.raises(InvalidInput):
        _managed(client, ip="10.0.9.10", size=5, attributes={"size": 5})
