# SPDX-License-Identifier: Apache-2.0
"""Pretend to be the SuperLink, to a real SuperNode with this node's key and trust. Runs on a SuperNode's host.

Arguments, as a JSON list in base64: certificate and key in PEM, seconds at most. Prints how many requests the SuperNode
sent after it had seen the certificate, and what it said.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

certificate, key, seconds = json.loads(base64.b64decode(sys.argv[1]))
requests: list[bytes] = []
told = threading.Event()


def serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Take the first bytes of everybody who goes on after the handshake."""
    while True:
        connection, _address = listener.accept()
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
            secured.settimeout(5)
            if first := secured.recv(4096):
                requests.append(first)
                told.set()


with tempfile.TemporaryDirectory() as home, socket.create_server(("127.0.0.1", 0)) as listener:
    for name, text in (("crt", certificate), ("key", key)):
        path = pathlib.Path(home, name)
        path.touch(0o600)
        path.write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{home}/crt", f"{home}/key")
    threading.Thread(target=serve, args=(listener, context), daemon=True).start()
    process = subprocess.Popen(
        [
            *("/opt/flower/venv/bin/flower-supernode", "--superlink", f"127.0.0.1:{listener.getsockname()[1]}"),
            *("--root-certificates", "/etc/flower/trust.crt"),
            *("--auth-supernode-private-key", "/etc/flower/supernode.key"),
            *("--isolation", "process", "--port", "9999"),
        ],
        env={**os.environ, "FLWR_HOME": home, "FLWR_TELEMETRY_ENABLED": "0", "NO_COLOR": "1"},
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    threading.Thread(target=lambda: told.wait(seconds) and process.kill(), daemon=True).start()
    try:
        said = process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        said = process.communicate()[0]
print(json.dumps({"requests": len(requests), "said": said[-4000:]}))
