# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Who a host is, and whom it trusts: held against OpenSSH and against files that are none."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
from pathlib import Path

import pytest

from ansible_collections.fact8ra.flower.plugins.module_utils._flower import identity


def generate(path: Path, *arguments: str) -> Path:
    """Let OpenSSH make a key."""
    subprocess.run(["ssh-keygen", "-q", "-N", "", *arguments, "-f", str(path)], check=True)
    return path


@pytest.mark.parametrize("kind", [("-t", "ecdsa", "-b", "384"), ("-t", "ecdsa", "-b", "521"), ("-t", "ed25519")])
def test_the_fingerprint_is_openssh_s(tmp_path: Path, kind: tuple[str, ...]) -> None:
    key = generate(tmp_path / "key", *kind)
    printed = subprocess.run(["ssh-keygen", "-l", "-f", str(key)], stdout=subprocess.PIPE, text=True, check=True)
    assert identity.key_fingerprint(str(key)) == (printed.stdout.split()[1], "")
    line = (tmp_path / "key.pub").read_text()
    assert identity.line_fingerprint(line) == printed.stdout.split()[1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        base64.b64encode(b"openssh-key-v1\0\x00\x00\x00\xffnone"),
        base64.b64encode(b"openssh-key-v1\0"),
        b"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n",
    ],
)
def test_what_is_no_key_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    assert identity.key_fingerprint(str(path)) == ("", f"{path} is no OpenSSH private key")


def test_a_key_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert identity.key_fingerprint(str(path)) == ("", f"{path} cannot be read (No such file or directory)")


@pytest.mark.parametrize("line", ["", "one", "ecdsa-sha2-nistp384 not/base64!"])
def test_a_line_that_is_no_key_has_no_fingerprint(line: str) -> None:
    assert identity.line_fingerprint(line) == ""


def test_a_connection_is_seen_by_its_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "systemctl"
    fake.write_text(f"#!/bin/sh\necho {os.getpid()}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not identity.connected("x.service", port)
        with socket.create_connection(("127.0.0.1", port)):
            assert identity.connected("x.service", port)
        assert not identity.connected("x.service", port)
    fake.write_text("#!/bin/sh\necho 0\n")
    assert not identity.connected("x.service", port)
