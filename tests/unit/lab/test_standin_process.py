# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The stand-in as a process, its faults on request, TLS and kept connections."""

from __future__ import annotations

import base64
import datetime
import http.client
import ipaddress
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import fact8ra_lab
from fact8ra_lab.standin.testing import StandIn

FILES = Path(fact8ra_lab.__file__).parents[1]


def config(directory: Path, **more: Any) -> Path:
    path = directory / "config.json"
    content = {
        "name": "alpha",
        "state_dir": str(directory / "state"),
        "bind": "127.0.0.1",
        "ports": {"xmlrpc": 0, "oneflow": 0, "onegate": 0},
        "driver": "none",
        "seed": {
            "oneadmin_password": "secret",
            "groups": ["g"],
            "users": [{"name": "u", "password": "p", "group": "g"}],
        },
        "timers": {"cooldown": 1, "poll": 0.01},
        "tls": None,
    }
    path.write_text(json.dumps(content | more), encoding="utf-8")
    return path


def launch(path: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(FILES)}
    command = [sys.executable, "-m", "fact8ra_lab.standin", "--config", str(path)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A running process and its addresses."""
    process = launch(config(tmp_path))
    yield process, ready(process, tmp_path)
    process.kill()
    process.communicate()


def users(endpoint: str) -> str:
    """What the administrator sees of users, groups and rules."""
    with xmlrpc.client.ServerProxy(endpoint) as server:
        methods = ("one.userpool.info", "one.grouppool.info", "one.acl.info")
        return "".join(str(getattr(server, method)("oneadmin:secret")[1]) for method in methods)


def test_a_tenant_joins_a_cloud_that_has_its_objects(tmp_path: Path) -> None:
    seed = {"oneadmin_password": "secret", "groups": ["g"], "users": [{"name": "u", "password": "p", "group": "g"}]}
    before = launch(config(tmp_path, seed=seed | {"acls": ["@g VM/* CREATE *"]}))
    known = users(ready(before, tmp_path)["endpoint"])
    before.terminate()
    before.communicate()
    (tmp_path / "state" / "standin.ready").unlink(missing_ok=True)
    seed["groups"], seed["acls"] = ["g", "h"], ["@g VM/* CREATE *", "@h VM/* CREATE *"]
    seed["users"] = [{"name": "u", "password": "p", "group": "g"}, {"name": "v", "password": "q", "group": "h"}]
    after = launch(config(tmp_path, seed=seed))
    try:
        found = users(ready(after, tmp_path)["endpoint"])
    finally:
        after.kill()
        after.communicate()
    for name in ("g", "h", "u", "v"):
        assert known.count(f"<NAME>{name}</NAME>") == (name in "gu")
        assert found.count(f"<NAME>{name}</NAME>") == 1
    assert [found.count(rule) for rule in ("@100 VM/* CREATE *", "@101 VM/* CREATE *")] == [1, 1]


def ready(process: subprocess.Popen[str], directory: Path) -> dict[str, str]:
    path = directory / "state" / "standin.ready"
    end = time.monotonic() + 10
    while not (path.exists() and path.read_text()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)
    addresses: dict[str, str] = json.loads(path.read_text())
    return addresses


def test_process_answers_and_ends_on_sigterm(
    started: tuple[subprocess.Popen[str], dict[str, str]], tmp_path: Path
) -> None:
    process, addresses = started
    with xmlrpc.client.ServerProxy(addresses["endpoint"]) as proxy:
        answer: Any = proxy.one.system.version("oneadmin:secret")
        assert answer[:2] == [True, "7.4.0"]
        assert (tmp_path / "state" / "standin.pid").read_text().strip() == str(process.pid)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)  # with the connection still open
        assert process.wait(5) == 0
        assert time.monotonic() - begin < 2
    assert not (tmp_path / "state" / "standin.pid").exists()
    assert not (tmp_path / "state" / "standin.ready").exists()
    assert (tmp_path / "state" / "standin.log").exists()


def test_killed_process_loses_nothing(started: tuple[subprocess.Popen[str], dict[str, str]], tmp_path: Path) -> None:
    process, addresses = started
    with xmlrpc.client.ServerProxy(addresses["endpoint"]) as proxy:
        made: Any = proxy.one.template.allocate("oneadmin:secret", 'NAME="kept"\nCPU="1"\nMEMORY="1"')
    process.kill()
    process.wait(5)
    (tmp_path / "state" / "standin.ready").unlink()
    again = launch(config(tmp_path))
    try:
        addresses = ready(again, tmp_path)
        with xmlrpc.client.ServerProxy(addresses["endpoint"]) as proxy:
            found: Any = proxy.one.template.info("oneadmin:secret", made[1])
        assert "<NAME>kept</NAME>" in found[1]
    finally:
        again.kill()
        again.communicate()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state_dir": ""}, "state_dir is empty"),
        ({"surprise": 1}, "unknown keys ['surprise']"),
        ({"timers": {"pol": 1}}, "timers has the unknown keys ['pol']"),
        ({"ports": {"xmlrpc": 1}}, "it must give xmlrpc, oneflow and onegate"),
        (
            {"seed": {"users": [{"name": "u", "password": "p", "group": "ghost"}]}},
            "group 'ghost' is not in seed groups",
        ),
        ({"seed": {"users": [{"name": "u"}]}}, "the key 'password' is missing"),
        ({"seed": {"acls": ["nonsense"]}}, "ACL rule 'nonsense' cannot be read"),
        ({"driver": "ghost"}, "ghost"),
        ({"tls": {"certificate": "/none", "key": "/none"}}, "tls certificate /none with key /none"),
    ],
)
def test_wrong_configurations_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    process = launch(config(tmp_path, **change))
    _unused, error = process.communicate(timeout=20)
    assert process.returncode == 2
    assert message in error
    assert "Traceback" not in error


def test_missing_configuration_is_named(tmp_path: Path) -> None:
    process = launch(tmp_path / "none.json")
    _unused, error = process.communicate(timeout=20)
    assert (process.returncode, "none.json cannot be read" in error) == (2, True)


def test_address_in_use_is_told(tmp_path: Path, standin: StandIn) -> None:
    port = urlsplit(standin.endpoint).port
    process = launch(config(tmp_path, ports={"xmlrpc": port, "oneflow": 0, "onegate": 0}))
    _unused, error = process.communicate(timeout=20)
    assert process.returncode == 2
    assert "Address already in use" in error


# Faults.


def rest(
    standin: StandIn, verb: str, path: str, body: Any = None, user: tuple[str, str] | None = None
) -> tuple[int, str]:
    address = urlsplit(standin.flow_endpoint)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=5)
    token = base64.b64encode(":".join(user or standin.admin).encode()).decode()
    try:
        text = None if body is None else json.dumps(body)
        connection.request(verb, path, text, {"Authorization": f"Basic {token}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_faults_over_http(standin: StandIn) -> None:
    fault = {"refuse": "one.vn.allocate", "times": 1, "text": "database is locked"}
    assert rest(standin, "POST", "/_standin/faults", fault) == (204, "")
    with pytest.raises(RuntimeError, match=r"\[one.vn.allocate\] database is locked"):
        standin.one("one.vn.allocate", "", -1)
    with pytest.raises(RuntimeError, match="No NAME"):
        standin.one("one.vn.allocate", "", -1)
    assert rest(standin, "POST", "/_standin/faults", {"explode": 1})[0] == 400
    assert rest(standin, "POST", "/_standin/faults", {"delay": 3})[0] == 400
    assert rest(standin, "POST", "/_standin/faults", fault, standin.tenant) == (401, "only for oneadmin")
    assert rest(standin, "DELETE", "/_standin/faults") == (204, "")


def test_calls_over_http(standin: StandIn) -> None:
    standin.one("one.system.version")
    rest(standin, "GET", "/service")
    assert json.loads(rest(standin, "GET", "/_standin/calls")[1]) == [
        ["xmlrpc", "one.system.version"],
        ["oneflow", "GET /service"],
    ]
    assert rest(standin, "DELETE", "/_standin/calls") == (204, "")
    assert standin.calls == []


def test_refused_rest_route(standin: StandIn) -> None:
    standin.faults.add({"refuse": "GET /service", "times": 1, "code": 503, "text": "busy"})
    assert rest(standin, "GET", "/service") == (503, "busy")
    assert rest(standin, "GET", "/service")[0] == 200


def test_silence_ends_when_faults_are_cleared(standin: StandIn) -> None:
    standin.faults.add({"silence": "oneflow"})
    address = urlsplit(standin.flow_endpoint)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=0.2)
    connection.request("GET", "/service")
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    standin.faults.clear()
    assert rest(standin, "GET", "/service")[0] == 200


def test_drop_garbage_and_delay(standin: StandIn) -> None:
    standin.faults.add({"drop": "oneflow", "times": 1})
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        rest(standin, "GET", "/service")
    standin.faults.add({"garbage": "oneflow", "times": 1})
    assert rest(standin, "GET", "/service") == (200, "<html><body>proxy login</body></html>")
    standin.faults.add({"delay": {"api": "oneflow", "seconds": 0.2}, "times": 1})
    begin = time.monotonic()
    assert rest(standin, "GET", "/service")[0] == 200
    assert time.monotonic() - begin >= 0.2


def test_stuck_network(standin: StandIn) -> None:
    standin.faults.add({"stuck": "n"})
    number = standin.one("one.vn.allocate", 'NAME="n"\nVN_MAD="bridge"', -1)
    time.sleep(0.1)
    assert "<STATE><![CDATA[2]]>" in standin.one("one.vn.info", number)
    standin.faults.clear()
    standin.until(lambda: "<STATE><![CDATA[1]]>" in standin.one("one.vn.info", number))


# Transport.


def test_connections_are_kept(standin: StandIn) -> None:
    address = urlsplit(standin.flow_endpoint)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=5)
    token = base64.b64encode(":".join(standin.admin).encode()).decode()
    ports = set()
    for verb, path, status in (("GET", "/service", 200), ("DELETE", "/service/1", 404), ("GET", "/none", 404)):
        connection.request(verb, path, None, {"Authorization": f"Basic {token}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
        assert isinstance(connection.sock, socket.socket)
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert len(ports) == 1


def test_what_is_no_xmlrpc(standin: StandIn) -> None:
    address = urlsplit(standin.endpoint)
    for path, body, status in (("/RPC2", "nonsense", 400), ("/other", "<a/>", 404)):
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=5)
        connection.request("POST", path, body)
        assert connection.getresponse().status == status
        connection.close()
    with xmlrpc.client.ServerProxy(standin.endpoint) as proxy, pytest.raises(xmlrpc.client.Fault, match="not defined"):
        proxy.one.nothing("oneadmin:x")
    with pytest.raises(RuntimeError, match="Wrong parameters"):
        standin.one("one.vn.info")


def test_tls(tmp_path: Path) -> None:
    files = _certificate(tmp_path)
    with StandIn(tls=files) as standin:
        assert standin.endpoint.startswith("https://127.0.0.1:")
        assert standin.one("one.system.version") == "7.4.0"
        context = ssl.create_default_context(cafile=files[0])
        request = urllib.request.Request(
            standin.flow_endpoint + "/service",
            headers={"Authorization": "Basic " + base64.b64encode(":".join(standin.admin).encode()).decode()},
        )
        with urllib.request.urlopen(request, context=context, timeout=5) as answer:
            assert json.loads(answer.read()) == {"DOCUMENT_POOL": {}}
        with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(request, timeout=5)


def _certificate(directory: Path) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    paths = directory / "cert.pem", directory / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(paths[0]), str(paths[1])
