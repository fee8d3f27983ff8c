# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Whom a SuperNode believes: what decides, what is pinned, and what neither OneGate nor a server can change."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import joining
import pytest

from fact8ra_appliance import dial, trust
from fact8ra_appliance.discovery import Found
from fact8ra_appliance.offer import fingerprint, fingerprint_of, shown
from fact8ra_appliance.trouble import Trouble
from fact8ra_appliance.trust import Mode, Pin, Pins, judge, mode

DIGITS = "0123456789abcdef" * 4
LINK = "192.0.2.10"


@pytest.fixture(name="link", scope="module")
def _link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[joining.SuperLink]:
    with joining.superlink(tmp_path_factory.mktemp("link"), joining.TOKEN) as link:
        yield link


@pytest.fixture(name="other", scope="module")
def _other(tmp_path_factory: pytest.TempPathFactory) -> joining.Authority:
    return joining.authority(tmp_path_factory.mktemp("other"), "other")


def _pin(made: joining.Authority) -> Pin:
    return Pin(made.fingerprint, made.ca, "first", 1)


@pytest.mark.parametrize(
    ("choice", "given", "token", "address", "expected"),
    [
        ("", "", "", "", Mode.FIRST),
        ("auto", "", "", "", Mode.FIRST),
        ("", DIGITS, "", LINK, Mode.FINGERPRINT),
        ("", "", joining.TOKEN, LINK, Mode.TOKEN),
        # What is given decides, whatever OneGate would say.
        ("", "", joining.TOKEN, "", Mode.TOKEN),
        ("", DIGITS, joining.TOKEN, "", Mode.FINGERPRINT),
        ("first", "", "", LINK, Mode.FIRST),
        ("token", "", joining.TOKEN, LINK, Mode.TOKEN),
        ("fingerprint", shown(DIGITS), "", LINK, Mode.FINGERPRINT),
    ],
)
def test_the_context_decides(choice: str, given: str, token: str, address: str, expected: Mode) -> None:
    assert mode(choice, given, token, address) is expected


@pytest.mark.parametrize(
    ("choice", "given", "token", "address", "state", "variable"),
    [
        ("", "", "", LINK, "CONTEXT_INVALID", "ONEAPP_FLOWER_SUPERLINK_FINGERPRINT"),
        ("fingerprint", "", joining.TOKEN, LINK, "CONTEXT_INVALID", "ONEAPP_FLOWER_SUPERLINK_FINGERPRINT"),
        ("token", DIGITS, "", LINK, "TOKEN_MISSING", "ONEAPP_FLOWER_JOIN_TOKEN"),
        ("none", "", "", "", "CONTEXT_INVALID", "ONEAPP_FLOWER_TRUST"),
        ("First", "", "", "", "CONTEXT_INVALID", "ONEAPP_FLOWER_TRUST"),
        ("", "0123", "", "", "CONTEXT_INVALID", "ONEAPP_FLOWER_SUPERLINK_FINGERPRINT"),
        ("", DIGITS[:-1] + "\uff10", "", "", "CONTEXT_INVALID", "ONEAPP_FLOWER_SUPERLINK_FINGERPRINT"),
        ("", "", "hunter2", "", "CONTEXT_INVALID", "ONEAPP_FLOWER_JOIN_TOKEN"),
        ("", "", "hunter2" * 4 + " ", "", "CONTEXT_INVALID", "ONEAPP_FLOWER_JOIN_TOKEN"),
        ("", "", "hunter2" * 20, "", "CONTEXT_INVALID", "ONEAPP_FLOWER_JOIN_TOKEN"),
    ],
)
def test_what_the_context_lacks_is_named(
    choice: str, given: str, token: str, address: str, state: str, variable: str
) -> None:
    with pytest.raises(Trouble, match=variable) as caught:
        mode(choice, given, token, address)
    assert (caught.value.state, caught.value.variable, caught.value.again) == (state, variable, False)
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).isascii()


def test_a_fingerprint_is_that_of_openssl_with_colons_or_without(link: joining.SuperLink) -> None:
    digits = link.authority.fingerprint
    assert fingerprint_of(shown(digits)) == fingerprint_of(f" {digits.upper()}\n") == digits
    assert len(shown(digits)) == 95
    assert fingerprint(link.authority.ca) == digits


