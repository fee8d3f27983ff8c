# SPDX-License-Identifier: Apache-2.0
"""An account that may use the Control API, and what else its owner tries with it."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from adversary import Host, World, eventually
from promises import Attempt, promise

pytestmark = [pytest.mark.lab, pytest.mark.root]

USERS = ("mallory", "victim")


class Accounts:
    """Two accounts of the Control API at the SuperLink's host, each with a key of its own."""

    def __init__(self, superlink: Host, keys: Path) -> None:
        self.superlink = superlink
        self.keys = keys

    def host(self, user: str) -> Host:
        """The SuperLink's host as this user's key opens it."""
        return replace(self.superlink, key=self.keys / user)

    def address(self, user: str) -> str:
        """The user's own address on the SuperLink's host."""
        number = int(self.superlink.run(f"id -u {user}").stdout)
        return f"127.1.{number // 256}.{number % 256}"

    @contextlib.contextmanager
    def forwarded(self, user: str, target: str) -> Iterator[int | None]:
        """A local port that is forwarded to a target, or None when sshd refuses the way."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        process = subprocess.Popen(
            self.host(user).ssh("-N", "-o", "BatchMode=yes", "-L", f"{port}:{target}", user=user),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield (
                port
                if eventually(lambda: process.poll() is not None or _opens(port), 15) and process.poll() is None
                else None
            )
        finally:
            process.terminate()
            process.wait(10)

    def asked(self, user: str, target: str, trust: Path) -> str:
        """Status of list-nodes through a forwarding, 000 when nothing answers."""
        with self.forwarded(user, target) as port:
            if port is None:
                return "000"
            return subprocess.run(
                [
                    *("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "8", "--cacert", str(trust)),
                    *("-X", "POST", "-H", "Content-Type: application/protobuf"),
                    f"https://127.0.0.1:{port}/v1/control/list-nodes",
                ],
                capture_output=True,
                text=True,
                check=False,
            ).stdout


def _opens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture(scope="module")
def accounts(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accounts]:
    """The accounts while the tests run; none is left."""
    keys = tmp_path_factory.mktemp("keys")
    for user in USERS:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / user)], check=True)
    users = [
        {"name": user, "public_keys": [(keys / f"{user}.pub").read_text().strip()], "role": "submit"} for user in USERS
    ]
    tags = ("--tags", "firewall,access")
    world.ours.play("site", *tags, "-e", json.dumps({"access_users": users})).succeeded()
    yield Accounts(world.ours.superlink, keys)
    world.ours.play("site", *tags, "-e", json.dumps({"access_users": []})).succeeded()
    assert world.ours.superlink.run(f"id {USERS[0]}", check=False).returncode != 0


SESSIONS = {
    "runs a command": (["id"], ()),
    "asks for a shell with a terminal": ([], ("-tt",)),
    "copies files by SFTP": (["sftp"], ("-s",)),
    "forwards a port of the host to itself": (["-"], ("-o", "ExitOnForwardFailure=yes", "-R", "7777:127.0.0.1:22")),
    "opens a tunnel device": (["-"], ("-o", "ExitOnForwardFailure=yes", "-w", "any:any")),
}


@promise("An account of the Control API forwards to its own address, and does nothing else.", attempt="mallory {what}")
@pytest.mark.parametrize("what", SESSIONS)
def test_no_session(world: World, attempt: Attempt, accounts: Accounts, what: str) -> None:
    own = accounts.asked("mallory", f"{accounts.address('mallory')}:8000", world.ours.directory / "pki/trust.crt")
    attempt.control(own == "200", f"through its own address Flower answers {own}")
    words, options = SESSIONS[what]
    command = accounts.host("mallory").ssh("-o", "BatchMode=yes", *options, user="mallory")
    done = subprocess.run(
        [*command, *([] if words == ["-"] else words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    attempt.outcome(f"status {done.returncode}: {(done.stdout + done.stderr).strip()[:80] or 'nothing'}")
    assert done.returncode != 0
    assert "uid=" not in done.stdout


@promise(
    "An account of the Control API forwards to its own address, and does nothing else.",
    attempt="mallory forwards to {where}",
)
@pytest.mark.parametrize(
    "where", ["the Control API itself", "the Runtime API", "victim's address", "sshd", "a SuperNode", "a Unix socket"]
)
def test_no_other_way(world: World, attempt: Attempt, accounts: Accounts, where: str) -> None:
    trust = world.ours.directory / "pki/trust.crt"
    own = accounts.asked("mallory", f"{accounts.address('mallory')}:8000", trust)
    attempt.control(own == "200", f"through its own address Flower answers {own}")
    victim = accounts.asked("victim", f"{accounts.address('victim')}:8000", trust)
    attempt.control(victim == "200", f"victim's works for victim: {victim}")
    target = {
        "the Control API itself": "127.0.0.1:8000",
        "the Runtime API": "127.0.0.2:8000",
        "victim's address": f"{accounts.address('victim')}:8000",
        "sshd": "127.0.0.1:22",
        "a SuperNode": f"{world.ours.supernodes[0].address}:22",
        "a Unix socket": "/run/systemd/private",
    }[where]
    # Flower answers nobody who does not speak TLS, sshd nobody who does.
    status = accounts.asked("mallory", target, trust)
    got = ""
    with accounts.forwarded("mallory", target) as port:
        if port is not None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
                connection.settimeout(5)
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                got = connection.recv(100).decode(errors="replace")
    attempt.outcome(f"over TLS {status}, else {got or 'closed without a byte'!r}")
    assert (status, got) == ("000", "")


@promise(
    "An account of the Control API forwards to its own address, and does nothing else.",
    attempt="what mallory asks for is written down",
)
def test_every_request_is_in_the_audit(world: World, attempt: Attempt, accounts: Accounts) -> None:
    trust = world.ours.directory / "pki/trust.crt"
    log = "/var/log/flower-control/audit.jsonl"

    def lines(user: str) -> int:
        text = world.ours.superlink.run(f"cat {log} 2>/dev/null || true").stdout
        return len([line for line in text.splitlines() if re.search(rf'"{user}"', line)])

    before = {user: lines(user) for user in USERS}
    answered = accounts.asked("mallory", f"{accounts.address('mallory')}:8000", trust)
    attempt.control(answered == "200", f"the request is answered {answered}")
    eventually(lambda: lines("mallory") > before["mallory"], 10)
    more = {user: lines(user) - before[user] for user in USERS}
    attempt.outcome(f"lines in the audit: {more}")
    assert more == {"mallory": 1, "victim": 0}
