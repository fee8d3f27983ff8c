# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What roles supernode and superlink run on a node: key.py, restart.py and runtime_certificate.py."""

from __future__ import annotations

import importlib.util
import os
import ssl
import subprocess
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_ROLES = Path(__file__).parents[3] / "roles"


def _load(role: str, name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"{role}_{name}", _ROLES / role / "files" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


key, restart = _load("supernode", "key"), _load("supernode", "restart")
runtime = _load("superlink", "runtime_certificate")


# key.py


def _keep(path: Path, step: str, check: bool = False) -> dict[str, Any]:
    answer: dict[str, Any] = key.keep({"path": str(path), "name": "alpha-0", "step": step, "check": check})
    return answer


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the key is to be; the files of a test need not be root's."""
    monkeypatch.setattr(key.os, "chown", lambda _path, _user, _group: None)
    real = os.lstat
    monkeypatch.setattr(
        key.os, "lstat", lambda path: os.stat_result((real(path).st_mode, *real(path)[1:4], 0, 0, *real(path)[6:]))
    )
    return tmp_path / "flower" / "supernode.key"


def test_a_key_is_made_once_and_its_public_half_told(place: Path) -> None:
    planned = _keep(place, "present", check=True)
    assert planned == {"changed": True, "public": ""}
    assert not place.parent.exists()
    made = _keep(place, "present")
    assert made["changed"]
    assert made["public"].startswith("ecdsa-sha2-nistp384 ")
    assert place.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in place.parent.iterdir()] == ["supernode.key"]
    assert _keep(place, "present") == {"changed": False, "public": made["public"]}


def test_a_rotation_may_be_cut_after_every_step(place: Path) -> None:
    old = _keep(place, "present")["public"]
    new = _keep(place, "renew")
    assert new["changed"]
    assert new["public"] != old
    # The one in use is still the old one, and the next call takes up the one that waits.
    assert _keep(place, "present")["public"] == old
    assert _keep(place, "renew") == {"changed": False, "public": new["public"]}
    assert _keep(place, "switch", check=True)["changed"]
    before = time.time() - 1
    assert _keep(place, "switch") == {"changed": True, "public": new["public"]}
    assert place.stat().st_mtime > before
    assert _keep(place, "present") == {"changed": False, "public": new["public"]}
    assert _keep(place, "switch") == {"changed": False, "public": new["public"]}


def test_a_key_that_others_may_read_is_closed(place: Path) -> None:
    _keep(place, "present")
    place.chmod(0o644)
    assert _keep(place, "present", check=False)["changed"]
    assert place.stat().st_mode & 0o777 == 0o600


def test_what_is_no_key_is_left_and_told(place: Path) -> None:
    place.parent.mkdir()
    place.write_text("mine")
    place.chmod(0o600)
    with pytest.raises(SystemExit, match="is no OpenSSH private key without passphrase"):
        _keep(place, "present")
    assert place.read_text() == "mine"
    place.unlink()
    place.symlink_to("/etc/hostname")
    with pytest.raises(SystemExit, match="no regular file"):
        _keep(place, "present")


# restart.py


