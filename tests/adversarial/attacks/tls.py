# SPDX-License-Identifier: Apache-2.0
"""Offer a server old or weak TLS. Runs on the attacking host.

Arguments, as a JSON list in base64: address, port, offers: each a version (as TLSv1_1) and ciphers in OpenSSL's
words. Prints for each offer what was agreed, or the error, with the address and then with a server on
loopback that takes anything.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import warnings

warnings.simplefilter("ignore", DeprecationWarning)


def context(kind: int, version: str, ciphers: str) -> ssl.SSLContext:
    """A context with nothing but this version and these ciphers."""
    made = ssl.SSLContext(kind)
    if kind == ssl.PROTOCOL_TLS_CLIENT:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    made.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    made.minimum_version = made.maximum_version = ssl.TLSVersion[version]
    return made


def agreed(address: str, port: int, version: str, ciphers: str) -> str:
    """Version and cipher that the server agreed to, or the error."""
    try:
        with (
            socket.create_connection((address, port), 10) as plain,
            context(ssl.PROTOCOL_TLS_CLIENT, version, ciphers).wrap_socket(plain) as secured,
        ):
            return f"agreed {secured.version()} {(secured.cipher() or ('',))[0]}"
    except OSError as error:
        return f"refused {getattr(error, 'reason', None) or error}"


def lenient(directory: str, version: str, ciphers: str) -> str:
    """What the same offer comes to at a server that takes it."""
    made = context(ssl.PROTOCOL_TLS_SERVER, version, ciphers)
    made.load_cert_chain(f"{directory}/crt", f"{directory}/key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            try:
                made.wrap_socket(listener.accept()[0], server_side=True).close()
            except OSError:
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        result = agreed("127.0.0.1", listener.getsockname()[1], version, ciphers)
        thread.join(5)
    return result


where, number, offers = json.loads(base64.b64decode(sys.argv[1]))
with tempfile.TemporaryDirectory() as home:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=lenient", "-keyout", "key", "-out", "crt"),
        ],
        check=True,
        capture_output=True,
        cwd=home,
    )
    print(json.dumps([[agreed(where, number, *offer), lenient(home, *offer)] for offer in offers]))
