# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Replaying the recorded conversation with a stand-in."""

from __future__ import annotations

import base64
import http.client
import json
import re
import time
import xmlrpc.client
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from xml.etree import ElementTree

from contract_compare import Answer

from fact8ra_lab.standin.testing import StandIn

RECORDING: Final = Path(__file__).parents[1] / "contract" / "opennebula-7.4.0.jsonl"
#: The recorded servers' addresses, which stand for the stand-in's own.
_RECORDED_GATE: Final = "http://127.0.0.1:5030"
_RECORDED_FLOW: Final = "http://127.0.0.1:2474"

#: What the recorded server held before the conversation, made by its administrator.
_BEFORE: Final = (
    (
        "one.vn.allocate",
        'NAME="net0"\nVN_MAD="dummy"\nBRIDGE="br0"\nNETWORK_ADDRESS="10.0.0.0"\nNETWORK_MASK="255.255.255.0"\n'
        'GATEWAY="10.0.0.1"\nDNS="10.0.0.1"\nAR=[TYPE="IP4",IP="10.0.0.10",SIZE="200"]',
        -1,
    ),
    ("one.image.allocate", 'NAME="img0"\nTYPE="OS"\nPATH="/etc/hostname"', 1),
    (
        "one.template.allocate",
        'NAME="tmpl0"\nCPU="0.1"\nVCPU="1"\nMEMORY="64"\nDISK=[IMAGE="img0"]\nNIC=[NETWORK="net0"]\n'
        'CONTEXT=[NETWORK="YES"]',
    ),
    ("one.template.allocate", 'NAME="tiny"\nCPU="0.1"\nMEMORY="16"'),
)
#: Before this step the recorder removed what the conversation had left, without recording it: the machines of a service
#: that was never deleted, and those that a second DELETE of a service had orphaned.
_CLEANED_BEFORE: Final = "vnet free reservation"
_IMAGE_LOCKED: Final = "4"
#: The recorder waited here until the scheduler had looked at the VM.
_SCHEDULED_BEFORE: Final = "gpu: vm that no host can take"


def steps() -> list[dict[str, Any]]:
    """All steps of the recording."""
    return [json.loads(line) for line in RECORDING.read_text(encoding="utf-8").splitlines()]


def contract_standin() -> StandIn:
    """A stand-in like the recorded server: no tenant yet, a cooldown of 5 s, and slow enough to meet it in between."""
    timers = {
        "schedule": 0.15,
        "action": 0.1,
        "shutdown": 0.25,
        "network": 0.03,
        "image": 0.1,
        "poll": 0.02,
        "cooldown_scale": 0.05,
    }
    return StandIn(seed={"oneadmin_password": StandIn.admin[1]}, timers=timers)


