# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers as the Control API would, on 127.0.0.1:8000 with TLS: every path with itself, and a submission after a while.

The answer to a submission says how many were being handled at once, at most, since the beginning.
"""

from __future__ import annotations

import http.server
import ssl
import threading
import time

_SUBMISSION_SECONDS = 0.8


class Handler(http.server.BaseHTTPRequestHandler):
    """Takes any POST."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    submissions = 0
    most = 0

    def do_POST(self) -> None:
        """Answer with the path."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.path
        if self.path.endswith("/start-run"):
            with self.lock:
                Handler.submissions += 1
                Handler.most = max(Handler.most, Handler.submissions)
            time.sleep(_SUBMISSION_SECONDS)
            with self.lock:
                Handler.submissions -= 1
            answer = f"at most {Handler.most}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer.encode())


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/etc/flower/superlink.crt", "/etc/flower/superlink.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()
