# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What the role pki adds to its module: what it asks for, what Prometheus is told, and when it stops."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playbooks import ROOT, Played

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pki")]

PASSPHRASE = "an old boot, a lamp and a map"
METRIC = "fact8ra_certificate_not_after_timestamp_seconds"


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., Played]:
    """Play the role for a federation of two hosts, whose files are below `tmp_path`."""
    playbook = [{"hosts": "all", "gather_facts": False, "roles": ["fact8ra.flower.pki"]}]
    (tmp_path / "play.yml").write_text(json.dumps(playbook))
    (tmp_path / "hosts").write_text("[superlink]\nlink ansible_host=192.0.2.7\n[supernodes]\nnode\n")

    def run(*arguments: str, **variables: Any) -> Played:
        given = {"federation_name": "poc", "federation_directory": str(tmp_path / "federation")}
        given |= {"pki_ca_passphrase": PASSPHRASE} | variables
        (tmp_path / "vars.json").write_text(json.dumps({key: item for key, item in given.items() if item is not None}))
        started = time.monotonic()
        done = subprocess.run(
            [
                Path(sys.executable).with_name("ansible-playbook"),
                *("-i", tmp_path / "hosts", "-e", f"@{tmp_path / 'vars.json'}"),
                *(tmp_path / "play.yml", *arguments),
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                "LC_ALL": "C.UTF-8",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert PASSPHRASE not in done.stdout
        return Played(done.returncode, done.stdout, time.monotonic() - started)

    return run


def _openssl(*arguments: str | Path) -> str:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True).stdout


def _metrics(directory: Path) -> dict[str, int]:
    lines = [line for line in (directory / "certificates.prom").read_text().splitlines() if not line.startswith("#")]
    return {line.split('certificate="')[1].split('"')[0]: int(line.rsplit(" ", 1)[1]) for line in lines}


def _end(certificate: Path) -> int:
    written = _openssl("x509", "-noout", "-enddate", "-dateopt", "iso_8601", "-in", certificate)[9:].strip()
    return int(subprocess.run(["date", "-d", written, "+%s"], check=True, capture_output=True, text=True).stdout)


def test_prometheus_is_told_the_ends_and_a_step_of_the_rollover_is_foretold(
    play: Callable[..., Played], tmp_path: Path
) -> None:
    directory = tmp_path / "federation" / "pki"
    assert play("--check", "--diff").succeeded().changed == 2
    assert not directory.exists()
    assert play().succeeded().changed == 2
    assert _metrics(directory) == {name: _end(directory / f"{name}.crt") for name in ("superlink", "ca")}
    assert f'{METRIC}{{federation="poc",certificate="ca"}} ' in (directory / "certificates.prom").read_text()
    assert play("--check", "--diff", pki_rollover="trust").succeeded().changed == 2
    assert play(pki_rollover="trust").succeeded().changed == 2
    ends = {"superlink": "superlink.crt", "ca": "ca.crt", "ca_next": "ca.next.crt"}
    assert _metrics(directory) == {name: _end(directory / file) for name, file in ends.items()}
    assert play().succeeded().changed == 0


def test_a_request_stops_the_play_until_the_certificate_is_there(play: Callable[..., Played], tmp_path: Path) -> None:
    directory, root, signed = tmp_path / "federation" / "pki", tmp_path / "root.crt", tmp_path / "signed.pem"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", tmp_path / "root.key"]
    usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign", "-subj", "/CN=Hospital", "-days", "9", "-out", root]
    _openssl("req", "-x509", *key, *usage)
    own = {
        "pki_superlink_source": "request",
        "pki_superlink_trust": str(root),
        "pki_superlink_certificate": str(signed),
        "pki_ca_passphrase": None,
    }
    waiting = play(**own)
    waiting.failed_with(
        "waits for its certificate (there is none yet)", f"{directory}/superlink.csr signed", str(signed)
    )
    (tmp_path / "extensions").write_text("authorityKeyIdentifier=keyid\n")
    copied = ["-copy_extensions", "copy", "-extfile", tmp_path / "extensions", "-days", "8", "-out", signed]
    signer = ["-CA", root, "-CAkey", tmp_path / "root.key"]
    _openssl("x509", "-req", "-in", directory / "superlink.csr", *signer, *copied)
    assert play(**own).succeeded().changed == 2
    _openssl("verify", "-CAfile", directory / "trust.crt", "-verify_ip", "192.0.2.7", directory / "superlink.crt")
    assert _metrics(directory) == {"superlink": _end(signed), "ca": _end(root)}
    assert not (directory / "ca.key").exists()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"pki_ca_passphrase": None}, "pki_ca_passphrase is not set"),
        (
            {"pki_superlink_source": "provided"},
            "pki_superlink_certificate is not set; with pki_superlink_source provided",
        ),
    ],
)
def test_what_is_missing_is_named_before_anything_is_made(
    play: Callable[..., Played], tmp_path: Path, variables: dict[str, Any], said: str
) -> None:
    play(**variables).failed_with(said)
    assert not list((tmp_path / "federation").rglob("*.crt"))
