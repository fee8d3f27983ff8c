# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The client of oned with the real pyone, against a server on loopback."""

from __future__ import annotations

import builtins
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Reply, Request, Server, http_server, oned, self_signed, silent_socket

from ansible_collections.fact8ra.flower.plugins.module_utils import _errors, _http
from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import (
    Client,
    as_dict,
    as_int,
    as_list,
)

NETWORK = (
    "<VNET><ID>0</ID><NAME>flower</NAME><PARENT_NETWORK_ID/><TEMPLATE><A><![CDATA[<&>]]></A><B><![CDATA[]]></B></TEMPLATE>"
    "<AR_POOL><AR><AR_ID>0</AR_ID></AR><AR><AR_ID>1</AR_ID></AR></AR_POOL></VNET>"
)


def _target(url: str, **more: Any) -> Target:
    return Target(**{"url": url, "username": "flower", "password": "sec:ret", "read_timeout": 5.0, **more})


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http, "RETRY_DELAY", 0.0)


@pytest.fixture
def answering() -> Iterator[Callable[[Any], tuple[Client, Server]]]:
    """A client of a server that always gives one answer: [success, value, code]."""
    opened: list[Any] = []

    def start(answer: Any) -> tuple[Client, Server]:
        manager = http_server(oned(lambda _method, _params: answer))
        opened.append(manager)
        server = manager.__enter__()
        return Client(_target(server.url + "/RPC2")), server

    yield start
    for manager in opened:
        manager.__exit__(None, None, None)


Answering = Callable[[Any], tuple[Client, Server]]


def test_a_call_carries_session_and_parameters(answering: Answering) -> None:
    client, server = answering([True, 7, 0])
    assert client.call("vn.allocate", 'NAME="x"', -1, what="create") == 7
    params, method = xmlrpc.client.loads(server.requests[0].body.decode())
    assert (method, params) == ("one.vn.allocate", ("flower:sec:ret", 'NAME="x"', -1))
    assert server.requests[0].path == "/RPC2"


def test_xml_becomes_a_plain_dict(answering: Answering) -> None:
    client, _server = answering([True, NETWORK, 0])
    network = client.call("vn.info", 0, False, what="read")
    assert network == {
        "ID": "0",
        "NAME": "flower",
        "PARENT_NETWORK_ID": "",
        "TEMPLATE": {"A": "<&>", "B": ""},
        "AR_POOL": {"AR": [{"AR_ID": "0"}, {"AR_ID": "1"}]},
    }


def test_xml_is_to_be_had_as_an_element(answering: Answering) -> None:
    client, _server = answering([True, NETWORK, 0])
    assert client.element("vn.info", 0, False, what="read").findtext("NAME") == "flower"


@pytest.mark.parametrize(("value", "expected"), [("", ""), ("7.4.0", "7.4.0"), (0, 0), (True, True)])
def test_other_answers_come_as_they_are(answering: Answering, value: Any, expected: Any) -> None:
    client, _server = answering([True, value, 0])
    assert client.call("system.version", what="ask") == expected


def test_an_element_that_is_none_is_an_error(answering: Answering) -> None:
    client, _server = answering([True, 7, 0])
    with pytest.raises(_errors.ConnectionFailed, match=r"answered with '7' to one\.vn\.info"):
        client.element("vn.info", 7, what="read")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (0x0100, _errors.AuthenticationFailed),
        (0x0200, _errors.NotAuthorized),
        (0x0400, _errors.NotFound),
        (0x0800, _errors.Refused),
        (0x1000, _errors.Refused),
        (0x2000, _errors.Refused),
        (0x4000, _errors.Refused),
    ],
)
def test_errors_quote_the_server_and_name_endpoint_and_object(
    answering: Answering, code: int, error: type[_errors.OpenNebulaError]
) -> None:
    client, server = answering([False, "[one.vn.info] The reason.", code])
    with pytest.raises(error) as caught:
        client.call("vn.info", 4, what="read virtual network 4")
    assert caught.type is error
    assert caught.value.message.startswith(f"{server.url}/RPC2: could not read virtual network 4")
    assert caught.value.message.endswith(": [one.vn.info] The reason.")
    assert caught.value.as_failure() == {
        "code": error.code,
        "object": "virtual network",
        "id": 4,
        "operation": "one.vn.info",
        "server_message": "[one.vn.info] The reason.",
        "details": {"endpoint": f"{server.url}/RPC2"},
    }
    assert "sec:ret" not in caught.value.message


def test_a_refused_login_names_the_user(answering: Answering) -> None:
    client, _server = answering([False, "[one.vn.info] User couldn't be authenticated, aborting call.", 0x0100])
    with pytest.raises(_errors.AuthenticationFailed, match=r"\(user 'flower'\): .*couldn't be authenticated"):
        client.call("vn.info", 4, what="read")


def test_a_fault_is_a_refusal() -> None:
    fault = xmlrpc.client.dumps(xmlrpc.client.Fault(-506, "Method 'one.vn.nope' not defined")).encode()
    with http_server(lambda _: (200, fault)) as server:
        client = Client(_target(server.url))
        with pytest.raises(_errors.Refused, match=r"Method 'one\.vn\.nope' not defined"):
            client.call("vn.nope", what="try")


