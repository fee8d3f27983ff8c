# SPDX-License-Identifier: Apache-2.0
"""Which UDP ports of a host answer anything. Runs on the attacking host.

Arguments, as a JSON list in base64: address, ports, seconds to wait. Every port gets an empty packet, one with a DNS
question, one as WireGuard's first and one as NTP's. Prints the ports that answered with data, and those that the host
called closed.
"""

from __future__ import annotations

import base64
import json
import select
import socket
import struct
import sys
import time

address, ports, wait = json.loads(base64.b64decode(sys.argv[1]))
# RFC 1035: a question for the root; RFC 5905: a client's packet; WireGuard: a handshake initiation with no valid MAC.
PROBES = (
    b"",
    struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + b"\x00" + struct.pack(">2H", 2, 1),
    b"\x23" + bytes(47),
    b"\x01\x00\x00\x00" + bytes(144),
)
sockets = {}
answered, closed = set(), set()
for port in ports:
    each = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    each.setblocking(False)
    try:
        each.connect((address, port))
    except OSError:  # no way there, as to an address of somebody else's tunnel
        closed.add(port)
        continue
    sockets[each] = port
for probe in PROBES:
    for each, port in sockets.items():
        try:
            each.send(probe)
        except OSError:
            closed.add(port)
end = time.monotonic() + wait
while (left := end - time.monotonic()) > 0:
    for each in select.select(list(sockets), [], [], left)[0]:
        try:
            each.recv(2048)
            answered.add(sockets[each])
        except OSError:
            closed.add(sockets[each])
print(json.dumps({"answered": sorted(answered), "closed": sorted(closed - answered)}))
