# SPDX-License-Identifier: Apache-2.0
"""A federation of two sites, whose faults the tests ask for."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from federation import Federation, described

from fact8ra_lab.standin.testing import StandIn


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    with StandIn() as alpha, StandIn() as beta:
        yield described(tmp_path, {"alpha": alpha, "beta": beta})


@pytest.fixture
def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
