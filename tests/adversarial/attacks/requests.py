# SPDX-License-Identifier: Apache-2.0
"""Send requests byte for byte over TLS, and see what is answered. Runs on the attacking host.

Arguments, as a JSON list in base64: address, port, file of the authorities, requests in base64. Prints a list, for each
request: the statuses that came, in order, or what went wrong instead, and the bodies' beginning.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import sys


def answer(address: str, port: int, authorities: str, request: bytes) -> dict[str, object]:
    """What one request is answered, until the other side closes or is silent for three seconds."""
    context = ssl.create_default_context(cafile=authorities)
    context.check_hostname = False
    got = b""
    try:
        with socket.create_connection((address, port), 10) as plain, context.wrap_socket(plain) as secured:
            secured.settimeout(3)
            secured.sendall(request)
            try:
                while part := secured.recv(65536):
                    got += part
            except TimeoutError:
                pass
    except OSError as error:
        if not got:
            return {"statuses": [], "error": str(error), "text": ""}
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3})", got)]
    return {"statuses": statuses, "error": "", "text": got[-300:].decode(errors="replace")}


where, number, trusted, given = json.loads(base64.b64decode(sys.argv[1]))
print(json.dumps([answer(where, number, trusted, base64.b64decode(each)) for each in given]))
