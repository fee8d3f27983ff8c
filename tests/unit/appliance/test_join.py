# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A SuperNode that joins, over real TLS, SuperLinks that are right, wrong, late, or somebody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import joining
import pytest

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure
from fact8ra_appliance import admission, wire
from fact8ra_appliance.discovery import Found
from fact8ra_appliance.identity import Identity
from fact8ra_appliance.join import Busy, Joined, install, join, status
from fact8ra_appliance.onegate import OneGateUnreachable
from fact8ra_appliance.trouble import Trouble
from fact8ra_appliance.trust import Mode, Pin, Pins

VM = 11


class Node:
    """A SuperNode's VM."""

    def __init__(self, directory: Path, name: str = "node-a") -> None:
        self.identity: Identity = joining.identity(directory, name)
        self.pins = Pins(directory / name / "pin.json")

    def join(self, found: Found, how: Mode = Mode.TOKEN, token: str = joining.TOKEN, **more: Any) -> Joined:
        """Join as the boot does."""
        return join(found, self.identity, how, token=token, pins=self.pins, vm_id=VM, seconds=5, **more)

    def refused(self, found: Found, how: Mode = Mode.TOKEN, token: str = joining.TOKEN, **more: Any) -> Trouble:
        """The reason for which it may not, which leaves no pin."""
        before = self.pins.read()
        with pytest.raises(Trouble) as caught:
            self.join(found, how, token, **more)
        assert self.pins.read() == before
        assert str(caught.value).isprintable()
        assert joining.TOKEN not in str(caught.value)
        return caught.value


@pytest.fixture(name="node")
def _node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> joining.Authority:
    return joining.authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(name="link")
def _link(tmp_path: Path, made: joining.Authority) -> Iterator[joining.SuperLink]:
    with joining.superlink(tmp_path, joining.TOKEN, made=made) as link:
        yield link


def test_with_a_token_alone_both_sides_know_each_other(link: joining.SuperLink, node: Node) -> None:
    joined = node.join(link.found)
    assert (joined.how, joined.first, joined.ca) == (Mode.TOKEN, False, link.authority.ca)
    assert [(one.name, one.node_id) for one in link.flower.known] == [("node-a", joined.node_id)]
    pin = node.pins.read()
    assert pin is not None
    assert (pin.fingerprint, pin.how) == (link.authority.fingerprint, "token")
    again = node.join(link.found)
    assert again.node_id == joined.node_id
    assert link.flower.calls == [("register", "node-a")]
    assert node.pins.read() == pin


def test_the_token_never_crosses(link: joining.SuperLink, node: Node) -> None:
    node.join(link.found)
    said = json.dumps(link.heard)
    assert joining.TOKEN not in said
    assert [sorted(body) for body in link.heard if body] == [
        ["name", "nonce", "proof", "public_key", "signature", "time", "version", "vm_id"]
    ]


def test_a_fingerprint_and_a_token(link: joining.SuperLink, node: Node, tmp_path: Path) -> None:
    joined = node.join(link.found, Mode.FINGERPRINT, given=link.authority.fingerprint)
    assert joined.how is Mode.FINGERPRINT
    other = joining.authority(tmp_path, "other")
    stranger = Node(tmp_path, "node-b")
    assert stranger.refused(link.found, Mode.FINGERPRINT, given=other.fingerprint).state == "TRUST_REFUSED"
    assert [one.name for one in link.flower.known] == ["node-a"]


def test_in_a_service_onegate_proves_the_supernode(tmp_path: Path, node: Node) -> None:
    gate = joining.service(VM)
    with joining.superlink(tmp_path / "link", gate=gate) as link:
        found = Found("127.0.0.1", link.port, link.offered())
        joined = node.join(found, Mode.FIRST, "", gate=gate.of(VM))
        assert (joined.how, joined.first) == (Mode.FIRST, True)
        assert not node.join(found, Mode.FIRST, "", gate=gate.of(VM)).first
    assert gate.roles["supernode"][0].attributes == {wire.PUBLIC_KEY: node.identity.public_key}
    assert [one.name for one in link.flower.known] == ["node-a"]


