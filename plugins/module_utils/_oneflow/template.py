# Copyright: (c) 2026, fact8ra.flower contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Service templates: what the user gave, checked and made comparable with what OneFlow has.

OneFlow checks little: parents and VM templates that do not exist, unknown keys and an empty role list are accepted
with 201, and the service hangs later. So these are checked here, before the first write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from ansible_collections.fact8ra.flower.plugins.module_utils._compare import differing, matches
from ansible_collections.fact8ra.flower.plugins.module_utils._ensure import Resource, ensure
from ansible_collections.fact8ra.flower.plugins.module_utils._errors import InvalidInput, NotFound
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.client import TEMPLATE, OneFlow
from ansible_collections.fact8ra.flower.plugins.module_utils._oneflow.normalize import (
    Document,
    as_list,
    common_state,
    comparable,
    contents,
    identity,
    legacy_body,
)
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.client import Client
from ansible_collections.fact8ra.flower.plugins.module_utils._xmlrpc.objects import (
    VM_TEMPLATE,
    Objects,
    common_desired,
)

BODY_KEYS = ("description", "deployment", "ready_status_gate", "shutdown_action", "networks", "user_inputs")
ROLE_KEYS = (
    "type",
    "cardinality",
    "min_vms",
    "max_vms",
    "parents",
    "cooldown",
    "shutdown_action",
    "on_hold",
    "user_inputs",
    "elasticity_policies",
    "scheduled_policies",
)
_ROLE_NAME = re.compile(r"\w+", re.ASCII)
_ROLE_DEFAULTS = {"type": "vm", "cardinality": 1}
_NETWORK_DEFAULT = "M|network| | |id:"


def desired_body(params: Mapping[str, Any], template_id: Callable[[str], int | str]) -> dict[str, Any]:
    """Return the parts of the body that the user gave, in the 7.x form with the types that OneFlow wants.

    Args:
        params: the module's options.
        template_id: makes the id of the name of a VM template; raises NotFound or Ambiguous. In check mode it may
            give back the name of one that is still to be made.

    Raises:
        InvalidInput: a role name that OneFlow refuses or that comes twice, or a template without a reference.
    """
    body: dict[str, Any] = {key: params[key] for key in BODY_KEYS if params.get(key) is not None}
    if "networks" in body:
        body["networks"] = {str(name): str(value or _NETWORK_DEFAULT) for name, value in body["networks"].items()}
    if "user_inputs" in body:
        body["user_inputs"] = _texts(body["user_inputs"])
    if params.get("roles") is not None:
        body["roles"] = [_desired_role(role, template_id) for role in params["roles"]]
        _check_names([role["name"] for role in body["roles"]])
    return body


def _desired_role(option: Mapping[str, Any], template_id: Callable[[str], int | str]) -> dict[str, Any]:
    role: dict[str, Any] = {"name": option["name"]}
    if option.get("template_id") is not None:
        role["template_id"] = int(option["template_id"])
    elif option.get("template") is not None:
        role["template_id"] = template_id(option["template"])
    role.update({key: option[key] for key in ROLE_KEYS if option.get(key) is not None})
    if option.get("template_contents") is not None:
        role["template_contents"] = contents(option["template_contents"])
    if "user_inputs" in role:
        role["user_inputs"] = _texts(role["user_inputs"])
    return role


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not _ROLE_NAME.fullmatch(name):
            raise InvalidInput(
                f"roles: the name {name!r} is refused by OneFlow; use letters, digits and underscores only (no dash).",
                details={"option": "roles", "role": name},
            )
        if names.count(name) > 1:
            raise InvalidInput(
                f"roles: the name {name!r} comes {names.count(name)} times; each role needs a name of its own.",
                details={"option": "roles", "role": name},
            )


