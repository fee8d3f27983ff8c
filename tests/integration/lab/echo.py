# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A server on a host that says who asked, and the question."""

from __future__ import annotations

import time

from .conftest import Hosts

PORT = 7000
# Answers each datagram and each connection with the address that it came from.
ECHO = f"""
import socket, threading
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("", {PORT}))
tcp = socket.create_server(("", {PORT}))
def datagrams():
    while True:
        peer = udp.recvfrom(99)[1]
        udp.sendto(peer[0].encode(), peer)
threading.Thread(target=datagrams, daemon=True).start()
while True:
    connection, peer = tcp.accept()
    connection.sendall(peer[0].encode()); connection.close()
"""
# Prints what came back, or nothing after a second.
ASK = """
import socket, sys
kind = socket.SOCK_DGRAM if sys.argv[1] == "udp" else socket.SOCK_STREAM
with socket.socket(socket.AF_INET, kind) as one:
    one.settimeout(1)
    try:
        one.connect((sys.argv[2], int(sys.argv[3]))); one.send(b"?"); print(one.recv(99).decode())
    except OSError:
        pass
"""


def serve(hosts: Hosts, address: str) -> None:
    """Start the server, for TCP and UDP, and wait until it answers its own host."""
    hosts.run(address, f"cat > /root/echo.py <<'END'\n{ECHO}\nEND\nsystemd-run --quiet -u echo python3 /root/echo.py")
    end = time.monotonic() + 10
    while not ask(hosts, address, "tcp", "127.0.0.1"):
        assert time.monotonic() < end, "the echo server does not answer its own host"


def ask(hosts: Hosts, address: str, kind: str, target: str, port: int = PORT) -> str:
    """What a host is answered by the echo server at `target`; empty when nothing came."""
    return hosts.run(address, f"cat > /root/ask.py <<'END'\n{ASK}\nEND\npython3 /root/ask.py {kind} {target} {port}")
