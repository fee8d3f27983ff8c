# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The three HTTP servers: XML-RPC, OneFlow, OneGate. HTTP/1.1 with kept connections, TLS where it is asked for."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import socket
import ssl
import threading
import time
import xmlrpc.client
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from . import lies
from .errors import CallError
from .flow.answers import Answer

if TYPE_CHECKING:
    from .app import Site

_LOG = logging.getLogger(__name__)
_MAX_BODY: Final = 64 * 1024 * 1024
_TESTS: Final = "/_standin/"


class ApiServer(ThreadingHTTPServer):
    """One API on one address. Threads and open connections end with ``stop``."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256

    def __init__(self, site: Site, api: str, address: tuple[str, int], tls: ssl.SSLContext | None) -> None:
        self.site = site
        self.api = api
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, {"xmlrpc": RpcHandler, "oneflow": FlowHandler, "onegate": GateHandler}[api])
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name=api, daemon=True)

    @property
    def endpoint(self) -> str:
        """Scheme, address and port."""
        host, port = self.server_address[:2]
        return f"{'https' if self._tls else 'http'}://{host!s}:{port}"

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Closes the port and every open connection."""
        self.shutdown()
        self.server_close()
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def get_request(self) -> tuple[Any, Any]:
        connection, peer = super().get_request()
        if self._tls:
            # The handshake is left to the connection's own thread, so that a silent client stops nobody.
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._open_lock:
            self._open.add(connection)
        return connection, peer

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        _LOG.debug("connection from %s ended", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: ApiServer

    @property
    def site(self) -> Site:
        return self.server.site

    def version_string(self) -> str:
        return "fact8ra-lab"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        _LOG.debug("%s %s", self.server.api, format % args)

    def date_time_string(self, timestamp: float | None = None) -> str:
        skewed = self.site.faults.active("skew", self.server.api)
        ahead = float(skewed.options["seconds"]) if skewed else 0
        return super().date_time_string(int((time.time() if timestamp is None else timestamp) + ahead))

    def _body(self) -> str:
        length = int(self.headers.get("Content-Length") or 0)
        if length > _MAX_BODY:
            raise ConnectionError("body too long")
        return self.rfile.read(length).decode("utf-8", "replace")

    def _disturbed(self) -> bool:
        """Whether a fault took the answer; then the connection ends."""
        faults, api = self.site.faults, self.server.api
        late = faults.active("delay", api)
        if late:
            faults.wait_released(float(late.options["seconds"]))
        if faults.active("silence", api):
            faults.wait_released(600)
            self.close_connection = True
            return True
        if faults.active("drop", api):
            self.close_connection = True
            return True
        if faults.active("garbage", api):
            self._send(Answer(200, "<html><body>proxy login</body></html>"))
            return True
        return False

    def _send(self, answer: Answer) -> None:
        data = answer.text.encode()
        self.send_response(answer.status)
        if answer.content_type:
            self.send_header("Content-Type", answer.content_type)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if answer.status != 204 and self.command != "HEAD":
            self.wfile.write(data)

    def _basic(self) -> str | None:
        scheme, _separator, text = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            return base64.b64decode(text, validate=True).decode("utf-8", "replace")
        except (ValueError, binascii.Error):
            return ""


class RpcHandler(_Handler):
    """XML-RPC on /RPC2."""

    def do_POST(self) -> None:
        body = self._body()
        if urlsplit(self.path).path != "/RPC2":
            self._send(Answer(404, "not found", "text/plain"))
            return
        try:
            params, method = xmlrpc.client.loads(body)
        except Exception as error:  # noqa: BLE001 - the parser raises many kinds for what is no XML-RPC
            self._send(Answer(400, f"not an XML-RPC call: {error}", "text/plain"))
            return
        name = method or ""
        self.site.faults.count("xmlrpc", name)
        if self._disturbed():
            return
        answer = self._answer(name, list(params))
        self._send(Answer(200, answer, "text/xml; charset=utf-8"))

    def _answer(self, method: str, params: list[Any]) -> str:
        rpc = self.site.rpc
        if method == "system.listMethods":
            return self._dump(sorted(rpc.methods))
        if method not in rpc.methods:
            fault = xmlrpc.client.Fault(-506, f"Method '{method}' not defined")
            return xmlrpc.client.dumps(fault, methodresponse=True)
        if not params or not isinstance(params[0], str):
            return xmlrpc.client.dumps(xmlrpc.client.Fault(-501, "Not enough parameters"), methodresponse=True)
        try:
            caller = rpc.login(method, params[0])
            if self.site.faults.active("lie", method):
                with self.site.cloud.lock:
                    return self._dump([True, lies.rpc_answer(self.site.cloud, method, params[1:]), 0])
            result = rpc.call(caller, method, *params[1:])
        except CallError as error:
            return self._dump([False, error.text, error.code, -1])
        return self._dump([True, result, 0])

    @staticmethod
    def _dump(value: Any) -> str:
        return xmlrpc.client.dumps((value,), methodresponse=True, allow_none=True)


class FlowHandler(_Handler):
    """OneFlow, and the routes for tests under /_standin."""

    def _any(self) -> None:
        body = self._body()
        path = urlsplit(self.path).path
        session = self._basic()
        if path.startswith(_TESTS):
            self._send(self._for_tests(path, session, body))
            return
        self.site.faults.count("oneflow", f"{self.command} {path}")
        if self._disturbed():
            return
        if session is None:
            self._send(Answer(401, "A username and password must be provided"))
            return
        with self.site.cloud.lock:
            caller = self.site.cloud.login(session)
        if caller is None:
            self._send(Answer(401, "Invalid credentials"))
            return
        refused = self.site.faults.active("refuse", f"{self.command} {path}")
        if refused:
            text = str(refused.options.get("text", "refused on request"))
            self._send(Answer(int(refused.options.get("code", 500)), text))
            return
        if self.site.faults.active("lie", f"{self.command} {path}"):
            with self.site.cloud.lock:
                self._send(lies.flow_answer(self.site.flow, caller, self.command, path, body))
            return
        host = self.headers.get("Host", "")
        self._send(self.site.flow.handle(caller, self.command, path, body, host))

    do_GET = do_POST = do_PUT = do_DELETE = _any

    def _for_tests(self, path: str, session: str | None, body: str) -> Answer:
        with self.site.cloud.lock:
            caller = self.site.cloud.login(session or "")
        if caller is None or not caller.admin:
            return Answer(401, "only for oneadmin")
        faults, what = self.site.faults, (self.command, path.removeprefix(_TESTS))
        if what == ("POST", "faults"):
            try:
                given = json.loads(body)
                for description in given if isinstance(given, list) else [given]:
                    faults.add(description)
            except (ValueError, TypeError) as error:
                return Answer(400, str(error))
            return Answer(204, "", None)
        if what == ("DELETE", "faults"):
            faults.clear()
            return Answer(204, "", None)
        if what == ("GET", "calls"):
            return Answer(200, json.dumps(faults.calls), "application/json")
        if what == ("DELETE", "calls"):
            faults.reset()
            return Answer(204, "", None)
        return Answer(404, f"{self.command} {path} is not known")


class GateHandler(_Handler):
    """OneGate."""

    def _any(self) -> None:
        body = self._body()
        parts = urlsplit(self.path)
        self.site.faults.count("onegate", f"{self.command} {parts.path}")
        if self._disturbed():
            return
        refused = self.site.faults.active("refuse", f"{self.command} {parts.path}")
        if refused:
            code, text = int(refused.options.get("code", 500)), str(refused.options.get("text", "refused on request"))
            self._send(Answer(code, text))
            return
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        headers = {key.upper(): value for key, value in self.headers.items()}
        self._send(self.site.gate.handle(self.command, parts.path, query, headers, body))

    do_GET = do_POST = do_PUT = do_DELETE = _any