def test_without_token_and_without_onegate_nothing_proves_anything(link: joining.SuperLink, node: Node) -> None:
    assert node.refused(link.found, Mode.FIRST, "").state == "TOKEN_MISSING"
    found = Found("127.0.0.1", link.port, link.offered("token"))
    refused = node.refused(found, Mode.FIRST, "", gate=joining.service(VM).of(VM))
    assert (refused.state, refused.variable) == ("TOKEN_MISSING", "ONEAPP_FLOWER_JOIN_TOKEN")
    assert not [body for body in link.heard if body]


def test_onegate_that_cannot_be_told_the_key_is_what_is_wrong(tmp_path: Path, node: Node) -> None:
    gate = joining.service(VM)
    with joining.superlink(tmp_path / "link", gate=gate) as link:
        own = gate.of(VM)
        own.fails = OneGateUnreachable("silent")
        with pytest.raises(OneGateUnreachable):
            node.join(Found("127.0.0.1", link.port, link.offered()), Mode.FIRST, "", gate=own)


def test_another_token_is_refused_and_not_told_apart_from_none(link: joining.SuperLink, node: Node) -> None:
    refused = node.refused(link.found, token="x" * 24)
    assert (refused.state, refused.variable, refused.again) == ("JOIN_REFUSED", "ONEAPP_FLOWER_JOIN_TOKEN", False)
    assert "join token is not the SuperLink's" in str(refused)
    assert link.flower.known == []


def test_a_server_without_the_token_is_not_believed_whatever_it_says(link: joining.SuperLink, node: Node) -> None:
    for answer in (
        {"registered": True},
        {"registered": True, "proof": "0" * 64},
        {"registered": True, "proof": 1},
        {"registered": True, "proof": "\u00e9" * 64},
        {"registered": True, "proof": "\ud800"},
    ):
        link.says = lambda path, _body, answer=answer: (200, answer) if path == "/join" and _body else None
        assert node.refused(link.found).state == "TRUST_REFUSED"


