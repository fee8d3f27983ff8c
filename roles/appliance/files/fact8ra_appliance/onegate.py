# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneGate, where a VM reads and writes what OpenNebula shows of it.

Source of the calls: src/onegate/onegate-server.rb of OpenNebula 7.4. What it says is never a source of trust: every VM
of a service may write to its siblings.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

#: Pauses between attempts, in seconds: three attempts within some two seconds.
PAUSES: Final = (0.5, 1.5)
_MOST_BYTES: Final = 4 << 20
_NAME: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
# Without quotes an equals sign within is as good as any letter; with them it ends the value.
_NOTHING: Final = '""'
_SPOILT: Final = str.maketrans({"\\": "/", '"': "'", ",": ";", "[": "(", "]": ")"})
#: What a proxy says in OneGate's place.
_PASSING: Final = (408, 429, 502, 503, 504)


class OneGateError(Exception):
    """OneGate does not do what it is asked; the message is for people."""


class OneGateUnreachable(OneGateError):
    """Nothing answers, or not in time."""


class OneGateRefused(OneGateError):
    """OneGate says no."""


class NoService(OneGateRefused):
    """This VM belongs to no OneFlow service."""


class OneGateForeign(OneGateError):
    """What answers is no OneGate, or speaks of another VM."""


@dataclasses.dataclass(frozen=True)
class Node:
    """A VM of the service; ``index`` counts from 0 in the order of its role, attributes are of its user template."""

    vm_id: int
    name: str
    attributes: dict[str, Any]
    index: int


@dataclasses.dataclass(frozen=True)
class Service:
    """The OneFlow service of this VM; ``cardinalities`` counts the VMs that a role is to have, which may come yet."""

    id: int
    name: str
    roles: dict[str, list[Node]]
    cardinalities: dict[str, int] = dataclasses.field(default_factory=dict)


def cleaned(value: str) -> str:
    """A value that OneGate passes on as it is, that no line of a template can be made of, and that opens no gate.

    OneGate puts quotes around values and takes a comma, a bracket or a backslash within for their end, with no way to
    write one (escape_attr). OneFlow looks for the text READY=YES anywhere in what changed.
    """
    flat = " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())
    safe = flat.translate(_SPOILT)
    return re.sub(r"(READY\s*=)\s*(?=YES)", r"\1 ", safe, flags=re.IGNORECASE)


