# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Sites for the tests of modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from module_runner import as_on_a_target
from opennebula_site import Site


@pytest.fixture(autouse=True)
def _on_a_target() -> Iterator[None]:
    with as_on_a_target():
        yield


@pytest.fixture
def admin(standin: Any) -> Site:
    """A stand-in as oneadmin sees it."""
    return Site(standin, standin.admin)


@pytest.fixture
def tenant(standin: Any) -> Site:
    """A stand-in as the tenant C(flower) sees it."""
    return Site(standin, standin.tenant)
