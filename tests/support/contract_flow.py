# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneFlow of a stand-in, asked without any client of the project: what comes back is what was sent."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fact8ra_lab.standin.testing import StandIn

NETWORK = 'NAME="net"\nVN_MAD="bridge"\nBRIDGE="b"\nAR=[TYPE="IP4",IP="10.0.0.1",SIZE="99"]'


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    kind: str | None
    text: str

    @property
    def data(self) -> Any:
        """The JSON of the text."""
        return json.loads(self.text)

    @property
    def id(self) -> int:
        """The id of the document that was answered."""
        return int(self.data["DOCUMENT"]["ID"])

    @property
    def body(self) -> dict[str, Any]:
        """The BODY of the document that was answered."""
        found: dict[str, Any] = self.data["DOCUMENT"]["TEMPLATE"]["BODY"]
        return found


class FlowApi:
    """Requests as the administrator or another user, and the objects that most of them need."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.net = standin.one("one.vn.allocate", NETWORK, -1)
        self.vm_template = standin.one("one.template.allocate", 'NAME="node"\nCPU="0.1"\nMEMORY="16"')

    def ask(
        self, verb: str, path: str, body: Any = None, user: tuple[str, str] | None = None, login: bool = True
    ) -> Reply:
        """One request; a text is sent as it is."""
        address = urlsplit(self.standin.flow_endpoint)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=20)
        secret = base64.b64encode(":".join(user or self.standin.admin).encode()).decode()
        headers = {"Authorization": f"Basic {secret}"} if login else {}
        try:
            connection.request(verb, path, body if isinstance(body, str | None) else json.dumps(body), headers)
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheader("Content-Type"), answer.read().decode())
        finally:
            connection.close()

    def act(self, path: str, perform: str, params: Any = None, user: tuple[str, str] | None = None) -> Reply:
        """An action; without ``params`` the key is left out."""
        action = {"perform": perform} | ({} if params is None else {"params": params})
        return self.ask("POST", f"{path}/action", {"action": action}, user)

    def role(self, name: str = "web", **more: Any) -> dict[str, Any]:
        """A role of one VM that may have up to five."""
        known = {"name": name, "type": "vm", "template_id": self.vm_template, "cardinality": 1, "min_vms": 1}
        return known | {"max_vms": 5, "cooldown": 1} | more

    def define(self, *roles: dict[str, Any], **more: Any) -> int:
        """A service template; returns its id."""
        body = {"name": "svc", "deployment": "straight", "roles": list(roles) or [self.role()]} | more
        answer = self.ask("POST", "/service_template", body)
        assert answer.status == 201, answer
        return answer.id

    def instantiate(self, template: int, **merge: Any) -> Reply:
        """Instantiates a service template."""
        return self.act(f"/service_template/{template}", "instantiate", {"merge_template": {"name": "run"} | merge})

    def start(self, *roles: dict[str, Any], **more: Any) -> int:
        """A new service; returns its id."""
        answer = self.instantiate(self.define(*roles, **more))
        assert answer.status == 201, answer
        return answer.id

    def run(self, *roles: dict[str, Any], **more: Any) -> int:
        """A service that runs; returns its id."""
        service = self.start(*roles, **more)
        self.reach(service, 2)
        return service

    def service(self, number: int) -> dict[str, Any] | None:
        """The body of a service, or None where it is gone."""
        answer = self.ask("GET", f"/service/{number}")
        return answer.body if answer.status == 200 else None

    def state(self, number: int) -> int | None:
        """The state of a service, or None where it is gone."""
        body = self.service(number)
        return body["state"] if body else None

    def reach(self, number: int, state: int | None) -> dict[str, Any]:
        """Waits for a state, None for gone."""
        self.standin.until(lambda: self.state(number) == state)
        return self.service(number) or {}

    def vms(self, number: int, role: int = 0) -> list[int]:
        """The VMs of a role."""
        return [node["deploy_id"] for node in (self.service(number) or {})["roles"][role]["nodes"]]
