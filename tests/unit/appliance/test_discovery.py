# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the SuperLink is: addresses of the context, offers in OneGate that anybody of the service may have written."""

from __future__ import annotations

import base64
import itertools
import json
from pathlib import Path
from typing import Any

import joining
import pytest

from fact8ra_appliance.discovery import Found, delays, find, split
from fact8ra_appliance.offer import ATTRIBUTE, Offer, Unreadable
from fact8ra_appliance.onegate import NoService, OneGateUnreachable
from fact8ra_appliance.trouble import Trouble


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> joining.Authority:
    return joining.authority(tmp_path_factory.mktemp("pki"))


def _parts(made: joining.Authority, **changes: Any) -> dict[str, Any]:
    parts = {
        "version": 1,
        "address": "192.0.2.10",
        "port": 8443,
        "fingerprint": made.fingerprint,
        "ca": made.ca,
        "join": "onegate",
    }
    return {**parts, **changes}


def _encoded(content: object) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


@pytest.mark.parametrize(
    ("text", "host", "port", "address"),
    [
        ("192.0.2.10", "192.0.2.10", 8443, "192.0.2.10:8443"),
        ("link.example.eu:9443", "link.example.eu", 9443, "link.example.eu:9443"),
        ("2001:db8::1", "2001:db8::1", 8443, "[2001:db8::1]:8443"),
        ("[2001:db8::1]:1", "2001:db8::1", 1, "[2001:db8::1]:1"),
        ("link\n", "link", 8443, "link:8443"),
        (" [2001:db8::1] ", "2001:db8::1", 8443, "[2001:db8::1]:8443"),
    ],
)
def test_an_address_of_the_context(text: str, host: str, port: int, address: str) -> None:
    found = find(text, None)
    assert found == Found(host, port)
    assert found.address == address


@pytest.mark.parametrize(
    "text",
    [
        "https://link.example.eu",
        "192.0.2.256",
        "1.2.3",
        "link:0",
        "link:65536",
        "link:",
        "link:\uff18443",
        "link:-1",
        "link:1:2",
        "[192.0.2.1]:8443",
        "[2001:db8::1",
        "[2001:db8::1]x",
        "fe80::1%eth0",
        "a b",
        "-link",
        "l\u0131nk",
        "x" * 254,
        "$(id)",
    ],
)
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(Trouble, match="ONEAPP_FLOWER_SUPERLINK_ADDRESS is") as caught:
        split(text)
    assert (caught.value.state, caught.value.again) == ("CONTEXT_INVALID", False)
    assert caught.value.variable == "ONEAPP_FLOWER_SUPERLINK_ADDRESS"
    assert str(caught.value).isascii()


def test_the_superlink_of_the_service_is_found_by_its_one_attribute(made: joining.Authority) -> None:
    gate = joining.service(11)
    gate.publish({ATTRIBUTE: Offer.checked(_parts(made)).encode(), "FLOWER_ADDRESS": "203.0.113.1:1"})
    found = find("", gate.of(11))
    assert (found.host, found.port) == ("192.0.2.10", 8443)
    assert found.offer is not None
    assert found.offer.ca == made.ca


def test_before_it_has_published_it_is_waited_for() -> None:
    with pytest.raises(Trouble, match="role superlink has published") as caught:
        find("", joining.service(11))
    assert (caught.value.state, caught.value.again) == ("WAITING_FOR_SUPERLINK", True)


def test_without_a_service_the_context_is_what_is_wrong() -> None:
    alone = joining.service()
    alone.fails = NoService("VM 7 belongs to no service")
    for gate in (None, alone):
        with pytest.raises(Trouble, match="OneGate shows no service") as caught:
            find("", gate)
        assert caught.value.state == "CONTEXT_INVALID"
    alone.fails = OneGateUnreachable("silent")
    with pytest.raises(OneGateUnreachable):
        find("", alone)


def test_a_supernode_that_offers_itself_as_superlink_is_not_heard(made: joining.Authority, tmp_path: Path) -> None:
    rogue = joining.authority(tmp_path, "rogue")
    gate = joining.service(11, 12)
    gate.of(12).publish({ATTRIBUTE: Offer.checked(_parts(rogue, address="192.0.2.66")).encode()})
    with pytest.raises(Trouble) as caught:
        find("", gate.of(11))
    assert caught.value.state == "WAITING_FOR_SUPERLINK"
    gate.publish({ATTRIBUTE: Offer.checked(_parts(made)).encode()})
    assert find("", gate.of(11)).host == "192.0.2.10"