class _Node:
    """A SuperNode whose log, apps and main thread a test sets; `done` lists what was done to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = {"ActiveState": "active", "MainPID": "7", "InvocationID": "one"}
        self.now = 1000.0
        self.lines: list[str] = []
        self.running: list[str] = []
        self.asleep: list[bool | None] = []
        self.done: list[str] = []
        monkeypatch.setattr(restart, "show", lambda _unit, *_properties: dict(self.state))
        monkeypatch.setattr(restart, "journal", lambda _invocation: list(self.lines))
        monkeypatch.setattr(restart, "apps", lambda _unit: list(self.running))
        monkeypatch.setattr(restart, "sleeps", self.sleeps)
        monkeypatch.setattr(restart.time, "time", lambda: self.now)
        monkeypatch.setattr(restart.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(restart.time, "sleep", self.sleep)
        monkeypatch.setattr(restart.os, "kill", lambda pid, number: self.done.append(f"kill {pid} {int(number)}"))
        monkeypatch.setattr(restart.subprocess, "run", lambda command, **_how: self.done.append(" ".join(command[1:])))

    def sleeps(self, _pid: int) -> bool | None:
        return self.asleep.pop(0) if len(self.asleep) > 1 else self.asleep[0] if self.asleep else None

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def restart(self, busy: str = "fail", patience: float = 10) -> dict[str, Any]:
        request = {"unit": "node", "apps": "apps", "patience": patience, "busy": busy}
        answer: dict[str, Any] = restart.restart(request)
        return answer


@pytest.fixture
def supernode(monkeypatch: pytest.MonkeyPatch) -> _Node:
    return _Node(monkeypatch)


def test_an_idle_node_is_restarted_as_it_falls_asleep(supernode: _Node) -> None:
    supernode.asleep = [True, True, False, True]
    answer = supernode.restart()
    assert answer["restarted"]
    assert answer["busy"] == ""
    assert supernode.done == ["daemon-reload", "kill 7 15", "restart node"]
    assert supernode.asleep == [True]


def test_a_node_that_does_not_run_is_started(supernode: _Node) -> None:
    supernode.state["ActiveState"] = "failed"
    assert supernode.restart()["restarted"]
    assert supernode.done == ["daemon-reload", "restart node"]


@pytest.mark.parametrize(
    ("lines", "running", "words"),
    [
        (
            ["990.5 n x[1]: INFO :      Receiving: train message (ID: a)"],
            [],
            "a message (Receiving: train message (ID: a)",
        ),
        (["990.5 n x[1]: INFO :      Received successfully"], [], "a message"),
        (["990.5 n x[1]: INFO :      Sent successfully"], ["/venv/bin/flwr-clientapp"], "an app (flwr-clientapp)"),
    ],
)
def test_a_busy_node_is_left_or_restarted_as_asked(
    supernode: _Node, lines: list[str], running: list[str], words: str
) -> None:
    supernode.lines, supernode.running = lines, running
    left = supernode.restart()
    assert not left["restarted"]
    assert words in left["busy"]
    assert left["waited"] >= 10
    assert supernode.done == ["daemon-reload"]
    forced = supernode.restart("restart")
    assert forced["restarted"]
    assert words in forced["busy"]
    assert supernode.done[-1] == "restart node"


def test_an_answer_is_given_the_time_to_be_taken(supernode: _Node) -> None:
    supernode.lines = ["999.5 n x[1]: INFO :      Sent successfully"]
    answer = supernode.restart()
    assert answer["restarted"]
    assert 2.4 <= answer["waited"] <= 3.0


def test_a_node_that_never_asks_is_not_killed(supernode: _Node) -> None:
    supernode.asleep = [True]
    assert supernode.restart()["busy"] == "a question to the SuperLink"


def test_a_node_whose_superlink_does_not_answer_is_restarted_at_once(supernode: _Node) -> None:
    supernode.asleep = [True]
    supernode.lines = ["990.5 n x[1]: WARNING :   Connection attempt failed, retrying in 17.61 seconds"]
    answer = supernode.restart()
    assert (answer["restarted"], answer["busy"], answer["waited"]) == (True, "", 0)
    supernode.lines.insert(0, "980.5 n x[1]: INFO :      Sending: train message (ID: a)")
    assert "a message" in supernode.restart()["busy"], "its answer may still be taken where it is"


# runtime_certificate.py


def test_the_runtime_certificate_is_its_own_authority(tmp_path: Path) -> None:
    certificate, secret = tmp_path / "runtime.crt", tmp_path / "runtime.key"
    runtime.main(str(certificate), str(secret), "127.0.0.2")
    assert secret.stat().st_mode & 0o777 == 0o600
    assert certificate.stat().st_mode & 0o777 == 0o644
    verified = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_ip", "127.0.0.2"]
    subprocess.run([*verified, "-CAfile", str(certificate), str(certificate)], check=True, stdout=subprocess.DEVNULL)
    other = subprocess.run(
        [*verified[:-1], "127.0.0.1", "-CAfile", str(certificate), str(certificate)], capture_output=True, check=False
    )
    assert other.returncode != 0
    context = ssl.create_default_context(cafile=str(certificate))
    context.load_cert_chain(str(certificate), str(secret))
