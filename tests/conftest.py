# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fact8ra_lab.standin.testing import StandIn


@pytest.fixture
def standin() -> Iterator[StandIn]:
    """A fresh stand-in OpenNebula; see ``fact8ra_lab.standin.testing``."""
    with StandIn() as running:
        yield running
