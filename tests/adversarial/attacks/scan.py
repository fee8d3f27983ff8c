# SPDX-License-Identifier: Apache-2.0
"""Which TCP ports of some hosts accept a connection from here. Runs on the attacking host.

Arguments, as a JSON list in base64: addresses, ports of each (first and last), attempts a second, seconds to wait.
Every port is tried at a steady pace, all addresses side by side. Prints by address the ports that were open,
and how many were refused and silent. One loop over epoll, since a task for each of some 100000 ports costs minutes.
"""

from __future__ import annotations

import base64
import collections
import errno
import json
import resource
import select
import socket
import sys
import time
from typing import Any

addresses, (first, last), pace, wait = json.loads(base64.b64decode(sys.argv[1]))
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
found: dict[str, Any] = {address: {"open": [], "refused": 0, "silent": 0} for address in addresses}
poll = select.epoll()
# File number to what is under way there; the queue is in the order of beginning.
trying: dict[int, tuple[socket.socket, str, int]] = {}
queue: collections.deque[tuple[float, int, socket.socket]] = collections.deque()


def begin(address: str, port: int, now: float) -> None:
    """Send the first packet to a port."""
    each = socket.socket(
        socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK
    )
    code = each.connect_ex((address, port))
    if code not in (0, errno.EINPROGRESS):
        each.close()
        found[address]["refused"] += 1
        return
    trying[each.fileno()] = (each, address, port)
    queue.append((now, each.fileno(), each))
    poll.register(each, select.EPOLLOUT)


def end(number: int, *, answered: bool) -> None:
    """Note what came of a port."""
    each, address, port = trying.pop(number)
    if not answered:
        found[address]["silent"] += 1
    elif each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        found[address]["refused"] += 1
    else:
        found[address]["open"].append(port)
    poll.unregister(number)
    each.close()


targets = ((address, port) for port in range(first, last + 1) for address in addresses)
started, begun, left = time.monotonic(), 0, True
while left or trying:
    now = time.monotonic()
    while left and begun < (now - started) * pace and len(trying) < hard - 100:
        target = next(targets, None)
        left = target is not None
        if target is not None:
            begin(*target, now)
            begun += 1
    for number, _events in poll.poll(0.01):
        end(number, answered=True)
    while queue and (queue[0][0] < now - wait or trying.get(queue[0][1], (None,))[0] is not queue[0][2]):
        _began, number, each = queue.popleft()
        if trying.get(number, (None,))[0] is each:
            end(number, answered=False)
print(json.dumps({address: {**each, "open": sorted(each["open"])} for address, each in found.items()}))
