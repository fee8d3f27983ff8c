# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneGate as a VM uses it: against the stand-in's, and against servers that are silent, slow, refusing or another's."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from servers import Reply, Request, Responder, closed_port, http_server, silent_socket

from fact8ra_appliance.onegate import (
    NoService,
    OneGate,
    OneGateForeign,
    OneGateRefused,
    OneGateUnreachable,
    cleaned,
)
from fact8ra_lab.standin import gatetoken
from fact8ra_lab.standin.model import VM, User
from fact8ra_lab.standin.testing import StandIn


def gate(url: str, vm_id: int = 7, timeout: float = 2, pauses: tuple[float, ...] = ()) -> OneGate:
    """A client that does not wait between attempts."""
    return OneGate(url, "token", vm_id, timeout, pauses, lambda _seconds: None)


def answering(content: Any, status: int = 200) -> Responder:
    """The same answer to everything."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return lambda _request: (status, body)


_NETWORK = (
    'NAME="net"\nVN_MAD="bridge"\nBRIDGE="br0"\nNETWORK_MASK="255.255.255.0"\nAR=[TYPE="IP4",IP="10.0.0.10",SIZE="50"]'
)
_TEMPLATE = (
    'NAME="node"\nCPU="0.1"\nMEMORY="64"\nDISK=[IMAGE="flower-debian-12",IMAGE_UNAME="oneadmin"]\n'
    'NIC=[NETWORK="net"]\nCONTEXT=[TOKEN="YES"]'
)


@pytest.fixture(scope="module")
def cloud() -> Iterator[StandIn]:
    """A stand-in with a running service: VM 0 is its superlink, VMs 1 and 2 are supernodes, VM 3 is of no service."""
    with StandIn() as standin:
        standin.one("one.vn.allocate", _NETWORK, -1, user=standin.tenant)
        template = standin.one("one.template.allocate", _TEMPLATE, user=standin.tenant)
        roles = [
            {"name": name, "type": "vm", "cardinality": number, "template_id": template, "template_contents": {}}
            for name, number in (("superlink", 1), ("supernode", 2))
        ]
        roles[1]["parents"] = ["superlink"]
        body = {"name": "federation", "deployment": "straight", "roles": roles}
        made = _flow(standin, "/service_template", body)["DOCUMENT"]["ID"]
        _flow(standin, f"/service_template/{made}/action", {"action": {"perform": "instantiate", "params": {}}})
        pool = standin.site.cloud.pool(VM)
        standin.until(lambda: len(pool) == 3)
        standin.one("one.template.instantiate", template, "alone", False, "", False, user=standin.tenant)
        yield standin


def _flow(standin: StandIn, path: str, body: dict[str, Any]) -> Any:
    secret = base64.b64encode(":".join(standin.tenant).encode()).decode()
    request = urllib.request.Request(
        standin.flow_endpoint + path, json.dumps(body).encode(), {"Authorization": f"Basic {secret}"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def own(standin: StandIn, vm_id: int) -> OneGate:
    """OneGate as a VM of the stand-in sees it."""
    vm = standin.site.cloud.pool(VM)[vm_id]
    owner = standin.site.cloud.pool(User)[vm.uid]
    return OneGate(standin.gate_endpoint, gatetoken.token(owner, vm), vm_id)


class TestStandIn:
    def test_a_vm_sees_itself(self, cloud: StandIn) -> None:
        assert own(cloud, 0).vm()["ID"] == "0"

    def test_a_service_has_its_roles_with_what_each_vm_published(self, cloud: StandIn) -> None:
        own(cloud, 2).publish({"FLOWER_STATE": "ONLINE"})
        service = own(cloud, 0).service()
        assert [node.vm_id for node in service.roles["superlink"]] == [0]
        assert [(node.vm_id, node.index) for node in service.roles["supernode"]] == [(1, 0), (2, 1)]
        assert service.roles["supernode"][1].attributes["FLOWER_STATE"] == "ONLINE"
        assert service.cardinalities == {"superlink": 1, "supernode": 2}

    @pytest.mark.parametrize(
        "value",
        [
            'quote " and \\ and \\n',
            'x"\nREADY="YES',
            "[ A=B ]",
            "]]> <a> & é",
            "# no comment",
            "a=b=c",
            "",
            "  spaces   and\ttabs ",
        ],
    )
    def test_nothing_escapes_from_a_value(self, cloud: StandIn, value: str) -> None:
        before = set(own(cloud, 1).vm()["USER_TEMPLATE"]) | {"FLOWER_MESSAGE"}
        own(cloud, 1).publish({"FLOWER_MESSAGE": value})
        after = own(cloud, 1).vm()["USER_TEMPLATE"]
        assert after["FLOWER_MESSAGE"] == cleaned(value)
        assert set(after) == before

    def test_base64_stays_as_it_is(self, cloud: StandIn) -> None:
        text = "eyJh+/bc==" * 400
        own(cloud, 0).publish({"FLOWER_SUPERLINK": text})
        assert own(cloud, 1).service().roles["superlink"][0].attributes["FLOWER_SUPERLINK"] == text

    def test_a_token_that_is_not_the_vms_own_is_refused(self, cloud: StandIn) -> None:
        with pytest.raises(OneGateRefused, match=r"401.*TOKEN=YES"):
            gate(cloud.gate_endpoint, 1).vm()

    def test_what_is_said_to_be_written_and_is_not_is_refused(self, cloud: StandIn) -> None:
        cloud.faults.add({"no_ready": "superlink", "times": 1})
        with pytest.raises(OneGateRefused, match="wrote READY, and did not"):
            own(cloud, 0).publish({"READY": "YES"})

    def test_a_vm_of_no_service(self, cloud: StandIn) -> None:
        with pytest.raises(NoService, match="VM 3 belongs to no service"):
            own(cloud, 3).service()


class TestBadServers:
    def test_nobody_there(self) -> None:
        with pytest.raises(OneGateUnreachable, match="does not answer"):
            gate(f"http://127.0.0.1:{closed_port()}").vm()

    def test_silent(self) -> None:
        with silent_socket() as address, pytest.raises(OneGateUnreachable, match=r"no whole answer|timed out"):
            gate(f"http://{address}", timeout=0.2).vm()

    def test_one_that_drips_meets_no_time_out_of_a_socket_but_the_whole_calls(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        done = threading.Event()

        def drip() -> None:
            connection, _address = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while not done.wait(0.02):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            begun = time.monotonic()
            with pytest.raises(OneGateUnreachable, match=r"no whole answer within 0\.3 s"):
                gate(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.3).vm()
            assert time.monotonic() - begun < 5
        finally:
            done.set()
            thread.join()
            listener.close()

    def test_another_vms_data(self) -> None:
        with http_server(answering({"VM": {"ID": "8", "USER_TEMPLATE": {}}})) as server:
            with pytest.raises(OneGateForeign, match="answers for VM 8; this is VM 7"):
                gate(server.url).vm()
            with pytest.raises(OneGateForeign):
                gate(server.url).publish({"FLOWER_STATE": "READY"})

    def test_another_vms_service(self) -> None:
        nodes = [{"deploy_id": 8, "vm_info": {"VM": {"USER_TEMPLATE": {}}}}]
        body = {"SERVICE": {"id": "3", "name": "x", "roles": [{"name": "superlink", "nodes": nodes}]}}
        with http_server(answering(body)) as server, pytest.raises(OneGateForeign, match="VM 7 is not in"):
            gate(server.url).service()

    @pytest.mark.parametrize(
        "content", [b"<html>Log in</html>", b"[]", b"null", b'{"VM": 3}', b'{"SERVICE": {}}', b"\xff\xfe", b""]
    )
    def test_no_onegate(self, content: bytes) -> None:
        with http_server(answering(content)) as server:
            with pytest.raises(OneGateForeign):
                gate(server.url).vm()
            with pytest.raises(OneGateForeign):
                gate(server.url).service()

    def test_a_redirection_gets_no_token(self) -> None:
        with http_server(answering(b"", 302)) as server, pytest.raises(OneGateForeign, match="never redirects"):
            gate(server.url, pauses=(1, 1)).vm()
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [400, 401, 403, 404])
    def test_a_no_is_taken_at_once(self, status: int) -> None:
        with http_server(answering(b"no way", status)) as server, pytest.raises(OneGateRefused, match="no way"):
            gate(server.url, pauses=(1, 1)).vm()
        assert len(server.requests) == 1

    @pytest.mark.parametrize(("status", "kind"), [(500, OneGateRefused), (503, OneGateUnreachable)])
    def test_what_may_pass_is_tried_again(self, status: int, kind: type[Exception]) -> None:
        with http_server(answering(b"busy", status)) as server, pytest.raises(kind, match="busy"):
            gate(server.url, pauses=(1, 1)).vm()
        assert len(server.requests) == 3

    def test_the_second_attempt_counts(self) -> None:
        replies: list[Reply | None] = [None, (200, json.dumps({"VM": {"ID": "7"}}).encode())]

        def respond(_request: Request) -> Reply | None:
            return replies.pop(0)

        with http_server(respond) as server:
            assert gate(server.url, pauses=(1,)).vm() == {"ID": "7"}

    @pytest.mark.parametrize("endpoint", ["ftp://192.0.2.1", "192.0.2.1:5030", "http://", "http://x:port"])
    def test_an_address_that_is_none(self, endpoint: str) -> None:
        with pytest.raises(OneGateUnreachable, match="does not answer"):
            gate(endpoint).vm()

    def test_an_old_onegate_is_asked_vm_by_vm(self) -> None:
        def respond(request: Request) -> Reply:
            if request.path == "/vms/7":
                return 200, json.dumps({"VM": {"ID": "7", "NAME": "n", "USER_TEMPLATE": {"A": "b"}}}).encode()
            nodes = [{"deploy_id": 7, "vm_info": {"VM": {"ID": "7"}}}]
            role = {"name": "superlink", "nodes": nodes}
            return 200, json.dumps({"SERVICE": {"id": "3", "name": "x", "roles": [role]}}).encode()

        with http_server(respond) as server:
            assert gate(server.url).service().roles["superlink"][0].attributes == {"A": "b"}

    def test_names_of_attributes_are_judged(self) -> None:
        with pytest.raises(ValueError, match="capitals"):
            gate("http://127.0.0.1:1").publish({"A=B": "c"})


@pytest.mark.parametrize("text", ["READY=YES", "x READY=YES y", "ready = yes", 'A="READY=YES"'])
def test_no_value_opens_oneflows_gate(text: str) -> None:
    assert "READY=YES" not in cleaned(text).upper()
