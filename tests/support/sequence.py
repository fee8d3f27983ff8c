# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The sequence that every module of the action group goes through, made of what C(sequence.yml) says of the module.

The steps are plain data: options and conditions in Jinja. C(sequence_playbook) makes a playbook of them, which
ansible-playbook runs, and C(sequence_inprocess) runs them in this process.

A C(sequence.yml) has these keys. Values may hold templates; C(prepared) are the results of C(prepare), in order, and
every step's result is there for later steps under the step's name.

- C(admin): whether oneadmin runs the steps up to the deletion; otherwise the tenant.
- C(kind): C(object) (state present and absent), C(info) or C(check) (reads and judges).
- C(result): the key of the module's result with the object, or with the list of objects.
- C(prepare): list of C({module: options}), run before; C(admin: true) beside runs it as oneadmin.
- C(pick): the options that say which object, C({name: ...}); C(by_id): the same by id, default the created one's id.
- C(missing): C(options) without one that is needed, or the connection C(without) some; C(text): what is said of it.
- C(create), C(update): options beside C(pick).
- C(rename): options of the renaming, default C({name: renamed}).
- C(zero), C(owner), C(unauthorised), C(quota), C(lie): see the functions below.
- C(left_out): C({step: reason}) for the steps that do not apply.
- C(that): C({result name: [conditions]}), further conditions of a step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from sequence_model import SHORTEST_REASON, STEPS, BadSequence, Description, Step

TARGETS = Path(__file__).parents[1] / "integration" / "targets"
NO_WRITE = "traffic.writes == []"


