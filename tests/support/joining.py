# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Authorities, a SuperLink that SuperNodes join over real TLS, and a service in OneGate, all on loopback.

Flower itself and OneGate are stand-ins in memory; what judges and what dials is the appliance's own code.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from flower_fakes import FakeControl

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import certificates, keys
from fact8ra_appliance.admission import Admission, Owners, Refusal
from fact8ra_appliance.discovery import Found
from fact8ra_appliance.identity import Identity
from fact8ra_appliance.offer import Offer, fingerprint
from fact8ra_appliance.onegate import Node, Service

TOKEN = "Zm9vYmFyYmF6cXV4-_.~0123"
SUPERLINK_VM = 7
SANS = ("DNS:localhost", "IP:127.0.0.1")


@dataclass(frozen=True)
class Authority:
    """An authority and the certificate of a server that it issued, as files."""

    ca: str
    trust: Path
    certificate: Path
    key: Path

    @property
    def fingerprint(self) -> str:
        """Of the authority."""
        return fingerprint(self.ca)


def authority(
    directory: Path, name: str = "ours", sans: tuple[str, ...] = SANS, begin: timedelta = timedelta(hours=-1)
) -> Authority:
    """Make one, as the role pki does; C(begin) is when its certificates become valid, for a day."""
    directory.mkdir(parents=True, exist_ok=True)
    ca_key, key = keys.generate(keys.P384), keys.generate(keys.P384)
    since = datetime.now(UTC) + begin
    until = since + timedelta(days=1)
    root = certificates.self_signed_authority(ca_key, f"{name} CA", None, since, until)
    served = certificates.server_certificate(key, sans, root, ca_key, since, until)
    made = Authority(
        root.public_bytes(serialization.Encoding.PEM).decode(),
        directory / f"{name}-trust.crt",
        directory / f"{name}.crt",
        directory / f"{name}.key",
    )
    made.trust.write_text(made.ca)
    made.certificate.write_bytes(served.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(keys.to_pkcs8(key))
    return made


def identity(directory: Path, name: str) -> Identity:
    """A SuperNode with a new key."""
    key = keys.generate(keys.P384)
    path = directory / f"{name}.supernode.key"
    path.write_bytes(keys.to_openssh(key))
    return Identity(name, " ".join(keys.public_line(key, name).split()[:2]), path)


@dataclass
class Gate:
    """OneGate of one VM: what it publishes is what everybody of the service sees."""

    vm_id: int
    roles: dict[str, list[Node]]
    asked: int = 0
    fails: Exception | None = None

    def service(self) -> Service:
        """The service."""
        self.asked += 1
        if self.fails:
            raise self.fails
        return Service(3, "federation", self.roles)

    def publish(self, attributes: Mapping[str, str]) -> None:
        """Write attributes of this VM."""
        if self.fails:
            raise self.fails
        for nodes in self.roles.values():
            for node in nodes:
                if node.vm_id == self.vm_id:
                    node.attributes.update(attributes)

    def of(self, vm_id: int) -> Gate:
        """The same service as another VM sees it."""
        return Gate(vm_id, self.roles)


def service(*supernodes: int, superlinks: tuple[int, ...] = (SUPERLINK_VM,)) -> Gate:
    """A service with VMs of these ids, as its SuperLink sees it."""

    def nodes(ids: tuple[int, ...]) -> list[Node]:
        return [Node(vm_id, f"vm-{vm_id}", {}, index) for index, vm_id in enumerate(ids)]

    return Gate(SUPERLINK_VM, {"superlink": nodes(superlinks), "supernode": nodes(supernodes)})


@dataclass
class SuperLink:
    """A SuperLink that answers on loopback; C(flower) is what is registered, C(heard) the bodies that came."""

    admission: Admission
    flower: FakeControl
    authority: Authority
    port: int = 0
    heard: list[dict[str, Any]] = field(default_factory=list)
    # Status and answer in place of its own.
    says: Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]] | None] = lambda _path, _body: None

    @property
    def found(self) -> Found:
        """As the context has it."""
        return Found("127.0.0.1", self.port)

    def offered(self, join: str = "onegate", **changes: Any) -> Offer:
        """What it says of itself in OneGate."""
        parts = {
            "version": 1,
            "address": "127.0.0.1",
            "port": self.port,
            "fingerprint": self.authority.fingerprint,
            "ca": self.authority.ca,
            "join": join,
        }
        return Offer.checked({**parts, **changes})

    def answer(self, path: str, content: bytes) -> tuple[int, dict[str, Any]]:
        """As joiner.Handler does."""
        body = json.loads(content) if content else {}
        self.heard.append(body)
        said = self.says(path, body)
        if said:
            return said
        try:
            if not content:
                return 200, self.admission.hello()
            return 200, (self.admission.status if path.endswith("status") else self.admission.join)(content)
        except Refusal as refusal:
            return refusal.status, {"refused": refusal.word, "now": int(self.admission.clock())}


def admission(
    directory: Path, made: Authority, flower: FakeControl, token: str = "", gate: Gate | None = None, **more: Any
) -> Admission:
    """The judge of a SuperLink."""
    return Admission(
        ca=made.ca,
        fingerprint=made.fingerprint,
        token=token,
        vm_id=SUPERLINK_VM,
        flower=flower,
        gate=gate,
        owners=Owners(directory / "owners.json"),
        **more,
    )


@contextlib.contextmanager
def superlink(
    directory: Path, token: str = "", gate: Gate | None = None, made: Authority | None = None, **more: Any
) -> Iterator[SuperLink]:
    """A SuperLink that answers over TLS while the block lasts."""
    made = made or authority(directory)
    flower = FakeControl()
    link = SuperLink(admission(directory, made, flower, token, gate, **more), flower, made)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(*link.answer(self.path, b""))

        def do_POST(self) -> None:
            self._send(*link.answer(self.path, self.rfile.read(int(self.headers["Content-Length"]))))

        def _send(self, status: int, answer: dict[str, Any]) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that refused the certificate

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    with Server(("127.0.0.1", 0), Handler) as server:
        # The handshake is the thread's, or one client that stalls in it would stop all.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        link.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield link
        finally:
            server.shutdown()
            thread.join()
