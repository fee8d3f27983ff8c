# SPDX-License-Identifier: Apache-2.0
"""The SuperLink's port, attacked with requests by a host whose key is registered."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any

import pytest
from adversary import Host, World
from promises import Attempt, promise

pytestmark = [pytest.mark.lab, pytest.mark.root]

CONTROL = "/v1/control/list-nodes"
TYPE = "Host: superlink\r\nContent-Type: application/protobuf\r\n"
REACHED = re.compile(r'"[A-Z]+ \S*/v1/(control|runtime)/\S*|/docs|/openapi.json|"[A-Z]+ /health')


def post(path: str, headers: str = "", version: str = "1.1", method: str = "POST", body: str = "") -> str:
    """A request, as text."""
    size = f"Content-Length: {len(body)}\r\n" if "ransfer-" not in headers and "ontent-Length" not in headers else ""
    return f"{method} {path} HTTP/{version}\r\n{TYPE}{headers}{size}Connection: close\r\n\r\n{body}"


_INNER = f"POST {CONTROL} HTTP/1.1\r\n{TYPE}Content-Length: 0\r\n\r\n"
_CHUNKED = f"0\r\n\r\n{_INNER}"
_FLEET = "/v1/fleet/activate-node"
FAMILIES: dict[str, list[str]] = {
    "the other paths, as they are": [
        post(path) for path in (CONTROL, "/v1/control/start-run", "/v1/runtime/acquire-task", "/docs", "/openapi.json")
    ]
    + [post(path, method="GET") for path in ("/", "/health", "/docs", "/openapi.json", "/metrics", "/v1/", CONTROL)],
    "detours through /v1/fleet/ by dots and slashes": [
        post(path)
        for path in (
            f"/{CONTROL}",
            "/v1//control/list-nodes",
            "/v1/fleet/../control/list-nodes",
            "/v1/fleet/./../control/list-nodes",
            "/v1/fleet//../../control/list-nodes",
            "/v1/fleet/..//control/list-nodes",
            "/v1/fleet/..;/control/list-nodes",
            "/v1/fleet/..\\control\\list-nodes",
            "/v1/fleet/x/../../control/list-nodes?/v1/fleet/",
            "/v1/fleet/#/../control/list-nodes",
        )
    ],
    "detours through /v1/fleet/ by percent signs": [
        post(path)
        for path in (
            "/v1/fleet/%2e%2e/control/list-nodes",
            "/v1/fleet/%2E%2e%2fcontrol/list-nodes",
            "/v1/fleet/..%2fcontrol%2flist-nodes",
            "/v1/fleet%2f..%2fcontrol/list-nodes",
            "/v1/fleet/%252e%252e/control/list-nodes",
            "/v1/fleet/%252e%252e%252fcontrol/list-nodes",
            "/v1/fleet/..%5ccontrol/list-nodes",
            "/v1/fleet/%c0%ae%c0%ae/control/list-nodes",
            "/v1/fleet/..%00/control/list-nodes",
            "/v1/fleet/..%0d%0aX:/control/list-nodes",
            "/v1/%63ontrol/list-nodes",
        )
    ],
    "absolute form, other hosts, HTTP/1.0, other methods": [
        post(f"https://127.0.0.1:8000{CONTROL}"),
        post(f"http://127.0.0.1:8000{CONTROL}"),
        post(CONTROL, "X-Original-URL: /v1/fleet/x\r\nX-Rewrite-URL: /v1/fleet/x\r\n"),
        post(_FLEET, f"X-Original-URL: {CONTROL}\r\nX-Rewrite-URL: {CONTROL}\r\nX-Forwarded-Prefix: /v1/control\r\n"),
        post(CONTROL, version="1.0"),
        f"POST {CONTROL} HTTP/1.0\r\n\r\n",
        f"POST {CONTROL} HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        post(_FLEET, method="GET"),
        post(_FLEET, method="PUT"),
        post("127.0.0.1:8000", method="CONNECT"),
        post(_FLEET, "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n") + _INNER,
        post(CONTROL, "X-HTTP-Method-Override: POST\r\n", method="OPTIONS"),
    ],
    "smuggling by Content-Length and Transfer-Encoding": [
        post(_FLEET, f"Content-Length: {len(_CHUNKED)}\r\nTransfer-Encoding: chunked\r\n", body=_CHUNKED),
        post(_FLEET, "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", body=_CHUNKED),
        post(_FLEET, "Transfer-Encoding: chunked\r\n", body=_CHUNKED),
        post(_FLEET, "Transfer-Encoding : chunked\r\n", body=_CHUNKED),
        post(_FLEET, "Transfer-Encoding: xchunked\r\n", body=_CHUNKED),
        post(_FLEET, "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", body=_CHUNKED),
        post(_FLEET, "Transfer-Encoding:\x0bchunked\r\nContent-Length: 5\r\n", body=_CHUNKED),
        post(_FLEET, f"Content-Length: 0\r\nContent-Length: {len(_INNER)}\r\n", body=_INNER),
        post(_FLEET, f"Content-Length: +{len(_INNER)}\r\n", body=_INNER),
        post(_FLEET, "Content-Length: 0\r\n", body=_INNER),
        post(_FLEET, "Transfer-Encoding: chunked\r\n", body=f"1;x=\n\r\nA\r\n0\r\nX: y\r\n\r\n{_INNER}"),
        _INNER + post(_FLEET),
    ],
}


def sent(host: Host, requests: Iterable[str]) -> list[dict[str, Any]]:
    """What the SuperLink answers this SuperNode's host."""
    encoded = [base64.b64encode(each.encode("latin-1")).decode() for each in requests]
    found: list[dict[str, Any]] = host.attack("requests", *host.superlink, "/etc/flower/trust.crt", encoded)
    return found


def asked(superlink: Host, cursor: str) -> list[str]:
    """What the SuperLink's own log says was asked of it after a place in the journal, but the Fleet API."""
    log = superlink.run(f"journalctl -u flower-superlink --after-cursor='{cursor}' --no-pager -o cat").stdout
    return [line for line in log.splitlines() if REACHED.search(line)]


@promise("The SuperLink's port gives the Fleet API and nothing else.", attempt="{family}")
@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_but_fleet_passes(world: World, attempt: Attempt, family: str) -> None:
    node, superlink = world.ours.supernodes[-1], world.ours.superlink
    shown = superlink.run("journalctl -n 1 --show-cursor --no-pager -o cat").stdout
    cursor = shown.rpartition("-- cursor: ")[2].strip()
    (passed,) = sent(node, [post(_FLEET)])
    # 401 is Flower's own word, for a request that nobody signed.
    attempt.control(passed["statuses"] == [401], f"/v1/fleet/ unsigned: Flower answers {passed['statuses']}")
    superlink.run(
        f"curl -s --cacert /etc/flower/trust.crt -X POST -H 'Content-Type: application/protobuf' "
        f"https://127.0.0.1:8000{CONTROL} -o /dev/null"
    )
    attempt.control(len(asked(superlink, cursor)) == 1, "on the SuperLink's host the Control API answers")
    answers = sent(node, FAMILIES[family])
    statuses = sorted({status for each in answers for status in each["statuses"]})
    reached = asked(superlink, cursor)[1:]
    attempt.outcome(f"{len(answers)} requests: {', '.join(map(str, statuses))}; {len(reached)} reached another API")
    assert reached == []
    assert statuses
    assert statuses[0] >= 400, "nothing is served, nor redirected"
