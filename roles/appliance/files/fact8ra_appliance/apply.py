# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Plays a playbook of the collection on this VM itself, with the variables that the context gave.

They come to Ansible as ``!unsafe`` text in a file that root alone reads, so that what a tenant wrote is a value and
never a template, and stands in no command line.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

#: Of the installed collection: this package lies in its roles/appliance/files.
COLLECTION: Final = Path(__file__).resolve().parents[4]
#: Below the root; what Ansible needs during a boot, secrets among it.
SCRATCH: Final = "run/fact8ra/boot"
BIN: Final = Path("/opt/fact8ra/venv/bin")
_LAST_LINES: Final = 5
_PAIR: Final = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")


class ApplyFailed(Exception):
    """A task failed; the message is its own."""

    def __init__(self, message: str, task: str = "") -> None:
        super().__init__(message)
        self.task = task


def unsafe(value: Any) -> str:
    """A value as YAML in which every text is marked as one that is no template. Raises TypeError."""
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        # A number with an exponent needs a point in YAML.
        return re.sub(r"^(-?[0-9]+)e", r"\1.0e", json.dumps(value))
    if isinstance(value, str):
        return f"!unsafe {_quoted(value)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_quoted(str(key))}: {unsafe(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(unsafe(item) for item in value) + "]"
    raise TypeError(f"a variable cannot be a {type(value).__name__}")


def _quoted(text: str) -> str:
    """A JSON string, which is one of YAML in double quotes, but for what JSON writes as two surrogates."""
    return _PAIR.sub(lambda pair: "\\U" + format(ord(json.loads('"' + pair[0] + '"')), "08x"), json.dumps(text))


def apply(
    playbook: str,
    group: str,
    name: str,
    variables: Mapping[str, Any],
    *,
    skip: Sequence[str] = (),
    root: Path = Path("/"),
    program: Path = BIN / "ansible-playbook",
    collection: Path = COLLECTION,
    scratch: str = SCRATCH,
    environment: Mapping[str, str] = MappingProxyType({}),
    patience: float = 1800,
) -> None:
    """Play a playbook of the collection on this VM.

    Args:
        playbook: file name in the collection's playbooks.
        group: group of the inventory that this VM is the one host of.
        name: its name in the inventory.
        variables: of the roles; the values may be anything.
        skip: tags that are left out.
        root: where the system's root is.
        program: ansible-playbook.
        collection: directory of the collection, below ansible_collections/fact8ra.
        scratch: directory below the root; plays at the same time need one each.
        environment: further variables for Ansible's plugins.
        patience: seconds after which a play that has not ended is killed.

    Raises:
        ApplyFailed: with the message of the task that failed, or the last lines when there was none or it was killed.
    """
    directory = root / scratch
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    failure = directory / "failure.json"
    failure.unlink(missing_ok=True)
    host = {"ansible_connection": "local", "ansible_python_interpreter": str(program.with_name("python"))}
    inventory = {"all": {"children": {group: {"hosts": {name: host}}}}}
    _write(directory / "inventory.json", json.dumps(inventory))
    lines = "".join(f"{json.dumps(key)}: {unsafe(value)}\n" for key, value in variables.items())
    _write(directory / "variables.yml", f"---\n{lines or '{}'}")
    command = [
        str(program),
        *("--inventory", str(directory / "inventory.json"), "--extra-vars", f"@{directory / 'variables.yml'}"),
        *(["--skip-tags", ",".join(skip)] if skip else []),
        str(collection / "playbooks" / playbook),
    ]
    lines_out: list[str] = []
    late = threading.Event()
    try:
        with subprocess.Popen(
            command,
            env={**_environment(directory, collection), **environment},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            timer = threading.Timer(patience, _end, (process.pid, late))
            timer.daemon = True
            timer.start()
            try:
                for line in process.stdout:
                    # Standard output is the journal's.
                    print(line, end="", flush=True)
                    lines_out = [*lines_out, line.strip()][-_LAST_LINES:]
                process.wait()
            finally:
                timer.cancel()
    except OSError as error:
        raise ApplyFailed(f"{program} cannot be run: {error.strerror}") from error
    finally:
        (directory / "variables.yml").unlink(missing_ok=True)
    if process.returncode == 0:
        return
    said = " ".join(line for line in lines_out if line) or "nothing"
    if late.is_set():
        raise ApplyFailed(f"ansible-playbook has not ended after {patience / 60:g} min; the last lines were: {said}")
    try:
        found = json.loads(failure.read_text(encoding="utf-8"))
        raise ApplyFailed(str(found["message"]), str(found["task"]))
    except (OSError, ValueError, KeyError):
        raise ApplyFailed(f"ansible-playbook ended with {process.returncode} and said: {said}") from None


def _end(leader: int, late: threading.Event) -> None:
    """Kill a play with all that it started, and note that it was late."""
    late.set()
    # Workers of Ansible have sessions of their own (ansible.executor.process.worker), so the groups are several.
    for group in _groups(leader):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def _groups(leader: int) -> set[int]:
    """The process groups of a process and of its descendants (proc_pid_stat(5)), of which the caller's is none."""
    found: dict[int, list[tuple[int, int]]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            _state, parent, its_group = path.read_text(errors="replace").rpartition(")")[2].split()[:3]
            found.setdefault(int(parent), []).append((int(path.parent.name), int(its_group)))
    groups, waiting = {leader}, [leader]
    while waiting:
        for process, group in found.get(waiting.pop(), []):
            groups.add(group)
            waiting.append(process)
    return groups - {os.getpgrp()}


def _environment(scratch: Path, collection: Path) -> dict[str, str]:
    """What Ansible is told by its environment; nothing of the caller's but the search path."""
    files = collection / "roles" / "appliance" / "files"
    return {
        "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(files / "appliance.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(collection.parents[2]),
        "ANSIBLE_CALLBACK_PLUGINS": str(files / "callback"),
        "ANSIBLE_LOCAL_TEMP": str(scratch / "tmp"),
        "ANSIBLE_REMOTE_TEMP": str(scratch / "tmp"),
        "PYTHONPATH": str(files / "warm"),
        "PYTHONUNBUFFERED": "1",
        "FACT8RA_FAILURE": str(scratch / "failure.json"),
    }


def _write(path: Path, text: str) -> None:
    """Write a file that root alone reads."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(text)


def forget(root: Path = Path("/")) -> None:
    """Remove what a boot left."""
    shutil.rmtree(root / SCRATCH, ignore_errors=True)
