# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Module flower_endpoint_info against TLS servers that lack this or that."""

from __future__ import annotations

import datetime
import email.utils
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flower_fakes import run_main

from ansible_collections.fact8ra.flower.plugins.modules import flower_endpoint_info


class Handler(BaseHTTPRequestHandler):
    """Answers 403 with the date of a clock that is `late` seconds late."""

    late = 0.0

    def do_GET(self) -> None:
        """Answer."""
        self.send_response_only(403)
        self.send_header("Date", email.utils.formatdate(time.time() - self.late, usegmt=True))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


def certificate(directory: Path, address: str = "127.0.0.1", days: int = 10) -> Path:
    """Write a self-signed certificate with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(end - datetime.timedelta(days=100))
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{address}-{days}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


class Serving:
    """A server on a free port of 127.0.0.1."""

    def __init__(self, pem: Path | None, late: float = 0.0) -> None:
        handler = type("Late", (Handler,), {"late": late})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.handle_error = lambda *_args: None  # type: ignore[method-assign]
        if pem:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            self.server.socket = context.wrap_socket(
                self.server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))

    def __enter__(self) -> str:
        """Start; return the address."""
        self.thread.start()
        return f"127.0.0.1:{self.server.server_address[1]}"

    def __exit__(self, *_exc: object) -> None:
        """Stop."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def look(address: str, trust: Path, **arguments: Any) -> dict[str, Any]:
    """Run the module."""
    return run_main(flower_endpoint_info.main, {"address": address, "root_certificates": str(trust), **arguments})


def test_a_server_that_is_fine(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    with Serving(pem) as address:
        seen = look(address, pem)
    assert not seen["changed"]
    assert (seen["reachable"], seen["verified"], seen["code"], seen["status"]) == (True, True, "ok", 403)
    assert seen["certificate_days_left"] == pytest.approx(10, abs=0.1)
    assert seen["certificate_names"] == ["127.0.0.1"]
    assert abs(seen["clock_offset"]) <= 1


@pytest.mark.parametrize("late", [8.0, -400.0])
def test_clocks_that_differ(tmp_path: Path, late: float) -> None:
    pem = certificate(tmp_path)
    with Serving(pem, late) as address:
        assert look(address, pem)["clock_offset"] == pytest.approx(late, abs=1)


@pytest.mark.parametrize(
    ("address", "days", "code"),
    [("127.0.0.2", 10, "tls_name"), ("127.0.0.1", -1, "tls_expired"), ("127.0.0.1", 200, "tls_not_yet_valid")],
)
def test_certificates_that_do_not_hold(tmp_path: Path, address: str, days: int, code: str) -> None:
    pem = certificate(tmp_path, address, days)
    with Serving(pem) as where:
        seen = look(where, pem)
    assert (seen["failed"], seen["reachable"], seen["verified"], seen["code"]) == (False, True, False, code)
    assert seen["clock_offset"] is None


def test_another_authority_and_no_tls(tmp_path: Path) -> None:
    pem, other = certificate(tmp_path), certificate(tmp_path, days=11)
    with Serving(pem) as address:
        assert look(address, other)["code"] == "tls_authority"
    with Serving(None) as address:
        assert look(address, pem)["code"] == "tls_plain"


@pytest.fixture(name="silent")
def _silent() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_nobody_and_silence(tmp_path: Path, silent: str) -> None:
    pem = certificate(tmp_path)
    assert look(silent, pem, timeout=0.2)["code"] == "timeout"
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"127.0.0.1:{server.getsockname()[1]}"
    seen = look(closed, pem)
    assert (seen["reachable"], seen["code"]) == (False, "refused")
    assert look("no-such-host.invalid:8443", pem)["code"] == "name_unknown"


@pytest.mark.parametrize("address", ["host", "host:", ":8443", "https://host:8443", "host:99999", "host:port"])
def test_addresses_that_are_none(tmp_path: Path, address: str) -> None:
    result = look(address, certificate(tmp_path))
    assert result["failed"]
    assert repr(address) in result["msg"]


def test_trust_that_is_no_file(tmp_path: Path) -> None:
    assert look("host:1", tmp_path / "none")["failure"]["code"] == "trust"


def test_what_the_host_has(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path, days=30), ec.generate_private_key(ec.SECP384R1())
    path = tmp_path / "supernode.key"
    serialized = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*serialized))
    with Serving(pem) as address:
        seen = look(address, pem, key=str(path))
        lost = look(address, pem, key=str(tmp_path / "none"), unit="no-such-unit.service")
        bare = look(address, pem)
    assert [authority["subject"] for authority in seen["authorities"]] == ["test"]
    assert len(seen["authorities"][0]["fingerprint_sha256"]) == 64
    assert seen["authorities"][0]["days_left"] == pytest.approx(30, abs=0.1)
    assert seen["key_fingerprint"].startswith("SHA256:")
    assert (seen["key_problem"], seen["connected"]) == ("", None)
    assert (lost["key_fingerprint"], lost["connected"]) == ("", False)
    assert "cannot be read" in lost["key_problem"]
    assert (bare["key_fingerprint"], bare["key_problem"], bare["connected"]) == ("", "", None)
    assert "PRIVATE" not in str(seen)


@pytest.mark.parametrize(("days", "warned"), [(5, True), (40, False)])
def test_certificates_that_end_soon(tmp_path: Path, days: int, warned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: told.append(text))
    pem = certificate(tmp_path, days=days)
    with Serving(pem) as address:
        assert not look(address, pem, warn_days=21)["failed"]
        assert bool(told) is warned
        before = list(told)
        look(address, pem, warn_days=0)
    assert told == before
    if warned:
        assert f"SuperLink at {address} ends in 5 days: run playbooks/rotate.yml with -e rotate=leaf" in told[0]
        assert "rotate=ca" in told[1]


def test_an_end_that_is_past_is_no_end_to_come(tmp_path: Path) -> None:
    seen = look("127.0.0.1:1", certificate(tmp_path, days=-1))
    assert seen["authorities"][0]["days_left"] == pytest.approx(-1, abs=0.1)
