# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The service behind nginx that lets SuperNodes join: HTTP on a unix socket, run by fact8ra-join.service.

Secrets come as credentials of systemd: join.token and onegate.token, each there or not.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import ipaddress
import json
import os
import socketserver
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.client import Control

from . import wire
from .admission import Admission, Owners, Refusal
from .offer import fingerprint
from .onegate import OneGate
from .publish import anchor
from .trouble import Trouble

# nginx reads a request whole before it passes it on, so a thread is busy for as long as Flower takes.
_THREADS = 16
_SECONDS = 10
_FLOWER_SECONDS = 10.0


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """A server of so many threads at most; who comes when all are busy is hung up on, and nginx answers 502."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, path: str, admission: Admission) -> None:
        self.admission = admission
        self._free = threading.BoundedSemaphore(_THREADS)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        # For the user and the group of the directory alone, which is nginx's.
        before = os.umask(0o117)
        try:
            super().__init__(path, Handler)
        finally:
            os.umask(before)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Handle a request in a thread of its own, if there is one."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Give the thread back afterwards."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what broke, without what was sent."""
        print(f"a request broke: {type(sys.exception()).__name__}", file=sys.stderr, flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    """One request; every answer is a JSON object."""

    timeout = _SECONDS
    server: Server
    server_version = "fact8ra"
    sys_version = ""

    def do_GET(self) -> None:
        """The authority."""
        if self.path == wire.JOIN:
            self._answer(200, self.server.admission.hello())
        else:
            self._answer(404, {"refused": "path"})

    def do_POST(self) -> None:
        """Join, and what is known of a key."""
        handlers = {wire.JOIN: self.server.admission.join, wire.STATUS: self.server.admission.status}
        handler = handlers.get(self.path)
        if handler is None:
            self._answer(404, {"refused": "path"})
            return
        try:
            answer = handler(self._body())
        except Refusal as refusal:
            self.log_message("%s refused (%s): %s", self.path, refusal.word, refusal.why)
            now = {"now": int(self.server.admission.clock())} if refusal.word == "clock" else {}
            self._answer(refusal.status, {"refused": refusal.word, **now})
            return
        if self.path == wire.JOIN:
            self.log_message("%s: node %s is registered", self.path, answer["node_id"])
        self._answer(200, answer)

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()) or len(length) > 5:
            raise Refusal("body", 411, "it does not say how long it is")
        if int(length) > wire.LARGEST:
            raise Refusal("body", 413, f"it has {int(length)} bytes")
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            raise Refusal("body", 400, "it was cut short")
        return body

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: what matters is said, and nginx logs what failed."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """A line in the journal, in which no letter of a stranger's acts on a terminal."""
        try:
            peer = str(ipaddress.ip_address(self.headers.get("X-Real-IP", "")))
        except (ValueError, AttributeError):
            peer = "unknown"
        line = ascii(format % args)[1:-1][:500]
        print(f"{line} (from {peer})", file=sys.stderr, flush=True)


def credential(name: str) -> str:
    """A credential of this unit, empty where there is none."""
    try:
        return Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent"), name).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return ""


def admission(options: argparse.Namespace) -> Admission:
    """The judge, as the command line and the credentials say.

    Raises:
        SystemExit: neither a token nor OneGate would prove anything.
    """
    token, of_gate = credential("join.token"), credential("onegate.token")
    if token and not wire.TOKEN.fullmatch(token):
        sys.exit("the join token is not of 24 to 128 letters, digits and any of . _ ~ and -")
    if not token and not (of_gate and options.onegate):
        sys.exit("there is neither a join token nor OneGate, so that nobody could prove that he may join")
    try:
        ca = anchor(options.trust, options.certificate)
    except Trouble as trouble:
        sys.exit(str(trouble))
    return Admission(
        ca=ca,
        fingerprint=fingerprint(ca),
        token=token,
        vm_id=options.vm_id,
        flower=Control(options.control, str(options.trust), _FLOWER_SECONDS),
        gate=None if token else OneGate(options.onegate, of_gate, options.vm_id, timeout=3, pauses=()),
        owners=Owners(options.state / "owners.json"),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the end."""
    parser = argparse.ArgumentParser(prog="fact8ra_appliance.joiner", description=__doc__)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--control", default="127.0.0.1:8000")
    parser.add_argument("--trust", type=Path, default=Path("/etc/flower/trust.crt"))
    parser.add_argument("--certificate", type=Path, default=Path("/etc/flower/superlink.crt"))
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--onegate", default="")
    parser.add_argument("--vm-id", type=int, default=0)
    options = parser.parse_args(arguments)
    with Server(options.socket, admission(options)) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
