# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""HTTP against servers on loopback: answers, retries, timeouts, TLS."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from servers import Reply, Request, closed_port, http_server, self_signed, silent_socket

from ansible_collections.fact8ra.flower.plugins.module_utils import _http
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import ConnectionFailed, InvalidInput
from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target, fetch

PATIENCE = 10.0
"""Seconds after which a timeout of less than half a second has failed, however busy the machine is."""


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "RETRY_DELAY", 0.0)


def _target(url: str, **more: Any) -> Target:
    return Target(**{"url": url, "username": "flower", "password": "secret:word", "read_timeout": 5.0, **more})


def _json(value: Any, status: int = 200) -> Reply:
    return status, json.dumps(value).encode()


def test_request_has_credentials_and_body_below_the_base_path() -> None:
    with http_server(lambda _: _json({"DOCUMENT": {"ID": "0"}}, 201)) as server:
        status, answer = fetch(_target(server.url + "/flow"), "POST", "/service/0/scale", {"force": False})
    assert (status, answer) == (201, {"DOCUMENT": {"ID": "0"}})
    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/flow/service/0/scale")
    assert json.loads(request.body) == {"force": False}
    assert base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")) == b"flower:secret:word"


@pytest.mark.parametrize(
    ("body", "parsed"),
    [
        (b"", None),
        (b'{"a": [0]}', {"a": [0]}),
        (b"[1]", [1]),
        (b"[one.document.info] User [2] : Not authorized", "[one.document.info] User [2] : Not authorized"),
        (b"Cardinality of web is already at 2\n", "Cardinality of web is already at 2"),
        (b"<h1>Not Found</h1>", "<h1>Not Found</h1>"),
        (b"{broken", "{broken"),
        (b"\xff text", "\ufffd text"),
    ],
)
@pytest.mark.parametrize("status", [200, 401, 404, 500])
def test_bodies_are_kept_whatever_the_status(body: bytes, parsed: Any, status: int) -> None:
    with http_server(lambda _: (status, body)) as server:
        assert fetch(_target(server.url), "GET", "/service/1") == (status, parsed)


def _failing(replies: list[Reply | None]) -> Any:
    return lambda _request: replies.pop(0)


def test_get_is_repeated_after_a_broken_connection_and_a_gateway_error() -> None:
    with http_server(_failing([None, (502, b"bad"), _json([1])])) as server:
        assert fetch(_target(server.url), "GET", "/service") == (200, [1])
    assert len(server.requests) == 3


def test_a_gateway_error_that_stays_is_the_answer() -> None:
    with http_server(lambda _: (503, b"down")) as server:
        assert fetch(_target(server.url), "GET", "/service") == (503, "down")
    assert len(server.requests) == 1 + _http.RETRIES


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("reply", [None, (502, b"bad")])
def test_writes_are_never_repeated(method: str, reply: Reply | None) -> None:
    with http_server(lambda _: reply) as server:
        if reply is None:
            with pytest.raises(ConnectionFailed, match="Cannot reach"):
                fetch(_target(server.url), method, "/service/1")
        else:
            assert fetch(_target(server.url), method, "/service/1") == (502, "bad")
    assert len(server.requests) == 1


def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(ConnectionFailed, match=rf"^Cannot reach {url}: Connection refused\.$") as caught:
        fetch(_target(url), "GET", "/service")
    assert caught.value.details == {"endpoint": url, "reason": "unreachable"}


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(ConnectionFailed, match="its name cannot be resolved"):
        fetch(_target("http://one.invalid:2474"), "GET", "/service")


@pytest.mark.parametrize(("scheme", "limit"), [("http", "read_timeout=0.4 s"), ("https", "connect_timeout=0.4 s")])
def test_a_silent_server_costs_no_more_than_the_timeout(scheme: str, limit: str) -> None:
    with silent_socket() as address:
        target = _target(f"{scheme}://{address}", connect_timeout=0.4, read_timeout=0.4)
        began = time.monotonic()
        with pytest.raises(ConnectionFailed, match=limit) as caught:
            fetch(target, "GET", "/service")
        assert time.monotonic() - began < PATIENCE
    assert caught.value.details["reason"] == "timeout"


