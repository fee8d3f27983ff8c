# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Calls to oned through pyone, with TLS options, timeouts and errors that pyone has not.

Private to the collection: it may change without notice.

pyone (6.8 to 7.3) ignores TLS contexts, and its timeout does not reach the HTTP library that it uses, so its transport
is replaced. XML answers are handed through as text and made into plain dicts here, because the classes that pyone
binds them to differ between its releases.
"""

from __future__ import annotations

import traceback
import xmlrpc.client
from collections.abc import Mapping
from functools import cached_property
from types import ModuleType
from typing import Any
from xml.etree import ElementTree
from xml.parsers.expat import ExpatError

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    AuthenticationFailed,
    ConnectionFailed,
    InvalidInput,
    MissingLibrary,
    NotAuthorized,
    NotFound,
    OpenNebulaError,
    Refused,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target, exchange
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.pyone_import import import_pyone
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.template import UNREADABLE

READING = ("info", "infoextended", "version", "config", "monitoring", "accounting", "showback")
"""Last words of the methods that change nothing, so that they may be repeated after a broken connection."""

WORDS = {
    "cluster": "cluster",
    "datastore": "datastore",
    "group": "group",
    "host": "host",
    "image": "image",
    "market": "marketplace",
    "marketapp": "marketplace app",
    "secgroup": "security group",
    "template": "VM template",
    "user": "user",
    "vm": "virtual machine",
    "vn": "virtual network",
    "vntemplate": "network template",
    "vrouter": "virtual router",
}
"""First words of the methods to the kinds of object whose id is their first parameter."""


class _Xml:
    """An XML answer on its way through pyone, which would bind a str to its own classes."""

    def __init__(self, text: str) -> None:
        self.text = text


class _Transport(xmlrpc.client.Transport):
    """Carries XML-RPC over C(exchange), with the timeouts and the TLS options of C(target)."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self._target = target

    def request(self, host: Any, handler: str, request_body: Any, verbose: bool = False) -> Any:
        method = xmlrpc.client.loads(request_body)[1] or ""
        answer = exchange(
            self._target,
            "POST",
            self._target.url,
            {"Content-Type": "text/xml", "Accept": "text/xml"},
            bytes(request_body),
            repeatable=method.rpartition(".")[2] in READING,
        )
        if answer.status != 200:
            raise _not_xmlrpc(self._target, f"HTTP status {answer.status}")
        try:
            values: Any = xmlrpc.client.loads(answer.body)[0]
        except xmlrpc.client.Fault:
            raise
        except (ExpatError, xmlrpc.client.Error, ValueError, TypeError):
            raise _not_xmlrpc(self._target, "something else than XML-RPC") from None
        value = values[0]
        if not isinstance(value, list) or len(value) < 2:
            raise _not_xmlrpc(self._target, f"{str(value)[:200]!r}")
        # pyone reads the error code at index 2, which old servers leave out on success
        code = value[2] if len(value) > 2 else 0
        answered = value[1]
        return [value[0], _Xml(answered) if value[0] and isinstance(answered, str) else answered, code]


def _not_xmlrpc(target: Target, answered: str) -> ConnectionFailed:
    return ConnectionFailed(
        f"{target.url} answered with {answered}; is it the XML-RPC endpoint of OpenNebula, "
        "such as http://one.example.com:2633/RPC2?",
        details={"endpoint": target.url, "reason": "protocol"},
    )