def merged_body(current: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole body to send: the current one with what the user gave.

    Keys that the user did not give, and keys of kept roles that were not given, stay. Roles that are not in the list
    go, unless no list was given.
    """
    body = {**current, **{key: value for key, value in desired.items() if key != "roles"}}
    if "roles" in desired:
        have = {role.get("name"): role for role in as_list(current.get("roles"))}
        body["roles"] = [{**have.get(role["name"], _ROLE_DEFAULTS), **role} for role in desired["roles"]]
    return body


def check_body(body: Mapping[str, Any], where: str) -> None:
    """Check what OneFlow accepts and then hangs on, or refuses without saying where.

    Args:
        body: a whole body in the 7.x form.
        where: the template in messages.

    Raises:
        InvalidInput: names the role and what would be right.
    """
    roles = {str(role.get("name")): role for role in as_list(body.get("roles"))}
    if not roles:
        raise InvalidInput(
            f"{where} has no roles; OneFlow would accept that and its services would be empty. Give at least one role.",
            details={"option": "roles"},
        )
    for name, role in roles.items():
        unknown = sorted(set(map(str, as_list(role.get("parents")))) - roles.keys())
        if unknown:
            raise InvalidInput(
                f"{where}: role {name!r} has the parent {', '.join(map(repr, unknown))}, which is no role of it "
                f"(there are {', '.join(map(repr, roles))}). OneFlow would accept that and the service would stay in "
                "DEPLOYING_NETS for ever.",
                details={"option": "roles", "role": name, "unknown_parents": unknown},
            )
        if role.get("template_id") in (None, ""):
            raise InvalidInput(
                f"{where}: role {name!r} names no VM template; give template or template_id.",
                details={"option": "roles", "role": name},
            )
        check_cardinality(role, int(role.get("cardinality") or 0), where)
    _check_cycle(roles, where)


def check_cardinality(role: Mapping[str, Any], wanted: int, where: str) -> None:
    """Raise InvalidInput where a cardinality is outside of ``min_vms`` and ``max_vms`` of its role."""
    least, most = role.get("min_vms"), role.get("max_vms")
    low = int(least) if least not in (None, "") else 0
    high = int(most) if most not in (None, "") else None
    if wanted < low or (high is not None and wanted > high):
        raise InvalidInput(
            f"{where}: role {role.get('name')!r} cannot have cardinality {wanted}; its template allows "
            f"{low} to {high if high is not None else 'any number'} (min_vms, max_vms).",
            details={"role": role.get("name"), "cardinality": wanted, "min_vms": low, "max_vms": high},
        )


def _check_cycle(roles: Mapping[str, Mapping[str, Any]], where: str) -> None:
    waiting = {name: set(map(str, as_list(role.get("parents")))) for name, role in roles.items()}
    while ready := [name for name, parents in waiting.items() if not parents & waiting.keys()]:
        for name in ready:
            del waiting[name]
    if waiting:
        raise InvalidInput(
            f"{where}: the roles {', '.join(map(repr, waiting))} are parents of each other in a circle; "
            "none of them could ever start.",
            details={"option": "roles", "circle": sorted(waiting)},
        )


def state_of(found: Document, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return a service template as ``ensure`` compares it; roles by their names, since their order means nothing."""
    return {
        **common_state(found, params),
        **{key: comparable(found.body.get(key)) for key in BODY_KEYS},
        "roles": {str(role.get("name")): _role_state(role) for role in as_list(found.body.get("roles"))},
    }


def _role_state(role: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "template_id": comparable(role.get("template_id")),
        "template_contents": _role_value("template_contents", role.get("template_contents")),
        **{key: _role_value(key, role.get(key)) for key in ROLE_KEYS},
    }


def _role_value(key: str, value: Any) -> Any:
    if key == "template_contents":
        return contents(value)
    # The order of parents means nothing.
    return sorted(comparable(as_list(value))) if key == "parents" else comparable(value)


def wanted_state(desired: Mapping[str, Any], current: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the user gave in the form of :func:`state_of`; what is to go has the value None.

    Objects that the user gave (``networks``, ``template_contents``, ...) are meant as a whole: a key that is not in
    them any more goes. Empty and missing mean the same, since OneFlow adds empty values of its own.
    """
    have = current or {}
    wanted = {key: _whole(comparable(value), have.get(key)) for key, value in desired.items() if key in BODY_KEYS}
    if "roles" in desired:
        roles = have.get("roles") or {}
        wanted["roles"] = dict.fromkeys(roles)
        for role in desired["roles"]:
            before = roles.get(role["name"]) or {}
            wanted["roles"][role["name"]] = {
                key: _whole(_role_value(key, value), before.get(key)) for key, value in role.items() if key != "name"
            }
    return wanted


def _whole(value: Any, have: Any) -> Any:
    if value in ("", [], {}):
        return None
    if isinstance(value, Mapping):
        # None means absent to the comparison.
        return {**dict.fromkeys(have if isinstance(have, Mapping) else ()), **value}
    if isinstance(value, list) and isinstance(have, list) and _covers(have, value):
        return have
    return value


def _covers(have: list[Any], wanted: list[Any]) -> bool:
    """Tell whether a list of policies differs only by what the server added to its elements."""
    return len(have) == len(wanted) and all(matches(one, other) for one, other in zip(have, wanted, strict=True))


def facts(found: Document) -> dict[str, Any]:
    """Return a service template as the modules return it."""
    return {**identity(found), "body": found.body}


class Manager:
    """What the module oneflow_template does, for one set of its options.

    Args:
        params: the module's options.
        flow: the OneFlow endpoint.
        objects: the XML-RPC endpoint, for names of VM templates, users and groups, and for the version.
        warn: takes a warning for the user.
    """

    def __init__(self, params: Mapping[str, Any], flow: OneFlow, objects: Objects, warn: Callable[[str], None]) -> None:
        self.params = params
        self.flow = flow
        self.objects = objects
        self.warn = warn
        self.found: Document | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, Any], warn: Callable[[str], None]) -> Manager:
        """Make a manager of the module's options; raises InvalidInput for unusable endpoints."""
        return cls(params, OneFlow.from_params(params), Objects(Client.from_params(params)), warn)

    def ensure(self, *, check_mode: bool) -> dict[str, Any]:
        """Bring the service template to its state and return the module's result; raises OpenNebulaError."""
        params = self.params
        self.found = self.flow.managed(TEMPLATE, params)
        if params["state"] == "absent":
            outcome = ensure(
                Resource(self.label, self._current(), None, delete=self._delete, read=self._read), check_mode=check_mode
            )
            return outcome.result("service_template")
        if self.found is None and params.get("id") is not None:
            raise NotFound(
                f"{self.label} does not exist; a new one gets its id from OneFlow, so give its name alone.",
                details={"id": params["id"]},
            )
        common = common_desired(params)
        given = desired_body(params, lambda name: self._vm_template(name, check_mode))
        if "name" in common:
            given["name"] = common["name"]
        body = merged_body(self.found.body if self.found else {}, given)
        wanted = {**common, **wanted_state(given, self._current())}
        if self.found is None or differing(self._current() or {}, wanted_state(given, self._current())):
            check_body(body, self.label)
            self._check_vm_templates(body, given)
        outcome = ensure(
            Resource(
                self.label,
                self._current(),
                wanted,
                create=lambda: self._create(body),
                update=lambda _current, changes: self._update(body, changes),
                read=self._read,
            ),
            check_mode=check_mode,
        )
        return outcome.result("service_template", lambda state: self._facts(state, body, predicted=check_mode))

    @property
    def label(self) -> str:
        """The service template for messages, with its endpoint."""
        name, number = self.params.get("name"), self.params.get("id")
        return f"service template {repr(name) if name is not None else f'(id {number})'} at {self.flow.endpoint}"

    def _vm_template(self, name: str, check_mode: bool) -> int | str:
        if check_mode:
            return self.objects.promised(VM_TEMPLATE, name, "roles.template", self.warn)
        return self.objects.referred(VM_TEMPLATE, name, "roles.template")

    def _current(self) -> dict[str, Any] | None:
        return None if self.found is None else state_of(self.found, self.params)

    def _read(self, number: int) -> dict[str, Any] | None:
        self.found = self.flow.get(TEMPLATE, number)
        return self._current()

    def _create(self, body: Mapping[str, Any]) -> int:
        return self.flow.create_template(self._for_server(body)).id

    def _update(self, body: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        found = cast(Document, self.found)
        # A rename does not reach the name in the body, which is the default for new services.
        if changes.keys() - {"owner", "group", "mode"}:
            # With the registration_time that was read; OneFlow refuses another one.
            self.flow.replace_template(found.id, self._for_server(body))
        self.flow.apply_common(TEMPLATE, found, changes, self.objects)

    def _delete(self, current: Mapping[str, Any]) -> None:
        try:
            self.flow.delete_template(current["id"], self.params["delete_vm_templates"])
        except NotFound:
            return  # went away meanwhile

    def _for_server(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return legacy_body(body) if speaks_legacy(self.objects.client) else dict(body)

    def _check_vm_templates(self, body: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        """Raise NotFound for a given role whose VM template is not there, which OneFlow does not check."""
        if "roles" in given:
            check_vm_templates(body, self.objects, self.label)

    def _facts(self, state: Mapping[str, Any], body: Mapping[str, Any], *, predicted: bool) -> dict[str, Any]:
        if self.found is None:
            return {**{key: state[key] for key in ("name", "mode") if key in state}, "body": dict(body)}
        result = facts(self.found)
        if predicted:
            result.update(body=dict(body), name=state["name"], mode=state["mode"])
        return result


def check_vm_templates(body: Mapping[str, Any], objects: Objects, where: str) -> None:
    """Check that the user sees the VM template of each role; OneFlow does not, its services hang or fail later.

    Raises:
        NotFound: names the role, the template and those that there are.
    """
    known = {int(raw["ID"]): raw["NAME"] for raw in objects.pool(VM_TEMPLATE)}
    for role in as_list(body.get("roles")):
        number = int(role["template_id"]) if str(role["template_id"]).isdigit() else None
        # a name stands for a template that check mode takes for granted
        if number is not None and number not in known:
            listed = ", ".join(f"{name} (id {one})" for one, name in known.items())
            raise NotFound(
                f"{where}: role {role.get('name')!r} uses VM template {number}, but there is none that user "
                f"{objects.client.target.username!r} may use. There are: {listed or 'none'}.",
                details={"role": role.get("name"), "template_id": number},
            )


def speaks_legacy(client: Client) -> bool:
    """Tell whether the server is older than 7.0 and takes the old form of bodies only."""
    version = str(client.call("system.version", what="read the version of OpenNebula"))
    major = version.partition(".")[0]
    return major.isdigit() and int(major) < 7
