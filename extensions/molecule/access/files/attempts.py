# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What a user of the Control API tries, and what must come of it.

Called with the SuperLink host's address, the directory with the users' private keys, the bundle of authorities, and
JSON: user name to his address on that host. Prints a sentence for each promise that does not hold, and fails if there
is one.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_SECONDS = 60.0


class Attempts:
    """The attempts of two users on one host."""

    def __init__(self, host: str, keys: str, trust: str, addresses: dict[str, str]) -> None:
        self.host = host
        self.keys = Path(keys)
        self.context = ssl.create_default_context(cafile=trust)
        self.addresses = addresses

    def command(self, user: str, *arguments: str, key: str = "") -> list[str]:
        """An SSH command line that asks nothing and takes no configuration of this computer."""
        return [
            *("ssh", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
            *("-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "LogLevel=INFO"),
            *("-o", "ExitOnForwardFailure=yes", "-i", str(self.keys / (key or user)), "-l", user, *arguments),
        ]  # fmt: skip

    def ssh(self, user: str, *arguments: str, key: str = "") -> tuple[int, str]:
        """Exit status and output of an SSH call that must end by itself."""
        done = subprocess.run(
            self.command(user, *arguments, key=key),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
        return done.returncode, done.stdout.decode(errors="replace")

    @contextlib.contextmanager
    def forward(self, user: str, target: str) -> Iterator[int]:
        """Forward a local port to a target as a user; yields the port."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        process = subprocess.Popen(
            self.command(user, "-N", "-L", f"{port}:{target}", self.host), stdin=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise AssertionError(f"ssh does not forward {target} for {user}")
            time.sleep(0.05)
        try:
            yield port
        finally:
            process.terminate()
            process.wait(_SECONDS)

    def ask(self, port: int, path: str, method: str = "POST") -> tuple[int, str]:
        """Status and answer of a request over TLS whose certificate is verified."""
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=self.context, timeout=_SECONDS)
        try:
            connection.request(method, path, body=b"", headers={"Content-Type": "application/protobuf"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def requests(self) -> Iterator[str]:
        """What the roles let through, each answer by path; the stand-in answers with the path that reached it."""
        wanted = {
            "alice": {
                "/v1/control/list-runs": 200,
                "/v1/control/stream-logs": 200,
                "/v1/control/register-node": 403,
                "/v1/control/unregister-node": 403,
                "/v1/control/register%2dnode": 403,
                "/v1/control/list-runs/../register-node": 403,
                "/v1/control//register-node": 403,
                "/v1/control/list-runs%0a": 403,
                "/v1/control/start-automation": 403,
                "/v1/control/": 403,
                "/v1/control/../fleet/activate-node": 404,
                "/v1/control/%2e%2e/runtime/acquire-task": 404,
                "/v1/fleet/activate-node": 404,
                "/health": 404,
                "/docs": 404,
            },
            "bob": {
                "/v1/control/register-node": 200,
                "/v1/control/start-automation": 403,
                "/v1/fleet/pull-messages": 404,
            },
        }
        for user, paths in wanted.items():
            with self.forward(user, f"{self.addresses[user]}:8000") as port:
                for path, status in paths.items():
                    found, text = self.ask(port, path)
                    if found != status or (status == 200 and text != path):
                        yield f"{user} asks for {path} and gets {found} {text!r} in place of {status}"
                    if status == 403 and "may not do this" not in text:
                        yield f"{user} is not told why {path} is refused: {text!r}"
                if self.ask(port, "/v1/control/list-runs", "GET")[0] != 403:
                    yield f"{user} may GET"

    def submissions(self) -> Iterator[str]:
        """Four at once reach the SuperLink one after the other, and none is turned away."""
        with (
            self.forward("alice", f"{self.addresses['alice']}:8000") as first,
            self.forward("bob", f"{self.addresses['bob']}:8000") as second,
            ThreadPoolExecutor(4) as pool,
        ):
            found = list(pool.map(lambda port: self.ask(port, "/v1/control/start-run"), [first, second] * 2))
        if found != [(200, "at most 1")] * 4:
            yield f"four submissions at once end as {found}"

    def sessions(self) -> Iterator[str]:
        """No command, shell, terminal or file transfer."""
        for arguments in ((self.host, "id"), (self.host,), ("-A", self.host, "id"), ("-X", self.host, "id")):
            status, text = self.ssh("alice", *arguments)
            if status == 0 or "uid=" in text or "only opens the way to Flower's Control API" not in text:
                yield f"alice calls ssh {' '.join(arguments)} and gets {status} {text!r}"
        # What is said on the way to a file transfer, or after a terminal was refused, may be lost.
        for arguments in (("-tt", self.host), ("-tt", self.host, "id"), ("-s", self.host, "sftp")):
            status, text = self.ssh("alice", *arguments)
            if status == 0 or "uid=" in text or "$" in text or "#" in text:
                yield f"alice calls ssh {' '.join(arguments)} and gets {status} {text!r}"

    def forwards(self) -> Iterator[str]:
        """No way but the one to her own address."""
        for target in (
            "127.0.0.1:8000",
            "127.0.0.2:8000",
            "127.0.0.3:8000",
            "localhost:8000",
            "[::1]:22",
            f"{self.addresses['bob']}:8000",
            f"{self.addresses['alice']}:22",
            f"{self.host}:22",
            f"{self.host}:8443",
        ):
            status, text = self.ssh("alice", "-W", target, self.host)
            if status == 0 or "administratively prohibited" not in text:
                yield f"alice forwards to {target} and gets {status} {text!r}"
        for listen in ("0:127.0.0.1:22", "127.0.0.1:7777:127.0.0.1:22", "/tmp/alice.sock:127.0.0.1:22", "7778"):
            status, text = self.ssh("alice", "-N", "-R", listen, self.host)
            if status == 0 or "forwarding failed" not in text:
                yield f"alice asks for a remote forward {listen} and gets {status} {text!r}"
        with self.forward("alice", "/run/dbus/system_bus_socket") as port:
            with socket.create_connection(("127.0.0.1", port), _SECONDS) as opened:
                opened.sendall(b"\0AUTH EXTERNAL\r\n")
                try:
                    answer = opened.recv(100)
                except ConnectionError:
                    answer = b""
            if answer:
                yield f"alice reaches a socket of the host: {answer!r}"

    def identities(self) -> Iterator[str]:
        """No key but one's own, no password."""
        for user, key, options in (
            ("alice", "bob", ()),
            ("bob", "alice", ()),
            ("alice", "alice", ("-o", "PreferredAuthentications=password,keyboard-interactive")),
            ("root", "alice", ()),
        ):
            status, text = self.ssh(user, *options, "-W", f"{self.addresses['alice']}:8000", self.host, key=key)
            if status == 0 or "Permission denied (publickey" not in text:
                yield f"{user} with the key of {key} {options} gets {status} {text!r}"
        if "password" in self.ssh("alice", self.host, key="bob")[1].partition("Permission denied")[2]:
            yield "sshd offers alice to try a password"


def main() -> None:
    """Try everything."""
    _program, host, keys, trust, addresses = sys.argv
    attempts = Attempts(host, keys, trust, json.loads(addresses))
    tries: list[Callable[[], Iterator[str]]] = [
        attempts.requests,
        attempts.submissions,
        attempts.sessions,
        attempts.forwards,
        attempts.identities,
    ]
    with ThreadPoolExecutor(len(tries)) as pool:
        told = [sentence for found in pool.map(lambda each: list(each()), tries) for sentence in found]
    print("\n".join(told))
    sys.exit(bool(told))


if __name__ == "__main__":
    main()