def test_a_fingerprint_settles_who_is_dialled_and_by_it_alone(
    link: joining.SuperLink, other: joining.Authority
) -> None:
    judged = judge(link.found, Mode.FINGERPRINT, shown(link.authority.fingerprint), None)
    assert (judged.ca, judged.settled, judged.news, judged.how) == (link.authority.ca, True, True, Mode.FINGERPRINT)
    for found in (link.found, Found("127.0.0.1", link.port, link.offered())):
        with pytest.raises(Trouble, match="somebody is in between") as caught:
            judge(found, Mode.FINGERPRINT, other.fingerprint, None)
        assert caught.value.state == "TRUST_REFUSED"
        assert shown(other.fingerprint) in str(caught.value)
        assert shown(link.authority.fingerprint) in str(caught.value)


def test_a_fingerprint_counts_whatever_was_chosen_beside_it(link: joining.SuperLink, other: joining.Authority) -> None:
    for how in Mode:
        with pytest.raises(Trouble, match="somebody is in between"):
            judge(link.found, how, other.fingerprint, None)


def test_with_a_token_nobody_is_believed_before_he_proves_it(link: joining.SuperLink) -> None:
    for found in (link.found, Found("127.0.0.1", link.port, link.offered())):
        judged = judge(found, Mode.TOKEN, "", None)
        assert (judged.settled, judged.news) == (False, True)


def test_the_first_is_believed_where_that_was_chosen(link: joining.SuperLink) -> None:
    judged = judge(Found("127.0.0.1", link.port, link.offered()), Mode.FIRST, "", None)
    assert (judged.settled, judged.news, judged.how) == (True, True, Mode.FIRST)


def test_a_pin_is_never_replaced_by_what_onegate_says(link: joining.SuperLink, other: joining.Authority) -> None:
    found = Found("127.0.0.1", link.port, link.offered())
    for how in (Mode.FIRST, Mode.TOKEN):
        with pytest.raises(Trouble, match="pinned") as caught:
            judge(found, how, "", _pin(other))
        assert (caught.value.state, caught.value.again) == ("SUPERLINK_REPLACED", False)
        assert shown(link.authority.fingerprint) in str(caught.value)
    kept = judge(found, Mode.FIRST, "", _pin(link.authority))
    assert (kept.settled, kept.news) == (True, False)


def test_a_pin_is_replaced_by_a_fingerprint_that_somebody_writes_into_the_context(
    link: joining.SuperLink, other: joining.Authority
) -> None:
    judged = judge(link.found, Mode.FINGERPRINT, link.authority.fingerprint, _pin(other))
    assert (judged.ca, judged.settled, judged.news) == (link.authority.ca, True, True)


def test_a_pin_is_kept_for_root_alone_and_damage_is_not_taken_for_none(
    tmp_path: Path, link: joining.SuperLink, other: joining.Authority
) -> None:
    pins = Pins(tmp_path / "deep" / "pin.json")
    assert pins.read() is None
    pin = _pin(link.authority)
    pins.write(pin)
    assert pins.read() == pin
    assert stat.S_IMODE(pins.path.stat().st_mode) == 0o600
    assert os.listdir(pins.path.parent) == ["pin.json"]
    good = json.loads(pins.path.read_text())
    for damage in (
        "",
        "{",
        "[]",
        json.dumps({**good, "ca": other.ca}),
        json.dumps({**good, "ca": good["ca"] + other.ca}),
        json.dumps({**good, "how": "whim"}),
        json.dumps({**good, "more": 1}),
    ):
        pins.path.write_text(damage)
        with pytest.raises(Trouble, match=r"pin\.json") as caught:
            pins.read()
        assert caught.value.state == "TRUST_REFUSED"