class OneGate:
    """OneGate as one VM sees it.

    Args:
        endpoint: as the context says, such as http://192.0.2.1:5030.
        token: the VM's own.
        vm_id: id of the VM.
        timeout: seconds for each call, from its beginning to its end.
        pauses: seconds between attempts; empty for a single one.
    """

    def __init__(
        self,
        endpoint: str,
        token: str,
        vm_id: int,
        timeout: float = 5,
        pauses: tuple[float, ...] = PAUSES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.vm_id = int(vm_id)
        self._token = token
        self._timeout = timeout
        self._pauses = pauses
        self._sleep = sleep

    def patient(self, *pauses: float) -> OneGate:
        """The same OneGate with other pauses between attempts; none for a single attempt."""
        return OneGate(self.endpoint, self._token, self.vm_id, self._timeout, pauses, self._sleep)

    def vm(self) -> dict[str, Any]:
        """This VM: NAME, ID, STATE, LCM_STATE, USER_TEMPLATE, TEMPLATE. Raises OneGateError."""
        return self._own(self._json("GET", "/vm"))

    def service(self) -> Service:
        """The service of this VM. Raises NoService, OneGateError."""
        answer = self._json("GET", "/service?extended=true")
        try:
            body = answer["SERVICE"]
            roles = {str(role["name"]): self._nodes(role.get("nodes") or []) for role in body["roles"]}
            wanted = {str(role["name"]): int(role.get("cardinality") or 0) for role in body["roles"]}
            found = Service(int(body["id"]), str(body["name"]), roles, wanted)
        except (KeyError, TypeError, ValueError) as error:
            raise OneGateForeign(f"{self.endpoint} answers no service of OneFlow; is it OneGate?") from error
        if self.vm_id not in {node.vm_id for nodes in found.roles.values() for node in nodes}:
            raise OneGateForeign(
                f"OneGate at {self.endpoint} tells of service {found.id}, which VM {self.vm_id} is not in"
            )
        return found

    def publish(self, attributes: Mapping[str, str]) -> None:
        """Write attributes of this VM's user template in one call, and read them again. Raises OneGateError.

        Values are cleaned first; give base64 where each letter counts.
        """
        names = [name for name in attributes if not _NAME.fullmatch(name)]
        if names:
            raise ValueError(f"{', '.join(names)}: names of attributes have capitals, digits and underscores")
        wanted = {name: cleaned(value) for name, value in attributes.items()}
        self._call("PUT", "/vm", "\n".join(f"{name}={value or _NOTHING}" for name, value in wanted.items()))
        kept = self.vm().get("USER_TEMPLATE") or {}
        lost = [name for name, value in wanted.items() if (kept.get(name) or "") != value]
        if lost:
            raise OneGateRefused(f"OneGate at {self.endpoint} says that it wrote {', '.join(lost)}, and did not")

    def _own(self, answer: dict[str, Any]) -> dict[str, Any]:
        vm = answer.get("VM")
        if not isinstance(vm, dict) or "ID" not in vm:
            raise OneGateForeign(f"{self.endpoint} answers no VM; is it OneGate?")
        if str(vm["ID"]) != str(self.vm_id):
            raise OneGateForeign(
                f"OneGate at {self.endpoint} answers for VM {cleaned(str(vm['ID']))[:20]}; this is VM {self.vm_id}"
            )
        return vm

    def _nodes(self, nodes: list[dict[str, Any]]) -> list[Node]:
        found = []
        for index, node in enumerate(nodes):
            vm_id = int(node["deploy_id"])
            vm = node.get("vm_info", {}).get("VM", {})
            if "USER_TEMPLATE" not in vm:
                # An OneGate that does not know `extended`.
                vm = self._json("GET", f"/vms/{vm_id}").get("VM", {})
            attributes = vm.get("USER_TEMPLATE")
            found.append(
                Node(vm_id, str(vm.get("NAME", "")), attributes if isinstance(attributes, dict) else {}, index)
            )
        return found

    def _json(self, verb: str, path: str) -> dict[str, Any]:
        content = self._call(verb, path)
        try:
            answer = json.loads(content)
        except ValueError as error:
            raise OneGateForeign(f"{self.endpoint} answers {verb} {path} with something other than JSON") from error
        if not isinstance(answer, dict):
            raise OneGateForeign(f"{self.endpoint} answers {verb} {path} with no object; is it OneGate?")
        return answer

    def _call(self, verb: str, path: str, body: str = "") -> bytes:
        """One call with its repetitions: what passes by itself is tried again."""
        for pause in (*self._pauses, None):
            try:
                status, content = self._exchange(verb, path, body)
            except (OSError, http.client.HTTPException) as error:
                failure: OneGateError = OneGateUnreachable(
                    f"OneGate at {self.endpoint} does not answer: {str(error) or type(error).__name__}"
                )
            else:
                if 200 <= status < 300:
                    return content
                failure = self._refusal(status, content)
                if status < 500 and status not in _PASSING:
                    raise failure
            if pause is None:
                break
            self._sleep(pause)
        raise failure

    def _refusal(self, status: int, content: bytes) -> OneGateError:
        said = cleaned(content[:300].decode(errors="replace"))
        text = f"OneGate at {self.endpoint} answers {status}: {said}"
        if status in _PASSING:
            return OneGateUnreachable(text)
        if 300 <= status < 400:
            return OneGateForeign(f"{text}; OneGate never redirects")
        if "SERVICE_ID" in said:
            return NoService(f"VM {self.vm_id} belongs to no service: {said}")
        if status == 401:
            text += f"; the token of this VM (TOKEN=YES in its context) is not that of VM {self.vm_id}"
        return OneGateRefused(text)

    def _exchange(self, verb: str, path: str, body: str) -> tuple[int, bytes]:
        """Status and content. Raises OSError, HTTPException."""
        try:
            parts = urlsplit(self.endpoint)
            port = parts.port
        except ValueError as error:
            raise OSError(str(error)) from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise OSError("the address is not one of http or https")
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(parts.hostname, port, timeout=self._timeout, context=context)
        else:
            connection = http.client.HTTPConnection(parts.hostname, port, timeout=self._timeout)
        late = threading.Event()

        def end() -> None:
            # A server that drips its answer meets every time-out of a socket.
            late.set()
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self._timeout, end)
        timer.daemon = True
        try:
            connection.connect()
            timer.start()
            headers = {"X-ONEGATE-TOKEN": self._token, "X-ONEGATE-VMID": str(self.vm_id), "Connection": "close"}
            connection.request(verb, parts.path.rstrip("/") + path, body.encode() or None, headers)
            answer = connection.getresponse()
            content = answer.read(_MOST_BYTES + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if late.is_set():
                raise TimeoutError(f"no whole answer within {self._timeout:g} s") from error
            if isinstance(error, ValueError):
                raise OSError(str(error)) from error
            raise
        finally:
            timer.cancel()
            connection.close()
        if late.is_set():
            raise TimeoutError(f"no whole answer within {self._timeout:g} s")
        if len(content) > _MOST_BYTES:
            raise OSError(f"an answer of more than {_MOST_BYTES} bytes")
        return answer.status, content