def test_in_a_service_without_that_role_no_other_is_heard(made: joining.Authority) -> None:
    gate = joining.service(11)
    gate.roles["coordinator"] = gate.roles.pop("superlink")
    gate.publish({ATTRIBUTE: Offer.checked(_parts(made)).encode()})
    with pytest.raises(Trouble, match="has no role superlink") as caught:
        find("", gate.of(11), wanted=made.fingerprint)
    assert (caught.value.state, caught.value.again) == ("CONTEXT_INVALID", False)
    assert caught.value.variable == "ONEAPP_FLOWER_SUPERLINK_ADDRESS"
    # A role whose VM is not there yet is waited for.
    gate.roles["superlink"] = []
    with pytest.raises(Trouble, match="role superlink has published") as caught:
        find("", gate.of(11))
    assert caught.value.state == "WAITING_FOR_SUPERLINK"


def test_two_superlinks_are_told_apart_by_the_fingerprint_alone(made: joining.Authority, tmp_path: Path) -> None:
    other = joining.authority(tmp_path, "other")
    gate = joining.service(11, superlinks=(7, 8))
    gate.publish({ATTRIBUTE: Offer.checked(_parts(made)).encode()})
    gate.of(8).publish({ATTRIBUTE: Offer.checked(_parts(other, address="192.0.2.20")).encode()})
    with pytest.raises(Trouble, match="2 SuperLinks that differ") as caught:
        find("", gate.of(11))
    assert caught.value.state == "TRUST_REFUSED"
    assert find("", gate.of(11), wanted=other.fingerprint.upper()).host == "192.0.2.20"
    with pytest.raises(Trouble, match="2 SuperLinks"):
        find("", gate.of(11), wanted="0" * 64)
    # The same offer twice is one.
    gate.of(8).publish({ATTRIBUTE: Offer.checked(_parts(made)).encode()})
    assert find("", gate.of(11)).host == "192.0.2.10"


def test_an_offer_comes_back_as_it_was(made: joining.Authority) -> None:
    offer = Offer.checked(_parts(made))
    assert Offer.decode(offer.encode()) == offer
    assert "\n" not in offer.encode()


def _wrong(made: joining.Authority, other: joining.Authority) -> dict[str, object]:
    leaf = made.certificate.read_text()
    return {
        "half": Offer.checked(_parts(made)).encode()[:-40],
        "no base64": "{}!",
        "no JSON": base64.b64encode(b"\xff\xfe").decode(),
        "a list": _encoded([]),
        "deep": base64.b64encode(b"[" * 5000).decode(),
        "a key twice": base64.b64encode(b'{"version": 1, "version": 1}').decode(),
        "NaN": base64.b64encode(b'{"version": NaN}').decode(),
        "too long": "A" * 20000,
        "version": _encoded(_parts(made, version=2)),
        "true version": _encoded(_parts(made, version=True)),
        "no address": _encoded(_parts(made, address=None)),
        "a shell": _encoded(_parts(made, address="$(reboot)")),
        "a URL": _encoded(_parts(made, address="http://192.0.2.1")),
        "unicode": _encoded(_parts(made, address="lin\u212a.example")),
        "port 0": _encoded(_parts(made, port=0)),
        "true port": _encoded(_parts(made, port=True)),
        "text port": _encoded(_parts(made, port="8443")),
        "join": _encoded(_parts(made, join="none")),
        "no certificate": _encoded(_parts(made, ca="")),
        "a number": _encoded(_parts(made, ca=1)),
        "two authorities": _encoded(_parts(made, ca=made.ca + other.ca)),
        "a leaf": _encoded(_parts(made, ca=leaf)),
        "another fingerprint": _encoded(_parts(made, fingerprint=other.fingerprint)),
    }


def test_what_is_no_offer_is_refused_without_being_shown(made: joining.Authority, tmp_path: Path) -> None:
    other = joining.authority(tmp_path, "other")
    for name, text in _wrong(made, other).items():
        with pytest.raises(Unreadable) as caught:
            Offer.decode(str(text))
        assert str(caught.value).isascii(), name
        assert "reboot" not in str(caught.value), name
        gate = joining.service(11)
        gate.publish({ATTRIBUTE: str(text)})
        with pytest.raises(Trouble, match="cannot be used") as trouble:
            find("", gate.of(11))
        assert (trouble.value.state, trouble.value.again) == ("WAITING_FOR_SUPERLINK", True), name


def test_an_attribute_that_stands_twice_is_no_offer(made: joining.Authority) -> None:
    gate = joining.service(11)
    gate.roles["superlink"][0].attributes[ATTRIBUTE] = [Offer.checked(_parts(made)).encode()] * 2
    with pytest.raises(Trouble, match="cannot be used"):
        find("", gate.of(11))


def test_pauses_grow_to_a_quarter_of_a_minute() -> None:
    pauses = list(itertools.islice(delays(), 12))
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1, 15)
