# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""HTTP with real TLS options and real timeouts, for OneFlow's REST interface and as the transport of XML-RPC.

Private to the collection: it may change without notice.

The standard library's http.client is used, because urllib has one timeout for everything. Proxies named in the
environment are not used: the endpoints of a site are addressed directly.
"""

from __future__ import annotations

import base64
import http.client
import json
import math
import os
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.fact8ra.flower.plugins.module_utils._connection import ENVIRONMENT
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import ConnectionFailed, InvalidInput

RETRIES = 2
"""How often a request that changes nothing is repeated after a broken connection or 502, 503, 504."""
RETRY_DELAY = 0.3
"""Seconds before the first repetition; doubled for the next."""
GATEWAY_ERRORS = frozenset({502, 503, 504})


@dataclass(frozen=True)
class Target:
    """An HTTP(S) endpoint with credentials and limits.

    Attributes:
        url: base URL; may carry a path, under which all paths are taken.
        username: OpenNebula user.
        password: its password or token; never part of a message.
        validate_certs: verify the server's certificate and name.
        ca_path: PEM file or directory of CAs to trust instead of the system's.
        connect_timeout: seconds for the TCP connection and the TLS handshake, each.
        read_timeout: most seconds of silence from the server.
    """

    url: str
    username: str
    password: str = field(repr=False)
    validate_certs: bool = True
    ca_path: str | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 60.0

    @classmethod
    def from_params(cls, params: Mapping[str, Any], option: str = "endpoint") -> Target:
        """Make a target of the connection options of a module or plugin.

        Raises:
            InvalidInput: C(option) is missing or not a http(s) URL, a timeout is not positive, ca_path is not there.
        """
        url = params.get(option)
        if url in (None, ""):
            raise InvalidInput(
                f"{option} is missing; give it, such as {_EXAMPLES[option]!r}, or set {ENVIRONMENT[option][0]}.",
                details={"option": option},
            )
        parts = urlsplit(str(url or ""))
        try:
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            # a URL without a scheme would make pyone speak gRPC
            raise InvalidInput(
                f"{option} is {url!r}; it has to be an http:// or https:// URL, such as {_EXAMPLES[option]!r}.",
                details={"option": option},
            )
        if parts.username is not None or parts.password is not None:
            raise InvalidInput(
                f"{option} must not contain credentials; give them as username and password.",
                details={"option": option},
            )
        for name in ("connect_timeout", "read_timeout"):
            if not 0 < float(params[name]) < math.inf:
                raise InvalidInput(
                    f"{name} is {params[name]!r}; it has to be more than 0 seconds.", details={"option": name}
                )
        ca_path = params.get("ca_path")
        if ca_path and not os.path.exists(ca_path):
            raise InvalidInput(
                f"ca_path is {ca_path!r}, which does not exist on the host that runs the module.",
                details={"option": "ca_path"},
            )
        return cls(
            url=str(url).rstrip("/"),
            username=str(params["username"]),
            password=str(params["password"]),
            validate_certs=bool(params["validate_certs"]),
            ca_path=ca_path or None,
            connect_timeout=float(params["connect_timeout"]),
            read_timeout=float(params["read_timeout"]),
        )


_EXAMPLES = {"endpoint": "http://one.example.com:2633/RPC2", "flow_endpoint": "http://one.example.com:2474"}


@dataclass(frozen=True)
class Answer:
    """A HTTP answer: status code and undecoded body."""

    status: int
    body: bytes


def fetch(target: Target, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Send a REST request with basic authentication and return C((status, answer)).

    Args:
        target: base URL and credentials.
        method: HTTP verb; only GET is repeated after a broken connection.
        path: below the base URL, with its leading slash and without a trailing one.
        body: JSON-able value, or None for no body.

    Returns:
        The status, whatever it is, and the answer: the parsed JSON object or list, the text of anything else
        (OneFlow sends errors as a line of text and labels everything text/html), or None for an empty body.

    Raises:
        ConnectionFailed: no answer, or a certificate that is not trusted.
    """
    token = base64.b64encode(f"{target.username}:{target.password}".encode()).decode("ascii")
    headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}
    payload = None
    if body is not None:
        payload = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    answer = exchange(target, method, target.url + path, headers, payload, repeatable=method == "GET")
    return answer.status, _parsed(answer.body)


