# SPDX-License-Identifier: Apache-2.0
"""Which TCP ports of a host accept a connection from here. Runs on the attacking host.

Arguments, as a JSON list in base64: address, first port, last port, seconds to wait for an answer. Prints the ports by
what they answered: C(open) as a list, C(refused) and C(silent) as numbers.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import json
import resource
import sys
import time

REFUSED = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM, errno.ECONNRESET)


async def scan(address: str, first: int, last: int, wait: float) -> dict[str, object]:
    """Try all ports, several thousand at a time."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    slots = asyncio.Semaphore(min(4000, hard - 100))
    found: list[int] = []
    counts = {"refused": 0, "silent": 0}

    async def knock(port: int) -> None:
        async with slots:
            try:
                _reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), wait)
            except TimeoutError:
                counts["silent"] += 1
            except OSError as error:
                if error.errno not in REFUSED:
                    raise
                counts["refused"] += 1
            else:
                found.append(port)
                writer.transport.abort()

    await asyncio.gather(*map(knock, range(first, last + 1)))
    return {"open": sorted(found), **counts}


began = time.monotonic()
result = asyncio.run(scan(*json.loads(base64.b64decode(sys.argv[1]))))
print(json.dumps({**result, "seconds": round(time.monotonic() - began, 1)}))
