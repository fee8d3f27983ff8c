# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""One connection through the tunnel: ``talk.py serve`` sends back what it gets, ``talk.py keep ADDRESS FILE`` keeps
asking over one connection and writes the longest silence so far, in seconds, to a file."""

from __future__ import annotations

import pathlib
import socket
import sys
import time

PORT = 8443

if sys.argv[1] == "serve":
    listening = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        connection, _address = listening.accept()
        with connection:
            while given := connection.recv(64):
                connection.sendall(given)
else:
    longest, last = 0.0, time.monotonic()
    with socket.create_connection((sys.argv[2], PORT), timeout=60) as connection:
        while True:
            connection.sendall(b"x")
            if not connection.recv(64):
                raise SystemExit("the connection was closed")
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
            written = pathlib.Path(f"{sys.argv[3]}.new")
            written.write_text(f"{longest:.2f}\n", encoding="ascii")
            written.replace(sys.argv[3])
            time.sleep(0.05)