def test_what_the_superlink_said_to_another_proves_nothing(link: joining.SuperLink, node: Node, tmp_path: Path) -> None:
    """An answer that was recorded, or one to another's request, is of another nonce."""
    answers: list[dict[str, Any]] = []

    def record(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        if path == "/join" and body:
            answers.append(link.admission.join(json.dumps(body).encode()))
            return 200, answers[-1]
        return None

    link.says = record
    Node(tmp_path, "node-b").join(link.found)
    node.join(link.found)
    link.says = lambda path, body: (200, answers[0]) if path == "/join" and body else None
    assert node.refused(link.found).state == "TRUST_REFUSED"
    link.says = lambda path, body: (200, answers[1]) if path == "/join" and body else None
    assert node.refused(link.found).state == "TRUST_REFUSED"


def test_who_relays_a_request_under_an_authority_of_his_own_gets_nobody_in(
    link: joining.SuperLink, node: Node, tmp_path: Path
) -> None:
    with joining.superlink(tmp_path / "between", "y" * 24) as between:
        relayed: list[int] = []

        def relay(path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
            if path == "/join" and body:
                code, answer = link.answer(path, json.dumps(body).encode())
                relayed.append(code)
                return code, answer
            return None

        between.says = relay
        assert node.refused(between.found).state == "JOIN_REFUSED"
        assert relayed == [403]
        between.says = lambda path, body: (200, {"registered": True}) if path == "/join" and body else None
        assert node.refused(between.found).state == "TRUST_REFUSED"
    assert link.flower.known == []
    # The pin is what is left when the attacker has gone.
    assert node.join(link.found).ca == link.authority.ca


def test_leaving_the_token_out_makes_nothing_weaker(link: joining.SuperLink, node: Node) -> None:
    """OneGate says that the SuperLink wants none, which any VM of the service may write: the node proves it still."""
    found = Found("127.0.0.1", link.port, link.offered("onegate"))
    node.join(found)
    assert link.heard[-1]["proof"]["kind"] == "token"
    refused = Node(node.pins.path.parents[1], "node-b").refused(found, Mode.FIRST, "", gate=joining.service(VM).of(VM))
    assert refused.state == "JOIN_REFUSED"


def test_a_superlink_that_was_replaced_is_told_from_one_that_is_late(
    link: joining.SuperLink, node: Node, tmp_path: Path
) -> None:
    other = joining.authority(tmp_path, "other")
    node.pins.write(Pin(other.fingerprint, other.ca, "first", 1))
    assert node.refused(link.found).state == "SUPERLINK_REPLACED"
    assert node.refused(Found("127.0.0.1", link.port, link.offered())).state == "SUPERLINK_REPLACED"
    assert not [body for body in link.heard if body]
    # The word of the tenant is what replaces it.
    joined = node.join(link.found, Mode.FINGERPRINT, given=link.authority.fingerprint)
    pin = node.pins.read()
    assert pin is not None
    assert pin.fingerprint == joined.fingerprint == link.authority.fingerprint


def test_a_server_that_lies_about_its_authority(link: joining.SuperLink, node: Node, tmp_path: Path) -> None:
    """It names the right one, whose fingerprint is known, and has a certificate of another."""
    other = joining.authority(tmp_path, "other")
    link.says = lambda _path, body: (200, {"version": 1, "ca": other.ca}) if not body else None
    refused = node.refused(link.found, Mode.FINGERPRINT, given=other.fingerprint)
    assert refused.state == "TRUST_REFUSED"
    assert "somebody is in between" in str(refused)
    assert not [body for body in link.heard if body]


@pytest.mark.parametrize(
    ("sans", "begin", "state", "what"),
    [
        (("DNS:elsewhere.example.eu",), timedelta(hours=-1), "TRUST_REFUSED", "does not name 127.0.0.1"),
        (joining.SANS, timedelta(hours=3), "CLOCK_WRONG", "not valid yet"),
        (joining.SANS, timedelta(days=-3), "CLOCK_WRONG", "is over"),
    ],
)
def test_a_certificate_that_does_not_fit(
    tmp_path: Path, node: Node, sans: tuple[str, ...], begin: timedelta, state: str, what: str
) -> None:
    made = joining.authority(tmp_path, sans=sans, begin=begin)
    with joining.superlink(tmp_path, joining.TOKEN, made=made) as link:
        refused = node.refused(link.found)
    assert refused.state == state
    assert what in str(refused)


@pytest.mark.parametrize(
    ("code", "answer", "state", "again"),
    [
        (409, {"refused": "name_taken"}, "NAME_TAKEN", False),
        (409, {"refused": "key_named"}, "JOIN_REFUSED", False),
        (409, {"refused": "key_burned"}, "JOIN_REFUSED", False),
        (403, {"refused": "replay"}, "JOIN_REFUSED", False),
        (403, {"refused": "clock", "now": 5}, "CLOCK_WRONG", False),
        (403, {"refused": "clock", "now": "\x1b[31m"}, "JOIN_REFUSED", False),
        (400, {"refused": "body"}, "JOIN_REFUSED", False),
        (400, {"refused": "\x1b[31m{name.__class__}"}, "JOIN_REFUSED", False),
        (400, {"refused": ["proof"]}, "JOIN_REFUSED", False),
        (404, {}, "JOIN_REFUSED", False),
        (200, {}, "JOIN_REFUSED", False),
        (200, {"registered": 1}, "JOIN_REFUSED", False),
        (302, {}, "JOIN_REFUSED", False),
        (429, {}, "WAITING_FOR_SUPERLINK", True),
        (502, {}, "WAITING_FOR_SUPERLINK", True),
        (503, {"refused": "flower"}, "WAITING_FOR_SUPERLINK", True),
    ],
)
def test_every_refusal_is_a_state(
    link: joining.SuperLink, node: Node, code: int, answer: dict[str, Any], state: str, again: bool
) -> None:
    link.says = lambda path, body: (code, answer) if path == "/join" and body else None
    refused = node.refused(link.found)
    assert (refused.state, refused.again) == (state, again)


def test_a_superlink_that_is_full_refuses_and_is_not_waited_for(
    link: joining.SuperLink, node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.join(link.found)
    monkeypatch.setattr(admission, "MOST", 1)
    refused = Node(tmp_path, "node-b").refused(link.found)
    assert (refused.state, refused.again) == ("JOIN_REFUSED", False)
    assert "takes no more SuperNodes by itself" in str(refused)


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("busy", "in so short a time"),
        ("onegate", "its OneGate"),
        ("flower", "its Flower"),
        ("\x1b[31m", "takes no SuperNodes yet"),
        (["busy"], "takes no SuperNodes yet"),
    ],
)
def test_why_a_superlink_takes_none_just_now_is_said(link: joining.SuperLink, node: Node, word: Any, why: str) -> None:
    link.says = lambda path, body: (503, {"refused": word}) if path == "/join" and body else None
    refused = node.refused(link.found)
    assert (refused.state, refused.again) == ("WAITING_FOR_SUPERLINK", True)
    assert why in str(refused)


def test_a_clock_that_is_wrong_by_a_year_is_told_with_the_difference(link: joining.SuperLink, node: Node) -> None:
    refused = node.refused(link.found, clock=lambda: link.admission.clock() - 365 * 86400)
    assert refused.state == "CLOCK_WRONG"
    assert " 31536000 s" in str(refused) or " 31535999 s" in str(refused) or " 31536001 s" in str(refused)


def test_what_flower_says_of_a_key(link: joining.SuperLink, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    key = node.identity.public_key
    assert status(link.found, link.authority.ca, key) == "unknown"
    node.join(link.found)
    assert status(link.found, link.authority.ca, key) == "offline"
    link.flower.unregister(link.flower.known[0])
    assert status(link.found, link.authority.ca, key) == "unregistered"
    for answer in ((200, {}), (200, {"state": "\x1b"}), (503, {"state": "online"})):
        link.says = lambda _path, _body, answer=answer: answer
        with pytest.raises(Trouble) as caught:
            status(link.found, link.authority.ca, key)
        assert (caught.value.state, caught.value.again) == ("WAITING_FOR_SUPERLINK", True)
    # What answers under the right certificate is told from what does not answer at all.
    for code in (429, 502, 503, 504):
        link.says = lambda _path, _body, code=code: (code, {})
        with pytest.raises(Busy):
            status(link.found, link.authority.ca, key)
    with pytest.raises(Trouble) as caught:
        status(Found("127.0.0.1", 1), link.authority.ca, key)
    assert not isinstance(caught.value, Busy)


def test_a_superlink_whose_flower_is_away_is_waited_for(
    link: joining.SuperLink, node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> list[Any]:
        raise FlowerFailure("refused", "nothing listens there")

    monkeypatch.setattr(link.flower, "nodes", away)
    refused = node.refused(link.found)
    assert (refused.state, refused.again) == ("WAITING_FOR_SUPERLINK", True)
    assert "answers 503: its Flower does not answer it" in str(refused)


def test_the_authority_lies_where_the_role_looks_and_is_written_once(tmp_path: Path, link: joining.SuperLink) -> None:
    install(tmp_path / "pki", link.authority.ca)
    path = tmp_path / "pki" / "trust.crt"
    assert path.read_text() == link.authority.ca
    before = path.stat().st_ino
    install(tmp_path / "pki", link.authority.ca)
    assert path.stat().st_ino == before
