# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""One HTTP exchange over TLS with a SuperLink, bounded in bytes and in seconds from its beginning to its end."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from typing import Any

from .offer import strict_json

# An answer of /join has one certificate.
LARGEST = 32768


class Unanswered(Exception):
    """No answer came; the message says why."""


class Unverified(Exception):
    """The server's certificate is not one of that authority for that name.

    Attributes:
        reason: `authority`, `name`, `early` (not valid yet) or `late` (not valid any more).
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


# OpenSSL's X509_V_ERR_*, see x509_vfy.h; what is not here is about the authority.
_REASONS = {9: "early", 10: "late", 62: "name", 64: "name"}


def context(ca: str | None) -> ssl.SSLContext:
    """TLS 1.2 or later that trusts one authority and nothing else; with None it trusts nobody and hears everybody."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is None:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    else:
        made.load_verify_locations(cadata=ca)
    return made


def ask(
    host: str,
    port: int,
    ca: str | None,
    verb: str,
    path: str,
    body: bytes | None = None,
    *,
    seconds: float = 10.0,
    through: str = "",
) -> tuple[int, dict[str, Any]]:
    """Send one request; return status and the JSON object of the answer, empty where there is none.

    Args:
        host: name that the certificate must have, and which is dialled.
        ca: PEM of the one authority; None verifies nothing.
        seconds: for all of it.
        through: dial this address instead.

    Raises:
        Unanswered: no answer, or one that is too large, too slow, or none of HTTP.
        Unverified: the certificate is refused.
    """
    late = threading.Event()
    held: list[socket.socket] = []

    def end() -> None:
        # A server that drips its answer meets every time-out of a socket.
        late.set()
        for each in held:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    connection = http.client.HTTPConnection(host, port, timeout=seconds)
    try:
        plain = socket.create_connection((through or host, port), timeout=seconds)
        held.append(plain)
        connection.sock = context(ca).wrap_socket(plain, server_hostname=host)
        held[:] = [connection.sock]
        headers = {"Connection": "close", **({"Content-Type": "application/json"} if body is not None else {})}
        connection.request(verb, path, body=body, headers=headers)
        answer = connection.getresponse()
        content = answer.read(LARGEST + 1)
    except ssl.SSLCertVerificationError as error:
        reason = _REASONS.get(error.verify_code, "authority")
        raise Unverified(reason, f"{host}:{port}: {error.verify_message}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = f"no whole answer within {seconds:g} s" if late.is_set() else str(error) or type(error).__name__
        raise Unanswered(f"{host}:{port}: {why}") from error
    finally:
        timer.cancel()
        connection.close()
        for each in held:
            each.close()
    if late.is_set():
        raise Unanswered(f"{host}:{port}: no whole answer within {seconds:g} s")
    if len(content) > LARGEST:
        raise Unanswered(f"{host}:{port}: an answer of more than {LARGEST} bytes")
    try:
        return answer.status, strict_json(content)
    except ValueError:
        return answer.status, {}