def test_a_server_that_stops_in_the_middle_costs_no_more_than_the_timeout() -> None:
    released = threading.Event()

    def stall(_request: Request) -> Reply:
        released.wait(60)
        return 200, b"late"

    with http_server(stall) as server:
        began = time.monotonic()
        with pytest.raises(ConnectionFailed, match=r"no answer within read_timeout=0\.2 s"):
            fetch(_target(server.url, read_timeout=0.2), "POST", "/service")
        assert time.monotonic() - began < PATIENCE
        released.set()


def test_something_that_is_not_http() -> None:
    with silent_socket() as address, pytest.raises(ConnectionFailed, match=r"TLS handshake|timeout"):
        fetch(_target(f"https://{address}", connect_timeout=0.2), "GET", "/")
    with http_server(lambda _: (200, b"")) as server:
        url = server.url.replace("http://", "https://")
        with pytest.raises(ConnectionFailed, match=r"the TLS handshake failed .*does it speak https"):
            fetch(_target(url), "GET", "/")


def test_an_untrusted_certificate_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    with http_server(lambda _: _json({}), certificate) as server:
        with pytest.raises(
            ConnectionFailed, match=r"certificate is not trusted .*ca_path, or set validate_certs"
        ) as caught:
            fetch(_target(server.url), "GET", "/")
        assert caught.value.details["reason"] == "tls"
        assert server.requests == []


def test_ca_path_makes_it_trusted_as_file_and_directory(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    hashed = tmp_path / "hashed"
    hashed.mkdir()
    with http_server(lambda _: _json({"a": 1}), certificate) as server:
        assert fetch(_target(server.url, ca_path=str(certificate.cert)), "GET", "/") == (200, {"a": 1})
        with pytest.raises(ConnectionFailed, match="not trusted"):
            fetch(_target(server.url, ca_path=str(hashed)), "GET", "/")
        command = ["openssl", "x509", "-noout", "-hash", "-in", str(certificate.cert)]
        name = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        (hashed / f"{name}.0").write_bytes(certificate.cert.read_bytes())
        assert fetch(_target(server.url, ca_path=str(hashed)), "GET", "/") == (200, {"a": 1})


def test_the_name_in_the_certificate_is_verified(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path, "127.0.0.2")
    text = r"not trusted .*127\.0\.0\.1"
    with http_server(lambda _: _json({}), certificate) as server, pytest.raises(ConnectionFailed, match=text):
        fetch(_target(server.url, ca_path=str(certificate.cert)), "GET", "/")


def test_verification_can_be_switched_off(tmp_path: Path) -> None:
    with http_server(lambda _: _json({"a": 1}), self_signed(tmp_path)) as server:
        assert fetch(_target(server.url, validate_certs=False), "GET", "/") == (200, {"a": 1})


def test_a_ca_path_without_certificates_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "ca.pem"
    wrong.write_text("nothing\n")
    with pytest.raises(InvalidInput, match=r"ca_path '.*ca\.pem' cannot be used"):
        fetch(_target("https://127.0.0.1:1", ca_path=str(wrong)), "GET", "/")


PARAMS = {
    "endpoint": "http://one:2633/RPC2/",
    "flow_endpoint": None,
    "username": "flower",
    "password": "secret",
    "validate_certs": True,
    "ca_path": None,
    "connect_timeout": 10.0,
    "read_timeout": 60.0,
}


def test_target_of_module_parameters() -> None:
    target = Target.from_params(PARAMS)
    assert target.url == "http://one:2633/RPC2"
    assert "secret" not in repr(target)


@pytest.mark.parametrize(
    ("option", "changes", "text"),
    [
        ("endpoint", {"endpoint": "one:2633"}, r"endpoint is 'one:2633'; it has to be an http:// or https:// URL"),
        ("endpoint", {"endpoint": "ftp://one"}, "endpoint is 'ftp://one'"),
        ("endpoint", {"endpoint": "http://"}, "endpoint is 'http://'"),
        ("endpoint", {"endpoint": "http://one:port"}, "endpoint is"),
        ("flow_endpoint", {}, r"flow_endpoint is missing; .*:2474.*set ONEFLOW_URL"),
        ("endpoint", {"endpoint": "http://u:p@one"}, "must not contain credentials"),
        ("endpoint", {"read_timeout": 0.0}, "read_timeout is 0.0; it has to be more than 0"),
        ("endpoint", {"ca_path": "/does/not/exist"}, "ca_path is '/does/not/exist', which does not exist"),
    ],
)
def test_unusable_parameters_are_named(option: str, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        Target.from_params({**PARAMS, **changes}, option)
