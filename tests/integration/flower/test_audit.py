# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Flower's own command line through the nginx of role access, and who is said to have submitted what."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nginx_alone
import pytest
from access import write

REPOSITORY = Path(__file__).parents[3]
SMOKE = str(REPOSITORY / "tests" / "apps" / "smoke")

pytestmark = [pytest.mark.flwr, pytest.mark.slow, pytest.mark.xdist_group("flower")]


class Way:
    """nginx as the role configures it in front of a federation, and one user's `flwr`."""

    def __init__(self, federation: Any, directory: Path, port: int) -> None:
        self.federation = federation
        self.log = directory / "audit.jsonl"
        self.home = directory / "flwr"
        self.port = port
        self.wrapper = directory / "nginx.conf"
        users = [{"name": "alice", "role": "submit", "public_keys": [], "uid": 999, "address": "127.0.0.1"}]
        write(directory, users, _access_port=port, _access_log=str(self.log))
        config = directory / "flower-control.conf"
        text = config.read_text()
        # What the role takes for granted of a SuperLink's host.
        for fixed, here in {
            "server 127.0.0.1:8000;": f"server {federation.address};",
            "127.0.0.3:8000": f"127.0.0.3:{port}",
            "/etc/flower/superlink.crt": str(federation.certificate),
            "/etc/flower/superlink.key": str(federation.key),
            "/etc/flower/trust.crt": str(federation.certificate),
        }.items():
            assert fixed in text
            text = text.replace(fixed, here)
        config.write_text(re.sub(r"(?m)^ *access_log syslog.*\n", "", text))
        self.wrapper.write_text(nginx_alone.around(directory, "flower-control.conf"))
        self.log.write_text('{"event": "begin", "msec": 0}\n')
        self.home.mkdir()
        (self.home / "config.toml").write_text(
            f'[superlink]\ndefault = "ours"\n\n[superlink.ours]\naddress = "127.0.0.1:{port}"\n'
            f'root-certificates = "{federation.certificate}"\n'
        )

    def flwr(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call Flower's command line as alice on her own computer."""
        return subprocess.run(
            [str(self.federation.venv / "bin" / "flwr"), *arguments],
            env={
                "PATH": f"{self.federation.venv}/bin:/usr/bin:/bin",
                "HOME": str(self.home),
                "FLWR_HOME": str(self.home),
                "FLWR_TELEMETRY_ENABLED": "0",
                "FLWR_DISABLE_UPDATE_CHECK": "1",
                "NO_COLOR": "1",
                "COLUMNS": "200",
            },
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )

    def submit(self) -> str:
        """Submit the smoke app and return the id of the run."""
        done = self.flwr("run", SMOKE, "ours", "--format", "json")
        told = json.loads(done.stdout[done.stdout.index("{") :])
        assert told["success"], done.stdout
        return str(told["run-id"])


@pytest.fixture
def way(federation: Any, tmp_path: Path, free_port: int, wait_for: Callable[..., None]) -> Iterator[Way]:
    """A way to the federation, open while the test runs."""
    program = nginx_alone.program()
    opened = Way(federation, tmp_path, free_port)
    command = [program, "-p", str(tmp_path), "-e", "stderr", "-c", str(opened.wrapper)]
    with (tmp_path / "nginx.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_for("nginx", lambda: (tmp_path / "nginx.pid").exists() or process.poll() is not None)
            assert process.poll() is None, (tmp_path / "nginx.log").read_text()
            yield opened
        finally:
            process.terminate()


def test_the_command_line_and_who_submitted_what(federation: Any, way: Way) -> None:
    hers = way.submit()
    assert hers in way.flwr("list", "--format", "json").stdout
    assert way.flwr("stop", hers).returncode == 0
    log = way.flwr("log", hers, "--show").stdout
    assert "may not do this" not in log
    ours = federation.module("flower_run", app=SMOKE, label="on-the-host", force=True)["run_id"]
    federation.module("flower_run", state="stopped", run_id=ours)
    nodes = way.flwr("supernode", "list", "--format", "json").stdout
    node_id = str(json.loads(nodes[nodes.index("{") :])["nodes"][0]["node-id"])
    refused = way.flwr("supernode", "unregister", node_id).stdout
    assert "The account alice has the role submit, which may not do this." in refused

    told = federation.module("flower_audit_info", log=str(way.log), runs=2)
    assert {run["run_id"]: (run["user"], run["candidates"]) for run in told["runs"]} == {
        hers: ("alice", ["alice"]),
        ours: ("operator", ["operator"]),
    }
    assert [(one["user"], one["verb"]) for one in told["refused"]] == [("alice", "unregister-node")]
