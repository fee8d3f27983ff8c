# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""How a SuperLink address looks from a host: TLS, certificate, clock. Private to this collection; it may change.

Standard library only, so that it runs with the system's Python of any host.
"""

from __future__ import annotations

import email.utils
import http.client
import ssl
import time
from dataclasses import dataclass
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._flower.errors import FlowerFailure, connection_cause


@dataclass(frozen=True)
class Endpoint:
    """What one request of /health showed; a value that could not be learnt is None.

    `clock_offset` is this host's clock minus the server's in seconds; the Date header counts whole seconds, so it is
    true to about one second. Flower accepts a node whose clock is less than 5 s ahead and less than 305 s behind.
    """

    reachable: bool
    verified: bool
    problem: str
    code: str
    status: int | None = None
    certificate_days_left: float | None = None
    certificate_names: tuple[str, ...] = ()
    clock_offset: float | None = None

    def public(self) -> dict[str, Any]:
        """Return what a module returns."""
        return {**self.__dict__, "certificate_names": list(self.certificate_names)}


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of host:port or [IPv6]:port.

    Raises:
        FlowerFailure: the text is no such address.
    """
    host, _separator, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536 or "://" in address:
        raise FlowerFailure("address", f"address {address!r} must be host:port, for example superlink.example.eu:8443.")
    return host.strip("[]"), int(port)


def probe(address: str, root_certificates: str, timeout: float, now: Any = time.time) -> Endpoint:
    """Request /health of `address` over TLS.

    A SuperLink answers 200, the proxy in front of it 403; both carry the date.

    Args:
        address: host:port.
        root_certificates: PEM file with the trusted authorities.
        timeout: Seconds for connecting and for the answer.
        now: Clock, in seconds since the epoch.

    Raises:
        FlowerFailure: the address or the file is unusable; a server that is, is reported in the result.
    """
    host, port = split_address(address)
    try:
        context = ssl.create_default_context(cafile=root_certificates)
    except (OSError, ssl.SSLError) as error:
        raise FlowerFailure(
            "trust", f"root_certificates {root_certificates} cannot be used ({error}); it must be a readable PEM file."
        ) from error
    connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    reachable = False
    try:
        connection.connect()
        reachable = True
        certificate = connection.sock.getpeercert() if isinstance(connection.sock, ssl.SSLSocket) else {}
        connection.request("GET", "/health", headers={"Connection": "close"})
        sent = now()
        response = connection.getresponse()
        received = now()
    except (OSError, http.client.HTTPException) as error:
        # A refused handshake means that somebody listens.
        code, cause = connection_cause(str(error))
        return Endpoint(reachable or isinstance(error, ssl.SSLError), False, cause, code)
    finally:
        connection.close()
    date = email.utils.parsedate_to_datetime(response.headers["Date"]) if response.headers.get("Date") else None
    # The server cut its clock to whole seconds, so on average it was half a second later than it says.
    offset = None if date is None else round((sent + received) / 2 - date.timestamp() - 0.5, 1)
    return Endpoint(
        reachable=True,
        verified=True,
        problem="",
        code="ok",
        status=response.status,
        certificate_days_left=_days_left(certificate or {}, now()),
        certificate_names=_names(certificate or {}),
        clock_offset=offset,
    )


def _names(certificate: Any) -> tuple[str, ...]:
    return tuple(str(pair[1]) for pair in certificate.get("subjectAltName", ()))


def _days_left(certificate: Any, now: float) -> float | None:
    until = certificate.get("notAfter")
    return None if until is None else round((ssl.cert_time_to_seconds(until) - now) / 86400, 1)
