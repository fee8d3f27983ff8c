# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Who is let in, under which name, and everything that is refused; and the service on its socket.

Flower is a stand-in in memory, as is OneGate; tests/integration/flower/test_join.py has the real ones.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import joining
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from flower_fakes import FakeControl

from fact8ra_appliance import admission, joiner, wire
from fact8ra_appliance.identity import Identity
from fact8ra_appliance.onegate import Node, OneGateUnreachable

NOW = 1_800_000_000
VM = 11


@pytest.fixture(name="made", scope="module")
def _made(tmp_path_factory: pytest.TempPathFactory) -> joining.Authority:
    return joining.authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(name="flower")
def _flower() -> FakeControl:
    return FakeControl()


class World:
    """A judge, its clock, and SuperNodes that ask it."""

    def __init__(self, directory: Path, made: joining.Authority, flower: FakeControl, token: str) -> None:
        self.now = float(NOW)
        self.directory = directory
        self.made = made
        self.flower = flower
        self.token = token
        self.gate = None if token else joining.service(VM, VM + 1)
        self.judge = joining.admission(directory, made, flower, token, self.gate, clock=lambda: self.now)

    def identity(self, name: str) -> Identity:
        """A new SuperNode."""
        return joining.identity(self.directory, name)

    def body(
        self, who: Identity, vm_id: int = VM, time: int | None = None, nonce: str = "", **more: Any
    ) -> dict[str, Any]:
        """A request that is right; C(more) replaces parts before it is signed."""
        public = more.get("public_key", who.public_key)
        kind = more.get("kind", "token" if self.token else "onegate")
        digest = more.get("fingerprint", self.made.fingerprint)
        said = wire.Statement(
            kind, who.name, public, vm_id, int(self.now) if time is None else time, nonce or os.urandom(16).hex()
        )
        proof = {"kind": kind}
        if kind == "token":
            proof["mac"] = wire.request_mac(more.get("token", self.token or joining.TOKEN), digest, said)
        return {
            "version": 1,
            "name": said.name,
            "public_key": said.public_key,
            "vm_id": said.vm_id,
            "time": said.time,
            "nonce": said.nonce,
            "signature": who.sign(said.content(digest)),
            "proof": proof,
        }

    def show(self, who: Identity, vm_id: int = VM) -> None:
        """Show a key in OneGate, as the node does."""
        assert self.gate
        self.gate.of(vm_id).publish({wire.PUBLIC_KEY: who.public_key})
        self.now += 10

    def join(self, who: Identity, **more: Any) -> dict[str, Any]:
        """Ask, and be let in."""
        return self.judge.join(json.dumps(self.body(who, **more)).encode())

    def refused(self, body: object, word: str, status: int) -> str:
        """Ask, and be refused; returns what the journal has."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        calls = list(self.flower.calls)
        with pytest.raises(admission.Refusal) as caught:
            self.judge.join(content)
        assert (caught.value.word, caught.value.status) == (word, status), caught.value.why
        assert self.flower.calls == calls
        assert joining.TOKEN not in caught.value.why
        return caught.value.why


@pytest.fixture(name="world")
def _world(tmp_path: Path, made: joining.Authority, flower: FakeControl) -> World:
    """A SuperLink with a join token."""
    return World(tmp_path, made, flower, joining.TOKEN)


@pytest.fixture(name="village")
def _village(tmp_path: Path, made: joining.Authority, flower: FakeControl) -> World:
    """A SuperLink without one, whose SuperNodes prove themselves by OneGate."""
    return World(tmp_path, made, flower, "")


def test_a_token_lets_in_once_and_again(world: World) -> None:
    who = world.identity("node-a")
    first = world.join(who)
    assert (first["registered"], first["node_id"]) == (True, "100")
    assert world.join(who)["node_id"] == "100"
    assert world.flower.calls == [("register", "node-a")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"[" * 4000,
        b'{"a":' * 800,
        b'{"version": 1, "version": 1}',
        b'{"version": 1, "time": NaN}',
        b'{"version": 1, "name": "\xc3\xa9"}',
        b"\xff\xfe\x00",
    ],
)
def test_a_body_that_is_none(world: World, body: bytes) -> None:
    world.refused(body, "body", 400)


@pytest.mark.parametrize("version", [0, 2, "1", True, None])
def test_another_version(world: World, version: object) -> None:
    world.refused({**world.body(world.identity("node-a")), "version": version}, "version", 400)


_UNICODE = [
    "n\u00f6de",
    "node\u202e",
    "\uff4eode",
    "node\x00",
    "node\n",
    "no de",
    "../node",
    "-node",
    ".node",
    "",
    "a" * 64,
]


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("name", [*_UNICODE, 1, None, ["node-a"], {"a": 1}]),
        ("public_key", ["ssh-ed25519 AAAA", "", None, 7, "ecdsa-sha2-nistp384 " + "A" * 300]),
        ("nonce", ["", "0" * 31, "0" * 33, "G" * 32, "A" * 32, 0, None]),
        ("time", ["1", 1.5, True, -1, None, 1 << 60]),
        ("vm_id", ["7", 7.0, False, -1, None, 1 << 60]),
        ("proof", [None, [], "token", {}, {"kind": "none"}, {"kind": ["token"]}, {"kind": True}]),
    ],
)
def test_a_part_that_is_none(world: World, part: str, values: list[object]) -> None:
    body = world.body(world.identity("node-a"))
    for value in values:
        why = world.refused({**body, part: value}, "body", 400)
        assert why.isascii()
        assert "node" not in why
    left = dict(body)
    del left[part]
    world.refused(left, "body", 400)


def test_keys_that_flower_does_not_take_or_that_are_written_in_two_ways(world: World) -> None:
    who = world.identity("node-a")
    body = world.body(who)
    kind, text = who.public_key.split()
    blob = base64.b64decode(text)
    for other in (
        f"ecdsa-sha2-nistp256 {text}",
        f"{kind} {base64.b64encode(blob + b'more').decode()}",
        f"{kind} {base64.b64encode(blob[:-1] + bytes([blob[-1] ^ 1])).decode()}",
        f"{kind} {base64.b64encode(blob[:60]).decode().ljust(120, 'A')}",
    ):
        world.refused({**body, "public_key": other}, "key", 400)
    ed = ed25519.Ed25519PrivateKey.generate().public_key()
    line = ed.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    world.refused({**body, "public_key": line}, "body", 400)


@pytest.mark.parametrize("differs", [wire.WINDOW + 1, -wire.WINDOW - 1, 365 * 86400, -365 * 86400])
def test_a_clock_that_is_wrong(world: World, differs: int) -> None:
    who = world.identity("node-a")
    why = world.refused(world.body(who, time=NOW + differs), "clock", 403)
    assert str(differs) in why


@pytest.mark.parametrize("differs", [wire.WINDOW, -wire.WINDOW, 0])
def test_a_clock_that_is_right_enough(world: World, differs: int) -> None:
    assert world.join(world.identity("node-a"), time=NOW + differs)["registered"]


def test_the_key_of_another_is_registered_by_nobody_else(world: World) -> None:
    victim, thief = world.identity("victim"), world.identity("thief")
    world.refused(world.body(thief, public_key=victim.public_key), "proof", 403)
    body = world.body(victim)
    for signature in (None, "", "!", base64.b64encode(b"x" * 100).decode(), body["signature"][:-4], "\u00e9"):
        if isinstance(signature, str) and not signature.isascii():
            world.refused(json.dumps({**body, "signature": signature}).encode(), "proof", 403)
            continue
        world.refused({**body, "signature": signature}, "proof", 403)
    # Nor under another name, in another VM, at another time.
    for changes in ({"name": "thief"}, {"vm_id": 12}, {"time": NOW + 1}, {"nonce": "0" * 32}):
        world.refused({**body, **changes}, "proof", 403)
    assert world.flower.known == []


def test_who_has_no_token_or_another_or_saw_another_authority(world: World) -> None:
    who = world.identity("node-a")
    body = world.body(who)
    world.refused(world.body(who, token="x" * 24), "proof", 403)
    world.refused(world.body(who, fingerprint="0" * 64), "proof", 403)
    world.refused(world.body(who, kind="onegate"), "proof", 403)
    for mac in (
        None,
        "",
        0,
        "0" * 64,
        body["proof"]["mac"][:-1],
        body["proof"]["mac"].upper(),
        "\u00e9" * 64,
        "\ud800",
    ):
        world.refused({**body, "proof": {"kind": "token", "mac": mac}}, "proof", 403)
    assert world.join(who)["registered"]


def test_what_was_heard_once_is_not_heard_again(world: World) -> None:
    body = world.body(world.identity("node-a"))
    assert world.judge.join(json.dumps(body).encode())["registered"]
    world.refused(body, "replay", 403)
    world.now += 2 * wire.WINDOW + 1
    world.refused(body, "clock", 403)


def test_nonces_are_bounded_and_none_is_forgotten_while_it_counts() -> None:
    nonces = admission.Nonces(most=3)
    for number in range(3):
        nonces.use(str(number), until=10 + number, now=0)
    with pytest.raises(admission.Refusal, match="busy"):
        nonces.use("3", until=13, now=10)
    for number in range(3):
        with pytest.raises(admission.Refusal, match="replay"):
            nonces.use(str(number), until=20, now=10)
    nonces.use("3", until=13, now=10.5)
    with pytest.raises(admission.Refusal, match="replay"):
        nonces.use("1", until=20, now=10.5)


def test_who_proves_nothing_fills_no_memory(world: World) -> None:
    who = world.identity("node-a")
    for _unused in range(5):
        world.refused(world.body(who, token="x" * 24), "proof", 403)
    assert world.judge.nonces._until == {}


def test_a_name_is_taken_by_the_first_key(world: World) -> None:
    first = joining.identity(world.directory, "node-a")
    world.join(first)
    rival = joining.identity(world.directory, "node-a")
    why = world.refused(world.body(rival), "name_taken", 409)
    assert "node-a" in why


def test_a_name_of_a_key_that_was_unregistered_is_free_and_the_key_is_not(world: World) -> None:
    first = world.identity("node-a")
    world.join(first)
    world.flower.unregister(world.flower.known[0])
    world.refused(world.body(first), "key_burned", 409)
    assert world.join(joining.identity(world.directory, "node-a"))["node_id"] == "101"


def test_a_key_keeps_its_name(world: World) -> None:
    first = world.identity("node-a")
    world.join(first)
    world.refused(world.body(replace(first, name="node-b")), "key_named", 409)


def test_a_token_that_became_known_does_not_fill_the_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MOST", 1)
    world.join(world.identity("node-a"))
    world.refused(world.body(world.identity("node-b")), "full", 409)


def test_a_supernode_that_makes_itself_anew_does_not_fill_the_disk(
    village: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "MOST", 3)
    disks = [village.directory / str(number) for number in range(4)]
    for each in disks:
        each.mkdir()
    first, second, third, fourth = (joining.identity(each, "node-a") for each in disks)
    for who in (first, second):
        village.show(who)
        assert village.join(who)["registered"]
    village.show(third)
    assert "VM 11 replaced a key" in village.refused(village.body(third), "busy", 503)
    # Whoever is registered is let in all the same.
    village.show(second)
    assert village.join(second)["registered"]
    village.now += admission.REPLACEMENT_PAUSE
    village.show(third)
    assert village.join(third)["registered"]
    # Two of the three that Flower lists are unregistered, and count.
    assert [one.status for one in village.flower.known] == ["unregistered", "unregistered", "registered"]
    village.now += admission.REPLACEMENT_PAUSE
    village.show(fourth)
    village.refused(village.body(fourth), "full", 409)
    village.show(third)
    assert village.join(third)["registered"]


def test_the_record_of_owners_has_no_key_that_is_gone(village: World) -> None:
    for _unused in range(4):
        who = joining.identity(village.directory, "node-a")
        village.show(who)
        village.join(who)
        village.now += admission.REPLACEMENT_PAUSE
    # The last two: one was alive when the other was noted.
    assert list(village.judge.owners.read()) == [one.fingerprint for one in village.flower.known[-2:]]


def test_flower_that_registers_and_does_not_list_is_not_believed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.flower, "nodes", list)
    with pytest.raises(admission.Refusal, match="does not list it"):
        world.join(world.identity("node-a"))


def test_onegate_shows_a_key_of_the_service(village: World) -> None:
    who = village.identity("node-a")
    village.show(who)
    answer = village.join(who)
    assert (answer["registered"], "proof" in answer) == (True, False)


def test_a_key_that_onegate_does_not_show_there(village: World) -> None:
    who, other = village.identity("node-a"), village.identity("node-b")
    assert village.gate
    village.refused(village.body(who), "proof", 403)
    # Shown by another VM than the one that it says it is.
    village.show(who, VM + 1)
    village.refused(village.body(who), "proof", 403)
    # A VM of no service, and one of another.
    village.now += 10
    village.refused(village.body(who, vm_id=99), "proof", 403)
    # Another key.
    village.show(other, VM)
    village.refused(village.body(who), "proof", 403)
    # A token, which this SuperLink has not.
    village.refused(village.body(who, kind="token"), "proof", 403)
    # The SuperLink's own role.
    village.gate.roles["superlink"].append(Node(21, "vm-21", {wire.PUBLIC_KEY: who.public_key}, 1))
    village.now += 10
    village.refused(village.body(who, vm_id=21), "proof", 403)
    # What is no text.
    village.gate.roles["supernode"][0].attributes[wire.PUBLIC_KEY] = [who.public_key, who.public_key]  # type: ignore
    village.now += 10
    village.refused(village.body(who), "proof", 403)
    # What has not the form of a key.
    village.gate.roles["supernode"][0].attributes[wire.PUBLIC_KEY] = "\ud800"
    village.now += 10
    village.refused(village.body(who), "proof", 403)
    assert village.flower.known == []


def test_strangers_do_not_have_onegate_asked_again_and_again(village: World) -> None:
    assert village.gate
    who = village.identity("stranger")
    for _unused in range(20):
        with pytest.raises(admission.Refusal) as caught:
            village.join(who, vm_id=99)
        assert caught.value.word in ("proof", "onegate")
    assert village.gate.asked == 1
    # A key that was published a moment after the last question is not taken for none.
    mine = village.identity("node-a")
    village.gate.of(VM).publish({wire.PUBLIC_KEY: mine.public_key})
    village.now += 1.5
    assert village.join(mine)["registered"]
    assert village.gate.asked <= 2


def test_onegate_that_is_away_is_waited_for(village: World) -> None:
    assert village.gate
    village.gate.fails = OneGateUnreachable("silent")
    who = village.identity("node-a")
    for _unused in range(20):
        village.refused(village.body(who), "onegate", 503)
    assert village.gate.asked == 1
    village.gate.fails = None
    village.show(who)
    assert village.join(who)["registered"]


def test_while_onegate_or_flower_takes_its_time_others_are_answered(village: World) -> None:
    """A question that hangs holds no lock that an answer of what Flower says needs; nor does one that joins."""
    assert village.gate
    who = village.identity("node-a")
    state = json.dumps({"version": 1, "public_key": who.public_key}).encode()
    asking, go_on = threading.Event(), threading.Event()
    service = village.gate.service

    def hangs() -> Any:
        asking.set()
        assert go_on.wait(10)
        return service()

    village.gate.service = hangs  # type: ignore[method-assign]
    village.show(who)
    body = json.dumps(village.body(who)).encode()
    thread = threading.Thread(target=lambda: village.judge.join(body))
    thread.start()
    try:
        assert asking.wait(10)
        assert village.judge._lock.acquire(blocking=False)
        # Somebody joins.
        said: list[dict[str, Any]] = []
        other = threading.Thread(target=lambda: said.append(village.judge.status(state)), daemon=True)
        other.start()
        other.join(5)
        village.judge._lock.release()
        assert said == [{"state": "unknown"}]
    finally:
        go_on.set()
        thread.join()
    assert village.judge.status(state) == {"state": "offline"}


def test_the_name_of_a_vm_that_left_the_service_is_free(village: World) -> None:
    assert village.gate
    first = village.identity("node-a")
    village.show(first)
    village.join(first)
    second = joining.identity(village.directory, "node-a")
    village.show(second, VM + 1)
    village.refused(village.body(second, vm_id=VM + 1), "name_taken", 409)
    village.gate.roles["supernode"].pop(0)
    village.now += 10
    assert village.join(second, vm_id=VM + 1)["registered"]
    assert [(one.name, one.status) for one in village.flower.known] == [
        ("node-a", "unregistered"),
        ("node-a", "registered"),
    ]


def test_a_sibling_that_rewrites_the_key_of_a_vm_does_not_get_its_name_while_it_is_online(village: World) -> None:
    first = village.identity("node-a")
    village.show(first)
    village.join(first)
    village.flower.known[0] = replace(village.flower.known[0], status="online")
    thief = joining.identity(village.directory, "node-a")
    village.show(thief, VM)
    village.refused(village.body(thief), "name_taken", 409)
    # A VM that was made anew, whose old key is gone, has its name again.
    village.flower.known[0] = replace(village.flower.known[0], status="offline")
    assert village.join(thief)["registered"]


def test_a_name_that_somebody_else_registered_is_never_free(village: World) -> None:
    """A key of the operator's, or of a time with a token: nothing in this service tells whether its VM is gone."""
    operators = joining.identity(village.directory, "node-a")
    village.flower.register("node-a", admission._pem(operators.public_key), None)
    village.flower.known[0] = replace(village.flower.known[0], status="offline")
    who = joining.identity(village.directory, "node-a")
    village.show(who)
    village.refused(village.body(who), "name_taken", 409)
    # Nor when the record is damaged.
    (village.directory / "owners.json").write_text('{"SHA256:x": "7"')
    village.refused(village.body(who), "name_taken", 409)