@pytest.mark.parametrize(("number", "state"), [(28, "DISK_FULL"), (30, "DISK_READ_ONLY"), (5, "CONFIGURE_FAILED")])
def test_a_disk_that_cannot_be_written_is_told(
    tmp_path: Path, link: joining.SuperLink, monkeypatch: pytest.MonkeyPatch, number: int, state: str
) -> None:
    pins = Pins(tmp_path / "pin.json")
    pins.write(_pin(link.authority))
    before = pins.path.read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Trouble, match=r"pin\.json cannot be written") as caught:
        pins.write(dataclasses.replace(_pin(link.authority), accepted_at=2))
    assert caught.value.state == state
    assert pins.path.read_bytes() == before


def test_a_superlink_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(Trouble, match="does not answer") as caught:
            trust.offered(Found("127.0.0.1", closed.getsockname()[1]), 2)
    assert (caught.value.state, caught.value.again) == ("WAITING_FOR_SUPERLINK", True)


@pytest.mark.parametrize(
    ("status", "answer", "state"),
    [
        (502, {}, "WAITING_FOR_SUPERLINK"),
        (429, {}, "WAITING_FOR_SUPERLINK"),
        (404, {}, "TRUST_REFUSED"),
        (200, {}, "TRUST_REFUSED"),
        (200, {"ca": 1}, "TRUST_REFUSED"),
        (200, {"ca": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}, "TRUST_REFUSED"),
    ],
)
def test_what_answers_and_is_no_superlink_appliance(
    tmp_path: Path, status: int, answer: dict[str, object], state: str
) -> None:
    with joining.superlink(tmp_path, joining.TOKEN) as link:
        link.says = lambda _path, _body: (status, answer)
        with pytest.raises(Trouble) as caught:
            trust.offered(link.found)
    assert caught.value.state == state


@pytest.mark.parametrize(
    ("begin", "sans", "reason"),
    [
        (timedelta(hours=2), joining.SANS, "early"),
        (timedelta(days=-2), joining.SANS, "late"),
        (timedelta(hours=-1), ("DNS:link.example.eu",), "name"),
        (timedelta(hours=-1), ("IP:192.0.2.1",), "name"),
    ],
)
def test_why_a_certificate_is_refused(tmp_path: Path, begin: timedelta, sans: tuple[str, ...], reason: str) -> None:
    made = joining.authority(tmp_path, begin=begin, sans=sans)
    with joining.superlink(tmp_path, joining.TOKEN, made=made) as link, pytest.raises(dial.Unverified) as caught:
        dial.ask("127.0.0.1", link.port, made.ca, "GET", "/join")
    assert caught.value.reason == reason


def test_nothing_is_said_to_a_server_of_another_authority(link: joining.SuperLink, other: joining.Authority) -> None:
    before = len(link.heard)
    with pytest.raises(dial.Unverified) as caught:
        dial.ask("127.0.0.1", link.port, other.ca, "POST", "/join", b"{}")
    assert caught.value.reason == "authority"
    assert len(link.heard) == before


@pytest.mark.parametrize("drip", [b"", b"H", b"HTTP/1.0 200 OK\r\nX: "])
def test_a_server_that_drips_is_hung_up_on_in_time(drip: bytes) -> None:
    ended = threading.Event()

    def serve(listener: socket.socket) -> None:
        peer, _address = listener.accept()
        with peer:
            while not ended.is_set():
                try:
                    peer.sendall(drip or b"\x16")
                except OSError:
                    return
                ended.wait(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            with pytest.raises(dial.Unanswered):
                dial.ask("127.0.0.1", listener.getsockname()[1], None, "GET", "/join", seconds=0.4)
        finally:
            ended.set()
            thread.join()


def test_an_answer_that_drips_or_swells_within_tls_is_hung_up_on(tmp_path: Path) -> None:
    with joining.superlink(tmp_path, joining.TOKEN) as link:
        link.says = lambda _path, _body: (200, {"ca": "A" * 40000})
        with pytest.raises(dial.Unanswered, match="more than 32768 bytes"):
            dial.ask("127.0.0.1", link.port, None, "GET", "/join")
        ended = threading.Event()

        def late(_path: str, _body: object) -> None:
            ended.wait(5)

        link.says = late
        with pytest.raises(dial.Unanswered, match=r"within 0\.3 s"):
            dial.ask("127.0.0.1", link.port, None, "GET", "/join", seconds=0.3)
        ended.set()
