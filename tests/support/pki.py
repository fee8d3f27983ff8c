# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Running `federation_pki`, and judging what it made by OpenSSL, which has no part in making it."""

from __future__ import annotations

import contextlib
import io
import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from ansible.module_utils.testing import patch_module_args
from module_runner import as_on_a_target

from ansible_collections.fact8ra.flower.plugins.module_utils._pki import authority
from ansible_collections.fact8ra.flower.plugins.module_utils._pki.files import Store
from ansible_collections.fact8ra.flower.plugins.modules import federation_pki

PASSPHRASE = "an old boot, a lamp and a map"


class Cut(BaseException):
    """The run ended here, as by SIGKILL."""


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Let the module find another time on the clock."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return moment.astimezone(tz)

    monkeypatch.setattr(authority, "datetime", Clock)


def options(directory: Path, **changes: Any) -> dict[str, Any]:
    """Options of a whole federation; a dict in C(changes) is laid over the default's."""
    defaults: dict[str, Any] = {
        "directory": str(directory),
        "ca": {"common_name": "poc CA", "passphrase": PASSPHRASE},
        "superlink": {"names": ["link.example.org"], "addresses": ["192.0.2.10", "2001:db8::10"]},
        "supernodes": ["alpha-supernode-0", "beta-supernode-0"],
    }
    for name, value in changes.items():
        defaults[name] = {**defaults[name], **value} if isinstance(value, dict) else value
    return defaults


def run(options: dict[str, Any], check: bool = False) -> dict[str, Any]:
    """Run the module and return its result, in which no secret may be."""
    output = io.StringIO()
    arguments = {**options, "_ansible_check_mode": check}
    with (
        as_on_a_target(),
        patch_module_args(arguments),
        contextlib.redirect_stdout(output),
        contextlib.suppress(SystemExit),
    ):
        federation_pki.main()
    for secret in (PASSPHRASE, "PRIVATE KEY"):
        assert secret not in output.getvalue()
    result: dict[str, Any] = json.loads(output.getvalue())
    return result


def openssl(*arguments: str | Path, **keywords: Any) -> subprocess.CompletedProcess[str]:
    """Run openssl."""
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False, **keywords)


def verify(trust: Path, leaf: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Let openssl judge a certificate, with the intermediate ones behind it in its file."""
    strict = ["-x509_strict", "-purpose", "sslserver", "-CAfile", trust, "-untrusted", leaf]
    return openssl("verify", *strict, *arguments, leaf)


def printed(certificate: Path) -> str:
    """A certificate as openssl prints it."""
    return openssl("x509", "-noout", "-text", "-in", certificate).stdout


def shaken(trust: Path, leaf: Path, key: Path, name: str) -> str:
    """Do a TLS handshake under a name as Flower's nodes do it; return what the client says, "" when it is content."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(leaf, key)
    client_context = ssl.create_default_context(cafile=str(trust))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(there, back, server_side=True)
    client = client_context.wrap_bio(back, there, server_hostname=name)
    for side in [client, server] * 3:
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
    return "" if client.version() else "no handshake"


def snapshot(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file."""
    return {
        str(path.relative_to(directory)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in directory.rglob("*")
        if path.is_file()
    }


def contents(directory: Path) -> dict[str, bytes]:
    """Content of every file."""
    return {name: content for name, (content, _time) in snapshot(directory).items()}


def restore(directory: Path, files: dict[str, bytes]) -> None:
    """Make the directory hold these files and no others."""
    for path in [path for path in directory.rglob("*") if path.is_file()]:
        path.unlink()
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o600 if name.endswith(".key") else 0o644)


def reasons(result: dict[str, Any]) -> dict[str, str]:
    """Reason of each change by its object."""
    return {change["object"]: change["reason"] for change in result["changes"]}


@contextlib.contextmanager
def cut_after(survives: int) -> Iterator[None]:
    """End the run at a write or removal when so many were done before."""
    done: list[str] = []

    def cutting(whole: Callable[..., None]) -> Callable[..., None]:
        def cut(self: Store, name: str, *content: bytes) -> None:
            if len(done) == survives:
                raise Cut
            done.append(name)
            whole(self, name, *content)

        return cut

    with (
        mock.patch.object(Store, "write", cutting(Store.write)),
        mock.patch.object(Store, "remove", cutting(Store.remove)),
    ):
        yield


def run_cut(options: dict[str, Any], survives: int) -> bool:
    """Run the module until so many writes and removals were done; return whether it was cut before its end."""
    try:
        with cut_after(survives), patch_module_args(options), contextlib.redirect_stdout(io.StringIO()):
            federation_pki.main()
    except Cut:
        return True
    except SystemExit:
        return False
    raise AssertionError("the module went on after its end")
