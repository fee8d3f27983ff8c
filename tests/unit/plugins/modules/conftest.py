# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Sites for the tests of modules."""

from __future__ import annotations

from typing import Any

import pytest
from opennebula_site import Site


@pytest.fixture
def admin(standin: Any) -> Site:
    """A stand-in as oneadmin sees it."""
    return Site(standin, standin.admin)


@pytest.fixture
def tenant(standin: Any) -> Site:
    """A stand-in as the tenant C(flower) sees it."""
    return Site(standin, standin.tenant)
