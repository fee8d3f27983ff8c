# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The context's values reach Ansible as they are and in no command line, and a failing task speaks for itself."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fact8ra_appliance import apply

_BIN = Path(sys.executable).parent
_FILES = Path(apply.__file__).parents[1]
_NASTY = "{{ lookup('pipe', 'touch TRAP') }} {% raw %} \" ' \\ \n é # : - !unsafe"
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


class _Loader(yaml.SafeLoader):
    """YAML with !unsafe as plain text."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


@given(_VALUES)
def test_every_value_survives(value: Any) -> None:
    assert yaml.load(apply.unsafe(value), _Loader) == value


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot be a set"):
        apply.unsafe({"a", "b"})


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A collection of one playbook, with the callback and the configuration that an appliance has."""
    made = tmp_path / "ansible_collections/fact8ra/flower"
    (made / "playbooks").mkdir(parents=True)
    (made / "roles/appliance").mkdir(parents=True)
    (made / "roles/appliance/files").symlink_to(_FILES)
    return made


def play(collection: Path, tasks: list[dict[str, Any]], variables: dict[str, Any], **more: Any) -> None:
    """Play tasks on this machine."""
    text = yaml.safe_dump([{"hosts": "superlink", "gather_facts": False, "tasks": tasks}])
    (collection / "playbooks/x.yml").write_text(text)
    root = collection.parents[2]
    program = _BIN / "ansible-playbook"
    apply.apply("x.yml", "superlink", "h", variables, root=root, program=program, collection=collection, **more)


@pytest.mark.slow
def test_values_are_data_and_secrets_stay_out_of_sight(collection: Path, tmp_path: Path) -> None:
    secret, seen = "topsecret-value", tmp_path / "seen"
    command = f"cat /proc/*/cmdline > {tmp_path}/all; stat -c %a {tmp_path}/run/fact8ra/boot/*.json"
    tasks = [
        {
            "name": "Write what came",
            "ansible.builtin.copy": {"content": "{{ {'nasty': nasty, 'list': list} | to_json }}", "dest": str(seen)},
        },
        {
            "name": "Look around",
            "ansible.builtin.shell": f"{command} {tmp_path}/run/fact8ra/boot/*.yml",
            "register": "found",
            "changed_when": False,
        },
        {"ansible.builtin.copy": {"content": "{{ found.stdout }}", "dest": str(tmp_path / "around")}},
        {"ansible.builtin.file": {"path": str(tmp_path / "skipped"), "state": "touch"}, "tags": ["late"]},
    ]
    variables = {"nasty": _NASTY.replace("TRAP", str(tmp_path / "trap")), "list": [_NASTY], "secret": secret}
    play(collection, tasks, variables, skip=["late"])
    assert json.loads(seen.read_text()) == {"nasty": variables["nasty"], "list": [_NASTY]}
    assert not (tmp_path / "trap").exists()
    assert secret.encode() not in (tmp_path / "all").read_bytes()
    modes = (tmp_path / "around").read_text().split()
    assert modes == ["600", "600"]
    assert not (tmp_path / "skipped").exists()
    scratch = tmp_path / apply.SCRATCH
    assert scratch.stat().st_mode & 0o777 == 0o700
    assert not (scratch / "variables.yml").exists()


@pytest.mark.slow
def test_a_failing_task_speaks_for_itself(collection: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # One start of Ansible for each of the ways in which a task fails would cost more than it tells.
    rescued = [
        ({"ansible.builtin.command": "sh -c 'echo why >&2; exit 3'"}, "why"),
        ({"ansible.builtin.fail": {"msg": ["first", "second"]}}, "first\nsecond"),
        ({"ansible.builtin.fail": {"msg": "no {{ item }}"}, "loop": ["a", "b"]}, "no a"),
    ]
    tasks: list[dict[str, Any]] = [
        {"block": [{"name": f"Way {number}", **task}], "rescue": [{"ansible.builtin.debug": {"msg": "on"}}]}
        for number, (task, _said) in enumerate(rescued)
    ]
    tasks.append({"name": "The last", "ansible.builtin.assert": {"that": "1 > 2", "fail_msg": "one is not more"}})
    with pytest.raises(apply.ApplyFailed) as caught:
        play(collection, tasks, {})
    assert (str(caught.value), caught.value.task) == ("one is not more", "The last")
    printed = capfd.readouterr().out
    for number, (_task, said) in enumerate(rescued):
        assert f"failed: Way {number}: {said}" in printed
    assert "changed: " not in printed


def program(directory: Path, script: str) -> Path:
    """A program in Ansible's place."""
    path = directory / "ansible-playbook"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def run(directory: Path, ansible: Path, **more: Any) -> None:
    """Play with a program in Ansible's place."""
    collection = directory / "ansible_collections/fact8ra/flower"
    apply.apply("x.yml", "superlink", "h", {}, root=directory, program=ansible, collection=collection, **more)


def test_ansible_that_ends_without_a_task_says_what_it_said(tmp_path: Path) -> None:
    given_ = program(tmp_path, "echo ERROR: no such playbook; exit 4")
    with pytest.raises(apply.ApplyFailed, match="ended with 4 and said: ERROR: no such playbook"):
        run(tmp_path, given_)


def test_a_play_that_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    # The second one has a session of its own, as a worker of Ansible has; both hold the pipe open.
    hangs = program(tmp_path, "echo apt waits for a lock; setsid sleep 60 & sleep 60")
    begun = time.monotonic()
    with pytest.raises(
        apply.ApplyFailed, match=r"has not ended after .* min; the last lines were: apt waits for a lock"
    ):
        run(tmp_path, hangs, patience=0.5)
    assert time.monotonic() - begun < 30


def test_ansible_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(apply.ApplyFailed, match="cannot be run: No such file"):
        run(tmp_path, tmp_path / "none")


def test_the_failure_of_an_earlier_boot_is_forgotten(tmp_path: Path) -> None:
    scratch = tmp_path / apply.SCRATCH
    scratch.mkdir(parents=True)
    (scratch / "failure.json").write_text('{"task": "old", "message": "old"}')
    with pytest.raises(apply.ApplyFailed, match="ended with 1"):
        run(tmp_path, program(tmp_path, "exit 1"))


def test_nothing_of_the_callers_environment_reaches_ansible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "json")
    monkeypatch.setenv("TOKENTXT", "secret")
    out = tmp_path / "environment"
    run(tmp_path, program(tmp_path, f"env > {out}"))
    names = {line.partition("=")[0] for line in out.read_text().splitlines()}
    assert "ANSIBLE_STDOUT_CALLBACK" not in names
    assert "TOKENTXT" not in names
    assert os.environ["TOKENTXT"] == "secret"