@dataclass(frozen=True)
class Sequence(Description):
    """What a C(sequence.yml) says of a module, and the steps that follow from it."""

    steps: tuple[Step, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Make the steps.

        Raises:
            BadSequence: a step has neither its data nor a reason to be left out, or something is unknown.
        """
        if self.kind not in STEPS:
            raise BadSequence(f"{self.module}: kind is {self.kind!r}; it has to be one of {', '.join(STEPS)}")
        for name, reason in self.left_out.items():
            if name not in STEPS[self.kind]:
                raise BadSequence(f"{self.module}: left_out names {name!r}; the steps are {STEPS[self.kind]}")
            if len(str(reason)) < SHORTEST_REASON:
                raise BadSequence(f"{self.module}: the reason to leave out {name} is {reason!r}; say why")
        steps = tuple(
            step for name in STEPS[self.kind] if name not in self.left_out for step in _MAKERS[self.kind][name](self)
        )
        extra = self.data.get("that", {})
        unknown = set(extra) - {step.name for step in steps}
        if unknown:
            raise BadSequence(f"{self.module}: `that` names {sorted(unknown)}, which are no steps of it")
        object.__setattr__(self, "steps", tuple(_with(step, extra.get(step.name, [])) for step in steps))


def load(module: str) -> Sequence:
    """Read the sequence of a module; raises BadSequence or FileNotFoundError."""
    return Sequence(module, yaml.safe_load((TARGETS / module / "sequence.yml").read_text(encoding="utf-8")))


def modules() -> list[str]:
    """The modules that have a sequence."""
    return sorted(path.parent.name for path in TARGETS.glob("*/sequence.yml"))


def _with(step: Step, conditions: list[str]) -> Step:
    return Step(**{**vars(step), "that": (*step.that, *conditions)})


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _failure(name: str, code: str, wanted: Mapping[str, Any]) -> list[str]:
    """The conditions on C(failure): the code, the keys in C(wanted) (a part of texts); C(text) is a part of C(msg)."""
    path = f"{name}.failure"
    conditions = [f"{name}.failed", f"{path}.code == {_quoted(code)}"]
    for key in ("object", "server_message"):
        if key in wanted:
            conditions.append(f"{_quoted(wanted[key])} in ({path}.{key} or '')")
    if "server_message" in wanted:
        conditions.append(f"({path}.server_message or '?') in {name}.msg")
    if "text" in wanted:
        conditions.append(f"{_quoted(wanted['text'])} in {name}.msg")
    if "operation" in wanted:
        conditions.append(f"{path}.operation == {_quoted(wanted['operation'])}")
    if "id" in wanted:
        conditions.append(f"{path}.id == {wanted['id']}")
    return conditions


def _missing(it: Sequence) -> Iterator[Step]:
    """An option is missing: the module says which, and calls nobody."""
    given = it.of("missing")
    yield Step(
        "missing",
        "An option is missing",
        given.get("options", {}),
        ("missing.failed", f"{_quoted(given['text'])} in missing.msg", "traffic.calls == []"),
        without=tuple(given.get("without", ())),
        fails=True,
    )


def _create(it: Sequence) -> Iterator[Step]:
    """Create in check mode, create, create again."""
    options = {**it.of("pick"), **it.of("create")}
    yield from _thrice(it, ("creatable", "created", "again"), "Create", options, first=True)


def _update(it: Sequence) -> Iterator[Step]:
    """Update in check mode, update, update again."""
    creates = "create" not in it.left_out
    options = {**it.of("pick"), **(it.of("create") if creates else {}), **it.of("update")}
    names = ("updatable", "updated", "unchanged")
    for step in _thrice(it, names, "Update", options, first=False):
        same = creates and step.name == "updated"
        yield _with(step, [f"{it.seen('updated')}.id == {it.seen('created')}.id"] if same else [])


def _thrice(
    it: Sequence, names: tuple[str, str, str], title: str, options: Mapping[str, Any], *, first: bool
) -> Iterator[Step]:
    predicted, done, again = names
    conditions = [f"{predicted}.changed", NO_WRITE, f"({predicted}.diff.before == {{}}) == {str(first).lower()}"]
    if first:
        conditions.append(f"{it.seen(predicted)}.get('id') is none")
    yield Step(predicted, f"{title} in check mode", options, tuple(conditions), admin=it.admin, check=True)
    yield Step(
        done,
        title,
        options,
        (
            f"{done}.changed",
            "traffic.writes != []",
            f"{done}.diff == {predicted}.diff",
            f"{done}.diff.before != {done}.diff.after",
        ),
        admin=it.admin,
    )
    yield Step(
        again,
        f"{title} again",
        options,
        (
            f"not {again}.changed",
            NO_WRITE,
            f"{it.seen(again)} == {it.seen(done)}",
            f"{again}.diff.before == {again}.diff.after",
        ),
        admin=it.admin,
    )


def _zero(it: Sequence) -> Iterator[Step]:
    """Id 0 means object 0: C({options, that, fails}); default: object 0 is read and nothing changes."""
    given = it.of("zero")
    fails = bool(given.get("fails", False))
    default = [
        f"not zero.changed and {it.seen('zero')}.id == 0 and {it.seen('zero')}.name == {_quoted(given.get('name', ''))}"
    ]
    yield Step(
        "zero",
        "Id 0 means object 0",
        given.get("options", {"id": 0}),
        (NO_WRITE, *given.get("that", default)),
        admin=it.admin,
        fails=fails,
    )


def _lie(it: Sequence) -> Iterator[Step]:
    """The server answers success to C(call) and does nothing: C({call, options, ...}), and keys of C(failure)."""
    given = it.of("lie")
    yield Step(
        "lied",
        "A success that was none",
        {**given.get("pick", it.by_id), **given["options"]},
        ("traffic.writes != []", *_failure("lied", given.get("code", "not_applied"), given)),
        admin=it.admin,
        fails=True,
        faults=({"lie": given["call"], "times": 1},),
    )


def _rename(it: Sequence) -> Iterator[Step]:
    """Rename by id."""
    options = {"name": "renamed", **it.data.get("rename", {})}
    seen = it.seen("renamed")
    yield Step(
        "renamed",
        "Rename by id",
        {**it.by_id, **options},
        ("renamed.changed", f"{seen}.name == {_quoted(options['name'])}", f"{seen}.id == {it.seen('created')}.id"),
        admin=it.admin,
    )


def _owner(it: Sequence) -> Iterator[Step]:
    """Oneadmin takes the object over as owner "0", with permissions for others to read it, and does so again."""
    options = {**it.by_id, "owner": "0", "mode": "644", **it.data.get("owner", {})}
    conditions = ("owned.changed", f"{it.seen('owned')}.uid == 0", f"{it.seen('owned')}.uname == 'oneadmin'")
    yield Step("owned", "Owner 0 is oneadmin", options, conditions, admin=True)
    yield Step("owned_again", "Owner 0 again", options, ("not owned_again.changed", NO_WRITE), admin=True)


def _unauthorised(it: Sequence) -> Iterator[Step]:
    """The tenant may read the object, which is oneadmin's, but not C(options) it; with keys of C(failure)."""
    given = it.of("unauthorised")
    yield Step(
        "refused",
        "The server refuses what the user may not",
        {**given.get("pick", it.by_id), **given["options"]},
        tuple(_failure("refused", given.get("code", "not_authorized"), given)),
        fails=True,
        check=bool(given.get("check", False)),
    )


def _quota(it: Sequence) -> Iterator[Step]:
    """A limit of the user refuses C({limit, options}), with keys of C(failure)."""
    given = it.of("quota")
    yield Step(
        "exceeded",
        "A quota is exceeded",
        given["options"],
        tuple(_failure("exceeded", given.get("code", "not_authorized"), given)),
        fails=True,
        calls=(("one.user.quota", "{{ tenant_id }}", given["limit"]),),
    )


def _silent(it: Sequence) -> Iterator[Step]:
    """The server accepts the connection and says nothing."""
    yield Step(
        "silent",
        "A silent server",
        {**_any_options(it), **{name: f"{{{{ places.silent.{name} }}}}" for name in ("endpoint", "flow_endpoint")}}
        | {"read_timeout": 0.3},
        (
            *_failure("silent", "connection_failed", {}),
            "silent.failure.details.reason == 'timeout'",
            "silent.failure.operation is not none",
        ),
        fails=True,
    )


def _wrong_ca(it: Sequence) -> Iterator[Step]:
    """The server's certificate is signed by another CA than the one that is trusted."""
    names = ("endpoint", "flow_endpoint", "ca_path")
    yield Step(
        "untrusted",
        "A certificate of another CA",
        {**_any_options(it), **{name: f"{{{{ places.tls.{name} }}}}" for name in names}},
        (*_failure("untrusted", "connection_failed", {}), "untrusted.failure.details.reason == 'tls'"),
        fails=True,
    )


def _any_options(it: Sequence) -> dict[str, Any]:
    """Options with which the module would get as far as the server."""
    if it.kind != "object":
        return dict(it.data.get("options", {}))
    return {**it.by_id, **(it.of("update") if "delete" in it.left_out else {"state": "absent"})}


def _delete(it: Sequence) -> Iterator[Step]:
    """Delete in check mode, delete, delete again; by oneadmin, who owns the object by now, unless that was left out."""
    admin = it.admin or "owner" not in it.left_out
    options = {**it.by_id, "state": "absent", **it.data.get("delete", {})}
    yield Step("deletable", "Delete in check mode", options, ("deletable.changed", NO_WRITE), admin=admin, check=True)
    conditions = ("deleted.changed", "traffic.writes != []", "deleted.diff == deletable.diff")
    yield Step(
        "deleted",
        "Delete",
        options,
        (*conditions, "deleted.diff.after == {}", f"{it.seen('deleted')} is none"),
        admin=admin,
    )
    yield Step("gone", "Delete again", options, ("not gone.changed", NO_WRITE), admin=admin)


def _read(it: Sequence) -> Iterator[Step]:
    """An info module returns what C(prepare) made by C(pick), in check mode too; a check module its answer."""
    conditions: list[str] = ["not found.changed", NO_WRITE]
    if it.kind == "info":
        conditions.append(f"{it.seen('found')} | map(attribute='name') | list == [{_quoted(it.of('pick')['name'])}]")
    options = {**it.data.get("options", {}), **it.data.get("pick", {})}
    yield Step("found", "Read by name", options, tuple(conditions), admin=it.admin)


def _info_zero(it: Sequence) -> Iterator[Step]:
    """Id 0 means object 0."""
    given = it.of("zero")
    seen = it.seen("zero")
    default = [f"{seen} | map(attribute='id') | list == [0]", f"{seen}[0].name == {_quoted(given.get('name', ''))}"]
    conditions = ("not zero.changed", *given.get("that", default))
    yield Step("zero", "Id 0 means object 0", {"id": 0}, conditions, admin=it.admin, check=True)


def _absent(it: Sequence) -> Iterator[Step]:
    """What is not there is an empty list."""
    for name, options in (("no_name", {"name": "no such thing"}), ("no_id", {"id": 4242})):
        conditions = (f"not {name}.changed", f"{it.seen(name)} == []")
        yield Step(name, "What is not there is no error", options, conditions, admin=it.admin)


def _hidden(it: Sequence) -> Iterator[Step]:
    """What the user may not use, by name, is an empty list; a check names it: C({options, that})."""
    given = it.of("unauthorised")
    fails = it.kind == "check"
    default = ["not hidden.changed", f"{it.seen('hidden')} == []"]
    yield Step(
        "hidden",
        "What the user may not use",
        {**it.data.get("options", {}), **given["options"]},
        tuple(given.get("that", default)),
        fails=fails,
    )
    yield Step(
        "stranger",
        "A wrong password",
        {**it.data.get("options", {}), "password": "wrong"},
        tuple(_failure("stranger", "authentication_failed", {})),
        fails=True,
    )


_ALL = {"missing": _missing, "silent": _silent, "wrong_ca": _wrong_ca}
_OBJECT = {
    **_ALL,
    "create": _create,
    "update": _update,
    "zero": _zero,
    "lie": _lie,
    "rename": _rename,
    "owner": _owner,
    "unauthorised": _unauthorised,
    "delete": _delete,
    "quota": _quota,
}
_INFO = {**_ALL, "read": _read, "zero": _info_zero, "absent": _absent, "unauthorised": _hidden}
_MAKERS = {"object": _OBJECT, "info": _INFO, "check": {**_ALL, "read": _read, "unauthorised": _hidden}}