class Service:
    """The service on its socket."""

    def __init__(self, path: Path, judge: admission.Admission) -> None:
        self.path = path
        self.server = joiner.Server(str(path), judge)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def say(self, text: bytes) -> tuple[int, dict[str, Any]]:
        """Send what nginx would, and read the answer."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self.path))
            client.sendall(text)
            client.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        head, _blank, body = answer.partition(b"\r\n\r\n")
        return (int(head.split()[1]), json.loads(body)) if head else (0, {})

    def post(self, path: str, body: bytes, *more: str) -> tuple[int, dict[str, Any]]:
        """POST a body."""
        head = "\r\n".join([f"POST {path} HTTP/1.0", f"Content-Length: {len(body)}", "X-Real-IP: 192.0.2.9", *more])
        return self.say(f"{head}\r\n\r\n".encode() + body)


@pytest.fixture(name="service")
def _service(world: World) -> Iterator[Service]:
    service = Service(world.directory / "join.sock", world.judge)
    service.thread.start()
    try:
        yield service
    finally:
        service.server.shutdown()
        service.thread.join()
        service.server.server_close()


def test_the_socket_is_for_user_and_group_alone(service: Service) -> None:
    assert stat.S_IMODE(service.path.stat().st_mode) == 0o660


def test_the_service_answers_and_says_in_the_journal_what_it_did(
    service: Service, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    who = world.identity("node-a")
    assert service.say(b"GET /join HTTP/1.0\r\n\r\n") == (200, {"version": 1, "ca": world.made.ca})
    code, answer = service.post("/join", json.dumps(world.body(who)).encode())
    assert (code, answer["registered"]) == (200, True)
    state = json.dumps({"version": 1, "public_key": who.public_key}).encode()
    assert service.post("/join/status", state) == (200, {"state": "offline"})
    code, answer = service.post("/join", json.dumps(world.body(who, token="x" * 24)).encode())
    assert (code, answer) == (403, {"refused": "proof"})
    code, answer = service.post("/join", json.dumps(world.body(who, time=0)).encode())
    assert (code, answer) == (403, {"refused": "clock", "now": NOW})
    printed = capfd.readouterr().err
    assert "node 100 is registered (from 192.0.2.9)" in printed
    assert "refused (proof): its join token" in printed
    assert joining.TOKEN not in printed
    assert "proof" in printed
    assert "mac" not in printed


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", 404),
        (b"GET /join/status HTTP/1.0\r\n\r\n", 404),
        (b"POST /v1/control/list-nodes HTTP/1.0\r\nContent-Length: 0\r\n\r\n", 404),
        (b"POST /join HTTP/1.0\r\n\r\n", 411),
        (b"POST /join HTTP/1.0\r\nContent-Length: -1\r\n\r\n", 411),
        (b"POST /join HTTP/1.0\r\nContent-Length: 1_0\r\n\r\n", 411),
        (b"POST /join HTTP/1.0\r\nContent-Length: 999999999999\r\n\r\n", 411),
        (b"POST /join HTTP/1.0\r\nContent-Length: 4097\r\n\r\n", 413),
        (b"POST /join HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}", 411),
        (b"POST /join HTTP/1.0\r\nContent-Length: 10\r\n\r\n{}", 400),
    ],
)
def test_requests_that_are_none(service: Service, text: bytes, status: int) -> None:
    assert service.say(text)[0] == status


def test_a_stranger_writes_nothing_into_the_journal_that_acts(
    service: Service, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    body = json.dumps({**world.body(world.identity("node-a")), "name": "\x1b[31mroot\n"}).encode()
    service.post("/join", body, "X-Real-IP: \x1b]0;x")
    printed = capfd.readouterr().err
    assert printed.count("\n") == 1
    assert printed.strip().isprintable()
    assert "root" not in printed


def test_what_breaks_is_answered_with_nothing_and_told(
    service: Service, world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def breaks() -> None:
        raise RuntimeError(joining.TOKEN)

    monkeypatch.setattr(world.flower, "nodes", breaks)
    assert service.post("/join", json.dumps(world.body(world.identity("node-a"))).encode()) == (0, {})
    printed = capfd.readouterr().err
    assert printed.strip().endswith("a request broke: RuntimeError")
    assert joining.TOKEN not in printed


def test_more_than_can_be_heard_are_hung_up_on(service: Service) -> None:
    waiting = [socket.socket(socket.AF_UNIX) for _unused in range(joiner._THREADS + 1)]
    try:
        for client in waiting:
            client.settimeout(5)
            client.connect(str(service.path))
        assert waiting[-1].recv(1) == b""
    finally:
        for client in waiting:
            client.close()


def _options(world: World, *more: str) -> list[str]:
    return [
        f"--socket={world.directory / 'x.sock'}",
        f"--state={world.directory}",
        f"--trust={world.made.trust}",
        f"--certificate={world.made.certificate}",
        *more,
    ]


@pytest.mark.parametrize(
    ("name", "content", "more", "what"),
    [
        ("none", "", [], "neither a join token nor OneGate"),
        ("onegate.token", "x", [], "neither a join token nor OneGate"),
        ("none", "", ["--onegate=http://192.0.2.1:5030"], "neither a join token nor OneGate"),
        ("join.token", "short", [], "24 to 128"),
        ("join.token", joining.TOKEN, ["--certificate=/nonexistent"], "cannot be read"),
    ],
)
def test_the_service_does_not_start_without_anything_to_prove(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, content: str, more: list[str], what: str
) -> None:
    directory = world.directory / "credentials"
    directory.mkdir()
    (directory / name).write_text(content)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(directory))
    with pytest.raises(SystemExit, match=what):
        joiner.main(_options(world, *more))