@pytest.mark.parametrize(
    "reply",
    [
        (404, b"<h1>Not Found</h1>"),
        (200, b"<html>hello</html>"),
        (200, b"hello"),
        (200, b""),
        (200, xmlrpc.client.dumps(("text",), methodresponse=True).encode()),
        (200, xmlrpc.client.dumps(([True, "<VNET><ID>"],), methodresponse=True).encode()),
    ],
)
def test_what_is_no_opennebula_is_said_so(reply: Reply) -> None:
    with http_server(lambda _: reply) as server, pytest.raises(_errors.ConnectionFailed, match=server.url) as caught:
        Client(_target(server.url)).call("vn.info", 0, what="read")
    assert caught.value.details["reason"] == "protocol"


def _first_broken(method: str) -> tuple[Callable[[Request], Reply | None], list[str]]:
    seen: list[str] = []
    good = oned(lambda _method, _params: [True, 3, 0])

    def respond(request: Request) -> Reply | None:
        seen.append(method)
        return None if len(seen) == 1 else good(request)

    return respond, seen


def test_reading_is_repeated_after_a_broken_connection_and_writing_is_not() -> None:
    respond, seen = _first_broken("read")
    with http_server(respond) as server:
        assert Client(_target(server.url)).call("vnpool.info", -2, -1, -1, what="list") == 3
    assert len(seen) == 2
    respond, seen = _first_broken("write")
    with http_server(respond) as server, pytest.raises(_errors.ConnectionFailed):
        Client(_target(server.url)).call("vn.allocate", "", -1, what="create")
    assert len(seen) == 1


def test_a_silent_server_costs_no_more_than_the_timeout() -> None:
    with silent_socket() as address:
        client = Client(_target(f"http://{address}/RPC2", read_timeout=0.3))
        began = time.monotonic()
        with pytest.raises(_errors.ConnectionFailed, match=r"no answer within read_timeout=0\.3 s"):
            client.call("vn.info", 0, what="read")
        assert time.monotonic() - began < 10


def test_certificates_are_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = self_signed(tmp_path)
    # the variable that the HTTP library of pyone would follow
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate.cert))
    with http_server(oned(lambda _method, _params: [True, "7.4.0", 0]), certificate) as server:
        with pytest.raises(_errors.ConnectionFailed, match="certificate is not trusted"):
            Client(_target(server.url)).call("system.version", what="ask")
        for trust in ({"ca_path": str(certificate.cert)}, {"validate_certs": False}):
            assert Client(_target(server.url, **trust)).call("system.version", what="ask") == "7.4.0"


def test_a_missing_pyone_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pyone" or name.startswith("pyone."):
            raise ImportError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(
        _errors.MissingLibrary, match=r"Failed to import the required Python library \(pyone\)"
    ) as caught:
        Client(_target("http://127.0.0.1:1"))
    assert caught.value.details["import_error"] == "ImportError: No module named 'pyone'"


def test_old_releases_of_pyone_have_the_server_elsewhere(monkeypatch: pytest.MonkeyPatch, answering: Answering) -> None:
    import pyone

    # the class itself, where today's releases have a factory; with an old release installed nothing is simulated
    server_class = getattr(pyone, "server_xrpc", pyone)
    old = getattr(server_class, "OneServerXRPC", pyone.OneServer)
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pyone.server_xrpc":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(pyone, "OneServer", old)
    client, _server = answering([True, 5, 0])
    assert client.call("vn.rename", 5, "x", what="rename") == 5


def test_ragged_answers_are_read_alike() -> None:
    assert as_list({"P": ""}, "P", "AR") == []
    assert as_list({}, "P", "AR") == []
    assert as_list({"P": {"AR": {"ID": "0"}}}, "P", "AR") == [{"ID": "0"}]
    assert as_list({"P": {"AR": [{"ID": "0"}, {"ID": "1"}]}}, "P", "AR") == [{"ID": "0"}, {"ID": "1"}]
    assert as_list({"IDS": {"ID": ["1", ""]}}, "IDS", "ID") == ["1"]
    assert as_dict({"T": ""}, "T") == {}
    assert as_dict({"T": {"A": "1"}}, "T") == {"A": "1"}
    assert (as_int("0"), as_int(""), as_int(None)) == (0, None, None)


def test_the_version_is_asked_once(answering: Answering) -> None:
    client, server = answering([True, "6.10.0", 0])
    assert [client.version, client.version] == ["6.10.0", "6.10.0"]
    assert len(server.requests) == 1


def test_an_empty_text_is_an_answer(answering: Answering) -> None:
    # pyone looks at the first character of a text, which an empty one has not
    client, _server = answering([True, "", 0])
    assert client.call("vn.info", 4, what="read") == ""


def test_a_password_with_colons_is_sent_whole(answering: Answering) -> None:
    client, server = answering([True, 1, 0])
    Client(_target(client.target.url, password="a:b:c:")).call("vn.lock", 4, 2, False, what="lock")
    assert xmlrpc.client.loads(server.requests[0].body)[0][0] == "flower:a:b:c:"


@pytest.mark.parametrize("protocol", ["grpc", ""])
def test_neither_grpc_nor_the_environment_changes_the_way_to_the_server(
    answering: Answering, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.setenv("ONEAPI_PROTOCOL", protocol)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("PYONE_TEST_FIXTURE", "1")
    _client, server = answering([True, "7.4.0", 0])
    # no RPC2 in it, which newer releases take for a gRPC endpoint
    assert Client(_target(f"{server.url}/one")).version == "7.4.0"
    assert [request.path for request in server.requests] == ["/one"]
