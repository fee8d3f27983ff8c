# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""OneFlow of a fresh stand-in."""

from __future__ import annotations

import pytest
from contract_flow import FlowApi

from fact8ra_lab.standin.testing import StandIn


@pytest.fixture
def flow(standin: StandIn) -> FlowApi:
    """OneFlow, asked as it is."""
    return FlowApi(standin)
