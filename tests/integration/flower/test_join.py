# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""SuperNodes that join by themselves: nginx as the role writes it, the service behind it, and Flower, all real."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joining
import nginx_alone
import pytest
import rendering

from fact8ra_appliance import publish
from fact8ra_appliance.discovery import Found, find
from fact8ra_appliance.identity import Identity
from fact8ra_appliance.join import join, status
from fact8ra_appliance.trouble import Trouble
from fact8ra_appliance.trust import Mode, Pins

REPOSITORY = Path(__file__).parents[3]

pytestmark = [pytest.mark.flwr, pytest.mark.slow, pytest.mark.xdist_group("flower")]

# Everything that shares the SuperLink's port, the ways around a location, and what is next to the ways in.
_CLOSED = [
    ("POST", "/v1/control/list-nodes"),
    ("POST", "/v1/control/register-node"),
    ("POST", "/v1/runtime/pull-messages"),
    ("POST", "/join/../v1/control/register-node"),
    ("POST", "/join/%2e%2e/v1/control/register-node"),
    ("POST", "/join/status/../../v1/control/register-node"),
    ("POST", "/join/v1/control/register-node"),
    ("POST", "/join/"),
    ("POST", "/join%00"),
    ("POST", "/joins"),
    ("POST", "/JOIN"),
    ("POST", "/join/status/"),
    ("GET", "/join/status"),
    ("PUT", "/join"),
    ("DELETE", "/join"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/health"),
    ("GET", "/"),
]


class Way:
    """The SuperLink's one port, as the role opens it."""

    def __init__(self, federation: Any, directory: Path, port: int, joins: bool) -> None:
        self.federation = federation
        self.directory = directory
        self.port = port
        self.socket = directory / "join.sock"
        self.logs = {name: directory / f"{name}.log" for name in ("nginx", "join")}
        variables = {"superlink_join": joins, "superlink_join_token": joining.TOKEN if joins else ""}
        text = rendering.render("superlink", "flower-fleet.conf.j2", variables, {})
        ours, _rest = text.split("listen 127.0.0.2:8000")
        for fixed, here in {
            "server 127.0.0.1:8000;": f"server {federation.address};",
            "listen 0.0.0.0:8443 ssl": f"listen 127.0.0.1:{port} ssl",
            "    listen [::]:8443 ssl ipv6only=on;\n": "",
            "/etc/flower/superlink.crt": str(federation.certificate),
            "/etc/flower/superlink.key": str(federation.key),
            "/etc/flower/trust.crt": str(federation.certificate),
            "/var/log/nginx/": f"{directory}/",
            **({"/run/fact8ra-join/join.sock": str(self.socket)} if joins else {}),
        }.items():
            assert fixed in ours
            ours = ours.replace(fixed, here)
        # The server for ServerApps has its own tests.
        (directory / "flower-fleet.conf").write_text(ours.rsplit("server {", 1)[0])
        (directory / "nginx.conf").write_text(nginx_alone.around(directory, "flower-fleet.conf"))

    def nginx(self) -> list[str]:
        """The command."""
        return [
            nginx_alone.program(),
            "-p",
            str(self.directory),
            "-e",
            "stderr",
            "-c",
            str(self.directory / "nginx.conf"),
        ]

    def joiner(self) -> list[str]:
        """The command of fact8ra-join.service."""
        (self.directory / "state").mkdir()
        (self.directory / "join.token").write_text(joining.TOKEN)
        return [
            self.federation.python, "-m", "fact8ra_appliance.joiner", "--socket", str(self.socket),
            "--control", self.federation.address, "--trust", str(self.federation.certificate),
            "--certificate", str(self.federation.certificate), "--state", str(self.directory / "state"),
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        """Of fact8ra-join.service."""
        return {
            "PYTHONPATH": f"{REPOSITORY / '.collections'}:{REPOSITORY / 'roles' / 'appliance' / 'files'}",
            "CREDENTIALS_DIRECTORY": str(self.directory),
            "HOME": str(self.directory),
            "FLWR_HOME": str(self.directory / "state"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def ask(self, verb: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """One request at the port."""
        context = ssl.create_default_context(cafile=str(self.federation.certificate))
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context)
        try:
            connection.request(verb, path, body=body or None, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture(name="open_way")
def _open_way(
    federation: Any, tmp_path: Path, free_port: int, wait_for: Callable[..., None]
) -> Iterator[Callable[[bool], Way]]:
    """Opens the port with or without the way to join; all ends with the test."""
    running: list[subprocess.Popen[bytes]] = []

    def start(way: Way, name: str, command: list[str], ready: Path) -> None:
        with way.logs[name].open("wb") as log:
            environment = way.environment() if name == "join" else dict(os.environ)
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        running.append(process)
        wait_for(name, lambda: ready.exists() or process.poll() is not None)
        assert process.poll() is None, way.logs[name].read_text()

    def opened(joins: bool) -> Way:
        way = Way(federation, tmp_path, free_port, joins)
        start(way, "nginx", way.nginx(), tmp_path / "nginx.pid")
        if joins:
            start(way, "join", way.joiner(), way.socket)
        return way

    yield opened
    for process in running:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _supernode(way: Way, name: str, found: Found, token: str = joining.TOKEN) -> tuple[Identity, Callable[[], Any]]:
    who = joining.identity(way.directory, name)
    pins = Pins(way.directory / name / "pin.json")
    return who, lambda: join(found, who, Mode.TOKEN, token=token, vm_id=11, pins=pins)


def test_a_key_that_joined_is_admitted_and_a_strangers_is_not(
    federation: Any, open_way: Callable[[bool], Way], wait_for: Callable[..., None]
) -> None:
    way = open_way(True)
    ca = federation.certificate.read_text()
    gate = joining.service(11)
    publish.publish(gate, publish.offer("127.0.0.1", way.port, federation.certificate, federation.certificate, "token"))
    found = find("", gate.of(11))
    mine, joins = _supernode(way, "joined", found)
    joined = joins()
    assert joined.node_id == joins().node_id
    stranger, refused = _supernode(way, "stranger", Found("127.0.0.1", way.port), token="x" * 24)
    with pytest.raises(Trouble, match="join token is not the SuperLink's"):
        refused()
    names = {one["name"]: one for one in federation.module("flower_federation_info")["nodes"]}
    assert names["joined"]["node_id"] == joined.node_id
    assert "stranger" not in names
    assert status(found, ca, stranger.public_key) == "unknown"
    assert status(found, ca, mine.public_key) == "offline"
    federation.keys |= {"joined": (mine.key, mine.public_key), "stranger": (stranger.key, stranger.public_key)}
    try:
        federation.start_supernode("stranger")
        federation.start_supernode("joined")
        wait_for("the SuperNode that joined", lambda: status(found, ca, mine.public_key) == "online")
        wait_for("the stranger's end", lambda: federation.processes["stranger"].poll() is not None)
        assert "2004" in federation.log("stranger")
    finally:
        for name in ("stranger", "joined"):
            federation.stop(name)
            del federation.keys[name]
        federation.module("flower_supernode", supernodes=[{"name": "joined"}], state="absent")
    wait_for("its name to be gone", lambda: status(found, ca, mine.public_key) == "unregistered")
    with pytest.raises(Trouble, match="was unregistered"):
        joins()
    assert joining.TOKEN not in way.logs["join"].read_text()


def test_nothing_but_the_fleet_api_and_the_two_ways_to_join_passes(
    federation: Any, open_way: Callable[[bool], Way]
) -> None:
    way = open_way(True)
    code, body = way.ask("GET", "/join")
    assert (code, json.loads(body)["ca"]) == (200, federation.certificate.read_text())
    assert way.ask("POST", "/v1/fleet/activate-node", b"x")[0] not in (403, 404, 502)
    assert json.loads(way.ask("POST", "/join", b"{}")[1]) == {"refused": "version"}
    assert json.loads(way.ask("POST", "/join/status", b"{}")[1]) == {"refused": "version"}
    before = way.logs["join"].read_text()
    for verb, path in _CLOSED:
        code, body = way.ask(verb, path, b"{}" if verb == "POST" else b"")
        assert (code in (400, 403, 404, 405), body if code != 400 else b"") == (True, b""), (verb, path, code, body)
    assert way.ask("POST", "/join", b"A" * 4097) == (413, b"")
    # What nginx refuses the service never sees.
    assert way.logs["join"].read_text() == before
    chunked = way.ask("POST", "/join", b"2\r\n{}\r\n0\r\n\r\n", **{"Transfer-Encoding": "chunked"})
    assert json.loads(chunked[1]) == {"refused": "version"}
    codes = [way.ask("POST", "/join", b"{}")[0] for _unused in range(40)]
    assert 429 in codes
    # Who asks too often leaves the state of keys, and the Fleet API, to others.
    assert way.ask("POST", "/join/status", b"{}")[0] == 400
    assert way.ask("POST", "/v1/fleet/activate-node", b"x")[0] not in (403, 404, 429, 502)


def test_without_superlink_join_there_is_no_way_to_join(federation: Any, open_way: Callable[[bool], Way]) -> None:
    way = open_way(False)
    assert way.ask("POST", "/v1/fleet/activate-node", b"x")[0] not in (403, 404, 502)
    for verb, path in [("GET", "/join"), ("POST", "/join"), ("POST", "/join/status"), *_CLOSED]:
        code, body = way.ask(verb, path, b"{}" if verb == "POST" else b"")
        assert (code in (400, 403, 404), body if code != 400 else b"") == (True, b""), (verb, path, code, body)
    _who, joins = _supernode(way, "early", Found("127.0.0.1", way.port))
    with pytest.raises(Trouble, match="is a SuperLink appliance there"):
        joins()
