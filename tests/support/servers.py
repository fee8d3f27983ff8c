# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Servers on loopback that answer what a test tells them, over HTTP or TLS, or do not answer at all."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import http.server
import ipaddress
import socket
import ssl
import threading
import xmlrpc.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Reply = tuple[int, bytes]
Responder = Callable[[Request], Reply | None]


@dataclass
class Server:
    """A running server; C(requests) are those that it got, in order."""

    url: str
    requests: list[Request] = field(default_factory=list)


@dataclass(frozen=True)
class Certificate:
    """A server's certificate and its key, as files."""

    cert: Path
    key: Path


def self_signed(directory: Path, address: str = "127.0.0.1") -> Certificate:
    """Write a self-signed certificate for one address into a directory."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    return _write(directory / address, _certificate(name, key, name, key, address), key)


def own_authority(directory: Path, address: str = "127.0.0.1") -> tuple[Path, Certificate]:
    """Write the certificate of an authority, and one that it issued for an address, into a directory."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "own authority")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "proxy")])
    root = _write(directory / "ca", _certificate(issuer, authority, issuer, authority, None), authority)
    return root.cert, _write(directory / f"{address}-issued", _certificate(name, key, issuer, authority, address), key)


def _certificate(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    address: str | None,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    signs = key is signer
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=signs, path_length=0 if signs else None), critical=True)
    )
    if address is not None:
        names = [x509.IPAddress(ipaddress.ip_address(address))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _write(stem: Path, cert: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Certificate:
    files = Certificate(stem.with_name(f"{stem.name}.crt"), stem.with_name(f"{stem.name}.key"))
    files.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@contextlib.contextmanager
def http_server(respond: Responder, certificate: Certificate | None = None) -> Iterator[Server]:
    """Serve on a free port of 127.0.0.1; a reply of None closes the connection without an answer."""
    scheme = "http" if certificate is None else "https"
    running = Server(url="")

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            request = Request(self.command, self.path, dict(self.headers), self.rfile.read(length))
            running.requests.append(request)
            reply = respond(request)
            if reply is None:
                self.close_connection = True
                return
            status, body = reply
            self.send_response(status)
            self.send_header("Content-Type", "text/html;charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = _answer

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    class Quiet(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that refuses the certificate is what some tests are about."""

    server = Quiet(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert, certificate.key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    running.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def silent_socket() -> Iterator[str]:
    """Accept connections and never say a word; yields host:port."""
    listener = socket.create_server(("127.0.0.1", 0))
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def closed_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def oned(answers: Callable[[str, list[Any]], list[Any]]) -> Responder:
    """Respond to XML-RPC with what C(answers) makes of a method and its parameters (session included)."""

    def respond(request: Request) -> Reply:
        params, method = xmlrpc.client.loads(request.body.decode())
        return 200, xmlrpc.client.dumps((answers(str(method), list(params)),), methodresponse=True).encode()

    return respond


def forward(prefixes: dict[str, str]) -> Responder:
    """Pass requests on as a reverse proxy does: what lies under a path goes to the URL that it stands for."""

    def respond(request: Request) -> Reply:
        prefix = next(each for each in prefixes if request.path.startswith(each))
        target = urlsplit(prefixes[prefix])
        connection = http.client.HTTPConnection(str(target.hostname), target.port, timeout=30)
        try:
            headers = {name: value for name, value in request.headers.items() if name != "Host"}
            path = target.path + request.path.removeprefix(prefix)
            connection.request(request.method, path, request.body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    return respond