class Client:
    """One OpenNebula endpoint and user.

    Args:
        target: the XML-RPC endpoint with credentials, TLS options and timeouts.

    Raises:
        MissingLibrary: pyone is not installed.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._pyone, self._server = _connect(target)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Client:
        """Make a client of the connection options of a module or plugin; raises InvalidInput for unusable ones."""
        return cls(Target.from_params(params))

    @property
    def endpoint(self) -> str:
        """URL of the endpoint, for messages."""
        return self.target.url

    @cached_property
    def version(self) -> str:
        """Version of OpenNebula, such as 7.4.0; asked once."""
        return str(self.call("system.version", what="read the version of OpenNebula"))

    def call(self, method: str, *params: Any, what: str) -> Any:
        """Call a method of oned.

        Args:
            method: name without the prefix: C(vn.info).
            params: its parameters without the session.
            what: what is being done, for messages: "update virtual network 'x' (7)".

        Returns:
            A dict for an XML answer (see C(as_plain)), otherwise the int, bool or str that was sent.

        Raises:
            AuthenticationFailed, NotAuthorized, NotFound, Refused: the server said no.
            InvalidInput: a parameter has a control character.
            ConnectionFailed: there was no usable answer.
            All with C(operation), C(object) and C(id) in their details, as far as the method has them.
        """
        answer = self._call(method, params, what)
        return as_plain(answer) if isinstance(answer, ElementTree.Element) else answer

    def element(self, method: str, *params: Any, what: str) -> ElementTree.Element:
        """Call a method whose answer is XML and return its root element; otherwise as C(call)."""
        answer = self._call(method, params, what)
        if not isinstance(answer, ElementTree.Element):
            raise _not_xmlrpc(self.target, f"{str(answer)[:200]!r} to one.{method}")
        return answer

    def _call(self, method: str, params: tuple[Any, ...], what: str) -> Any:
        try:
            return self._answer(method, params, what)
        except OpenNebulaError as error:
            error.details.update(operation_of(method, params))
            raise

    def _answer(self, method: str, params: tuple[Any, ...], what: str) -> Any:
        if any(UNREADABLE.search(param) for param in params if isinstance(param, str)):
            raise InvalidInput(
                f"{self.endpoint}: could not {what}: there is a control character in it, which XML cannot carry."
            )
        pyone = self._pyone
        function = self._server
        for word in method.split("."):
            function = getattr(function, word)
        try:
            answer = function(*params)
        except pyone.OneAuthenticationException as error:
            raise self._error(AuthenticationFailed, what, error, f" (user {self.target.username!r})") from None
        except pyone.OneAuthorizationException as error:
            raise self._error(NotAuthorized, what, error) from None
        except pyone.OneNoExistsException as error:
            raise self._error(NotFound, what, error) from None
        except pyone.OneException as error:
            raise self._error(Refused, what, error) from None
        if not isinstance(answer, _Xml):
            return answer
        if not answer.text.startswith("<"):
            return answer.text
        try:
            return ElementTree.fromstring(answer.text)
        except ElementTree.ParseError as error:
            raise ConnectionFailed(
                f"{self.endpoint} answered one.{method} with broken XML ({error}).",
                details={"endpoint": self.endpoint, "reason": "protocol"},
            ) from None

    def _error(self, kind: type[OpenNebulaError], what: str, error: Exception, who: str = "") -> OpenNebulaError:
        text = str(error).strip()
        return kind(
            f"{self.endpoint}: could not {what}{who}: {text}",
            details={"endpoint": self.endpoint, "server": text},
        )


def operation_of(method: str, params: tuple[Any, ...]) -> dict[str, Any]:
    """Return C(operation), and C(object) and C(id) of what a call works on, for the details of an error."""
    operation: dict[str, Any] = {"operation": f"one.{method}"}
    word = WORDS.get(method.partition(".")[0])
    if word is not None:
        operation["object"] = word
        # -1 is the user who asks; a text is the template of what is to be created
        if params and isinstance(params[0], int) and params[0] >= 0:
            operation["id"] = params[0]
    return operation


def _connect(target: Target) -> tuple[Any, Any]:
    try:
        pyone = import_pyone()
    except ImportError:
        raise MissingLibrary(
            missing_required_lib("pyone", reason="to speak to OpenNebula", url="https://pypi.org/project/pyone/"),
            details={"library": "pyone", "import_error": traceback.format_exc().strip().splitlines()[-1]},
        ) from None
    server = _server_class(pyone)(target.url, session=f"{target.username}:{target.password}")
    # xmlrpc.client.ServerProxy, from which all releases of pyone derive theirs, keeps its transport there
    vars(server)["_ServerProxy__transport"] = _Transport(target)
    return pyone, server


def _server_class(pyone: ModuleType) -> Any:
    try:
        # from 7.2 on OneServer is a factory that picks gRPC by itself
        from pyone.server_xrpc import OneServerXRPC
    except ImportError:
        return pyone.OneServer
    return OneServerXRPC


def as_plain(root: ElementTree.Element) -> dict[str, Any]:
    """Return an XML answer as a plain dict, without the root element.

    An element with children is a dict, a repeated one a list, all else text (an empty one is ""). Whether a thing
    that may be repeated is a list depends on how many there are: read it with C(as_list).
    """
    value = _plain(root)
    return value if isinstance(value, dict) else {}


def _plain(node: ElementTree.Element) -> Any:
    if len(node) == 0:
        return node.text or ""
    result: dict[str, Any] = {}
    for child in node:
        value = _plain(child)
        if child.tag not in result:
            result[child.tag] = value
        elif isinstance(result[child.tag], list):
            result[child.tag].append(value)
        else:
            result[child.tag] = [result[child.tag], value]
    return result


def as_list(parent: Any, *path: str) -> list[Any]:
    """Return what lies under C(path) as a list, whether there are none, one or several.

    Empty elements are left out: as_list({"AR_POOL": ""}, "AR_POOL", "AR") is [].
    """
    value = parent
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    items = value if isinstance(value, list) else [value]
    return [item for item in items if item is not None and item != ""]


def as_dict(parent: Any, key: str) -> dict[str, Any]:
    """Return a child with children of its own, or {} when it is empty or missing."""
    value = parent.get(key) if isinstance(parent, Mapping) else None
    return dict(value) if isinstance(value, Mapping) else {}


def as_dicts(parent: Any, *path: str) -> list[dict[str, Any]]:
    """Return what C(as_list) does, without what has no children."""
    return [dict(item) for item in as_list(parent, *path) if isinstance(item, Mapping)]


def as_ints(parent: Any, *path: str) -> list[int]:
    """Return what C(as_list) does as numbers, without what is none."""
    return [number for item in as_list(parent, *path) if (number := as_int(item)) is not None]


def as_int(value: Any) -> int | None:
    """Return a number that was sent as text, None for what is none."""
    try:
        return int(value) if isinstance(value, (str, int)) else None
    except ValueError:
        return None
