# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What an appliance says of itself arrives at every place, and no place that is broken stops it."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from fact8ra_appliance.onegate import OneGate, OneGateUnreachable, cleaned
from fact8ra_appliance.report import Reporter, State
from fact8ra_appliance.values import Problem

PROBLEM = Problem("ONEAPP_FLOWER_FLEET_PORT", "ONEAPP_FLOWER_FLEET_PORT is x; it must be a port")


class Gate(OneGate):
    """OneGate in memory; `broken` makes it fail."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__("http://x", "token", 7)
        self.broken = broken
        self.told: list[dict[str, str]] = []

    def patient(self, *pauses: float) -> OneGate:
        return self

    def publish(self, attributes: Mapping[str, str]) -> None:
        if self.broken:
            raise OneGateUnreachable("OneGate at http://x does not answer")
        self.told.append(dict(attributes))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    """journald's socket below the root."""
    path = tmp_path / "run/systemd/journal/socket"
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        server.settimeout(2)
        yield server


def reporter(root: Path, gate: OneGate | None = None, clock: float = 0.0) -> Reporter:
    """A reporter whose console is a file."""
    console = root / "console"
    console.touch()
    return Reporter(gate, root, console, lambda: clock)


def entry(datagram: bytes) -> dict[str, str]:
    """The fields of a journal entry in the native protocol."""
    fields = {}
    while datagram:
        name, _newline, rest = datagram.partition(b"\n")
        size = struct.unpack("<Q", rest[:8])[0]
        fields[name.decode()] = rest[8 : 8 + size].decode()
        datagram = rest[8 + size + 1 :]
    return fields


def test_a_state_is_said_everywhere(tmp_path: Path, journal: socket.socket) -> None:
    gate = Gate()
    reporter(tmp_path, gate).say(State.CONTEXT_INVALID, "1 variable is refused", [PROBLEM])
    page = (tmp_path / "run/fact8ra/status").read_text()
    assert "CONTEXT_INVALID" in page
    assert PROBLEM.message in page
    assert json.loads((tmp_path / "run/fact8ra/state.json").read_text()) == {
        "state": "CONTEXT_INVALID",
        "message": "1 variable is refused",
        "since": "1970-01-01T00:00:00Z",
        "problems": [{"variable": PROBLEM.variable, "message": PROBLEM.message}],
        "onegate": "",
    }
    assert "fact8ra: CONTEXT_INVALID: 1 variable is refused\r\n" in (tmp_path / "console").read_bytes().decode()
    said = entry(journal.recv(65536))
    assert (said["FACT8RA_STATE"], said["PRIORITY"]) == ("CONTEXT_INVALID", "3")
    assert said["FACT8RA_VARIABLES"] == PROBLEM.variable
    assert gate.told == [
        {
            "FLOWER_STATE": "CONTEXT_INVALID",
            "FLOWER_MESSAGE": "1 variable is refused",
            "FLOWER_PROBLEMS": f"{PROBLEM.variable}: {PROBLEM.message}",
            "FLOWER_SINCE": "1970-01-01T00:00:00Z",
        }
    ]


def test_everybody_may_read_the_page(tmp_path: Path, journal: socket.socket) -> None:
    reporter(tmp_path).say(State.BOOTING, "x")
    for name in ("status", "state.json"):
        assert (tmp_path / "run/fact8ra" / name).stat().st_mode & 0o777 == 0o644


def test_the_same_again_is_said_once(tmp_path: Path, journal: socket.socket) -> None:
    gate = Gate()
    said = reporter(tmp_path, gate)
    for _turn in range(3):
        said.say(State.WAITING_FOR_SUPERLINK, "none yet")
    assert len(gate.told) == 1
    assert (tmp_path / "console").read_text().count("WAITING") == 1


def test_a_state_keeps_its_time_while_its_message_changes(tmp_path: Path, journal: socket.socket) -> None:
    now = [0.0]
    said = Reporter(None, tmp_path, tmp_path / "console", lambda: now[0])
    said.say(State.JOINING, "a")
    now[0] = 60
    said.say(State.JOINING, "b")
    assert json.loads((tmp_path / "run/fact8ra/state.json").read_text())["since"] == "1970-01-01T00:00:00Z"
    said.say(State.ONLINE, "c")
    assert json.loads((tmp_path / "run/fact8ra/state.json").read_text())["since"] == "1970-01-01T00:01:00Z"


def test_a_onegate_that_fails_is_on_the_page_and_stops_nothing(tmp_path: Path, journal: socket.socket) -> None:
    gate = Gate(broken=True)
    said = reporter(tmp_path, gate)
    said.say(State.READY, "answers")
    assert (
        "OneGate could not be told: OneGate at http://x does not answer"
        in (tmp_path / "run/fact8ra/status").read_text()
    )
    assert not said.ready()
    gate.broken = False
    assert said.ready()
    assert (gate.told[0]["READY"], gate.told[0]["FLOWER_STATE"]) == ("YES", "READY")
    assert "could not be told" not in (tmp_path / "run/fact8ra/status").read_text()


def test_the_end_of_a_boot_withdraws_ready_in_the_same_call(tmp_path: Path, journal: socket.socket) -> None:
    gate = Gate()
    said = reporter(tmp_path, gate)
    said.say(State.BOOTING, "x")
    said.failed(State.CONFIGURE_FAILED, "READY=YES said the task")
    assert [told.get("READY") for told in gate.told] == [None, "NO"]
    assert gate.told[1]["FLOWER_STATE"] == "CONFIGURE_FAILED"
    # OneFlow looks for the text anywhere in what changed.
    assert not any("READY=YES" in f"{name}={cleaned(text)}" for name, text in gate.told[1].items())


def test_ready_without_onegate_is_nobodys_business(tmp_path: Path) -> None:
    assert reporter(tmp_path).ready()


def test_broken_places_stop_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # No console, no journal, and a file where the directory should be.
    (tmp_path / "run").write_text("")
    Reporter(None, tmp_path, tmp_path / "none").say(State.DISK_READ_ONLY, "no", [PROBLEM])
    assert PROBLEM.message in capsys.readouterr().err


def test_what_a_context_says_moves_no_cursor(tmp_path: Path, journal: socket.socket) -> None:
    reporter(tmp_path).say(State.CONTEXT_INVALID, "x\x1b[2J\r\nfact8ra: READY: all is well")
    console = (tmp_path / "console").read_bytes()
    assert b"\x1b" not in console
    assert console.count(b"\n") == 1


def test_a_long_message_is_whole_on_the_page_alone(tmp_path: Path, journal: socket.socket) -> None:
    gate = Gate()
    reporter(tmp_path, gate).say(State.CONFIGURE_FAILED, "a" * 5000)
    assert len(gate.told[0]["FLOWER_MESSAGE"]) == 2000
    assert "a" * 5000 in (tmp_path / "run/fact8ra/status").read_text()
