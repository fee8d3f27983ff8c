# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from fact8ra_lab.standin.testing import StandIn


@pytest.fixture
def standin() -> Iterator[StandIn]:
    """A fresh stand-in OpenNebula; see ``fact8ra_lab.standin.testing``."""
    with StandIn() as running:
        yield running


@pytest.fixture
def standin_of() -> Iterator[Callable[[str], StandIn]]:
    """Starts a stand-in that answers as a version of OpenNebula does, "6.8.0", "6.10.0" or "7.4.0"."""
    with ExitStack() as running:
        yield lambda version: running.enter_context(StandIn(version=version))