class Replay:
    """One conversation: what the server answered to each step, by the step's name."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.names: dict[str, int] = {}
        self.answers: dict[str, Answer] = {}
        self._rpc = xmlrpc.client.ServerProxy(standin.endpoint, allow_none=True)
        flow = urlsplit(standin.flow_endpoint)
        self._flow = http.client.HTTPConnection(str(flow.hostname), flow.port, timeout=30)
        self._observers = self._make_observers()

    def close(self) -> None:
        """Closes the connections."""
        self._rpc("close")()
        self._flow.close()

    def run(self, recorded: list[dict[str, Any]]) -> None:
        """Replays all steps."""
        for method, *params in _BEFORE:
            self._admin(str(method), *params)
        self._until(lambda: "<STATE><![CDATA[1]]>" in self._admin("one.vn.info", 0, False))
        self._until(lambda: "<STATE>1</STATE>" in self._admin("one.image.info", 0, False))
        for step in recorded:
            if step["step"] == _CLEANED_BEFORE:
                self._clean()
            if step["step"] == _SCHEDULED_BEFORE:
                vm = self.names["vm_nogpu"]
                self._until(lambda number=vm: "SCHED_MESSAGE" in self._admin("one.vm.info", number, False))  # type: ignore[misc]
            if step.get("method") in ("one.vn.info", "one.vnpool.info"):
                self._until(self._networks_settled)
            self.answers[step["step"]] = self._play(step)

    # One step.

    def _play(self, step: dict[str, Any]) -> Answer:
        if step["api"] == "xmlrpc":
            return self._play_rpc(step)
        if step["api"] == "rest":
            return self._play_rest(step)
        if step["api"] == "observed":
            return self._observers[step["step"]](step["states"])
        assert step["api"] == "setup", f"unknown kind of step {step['api']}"
        for group in step["groups"]:
            self._let_create(self._bind(group), step["create"])
        return Answer()

    def _play_rpc(self, step: dict[str, Any]) -> Answer:
        session = ":".join(self.standin.admin) if step["user"] == "admin" else step["user"]
        raw = getattr(self._rpc, step["method"])(session, *self._bind(step["params"]))
        if step["save"] and raw[0]:
            self.names[step["save"]] = raw[1]
        result = raw[1]
        if isinstance(result, str):
            result = result.replace(self.standin.gate_endpoint, _RECORDED_GATE)
        return Answer(ok=raw[0], result=result, errno=raw[2] if not raw[0] else None)

    def _play_rest(self, step: dict[str, Any]) -> Answer:
        body = step["raw"] if step["body"] is None else json.dumps(self._bind(step["body"]))
        user = ":".join(self.standin.admin) if step["user"] == "admin" else step["user"]
        answer = self._rest(step["verb"], self._bind(step["path"]), body, user)
        if step["save"] and answer.status in (200, 201):
            self.names[step["save"]] = int(json.loads(answer.text or "")["DOCUMENT"]["ID"])
        return answer

    def _rest(self, verb: str, path: str, body: str | None, user: str) -> Answer:
        headers = {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()}
        self._flow.request(verb, path, body, headers)
        answer = self._flow.getresponse()
        text = answer.read().decode().replace(self.standin.flow_endpoint, _RECORDED_FLOW)
        return Answer(status=answer.status, content_type=answer.getheader("Content-Type"), text=text)

    def _bind(self, value: Any) -> Any:
        """The value with ${name} replaced by the stand-in's own id: a number where it stands alone."""
        if isinstance(value, list):
            return [self._bind(item) for item in value]
        if isinstance(value, dict):
            return {key: self._bind(item) for key, item in value.items()}
        if not isinstance(value, str):
            return value
        alone = re.fullmatch(r"\$\{(\w+)\}", value)
        if alone:
            return self.names[alone[1]]
        return re.sub(r"\$\{(\w+)\}", lambda found: str(self.names[found[1]]), value)

    # What the recorder did beside the conversation.

    def _admin(self, method: str, *params: Any) -> Any:
        return self.standin.one(method, *params)

    def _let_create(self, group: int, kinds: list[str]) -> None:
        bits = {
            "VM": 0x1000000000,
            "IMAGE": 0x8000000000,
            "TEMPLATE": 0x20000000000,
            "DOCUMENT": 0x400000000000,
            "SECGROUP": 0x1000000000000,
        }
        resource = sum(bits[kind] for kind in kinds) | 0x400000000
        self._admin("one.acl.addrule", f"{0x200000000 | group:x}", f"{resource:x}", "8", "100000000")

    def _networks_settled(self) -> bool:
        """The recorded server had its networks ready before the next call, but for the one that was observed."""
        return "<STATE><![CDATA[2]]>" not in self._admin("one.vnpool.info", -2, -1, -1)

    def _clean(self) -> None:
        for document in json.loads(self._rest("GET", "/service", None, ":".join(self.standin.admin)).text or "")[
            "DOCUMENT_POOL"
        ].get("DOCUMENT", []):
            self._rest("DELETE", f"/service/{document['ID']}", None, ":".join(self.standin.admin))
        for vm in ElementTree.fromstring(self._admin("one.vmpool.info", -2, -1, -1, -1, "")):
            if vm.findtext("LCM_STATE") != "12":
                self._admin("one.vm.action", "terminate-hard", int(vm.findtext("ID") or -1))
        self._until(lambda: "<VM>" not in self._admin("one.vmpool.info", -2, -1, -1, -1, ""))

    # Observations.

    @staticmethod
    def _until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the stand-in did not get where the recorded server was"
            time.sleep(0.005)

    @staticmethod
    def _watch(probe: Callable[[], Any], recorded: list[Any], seconds: float = 10.0) -> Answer:
        """The states that were seen until the last recorded one."""
        seen: list[Any] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            state = probe()
            if not seen or seen[-1] != state:
                seen.append(state)
            if state == recorded[-1]:
                break
            time.sleep(0.003)
        return Answer(states=seen)

    def _vm_state(self, name: str) -> Callable[[], list[str]]:
        def probe() -> list[str]:
            vm = ElementTree.fromstring(self._admin("one.vm.info", self.names[name], False))
            return [vm.findtext("STATE") or "", vm.findtext("LCM_STATE") or ""]

        return probe

    def _body(self, name: str) -> dict[str, Any] | None:
        answer = self._rest("GET", f"/service/{self.names[name]}", None, ":".join(self.standin.admin))
        if answer.status == 404:
            return None
        body: dict[str, Any] = json.loads(answer.text or "")["DOCUMENT"]["TEMPLATE"]["BODY"]
        return body

    def _service_state(self, name: str) -> Callable[[], int | None]:
        def probe() -> int | None:
            body = self._body(name)
            return None if body is None else int(body["state"])

        return probe

    def _nodes(self, name: str) -> list[int]:
        roles = (self._body(name) or {"roles": []})["roles"]
        return [node["deploy_id"] for role in roles for node in role.get("nodes", [])]

    def _first_gated_vm(self, recorded: list[Any]) -> Answer:
        def probe() -> int | None:
            nodes = self._nodes("svc_gate")
            return recorded[-1] if nodes else None

        answer = self._watch(probe, recorded)
        self.names["gated_vm"] = self._nodes("svc_gate")[0]
        return answer

    def _stays(self, name: str, recorded: list[Any]) -> Answer:
        """Nothing changes for as long as the stand-in takes for any step."""
        end = time.monotonic() + 0.5
        probe = self._service_state(name)
        seen: list[Any] = []
        while time.monotonic() < end:
            state = probe()
            if not seen or seen[-1] != state:
                seen.append(state)
            time.sleep(0.02)
        return Answer(states=seen)

    def _all_ready(self, recorded: list[Any]) -> Answer:
        """The recorder set READY=YES on every VM as it came."""
        reported: set[int] = set()

        def report() -> bool:
            for number in set(self._nodes("svc_gate")) - reported:
                self._admin("one.vm.update", number, 'READY="YES"', 1)
                reported.add(number)
            return self._service_state("svc_gate")() != 1

        self._until(report)
        return self._watch(self._service_state("svc_gate"), recorded)

    def _gone(self, name: str) -> Callable[[list[Any]], Answer]:
        def observe(recorded: list[Any]) -> Answer:
            self._admin("one.vm.action", "terminate-hard", self.names[name])
            return self._watch(self._vm_state(name), recorded)

        return observe

    def _image_ready(self, recorded: list[Any]) -> Answer:
        """The recorder first looked when the image was copied."""
        probe = self._attribute("one.image.info", "image", "STATE")
        self._until(lambda: probe() != _IMAGE_LOCKED)
        return self._watch(probe, recorded)

    def _vnet_exists(self) -> bool:
        try:
            self._admin("one.vn.info", self.names["vnet"], False)
        except RuntimeError:
            return False
        return True

    def _attribute(self, method: str, name: str, path: str) -> Callable[[], str]:
        return lambda: ElementTree.fromstring(self._admin(method, self.names[name], False)).findtext(path) or ""

    def _make_observers(self) -> dict[str, Callable[[list[Any]], Answer]]:
        def vm(name: str) -> Callable[[list[Any]], Answer]:
            return lambda recorded: self._watch(self._vm_state(name), recorded)

        def service(name: str) -> Callable[[list[Any]], Answer]:
            return lambda recorded: self._watch(self._service_state(name), recorded)

        return {
            "vnet state after create": lambda recorded: self._watch(
                self._attribute("one.vn.info", "vnet", "STATE"), recorded
            ),
            "image state after create": self._image_ready,
            "vm states to running": vm("vm"),
            "vm states to poweroff": vm("vm"),
            "vm states resume": vm("vm"),
            "vm states to done": vm("vm"),
            "gpu: vm states": vm("vm_gpu"),
            "gpu: vm_gpu gone": self._gone("vm_gpu"),
            "gpu: vm_nogpu gone": self._gone("vm_nogpu"),
            "service states to running": service("svc"),
            "service states scale up": service("svc"),
            "service states scale down": service("svc"),
            "service states undeploy": service("svc"),
            "gated: first vm": self._first_gated_vm,
            "gated: vm running": vm("gated_vm"),
            "gated: service after FL_READY=YES": lambda recorded: self._stays("svc_gate", recorded),
            "gated: service after READY=YES": self._all_ready,
            "gated: undeploy": service("svc_gate"),
            "service states with reservation": service("svc_res"),
            "service states reservation undeploy": service("svc_res"),
            "service states ghost": lambda recorded: self._stays("svc_ghost", recorded),
            "service states ghost gone": service("svc_ghost"),
            "vnet gone": lambda recorded: self._watch(self._vnet_exists, recorded),
        }