def _parsed(body: bytes) -> Any:
    text = body.decode("utf-8", errors="replace").strip()
    if not text:
        return None
    if text[0] in "{[":
        try:
            return json.loads(text)
        except ValueError:
            return text  # "[one.document.info] User ..." looks like a list, but is a line of text
    return text


def exchange(
    target: Target,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    *,
    repeatable: bool,
) -> Answer:
    """Send one HTTP request and return its answer, whatever the status.

    Args:
        repeatable: the request changes nothing, so it is sent again after a broken connection or a gateway error.
            Timeouts and refused certificates are never repeated.

    Raises:
        ConnectionFailed: C(details) has C(reason): timeout, tls, unreachable or protocol.
    """
    delay = RETRY_DELAY
    for attempt in range(RETRIES + 1 if repeatable else 1):
        if attempt:
            time.sleep(delay)
            delay *= 2
        try:
            answer = _once(target, method, url, headers, body)
        except ConnectionFailed as error:
            failure: ConnectionFailed | None = error
            if error.details["reason"] != "unreachable":
                raise
        else:
            failure = None
            if answer.status not in GATEWAY_ERRORS:
                break
    if failure is not None:
        raise failure
    return answer


def _once(target: Target, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
    parts = urlsplit(url)
    step = "connect"
    connection: http.client.HTTPConnection | None = None
    try:
        connection = _connection(target, parts.scheme, str(parts.hostname), parts.port)
        connection.connect()
        step = "answer"
        connection.sock.settimeout(target.read_timeout)
        request_path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, request_path, body=body, headers=dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.read())
    except ssl.SSLCertVerificationError as error:
        raise _failed(
            target,
            "tls",
            f"its certificate is not trusted ({error.verify_message}). Give the CA that signed it as ca_path"
            f"{' (now ' + target.ca_path + ')' if target.ca_path else ''}, or set validate_certs to false",
        ) from None
    except TimeoutError:
        limit = f"no connection within connect_timeout={target.connect_timeout:g} s"
        if step == "answer":
            limit = f"no answer within read_timeout={target.read_timeout:g} s"
        raise _failed(target, "timeout", limit) from None
    except ssl.SSLError as error:
        text = f"the TLS handshake failed ({error.reason or error}); does it speak https?"
        raise _failed(target, "tls", text) from None
    except socket.gaierror as error:
        raise _failed(target, "unreachable", f"its name cannot be resolved ({error.strerror})") from None
    except OSError as error:
        raise _failed(target, "unreachable", f"{error.strerror or error or type(error).__name__}") from None
    except http.client.HTTPException as error:
        raise _failed(target, "protocol", f"it does not answer in HTTP ({type(error).__name__}: {error})") from None
    finally:
        if connection is not None:
            connection.close()


def _connection(target: Target, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=target.connect_timeout, context=tls_context(target))
    return http.client.HTTPConnection(host, port, timeout=target.connect_timeout)


def tls_context(target: Target) -> ssl.SSLContext:
    """Return the TLS settings of a target.

    Raises:
        InvalidInput: ca_path holds no certificate.
    """
    if not target.validate_certs:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if target.ca_path is None:
        return ssl.create_default_context()
    try:
        if os.path.isdir(target.ca_path):
            return ssl.create_default_context(capath=target.ca_path)
        return ssl.create_default_context(cafile=target.ca_path)
    except OSError as error:
        raise InvalidInput(
            f"ca_path {target.ca_path!r} cannot be used: {error.strerror or error}; "
            "it has to be a PEM file, or a directory of PEM files named by hash.",
            details={"option": "ca_path"},
        ) from None


def _failed(target: Target, reason: str, text: str) -> ConnectionFailed:
    return ConnectionFailed(f"Cannot reach {target.url}: {text}.", details={"endpoint": target.url, "reason": reason})
