# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Calls to OneFlow's REST interface, its peculiar errors made into those of this collection.

What decides here (live 7.4.0): errors are a line of text, 401 means a wrong password as well as missing rights, a
refused operation is 500, an unknown route is 404 with an HTML page, a non-numeric id is taken for document 0, and the
actions of service templates answer 204 to failures, unknown actions 200.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.fact8ra.flower.plugins.module_utils._errors import (
    Ambiguous,
    AuthenticationFailed,
    ConnectionFailed,
    InvalidInput,
    NotAuthorized,
    NotFound,
    OpenNebulaError,
    Refused,
    thing,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._http import Target, fetch
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import (
    TYPE_SERVICE,
    TYPE_TEMPLATE,
    Document,
    document,
    pool,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import GROUP, USER, Objects

_TAGS = re.compile(r"<(style|script)\b.*?</\1>|<[^>]+>", re.DOTALL | re.IGNORECASE)


class Kind:
    """Services or service templates: the path, the document type and the words for messages."""

    def __init__(self, path: str, document_type: int, noun: str, plural: str) -> None:
        self.path = path
        self.document_type = document_type
        self.noun = noun
        self.plural = plural


SERVICE = Kind("/service", TYPE_SERVICE, "service", "services")
TEMPLATE = Kind("/service_template", TYPE_TEMPLATE, "service template", "service templates")


class OneFlow:
    """One OneFlow endpoint and user.

    All methods raise ConnectionFailed, AuthenticationFailed, NotAuthorized, NotFound, InvalidInput (400) or Refused;
    the message names the endpoint and the object and quotes the server.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._lists: dict[str, list[Document]] = {}

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> OneFlow:
        """Make a client of the connection options of a module or plugin; raises InvalidInput for unusable ones."""
        return cls(Target.from_params(params, "flow_endpoint"))

    @property
    def endpoint(self) -> str:
        """URL of the endpoint, for messages."""
        return self.target.url

    def all(self, kind: Kind) -> list[Document]:
        """Return all documents of a kind that the user may see, by id."""
        answer = self._call("GET", kind.path, what=f"list the {kind.plural}")
        try:
            return pool(answer)
        except ValueError as error:
            raise self._not_oneflow(f"GET {kind.path}: {error}") from None

    def _listed(self, kind: Kind) -> list[Document]:
        """Return all documents of a kind as they were when names were first looked up in this run."""
        if kind.path not in self._lists:
            self._lists[kind.path] = self.all(kind)
        return self._lists[kind.path]

    def get(self, kind: Kind, number: int) -> Document | None:
        """Return a document by id; None when there is none, or when the id belongs to a document of another kind."""
        try:
            answer = self._call("GET", f"{kind.path}/{int(number)}", what=f"read {kind.noun} {number}")
        except NotFound:
            return None
        except Refused as error:
            # The id of a document of another type is a 500, not a 404.
            if re.search(rf"Error getting document \[{int(number)}\]", str(error.details.get("server"))):
                return None
            raise
        return self._document(answer, kind)

    def managed(self, kind: Kind, params: Mapping[str, Any]) -> Document | None:
        """Return the document that a module shall manage, or None when there is none.

        OneFlow keeps no name unique, not even for one owner. As for all objects, a name means the document of the
        user in C(owner), otherwise the one of the connecting user; what others own is not touched by name alone.

        Args:
            params: C(id) or C(name), C(owner) and C(username) of a module.

        Raises:
            Ambiguous: several documents fit, or only such of other users.
            InvalidInput: the name is empty.
        """
        if params.get("id") is not None:
            return self.get(kind, params["id"])
        name = params["name"]
        if not str(name).strip():
            raise InvalidInput(f"name is empty; give the name of the {kind.noun}.", details={"option": "name"})
        named = [one for one in self._listed(kind) if one.name == name]
        for owner in (params.get("owner"), params["username"]):
            owned = [one for one in named if owner is not None and str(owner) in (one.uname, str(one.uid))]
            if len(owned) == 1:
                return owned[0]
            if owned:
                raise self._ambiguous(kind, name, owned, "Give the id of the one that is meant, or remove the others.")
        if named:
            raise self._ambiguous(
                kind,
                name,
                named,
                f"None belongs to user {params['username']!r}. Give id or owner to work on one of these (its owner has "
                "to permit that), or take another name.",
            )
        return None

    def selected(self, kind: Kind, params: Mapping[str, Any]) -> list[Document]:
        """Return the documents that C(id) or C(name) pick, or all, by id."""
        if params.get("id") is not None:
            found = self.get(kind, params["id"])
            return [] if found is None else [found]
        return [one for one in self.all(kind) if params.get("name") in (None, one.name)]

    def referred(self, kind: Kind, name: str, option: str, id_option: str | None = None) -> Document:
        """Return the document that a name in an option means; the user's own one comes before those of others.

        C(id_option) is the option that takes an id, C(OPTION_id) where it is not given.

        Raises:
            NotFound: there is none; the message lists the names that there are.
            Ambiguous: several fit.
        """
        every = self._listed(kind)
        named = [one for one in every if one.name == name]
        fitting = [one for one in named if one.uname == self.target.username] or named
        if len(fitting) > 1:
            raise self._ambiguous(kind, name, fitting, f"Give the id as {id_option or f'{option}_id'}.")
        if fitting:
            return fitting[0]
        names = sorted({one.name for one in every})
        raise NotFound(
            f"{self.endpoint}: {option} names the {kind.noun} {name!r}, but user {self.target.username!r} may use none "
            f"of that name. There are: {', '.join(names) or 'none'}.",
            details={
                "endpoint": self.endpoint,
                "object": thing(kind.noun, name),
                "option": option,
                "name": name,
                "names": names,
            },
        )

    def _ambiguous(self, kind: Kind, name: str, found: list[Document], advice: str) -> Ambiguous:
        listed = ", ".join(f"id {one.id} of user {one.uname!r}" for one in found)
        candidates = [{"id": one.id, "name": one.name, "owner": one.uname, "group": one.gname} for one in found]
        return Ambiguous(
            f"{self.endpoint}: the name {name!r} fits these {kind.plural}: {listed}. {advice}",
            details={
                "endpoint": self.endpoint,
                "object": thing(kind.noun, name),
                "name": name,
                "candidates": candidates,
            },
        )

    def create_template(self, body: Mapping[str, Any]) -> Document:
        """Create a service template; the id is in the returned document."""
        what = f"create service template {body.get('name')!r}"
        return self._document(self._call("POST", TEMPLATE.path, body, what=what), TEMPLATE)

    def replace_template(self, number: int, body: Mapping[str, Any]) -> Document:
        """Replace the whole body of a service template; ``registration_time`` must be the old one or missing."""
        answer = self._call("PUT", f"{TEMPLATE.path}/{int(number)}", body, what=f"update service template {number}")
        return self._document(answer, TEMPLATE)

    def clone_template(self, number: int, name: str, vm_templates: str = "none") -> Document:
        """Copy a service template; ``vm_templates`` is what is copied with it: "none", "templates" or "all"."""
        # Without recursive the VM templates would be copied too.
        body = {"action": {"perform": "clone", "params": {"name": name, "recursive": vm_templates}}}
        what = f"clone service template {number} as {name!r}"
        return self._document(self._call("POST", f"{TEMPLATE.path}/{int(number)}/action", body, what=what), TEMPLATE)

    def delete_template(self, number: int, vm_templates: str = "none") -> None:
        """Delete a service template; ``vm_templates``: "none", "templates" or "all" (with their images)."""
        self._call(
            "DELETE",
            f"{TEMPLATE.path}/{int(number)}",
            {"delete_type": vm_templates},
            what=f"delete service template {number}",
        )

    def instantiate(self, number: int, merge_template: Mapping[str, Any]) -> Document:
        """Make a service of a template; it comes back in PENDING, what fails later is only in its log."""
        what = f"instantiate service template {number} as service {merge_template.get('name')!r}"
        body = {"action": {"perform": "instantiate", "params": {"merge_template": merge_template}}}
        return self._document(self._call("POST", f"{TEMPLATE.path}/{int(number)}/action", body, what=what), SERVICE)

    def act(self, kind: Kind, number: int, perform: str, params: Mapping[str, Any] | None = None) -> None:
        """Perform an action. For a service template success means nothing: read it again and compare."""
        body = {"action": {"perform": perform, "params": dict(params or {})}}
        self._call("POST", f"{kind.path}/{int(number)}/action", body, what=f"{perform} {kind.noun} {number}")

    def apply_common(self, kind: Kind, found: Document, changes: Mapping[str, Any], objects: Objects) -> None:
        """Apply the differing ones of name, mode, owner and group; ownership last, as it may take the right away."""
        if "name" in changes:
            self.act(kind, found.id, "rename", {"name": changes["name"]})
        if "mode" in changes:
            # Three digits as a string: 640 would set nothing at all, "0640" would set 064.
            self.act(kind, found.id, "chmod", {"octet": changes["mode"]})
        group = objects.referred(GROUP, changes["group"], "group") if "group" in changes else -1
        if "owner" in changes:
            # Without group_id a template would go to group 0.
            owner = objects.referred(USER, changes["owner"], "owner")
            self.act(kind, found.id, "chown", {"owner_id": owner, "group_id": group})
        elif "group" in changes:
            self.act(kind, found.id, "chgrp", {"group_id": group})

    def scale(self, number: int, role: str, cardinality: int, *, force: bool = False) -> None:
        """Ask for a new cardinality of a role of a service that is RUNNING; ``force``: beyond min_vms and max_vms."""
        # Without force the server builds broken JSON and answers 500.
        body = {"role_name": role, "cardinality": int(cardinality), "force": force}
        what = f"scale role {role!r} of service {number} to {cardinality}"
        self._call("POST", f"{SERVICE.path}/{int(number)}/scale", body, what=what)

    def add_role(self, number: int, role: Mapping[str, Any]) -> None:
        """Add a role to a service that is RUNNING."""
        # As text, since 6.x takes no object here.
        params = {"role": json.dumps(role)}
        self._change_roles(number, "add_role", params, f"add role {role.get('name')!r} to service {number}")

    def remove_role(self, number: int, role: str) -> None:
        """Remove a role, with its VMs, from a service that is RUNNING; without the last one the service is deleted."""
        self._change_roles(number, "remove_role", {"role": role}, f"remove role {role!r} from service {number}")

    def _change_roles(self, number: int, perform: str, params: Mapping[str, Any], what: str) -> None:
        body = {"action": {"perform": perform, "params": params}}
        self._call("POST", f"{SERVICE.path}/{int(number)}/role_action", body, what=what)

    def delete_service(self, number: int) -> None:
        """Start the removal of a service. Never send it twice: the second drops the document and leaves the VMs."""
        self._call("DELETE", f"{SERVICE.path}/{int(number)}", what=f"delete service {number}")

    def _call(self, method: str, path: str, body: Any = None, *, what: str) -> Any:
        try:
            return self._answer(method, path, body, what)
        except OpenNebulaError as error:
            error.details.update(_operation(method, path))
            raise

    def _answer(self, method: str, path: str, body: Any, what: str) -> Any:
        status, answer = self._fetch(method, path, body)
        if 200 <= status < 300:
            return answer
        text = _text_of(answer)
        details = {"endpoint": self.endpoint, "status": status, "server": text}
        if _is_html(answer):
            raise self._not_oneflow(f"{method} {path} gave HTTP {status}: {text}")
        if 300 <= status < 400:
            raise self._not_oneflow(f"{method} {path} was redirected (HTTP {status})")
        kind = self._kind(status, text)
        who = f" (user {self.target.username!r})" if kind is AuthenticationFailed else ""
        raise kind(f"{self.endpoint}: could not {what}{who}: {text or 'no text'} (HTTP {status})", details=details)

    def _fetch(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        return fetch(self.target, method, path, body)

    @staticmethod
    def _kind(status: int, text: str) -> type[OpenNebulaError]:
        if status in (401, 403):
            # oned's own words; everything else with 401 is about the credentials.
            return NotAuthorized if "ot authorized" in text else AuthenticationFailed
        return {400: InvalidInput, 404: NotFound}.get(status, Refused)

    def _document(self, answer: Any, kind: Kind) -> Document:
        try:
            result = document(answer)
        except ValueError as error:
            raise self._not_oneflow(str(error)) from None
        if result.type != kind.document_type:
            raise self._not_oneflow(f"document {result.id} has type {result.type}, not {kind.document_type}")
        return result

    def _not_oneflow(self, answered: str) -> ConnectionFailed:
        return ConnectionFailed(
            f"{self.endpoint} does not answer as OneFlow does ({answered}). Is flow_endpoint the base URL of OneFlow, "
            "such as http://one.example.com:2474, with the path of the reverse proxy where there is one?",
            details={"endpoint": self.endpoint, "reason": "protocol"},
        )


def _operation(method: str, path: str) -> dict[str, Any]:
    """Return C(operation), and C(object) and C(id) of what a request works on, for the details of an error."""
    kind, *rest = path.removeprefix("/").split("/")
    operation: dict[str, Any] = {"operation": f"{method} {path}"}
    # a list is about no object, but what is posted to it is
    if rest or method == "POST":
        operation["object"] = SERVICE.noun if f"/{kind}" == SERVICE.path else TEMPLATE.noun
    if rest:
        operation["id"] = int(rest[0])
    return operation


def _text_of(answer: Any) -> str:
    """Return the text of an error: a line, the reason of an uncaught exception, or a page without its tags."""
    if isinstance(answer, Mapping):
        return str(answer.get("reason") or answer.get("message") or dict(answer))
    if answer is None:
        return ""
    text = _TAGS.sub(" ", answer) if _is_html(answer) else str(answer)
    return " ".join(text.split())[:500]


def _is_html(answer: Any) -> bool:
    return isinstance(answer, str) and answer.lstrip()[:15].lower().startswith(("<!doctype", "<html"))
