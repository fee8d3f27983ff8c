# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The context service of the guests, run outside of one with its files in a temporary directory."""

from __future__ import annotations

import base64
import http.server
import importlib.machinery
import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from fact8ra_lab.hosts import base, machines


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = str(base.GUEST_FILES / "usr/local/sbin/one-context")
    loader = importlib.machinery.SourceFileLoader("one_context", path)
    spec = importlib.util.spec_from_loader("one_context", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(module)
    return module


@pytest.fixture
def written(context: ModuleType, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    files: dict[str, str] = {}
    monkeypatch.setattr(context, "write", lambda path, text, mode=0o644: files.update({str(path): text}))
    return files


def test_reads_what_the_driver_writes(context: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    values = {"A": 'it\'s "so" $HOME `id` \\ end', "B": "two\nlines # no comment", "EMPTY": ""}
    (tmp_path / "one_env").write_text(machines._context_text(values))
    monkeypatch.setattr(context, "ENV_FILE", tmp_path / "one_env")
    assert context.read_context() == values


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"SET_HOSTNAME": "alpha-superlink-0", "NAME": "other"}, "alpha-superlink-0"),
        ({"NAME": "superlink_0_(service_3)"}, "superlink-0-service-3"),
        ({"SET_HOSTNAME": "node.example.eu"}, "node.example.eu"),
    ],
)
def test_hostname(
    context: ModuleType, written: dict[str, str], monkeypatch: pytest.MonkeyPatch, values: dict[str, str], name: str
) -> None:
    given: list[str] = []
    monkeypatch.setattr(context.socket, "sethostname", given.append)
    context.set_hostname(values)
    assert given == [name]
    assert written["/etc/hostname"] == f"{name}\n"
    assert f"127.0.1.1 {name}" in written["/etc/hosts"]


def test_every_nic_gets_its_static_address(context: ModuleType, written: dict[str, str]) -> None:
    context.set_networks(
        {
            "ETH0_MAC": "02:00:0a:47:01:0a",
            "ETH0_IP": "10.71.1.10",
            "ETH0_MASK": "255.255.255.0",
            "ETH0_GATEWAY": "10.71.1.1",
            "ETH0_DNS": "10.71.1.1",
            "ETH0_MTU": "1400",
            "ETH1_MAC": "02:00:0a:48:00:05",
            "ETH1_IP": "10.72.0.5",
            "ETH1_MASK": "255.255.0.0",
            "ETH2_MAC": "02:00:00:00:00:01",
        }
    )
    first = written["/etc/systemd/network/10-one-eth0.network"]
    assert "MACAddress=02:00:0a:47:01:0a" in first
    assert "Address=10.71.1.10/24" in first
    assert "Gateway=10.71.1.1" in first
    assert "MTUBytes=1400" in first
    second = written["/etc/systemd/network/10-one-eth1.network"]
    assert "Address=10.72.0.5/16" in second
    assert "Gateway" not in second
    assert "/etc/systemd/network/10-one-eth2.network" not in written
    assert written["/etc/resolv.conf"] == "nameserver 10.71.1.1\n"


@pytest.mark.parametrize("encoded", [True, False])
def test_start_script_sees_the_context(
    context: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoded: bool
) -> None:
    monkeypatch.setattr(context, "START_SCRIPT", tmp_path / "script")
    script = f'printf %s "$WORD" > {tmp_path}/out'
    key, value = (
        ("START_SCRIPT_BASE64", base64.b64encode(script.encode()).decode()) if encoded else ("START_SCRIPT", script)
    )
    context.run_start_script({key: value, "WORD": "a b"})
    assert (tmp_path / "out").read_text() == "a b"


def test_a_failing_start_script_is_said_and_no_more(
    context: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(context, "START_SCRIPT", tmp_path / "script")
    context.run_start_script({"START_SCRIPT": "exit 3"})
    assert "start script ended with 3" in capsys.readouterr().err


class Gate(http.server.BaseHTTPRequestHandler):
    """OneGate that refuses the first report."""

    requests: list[tuple[str, str, dict[str, str | None], bytes]]

    def do_PUT(self) -> None:
        headers = {key: self.headers[key] for key in ("X-ONEGATE-TOKEN", "X-ONEGATE-VMID")}
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append((self.command, self.path, headers, body))
        self.send_response(500 if len(self.requests) == 1 else 200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def gate() -> Iterator[str]:
    Gate.requests = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_reports_ready_once_sshd_answers_and_tries_again(
    context: ModuleType, monkeypatch: pytest.MonkeyPatch, gate: str
) -> None:
    answers = iter([False, False, True, True])
    monkeypatch.setattr(context, "sshd_answers", lambda: next(answers))
    context.report_ready({"ONEGATE_ENDPOINT": gate, "TOKENTXT": "secret", "VMID": "7"})
    assert len(Gate.requests) == 2
    headers = {"X-ONEGATE-TOKEN": "secret", "X-ONEGATE-VMID": "7"}
    assert Gate.requests[-1] == ("PUT", "/vm", headers, b"READY=YES")


def test_gives_up_with_the_reason(context: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "REPORT_SECONDS", 0.1)
    monkeypatch.setattr(context, "sshd_answers", lambda: False)
    with pytest.raises(SystemExit, match=r"not reported as ready .* sshd does not answer"):
        context.report_ready({"ONEGATE_ENDPOINT": "http://127.0.0.1:9"})
